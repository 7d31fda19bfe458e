// SPDX-License-Identifier: GPL-2.0
/*
 * sim_device.c - the LIDAR: when a slice is due and what is in it
 *
 * One thread an instance.  It runs from the first transfer that is issued to
 * the terminate (an epoch), numbering slices from 0, and writes a slice as a
 * sensor would: piece by piece, at its rate, from the moment its first byte is
 * due.  A slice for which no transfer is there at that moment is lost, as is one
 * that a fault takes; its number is not used again.
 *
 * What is in a slice, by pattern; pages are 4 KiB, words u64 and little-endian:
 *
 *	none	the word seq << 20 at its very start
 *	words	the word seq << 20 | page at the start of each page
 *	full	the same, and every other word w of the slice is
 *		splitmix64(seq << 23 | w)
 *
 * What a pattern does not touch stays what it was.  The CRC is of all the bytes.
 */
#include <linux/crc32.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "sim.h"

#define SIM_PAGE 4096U
/* a piece of a slice: what comes in a millisecond, but no less than a page */
#define PIECES_PER_S 1000
/* a machine that is slower than the rate: do not run after it for longer */
#define BEHIND_NS (100 * NSEC_PER_MSEC)

/**
 * struct slice - the slice in the making
 * @sim: whose
 * @epoch: in which
 * @seq: its number
 * @due_ns: when its first byte is due
 * @bytes: to write
 * @crc: so far
 * @first_ns: when its first byte was written
 * @no_slot: how many before it, in this epoch, found no transfer
 * @fed: its data, if from user space
 */
struct slice {
	struct sim *sim;
	u32 epoch;
	u64 seq;
	u64 due_ns;
	u32 bytes;
	u32 crc;
	u64 first_ns;
	u64 no_slot;
	struct sim_fed *fed;
};

static u64 splitmix64(u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static u64 rate_of(const struct sim *sim)
{
	return READ_ONCE(sim->settings.rate_bytes_per_s);
}

static bool ended(const struct slice *slice)
{
	const struct sim_dma *dma = &slice->sim->dma;

	return kthread_should_stop() || !READ_ONCE(dma->running) ||
	       READ_ONCE(dma->epoch) != slice->epoch;
}

static bool issued(struct sim_dma *dma)
{
	return !list_empty(&dma->issued);
}

/* Sleep until a time, or the epoch's end. */
static void wait_until(const struct slice *slice, u64 time_ns)
{
	s64 left_ns = time_ns - ktime_get_ns();

	if (left_ns > 0 &&
	    wait_event_interruptible_hrtimeout(slice->sim->dma.wait, ended(slice), left_ns))
		return;
}

/* All data is written here, a piece of a page at a time. @at is a multiple of 8 but in a feed. */
static void write_pattern(void *data, u32 at, u32 bytes, const struct slice *slice)
{
	bool full = slice->sim->settings.pattern == SIM_PATTERN_FULL;
	__le64 *word = data;
	u32 i;

	if (slice->sim->settings.pattern == SIM_PATTERN_NONE && at)
		return;
	for (i = 0; i + 8 <= bytes; i += 8, word++) {
		if (!((at + i) % SIM_PAGE))
			*word = cpu_to_le64(slice->seq << 20 | (at + i) / SIM_PAGE);
		else if (full)
			*word = cpu_to_le64(splitmix64(slice->seq << 23 | (at + i) / 8));
		else
			i = round_up(at + i, SIM_PAGE) - at - 8, word = data + i;
	}
}

static int write_piece(void *data, u32 at, u32 bytes, void *context)
{
	struct slice *slice = context;

	if (slice->fed)
		memcpy(data, slice->fed->data + at, bytes);
	else
		write_pattern(data, at, bytes, slice);
	if (slice->sim->settings.crc)
		slice->crc = __crc32c_le(slice->crc, data, bytes);
	return 0;
}

static int flip_byte(void *data, u32 at, u32 bytes, void *context)
{
	*(u8 *)data ^= 0x5a;
	return 0;
}

/* Return: 0, -ECANCELED (by terminate), -EFAULT (an address was none). */
static int write_slice(struct slice *slice, struct sim_transfer *transfer)
{
	struct sim_dma *dma = &slice->sim->dma;
	u64 rate;
	u32 at = 0;
	int ret = 0;

	slice->crc = ~0U;
	slice->first_ns = ktime_get_ns();
	while (!ret && at < slice->bytes) {
		u32 piece = slice->bytes - at;

		rate = rate_of(slice->sim);
		if (rate) {
			u64 most = max_t(u64, div_u64(rate, PIECES_PER_S), SIM_PAGE);

			piece = min_t(u64, piece, round_down(most, SIM_PAGE));
			wait_until(slice, slice->due_ns +
				   mul_u64_u64_div_u64(at + piece, NSEC_PER_SEC, rate));
		} else {
			piece = min_t(u32, piece, SZ_1M);
		}
		if (sim_dma_cancelled(dma, transfer))
			return -ECANCELED;
		if (!at)
			slice->first_ns = ktime_get_ns();
		ret = sim_dma_access(dma, transfer, at, piece, write_piece, slice);
		at += piece;
		WRITE_ONCE(transfer->written, at);
		cond_resched();
	}
	return ret;
}

static void write_trailer(const struct slice *slice, struct sim_transfer *transfer, bool cut)
{
	struct sim *sim = slice->sim;
	u32 slices = sim->settings.slices_per_frame, index;
	u64 frame = div_u64_rem(slice->seq, slices, &index);
	s64 offset = atomic64_read(&sim->faults.clock_offset);
	u32 flags = LIDAR_RING_DESC_FIRST_NS | LIDAR_RING_DESC_LAST_NS | LIDAR_RING_DESC_TICKS |
		    LIDAR_RING_DESC_FRAME | LIDAR_RING_TRAILER_NO_SLOT;

	if (sim->settings.crc)
		flags |= LIDAR_RING_DESC_CRC;
	if (index == slices - 1)
		flags |= LIDAR_RING_DESC_LAST;
	if (cut)
		flags |= LIDAR_RING_DESC_SHORT;
	transfer->trailer = (struct lidar_ring_trailer){
		.magic = cpu_to_le32(LIDAR_RING_TRAILER_MAGIC),
		.flags = cpu_to_le32(flags),
		.seq = cpu_to_le64(slice->seq),
		.device_ticks = cpu_to_le64(div_u64(slice->first_ns, SIM_NS_PER_TICK) + offset),
		.first_byte_ns = cpu_to_le64(slice->first_ns),
		.last_byte_ns = cpu_to_le64(ktime_get_ns()),
		.frame_id = cpu_to_le32(frame),
		.slice_index = cpu_to_le16(index),
		.slice_count = cpu_to_le16(slices),
		.bytes = cpu_to_le32(slice->bytes),
		.crc32c = cpu_to_le32(sim->settings.crc ? ~slice->crc : 0),
		.lost_no_slot = cpu_to_le64(slice->no_slot),
	};
}

static void fill_transfer(struct slice *slice, struct sim_transfer *transfer)
{
	struct sim *sim = slice->sim;
	bool cut = sim_spend(&sim->faults.shorten);
	int late_us;
	int ret;

	if (cut)
		slice->bytes = max(round_down(slice->bytes / 2, 8), 8U);
	if (slice->bytes > transfer->bytes)
		cut = true;
	slice->bytes = min(slice->bytes, transfer->bytes);
	if (sim_spend(&sim->faults.empty))
		slice->bytes = 0;
	ret = write_slice(slice, transfer);
	if (!ret && slice->bytes && sim_spend(&sim->faults.corrupt))
		ret = sim_dma_access(&sim->dma, transfer, slice->bytes / 2, 1, flip_byte, NULL);
	if (!ret && sim_spend(&sim->faults.fail))
		ret = -EIO;
	if (!ret)
		write_trailer(slice, transfer, cut);
	late_us = atomic_read(&sim->faults.late_irq_us);
	if (!ret && late_us)
		wait_until(slice, ktime_get_ns() + late_us * NSEC_PER_USEC);
	sim_dma_end(&sim->dma, transfer, ret);
}

/* Unless it paces itself the device waits for a transfer; else it takes what there is. */
static struct sim_transfer *begin_transfer(const struct slice *slice)
{
	struct sim_dma *dma = &slice->sim->dma;

	if (!rate_of(slice->sim) &&
	    wait_event_interruptible(dma->wait, issued(dma) || ended(slice)))
		return NULL;
	return sim_dma_begin(dma, slice->epoch);
}

static void stall(struct slice *slice)
{
	int stall_ms = atomic_xchg(&slice->sim->faults.stall_ms, 0);

	if (!stall_ms)
		return;
	slice->due_ns = ktime_get_ns() + stall_ms * NSEC_PER_MSEC;
	wait_until(slice, slice->due_ns);
}

/* Return: whether there is data for a slice; false only at the epoch's end. */
static bool get_data(struct slice *slice)
{
	struct sim *sim = slice->sim;

	slice->fed = NULL;
	slice->bytes = sim->settings.slice_bytes;
	if (!sim->feed)
		return true;
	while (!slice->fed) {
		if (ended(slice))
			return false;
		if (wait_event_interruptible(sim->dma.wait,
					     READ_ONCE(sim->feed->count) || ended(slice)))
			return false;
		slice->fed = sim_feed_get(sim->feed);
	}
	slice->bytes = slice->fed->bytes;
	/* it is not late if it was not there */
	slice->due_ns = max(slice->due_ns, ktime_get_ns());
	return true;
}

static void next_slice(struct slice *slice)
{
	u64 rate = rate_of(slice->sim), now_ns = ktime_get_ns();

	cond_resched();
	slice->seq++;
	if (rate)
		slice->due_ns += mul_u64_u64_div_u64(slice->bytes, NSEC_PER_SEC, rate);
	if (!rate || slice->due_ns + BEHIND_NS < now_ns)
		slice->due_ns = now_ns;
}

static void make_slice(struct slice *slice)
{
	struct sim *sim = slice->sim;
	struct sim_transfer *transfer = NULL;
	bool dropped;
	u32 whole;

	stall(slice);
	if (!get_data(slice))
		return;
	whole = slice->bytes;
	wait_until(slice, slice->due_ns);
	dropped = sim_spend(&sim->faults.drop);
	if (!dropped)
		transfer = begin_transfer(slice);
	if (transfer) {
		fill_transfer(slice, transfer);
	} else if (!ended(slice)) {
		slice->no_slot += !dropped;
		sim->lost++;
	}
	kvfree(slice->fed);
	if (ended(slice))
		return;
	sim->produced++;
	slice->bytes = whole;
	next_slice(slice);
}

int sim_device_thread(void *context)
{
	struct sim *sim = context;

	set_user_nice(current, -10);
	while (!kthread_should_stop()) {
		struct slice slice = { .sim = sim };

		if (wait_event_interruptible(sim->dma.wait, READ_ONCE(sim->dma.running) ||
					     kthread_should_stop()))
			continue;
		slice.epoch = READ_ONCE(sim->dma.epoch);
		slice.due_ns = ktime_get_ns();
		while (!ended(&slice))
			make_slice(&slice);
	}
	return 0;
}
