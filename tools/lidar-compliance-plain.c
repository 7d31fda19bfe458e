/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-plain.c - group plain: GET_FRAME, RELEASE_FRAME, read() */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "tools/lidar-compliance-device.h"

#define SHORT_NS (100 * (int64_t)NSEC_PER_MSEC)

static void start_empty(struct device *device, const struct trial *trial)
{
	device_ready_any(device, trial);
	trial_expect(trial, "START", device_try_start(device, 0, 0), 0);
}

static void frames_come_and_go(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint64_t next = 0;
	int i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < 200; i++) {
		desc = device_get_frame(&device);
		device_check_desc(&device, &desc);
		trial_require(trial, desc.seq == next + desc.lost_before,
			      "seq %llu instead of %llu + %u", (unsigned long long)desc.seq,
			      (unsigned long long)next, desc.lost_before);
		next = desc.seq + 1;
		trial_expect(trial, "RELEASE_FRAME", device_try_release(&device, desc.offset), 0);
	}
}

static void frames_are_released_in_any_order(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc held[LIDAR_RING_SLOTS_MAX];
	struct device device;
	uint32_t i, half, round;

	device_ready_any(&device, trial);
	device_start(&device);
	half = device.layout.slot_count / 2;
	for (round = 0; round < 20; round++) {
		for (i = 0; i < half; i++)
			held[i] = device_get_frame(&device);
		for (i = half; i--;)
			trial_expect(trial, "RELEASE_FRAME",
				     device_try_release(&device, held[(i + round) % half].offset),
				     0);
	}
}

static void frame_released_twice_is_refused(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	start_empty(&device, trial);
	device_give_back(&device, device_offset_of(&device, 0));
	desc = device_get_frame(&device);
	trial_expect(trial, "RELEASE_FRAME", device_try_release(&device, desc.offset), 0);
	trial_expect(trial, "RELEASE_FRAME again", device_try_release(&device, desc.offset),
		     EALREADY);
}

static void released_frame_is_free_when_stopped(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	device_ready_any(&device, trial);
	device_start(&device);
	desc = device_get_frame(&device);
	device_stop(&device);
	trial_expect(trial, "RELEASE_FRAME", device_try_release(&device, desc.offset), 0);
	trial_require(trial,
		      device_slot_state(&device, device_slot_of(&device, desc.offset)) ==
			      LIDAR_RING_SLOT_FREE, "it is not");
}

static void get_frame_takes_its_time(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint64_t began_ns, took_ns;

	start_empty(&device, trial);
	began_ns = clock_now_ns();
	trial_expect(trial, "GET_FRAME", device_try_get_frame(&device, SHORT_NS, &desc), EAGAIN);
	took_ns = clock_now_ns() - began_ns;
	trial_require(trial, took_ns >= (uint64_t)SHORT_NS, "it gave up after %llu of %llu ns",
		      (unsigned long long)took_ns, (unsigned long long)SHORT_NS);
	trial_require(trial, took_ns < 20ull * (uint64_t)SHORT_NS,
		      "it took %llu ns instead of %llu", (unsigned long long)took_ns,
		      (unsigned long long)SHORT_NS);
}

static void get_frame_without_time_does_not_wait(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	start_empty(&device, trial);
	trial_expect(trial, "GET_FRAME", device_try_get_frame(&device, 0, &desc), EAGAIN);
}

static void nonblocking_file_does_not_wait(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	char byte;

	start_empty(&device, trial);
	trial_require(trial, fcntl(device.fd, F_SETFL, O_NONBLOCK) == 0, "fcntl: %s",
		      strerror(errno));
	trial_expect(trial, "GET_FRAME", device_try_get_frame(&device, -1, &desc), EAGAIN);
	trial_expect(trial, "read", read(device.fd, &byte, 1) < 0 ? -errno : 0, EAGAIN);
}

static void longest_time_is_no_overflow(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	device_ready_any(&device, trial);
	device_start(&device);
	trial_expect(trial, "GET_FRAME", device_try_get_frame(&device, INT64_MAX, &desc), 0);
	trial_expect(trial, "GET_FRAME", device_try_get_frame(&device, -1, &desc), 0);
}

static void on_alarm(int signal_number)
{
}

static void alarm_soon(void)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	/* again and again: the first may come before the call that it shall end */
	const struct itimerval soon = {
		.it_value.tv_usec = 100000,
		.it_interval.tv_usec = 100000,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
}

static void signal_ends_get_frame(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;

	start_empty(&device, trial);
	alarm_soon();
	trial_expect(trial, "GET_FRAME", device_try_get_frame(&device, -1, &desc), EINTR);
}

static void signal_ends_read(const struct trial *trial, const void *arg)
{
	struct device device;
	char byte;

	start_empty(&device, trial);
	alarm_soon();
	trial_expect(trial, "read", read(device.fd, &byte, 1) < 0 ? -errno : 0, EINTR);
}

static void *stop_soon(void *arg)
{
	const struct device *device = arg;

	usleep(100000);
	device_stop(device);
	return NULL;
}

static void stop_ends_get_frame(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	pthread_t thread;

	start_empty(&device, trial);
	trial_require(trial, pthread_create(&thread, NULL, stop_soon, &device) == 0, "no thread");
	trial_expect(trial, "GET_FRAME", device_try_get_frame(&device, -1, &desc), EPIPE);
	pthread_join(thread, NULL);
}

static void ready_frames_outlive_stop(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint32_t i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < device.layout.slot_count; i++)
		device_await_slot(&device, i, LIDAR_RING_SLOT_FULL);
	device_stop(&device);
	for (i = 0; i < device.layout.slot_count; i++)
		trial_expect(trial, "GET_FRAME", device_try_get_frame(&device, -1, &desc), 0);
	trial_expect(trial, "GET_FRAME of an empty ring", device_try_get_frame(&device, -1, &desc),
		     EPIPE);
}

static void *get_frames(void *arg)
{
	const struct device *device = arg;
	struct lidar_ring_desc desc;
	int i;

	for (i = 0; i < 100; i++) {
		desc = device_get_frame(device);
		device_check_desc(device, &desc);
		trial_expect(device->trial, "RELEASE_FRAME",
			     device_try_release(device, desc.offset), 0);
	}
	return NULL;
}

static void threads_share_the_frames(const struct trial *trial, const void *arg)
{
	struct device device;
	pthread_t threads[3];
	size_t i;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < COUNT_OF(threads); i++)
		trial_require(trial, pthread_create(&threads[i], NULL, get_frames, &device) == 0,
			      "no thread");
	for (i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
}

static unsigned char *read_buffer(const struct device *device)
{
	unsigned char *buffer = malloc(device->layout.slot_bytes);

	trial_require(device->trial, buffer, "out of memory");
	return buffer;
}

static size_t read_some(const struct device *device, void *buffer, size_t bytes)
{
	ssize_t n = read(device->fd, buffer, bytes);

	trial_expect(device->trial, "read", n < 0 ? -errno : 0, 0);
	trial_require(device->trial, n > 0 && (size_t)n <= bytes, "read of %zu bytes gave %zd",
		      bytes, n);
	return (size_t)n;
}

/* Each slice is one that was delivered; its bytes are counted as copied. */
static void read_copies_slices(const struct trial *trial, const void *arg)
{
	struct lidar_ring_stats before, after;
	unsigned char *buffer;
	struct device device;
	uint64_t bytes = 0;
	int i;

	device_ready_any(&device, trial);
	buffer = read_buffer(&device);
	before = device_get_stats(&device);
	device_start(&device);
	for (i = 0; i < 50; i++)
		bytes += read_some(&device, buffer, device.layout.slot_bytes);
	after = device_get_stats(&device);
	trial_require(trial, after.copied_bytes - before.copied_bytes == bytes,
		      "%llu bytes read, copied_bytes says %llu", (unsigned long long)bytes,
		      (unsigned long long)(after.copied_bytes - before.copied_bytes));
	trial_require(trial, after.delivered - before.delivered >= 50, "50 reads, %llu slices",
		      (unsigned long long)(after.delivered - before.delivered));
}

/* what a reader in small pieces gets is what lies in the slot */
static void read_in_pieces_is_the_slice(const struct trial *trial, const void *arg)
{
	unsigned char *buffer;
	struct device device;
	size_t got = 0, want;
	uint32_t crc;

	start_empty(&device, trial);
	buffer = read_buffer(&device);
	device_give_back(&device, device_offset_of(&device, 1));
	device_poll(&device, PATIENCE_MS);
	crc = crc32c(0, device.slots + device.stride, device.layout.slot_bytes);
	for (want = 1; got < LIDAR_RING_SLOT_ALIGN / 2; want = want * 3 % 1021)
		got += read_some(&device, buffer + got, want);
	trial_require(trial, memcmp(buffer, device.slots + device.stride, got) == 0,
		      "the first %zu bytes are not the slice's", got);
	trial_require(trial,
		      crc32c(0, device.slots + device.stride, device.layout.slot_bytes) == crc,
		      "the slot was written while it was being read");
}

static void reading_goes_on(const struct trial *trial, const void *arg)
{
	unsigned char *buffer;
	struct device device;
	size_t got = 0;

	device_ready_any(&device, trial);
	buffer = read_buffer(&device);
	device_start(&device);
	/* pieces that do not add up to slices, until the slots have gone round some times */
	while (got < 10 * device.layout.slot_count * device.layout.slot_bytes / 4)
		got += read_some(&device, buffer, device.layout.slot_bytes / 3 + 1);
}

static void read_of_nothing_is_nothing(const struct trial *trial, const void *arg)
{
	struct device device;
	char byte;

	device_ready_any(&device, trial);
	device_start(&device);
	trial_expect(trial, "read of 0 bytes", read(device.fd, &byte, 0) < 0 ? -errno : 0, 0);
}

static void read_into_nowhere_is_a_fault(const struct trial *trial, const void *arg)
{
	struct device device;
	void *volatile nowhere = NULL;

	device_ready_any(&device, trial);
	device_start(&device);
	trial_expect(trial, "read", read(device.fd, nowhere, 4096) < 0 ? -errno : 0, EFAULT);
}

static void read_when_stopped_is_an_end(const struct trial *trial, const void *arg)
{
	struct device device;
	char byte;

	device_ready_any(&device, trial);
	trial_expect(trial, "read", read(device.fd, &byte, 1) < 0 ? -errno : 0, EPIPE);
}

static const struct check checks[] = {
	{ "frames_come_and_go", frames_come_and_go },
	{ "frames_are_released_in_any_order", frames_are_released_in_any_order },
	{ "frame_released_twice_is_refused", frame_released_twice_is_refused },
	{ "released_frame_is_free_when_stopped", released_frame_is_free_when_stopped },
	{ "get_frame_takes_its_time", get_frame_takes_its_time },
	{ "get_frame_without_time_does_not_wait", get_frame_without_time_does_not_wait },
	{ "nonblocking_file_does_not_wait", nonblocking_file_does_not_wait },
	{ "longest_time_is_no_overflow", longest_time_is_no_overflow },
	{ "signal_ends_get_frame", signal_ends_get_frame },
	{ "signal_ends_read", signal_ends_read },
	{ "stop_ends_get_frame", stop_ends_get_frame },
	{ "ready_frames_outlive_stop", ready_frames_outlive_stop },
	{ "threads_share_the_frames", threads_share_the_frames },
	{ "read_copies_slices", read_copies_slices },
	{ "read_in_pieces_is_the_slice", read_in_pieces_is_the_slice },
	{ "reading_goes_on", reading_goes_on },
	{ "read_of_nothing_is_nothing", read_of_nothing_is_nothing },
	{ "read_into_nowhere_is_a_fault", read_into_nowhere_is_a_fault },
	{ "read_when_stopped_is_an_end", read_when_stopped_is_an_end },
};

void add_plain_checks(struct check_list *list)
{
	check_list_add_table(list, "plain", checks, COUNT_OF(checks));
}
