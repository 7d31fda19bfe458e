/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opened.h - a device of lidar_ring, opened and set up, as its user sees it
 *
 * Errors end the program with a sentence on stderr: there is nothing else to do.
 */
#ifndef BENCH_DEVICE_OPENED_H
#define BENCH_DEVICE_OPENED_H

#include <stdint.h>

#include "daemon/device_ring.h"

/** Longest wait for a slice. */
#define PATIENCE_MS 20000

/**
 * struct opened - an open device
 * @fd: of it
 * @layout: as SETUP told
 * @ring: over the control page; valid after opened_map()
 * @slots: where descriptors' offsets count from
 */
struct opened {
	int fd;
	struct lidar_ring_layout layout;
	struct device_ring ring;
	const uint8_t *slots;
};

/** Say it with errno's sentence, and exit. */
_Noreturn void die(const char *what);

/** @memory: enum lidar_ring_memory */
void opened_init(struct opened *o, const char *path, uint32_t memory, uint64_t slice_bytes,
		 uint32_t slots);
/** Map the rings and, of KERNEL memory, the slots. */
void opened_map(struct opened *o);
/** Have the device write into a memfd, which @slots then is. */
void opened_register(struct opened *o);
/** Map all slots once more, by way of a dma-buf. */
const uint8_t *opened_map_dmabuf(const struct opened *o);
/** All slots queued. */
void opened_start(const struct opened *o);
void opened_stop(const struct opened *o);

/* By system calls alone. */
struct lidar_ring_desc opened_get_frame(const struct opened *o);
void opened_release_frame(const struct opened *o, uint64_t offset);
/* By the rings; calls only to sleep and to wake. */
struct lidar_ring_desc opened_pop(struct opened *o);
void opened_push(struct opened *o, uint64_t offset);

/** Slices the device had and could not hand over, whatever the reason. */
uint64_t opened_count_lost(const struct opened *o);

/** Memory that is there: shared, of @bytes, every page touched. */
uint8_t *make_shared(uint64_t bytes);

#endif /* BENCH_DEVICE_OPENED_H */
