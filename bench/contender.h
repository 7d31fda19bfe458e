/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contender.h - lidard and plain iceoryx, doing the same
 *
 * lidard's publisher is a program of its own, bench-lidard; everything else is
 * a function that a child process of the driver runs to its end.
 */
#ifndef BENCH_CONTENDER_H
#define BENCH_CONTENDER_H

#include <stdint.h>

#include "bench/page.h"

/** How a reader waits. */
enum way {
	/** Look again and again. */
	WAY_POLL,
	/** Look for READER_SPIN_NS, then WAY_BLOCK; iceoryx has no such mode: a loop before its WaitSet. */
	WAY_SPIN,
	/** lidard_subscription_wait(); a WaitSet. */
	WAY_BLOCK,
	/** epoll on lidard_subscription_get_fd(); epoll on an eventfd that a Listener's callback writes. */
	WAY_FD,
	WAY_COUNT,
};

struct reading {
	struct bench_page *page;
	struct bench_reader *me;
	/** The turn in which slices are to be expected. */
	uint32_t turn;
	/** Note latencies in the page. */
	bool records;
	enum way way;
	unsigned int sensor;
	uint32_t queue;
	uint32_t held;
};

struct publishing {
	struct bench_page *page;
	const uint64_t *slice_bytes;
	unsigned int sensor_count;
};

/** Longest sleep of a reader, which then looks whether it is to end. */
#define READER_NAP_NS (50 * NSEC_PER_MSEC)

/** More than from one slice to the next at the rate of these benchmarks. */
#define READER_SPIN_NS (2 * NSEC_PER_MSEC)

/** Indexed by enum way. */
extern const char *const way_names[WAY_COUNT];

/* Each returns the exit status of its process. */
int iceoryx_publish(const struct publishing *publishing);
int iceoryx_read(const struct reading *reading);
int lidard_read(const struct reading *reading);

/** Is the reader to go on? One that polls or spins rests here until its turn has come. */
bool reading_goes_on(const struct reading *reading);

/** A slice was taken at @taken_ns. */
void reading_note(const struct reading *reading, uint64_t published_ns, uint64_t taken_ns);

#endif /* BENCH_CONTENDER_H */
