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
 */
#include <linux/dma-mapping.h>
#include <linux/limits.h>
#include <linux/poll.h>

#include "core.h"
#include "lidar_trace.h"

static void set_state(struct lidar_ring *ring, struct lidar_slot *slot, u8 state)
{
	slot->state = state;
	lidar_control_set_state(&ring->control, slot->pub.index, state);
}

static void queue_slot(struct lidar_ring *ring, struct lidar_slot *slot)
{
	set_state(ring, slot, LIDAR_RING_SLOT_QUEUED);
	list_add_tail(&slot->node, &ring->queued);
	ring->busy++;
	trace_slot_queued(ring->id, slot->pub.index, slot->pub.offset);
}

/* The next descriptor has been consumed: its slot is the user's now. */
static struct lidar_slot *hold(struct lidar_ring *ring)
{
	struct lidar_slot *slot = &ring->memory->slots[lidar_control_taken_pop(&ring->control)];

	set_state(ring, slot, LIDAR_RING_SLOT_HELD);
	trace_slice_taken(ring->id, slot->pub.index, slot->pub.offset, slot->desc.seq);
	return slot;
}

/* Learn what the user has consumed. */
static void note_taken(struct lidar_ring *ring)
{
	u32 count = lidar_control_taken_count(&ring->control, &ring->stats.bad_index);

	while (count--)
		hold(ring);
}

static bool users(const struct lidar_slot *slot)
{
	return slot->state == LIDAR_RING_SLOT_FREE || slot->state == LIDAR_RING_SLOT_HELD;
}

/* Queue what the user has put into the fill ring. */
static void take_fill(struct lidar_ring *ring)
{
	u32 count = lidar_control_fill_count(&ring->control, &ring->stats.bad_index);

	/* after the fill ring: who gives back a slot has consumed its descriptor before */
	note_taken(ring);
	while (count--) {
		u64 offset = lidar_control_fill_pop(&ring->control);
		struct lidar_slot *slot = lidar_memory_slot_at(ring->memory, offset);

		if (!slot)
			ring->stats.refused_offset++;
		else if (!users(slot))
			ring->stats.refused_state++;
		else
			queue_slot(ring, slot);
	}
}

/*
 * Nothing is there that could come back and have us try again.  For a moment that
 * is no fault: a controller may have use of a descriptor beyond its callback.
 */
static int try_later(struct lidar_ring *ring)
{
	if (ring->refusals == LIDAR_REFUSALS_MAX)
		return -EIO;
	/* counted by the clock: a user who kicks makes no broken device */
	if (queue_delayed_work(lidar_workqueue, &ring->retry, msecs_to_jiffies(LIDAR_RETRY_MS)))
		ring->refusals++;
	return -EAGAIN;
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
	if (!ret) {
		ring->refusals = 0;
		return 0;
	}

	set_state(ring, slot, LIDAR_RING_SLOT_QUEUED);
	list_add(&slot->node, &ring->queued);
	return ret == -EAGAIN && idle ? try_later(ring) : ret;
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

/* Return: whether somebody may be waiting for this. */
static bool deliver(struct lidar_ring *ring, struct lidar_slot *slot)
{
	ring->errors = 0;
	dma_sync_sgtable_for_cpu(ring->config.dma_dev, &slot->pub.sgt, DMA_FROM_DEVICE);
	lidar_describe(ring, slot);
	/* before the user can see the descriptor */
	set_state(ring, slot, LIDAR_RING_SLOT_FULL);
	note_taken(ring);
	if (!lidar_control_publish(&ring->control, slot->pub.index, &slot->desc)) {
		lidar_count_lost(ring, &ring->stats.lost_ready_full, 1);
		queue_slot(ring, slot);
		return false;
	}
	trace_slice_done(ring->id, slot->pub.index, &slot->desc, slot->result.done_ns);
	lidar_count_delivered(ring, &slot->desc);
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
			lidar_count_lost(ring, &ring->stats.lost_stopped, 1);
	} else if (slot->result.error) {
		ring->errors++;
		lidar_count_lost(ring, &ring->stats.lost_error, 1);
		queue_slot(ring, slot);
	} else if (ring->refuse) {
		set_state(ring, slot, LIDAR_RING_SLOT_FREE);
		lidar_count_lost(ring, ring->refuse, 1);
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

static unsigned long lease_end(const struct lidar_ring *ring)
{
	return ring->lease_start + msecs_to_jiffies(ring->lease_ms);
}

/* Does the ring stream? Not any more if its lease has run out. */
static bool streams(struct lidar_ring *ring)
{
	if (ring->state == LIDAR_RING_STREAMING && ring->lease_ms &&
	    time_after(jiffies, lease_end(ring))) {
		ring->stats.leases_lost++;
		lidar_stream_halt(ring, &ring->stats.lost_lease);
	}
	return ring->state == LIDAR_RING_STREAMING;
}

/** The owner has made a call. Its lease is renewed unless it has run out already. */
void lidar_stream_renew(struct lidar_ring *ring)
{
	streams(ring);
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

	if (!streams(ring))
		return;
	reap(ring);
	ret = READ_ONCE(ring->failed) ? -EIO : keep_busy(ring);
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

void lidar_stream_retry(struct work_struct *work)
{
	struct lidar_ring *ring = container_of(to_delayed_work(work), struct lidar_ring, retry);

	lidar_stream_work(&ring->work);
}

void lidar_stream_lease(struct work_struct *work)
{
	struct lidar_ring *ring = container_of(to_delayed_work(work), struct lidar_ring, lease);

	mutex_lock(&ring->lock);
	if (streams(ring) && ring->lease_ms)
		queue_delayed_work(lidar_workqueue, &ring->lease, lease_end(ring) + 1 - jiffies);
	mutex_unlock(&ring->lock);
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

	lidar_start_counting(ring);
	ring->dry = true;
	ring->errors = 0;
	ring->refusals = 0;
	WRITE_ONCE(ring->failed, false);
	ring->refuse = NULL;
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

/* Return: whether the device goes on. */
static bool abort_device(struct lidar_ring *ring)
{
	int err = ring->config.ops->abort(ring);

	if (err && !ring->runaway)
		dev_err(&ring->dev, "the device does not stop (%d): its slots stay its own\n", err);
	return err;
}

/**
 * lidar_stream_stop() - have the device write no more, and take its slots back
 * @ring: in any state
 * @state: that the ring is in afterwards
 *
 * Slices that are complete are delivered unless ring->refuse says otherwise.
 *
 * Return: 0, or -EIO: the device does not stop. The slots it has stay FILLING,
 * and the ring is HALTED (or GONE) until a later stop succeeds.
 */
int lidar_stream_stop(struct lidar_ring *ring, u32 state)
{
	struct lidar_slot *slot, *next;

	if (ring->state == LIDAR_RING_STREAMING ||
	    (ring->runaway && ring->owner && ring->state != LIDAR_RING_GONE)) {
		ring->stopping = true;
		ring->runaway = abort_device(ring);
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
		WARN_ON_ONCE(!ring->runaway && (ring->busy || ring->at_device));
	}
	if (ring->runaway && state != LIDAR_RING_GONE)
		state = LIDAR_RING_HALTED;
	WRITE_ONCE(ring->state, state);
	wake_up_all(&ring->wait);
	return ring->runaway ? -EIO : 0;
}

/**
 * lidar_stream_halt() - stop without being asked to
 * @ring: nothing happens unless it streams
 * @refuse: counter for slices that are complete but not delivered any more, or NULL
 *
 * Return: 0, or -EIO: the device does not stop.
 */
int lidar_stream_halt(struct lidar_ring *ring, u64 *refuse)
{
	if (ring->state != LIDAR_RING_STREAMING)
		return ring->runaway ? -EIO : 0;
	ring->refuse = refuse;
	return lidar_stream_stop(ring, LIDAR_RING_HALTED);
}

/** Consume an entry of the ready ring. Return: its slot, or NULL. */
struct lidar_slot *lidar_stream_take(struct lidar_ring *ring)
{
	struct lidar_slot *slot;

	note_taken(ring);
	if (!lidar_control_pending(&ring->control))
		return NULL;
	slot = hold(ring);
	lidar_control_tell_taken(&ring->control);
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

void lidar_ring_failed(struct lidar_ring *ring)
{
	WRITE_ONCE(ring->failed, true);
	queue_work(lidar_workqueue, &ring->work);
}
EXPORT_SYMBOL_GPL(lidar_ring_failed);
