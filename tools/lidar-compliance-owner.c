/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-owner.c - group owner: other files, other processes, sudden ends */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "tools/lidar-compliance-child.h"
#include "tools/lidar-compliance-device.h"

/* Calls that are the owner's alone, each refused with one errno. */
static void expect_all_refused(struct device *device, int want)
{
	const struct trial *trial = device->trial;
	struct lidar_ring_export export = { .kind = LIDAR_RING_EXPORT_DATA };
	struct lidar_ring_register registration = {};
	struct lidar_ring_desc desc;
	char byte;

	trial_expect(trial, "START", device_try_start(device, 0, 0), want);
	trial_expect(trial, "STOP", device_call(device->fd, LIDAR_RING_IOC_STOP, NULL), want);
	trial_expect(trial, "KICK", device_call(device->fd, LIDAR_RING_IOC_KICK, NULL), want);
	trial_expect(trial, "GET_FRAME", device_try_get_frame(device, 0, &desc), want);
	trial_expect(trial, "RELEASE_FRAME", device_try_release(device, 0), want);
	trial_expect(trial, "EXPORT", device_call(device->fd, LIDAR_RING_IOC_EXPORT, &export),
		     want);
	trial_expect(trial, "REGISTER",
		     device_call(device->fd, LIDAR_RING_IOC_REGISTER, &registration), want);
	trial_expect(trial, "read", read(device->fd, &byte, 1) < 0 ? -errno : 0, want);
}

static void another_file_may_ask_only(const struct trial *trial, const void *arg)
{
	struct device device, other;

	device_ready_any(&device, trial);
	device_start(&device);
	device_open(&other, trial);
	trial_require(trial, device_get_info(&other).state == LIDAR_RING_STREAMING,
		      "INFO of another file does not tell that it streams");
	trial_require(trial, device_get_info(&other).owner_pid == getpid(),
		      "INFO of another file does not tell the owner");
	device_take(&device);
	trial_require(trial, device_get_stats(&other).delivered > 0,
		      "STATS of another file is 0");
	trial_expect(trial, "SETUP", device_try_setup(&other, device.memory), EBUSY);
	expect_all_refused(&other, EPERM);
	device_give_back(&device, device_take(&device).offset);
}

/* the file is shared, the ring is not */
static void child_has_no_part_in_it(const struct trial *trial, const void *arg)
{
	struct device device;
	struct child child;

	device_ready_any(&device, trial);
	device_start(&device);
	child = child_fork(trial);
	if (child.pid == 0) {
		expect_all_refused(&device, EPERM);
		trial_expect(trial, "SETUP", device_try_setup(&device, device.memory), EBUSY);
		device_get_info(&device);
		device_get_stats(&device);
		_exit(0);
	}
	child_wait(trial, child.pid);
	device_take(&device);
}

static void child_maps_nothing(const struct trial *trial, const void *arg)
{
	struct device device;
	struct child child;

	device_ready_any(&device, trial);
	child = child_fork(trial);
	if (child.pid == 0) {
		void *p = mmap(NULL, device.layout.control_bytes, PROT_READ | PROT_WRITE,
			       MAP_SHARED, device.fd, (off_t)device.layout.control_offset);

		trial_require(trial, p == MAP_FAILED, "it maps the control page");
		_exit(0);
	}
	child_wait(trial, child.pid);
}

static void receiver_of_the_file_has_no_part_in_it(const struct trial *trial, const void *arg)
{
	struct device device = { .trial = trial };
	struct child child = child_fork(trial);

	if (child.pid == 0) {
		device.fd = child_receive(trial, &child);
		expect_all_refused(&device, EPERM);
		_exit(0);
	}
	device_ready_any(&device, trial);
	device_start(&device);
	child_send(trial, &child, device.fd);
	child_wait(trial, child.pid);
	device_take(&device);
}

static void duplicate_is_the_same_file(const struct trial *trial, const void *arg)
{
	struct device device;
	int old, i;

	device_ready_any(&device, trial);
	device_start(&device);
	old = device.fd;
	device.fd = dup(old);
	close(old);
	for (i = 0; i < 20; i++)
		device_give_back(&device, device_take(&device).offset);
	device_kick(&device);
	device_stop(&device);
}

static void *use_in_a_thread(void *arg)
{
	struct device *device = arg;

	device_start(device);
	device_give_back(device, device_take(device).offset);
	device_stop(device);
	return NULL;
}

static void threads_own_it_together(const struct trial *trial, const void *arg)
{
	struct device device;
	pthread_t thread;

	device_ready_any(&device, trial);
	trial_require(trial, pthread_create(&thread, NULL, use_in_a_thread, &device) == 0,
		      "no thread");
	pthread_join(thread, NULL);
	device_start(&device);
}

static void two_files_of_one_process_are_two(const struct trial *trial, const void *arg)
{
	struct device device, other;

	device_ready_any(&device, trial);
	device_open(&other, trial);
	trial_expect(trial, "SETUP", device_try_setup(&other, device.memory), EBUSY);
	device_close(&other);
	device_start(&device);
	device_take(&device);
}

static void close_lets_the_next_in(const struct trial *trial, const void *arg)
{
	struct device device, other;

	device_ready_any(&device, trial);
	device_start(&device);
	device_open(&other, trial);
	trial_expect(trial, "SETUP", device_try_setup(&other, device.memory), EBUSY);
	device_close(&device);
	trial_expect(trial, "SETUP after the other's close",
		     device_try_setup(&other, device.memory), 0);
}

static void stream_for_ever(const struct trial *trial, const struct child *child)
{
	struct device device;

	device_ready_any(&device, trial);
	device_start(&device);
	device_give_back(&device, device_take(&device).offset);
	child_tell(trial, child);
	for (;;)
		device_give_back(&device, device_take(&device).offset);
}

/* waitpid() has returned: there is nothing left to wait for */
static void kill_lets_the_next_in_at_once(const struct trial *trial, const void *arg)
{
	struct device next;
	struct child child;
	int i;

	for (i = 0; i < 10; i++) {
		child = child_fork(trial);
		if (child.pid == 0)
			stream_for_ever(trial, &child);
		child_await(trial, &child);
		child_kill(trial, child.pid);
		close(child.socket);
		device_ready_any(&next, trial);
		device_start(&next);
		device_take(&next);
		device_close(&next);
		if (next.memory == LIDAR_RING_MEMORY_USER)
			munmap(next.user, next.user_bytes);
	}
}

static void wait_for_ever(const struct trial *trial, const struct child *child)
{
	struct lidar_ring_desc desc;
	struct device device;

	device_ready_any(&device, trial);
	trial_expect(trial, "START", device_try_start(&device, 0, 0), 0);
	child_tell(trial, child);
	device_try_get_frame(&device, -1, &desc);
}

static void kill_ends_a_waiting_get_frame(const struct trial *trial, const void *arg)
{
	struct device next;
	struct child child = child_fork(trial);

	if (child.pid == 0)
		wait_for_ever(trial, &child);
	child_await(trial, &child);
	usleep(100000);
	child_kill(trial, child.pid);
	device_ready_any(&next, trial);
}

/* killed in the middle of SETUP, START, STOP, whatever it is just doing */
static void kill_at_any_moment_is_fine(const struct trial *trial, const void *arg)
{
	struct device device;
	struct child child;
	int i;

	for (i = 0; i < 20; i++) {
		child = child_fork(trial);
		while (child.pid == 0) {
			device_ready_any(&device, trial);
			device_start(&device);
			device_take(&device);
			device_stop(&device);
			device_close(&device);
		}
		usleep((useconds_t)(3000 + i * 1700));
		child_kill(trial, child.pid);
		close(child.socket);
		device_ready_any(&device, trial);
		device_close(&device);
	}
}

/* a stopped process is alive, and its slots are its own */
static void stopped_process_keeps_its_ring(const struct trial *trial, const void *arg)
{
	struct device other;
	struct child child = child_fork(trial);

	if (child.pid == 0)
		stream_for_ever(trial, &child);
	child_await(trial, &child);
	kill(child.pid, SIGSTOP);
	usleep(SUSPICION_MS * 1000);
	device_open(&other, trial);
	trial_expect(trial, "SETUP", device_try_setup(&other, LIDAR_RING_MEMORY_KERNEL), EBUSY);
	kill(child.pid, SIGCONT);
	child_kill(trial, child.pid);
	trial_require(trial, device_get_info(&other).state == LIDAR_RING_IDLE, "state is %u",
		      device_get_info(&other).state);
}

static void ten_ask_while_it_streams(const struct trial *trial, const void *arg)
{
	struct device device, asker;
	pid_t pids[10];
	size_t i;
	int k;

	device_ready_any(&device, trial);
	device_start(&device);
	for (i = 0; i < COUNT_OF(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			for (k = 0; k < 50; k++) {
				device_open(&asker, trial);
				device_get_info(&asker);
				device_get_stats(&asker);
				device_close(&asker);
			}
			_exit(0);
		}
	}
	for (i = 0; i < 50; i++)
		device_give_back(&device, device_take(&device).offset);
	for (i = 0; i < COUNT_OF(pids); i++)
		child_wait(trial, pids[i]);
}

/* one at a time has it, the others are refused */
static void many_fight_for_it(const struct trial *trial, const void *arg)
{
	const uint64_t until_ns = clock_now_ns() + 3 * NSEC_PER_SEC;
	struct device device;
	pid_t pids[4];
	size_t i;
	long r;

	for (i = 0; i < COUNT_OF(pids); i++) {
		pids[i] = fork();
		while (pids[i] == 0) {
			device_open(&device, trial);
			r = device_try_setup(&device, LIDAR_RING_MEMORY_KERNEL);
			trial_expect_either(trial, "SETUP", r, 0, EBUSY);
			if (r == 0) {
				device_map(&device);
				device_start(&device);
				device_take(&device);
			}
			device_close(&device);
			if (clock_now_ns() > until_ns)
				_exit(0);
		}
	}
	for (i = 0; i < COUNT_OF(pids); i++)
		child_wait(trial, pids[i]);
}

static const struct check checks[] = {
	{ "another_file_may_ask_only", another_file_may_ask_only },
	{ "child_has_no_part_in_it", child_has_no_part_in_it },
	{ "child_maps_nothing", child_maps_nothing },
	{ "receiver_of_the_file_has_no_part_in_it", receiver_of_the_file_has_no_part_in_it },
	{ "duplicate_is_the_same_file", duplicate_is_the_same_file },
	{ "threads_own_it_together", threads_own_it_together },
	{ "two_files_of_one_process_are_two", two_files_of_one_process_are_two },
	{ "close_lets_the_next_in", close_lets_the_next_in },
	{ "kill_lets_the_next_in_at_once", kill_lets_the_next_in_at_once },
	{ "kill_ends_a_waiting_get_frame", kill_ends_a_waiting_get_frame },
	{ "kill_at_any_moment_is_fine", kill_at_any_moment_is_fine },
	{ "stopped_process_keeps_its_ring", stopped_process_keeps_its_ring },
	{ "ten_ask_while_it_streams", ten_ask_while_it_streams },
	{ "many_fight_for_it", many_fight_for_it, .needs = NEEDS_KERNEL_MEMORY },
};

void add_owner_checks(struct check_list *list)
{
	check_list_add_table(list, "owner", checks, COUNT_OF(checks));
}
