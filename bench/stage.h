/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage.h - where contenders perform: RouDi, publishers, readers, turns
 *
 * A stage has a RouDi of its own, so the driver is to be run by
 * tests/support/in_sandbox.c: it disturbs no other iceoryx on the machine and
 * leaves nothing behind.  Both publishers stay for the whole run; in each turn one
 * of them publishes and the other rests, so that rounds can be interleaved.
 *
 * With two CPUs or more publishers are pinned to the first and readers to the
 * second, alike for both contenders.
 *
 * Whatever fails ends the program with a sentence: a benchmark has no caller
 * who could do better.  One thread.
 */
#ifndef BENCH_STAGE_H
#define BENCH_STAGE_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/contender.h"
#include "bench/page.h"

#define STAGE_SENSORS_MAX 4u

struct stage_plan {
	/** A sensor for each size. */
	uint64_t slice_bytes[STAGE_SENSORS_MAX];
	unsigned int sensor_count;
	/** Most readers of a sensor at a time, of each contender, and what each may keep. */
	unsigned int readers_max;
	uint32_t queue;
	uint32_t held;
	uint32_t hz;
};

struct stage {
	struct stage_plan plan;
	struct bench_page *page;
	pid_t roudi;
	pid_t publishers[CONTENDER_COUNT];
	pid_t readers[CONTENDER_COUNT][BENCH_READERS_MAX];
	unsigned int reader_count;
	unsigned int sensor;
	/* -1: not pinned */
	int publisher_cpu;
	int reader_cpu;
};

/** What happened in a turn, warm-up not counted. */
struct stage_turn {
	uint64_t slices;
	uint64_t publisher_cpu_ns;
	/** Of all readers of the contender together. */
	uint64_t reader_cpu_ns;
	/** What the first reader noted: in the page, until the next turn. */
	const uint32_t *samples_ns;
	uint32_t sample_count;
};

/** Build the stage; the driver must have one thread. */
void stage_open(struct stage *stage, const struct stage_plan *plan);
void stage_close(struct stage *stage);

/** Have so many readers of the sensor for each contender; those that are there stay. */
void stage_add_readers(struct stage *stage, unsigned int sensor, enum way way, unsigned int count);
void stage_end_readers(struct stage *stage);

/** Let a contender publish, first to warm up, then for @duration_ns. */
void stage_play(struct stage *stage, enum contender contender, uint64_t duration_ns,
		struct stage_turn *ret_turn);

#endif /* BENCH_STAGE_H */
