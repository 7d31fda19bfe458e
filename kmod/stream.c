// SPDX-License-Identifier: GPL-2.0
/*
 * stream.c - slots on their way from the user to the device and back
 *
 * A slot that the user gives (fill ring, RELEASE_FRAME, START) goes to the tail
 * of ring->queued, from there to the backend as far as that takes them, and
 * comes back by lidar_ring_slot_done(), in whatever context: it is put on
 * ring->done and a worker is started.  The worker, or a call that came before
 * it, makes the device's writes visible, describes the slice, publishes it, and
 * looks at the fill ring while it is there.  So a running device costs no
 * system call, and everything but the done list is under ring->lock.
 *
 * What the device says of its data is believed no further than it can be true:
 * not more bytes than the slot has, no time that has not come, no number that
 * runs backwards.
 */
#include <linux/dma-mapping.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/poll.h>

#include "core.h"
#include "lidar_trace.h"

/* what is not an error of the device's clock but of when we looked at ours */
#define CLOCK_JITTER_NS (2 * NSEC_PER_MSEC)
#define CLOCK_JITTER_INTERRUPT_NS (200 * NSEC_PER_MSEC)
/* a device cannot have lost more than this between two slices: it counts anew */
#define GAP_MAX U32_MAX

static void set_state(struct lidar_ring *ring, struct lidar_slot *slot, u8 state)
{
	slot->state = state;
	lidar_control_set_state(&ring->control, slot->pub.index, state);
}

static void count_lost(struct lidar_ring *ring, enum lidar_cause cause, u64 *counter, u64 count)
{
	*counter += count;
	trace_slice_dropped(ring->id, cause, count, ring->next_seq + ring->counted);
	ring->counted += count;
}

static void queue_slot(struct lidar_ring *ring, struct lidar_slot *slot)
{
	set_state(ring, slot, LIDAR_RING_SLOT_QUEUED);
	list_add_tail(&slot->node, &ring->queued);
	ring->busy++;
	trace_slot_queued(ring->id, slot->pub.index, slot->pub.offset);
}

/* Learn what the user has consumed: those slots are its own now. */
static void note_taken(struct lidar_ring *ring)
{
	u32 count = lidar_control_taken_count(&ring->control, &ring->stats.bad_index);

	while (count--) {
		struct lidar_slot *slot =
			&ring->memory->slots[lidar_control_taken_pop(&ring->control)];

		set_state(ring, slot, LIDAR_RING_SLOT_HELD);
		trace_slice_taken(ring->id, slot->pub.index, slot->pub.offset, slot->desc.seq);
	}
}

static bool users(const struct lidar_slot *slot)
{
	return slot->state == LIDAR_RING_SLOT_FREE || slot->state == LIDAR_RING_SLOT_HELD;
}

/* Queue what the user has put into the fill ring. */
static void take_fill(struct lidar_ring *ring)
{
	struct lidar_memory *memory = ring->memory;
	u32 count = lidar_control_fill_count(&ring->control, &ring->stats.bad_index);

	/* after the fill ring: who gives back a slot has consumed its descriptor before */
	note_taken(ring);
	while (count--) {
		u64 offset = lidar_control_fill_pop(&ring->control);
		u32 index;

		if (!ring_slot_at(offset, memory->first, memory->stride, memory->slot_count,
				  &index))
			ring->stats.refused_offset++;
		else if (!users(&memory->slots[index]))
			ring->stats.refused_state++;
		else
			queue_slot(ring, &memory->slots[index]);
	}
}

/*
 * The slot is the device's from here on, even before submit() returns.  It is
 * counted afterwards, and may be back by then, so at_device can be too small for
 * a moment: a loss in that moment is put down to us, who were late, and not to
 * the device.
 */
static int submit_slot(struct lidar_ring *ring, struct lidar_slot *slot)
{
	bool idle;
	int ret;

	list_del_init(&slot->node);
	set_state(ring, slot, LIDAR_RING_SLOT_FILLING);
	dma_sync_sgtable_for_device(ring->config.dma_dev, &slot->pub.sgt, DMA_FROM_DEVICE);
	trace_slice_begin(ring->id, slot->pub.index, slot->pub.offset);
	ret = ring->config.ops->submit(ring, &slot->pub);
	spin_lock_irq(&ring->done_lock);
	if (!ret)
		ring->at_device++;
	idle = !ring->at_device && list_empty(&ring->done);
	spin_unlock_irq(&ring->done_lock);
	if (!ret)
		return 0;

	set_state(ring, slot, LIDAR_RING_SLOT_QUEUED);
	list_add(&slot->node, &ring->queued);
	/* nothing is there that could come back and have us try again */
	return ret == -EAGAIN && idle ? -EIO : ret;
}

/* Return: 0 also if the device holds all it can. */
static int submit(struct lidar_ring *ring)
{
	int depth = ring->config.queue_depth ?: INT_MAX;
	int ret = 0;

	while (!ret && !list_empty(&ring->queued) && READ_ONCE(ring->at_device) < depth)
		ret = submit_slot(ring, list_first_entry(&ring->queued, struct lidar_slot, node));
	return ret == -EAGAIN ? 0 : ret;
}

/* The device's number of a slice becomes ours, and what is missing gets a cause. */
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
	if (gap > ring->counted && ring->dry)
		count_lost(ring, LIDAR_CAUSE_NO_SLOT, &ring->stats.lost_no_slot,
			   gap - ring->counted);
	else if (gap > ring->counted)
		count_lost(ring, LIDAR_CAUSE_DEVICE, &ring->stats.lost_device,
			   gap - ring->counted);
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

static void describe(struct lidar_ring *ring, struct lidar_slot *slot)
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

/* Return: whether somebody may be waiting for this. */
static bool deliver(struct lidar_ring *ring, struct lidar_slot *slot)
{
	ring->errors = 0;
	dma_sync_sgtable_for_cpu(ring->config.dma_dev, &slot->pub.sgt, DMA_FROM_DEVICE);
	describe(ring, slot);
	/* before the user can see the descriptor */
	set_state(ring, slot, LIDAR_RING_SLOT_FULL);
	note_taken(ring);
	if (!lidar_control_publish(&ring->control, slot->pub.index, &slot->desc)) {
		count_lost(ring, LIDAR_CAUSE_READY_FULL, &ring->stats.lost_ready_full, 1);
		queue_slot(ring, slot);
		return false;
	}
	trace_slice_done(ring->id, slot->pub.index, &slot->desc, slot->result.done_ns);
	ring->next_seq = slot->desc.seq + 1;
	ring->counted = 0;
	ring->stats.delivered++;
	ring->stats.delivered_bytes += slot->desc.bytes;
	return true;
}

/* A slot came back. Return: whether somebody may be waiting for it. */
static bool finish(struct lidar_ring *ring, struct lidar_slot *slot)
{
	bool delivered = false;

	ring->busy--;
	if (slot->result.error == -ECANCELED && ring->stopping) {
		set_state(ring, slot, LIDAR_RING_SLOT_FREE);
		if (slot->result.bytes)
			count_lost(ring, LIDAR_CAUSE_STOPPED, &ring->stats.lost_stopped, 1);
	} else if (slot->result.error) {
		ring->errors++;
		count_lost(ring, LIDAR_CAUSE_ERROR, &ring->stats.lost_error, 1);
		queue_slot(ring, slot);
	} else if (ring->refuse) {
		set_state(ring, slot, LIDAR_RING_SLOT_FREE);
		count_lost(ring, ring->refuse == &ring->stats.lost_lease ? LIDAR_CAUSE_LEASE :
			   LIDAR_CAUSE_STOPPED, ring->refuse, 1);
	} else {
		delivered = deliver(ring, slot);
	}
	ring->dry = slot->left_dry;
	return delivered;
}

static void reap(struct lidar_ring *ring)
{
	struct lidar_slot *slot, *next;
	bool wake = false;
	LIST_HEAD(done);

	spin_lock_irq(&ring->done_lock);
	list_splice_init(&ring->done, &done);
	spin_unlock_irq(&ring->done_lock);
	list_for_each_entry_safe(slot, next, &done, node) {
		list_del_init(&slot->node);
		wake |= finish(ring, slot);
	}
	if (wake)
		wake_up_interruptible_poll(&ring->wait, EPOLLIN | EPOLLRDNORM);
}

static bool lease_expired(const struct lidar_ring *ring)
{
	return ring->lease_ms &&
	       time_after(jiffies, ring->lease_start + msecs_to_jiffies(ring->lease_ms));
}

static void lose_lease(struct lidar_ring *ring)
{
	ring->stats.leases_lost++;
	lidar_stream_halt(ring, &ring->stats.lost_lease);
}

/** The owner has made a call. Its lease is renewed unless it has run out already. */
void lidar_stream_renew(struct lidar_ring *ring)
{
	if (ring->state == LIDAR_RING_STREAMING && lease_expired(ring))
		lose_lease(ring);
	ring->lease_start = jiffies;
}

/*
 * Queue what the user gave and submit it; if that leaves the device with nothing
 * say so, and look once more.  A user that goes on to put nonsense there would
 * have us do that for ever: the worker continues then, as one among others.
 */
static int keep_busy(struct lidar_ring *ring)
{
	int rounds = 2;
	bool more = true;
	int ret = 0;

	while (more && !ret && rounds--) {
		take_fill(ring);
		ret = submit(ring);
		if (!ring->busy && !ring->need_wakeup)
			ring->stats.starved++;
		ring->need_wakeup = !ring->busy;
		more = lidar_control_set_wakeup(&ring->control, ring->need_wakeup) &&
		       lidar_control_fill_count(&ring->control, &ring->stats.bad_index);
	}
	if (more && !ret)
		queue_work(lidar_workqueue, &ring->work);
	return ret;
}

/** Deliver what is done, queue what the user gave, keep the device busy. */
void lidar_stream_service(struct lidar_ring *ring)
{
	int ret;

	if (ring->state != LIDAR_RING_STREAMING)
		return;
	if (lease_expired(ring)) {
		lose_lease(ring);
		return;
	}
	reap(ring);
	ret = keep_busy(ring);
	if (ret || ring->errors >= LIDAR_ERRORS_MAX) {
		dev_err(&ring->dev, "the device fails (%d), halted\n", ret ?: -EIO);
		lidar_stream_halt(ring, NULL);
	}
}

void lidar_stream_work(struct work_struct *work)
{
	struct lidar_ring *ring = container_of(work, struct lidar_ring, work);

	mutex_lock(&ring->lock);
	lidar_stream_service(ring);
	mutex_unlock(&ring->lock);
}

void lidar_stream_lease(struct work_struct *work)
{
	struct lidar_ring *ring = container_of(to_delayed_work(work), struct lidar_ring, lease);
	long left;

	mutex_lock(&ring->lock);
	if (ring->state == LIDAR_RING_STREAMING && ring->lease_ms) {
		left = ring->lease_start + msecs_to_jiffies(ring->lease_ms) + 1 - jiffies;
		if (left > 0)
			queue_delayed_work(lidar_workqueue, &ring->lease, left);
		else
			lose_lease(ring);
	}
	mutex_unlock(&ring->lock);
}

static void start_counting(struct lidar_ring *ring)
{
	ring->next_seq = 0;
	ring->counted = 0;
	ring->seq_base = 0;
	/* who starts the device has it count from 0; else its first number is our 0 */
	ring->seq_based = ring->config.ops->start;
	ring->dry = true;
	ring->errors = 0;
	ring->clock_ns = 0;
	ring->refuse = NULL;
}

/**
 * lidar_stream_start() - queue slots and let the device run
 * @ring: STOPPED
 * @flags: LIDAR_RING_START_*
 * @lease_ms: 0: none
 *
 * Return: 0 or -EIO.
 */
int lidar_stream_start(struct lidar_ring *ring, u32 flags, u32 lease_ms)
{
	u32 i;
	int ret;

	start_counting(ring);
	ring->lease_ms = lease_ms;
	ring->lease_start = jiffies;
	WRITE_ONCE(ring->state, LIDAR_RING_STREAMING);
	if (flags & LIDAR_RING_START_QUEUE_ALL)
		for (i = 0; i < ring->memory->slot_count; i++)
			if (ring->memory->slots[i].state == LIDAR_RING_SLOT_FREE)
				queue_slot(ring, &ring->memory->slots[i]);
	take_fill(ring);
	ret = submit(ring);
	ring->dry = !ring->busy;
	if (!ret && ring->config.ops->start)
		ret = ring->config.ops->start(ring);
	if (ret) {
		lidar_stream_stop(ring, LIDAR_RING_STOPPED);
		return -EIO;
	}
	if (lease_ms)
		mod_delayed_work(lidar_workqueue, &ring->lease, msecs_to_jiffies(lease_ms) + 1);
	lidar_stream_service(ring);
	return 0;
}

/**
 * lidar_stream_stop() - have the device write no more, and take its slots back
 * @ring: in any state
 * @state: that the ring is in afterwards
 *
 * Slices that are complete are delivered unless ring->refuse says otherwise.
 */
void lidar_stream_stop(struct lidar_ring *ring, u32 state)
{
	struct lidar_slot *slot, *next;

	if (ring->state == LIDAR_RING_STREAMING) {
		ring->stopping = true;
		ring->config.ops->abort(ring);
		reap(ring);
		list_for_each_entry_safe(slot, next, &ring->queued, node) {
			list_del_init(&slot->node);
			set_state(ring, slot, LIDAR_RING_SLOT_FREE);
			ring->busy--;
		}
		ring->stopping = false;
		/* who is about to sleep over an empty ring is to kick, and learn of it */
		ring->need_wakeup = true;
		lidar_control_set_wakeup(&ring->control, true);
		WARN_ON_ONCE(ring->busy || ring->at_device);
	}
	WRITE_ONCE(ring->state, state);
	wake_up_all(&ring->wait);
}

/**
 * lidar_stream_halt() - stop without being asked to
 * @ring: nothing happens unless it streams
 * @refuse: counter for slices that are complete but not delivered any more, or NULL
 */
void lidar_stream_halt(struct lidar_ring *ring, u64 *refuse)
{
	if (ring->state != LIDAR_RING_STREAMING)
		return;
	ring->refuse = refuse;
	lidar_stream_stop(ring, LIDAR_RING_HALTED);
}

/** Consume an entry of the ready ring. Return: its slot, or NULL. */
struct lidar_slot *lidar_stream_take(struct lidar_ring *ring)
{
	struct lidar_slot *slot;
	u32 index;

	note_taken(ring);
	if (!lidar_control_take(&ring->control, &index))
		return NULL;
	slot = &ring->memory->slots[index];
	set_state(ring, slot, LIDAR_RING_SLOT_HELD);
	trace_slice_taken(ring->id, index, slot->pub.offset, slot->desc.seq);
	return slot;
}

/** Take a slot back from the user. Return: 0, or -EALREADY: it is not the user's. */
int lidar_stream_give(struct lidar_ring *ring, struct lidar_slot *slot)
{
	note_taken(ring);
	if (!users(slot))
		return -EALREADY;
	if (ring->state != LIDAR_RING_STREAMING) {
		set_state(ring, slot, LIDAR_RING_SLOT_FREE);
		return 0;
	}
	queue_slot(ring, slot);
	lidar_stream_service(ring);
	return 0;
}

/** A submitted slot came back. Any context. */
void lidar_ring_slot_done(struct lidar_ring_slot *pub, const struct lidar_ring_result *result)
{
	struct lidar_slot *slot = lidar_slot_of(pub);
	struct lidar_ring *ring = pub->ring;
	unsigned long flags;

	spin_lock_irqsave(&ring->done_lock, flags);
	slot->result = *result;
	if (result->trailer) {
		slot->trailer = *result->trailer;
		slot->result.trailer = &slot->trailer;
		if (slot->trailer.magic != cpu_to_le32(LIDAR_RING_TRAILER_MAGIC))
			slot->result.trailer = NULL;
	}
	slot->left_dry = --ring->at_device <= 0;
	list_add_tail(&slot->node, &ring->done);
	spin_unlock_irqrestore(&ring->done_lock, flags);
	queue_work(lidar_workqueue, &ring->work);
}
EXPORT_SYMBOL_GPL(lidar_ring_slot_done);
