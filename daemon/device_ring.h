/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_ring.h - the user's side of a device's two rings (uapi/lidar_ring.h)
 *
 * Works on the control page alone: no system call, no fd.  The page belongs to
 * whoever mapped it and must outlive this.  One thread.
 */
#ifndef DAEMON_DEVICE_RING_H
#define DAEMON_DEVICE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/problem.h"
#include "uapi/lidar_ring.h"

struct device_ring {
	/* in the control page */
	uint32_t *fill_producer;
	const uint32_t *fill_consumer;
	const uint32_t *fill_flags;
	uint64_t *fill_ring;
	const uint32_t *ready_producer;
	uint32_t *ready_consumer;
	const struct lidar_ring_desc *ready_ring;
	uint32_t entries;
	/** Our own indices: what stands in the page is only a copy. */
	uint32_t produced;
	uint32_t consumed;
};

/**
 * device_ring_init() - find the rings in a control page
 * @control: @layout->control_bytes, borrowed
 *
 * Return: 0; -EPROTO with @problem set: they do not lie within it.
 */
int device_ring_init(struct device_ring *r, const struct lidar_ring_layout *layout, void *control,
		     struct problem *problem);

/** device_ring_push() - have the slot at @offset filled. Hot path.
 *
 * Return: true; false: no room, which a ring as large as there are slots always has.
 */
bool device_ring_push(struct device_ring *r, uint64_t offset);

/** device_ring_needs_wakeup() - after a push: does the kernel wait for a kick? Hot path. */
bool device_ring_needs_wakeup(const struct device_ring *r);

/**
 * device_ring_count_spare() - how many slots the device has or can have at once. Hot path.
 * @given: slots pushed and not popped yet
 */
uint32_t device_ring_count_spare(const struct device_ring *r, uint32_t given);

/** device_ring_pop() - the next filled slot. Hot path.
 *
 * Return: 1; 0: none; -EPROTO: the kernel's index is impossible.
 */
int device_ring_pop(struct device_ring *r, struct lidar_ring_desc *ret_desc);

#endif /* DAEMON_DEVICE_RING_H */
