/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-info.c - group info: what the device says of itself, the layout, the counters */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "tools/lidar-compliance-child.h"
#include "tools/lidar-compliance-device.h"

static bool is_zero(const void *data, size_t bytes)
{
	const unsigned char *p = data;

	while (bytes--)
		if (*p++)
			return false;
	return true;
}

static bool is_text(const char *text)
{
	return memchr(text, '\0', LIDAR_RING_NAME_BYTES);
}

static struct lidar_ring_info get_info(const struct trial *trial)
{
	struct device device;
	struct lidar_ring_info info;

	device_open(&device, trial);
	/* what the kernel leaves as it was is not zero */
	memset(&info, 0xa5, sizeof(info));
	trial_expect(trial, "INFO", device_call(device.fd, LIDAR_RING_IOC_INFO, &info), 0);
	return info;
}

static void names_are_texts(const struct trial *trial, const void *arg)
{
	struct lidar_ring_info info = get_info(trial);

	trial_require(trial, is_text(info.name), "name has no end");
	trial_require(trial, is_text(info.serial), "serial has no end");
	trial_require(trial, info.name[0], "name is empty");
	trial_require(trial,
		      is_zero(info.name + strlen(info.name), sizeof(info.name) - strlen(info.name)),
		      "there is something behind the name's end");
	trial_require(trial,
		      is_zero(info.serial + strlen(info.serial),
			      sizeof(info.serial) - strlen(info.serial)),
		      "there is something behind the serial's end");
}

static void info_reserved_is_zero(const struct trial *trial, const void *arg)
{
	struct lidar_ring_info info = get_info(trial);

	trial_require(trial, is_zero(info.reserved, sizeof(info.reserved)), "it is not");
}

static void limits_make_sense(const struct trial *trial, const void *arg)
{
	struct lidar_ring_info info = get_info(trial);

	trial_require(trial, info.slot_bytes_min && info.slot_bytes_min <= info.slot_bytes_max,
		      "slots of %llu to %llu bytes", (unsigned long long)info.slot_bytes_min,
		      (unsigned long long)info.slot_bytes_max);
	trial_require(trial, info.slot_bytes_max <= LIDAR_RING_SLOT_BYTES_MAX,
		      "slot_bytes_max is %llu", (unsigned long long)info.slot_bytes_max);
	trial_require(trial, info.slot_bytes_min % LIDAR_RING_SLOT_ALIGN == 0,
		      "slot_bytes_min is %llu", (unsigned long long)info.slot_bytes_min);
	trial_require(trial, info.slot_count_min && info.slot_count_min <= info.slot_count_max,
		      "%u to %u slots", info.slot_count_min, info.slot_count_max);
	trial_require(trial, info.slot_count_max <= LIDAR_RING_SLOTS_MAX, "slot_count_max is %u",
		      info.slot_count_max);
	trial_require(trial,
		      !(info.features & LIDAR_RING_FEATURE_KERNEL_MEMORY) ||
			      info.data_bytes_max >= info.slot_count_min * info.slot_bytes_min,
		      "data_bytes_max is %llu", (unsigned long long)info.data_bytes_max);
}

static void some_memory_works(const struct trial *trial, const void *arg)
{
	uint64_t features = get_info(trial).features;

	trial_require(
		trial,
		features & (LIDAR_RING_FEATURE_KERNEL_MEMORY | LIDAR_RING_FEATURE_USER_MEMORY),
		"features 0x%llx: neither KERNEL nor USER memory", (unsigned long long)features);
}

static void idle_device_has_no_owner(const struct trial *trial, const void *arg)
{
	struct lidar_ring_info info = get_info(trial);

	trial_require(trial, info.state == LIDAR_RING_IDLE, "state is %u", info.state);
	trial_require(trial, info.owner_pid == 0, "owner_pid is %d", info.owner_pid);
}

static void format_is_known(const struct trial *trial, const void *arg)
{
	struct lidar_ring_info info = get_info(trial);

	trial_require(trial, info.format <= LIDAR_RING_FORMAT_XYZIRT, "format is %u", info.format);
}

static void owner_is_who_set_up(const struct trial *trial, const void *arg)
{
	struct device device;
	struct lidar_ring_info info;

	device_ready_any(&device, trial);
	info = device_get_info(&device);
	trial_require(trial, info.owner_pid == getpid(), "owner_pid is %d instead of %d",
		      info.owner_pid, getpid());
}

/* whoever is outside of the reader's pid namespace has no number there */
static void owner_of_another_namespace_is_hidden(const struct trial *trial, const void *arg)
{
	struct device device, other;
	struct lidar_ring_info info;
	pid_t pid;

	device_ready_any(&device, trial);
	trial_require(trial, unshare(CLONE_NEWPID) == 0, "unshare: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		device_open(&other, trial);
		info = device_get_info(&other);
		trial_require(trial, info.owner_pid == 0, "owner_pid is %d", info.owner_pid);
		_exit(0);
	}
	child_wait(trial, pid);
}

struct area {
	const char *name;
	uint64_t offset;
	uint64_t bytes;
	uint64_t align;
};

static void check_area(const struct trial *trial, const struct area *areas, size_t count, size_t i,
		       uint64_t control_bytes)
{
	const struct area *a = &areas[i];
	size_t k;

	trial_require(trial, a->offset % a->align == 0, "%s is at %llu", a->name,
		      (unsigned long long)a->offset);
	trial_require(trial, a->offset + a->bytes <= control_bytes,
		      "%s ends at %llu, the page at %llu", a->name,
		      (unsigned long long)(a->offset + a->bytes),
		      (unsigned long long)control_bytes);
	for (k = i + 1; k < count; k++)
		trial_require(trial,
			      a->offset + a->bytes <= areas[k].offset ||
				      areas[k].offset + areas[k].bytes <= a->offset,
			      "%s and %s overlap", a->name, areas[k].name);
}

static void control_page_is_laid_out(const struct trial *trial, const void *arg)
{
	struct device device;
	const struct lidar_ring_layout *l = &device.layout;
	size_t i;

	device_ready_any(&device, trial);
	const struct area areas[] = {
		{ "fill_producer", l->fill_producer, 4, 4 },
		{ "fill_consumer", l->fill_consumer, 4, 4 },
		{ "fill_flags", l->fill_flags, 4, 4 },
		{ "ready_producer", l->ready_producer, 4, 4 },
		{ "ready_consumer", l->ready_consumer, 4, 4 },
		{ "fill_ring", l->fill_ring, l->entries * 8ull, 8 },
		{ "ready_ring", l->ready_ring, l->entries * sizeof(struct lidar_ring_desc), 8 },
		{ "slot_states", l->slot_states, l->slot_count, 1 },
	};
	for (i = 0; i < COUNT_OF(areas); i++)
		check_area(trial, areas, COUNT_OF(areas), i, l->control_bytes);
}

static void layout_makes_sense(const struct trial *trial, const void *arg)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct device device;
	const struct lidar_ring_layout *l = &device.layout;

	device_ready_any(&device, trial);
	trial_require(trial, l->slot_count == trial->slot_count, "slot_count is %u", l->slot_count);
	trial_require(trial, l->slot_bytes == trial->slot_bytes, "slot_bytes is %llu",
		      (unsigned long long)l->slot_bytes);
	trial_require(trial, l->entries >= l->slot_count && !(l->entries & (l->entries - 1)),
		      "entries is %u", l->entries);
	trial_require(trial, l->control_bytes && l->control_bytes % page == 0,
		      "control_bytes is %llu", (unsigned long long)l->control_bytes);
	trial_require(trial, l->control_offset % page == 0 && l->data_offset % page == 0,
		      "an offset is not that of a page");
	trial_require(trial, is_zero(l->reserved, sizeof(l->reserved)), "reserved is not zero");
}

static void kernel_data_holds_the_slots(const struct trial *trial, const void *arg)
{
	struct device device;
	const struct lidar_ring_layout *l = &device.layout;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	trial_require(trial, l->data_bytes >= l->slot_count * l->slot_bytes, "data_bytes is %llu",
		      (unsigned long long)l->data_bytes);
	trial_require(trial,
		      l->data_offset + l->data_bytes <= l->control_offset ||
			      l->control_offset + l->control_bytes <= l->data_offset,
		      "data and control page overlap");
}

static void user_ring_has_no_data_area(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	trial_require(trial, device.layout.data_bytes == 0, "data_bytes is %llu",
		      (unsigned long long)device.layout.data_bytes);
}

static void rings_start_empty(const struct trial *trial, const void *arg)
{
	struct device device;
	uint32_t i;

	device_ready_any(&device, trial);
	trial_require(trial,
		      device_load(&device, device.layout.fill_producer) ==
			      device_load(&device, device.layout.fill_consumer),
		      "the fill ring is not empty");
	trial_require(trial,
		      device_load(&device, device.layout.ready_producer) ==
			      device_load(&device, device.layout.ready_consumer),
		      "the ready ring is not empty");
	for (i = 0; i < device.layout.slot_count; i++)
		trial_require(trial, device_slot_state(&device, i) == LIDAR_RING_SLOT_FREE,
			      "slot %u is in state %u", i, device_slot_state(&device, i));
}

static void stats_reserved_is_zero(const struct trial *trial, const void *arg)
{
	struct device device;
	struct lidar_ring_stats stats;

	device_open(&device, trial);
	memset(&stats, 0xa5, sizeof(stats));
	trial_expect(trial, "STATS", device_call(device.fd, LIDAR_RING_IOC_STATS, &stats), 0);
	trial_require(trial, is_zero(stats.reserved, sizeof(stats.reserved)), "it is not");
}

static void require_growth(const struct trial *trial, const struct lidar_ring_stats *before,
			   const struct lidar_ring_stats *after)
{
	const __u64 *a = &before->delivered, *b = &after->delivered;
	size_t i;

	for (i = 0; i < offsetof(struct lidar_ring_stats, reserved) / sizeof(__u64); i++)
		trial_require(trial, b[i] >= a[i], "counter %zu fell from %llu to %llu", i,
			      (unsigned long long)a[i], (unsigned long long)b[i]);
}

/* over a stop, a start, and another file's whole life */
static void counters_only_grow(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before = {}, after;
	struct device device;
	int round, i;

	for (round = 0; round < 4; round++) {
		device_ready_any(&device, trial);
		device_start(&device);
		for (i = 0; i < 20; i++) {
			device_give_back(&device, device_take(&device).offset);
			after = device_get_stats(&device);
			require_growth(trial, &before, &after);
			before = after;
		}
		device_stop(&device);
		device_close(&device);
	}
	trial_require(trial, after.delivered >= 80, "delivered is %llu after 80 slices",
		      (unsigned long long)after.delivered);
}

static void bytes_are_counted(const struct trial *trial, const void *arg)
{
	struct device device;
	struct lidar_ring_stats before, after;
	struct lidar_ring_desc desc;
	uint64_t bytes = 0, slices = 0;

	device_ready_any(&device, trial);
	before = device_get_stats(&device);
	device_start(&device);
	for (; slices < 50; slices++) {
		desc = device_take(&device);
		bytes += desc.bytes;
		device_give_back(&device, desc.offset);
	}
	device_stop(&device);
	for (; device_try_take(&device, &desc); slices++)
		bytes += desc.bytes;
	after = device_get_stats(&device);
	trial_require(trial, after.delivered - before.delivered == slices,
		      "%llu slices came, delivered says %llu", (unsigned long long)slices,
		      (unsigned long long)(after.delivered - before.delivered));
	trial_require(trial, after.delivered_bytes - before.delivered_bytes == bytes,
		      "%llu bytes came, delivered_bytes says %llu", (unsigned long long)bytes,
		      (unsigned long long)(after.delivered_bytes - before.delivered_bytes));
}

static const struct check checks[] = {
	{ "names_are_texts", names_are_texts },
	{ "reserved_is_zero", info_reserved_is_zero },
	{ "limits_make_sense", limits_make_sense },
	{ "some_memory_works", some_memory_works },
	{ "idle_device_has_no_owner", idle_device_has_no_owner },
	{ "format_is_known", format_is_known },
	{ "owner_is_who_set_up", owner_is_who_set_up },
	{ "owner_of_another_namespace_is_hidden", owner_of_another_namespace_is_hidden,
	  .needs = NEEDS_ROOT },
	{ "layout_makes_sense", layout_makes_sense },
	{ "control_page_is_laid_out", control_page_is_laid_out },
	{ "kernel_data_holds_the_slots", kernel_data_holds_the_slots },
	{ "user_ring_has_no_data_area", user_ring_has_no_data_area },
	{ "rings_start_empty", rings_start_empty },
	{ "stats_reserved_is_zero", stats_reserved_is_zero },
	{ "counters_only_grow", counters_only_grow },
	{ "bytes_are_counted", bytes_are_counted },
};

void add_info_checks(struct check_list *list)
{
	check_list_add_table(list, "info", checks, COUNT_OF(checks));
}
