// SPDX-License-Identifier: GPL-2.0
/*
 * describe.c - which slice it is, when it was made, and what was lost before it
 *
 * The device's numbers, times and frames become a descriptor; a gap in the
 * numbers becomes losses, each with its cause.  What the device says is believed
 * no further than it can be true: not more bytes than the slot has, no time that
 * has not come, no number that runs backwards.
 *
 * All under ring->lock.
 */
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/math64.h>

#include "core.h"
#include "lidar_trace.h"

/* what is not an error of the device's clock but of when we looked at ours */
#define CLOCK_JITTER_NS (2 * NSEC_PER_MSEC)
#define CLOCK_JITTER_INTERRUPT_NS (200 * NSEC_PER_MSEC)
/* a device cannot have lost more than this between two slices: it counts anew */
#define GAP_MAX U32_MAX

/** A stream begins. */
void lidar_start_counting(struct lidar_ring *ring)
{
	ring->next_seq = 0;
	ring->counted = 0;
	ring->seq_base = 0;
	/* who starts the device has it count from 0; else its first number is our 0 */
	ring->seq_based = ring->config.ops->start;
	ring->no_slot_told = 0;
	ring->clock_ns = 0;
}

/* Counters of losses stand in the order of enum lidar_cause. */
static_assert(offsetof(struct lidar_ring_stats, lost_lease) -
	      offsetof(struct lidar_ring_stats, lost_no_slot) == LIDAR_CAUSE_LEASE * sizeof(u64));

/** Slices are lost, after what has been counted since the last one delivered. */
void lidar_count_lost(struct lidar_ring *ring, u64 *counter, u64 count)
{
	enum lidar_cause cause = counter - &ring->stats.lost_no_slot;

	if (!count)
		return;
	*counter += count;
	trace_slice_dropped(ring->id, cause, count, ring->next_seq + ring->counted);
	ring->counted += count;
}

/** A slice has been delivered, with what was lost before it. */
void lidar_count_delivered(struct lidar_ring *ring, const struct lidar_ring_desc *desc)
{
	ring->next_seq = desc->seq + 1;
	ring->counted = 0;
	ring->stats.delivered++;
	ring->stats.delivered_bytes += desc->bytes;
}

/*
 * How many of those that are missing found no slot?  The device knows best.  One
 * that does not tell has lost all of them so if it had no slot at any time since
 * the slice before.
 */
static u64 count_no_slot(struct lidar_ring *ring, const struct lidar_ring_trailer *trailer,
			 u64 missing)
{
	u64 told;

	if (!trailer || !(trailer->flags & cpu_to_le32(LIDAR_RING_TRAILER_NO_SLOT)))
		return ring->dry ? missing : 0;
	told = le64_to_cpu(trailer->lost_no_slot) - ring->no_slot_told;
	ring->no_slot_told += told;
	return min(told, missing);
}

/* The device's number of a slice becomes ours, and what is missing gets its causes. */
static void number(struct lidar_ring *ring, const struct lidar_ring_trailer *trailer,
		   struct lidar_ring_desc *desc)
{
	u64 gap = ring->counted;

	if (trailer) {
		u64 seq = le64_to_cpu(trailer->seq);
		u64 missing;

		if (!ring->seq_based)
			ring->seq_base = seq;
		ring->seq_based = true;
		missing = seq - ring->seq_base - ring->next_seq;
		if (missing >= gap && missing <= GAP_MAX)
			gap = missing;
		else
			ring->seq_base = seq - ring->next_seq - gap;
	}
	lidar_count_lost(ring, &ring->stats.lost_no_slot,
			 count_no_slot(ring, trailer, gap - ring->counted));
	lidar_count_lost(ring, &ring->stats.lost_device, gap - ring->counted);
	desc->seq = ring->next_seq + gap;
	desc->lost_before = gap;
}

/* Has the device's clock moved otherwise than ours since the slice before? */
static void watch_clock(struct lidar_ring *ring, struct lidar_ring_desc *desc, u64 done_ns)
{
	bool exact = desc->flags & LIDAR_RING_DESC_FIRST_NS;
	u64 now_ns = exact ? desc->first_byte_ns : done_ns;
	u64 elapsed_ns = now_ns - ring->clock_ns;
	u64 tolerance_ns = exact ? CLOCK_JITTER_NS : CLOCK_JITTER_INTERRUPT_NS;
	u64 ticks = desc->device_ticks - ring->clock_ticks;
	u64 ticked_ns = U64_MAX / 2;

	if (ring->clock_ns && now_ns >= ring->clock_ns) {
		/* the division traps if its result does not fit: no longer than 34 years */
		if (div64_u64(ticks, ring->config.device_clock_hz) < BIT(30))
			ticked_ns = mul_u64_u64_div_u64(ticks, NSEC_PER_SEC,
							ring->config.device_clock_hz);
		tolerance_ns += elapsed_ns >> 10;
		if (ticked_ns > elapsed_ns + tolerance_ns ||
		    ticked_ns + tolerance_ns < elapsed_ns)
			desc->flags |= LIDAR_RING_DESC_CLOCK_STEP;
	}
	ring->clock_ticks = desc->device_ticks;
	ring->clock_ns = now_ns;
}

static void describe_times(struct lidar_ring *ring, const struct lidar_ring_trailer *trailer,
			   u32 flags, u64 done_ns, struct lidar_ring_desc *desc)
{
	u64 last_ns = trailer ? le64_to_cpu(trailer->last_byte_ns) : 0;

	/* the last byte was there when the interrupt came */
	desc->flags |= LIDAR_RING_DESC_LAST_NS;
	desc->last_byte_ns = done_ns;
	if ((flags & LIDAR_RING_DESC_LAST_NS) && last_ns <= done_ns)
		desc->last_byte_ns = last_ns;
	if ((flags & LIDAR_RING_DESC_FIRST_NS) &&
	    le64_to_cpu(trailer->first_byte_ns) <= desc->last_byte_ns) {
		desc->flags |= LIDAR_RING_DESC_FIRST_NS;
		desc->first_byte_ns = le64_to_cpu(trailer->first_byte_ns);
	}
	if ((flags & LIDAR_RING_DESC_TICKS) && ring->config.device_clock_hz) {
		desc->flags |= LIDAR_RING_DESC_TICKS;
		desc->device_ticks = le64_to_cpu(trailer->device_ticks);
		watch_clock(ring, desc, done_ns);
	}
	desc->flags |= flags & LIDAR_RING_DESC_CLOCK_STEP;
	if (desc->flags & LIDAR_RING_DESC_CLOCK_STEP)
		ring->stats.clock_steps++;
}

/** Fill slot->desc from slot->result. */
void lidar_describe(struct lidar_ring *ring, struct lidar_slot *slot)
{
	const struct lidar_ring_trailer *trailer = slot->result.trailer;
	struct lidar_ring_desc *desc = &slot->desc;
	u32 flags = trailer ? le32_to_cpu(trailer->flags) : 0;
	u32 bytes = min(slot->result.bytes, slot->pub.bytes);

	*desc = (struct lidar_ring_desc){ .offset = slot->pub.offset };
	if (trailer)
		bytes = min(bytes, le32_to_cpu(trailer->bytes));
	desc->bytes = bytes;
	number(ring, trailer, desc);
	describe_times(ring, trailer, flags, slot->result.done_ns, desc);
	if (flags & LIDAR_RING_DESC_FRAME) {
		desc->frame_id = le32_to_cpu(trailer->frame_id);
		desc->slice_index = le16_to_cpu(trailer->slice_index);
		desc->slice_count = le16_to_cpu(trailer->slice_count);
	}
	if (flags & LIDAR_RING_DESC_CRC)
		desc->crc32c = le32_to_cpu(trailer->crc32c);
	desc->flags |= flags & (LIDAR_RING_DESC_FRAME | LIDAR_RING_DESC_CRC |
				LIDAR_RING_DESC_LAST | LIDAR_RING_DESC_SHORT);
}
