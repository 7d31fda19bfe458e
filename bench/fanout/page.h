/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - what the processes of a fan-out share
 *
 * The driver says when to produce; producer and subscribers count.  One file,
 * mapped by all; every word has one writer but @waiting, and what different
 * processes write lies on different lines.
 */
#ifndef BENCH_FANOUT_PAGE_H
#define BENCH_FANOUT_PAGE_H

#include <stdint.h>

#include "bench/page.h"
#include "common/histogram.h"

#define FANOUT_SUBSCRIBERS_MAX 64u

struct fanout_subscriber {
	/** Subscribed: 1. */
	BENCH_LINE uint32_t connected;
	uint32_t pad;
	/** The number after that of the newest frame taken. */
	uint64_t next_seq;
	/** Frames that came as they were sent; and those that did not. */
	uint64_t taken;
	uint64_t bad;
	/** From the stamp in the frame to having all of it, while recording. */
	struct lidard_histogram latency;
};

struct fanout_page {
	/* the driver's, set before the others start */
	BENCH_LINE uint64_t bytes;
	/** 0: as fast as it goes, with so many frames under way. */
	uint32_t hz;
	uint32_t window;
	/** Frames that wait for a producer that is late. */
	uint32_t backlog;
	uint32_t subscriber_count;
	/** Of which each has its frames, its timer and as many of the subscribers. */
	uint32_t sensor_count;
	/** lidard's producer: hold frames ready and copy them into loans. */
	uint32_t copies;
	/** lidard's producer: lend before a frame is due, not once it is. */
	uint32_t ahead;
	/** An eventfd by which a producer without a rate sleeps; the number is the same in all. */
	int32_t credit_fd;
	/* the driver's */
	BENCH_LINE uint32_t running;
	uint32_t recording;
	/** When @running was last taken back. */
	uint64_t stopped_ns;
	/** Frames below it are no longer under way, whoever has not seen them. */
	uint64_t forgiven;
	/* the producer's */
	BENCH_LINE uint32_t ready;
	uint32_t pad;
	/** Number of the next frame: also those count that were due and not sent. */
	uint64_t next_seq;
	uint64_t sent;
	/** Frames whose memory was new and had to be filled first, and the CPU time that took. */
	uint64_t filled;
	uint64_t fill_cpu_ns;
	/** The producer sleeps: it sets it, and who clears it writes to @credit_fd. */
	BENCH_LINE uint32_t waiting;
	struct fanout_subscriber subscribers[FANOUT_SUBSCRIBERS_MAX];
};

#endif /* BENCH_FANOUT_PAGE_H */
