/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-hostile.c - group hostile: a control page full of lies
 *
 * The page belongs to a program that may be broken or wicked.  Nothing it
 * writes there may harm the kernel, the device or other users; only its own
 * stream may suffer, and that must come back once the indices are right again.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/splitmix64.h"
#include "tools/lidar-compliance-device.h"

#define ATTACK_NS (2 * NSEC_PER_SEC)
#define LONG_ATTACK_NS (60 * NSEC_PER_SEC)

/** An index to spoil. */
struct lie {
	const char *name;
	/** where its offset stands in the layout */
	size_t member;
	/** the layout member whose value the lie starts from; 0: none */
	size_t base;
	/** added to that */
	uint32_t delta;
	/** likewise as many times the rings' entries */
	uint32_t entries;
	/** the kernel reads it, so it must count a bad_index */
	bool counted;
};

#define AT(member) offsetof(struct lidar_ring_layout, member)

static const struct lie lies[] = {
	{ "fill_producer_one_too_far", AT(fill_producer), AT(fill_consumer), 1, 1, true },
	{ "fill_producer_behind", AT(fill_producer), AT(fill_consumer), UINT32_MAX, 0, true },
	{ "fill_producer_half_way_round", AT(fill_producer), AT(fill_consumer), 1u << 31, 0, true },
	{ "fill_producer_a_ring_behind", AT(fill_producer), AT(fill_consumer), 0, UINT32_MAX,
	  true },
	{ "ready_consumer_ahead", AT(ready_consumer), AT(ready_producer), 100000, 0, true },
	{ "ready_consumer_half_way_round", AT(ready_consumer), AT(ready_producer), 1u << 31, 0,
	  true },
	{ "ready_consumer_behind", AT(ready_consumer), AT(ready_consumer), UINT32_MAX, 0, true },
	{ "ready_producer_all_ones", AT(ready_producer), 0, UINT32_MAX, 0, false },
	{ "ready_producer_half_way_round", AT(ready_producer), AT(ready_producer), 1u << 31, 0,
	  false },
	{ "fill_consumer_all_ones", AT(fill_consumer), 0, UINT32_MAX, 0, false },
	{ "fill_consumer_half_way_round", AT(fill_consumer), AT(fill_consumer), 1u << 31, 0,
	  false },
	{ "fill_flags_all_ones", AT(fill_flags), 0, UINT32_MAX, 0, false },
};

/** What the user wrote itself, before it lied. */
struct truth {
	uint32_t fill_producer;
	uint32_t ready_consumer;
};

static struct truth remember(const struct device *device)
{
	return (struct truth){
		.fill_producer = device_load(device, device->layout.fill_producer),
		.ready_consumer = device_load(device, device->layout.ready_consumer),
	};
}

static uint32_t layout_member(const struct device *device, size_t member)
{
	uint32_t value;

	memcpy(&value, (const char *)&device->layout + member, sizeof(value));
	return value;
}

static void spoil(const struct device *device, const struct lie *lie)
{
	uint32_t value = lie->base ? device_load(device, layout_member(device, lie->base)) : 0;

	value += lie->delta + lie->entries * device->layout.entries;
	device_store(device, layout_member(device, lie->member), value);
}

/* the slot of nobody's descriptor is held; all that is the user's goes back */
static void queue_all_there_is(const struct device *device)
{
	uint32_t i;

	for (i = 0; i < device->layout.slot_count; i++)
		device_try_release(device, device_offset_of(device, i));
}

/* The kernel's word counts here, since the page may still be spoilt. */
static void expect_flow(const struct device *device)
{
	uint64_t before = device_get_stats(device).delivered;
	struct lidar_ring_desc desc;
	uint32_t i;

	/* more than may be ready already */
	for (i = 0; i < device->layout.slot_count + 10; i++) {
		desc = device_get_frame(device);
		device_slot_of(device, desc.offset);
		trial_expect(device->trial, "RELEASE_FRAME",
			     device_try_release(device, desc.offset), 0);
	}
	trial_require(device->trial, device_get_stats(device).delivered > before,
		      "delivered does not grow");
}

static void recover(const struct device *device, const struct truth *truth)
{
	device_store(device, device->layout.fill_producer, truth->fill_producer);
	device_store(device, device->layout.ready_consumer, truth->ready_consumer);
	device_stop(device);
	device_start(device);
	queue_all_there_is(device);
	expect_flow(device);
}

static void run_lie(const struct trial *trial, const void *arg)
{
	const struct lie *lie = arg;
	struct lidar_ring_stats before, after;
	struct device device;
	struct truth truth;
	int i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < 10; i++)
		device_give_back(&device, device_take(&device).offset);
	device_poll(&device, PATIENCE_MS);
	/* so that the kernel has seen what is true */
	device_kick(&device);
	before = device_get_stats(&device);
	truth = remember(&device);
	spoil(&device, lie);
	device_kick(&device);
	device_poll(&device, 0);
	usleep(100000);
	device_kick(&device);
	after = device_get_stats(&device);
	trial_require(trial, !lie->counted || after.bad_index > before.bad_index,
		      "bad_index did not grow");
	recover(&device, &truth);
}

/* entries are as much a matter of trust as indices */
static void ready_ring_overwritten(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	int i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < 20; i++) {
		device_poll(&device, PATIENCE_MS);
		memset(device.control + device.layout.ready_ring, 0xff,
		       device.layout.entries * sizeof(struct lidar_ring_desc));
		desc = device_get_frame(&device);
		device_check_desc(&device, &desc);
		trial_expect(trial, "RELEASE_FRAME", device_try_release(&device, desc.offset), 0);
	}
}

static void slot_states_overwritten(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < 20; i++) {
		memset(device.control + device.layout.slot_states, i * 13,
		       device.layout.slot_count);
		device_give_back(&device, device_take(&device).offset);
	}
}

static void whole_page_overwritten(const struct trial *trial, const void *arg)
{
	static const unsigned char patterns[] = { 0xff, 0x00, 0x80, 0x7f, 0x55, 0x01 };
	struct device device;
	size_t i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < COUNT_OF(patterns); i++) {
		memset(device.control, patterns[i], device.layout.control_bytes);
		device_kick(&device);
		usleep(50000);
		device_poll(&device, 0);
	}
	/* what the kernel has consumed of the lies is unknown, so only the calls are left */
	device_stop(&device);
	device_start(&device);
}

static void *attack(void *arg)
{
	const struct device *device = arg;
	const struct lidar_ring_layout *l = &device->layout;
	const uint32_t targets[] = { l->fill_producer, l->fill_consumer, l->fill_flags,
				     l->ready_producer, l->ready_consumer };
	uint64_t seed = 42, word;

	for (;;) {
		word = splitmix64_next(&seed);
		if (word & 1)
			device_store(device, targets[(word >> 8) % COUNT_OF(targets)],
				     (uint32_t)(word >> 16) >> (word >> 58));
		else
			device_store(device, (uint32_t)((word >> 8) % (l->control_bytes / 4) * 4),
				     (uint32_t)(word >> 32));
		if (!(word >> 56))
			usleep(100);
	}
	return NULL;
}

static void use_everything(const struct device *device)
{
	struct lidar_ring_desc desc;
	int i;

	device_try_start(device, LIDAR_RING_START_QUEUE_ALL, 0);
	for (i = 0; i < 50; i++) {
		device_call(device->fd, LIDAR_RING_IOC_KICK, NULL);
		device_poll(device, 1);
		if (device_try_get_frame(device, 1000000, &desc) == 0) {
			device_slot_of(device, desc.offset);
			device_try_release(device, desc.offset);
		}
	}
	device_stop(device);
}

static void attack_until_killed(const struct trial *trial)
{
	struct device device;
	pthread_t thread;

	device_ready_any(&device, trial);
	trial_require(trial, pthread_create(&thread, NULL, attack, &device) == 0, "no thread");
	for (;;)
		use_everything(&device);
}

/* it ends while its page is still being written, and whoever comes next is none the worse */
static void attack_for(const struct trial *trial, uint64_t for_ns)
{
	struct device next;
	pid_t pid = fork();

	if (pid == 0)
		attack_until_killed(trial);
	usleep((useconds_t)(for_ns / NSEC_PER_USEC));
	trial_require(trial, waitpid(pid, NULL, WNOHANG) == 0, "the attacker has ended");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	device_ready_any(&next, trial);
	device_start(&next);
	expect_flow(&next);
}

static void page_written_all_the_time(const struct trial *trial, const void *arg)
{
	attack_for(trial, ATTACK_NS);
}

static void page_written_for_a_minute(const struct trial *trial, const void *arg)
{
	attack_for(trial, LONG_ATTACK_NS);
}

/* no more entries are refused, at a time, than the ring has */
static void fill_ring_full_of_nonsense(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	struct device device;
	uint32_t i;

	device_ready_any(&device, trial);
	trial_expect(trial, "START", device_try_start(&device, 0, 0), 0);
	before = device_get_stats(&device);
	for (i = 0; i < device.layout.entries; i++)
		device_queue(&device, 0x1234567890abcdefull + i);
	device_kick(&device);
	after = device_get_stats(&device);
	trial_require(trial,
		      after.refused_offset - before.refused_offset == device.layout.entries,
		      "%u entries, refused_offset grew by %llu", device.layout.entries,
		      (unsigned long long)(after.refused_offset - before.refused_offset));
	queue_all_there_is(&device);
	expect_flow(&device);
}

static void unmapped_page_does_no_harm(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready_any(&device, trial);
	device_start(&device);
	trial_require(trial, munmap(device.control, device.layout.control_bytes) == 0, "munmap");
	expect_flow(&device);
}

static const struct check checks[] = {
	{ "ready_ring_overwritten", ready_ring_overwritten },
	{ "slot_states_overwritten", slot_states_overwritten },
	{ "whole_page_overwritten", whole_page_overwritten },
	{ "page_written_all_the_time", page_written_all_the_time },
	{ "page_written_for_a_minute", page_written_for_a_minute, .needs = NEEDS_SLOW },
	{ "fill_ring_full_of_nonsense", fill_ring_full_of_nonsense },
	{ "unmapped_page_does_no_harm", unmapped_page_does_no_harm },
};

void add_hostile_checks(struct check_list *list)
{
	size_t i;

	for (i = 0; i < COUNT_OF(lies); i++) {
		struct check check = { lies[i].name, run_lie, &lies[i] };

		check_list_add(list, "hostile", &check);
	}
	check_list_add_table(list, "hostile", checks, COUNT_OF(checks));
}
