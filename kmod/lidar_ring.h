/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lidar_ring.h - what the core of lidar_ring asks of a backend, and offers it
 *
 * A backend knows one way to have a device fill slots: a dmaengine channel, a
 * virtio queue.  It gets two operations, submit and abort, and answers each
 * submitted slot with exactly one lidar_ring_slot_done(), also when aborted.
 *
 * Locking: the core calls submit() and abort() in process context with the
 * ring's mutex held.  lidar_ring_slot_done() and lidar_ring_failed() may be
 * called from any context, also from within submit() and abort().
 */
#ifndef LIDAR_RING_H
#define LIDAR_RING_H

#include <linux/list.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

#include "uapi/lidar_ring.h"

struct device;
struct lidar_ring;

/**
 * struct lidar_ring_trailer - what a device says of the data it has written
 * @magic: LIDAR_RING_TRAILER_MAGIC; anything else: there is no trailer
 * @flags: LIDAR_RING_DESC_*, LIDAR_RING_TRAILER_*: what of the following is valid
 * @seq: counts the device's slices since it was started, dropped ones included
 * @device_ticks: device clock at the first byte
 * @first_byte_ns: CLOCK_MONOTONIC; only of devices that share the CPU's clock
 * @last_byte_ns: likewise
 * @frame_id: revolution
 * @slice_index: in the frame
 * @slice_count: of the frame, 0: not known
 * @bytes: written
 * @crc32c: of these bytes
 * @lost_no_slot: slices before this one, since the device was started, that it lost
 *	because it had no slot for them; the others that are missing it lost otherwise
 *
 * All members little-endian. It comes beside the data (dmaengine descriptor
 * metadata, or a buffer of its own behind the slot in a virtio chain).
 */
struct lidar_ring_trailer {
	__le32 magic;
	__le32 flags;
	__le64 seq;
	__le64 device_ticks;
	__le64 first_byte_ns;
	__le64 last_byte_ns;
	__le32 frame_id;
	__le16 slice_index;
	__le16 slice_count;
	__le32 bytes;
	__le32 crc32c;
	__le64 lost_no_slot;
};

#define LIDAR_RING_TRAILER_MAGIC 0x5244494cU /* "LIDR" */
#define LIDAR_RING_TRAILER_NO_SLOT (1U << 31) /* lost_no_slot is valid */

/**
 * struct lidar_ring_slot - a slot as a backend sees it
 * @ring: it belongs to
 * @list: the backend's while the slot is submitted
 * @sgt: its memory, mapped for the ring's DMA device
 * @offset: as in the rings
 * @bytes: of the slot
 * @index: of the slot, from 0
 * @backend: the backend's own
 */
struct lidar_ring_slot {
	struct lidar_ring *ring;
	struct list_head list;
	struct sg_table sgt;
	u64 offset;
	u32 bytes;
	u32 index;
	void *backend;
	/* the core's own from here on: kmod/core.h */
};

/**
 * struct lidar_ring_result - how a submitted slot came back
 * @error: 0; -ECANCELED: aborted; else the device failed
 * @bytes: written; checked against the slot by the core
 * @done_ns: CLOCK_MONOTONIC of the interrupt
 * @trailer: what the device says of it, or NULL; copied, and checked, by the core
 */
struct lidar_ring_result {
	int error;
	u32 bytes;
	u64 done_ns;
	const struct lidar_ring_trailer *trailer;
};

/**
 * struct lidar_ring_backend_ops - a way to have slots filled
 * @start: let the device run; called after the first slots were submitted; may be NULL
 * @submit: have the slot filled, in the order of submission. -EAGAIN: the
 *	device takes no more at the moment; the core tries again after the next is
 *	done, or after a millisecond if there is none, and takes it for broken
 *	when that has been of no use too often
 * @abort: have nothing written any more once this returns 0, and every submitted
 *	slot answered; also ends what start() began. Idempotent. -errno: the device
 *	may go on writing, so what is not answered stays its own: the core tries
 *	again at the next stop, and never gives that memory back otherwise
 */
struct lidar_ring_backend_ops {
	int (*start)(struct lidar_ring *ring);
	int (*submit)(struct lidar_ring *ring, struct lidar_ring_slot *slot);
	int (*abort)(struct lidar_ring *ring);
};

/**
 * struct lidar_ring_config - what a backend brings
 * @parent: the device that was probed
 * @dma_dev: the device that does the DMA: slots are mapped for it
 * @ops: the backend's
 * @backend: its own, see lidar_ring_backend()
 * @name: model
 * @serial: may be ""
 * @features: LIDAR_RING_FEATURE_* the device adds to the core's
 * @format: enum lidar_ring_format
 * @slot_bytes_max: 0: LIDAR_RING_SLOT_BYTES_MAX
 * @max_segments: most segments of a slot the device can take; 0: any number
 * @device_clock_hz: of device_ticks
 * @queue_depth: slots the device can hold; 0: any number
 */
struct lidar_ring_config {
	struct device *parent;
	struct device *dma_dev;
	const struct lidar_ring_backend_ops *ops;
	void *backend;
	const char *name;
	const char *serial;
	u64 features;
	u32 format;
	u64 slot_bytes_max;
	u32 max_segments;
	u64 device_clock_hz;
	u32 queue_depth;
};

/** Make /dev/lidarN. Return: the ring or ERR_PTR(). */
struct lidar_ring *lidar_ring_add(const struct lidar_ring_config *config);
/**
 * Unplug: abort, wake and refuse everybody with -ENODEV. No operation of the
 * backend is called after this, though files and mappings may live on.
 *
 * Return: 0, or -EIO: abort() failed. Then slots may still be answered at any
 * time, for which the ring stays; so must what the backend needs for that.
 */
int lidar_ring_remove(struct lidar_ring *ring);
/** Before the machine sleeps: the ring is halted, its owner may start it afterwards. */
int lidar_ring_suspend(struct lidar_ring *ring);
void *lidar_ring_backend(struct lidar_ring *ring);
void lidar_ring_slot_done(struct lidar_ring_slot *slot, const struct lidar_ring_result *result);
/** The device does nothing more until it is started anew: the ring is halted, soon. */
void lidar_ring_failed(struct lidar_ring *ring);

#endif /* LIDAR_RING_H */
