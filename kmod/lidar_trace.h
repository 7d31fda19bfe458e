/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lidar_trace.h - tracepoints lidar:*, stable and meant for use
 *
 *	lidar:slot_queued	the kernel has accepted a slot to be filled
 *		ring		N of /dev/lidarN
 *		slot		index of the slot
 *		offset		of the slot, as in the rings
 *	lidar:slice_begin	the slot went to the device, which may write from now on
 *		ring, slot, offset
 *	lidar:slice_done	a filled slot is in the ready ring
 *		ring, slot, offset
 *		bytes		of data
 *		seq		of the slice
 *		frame		frame_id, 0 if not known
 *		first_ns	CLOCK_MONOTONIC of the first byte, 0 if not known
 *		last_ns		of the last byte, 0 if not known
 *		done_ns		of the interrupt
 *	lidar:slice_dropped	slices were lost before seq
 *		ring
 *		cause		no_slot, device, error, ready_full, stopped, lease
 *		count		slices
 *		seq		that would have been the first of them
 *	lidar:slice_taken	the kernel has learnt that the user consumed a descriptor
 *		ring, slot, offset, seq
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM lidar

#if !defined(LIDAR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LIDAR_TRACE_H

#include <linux/tracepoint.h>

#ifndef LIDAR_TRACE_CAUSES
#define LIDAR_TRACE_CAUSES
enum lidar_cause {
	LIDAR_CAUSE_NO_SLOT,
	LIDAR_CAUSE_DEVICE,
	LIDAR_CAUSE_ERROR,
	LIDAR_CAUSE_READY_FULL,
	LIDAR_CAUSE_STOPPED,
	LIDAR_CAUSE_LEASE,
};
#endif

TRACE_DEFINE_ENUM(LIDAR_CAUSE_NO_SLOT);
TRACE_DEFINE_ENUM(LIDAR_CAUSE_DEVICE);
TRACE_DEFINE_ENUM(LIDAR_CAUSE_ERROR);
TRACE_DEFINE_ENUM(LIDAR_CAUSE_READY_FULL);
TRACE_DEFINE_ENUM(LIDAR_CAUSE_STOPPED);
TRACE_DEFINE_ENUM(LIDAR_CAUSE_LEASE);

DECLARE_EVENT_CLASS(lidar_slot,
	TP_PROTO(int ring, u32 slot, u64 offset),
	TP_ARGS(ring, slot, offset),
	TP_STRUCT__entry(
		__field(int, ring)
		__field(u32, slot)
		__field(u64, offset)
	),
	TP_fast_assign(
		__entry->ring = ring;
		__entry->slot = slot;
		__entry->offset = offset;
	),
	TP_printk("ring=%d slot=%u offset=%llu", __entry->ring, __entry->slot, __entry->offset)
);

DEFINE_EVENT(lidar_slot, slot_queued,
	TP_PROTO(int ring, u32 slot, u64 offset),
	TP_ARGS(ring, slot, offset)
);

DEFINE_EVENT(lidar_slot, slice_begin,
	TP_PROTO(int ring, u32 slot, u64 offset),
	TP_ARGS(ring, slot, offset)
);

TRACE_EVENT(slice_done,
	TP_PROTO(int ring, u32 slot, const struct lidar_ring_desc *desc, u64 done_ns),
	TP_ARGS(ring, slot, desc, done_ns),
	TP_STRUCT__entry(
		__field(int, ring)
		__field(u32, slot)
		__field(u64, offset)
		__field(u64, seq)
		__field(u64, first_ns)
		__field(u64, last_ns)
		__field(u64, done_ns)
		__field(u32, bytes)
		__field(u32, frame)
	),
	TP_fast_assign(
		__entry->ring = ring;
		__entry->slot = slot;
		__entry->offset = desc->offset;
		__entry->seq = desc->seq;
		__entry->first_ns = desc->first_byte_ns;
		__entry->last_ns = desc->last_byte_ns;
		__entry->done_ns = done_ns;
		__entry->bytes = desc->bytes;
		__entry->frame = desc->frame_id;
	),
	TP_printk("ring=%d slot=%u offset=%llu bytes=%u seq=%llu frame=%u first_ns=%llu last_ns=%llu done_ns=%llu",
		  __entry->ring, __entry->slot, __entry->offset, __entry->bytes, __entry->seq,
		  __entry->frame, __entry->first_ns, __entry->last_ns, __entry->done_ns)
);

TRACE_EVENT(slice_dropped,
	TP_PROTO(int ring, enum lidar_cause cause, u64 count, u64 seq),
	TP_ARGS(ring, cause, count, seq),
	TP_STRUCT__entry(
		__field(int, ring)
		__field(int, cause)
		__field(u64, count)
		__field(u64, seq)
	),
	TP_fast_assign(
		__entry->ring = ring;
		__entry->cause = cause;
		__entry->count = count;
		__entry->seq = seq;
	),
	TP_printk("ring=%d cause=%s count=%llu seq=%llu", __entry->ring,
		  __print_symbolic(__entry->cause,
				   { LIDAR_CAUSE_NO_SLOT, "no_slot" },
				   { LIDAR_CAUSE_DEVICE, "device" },
				   { LIDAR_CAUSE_ERROR, "error" },
				   { LIDAR_CAUSE_READY_FULL, "ready_full" },
				   { LIDAR_CAUSE_STOPPED, "stopped" },
				   { LIDAR_CAUSE_LEASE, "lease" }),
		  __entry->count, __entry->seq)
);

TRACE_EVENT(slice_taken,
	TP_PROTO(int ring, u32 slot, u64 offset, u64 seq),
	TP_ARGS(ring, slot, offset, seq),
	TP_STRUCT__entry(
		__field(int, ring)
		__field(u32, slot)
		__field(u64, offset)
		__field(u64, seq)
	),
	TP_fast_assign(
		__entry->ring = ring;
		__entry->slot = slot;
		__entry->offset = offset;
		__entry->seq = seq;
	),
	TP_printk("ring=%d slot=%u offset=%llu seq=%llu", __entry->ring, __entry->slot,
		  __entry->offset, __entry->seq)
);

#endif /* LIDAR_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE lidar_trace
#include <trace/define_trace.h>
