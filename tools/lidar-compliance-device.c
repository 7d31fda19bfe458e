/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-device.c - see lidar-compliance-device.h: the calls */
#include "tools/lidar-compliance-device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"

#define PAUSE_US 500

long device_call(int fd, unsigned long request, void *arg)
{
	int r = ioctl(fd, request, arg);

	return r < 0 ? -errno : r;
}

void device_open(struct device *device, const struct trial *trial)
{
	memset(device, 0, sizeof(*device));
	device->trial = trial;
	device->user_fd = -1;
	device->fd = open(trial->options->device, O_RDWR | O_CLOEXEC);
	trial_require(trial, device->fd >= 0, "open %s: %s", trial->options->device,
		      strerror(errno));
}

void device_close(struct device *device)
{
	if (device->control)
		munmap(device->control, device->layout.control_bytes);
	if (device->slots && device->memory == LIDAR_RING_MEMORY_KERNEL)
		munmap((void *)(uintptr_t)device->slots, device->layout.data_bytes);
	close(device->fd);
	device->control = NULL;
	device->slots = NULL;
}

long device_try_setup(struct device *device, uint32_t memory)
{
	struct lidar_ring_setup setup = {
		.memory = memory,
		.slot_count = device->trial->slot_count,
		.slot_bytes = device->trial->slot_bytes,
	};
	long r = device_call(device->fd, LIDAR_RING_IOC_SETUP, &setup);

	if (r < 0)
		return r;
	device->memory = memory;
	device->layout = setup.layout;
	device->stride = setup.layout.slot_bytes;
	return r;
}

static void *map(const struct device *device, uint64_t offset, uint64_t bytes, int protection)
{
	void *p = mmap(NULL, bytes, protection, MAP_SHARED, device->fd, (off_t)offset);

	trial_require(device->trial, p != MAP_FAILED, "mmap of %llu bytes at 0x%llx: %s",
		      (unsigned long long)bytes, (unsigned long long)offset, strerror(errno));
	return p;
}

void device_map(struct device *device)
{
	const struct lidar_ring_layout *layout = &device->layout;

	device->control = map(device, layout->control_offset, layout->control_bytes,
			      PROT_READ | PROT_WRITE);
	if (device->memory == LIDAR_RING_MEMORY_KERNEL)
		device->slots = map(device, layout->data_offset, layout->data_bytes, PROT_READ);
}

void device_make_user_memory(struct device *device, uint64_t gap_bytes)
{
	const struct trial *trial = device->trial;

	device->first = gap_bytes;
	device->stride = trial->slot_bytes + gap_bytes;
	device->user_bytes = device->first + trial->slot_count * device->stride;
	device->user_fd = memfd_create("lidar-compliance", MFD_CLOEXEC);
	trial_require(trial, device->user_fd >= 0, "memfd_create: %s", strerror(errno));
	trial_require(trial, ftruncate(device->user_fd, (off_t)device->user_bytes) == 0,
		      "ftruncate: %s", strerror(errno));
	device->user = mmap(NULL, device->user_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			    device->user_fd, 0);
	trial_require(trial, device->user != MAP_FAILED, "mmap of a memfd: %s", strerror(errno));
	device->slots = device->user + device->first;
}

struct lidar_ring_register device_get_registration(const struct device *device)
{
	return (struct lidar_ring_register){
		.address = (uintptr_t)device->user,
		.length = device->user_bytes,
		.first = device->first,
		.stride = device->stride,
		.count = device->trial->slot_count,
	};
}

static void ready_user(struct device *device)
{
	struct lidar_ring_register registration;

	device_make_user_memory(device, 0);
	registration = device_get_registration(device);
	trial_expect(device->trial, "REGISTER",
		     device_call(device->fd, LIDAR_RING_IOC_REGISTER, &registration), 0);
}

void device_ready(struct device *device, const struct trial *trial, enum device_stage stage)
{
	bool kernel = stage == DEVICE_STOPPED_KERNEL || stage == DEVICE_STREAMING_KERNEL;
	uint64_t feature = kernel ? LIDAR_RING_FEATURE_KERNEL_MEMORY :
				    LIDAR_RING_FEATURE_USER_MEMORY;

	device_open(device, trial);
	if (stage == DEVICE_IDLE)
		return;
	if (!(trial->info.features & feature))
		trial_skip(trial, "the device does not know %s memory", kernel ? "KERNEL" : "USER");
	trial_expect(trial, "SETUP",
		     device_try_setup(device, kernel ? LIDAR_RING_MEMORY_KERNEL :
						       LIDAR_RING_MEMORY_USER), 0);
	device_map(device);
	if (stage == DEVICE_CONFIGURED)
		return;
	if (!kernel)
		ready_user(device);
	if (stage == DEVICE_STREAMING_KERNEL || stage == DEVICE_STREAMING_USER)
		device_start(device);
}

void device_ready_any(struct device *device, const struct trial *trial)
{
	device_ready(device, trial, trial->info.features & LIDAR_RING_FEATURE_KERNEL_MEMORY ?
					    DEVICE_STOPPED_KERNEL : DEVICE_STOPPED_USER);
}

long device_try_start(const struct device *device, uint32_t flags, uint32_t lease_ms)
{
	struct lidar_ring_start start = { .flags = flags, .lease_ms = lease_ms };

	return device_call(device->fd, LIDAR_RING_IOC_START, &start);
}

void device_start(const struct device *device)
{
	trial_expect(device->trial, "START",
		     device_try_start(device, LIDAR_RING_START_QUEUE_ALL, 0), 0);
}

void device_stop(const struct device *device)
{
	trial_expect(device->trial, "STOP", device_call(device->fd, LIDAR_RING_IOC_STOP, NULL), 0);
}

void device_kick(const struct device *device)
{
	trial_expect(device->trial, "KICK", device_call(device->fd, LIDAR_RING_IOC_KICK, NULL), 0);
}

long device_try_get_frame(const struct device *device, int64_t timeout_ns,
			  struct lidar_ring_desc *ret_desc)
{
	struct lidar_ring_get_frame get = { .timeout_ns = timeout_ns };
	long r = device_call(device->fd, LIDAR_RING_IOC_GET_FRAME, &get);

	if (r >= 0)
		*ret_desc = get.desc;
	return r;
}

struct lidar_ring_desc device_get_frame(const struct device *device)
{
	struct lidar_ring_desc desc = {};

	trial_expect(device->trial, "GET_FRAME",
		     device_try_get_frame(device, PATIENCE_MS * (int64_t)NSEC_PER_MSEC, &desc), 0);
	return desc;
}

long device_try_release(const struct device *device, uint64_t offset)
{
	struct lidar_ring_release_frame release = { .offset = offset };

	return device_call(device->fd, LIDAR_RING_IOC_RELEASE_FRAME, &release);
}

struct lidar_ring_info device_get_info(const struct device *device)
{
	struct lidar_ring_info info;

	trial_expect(device->trial, "INFO", device_call(device->fd, LIDAR_RING_IOC_INFO, &info), 0);
	return info;
}

struct lidar_ring_stats device_get_stats(const struct device *device)
{
	struct lidar_ring_stats stats;

	trial_expect(device->trial, "STATS", device_call(device->fd, LIDAR_RING_IOC_STATS, &stats),
		     0);
	return stats;
}

void device_await_state(const struct device *device, uint32_t state)
{
	const uint64_t until_ns = clock_now_ns() + PATIENCE_MS * NSEC_PER_MSEC;
	uint32_t now;

	while ((now = device_get_info(device).state) != state) {
		trial_require(device->trial, clock_now_ns() < until_ns,
			      "state: expected %u, is %u", state, now);
		usleep(PAUSE_US);
	}
}

int device_poll(const struct device *device, int timeout_ms)
{
	struct pollfd fd = { .fd = device->fd, .events = POLLIN };
	int r = poll(&fd, 1, timeout_ms);

	trial_require(device->trial, r >= 0, "poll: %s", strerror(errno));
	return r ? fd.revents : 0;
}
