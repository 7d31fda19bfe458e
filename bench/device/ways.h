/* SPDX-License-Identifier: Apache-2.0 */
/* ways.h - the ways in which a program can take slices from a device */
#ifndef BENCH_DEVICE_WAYS_H
#define BENCH_DEVICE_WAYS_H

#include "bench/device/opened.h"

/**
 * struct consumer - a device, and how its slices are taken
 * @o: the device
 * @way: one of ways_find()
 * @seen: where the slices are that somebody looks at
 * @own: memory they are copied into; NULL: they are not
 * @copied: slices that were
 */
struct consumer {
	struct opened o;
	const struct way *way;
	const uint8_t *seen;
	uint8_t *own;
	uint64_t copied;
};

/**
 * struct way - one of them
 * @memory: enum lidar_ring_memory
 * @prepare: what comes between SETUP and START
 * @take: wait for a slice, have it where the program can look at it, look, give it back.
 *	Return: its bytes.
 */
struct way {
	const char *name;
	uint32_t memory;
	void (*prepare)(struct consumer *c);
	uint64_t (*take)(struct consumer *c);
};

/** Return: NULL: there is none of this name. */
const struct way *ways_find(const char *name);

#endif /* BENCH_DEVICE_WAYS_H */
