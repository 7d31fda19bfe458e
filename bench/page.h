/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - what the processes of a benchmark share
 *
 * The driver says whose turn it is; that contender publishes, the other rests.
 * Readers note what they took.  One file in memory, mapped by all; every word
 * has one writer, and what different processes write lies on different lines.
 */
#ifndef BENCH_PAGE_H
#define BENCH_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#define BENCH_SAMPLES_MAX 65536u
#define BENCH_READERS_MAX 16u
#define BENCH_LINE __attribute__((aligned(64)))

enum contender {
	CONTENDER_ICEORYX,
	CONTENDER_LIDARD,
	CONTENDER_COUNT,
};

/** A contender's turn to publish slices of one size. */
#define TURN_NONE 0u
#define TURN(contender, sensor) (((uint32_t)(contender) + 1) << 8 | (uint32_t)(sensor))

struct bench_reader {
	/** Subscribed: 1. */
	BENCH_LINE uint32_t connected;
	uint32_t pad;
	uint64_t taken;
};

struct bench_page {
	/* the driver's */
	BENCH_LINE uint32_t turn;
	/** Note samples; else it is the warm-up. */
	uint32_t recording;
	/** Readers are to end. */
	uint32_t ended;
	uint32_t hz;
	/* the publishers' */
	struct {
		BENCH_LINE uint64_t slices;
	} published[CONTENDER_COUNT];
	/* the readers' */
	struct bench_reader readers[CONTENDER_COUNT][BENCH_READERS_MAX];
	/** Latencies that the first reader of whose turn it is has noted, ns. */
	BENCH_LINE uint32_t sample_count;
	uint32_t samples[BENCH_SAMPLES_MAX];
};

/* Relaxed throughout: words that stand alone, read by somebody who looks again. */
#define PAGE_GET(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define PAGE_SET(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)

static inline void page_note(struct bench_page *page, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t ns = to_ns > from_ns ? to_ns - from_ns : 0;
	uint32_t n = page->sample_count;

	if (!PAGE_GET(page->recording) || n == BENCH_SAMPLES_MAX)
		return;
	page->samples[n] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
	/* pairs with the driver's load: the samples below it are there */
	__atomic_store_n(&page->sample_count, n + 1, __ATOMIC_RELEASE);
}

#endif /* BENCH_PAGE_H */
