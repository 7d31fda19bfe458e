/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-unbind.c - group unbind: the device vanishes
 *
 * Whoever runs the check binds the device again when it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "tools/lidar-compliance-bind.h"
#include "tools/lidar-compliance-child.h"
#include "tools/lidar-compliance-device.h"

static void unbind(const struct trial *trial)
{
	int r = driver_unbind(trial->options->unbind);

	trial_require(trial, r == 0, "cannot unbind %s: %s", trial->options->unbind, strerror(-r));
}

static void expect_gone(const struct device *device)
{
	const struct trial *trial = device->trial;
	struct lidar_ring_export export = { .kind = LIDAR_RING_EXPORT_DATA };
	struct lidar_ring_register registration = device_get_registration(device);
	struct lidar_ring_setup setup = { .memory = LIDAR_RING_MEMORY_KERNEL };
	struct lidar_ring_layout layout;
	struct lidar_ring_stats stats;
	struct lidar_ring_info info;
	struct lidar_ring_desc desc;
	char byte;
	const int fd = device->fd;

	trial_expect(trial, "INFO", device_call(fd, LIDAR_RING_IOC_INFO, &info), ENODEV);
	trial_expect(trial, "SETUP", device_call(fd, LIDAR_RING_IOC_SETUP, &setup), ENODEV);
	trial_expect(trial, "REGISTER", device_call(fd, LIDAR_RING_IOC_REGISTER, &registration),
		     ENODEV);
	trial_expect(trial, "START", device_try_start(device, 0, 0), ENODEV);
	trial_expect(trial, "STOP", device_call(fd, LIDAR_RING_IOC_STOP, NULL), ENODEV);
	trial_expect(trial, "STATS", device_call(fd, LIDAR_RING_IOC_STATS, &stats), ENODEV);
	trial_expect(trial, "KICK", device_call(fd, LIDAR_RING_IOC_KICK, NULL), ENODEV);
	trial_expect(trial, "GET_FRAME", device_try_get_frame(device, -1, &desc), ENODEV);
	trial_expect(trial, "RELEASE_FRAME", device_try_release(device, 0), ENODEV);
	trial_expect(trial, "EXPORT", device_call(fd, LIDAR_RING_IOC_EXPORT, &export), ENODEV);
	trial_expect(trial, "ADOPT", device_call(fd, LIDAR_RING_IOC_ADOPT, &layout), ENODEV);
	trial_expect(trial, "read", read(fd, &byte, 1) < 0 ? -errno : 0, ENODEV);
}

static void every_call(const struct trial *trial, enum device_stage stage)
{
	struct device device;

	device_ready(&device, trial, stage);
	unbind(trial);
	expect_gone(&device);
}

static void every_call_fails_when_idle(const struct trial *trial, const void *arg)
{
	every_call(trial, DEVICE_IDLE);
}

static void every_call_fails_when_stopped(const struct trial *trial, const void *arg)
{
	every_call(trial, DEVICE_STOPPED_KERNEL);
}

static void every_call_fails_when_streaming(const struct trial *trial, const void *arg)
{
	every_call(trial, DEVICE_STREAMING_KERNEL);
}

static void every_call_fails_with_user_memory(const struct trial *trial, const void *arg)
{
	every_call(trial, DEVICE_STREAMING_USER);
}

static void poll_tells(const struct trial *trial, const void *arg)
{
	struct device device, other;
	int events;

	device_ready_any(&device, trial);
	device_start(&device);
	device_open(&other, trial);
	unbind(trial);
	events = device_poll(&device, 0);
	trial_require(trial, (events & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP),
		      "poll says 0x%x", events);
	events = device_poll(&other, 0);
	trial_require(trial, (events & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP),
		      "poll of another file says 0x%x", events);
}

static struct child unbind_soon(const struct trial *trial)
{
	struct child child = child_fork(trial);

	if (child.pid == 0) {
		usleep(200000);
		unbind(trial);
		_exit(0);
	}
	return child;
}

static void sleeper_wakes(const struct trial *trial, const void *arg)
{
	struct device device;
	struct child child;
	int events;

	device_ready_any(&device, trial);
	trial_expect(trial, "START", device_try_start(&device, 0, 0), 0);
	child = unbind_soon(trial);
	events = device_poll(&device, PATIENCE_MS);
	trial_require(trial, (events & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP),
		      "poll says 0x%x", events);
	child_wait(trial, child.pid);
}

static void waiting_get_frame_ends(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	struct child child;

	device_ready_any(&device, trial);
	trial_expect(trial, "START", device_try_start(&device, 0, 0), 0);
	child = unbind_soon(trial);
	trial_expect(trial, "GET_FRAME", device_try_get_frame(&device, -1, &desc), ENODEV);
	child_wait(trial, child.pid);
}

static void waiting_read_ends(const struct trial *trial, const void *arg)
{
	struct device device;
	struct child child;
	char byte;

	device_ready_any(&device, trial);
	trial_expect(trial, "START", device_try_start(&device, 0, 0), 0);
	child = unbind_soon(trial);
	trial_expect(trial, "read", read(device.fd, &byte, 1) < 0 ? -errno : 0, ENODEV);
	child_wait(trial, child.pid);
}

static void mappings_stay(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint32_t crc, all;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	desc = device_take(&device);
	crc = crc32c(0, device_bytes_of(&device, &desc), desc.bytes);
	unbind(trial);
	trial_require(trial, crc32c(0, device_bytes_of(&device, &desc), desc.bytes) == crc,
		      "the data has changed");
	all = crc32c(0, device.slots, device.layout.data_bytes);
	usleep(SUSPICION_MS * 1000);
	trial_require(trial, crc32c(0, device.slots, device.layout.data_bytes) == all,
		      "the data is still being written");
	while (device_try_take(&device, &desc))
		device_check_desc(&device, &desc);
}

static void nothing_new_is_mapped(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready_any(&device, trial);
	unbind(trial);
	trial_require(trial,
		      mmap(NULL, device.layout.control_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			   device.fd, (off_t)device.layout.control_offset) == MAP_FAILED,
		      "the control page is");
	trial_require(trial, errno == ENODEV, "expected ENODEV, got %s", strerror(errno));
}

static void exports_stay(const struct trial *trial, const void *arg)
{
	struct lidar_ring_export export = { .kind = LIDAR_RING_EXPORT_DATA };
	struct lidar_ring_desc desc;
	struct device device;
	const unsigned char *view;
	uint32_t crc;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	trial_expect(trial, "EXPORT", device_call(device.fd, LIDAR_RING_IOC_EXPORT, &export), 0);
	desc = device_take(&device);
	crc = crc32c(0, device_bytes_of(&device, &desc), desc.bytes);
	unbind(trial);
	device_close(&device);
	view = mmap(NULL, device.layout.data_bytes, PROT_READ, MAP_SHARED, export.fd, 0);
	trial_require(trial, view != MAP_FAILED, "mmap: %s", strerror(errno));
	trial_require(trial, crc32c(0, view + desc.offset, desc.bytes) == crc,
		      "the data has changed");
}

static void node_is_gone(const struct trial *trial, const void *arg)
{
	const uint64_t until_ns = clock_now_ns() + PATIENCE_MS * NSEC_PER_MSEC;
	struct device device;

	device_ready_any(&device, trial);
	unbind(trial);
	/* udev may take a moment to remove the node */
	while (open(trial->options->device, O_RDWR | O_CLOEXEC) >= 0) {
		trial_require(trial, clock_now_ns() < until_ns, "the device can still be opened");
		usleep(10000);
	}
}

static void device_comes_back(const struct trial *trial, const void *arg)
{
	struct device device;
	int i, r;

	for (i = 0; i < 3; i++) {
		device_ready_any(&device, trial);
		device_start(&device);
		device_give_back(&device, device_take(&device).offset);
		unbind(trial);
		device_close(&device);
		r = driver_bind(trial->options->unbind, trial->options->device);
		trial_require(trial, r == 0, "cannot bind it again: %s", strerror(-r));
	}
	unbind(trial);
}

static void user_memory_is_left_alone(const struct trial *trial, const void *arg)
{
	struct device device;
	uint32_t crc;

	device_ready(&device, trial, DEVICE_STREAMING_USER);
	device_give_back(&device, device_take(&device).offset);
	unbind(trial);
	crc = crc32c(0, device.user, device.user_bytes);
	usleep(SUSPICION_MS * 1000);
	trial_require(trial, crc32c(0, device.user, device.user_bytes) == crc,
		      "it is still being written");
}

/* with files open and mappings in place, many times, at all points of a slice */
static void many_times(const struct trial *trial, const void *arg)
{
	struct device device;
	int i, r;

	for (i = 0; i < 20; i++) {
		device_ready_any(&device, trial);
		device_start(&device);
		usleep((useconds_t)(i * 1300));
		unbind(trial);
		device_close(&device);
		r = driver_bind(trial->options->unbind, trial->options->device);
		trial_require(trial, r == 0, "cannot bind it again: %s", strerror(-r));
	}
	unbind(trial);
}

static const struct check checks[] = {
	{ "every_call_fails_when_idle", every_call_fails_when_idle },
	{ "every_call_fails_when_stopped", every_call_fails_when_stopped,
	  .needs = NEEDS_KERNEL_MEMORY },
	{ "every_call_fails_when_streaming", every_call_fails_when_streaming,
	  .needs = NEEDS_KERNEL_MEMORY },
	{ "every_call_fails_with_user_memory", every_call_fails_with_user_memory,
	  .needs = NEEDS_USER_MEMORY },
	{ "poll_tells", poll_tells },
	{ "sleeper_wakes", sleeper_wakes },
	{ "waiting_get_frame_ends", waiting_get_frame_ends },
	{ "waiting_read_ends", waiting_read_ends },
	{ "mappings_stay", mappings_stay, .needs = NEEDS_KERNEL_MEMORY },
	{ "nothing_new_is_mapped", nothing_new_is_mapped },
	{ "exports_stay", exports_stay, .needs = NEEDS_KERNEL_MEMORY },
	{ "node_is_gone", node_is_gone },
	{ "device_comes_back", device_comes_back },
	{ "user_memory_is_left_alone", user_memory_is_left_alone, .needs = NEEDS_USER_MEMORY },
	{ "many_times", many_times, .needs = NEEDS_SLOW },
};

void add_unbind_checks(struct check_list *list)
{
	size_t i;

	for (i = 0; i < COUNT_OF(checks); i++) {
		struct check check = checks[i];

		check.needs |= NEEDS_UNBIND | NEEDS_ROOT;
		check_list_add(list, "unbind", &check);
	}
}
