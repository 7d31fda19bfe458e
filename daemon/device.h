/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - /dev/lidarN, opened, and the calls it understands
 *
 * Life: open -> (use_memory | make_memory) -> start -> stop -> close, which
 * also ends what is half done.  A device has one owner at a time, from the
 * call for memory to close(); whoever dies or closes while the device writes
 * is waited for by the kernel, before the memory is given back.
 *
 * The danger: shared memory that changes its owner while a device writes into
 * it.  RouDi gives the chunks of a dead lidard away when the next one registers
 * under its name, so before that device_wait_until_free() makes sure that no
 * device runs for the dead one any more.
 *
 * One thread.
 */
#ifndef DAEMON_DEVICE_H
#define DAEMON_DEVICE_H

#include <stdint.h>

#include "common/problem.h"
#include "daemon/device_ring.h"
#include "daemon/loan_memory.h"
#include "uapi/lidar_ring.h"

struct device {
	/** -1: closed. */
	int fd;
	/** For messages; borrowed. */
	const char *path;
	struct lidar_ring_info info;
	struct lidar_ring_layout layout;
	struct device_ring ring;
	/** The control page, and with the kernel's memory the slots, read-only. */
	void *control;
	const uint8_t *data;
	/** Slots it has, full ones included that were not popped yet. */
	uint32_t given;
};

/** What device_open() and friends begin from. */
#define DEVICE_CLOSED ((struct device){ .fd = -1 })

/**
 * device_open() - open and ask what it is
 * @path: borrowed until device_close()
 *
 * Return: 0; -ENOENT, -ENXIO, -ENODEV there is no such device (yet); -EACCES; -ENOTTY it is
 * something else.
 */
int device_open(struct device *d, const char *path, struct problem *problem);
/** Idempotent; the device writes nothing any more once it returns. */
void device_close(struct device *d);

/**
 * device_use_memory() - have it fill the caller's memory
 *
 * Offsets in the rings then count from @m->base. Pins all of @m.
 * Return: 0; -EOPNOTSUPP it cannot; -ENOMEM RLIMIT_MEMLOCK is too low; -EBUSY it has an owner;
 * other negative errno.
 */
int device_use_memory(struct device *d, const struct loan_memory *m, struct problem *problem);

/** device_make_memory() - have it fill memory of the kernel, and map that read-only
 *
 * Return: 0; -EOPNOTSUPP; -EBUSY; -ENOMEM; other negative errno.
 */
int device_make_memory(struct device *d, uint32_t slot_count, uint64_t slot_bytes,
		       struct problem *problem);

/** device_start() - @flags: LIDAR_RING_START_* */
int device_start(struct device *d, uint32_t flags, struct problem *problem);
/** device_stop() - wait until it writes nothing any more. Idempotent. Return: 0; -EIO it does not stop. */
int device_stop(struct device *d);
/** Return: 0; -ENODEV it is gone. */
int device_get_stats(const struct device *d, struct lidar_ring_stats *ret_stats);
/** device_get_state() - Return: enum lidar_ring_state; -ENODEV it is gone. */
int device_get_state(const struct device *d);

/**
 * device_queue() - have the slot at @offset filled. Hot path.
 *
 * The kernel looks at the ring whenever a slot is full. A device that is down
 * to its last slot then would have none for what follows at once, so it is
 * kicked before it runs dry: at the start, and after a shortage.
 * Return: 0; -ENOSPC the ring is full.
 */
int device_queue(struct device *d, uint64_t offset);
/** device_take() - the next filled slot, as device_ring_pop(). Hot path. */
int device_take(struct device *d, struct lidar_ring_desc *ret_desc);

/**
 * device_wait_until_free() - let a predecessor that is dying end
 *
 * A device that is not there is free. Return: 0; -EBUSY somebody still owns it after
 * @timeout_ns, @problem says who; other negative errno.
 */
int device_wait_until_free(const char *path, uint64_t timeout_ns, struct problem *problem);

#endif /* DAEMON_DEVICE_H */
