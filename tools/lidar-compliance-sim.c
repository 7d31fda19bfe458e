/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-sim.c - group sim: the device misbehaves
 *
 * A lidar_sim instance does as its folder in configfs says: each fault here is
 * asked for, must happen, and must be told to the user for what it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/crc32c.h"
#include "tools/lidar-compliance-device.h"

#define CALM_SLICES 10

static int write_attribute(const struct trial *trial, const char *name, const char *text)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", trial->options->sim, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static void set(const struct trial *trial, const char *name, const char *text)
{
	int r = write_attribute(trial, name, text);

	trial_require(trial, r == 0, "cannot write %s to %s/%s: %s", text, trial->options->sim,
		      name, strerror(-r));
}

static uint64_t get(const struct trial *trial, const char *name)
{
	CLEANUP(cleanup_file) FILE *file = NULL;
	unsigned long long value = 0;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", trial->options->sim, name);
	file = fopen(path, "re");
	trial_require(trial, file && fscanf(file, "%llu", &value) == 1, "cannot read %s", path);
	return value;
}

static struct lidar_ring_desc next(const struct device *device)
{
	struct lidar_ring_desc desc = device_take(device);

	device_give_back(device, desc.offset);
	return desc;
}

static void start_calmly(struct device *device, const struct trial *trial)
{
	int i;

	if (get(trial, "slice_bytes") > trial->slot_bytes)
		trial_skip(trial, "slices are larger than slots");
	device_ready_any(device, trial);
	device_start(device);
	for (i = 0; i < CALM_SLICES; i++)
		next(device);
}

/* Losses from a START to after its STOP: as the descriptors' gaps say, and by cause. */
struct losses {
	struct lidar_ring_stats before;
	uint64_t gaps, slices;
};

static void consume(const struct device *device, struct losses *losses)
{
	losses->gaps += next(device).lost_before;
	losses->slices++;
}

static void begin_losses(struct losses *losses, struct device *device, const struct trial *trial)
{
	if (get(trial, "slice_bytes") > trial->slot_bytes)
		trial_skip(trial, "slices are larger than slots");
	device_ready_any(device, trial);
	*losses = (struct losses){ .before = device_get_stats(device) };
	device_start(device);
	while (losses->slices < CALM_SLICES)
		consume(device, losses);
}

/* Stop, and fail unless the device lost so many, and every other gap is for want of a slot. */
static void end_losses(struct losses *losses, const struct device *device, uint64_t in_device)
{
	const struct lidar_ring_stats *before = &losses->before;
	struct lidar_ring_stats after;
	struct lidar_ring_desc desc;
	uint64_t no_slot, lost;

	device_stop(device);
	while (device_try_take(device, &desc))
		losses->gaps += desc.lost_before;
	after = device_get_stats(device);
	lost = after.lost_device - before->lost_device;
	no_slot = after.lost_no_slot - before->lost_no_slot;
	trial_note(device->trial, "gaps of %llu, the device lost %llu, %llu found no slot",
		   (unsigned long long)losses->gaps, (unsigned long long)lost,
		   (unsigned long long)no_slot);
	trial_require(device->trial, lost == in_device, "%llu were dropped, lost_device grew by %llu",
		      (unsigned long long)in_device, (unsigned long long)lost);
	trial_require(device->trial, no_slot + lost == losses->gaps,
		      "gaps of %llu in all, but the device lost %llu and %llu found no slot",
		      (unsigned long long)losses->gaps, (unsigned long long)lost,
		      (unsigned long long)no_slot);
}

/* lost in the device: its numbers jump, and that cause is counted */
static void dropped_slices_are_a_gap(const struct trial *trial, const void *arg)
{
	struct losses losses;
	struct device device;
	int i;

	begin_losses(&losses, &device, trial);
	set(trial, "drop", "3");
	for (i = 0; i < 100 && (get(trial, "drop") || i < 10); i++)
		consume(&device, &losses);
	/* what is in flight yet comes after them */
	for (i = 0; i < 2 * (int)device.layout.slot_count; i++)
		consume(&device, &losses);
	end_losses(&losses, &device, 3);
}

/* lost in the device while it has no slot: one gap, of which each cause has its part */
static void gap_of_two_causes_is_told_apart(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct losses losses;
	struct device device;
	uint64_t lost;
	uint32_t i;

	if (get(trial, "rate_bytes_per_s") == 0)
		trial_skip(trial, "the device waits for slots");
	begin_losses(&losses, &device, trial);
	for (i = 0; i < device.layout.slot_count; i++)
		losses.gaps += device_take(&device).lost_before;
	lost = get(trial, "lost");
	set(trial, "drop", "5");
	while (get(trial, "lost") < lost + 12)
		usleep(1000);
	for (i = 0; i < device.layout.slot_count; i++)
		device_give_back(&device, device_offset_of(&device, i));
	desc = device_take(&device);
	losses.gaps += desc.lost_before;
	trial_require(trial, desc.lost_before >= 12, "12 or more were lost, lost_before says %u",
		      desc.lost_before);
	end_losses(&losses, &device, 5);
}

static void short_slice_is_marked(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint32_t whole;
	int i;

	start_calmly(&device, trial);
	whole = next(&device).bytes;
	set(trial, "short", "1");
	for (i = 0; i < 100; i++) {
		desc = device_take(&device);
		device_check_desc(&device, &desc);
		device_give_back(&device, desc.offset);
		if (desc.flags & LIDAR_RING_DESC_SHORT)
			break;
		trial_require(trial, desc.bytes == whole,
			      "%u bytes instead of %u, not marked SHORT", desc.bytes, whole);
	}
	trial_require(trial, i < 100, "no slice is marked SHORT");
	trial_require(trial, desc.bytes < whole, "marked SHORT, but of %u bytes", desc.bytes);
}

static void corrupt_slice_shows(const struct trial *trial, const void *arg)
{
	struct device device;
	int i, bad = 0;

	if (get(trial, "crc") == 0)
		trial_skip(trial, "slices have no CRC");
	start_calmly(&device, trial);
	set(trial, "corrupt", "1");
	for (i = 0; i < 60; i++) {
		struct lidar_ring_desc desc = device_take(&device);

		bad += crc32c(0, device_bytes_of(&device, &desc), desc.bytes) != desc.crc32c;
		device_give_back(&device, desc.offset);
	}
	trial_require(trial, bad == 1, "%d slices have the wrong CRC instead of 1", bad);
}

static void stall_is_survived(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	start_calmly(&device, trial);
	set(trial, "stall_ms", "1000");
	while (device_take_within(&device, &desc, 400))
		device_give_back(&device, desc.offset);
	trial_require(trial, device_get_info(&device).state == LIDAR_RING_STREAMING,
		      "it does not stream any more");
	next(&device);
}

static void stop_does_not_wait_for_a_stall(const struct trial *trial, const void *arg)
{
	struct device device;
	uint64_t began_ns, took_ns;

	start_calmly(&device, trial);
	set(trial, "stall_ms", "8000");
	usleep(200000);
	began_ns = clock_now_ns();
	device_stop(&device);
	took_ns = clock_now_ns() - began_ns;
	set(trial, "stall_ms", "0");
	trial_require(trial, took_ns < 2 * NSEC_PER_SEC, "STOP took %llu ms",
		      (unsigned long long)(took_ns / NSEC_PER_MSEC));
}

static void late_interrupts_are_survived(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	start_calmly(&device, trial);
	set(trial, "late_irq_us", "5000");
	for (i = 0; i < 30; i++) {
		struct lidar_ring_desc desc = device_take(&device);

		device_check_desc(&device, &desc);
		device_give_back(&device, desc.offset);
	}
	set(trial, "late_irq_us", "0");
}

static void clock_step_is_told(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	struct device device;
	int i;

	if (!trial->info.device_clock_hz)
		trial_skip(trial, "the device has no clock");
	start_calmly(&device, trial);
	before = device_get_stats(&device);
	/* a minute of 10 MHz */
	set(trial, "clock_step_ticks", "600000000");
	for (i = 0; i < 100; i++)
		if (next(&device).flags & LIDAR_RING_DESC_CLOCK_STEP)
			break;
	after = device_get_stats(&device);
	trial_require(trial, i < 100, "no slice is marked CLOCK_STEP");
	trial_require(trial, after.clock_steps > before.clock_steps, "clock_steps did not grow");
	set(trial, "clock_step_ticks", "-600000000");
}

static void device_that_is_calm_has_no_faults(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	struct lidar_ring_desc desc;
	struct device device;
	int i;

	start_calmly(&device, trial);
	before = device_get_stats(&device);
	for (i = 0; i < 100; i++) {
		desc = next(&device);
		trial_require(trial, !(desc.flags & LIDAR_RING_DESC_SHORT),
			      "SHORT without a cause");
	}
	after = device_get_stats(&device);
	trial_require(trial, after.lost_device == before.lost_device, "lost_device grew");
	trial_require(trial, after.lost_error == before.lost_error, "lost_error grew");
}

/* the device's own account and the driver's: produced = delivered + lost */
static void device_and_driver_agree(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	uint64_t produced, counted;
	struct device device;
	int i;

	device_ready_any(&device, trial);
	before = device_get_stats(&device);
	produced = get(trial, "produced");
	device_start(&device);
	for (i = 0; i < 30; i++) {
		next(&device);
		if (i % 10 == 5)
			set(trial, "drop", "2");
	}
	device_stop(&device);
	after = device_get_stats(&device);
	produced = get(trial, "produced") - produced;
	counted = after.delivered - before.delivered + after.lost_no_slot - before.lost_no_slot +
		  after.lost_device - before.lost_device + after.lost_error - before.lost_error +
		  after.lost_ready_full - before.lost_ready_full + after.lost_stopped -
		  before.lost_stopped + after.lost_lease - before.lost_lease;
	trial_note(trial, "produced %llu, delivered and lost %llu", (unsigned long long)produced,
		   (unsigned long long)counted);
	/* what the device lost after the last slice it delivered, the driver cannot know */
	trial_require(trial, counted <= produced + 1 && produced <= counted + 2 + 8,
		      "the device produced %llu, the driver counts %llu",
		      (unsigned long long)produced, (unsigned long long)counted);
}

static void unplug_is_the_end(const struct trial *trial, const void *arg)
{
	struct device device;
	int events;

	start_calmly(&device, trial);
	set(trial, "unplug", "1");
	events = device_poll(&device, 0);
	trial_require(trial, (events & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP),
		      "poll says 0x%x", events);
	trial_expect(trial, "KICK", device_call(device.fd, LIDAR_RING_IOC_KICK, NULL), ENODEV);
	device_close(&device);
	set(trial, "live", "0");
	set(trial, "live", "1");
	usleep(500000);
}

static const struct check checks[] = {
	{ "device_that_is_calm_has_no_faults", device_that_is_calm_has_no_faults },
	{ "dropped_slices_are_a_gap", dropped_slices_are_a_gap, .needs = NEEDS_DEVICE_SEQ },
	{ "gap_of_two_causes_is_told_apart", gap_of_two_causes_is_told_apart,
	  .needs = NEEDS_DEVICE_SEQ },
	{ "short_slice_is_marked", short_slice_is_marked },
	{ "corrupt_slice_shows", corrupt_slice_shows },
	{ "stall_is_survived", stall_is_survived },
	{ "stop_does_not_wait_for_a_stall", stop_does_not_wait_for_a_stall },
	{ "late_interrupts_are_survived", late_interrupts_are_survived },
	{ "clock_step_is_told", clock_step_is_told },
	{ "device_and_driver_agree", device_and_driver_agree },
	{ "unplug_is_the_end", unplug_is_the_end },
};

void add_sim_checks(struct check_list *list)
{
	size_t i;

	for (i = 0; i < COUNT_OF(checks); i++) {
		struct check check = checks[i];

		check.needs |= NEEDS_SIM | NEEDS_ROOT;
		check_list_add(list, "sim", &check);
	}
}
