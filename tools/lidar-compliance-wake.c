/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-wake.c - group wake: poll, NEED_WAKEUP, KICK, the lease */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/splitmix64.h"
#include "tools/lidar-compliance-device.h"

#define LEASE_MS 200

static void expect_events(const struct device *device, int timeout_ms, int want, const char *when)
{
	int events = device_poll(device, timeout_ms) & (POLLIN | POLLERR | POLLHUP | POLLNVAL);

	trial_require(device->trial, events == want, "%s: poll says 0x%x instead of 0x%x", when,
		      events, want);
}

static bool needs_wakeup(const struct device *device)
{
	return device_load(device, device->layout.fill_flags) & LIDAR_RING_NEED_WAKEUP;
}

static void await_starvation(const struct device *device)
{
	const uint64_t until_ns = clock_now_ns() + PATIENCE_MS * NSEC_PER_MSEC;

	while (!needs_wakeup(device)) {
		trial_require(device->trial, clock_now_ns() < until_ns,
			      "NEED_WAKEUP is not set within %d ms", PATIENCE_MS);
		usleep(1000);
	}
}

static void start_empty(struct device *device, const struct trial *trial)
{
	device_ready_any(device, trial);
	trial_expect(trial, "START", device_try_start(device, 0, 0), 0);
}

static void nothing_to_read_before_start(const struct trial *trial, const void *arg)
{
	struct device device;

	device_open(&device, trial);
	trial_require(trial, !(device_poll(&device, 0) & POLLIN), "POLLIN without a ring");
	device_close(&device);
	device_ready_any(&device, trial);
	trial_require(trial, !(device_poll(&device, 0) & POLLIN), "POLLIN before START");
}

static void nothing_to_read_without_slots(const struct trial *trial, const void *arg)
{
	struct device device;

	start_empty(&device, trial);
	expect_events(&device, SUSPICION_MS, 0, "nothing queued");
}

static void ready_slice_is_readable(const struct trial *trial, const void *arg)
{
	struct device device;

	start_empty(&device, trial);
	device_give_back(&device, device_offset_of(&device, 0));
	expect_events(&device, PATIENCE_MS, POLLIN, "a slice is ready");
	expect_events(&device, 0, POLLIN, "and still is");
	device_take(&device);
	expect_events(&device, SUSPICION_MS, 0, "and is consumed, without a call");
}

static void sleeper_wakes(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	start_empty(&device, trial);
	for (i = 0; i < 100; i++) {
		device_give_back(&device, device_offset_of(&device, 0));
		expect_events(&device, PATIENCE_MS, POLLIN, "asleep for a slice");
		device_take(&device);
	}
}

static void epoll_works_too(const struct trial *trial, const void *arg)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct device device;
	int fd = epoll_create1(EPOLL_CLOEXEC), i;

	start_empty(&device, trial);
	trial_require(trial, epoll_ctl(fd, EPOLL_CTL_ADD, device.fd, &event) == 0, "epoll_ctl: %s",
		      strerror(errno));
	for (i = 0; i < 20; i++) {
		device_give_back(&device, device_offset_of(&device, 0));
		trial_require(trial, epoll_wait(fd, &event, 1, PATIENCE_MS) == 1,
			      "no edge for slice %d", i);
		device_take(&device);
	}
}

static void ready_slice_is_readable_after_stop(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	device_ready_any(&device, trial);
	device_start(&device);
	device_poll(&device, PATIENCE_MS);
	device_stop(&device);
	trial_require(trial, device_poll(&device, 0) & POLLIN, "no POLLIN for what is ready");
	while (device_try_take(&device, &desc))
		;
	trial_require(trial, !(device_poll(&device, 0) & (POLLIN | POLLHUP)),
		      "POLLIN or POLLHUP when stopped and empty");
}

static void another_file_has_nothing_to_read(const struct trial *trial, const void *arg)
{
	struct device device, other;

	device_ready_any(&device, trial);
	device_start(&device);
	device_poll(&device, PATIENCE_MS);
	device_open(&other, trial);
	trial_require(trial, !(device_poll(&other, 0) & POLLIN), "POLLIN for another's slices");
}

static void starving_sets_need_wakeup(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	struct device device;

	device_ready_any(&device, trial);
	before = device_get_stats(&device);
	device_start(&device);
	await_starvation(&device);
	after = device_get_stats(&device);
	trial_require(trial, after.starved > before.starved, "starved did not grow");
}

static void start_without_slots_sets_need_wakeup(const struct trial *trial, const void *arg)
{
	struct device device;

	start_empty(&device, trial);
	await_starvation(&device);
}

static void kick_feeds_a_starving_device(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	int i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < 5; i++) {
		await_starvation(&device);
		while (device_try_take(&device, &desc))
			device_queue(&device, desc.offset);
		device_kick(&device);
		device_take(&device);
	}
}

static void kick_clears_need_wakeup(const struct trial *trial, const void *arg)
{
	struct device device;
	uint32_t i;

	start_empty(&device, trial);
	await_starvation(&device);
	/* more than the device can fill before anybody looks */
	for (i = 0; i < device.layout.slot_count; i++)
		device_queue(&device, device_offset_of(&device, i));
	device_kick(&device);
	if (needs_wakeup(&device))
		trial_require(trial,
			      device_load(&device, device.layout.ready_producer) -
					      device_load(&device, device.layout.ready_consumer) ==
				      device.layout.slot_count,
			      "NEED_WAKEUP is set while slots are queued");
}

static void kick_for_nothing_does_nothing(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	struct device device;
	int i;

	start_empty(&device, trial);
	await_starvation(&device);
	before = device_get_stats(&device);
	for (i = 0; i < 10; i++)
		device_kick(&device);
	after = device_get_stats(&device);
	trial_require(trial, after.kicks - before.kicks == 10, "10 kicks, %llu counted",
		      (unsigned long long)(after.kicks - before.kicks));
	trial_require(trial, needs_wakeup(&device), "NEED_WAKEUP is gone, and nothing is queued");
	trial_require(trial, after.starved == before.starved, "it starved anew");
}

/* one or two slots only, given back after ever new pauses: a lost wake-up stops the stream */
static void no_wakeup_gets_lost(const struct trial *trial, const void *arg)
{
	const uint64_t until_ns = clock_now_ns() + 5 * NSEC_PER_SEC;
	uint64_t seed = 7, slices = 0, kicks = 0, pause_us;
	struct device device;

	start_empty(&device, trial);
	device_give_back(&device, device_offset_of(&device, 0));
	device_give_back(&device, device_offset_of(&device, 1));
	for (; clock_now_ns() < until_ns; slices++) {
		struct lidar_ring_desc desc = device_take(&device);

		pause_us = splitmix64_next(&seed) % 1500;
		if (pause_us > 300)
			usleep((useconds_t)pause_us);
		kicks += (uint64_t)device_give_back(&device, desc.offset);
	}
	trial_note(trial, "%llu slices, %llu kicks", (unsigned long long)slices,
		   (unsigned long long)kicks);
}

static void start_with_lease(struct device *device, const struct trial *trial)
{
	device_ready_any(device, trial);
	trial_expect(trial, "START with a lease",
		     device_try_start(device, LIDAR_RING_START_QUEUE_ALL, LEASE_MS), 0);
}

/* for looking without calling: another file's calls are nobody's sign of life */
static void expect_state_seen_by_another(const struct device *device, uint32_t state,
					 const char *when)
{
	struct device other;
	uint32_t now;

	device_open(&other, device->trial);
	now = device_get_info(&other).state;
	trial_require(device->trial, now == state, "%s: expected state %u, is %u", when, state,
		      now);
	device_close(&other);
}

static void lease_lasts_while_calls_come(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	start_with_lease(&device, trial);
	for (i = 0; i < 20; i++) {
		usleep(LEASE_MS * 1000 / 4);
		if (i % 2)
			device_kick(&device);
		else
			device_get_stats(&device);
	}
	expect_state_seen_by_another(&device, LIDAR_RING_STREAMING, "with a call every 50 ms");
}

static void lease_runs_out_without_calls(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	struct device device;

	start_with_lease(&device, trial);
	before = device_get_stats(&device);
	usleep(LEASE_MS * 1000 * 3);
	expect_state_seen_by_another(&device, LIDAR_RING_HALTED, "after three times the lease");
	after = device_get_stats(&device);
	trial_require(trial, after.leases_lost - before.leases_lost == 1,
		      "leases_lost grew by %llu",
		      (unsigned long long)(after.leases_lost - before.leases_lost));
}

static void consuming_is_no_call(const struct trial *trial, const void *arg)
{
	const uint64_t until_ns = clock_now_ns() + 3 * LEASE_MS * NSEC_PER_MSEC;
	struct lidar_ring_desc desc;
	struct device device;

	start_with_lease(&device, trial);
	while (clock_now_ns() < until_ns)
		if (device_take_within(&device, &desc, 10))
			device_queue(&device, desc.offset);
	expect_state_seen_by_another(&device, LIDAR_RING_HALTED, "after three times the lease");
}

static void halted_device_writes_no_more(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats at_halt, later;
	struct device device;
	uint32_t i;

	start_with_lease(&device, trial);
	usleep(LEASE_MS * 1000 * 3);
	for (i = 0; i < device.layout.slot_count; i++)
		trial_require(trial, device_slot_state(&device, i) != LIDAR_RING_SLOT_FILLING,
			      "slot %u is still being filled", i);
	at_halt = device_get_stats(&device);
	usleep(SUSPICION_MS * 1000);
	later = device_get_stats(&device);
	trial_require(trial, later.delivered == at_halt.delivered, "slices still come");
}

static void stop_and_start_end_a_halt(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint32_t i;

	start_with_lease(&device, trial);
	usleep(LEASE_MS * 1000 * 3);
	expect_state_seen_by_another(&device, LIDAR_RING_HALTED, "after three times the lease");
	device_stop(&device);
	expect_state_seen_by_another(&device, LIDAR_RING_STOPPED, "after STOP");
	while (device_try_take(&device, &desc))
		;
	device_start(&device);
	for (i = 0; i < device.layout.slot_count; i++)
		if (device_slot_state(&device, i) == LIDAR_RING_SLOT_HELD)
			device_queue(&device, device_offset_of(&device, i));
	device_kick(&device);
	for (i = 0; i < 20; i++)
		device_give_back(&device, device_take(&device).offset);
}

static void no_lease_no_halt(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready_any(&device, trial);
	device_start(&device);
	usleep(1000000);
	expect_state_seen_by_another(&device, LIDAR_RING_STREAMING, "a second without a call");
}

static const struct check checks[] = {
	{ "nothing_to_read_before_start", nothing_to_read_before_start },
	{ "nothing_to_read_without_slots", nothing_to_read_without_slots },
	{ "ready_slice_is_readable", ready_slice_is_readable },
	{ "sleeper_wakes", sleeper_wakes },
	{ "epoll_works_too", epoll_works_too },
	{ "ready_slice_is_readable_after_stop", ready_slice_is_readable_after_stop },
	{ "another_file_has_nothing_to_read", another_file_has_nothing_to_read },
	{ "starving_sets_need_wakeup", starving_sets_need_wakeup },
	{ "start_without_slots_sets_need_wakeup", start_without_slots_sets_need_wakeup },
	{ "kick_feeds_a_starving_device", kick_feeds_a_starving_device },
	{ "kick_clears_need_wakeup", kick_clears_need_wakeup },
	{ "kick_for_nothing_does_nothing", kick_for_nothing_does_nothing },
	{ "no_wakeup_gets_lost", no_wakeup_gets_lost },
	{ "lease_lasts_while_calls_come", lease_lasts_while_calls_come },
	{ "lease_runs_out_without_calls", lease_runs_out_without_calls },
	{ "consuming_is_no_call", consuming_is_no_call },
	{ "halted_device_writes_no_more", halted_device_writes_no_more },
	{ "stop_and_start_end_a_halt", stop_and_start_end_a_halt },
	{ "no_lease_no_halt", no_lease_no_halt },
};

void add_wake_checks(struct check_list *list)
{
	check_list_add_table(list, "wake", checks, COUNT_OF(checks));
}
