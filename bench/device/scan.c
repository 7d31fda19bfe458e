/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c - see scan.h */
#include "bench/device/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/device/opened.h"
#include "bench/figures.h"
#include "common/clock.h"

#define SLOTS 2
#define ROUNDS_MAX 1000

enum { SCAN_RING, SCAN_DMABUF, SCAN_MEMORY, SCAN_COUNT };

static const char *const names[SCAN_COUNT] = { "ring", "dmabuf", "memory" };

/* Every byte, eight at a time, in four sums: none waits for the one before. */
static uint64_t sum(const uint8_t *memory, uint64_t bytes)
{
	const uint64_t *word = (const void *)memory, *end = (const void *)(memory + bytes);
	uint64_t a = 0, b = 0, c = 0, d = 0;

	for (; word < end; word += 4) {
		a += word[0];
		b += word[1];
		c += word[2];
		d += word[3];
	}
	return a + b + c + d;
}

/* Return: 10^9 bytes a second of the thread's own time. */
static double scan(const uint8_t *memory, uint64_t bytes, double seconds, uint64_t expected)
{
	uint64_t begin_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID), ns, done = 0;

	do {
		if (sum(memory, bytes) != expected) {
			errno = EBADMSG;
			die("the bytes of a slot that nobody writes");
		}
		done += bytes;
		ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
	} while ((double)ns < seconds * NSEC_PER_SEC);
	return (double)done / (double)ns;
}

/* A slot that has been filled, and that nobody writes any more. */
static void fill(struct opened *o, const char *device, uint64_t bytes,
		 const uint8_t **ret_memory)
{
	struct lidar_ring_desc desc;
	uint8_t *copy;

	opened_init(o, device, LIDAR_RING_MEMORY_KERNEL, bytes, SLOTS);
	opened_map(o);
	opened_start(o);
	desc = opened_get_frame(o);
	opened_stop(o);
	copy = malloc(bytes);
	if (desc.bytes != bytes || !copy) {
		errno = copy ? EBADMSG : ENOMEM;
		die("a slot filled");
	}
	memcpy(copy, o->slots + desc.offset, bytes);
	ret_memory[SCAN_RING] = o->slots + desc.offset;
	ret_memory[SCAN_DMABUF] = opened_map_dmabuf(o) + desc.offset;
	ret_memory[SCAN_MEMORY] = copy;
}

void scan_run(const char *device, uint64_t bytes, unsigned int rounds, double seconds)
{
	static double speeds[SCAN_COUNT][ROUNDS_MAX];
	const uint8_t *memory[SCAN_COUNT];
	unsigned int round, i, which;
	struct opened o;
	uint64_t expected;

	if (rounds > ROUNDS_MAX)
		rounds = ROUNDS_MAX;
	fill(&o, device, bytes, memory);
	expected = sum(memory[SCAN_MEMORY], bytes);
	/* the first time each page is mapped */
	for (i = 0; i < SCAN_COUNT; i++)
		scan(memory[i], bytes, 0, expected);
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < SCAN_COUNT; i++) {
			which = (round + i) % SCAN_COUNT;
			speeds[which][round] = scan(memory[which], bytes, seconds, expected);
		}
	}
	printf("{\"way\": \"scan\", \"bytes\": %" PRIu64 ", \"rounds\": %u", bytes, rounds);
	for (i = 0; i < SCAN_COUNT; i++) {
		double median = figures_median(speeds[i], rounds);

		printf(", \"%s\": {\"gb_per_s\": %.6f, \"least\": %.6f, \"most\": %.6f}", names[i],
		       median, speeds[i][0], speeds[i][rounds - 1]);
	}
	puts("}");
}
