/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ring.h - the arithmetic of the rings, and nothing else
 *
 * Everything here is pure: it takes numbers that may come from a hostile page
 * and says whether they can be.  It touches no shared memory and compiles in
 * user space too, where tests/unit/test_ring.c holds it to its word.
 */
#ifndef LIDAR_RING_RING_H
#define LIDAR_RING_RING_H

#ifdef __KERNEL__
#include <linux/math64.h>
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#endif

#include "uapi/lidar_ring.h"

/** Whoever writes an index of the control page gets a cache line for it. */
#define RING_LINE_BYTES 64

/** Pages of one mmap() kind begin here; the control page is at 0. */
#define RING_DATA_OFFSET (1ULL << 32)

static inline __u64 ring_divide(__u64 a, __u64 b)
{
#ifdef __KERNEL__
	return div64_u64(a, b);
#else
	return a / b;
#endif
}

static inline __u64 ring_align(__u64 n, __u64 to)
{
	return (n + to - 1) & ~(to - 1);
}

/** Entries between the two indices of a ring: they run freely and wrap. */
static inline __u32 ring_count(__u32 producer, __u32 consumer)
{
	return producer - consumer;
}

/** Can @producer be what follows @consumer in a ring of @entries? */
static inline bool ring_producer_possible(__u32 producer, __u32 consumer, __u32 entries)
{
	return ring_count(producer, consumer) <= entries;
}

/** Can the consumer index have moved from @before to @now, with @producer beyond it? */
static inline bool ring_consumer_possible(__u32 now, __u32 before, __u32 producer)
{
	return ring_count(now, before) <= ring_count(producer, before);
}

/** Entries of a ring that has room for @slot_count: a power of two. */
static inline __u32 ring_entries(__u32 slot_count)
{
	__u32 entries = 1;

	while (entries < slot_count)
		entries <<= 1;
	return entries;
}

/**
 * ring_slot_at() - the slot that begins at an offset
 * @offset: as the user gave it
 * @first: offset of slot 0
 * @stride: from one slot to the next, not 0
 * @slot_count: slots
 * @ret_index: the slot's index
 *
 * Return: whether a slot begins there.
 */
static inline bool ring_slot_at(__u64 offset, __u64 first, __u64 stride, __u32 slot_count,
				__u32 *ret_index)
{
	__u64 index;

	if (offset < first)
		return false;
	index = ring_divide(offset - first, stride);
	if (index >= slot_count || index * stride != offset - first)
		return false;
	*ret_index = (__u32)index;
	return true;
}

/**
 * ring_slots_fit() - whether slots lie within a piece of memory, none over another
 * @length: of the memory
 * @first: offset of slot 0
 * @stride: from one slot to the next
 * @slot_bytes: of a slot, not 0
 * @slot_count: slots, not 0
 * @align: of every offset, a power of two
 */
static inline bool ring_slots_fit(__u64 length, __u64 first, __u64 stride, __u64 slot_bytes,
				  __u32 slot_count, __u64 align)
{
	if ((first | stride | slot_bytes) & (align - 1))
		return false;
	if (stride < slot_bytes || slot_bytes > length || first > length - slot_bytes)
		return false;
	return slot_count - 1 <= ring_divide(length - slot_bytes - first, stride);
}

/**
 * ring_layout_init() - lay out the control page
 * @layout: filled, but for what concerns the data area
 * @slot_bytes: of a slot
 * @slot_count: at most LIDAR_RING_SLOTS_MAX
 * @page_bytes: of a page of memory, a power of two
 */
static inline void ring_layout_init(struct lidar_ring_layout *layout, __u64 slot_bytes,
				    __u32 slot_count, __u32 page_bytes)
{
	__u32 entries = ring_entries(slot_count);
	__u32 at = 0;

	*layout = (struct lidar_ring_layout){
		.slot_bytes = slot_bytes,
		.slot_count = slot_count,
		.entries = entries,
	};
	layout->fill_producer = at;
	layout->fill_consumer = at += RING_LINE_BYTES;
	layout->fill_flags = at += RING_LINE_BYTES;
	layout->ready_producer = at += RING_LINE_BYTES;
	layout->ready_consumer = at += RING_LINE_BYTES;
	layout->slot_states = at += RING_LINE_BYTES;
	layout->fill_ring = at += (__u32)ring_align(slot_count, RING_LINE_BYTES);
	at += (__u32)ring_align(entries * sizeof(__u64), RING_LINE_BYTES);
	layout->ready_ring = at;
	at += entries * sizeof(struct lidar_ring_desc);
	layout->control_bytes = ring_align(at, page_bytes);
}

#endif /* LIDAR_RING_RING_H */
