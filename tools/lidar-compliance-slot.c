/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-slot.c - group slot: who owns a slot, and that nobody else writes it */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "tools/lidar-compliance-device.h"

static uint32_t crc_of_slot(const struct device *device, uint32_t slot)
{
	return crc32c(0, device->slots + slot * device->stride, device->layout.slot_bytes);
}

static void expect_slot(const struct device *device, uint32_t slot, uint8_t state,
			const char *when)
{
	uint8_t now = device_slot_state(device, slot);

	trial_require(device->trial, now == state, "%s: slot %u: expected state %u, is %u", when,
		      slot, state, now);
}

static void start_empty(struct device *device, const struct trial *trial)
{
	device_ready_any(device, trial);
	trial_expect(trial, "START", device_try_start(device, 0, 0), 0);
}

/* all states of slot 2, one after the other */
static void states_follow_the_slot(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	start_empty(&device, trial);
	expect_slot(&device, 2, LIDAR_RING_SLOT_FREE, "before it is queued");
	device_give_back(&device, device_offset_of(&device, 2));
	device_await_slot(&device, 2, LIDAR_RING_SLOT_FULL);
	desc = device_take(&device);
	trial_require(trial, device_slot_of(&device, desc.offset) == 2, "another slot is full");
	/* the kernel learns of it when it looks at the index */
	device_kick(&device);
	expect_slot(&device, 2, LIDAR_RING_SLOT_HELD, "consumed");
	device_give_back(&device, desc.offset);
	device_await_slot(&device, 2, LIDAR_RING_SLOT_FULL);
}

static void unqueued_slots_stay_free(const struct trial *trial, const void *arg)
{
	struct device device;
	uint32_t i;
	int round;

	start_empty(&device, trial);
	for (round = 0; round < 20; round++) {
		device_give_back(&device, device_offset_of(&device, 0));
		device_take(&device);
	}
	for (i = 1; i < device.layout.slot_count; i++)
		expect_slot(&device, i, LIDAR_RING_SLOT_FREE, "never queued");
}

static void stop_frees_what_was_queued(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint32_t i, free = 0;

	device_ready_any(&device, trial);
	device_start(&device);
	device_take(&device);
	device_stop(&device);
	while (device_try_take(&device, &desc))
		;
	for (i = 0; i < device.layout.slot_count; i++) {
		uint8_t state = device_slot_state(&device, i);

		trial_require(trial,
			      state == LIDAR_RING_SLOT_FREE || state == LIDAR_RING_SLOT_FULL ||
				      state == LIDAR_RING_SLOT_HELD,
			      "slot %u is in state %u after STOP", i, state);
		free += state == LIDAR_RING_SLOT_FREE;
	}
	trial_note(trial, "%u slots free", free);
}

static void held_slots_stay_held(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint32_t slot, crc;
	int round;

	device_ready_any(&device, trial);
	device_start(&device);
	desc = device_take(&device);
	slot = device_slot_of(&device, desc.offset);
	/* have the kernel see that it is held */
	device_kick(&device);
	crc = crc_of_slot(&device, slot);
	for (round = 0; round < 5; round++) {
		device_stop(&device);
		expect_slot(&device, slot, LIDAR_RING_SLOT_HELD, "after STOP");
		device_start(&device);
		expect_slot(&device, slot, LIDAR_RING_SLOT_HELD, "after START that queues all");
		usleep(50000);
	}
	trial_require(trial, crc_of_slot(&device, slot) == crc, "its contents have changed");
}

/* half of the slots held for hundreds of others */
static void held_slots_are_not_written(const struct trial *trial, const void *arg)
{
	uint32_t crc[LIDAR_RING_SLOTS_MAX], slots[LIDAR_RING_SLOTS_MAX], half, i;
	struct lidar_ring_desc desc;
	struct device device;

	device_ready_any(&device, trial);
	device_start(&device);
	half = device.layout.slot_count / 2;
	for (i = 0; i < half; i++) {
		desc = device_take(&device);
		slots[i] = device_slot_of(&device, desc.offset);
		crc[i] = crc_of_slot(&device, slots[i]);
	}
	for (i = 0; i < 300; i++) {
		desc = device_take(&device);
		device_give_back(&device, desc.offset);
	}
	for (i = 0; i < half; i++)
		trial_require(trial, crc_of_slot(&device, slots[i]) == crc[i],
			      "slot %u was written while it was held", slots[i]);
}

static void free_slots_are_not_written(const struct trial *trial, const void *arg)
{
	struct device device;
	uint32_t crc, i;

	start_empty(&device, trial);
	crc = crc_of_slot(&device, 3);
	for (i = 0; i < 100; i++) {
		device_give_back(&device, device_offset_of(&device, i % 3));
		device_take(&device);
	}
	trial_require(trial, crc_of_slot(&device, 3) == crc,
		      "slot 3 was never queued, but written");
}

/* what waits in the ready ring is the kernel's, and nobody's to write */
static void full_slots_are_not_written(const struct trial *trial, const void *arg)
{
	uint32_t crc[LIDAR_RING_SLOTS_MAX], i;
	struct device device;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < device.layout.slot_count; i++)
		device_await_slot(&device, i, LIDAR_RING_SLOT_FULL);
	for (i = 0; i < device.layout.slot_count; i++)
		crc[i] = crc_of_slot(&device, i);
	usleep(SUSPICION_MS * 1000);
	for (i = 0; i < device.layout.slot_count; i++)
		trial_require(trial, crc_of_slot(&device, i) == crc[i],
			      "slot %u was written while it was full", i);
}

static void stopped_slots_are_not_written(const struct trial *trial, const void *arg)
{
	uint32_t crc[LIDAR_RING_SLOTS_MAX], i;
	struct device device;
	int round;

	device_ready_any(&device, trial);
	for (round = 0; round < 10; round++) {
		device_start(&device);
		/* somewhere in the middle of a slice */
		usleep(1000 + 700 * round);
		device_stop(&device);
		for (i = 0; i < device.layout.slot_count; i++)
			crc[i] = crc_of_slot(&device, i);
		usleep(30000);
		for (i = 0; i < device.layout.slot_count; i++)
			trial_require(trial, crc_of_slot(&device, i) == crc[i],
				      "slot %u was written after STOP", i);
	}
}

static void states_are_states(const struct trial *trial, const void *arg)
{
	const uint64_t until_ns = clock_now_ns() + NSEC_PER_SEC;
	struct lidar_ring_desc desc;
	struct device device;
	uint32_t i;

	device_ready_any(&device, trial);
	device_start(&device);
	while (clock_now_ns() < until_ns) {
		for (i = 0; i < device.layout.slot_count; i++)
			trial_require(trial,
				      device_slot_state(&device, i) <= LIDAR_RING_SLOT_HELD,
				      "slot %u is in state %u", i, device_slot_state(&device, i));
		if (device_take_within(&device, &desc, 1))
			device_give_back(&device, desc.offset);
	}
}

/* a descriptor says that a slot is full: so must its state, whenever the user looks */
static void descriptor_comes_after_the_state(const struct trial *trial, const void *arg)
{
	struct device device;
	uint8_t state;
	int i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < 300; i++) {
		struct lidar_ring_desc desc = device_take(&device);
		uint32_t slot = device_slot_of(&device, desc.offset);

		state = device_slot_state(&device, slot);
		trial_require(trial,
			      state == LIDAR_RING_SLOT_FULL || state == LIDAR_RING_SLOT_HELD,
			      "slot %u has a descriptor, and state %u", slot, state);
		device_give_back(&device, desc.offset);
	}
}

static uint64_t refused_states(const struct device *device)
{
	return device_get_stats(device).refused_state;
}

static void expect_refused_state(const struct device *device, uint32_t slot, uint64_t before,
				 const char *what)
{
	device_kick(device);
	trial_require(device->trial, refused_states(device) == before + 1,
		      "%s: slot %u: refused_state grew by %llu", what, slot,
		      (unsigned long long)(refused_states(device) - before));
}

static void slot_queued_twice_is_refused(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint64_t before;

	start_empty(&device, trial);
	before = refused_states(&device);
	/* both before the kernel looks, so that the second finds the first queued or filling */
	device_queue(&device, device_offset_of(&device, 1));
	device_queue(&device, device_offset_of(&device, 1));
	expect_refused_state(&device, 1, before, "queued twice");
	device_take(&device);
	trial_require(trial, !device_take_within(&device, &desc, SUSPICION_MS),
		      "it was filled twice");
}

static void full_slot_is_refused(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint64_t before;

	start_empty(&device, trial);
	device_give_back(&device, device_offset_of(&device, 0));
	device_await_slot(&device, 0, LIDAR_RING_SLOT_FULL);
	before = refused_states(&device);
	device_queue(&device, device_offset_of(&device, 0));
	expect_refused_state(&device, 0, before, "full, its descriptor not consumed");
	desc = device_take(&device);
	device_check_desc(&device, &desc);
}

static void offsets_that_name_no_slot_are_refused(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	struct lidar_ring_desc desc;
	struct device device;
	size_t i;

	start_empty(&device, trial);
	const uint64_t wrong[] = {
		1, 8, LIDAR_RING_SLOT_ALIGN / 2, device.stride - 1, device.stride + 1,
		device.stride / 2 + 8, device_offset_of(&device, device.layout.slot_count),
		1ull << 32, 1ull << 63, UINT64_MAX, UINT64_MAX - device.stride + 1,
	};
	before = device_get_stats(&device);
	for (i = 0; i < COUNT_OF(wrong); i++) {
		device_queue(&device, wrong[i]);
		device_kick(&device);
	}
	after = device_get_stats(&device);
	trial_require(trial, after.refused_offset - before.refused_offset == COUNT_OF(wrong),
		      "%zu offsets, refused_offset grew by %llu", COUNT_OF(wrong),
		      (unsigned long long)(after.refused_offset - before.refused_offset));
	trial_require(trial, !device_take_within(&device, &desc, SUSPICION_MS), "a slice came");
	device_give_back(&device, device_offset_of(&device, 0));
	desc = device_take(&device);
	device_check_desc(&device, &desc);
}

/* a good offset among bad ones is taken */
static void good_offsets_among_bad_are_taken(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	start_empty(&device, trial);
	device_queue(&device, 12345);
	device_queue(&device, device_offset_of(&device, 0));
	device_queue(&device, UINT64_MAX);
	device_queue(&device, device_offset_of(&device, 1));
	device_kick(&device);
	desc = device_take(&device);
	trial_require(trial, device_slot_of(&device, desc.offset) == 0, "first comes another slot");
	desc = device_take(&device);
	trial_require(trial, device_slot_of(&device, desc.offset) == 1, "then comes another slot");
}

static const struct check checks[] = {
	{ "states_follow_the_slot", states_follow_the_slot },
	{ "states_are_states", states_are_states },
	{ "descriptor_comes_after_the_state", descriptor_comes_after_the_state },
	{ "unqueued_slots_stay_free", unqueued_slots_stay_free },
	{ "stop_frees_what_was_queued", stop_frees_what_was_queued },
	{ "held_slots_stay_held", held_slots_stay_held },
	{ "held_slots_are_not_written", held_slots_are_not_written },
	{ "free_slots_are_not_written", free_slots_are_not_written },
	{ "full_slots_are_not_written", full_slots_are_not_written },
	{ "stopped_slots_are_not_written", stopped_slots_are_not_written },
	{ "slot_queued_twice_is_refused", slot_queued_twice_is_refused },
	{ "full_slot_is_refused", full_slot_is_refused },
	{ "offsets_that_name_no_slot_are_refused", offsets_that_name_no_slot_are_refused },
	{ "good_offsets_among_bad_are_taken", good_offsets_among_bad_are_taken },
};

void add_slot_checks(struct check_list *list)
{
	check_list_add_table(list, "slot", checks, COUNT_OF(checks));
}
