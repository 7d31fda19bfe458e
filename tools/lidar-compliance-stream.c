/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-stream.c - group stream: order, numbers, losses, contents, wrapping rings */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "tools/lidar-compliance-device.h"

/* enough for the rings to wrap many times, if the device is fast enough */
#define MANY_SLICES 3000
#define MANY_NS (8 * NSEC_PER_SEC)

/** Follows a stream and its numbers. */
struct follower {
	const struct device *device;
	/** slices seen */
	uint64_t count;
	/** sum of their lost_before */
	uint64_t lost;
	struct lidar_ring_desc last;
	unsigned int kicks;
};

static void follow(struct follower *f, const struct lidar_ring_desc *desc)
{
	const struct trial *trial = f->device->trial;
	uint64_t expected = f->count ? f->last.seq + 1 : 0;

	trial_require(trial, desc->seq == expected + desc->lost_before,
		      "seq %llu after %llu with lost_before %u", (unsigned long long)desc->seq,
		      (unsigned long long)f->last.seq, desc->lost_before);
	trial_require(trial, !f->count || desc->last_byte_ns >= f->last.last_byte_ns,
		      "seq %llu was filled before seq %llu", (unsigned long long)desc->seq,
		      (unsigned long long)f->last.seq);
	f->count++;
	f->lost += desc->lost_before;
	f->last = *desc;
}

static void take_and_follow(struct follower *f, struct lidar_ring_desc *ret_desc)
{
	*ret_desc = device_take(f->device);
	follow(f, ret_desc);
}

static void numbers_have_no_gap(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct follower f = {};
	struct device device;

	device_ready_any(&device, trial);
	f.device = &device;
	device_start(&device);
	while (f.count < 200) {
		take_and_follow(&f, &desc);
		device_give_back(&device, desc.offset);
	}
	trial_note(trial, "%llu slices, %llu lost before them", (unsigned long long)f.count,
		   (unsigned long long)f.lost);
}

static void descriptors_tell_the_truth(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	int i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < 100; i++) {
		desc = device_take(&device);
		device_check_desc(&device, &desc);
		device_give_back(&device, desc.offset);
	}
}

static void optional_parts_come_if_promised(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	device_ready_any(&device, trial);
	device_start(&device);
	desc = device_take(&device);
	trial_require(trial,
		      !(trial->info.features & LIDAR_RING_FEATURE_FRAMES) ||
			      (desc.flags & LIDAR_RING_DESC_FRAME), "no frame number");
	trial_require(trial,
		      !(trial->info.features & LIDAR_RING_FEATURE_FIRST_NS) ||
			      (desc.flags & LIDAR_RING_DESC_FIRST_NS), "no first_byte_ns");
	trial_require(trial,
		      trial->info.device_clock_hz || !(desc.flags & LIDAR_RING_DESC_TICKS),
		      "ticks of a clock that does not exist");
}

static void check_frame(const struct device *device, const struct lidar_ring_desc *before,
			const struct lidar_ring_desc *now)
{
	bool next = now->frame_id == before->frame_id + 1 && now->slice_index == 0;
	bool same = now->frame_id == before->frame_id &&
		    now->slice_index == before->slice_index + 1;

	trial_require(device->trial, before->flags & LIDAR_RING_DESC_LAST ? next : same,
		      "slice %u of frame %u after slice %u of frame %u%s", now->slice_index,
		      now->frame_id, before->slice_index, before->frame_id,
		      before->flags & LIDAR_RING_DESC_LAST ? ", its last" : "");
	trial_require(device->trial,
		      !now->slice_count ||
			      !(now->flags & LIDAR_RING_DESC_LAST) ==
				      (now->slice_index + 1u != now->slice_count),
		      "slice %u of %u, flags 0x%x", now->slice_index, now->slice_count, now->flags);
}

static void frames_are_complete(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc, before = {};
	struct device device;
	int i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < 200; i++) {
		desc = device_take(&device);
		trial_require(trial, desc.flags & LIDAR_RING_DESC_FRAME, "no frame number");
		if (i && !desc.lost_before)
			check_frame(&device, &before, &desc);
		before = desc;
		device_give_back(&device, desc.offset);
	}
}

static bool enough(const struct follower *f, uint64_t began_ns)
{
	return f->count >= MANY_SLICES || clock_now_ns() - began_ns > MANY_NS;
}

/* Hand everything back at once: most of the slots are with the kernel. */
static void rings_wrap_around(const struct trial *trial, const void *arg)
{
	const uint64_t began_ns = clock_now_ns();
	struct lidar_ring_desc desc;
	struct follower f = {};
	struct device device;

	device_ready_any(&device, trial);
	f.device = &device;
	device_start(&device);
	while (!enough(&f, began_ns)) {
		take_and_follow(&f, &desc);
		f.kicks += (unsigned int)device_give_back(&device, desc.offset);
	}
	trial_note(trial, "%llu slices, %llu lost, %u kicks, rings of %u",
		   (unsigned long long)f.count, (unsigned long long)f.lost, f.kicks,
		   device.layout.entries);
	if (f.count < 3 * device.layout.entries)
		trial_skip(trial, "the device is too slow: %llu slices",
			   (unsigned long long)f.count);
}

static void unequal_rounds(struct follower *f, uint64_t began_ns)
{
	struct lidar_ring_desc held[LIDAR_RING_SLOTS_MAX];
	const uint32_t half = f->device->layout.slot_count / 2;
	uint32_t want, i;

	while (!enough(f, began_ns)) {
		want = 1 + (uint32_t)(f->count % half);
		for (i = 0; i < want; i++) {
			take_and_follow(f, &held[i]);
			device_check_desc(f->device, &held[i]);
		}
		/* the last first, so that slots travel in ever new orders */
		while (i--)
			device_give_back(f->device, held[i].offset);
	}
}

static void slots_return_in_any_order(const struct trial *trial, const void *arg)
{
	struct follower f = {};
	struct device device;

	device_ready_any(&device, trial);
	f.device = &device;
	device_start(&device);
	unequal_rounds(&f, clock_now_ns());
	trial_require(trial, f.count > 0, "no slice");
}

/* no call at all, as long as the device does not starve */
static void needs_no_call(const struct trial *trial, const void *arg)
{
	const uint64_t began_ns = clock_now_ns();
	struct lidar_ring_stats before, after;
	struct lidar_ring_desc desc;
	struct follower f = {};
	struct device device;

	device_ready_any(&device, trial);
	f.device = &device;
	device_start(&device);
	before = device_get_stats(&device);
	while (!enough(&f, began_ns)) {
		take_and_follow(&f, &desc);
		f.kicks += (unsigned int)device_give_back(&device, desc.offset);
	}
	after = device_get_stats(&device);
	trial_require(trial, after.kicks - before.kicks == f.kicks, "%u kicks, %llu counted",
		      f.kicks, (unsigned long long)(after.kicks - before.kicks));
	trial_require(trial, f.kicks <= 1 + f.count / 4, "%u kicks for %llu slices", f.kicks,
		      (unsigned long long)f.count);
}

static uint64_t sum_of_losses(const struct lidar_ring_stats *s)
{
	return s->lost_no_slot + s->lost_device + s->lost_error + s->lost_ready_full +
	       s->lost_stopped + s->lost_lease;
}

/* After a stop: produced = delivered + lost, by what reached the user and by the counters. */
static void balance(const struct follower *f, const struct lidar_ring_stats *before,
		    const struct lidar_ring_stats *after)
{
	const struct trial *trial = f->device->trial;
	uint64_t delivered = after->delivered - before->delivered;
	uint64_t lost = sum_of_losses(after) - sum_of_losses(before);

	trial_require(trial, delivered == f->count, "%llu slices came, delivered says %llu",
		      (unsigned long long)f->count, (unsigned long long)delivered);
	/* what was lost behind the last slice is in the counters only */
	trial_require(trial, lost >= f->lost, "lost_before says %llu, the counters %llu",
		      (unsigned long long)f->lost, (unsigned long long)lost);
	trial_require(trial, !f->count || f->last.seq + 1 == f->count + f->lost,
		      "the last is number %llu of %llu and %llu lost",
		      (unsigned long long)f->last.seq, (unsigned long long)f->count,
		      (unsigned long long)f->lost);
	trial_note(trial, "%llu delivered, %llu lost, %llu seen by the user",
		   (unsigned long long)delivered, (unsigned long long)lost,
		   (unsigned long long)f->lost);
}

static void drain(struct follower *f)
{
	struct lidar_ring_desc desc;

	/* no kick: it is for the caller, who may have stopped */
	while (device_try_take(f->device, &desc)) {
		follow(f, &desc);
		device_queue(f->device, desc.offset);
	}
}

static void account_is_balanced(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	struct lidar_ring_desc desc;
	struct follower f = {};
	struct device device;
	int i;

	device_ready_any(&device, trial);
	f.device = &device;
	before = device_get_stats(&device);
	device_start(&device);
	for (i = 0; i < 100; i++) {
		take_and_follow(&f, &desc);
		device_give_back(&device, desc.offset);
	}
	device_stop(&device);
	drain(&f);
	after = device_get_stats(&device);
	balance(&f, &before, &after);
}

/* a reader that stalls: what is lost is newest, counted, and seen as a gap */
static void losses_are_numbers(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	struct follower f = {};
	struct device device;
	int i;

	device_ready_any(&device, trial);
	f.device = &device;
	before = device_get_stats(&device);
	device_start(&device);
	for (i = 0; i < 3; i++) {
		while (!(device_load(&device, device.layout.fill_flags) & LIDAR_RING_NEED_WAKEUP))
			usleep(1000);
		usleep(100000);
		drain(&f);
		device_kick(&device);
	}
	for (i = 0; i < 10; i++) {
		struct lidar_ring_desc desc;

		take_and_follow(&f, &desc);
		device_give_back(&device, desc.offset);
	}
	device_stop(&device);
	drain(&f);
	after = device_get_stats(&device);
	balance(&f, &before, &after);
	trial_require(trial, f.lost > 0, "nothing is lost while no slot is queued");
	trial_require(trial, after.lost_no_slot > before.lost_no_slot, "lost_no_slot did not grow");
	trial_require(trial, after.starved - before.starved >= 3, "starved grew by %llu only",
		      (unsigned long long)(after.starved - before.starved));
}

/* what was ready before a stop can be had after it */
static void ready_slices_outlive_stop(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct follower f = {};
	struct device device;

	device_ready_any(&device, trial);
	f.device = &device;
	device_start(&device);
	while (!(device_load(&device, device.layout.fill_flags) & LIDAR_RING_NEED_WAKEUP))
		usleep(1000);
	device_stop(&device);
	while (device_try_take(&device, &desc)) {
		follow(&f, &desc);
		device_check_desc(&device, &desc);
	}
	trial_require(trial, f.count == device.layout.slot_count, "%llu slices of %u slots",
		      (unsigned long long)f.count, device.layout.slot_count);
}

static void nothing_comes_after_stop(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats at_stop, later;
	struct device device;

	device_ready_any(&device, trial);
	device_start(&device);
	device_take(&device);
	device_stop(&device);
	at_stop = device_get_stats(&device);
	usleep(SUSPICION_MS * 1000);
	later = device_get_stats(&device);
	trial_require(trial, later.delivered == at_stop.delivered, "%llu slices did",
		      (unsigned long long)(later.delivered - at_stop.delivered));
	trial_require(trial, sum_of_losses(&later) == sum_of_losses(&at_stop),
		      "it still counts losses");
}

static void nothing_comes_without_slots(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	device_ready_any(&device, trial);
	trial_expect(trial, "START", device_try_start(&device, 0, 0), 0);
	trial_require(trial, !device_take_within(&device, &desc, SUSPICION_MS), "a slice came");
}

static void one_slot_is_enough(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	int i;

	device_ready_any(&device, trial);
	trial_expect(trial, "START", device_try_start(&device, 0, 0), 0);
	device_give_back(&device, device_offset_of(&device, 1));
	for (i = 0; i < 30; i++) {
		desc = device_take(&device);
		trial_require(trial, device_slot_of(&device, desc.offset) == 1,
			      "slot %u was never queued", device_slot_of(&device, desc.offset));
		device_check_desc(&device, &desc);
		device_give_back(&device, desc.offset);
	}
}

/* slots are filled in the order in which they were queued */
static void slots_are_filled_in_order(const struct trial *trial, const void *arg)
{
	struct device device;
	uint32_t order[LIDAR_RING_SLOTS_MAX], count, i;

	device_ready_any(&device, trial);
	count = device.layout.slot_count;
	for (i = 0; i < count; i++) {
		/* the odd ones downwards, then the even ones */
		order[i] = i < count / 2 ? (count / 2 - i) * 2 - 1 : (i - count / 2) * 2;
		device_queue(&device, device_offset_of(&device, order[i]));
	}
	trial_expect(trial, "START", device_try_start(&device, 0, 0), 0);
	device_kick(&device);
	for (i = 0; i < count; i++) {
		struct lidar_ring_desc desc = device_take(&device);

		trial_require(trial, device_slot_of(&device, desc.offset) == order[i],
			      "slice %u is in slot %u instead of %u", i,
			      device_slot_of(&device, desc.offset), order[i]);
	}
}

static void runs_for_a_minute(const struct trial *trial, const void *arg)
{
	const uint64_t until_ns = clock_now_ns() + 60 * NSEC_PER_SEC;
	struct lidar_ring_stats before, after;
	struct lidar_ring_desc desc;
	struct follower f = {};
	struct device device;

	device_ready_any(&device, trial);
	f.device = &device;
	before = device_get_stats(&device);
	device_start(&device);
	while (clock_now_ns() < until_ns) {
		take_and_follow(&f, &desc);
		device_check_desc(&device, &desc);
		f.kicks += (unsigned int)device_give_back(&device, desc.offset);
	}
	device_stop(&device);
	drain(&f);
	after = device_get_stats(&device);
	balance(&f, &before, &after);
}

static const struct check checks[] = {
	{ "numbers_have_no_gap", numbers_have_no_gap },
	{ "descriptors_tell_the_truth", descriptors_tell_the_truth },
	{ "optional_parts_come_if_promised", optional_parts_come_if_promised },
	{ "frames_are_complete", frames_are_complete, .needs = NEEDS_FRAMES },
	{ "rings_wrap_around", rings_wrap_around },
	{ "slots_return_in_any_order", slots_return_in_any_order },
	{ "needs_no_call", needs_no_call },
	{ "account_is_balanced", account_is_balanced },
	{ "losses_are_numbers", losses_are_numbers, .needs = NEEDS_DEVICE_SEQ },
	{ "ready_slices_outlive_stop", ready_slices_outlive_stop },
	{ "nothing_comes_after_stop", nothing_comes_after_stop },
	{ "nothing_comes_without_slots", nothing_comes_without_slots },
	{ "one_slot_is_enough", one_slot_is_enough },
	{ "slots_are_filled_in_order", slots_are_filled_in_order },
	{ "runs_for_a_minute", runs_for_a_minute, .needs = NEEDS_SLOW },
};

void add_stream_checks(struct check_list *list)
{
	check_list_add_table(list, "stream", checks, COUNT_OF(checks));
}
