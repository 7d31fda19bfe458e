/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-adopt.c - group adopt: rings that outlive their owner
 *
 * The heir is the check's own process.  The owner is a child that sets up,
 * hands its file over, and dies.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "tools/lidar-compliance-child.h"
#include "tools/lidar-compliance-device.h"

/* what the owner has left, in memory shared with the heir */
struct legacy {
	struct lidar_ring_layout layout;
	struct lidar_ring_desc held;
	uint32_t held_crc;
	uint32_t ready_consumer;
};

static struct legacy *make_legacy(const struct trial *trial)
{
	void *p = mmap(NULL, sizeof(struct legacy), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	trial_require(trial, p != MAP_FAILED, "mmap: %s", strerror(errno));
	return p;
}

/* The owner's life: stream, hold one slice, hand the file over, and wait for the end. */
__attribute__((noreturn)) static void own(const struct trial *trial, const struct child *heir,
					  enum device_stage stage, struct legacy *legacy)
{
	struct device device;
	int i;

	device_ready(&device, trial, stage);
	for (i = 0; i < 5; i++)
		device_give_back(&device, device_take(&device).offset);
	legacy->layout = device.layout;
	legacy->held = device_take(&device);
	legacy->held_crc = crc32c(0, device_bytes_of(&device, &legacy->held), legacy->held.bytes);
	device_kick(&device);
	legacy->ready_consumer = device_load(&device, device.layout.ready_consumer);
	child_send(trial, heir, device.fd);
	for (;;)
		pause();
}

/* Returns with the file of an owner that lives. */
static struct child inherit(struct device *device, const struct trial *trial,
			    enum device_stage stage, struct legacy **ret_legacy)
{
	struct child owner;

	*device = (struct device){ .trial = trial, .memory = LIDAR_RING_MEMORY_KERNEL };
	*ret_legacy = make_legacy(trial);
	owner = child_fork(trial);
	if (owner.pid == 0)
		own(trial, &owner, stage, *ret_legacy);
	device->fd = child_receive(trial, &owner);
	device->stride = (*ret_legacy)->layout.slot_bytes;
	return owner;
}

static long try_adopt(struct device *device)
{
	return device_call(device->fd, LIDAR_RING_IOC_ADOPT, &device->layout);
}

/* Returns what has been adopted, mapped. */
static struct legacy *adopt(struct device *device, const struct trial *trial)
{
	struct legacy *legacy;
	struct child owner = inherit(device, trial, DEVICE_STREAMING_KERNEL, &legacy);

	child_kill(trial, owner.pid);
	trial_expect(trial, "ADOPT", try_adopt(device), 0);
	device_map(device);
	return legacy;
}

static void living_owner_keeps_its_ring(const struct trial *trial, const void *arg)
{
	struct legacy *legacy;
	struct device device;
	struct child owner = inherit(&device, trial, DEVICE_STREAMING_KERNEL, &legacy);

	trial_expect(trial, "ADOPT", try_adopt(&device), EBUSY);
	/* a process that is stopped is alive */
	kill(owner.pid, SIGSTOP);
	usleep(50000);
	trial_expect(trial, "ADOPT from a stopped owner", try_adopt(&device), EBUSY);
	kill(owner.pid, SIGCONT);
	child_kill(trial, owner.pid);
}

static void *stay(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* main() has ended, but another thread lives: the process uses its memory still */
static void process_without_its_first_thread_lives(const struct trial *trial, const void *arg)
{
	struct device device, heir = { .trial = trial };
	struct child owner = child_fork(trial);
	pthread_t thread;

	if (owner.pid == 0) {
		device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
		child_send(trial, &owner, device.fd);
		trial_require(trial, pthread_create(&thread, NULL, stay, NULL) == 0, "no thread");
		pthread_exit(NULL);
	}
	heir.fd = child_receive(trial, &owner);
	usleep(SUSPICION_MS * 1000);
	trial_expect(trial, "ADOPT", try_adopt(&heir), EBUSY);
	child_kill(trial, owner.pid);
	trial_expect(trial, "ADOPT after the end", try_adopt(&heir), 0);
}

/* ended but not yet waited for: its memory is gone, so the ring is free to adopt */
static void zombie_is_dead(const struct trial *trial, const void *arg)
{
	struct legacy *legacy;
	struct device device;
	struct child owner = inherit(&device, trial, DEVICE_STREAMING_KERNEL, &legacy);
	siginfo_t info;

	kill(owner.pid, SIGKILL);
	trial_require(trial, waitid(P_PID, (id_t)owner.pid, &info, WEXITED | WNOWAIT) == 0,
		      "waitid: %s", strerror(errno));
	trial_expect(trial, "ADOPT", try_adopt(&device), 0);
}

static void heir_must_adopt_first(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct legacy *legacy;
	struct device device;
	struct child owner = inherit(&device, trial, DEVICE_STREAMING_KERNEL, &legacy);

	child_kill(trial, owner.pid);
	trial_expect(trial, "KICK", device_call(device.fd, LIDAR_RING_IOC_KICK, NULL), EPERM);
	trial_expect(trial, "GET_FRAME", device_try_get_frame(&device, 0, &desc), EPERM);
	trial_expect(trial, "STOP", device_call(device.fd, LIDAR_RING_IOC_STOP, NULL), EPERM);
	trial_require(trial,
		      mmap(NULL, legacy->layout.control_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			   device.fd, (off_t)legacy->layout.control_offset) == MAP_FAILED,
		      "it maps the control page");
	trial_expect(trial, "ADOPT", try_adopt(&device), 0);
	device_map(&device);
	device_kick(&device);
}

static void layout_is_the_same(const struct trial *trial, const void *arg)
{
	struct device device;
	struct legacy *legacy = adopt(&device, trial);

	trial_require(trial, memcmp(&legacy->layout, &device.layout, sizeof(device.layout)) == 0,
		      "it is not");
}

static void owner_pid_is_the_heirs(const struct trial *trial, const void *arg)
{
	struct lidar_ring_info info;
	struct device device;

	adopt(&device, trial);
	info = device_get_info(&device);
	trial_require(trial, info.owner_pid == getpid(), "owner_pid is %d instead of %d",
		      info.owner_pid, getpid());
	trial_require(trial, info.state == LIDAR_RING_STREAMING, "state is %u", info.state);
}

static void held_slot_is_still_held(const struct trial *trial, const void *arg)
{
	struct device device;
	struct legacy *legacy = adopt(&device, trial);
	uint32_t slot = device_slot_of(&device, legacy->held.offset);
	int i;

	for (i = 0; i < 50; i++) {
		struct lidar_ring_desc desc = device_take(&device);

		trial_require(trial, desc.offset != legacy->held.offset,
			      "the slot that the owner held comes again");
		device_give_back(&device, desc.offset);
	}
	trial_require(trial, device_slot_state(&device, slot) == LIDAR_RING_SLOT_HELD,
		      "slot %u is in state %u", slot, device_slot_state(&device, slot));
	trial_require(trial,
		      crc32c(0, device_bytes_of(&device, &legacy->held), legacy->held.bytes) ==
			      legacy->held_crc, "its contents have changed");
	device_give_back(&device, legacy->held.offset);
}

static void stream_goes_on_without_a_gap(const struct trial *trial, const void *arg)
{
	struct device device;
	struct legacy *legacy = adopt(&device, trial);
	uint64_t last = legacy->held.seq;
	int i;

	trial_require(trial,
		      device_load(&device, device.layout.ready_consumer) == legacy->ready_consumer,
		      "ready_consumer is %u instead of %u",
		      device_load(&device, device.layout.ready_consumer), legacy->ready_consumer);
	for (i = 0; i < 50; i++) {
		struct lidar_ring_desc desc = device_take(&device);

		device_check_desc(&device, &desc);
		trial_require(trial, desc.seq == last + 1 + desc.lost_before,
			      "seq %llu after %llu with lost_before %u",
			      (unsigned long long)desc.seq, (unsigned long long)last,
			      desc.lost_before);
		last = desc.seq;
		device_give_back(&device, desc.offset);
	}
}

static void heir_stops_and_starts_it(const struct trial *trial, const void *arg)
{
	struct legacy *legacy;
	struct device device;
	struct child owner = inherit(&device, trial, DEVICE_STREAMING_KERNEL, &legacy);

	child_kill(trial, owner.pid);
	trial_expect(trial, "ADOPT", try_adopt(&device), 0);
	device_map(&device);
	device_stop(&device);
	device_start(&device);
	device_stop(&device);
	device_close(&device);
}

static void heir_that_cannot_be_told_may_try_again(const struct trial *trial, const void *arg)
{
	struct legacy *legacy;
	struct device device;
	struct child owner = inherit(&device, trial, DEVICE_STREAMING_KERNEL, &legacy);

	child_kill(trial, owner.pid);
	trial_expect(trial, "ADOPT without a layout",
		     device_call(device.fd, LIDAR_RING_IOC_ADOPT, NULL), EFAULT);
	trial_expect(trial, "ADOPT", try_adopt(&device), 0);
}

static void living_heir_keeps_it(const struct trial *trial, const void *arg)
{
	struct lidar_ring_layout layout;
	struct device device, second;
	struct child child;

	adopt(&device, trial);
	layout = device.layout;
	/* one's own ring is that of somebody who lives */
	trial_expect(trial, "ADOPT again", try_adopt(&device), EBUSY);
	trial_require(trial, !memcmp(&device.layout, &layout, sizeof(layout)),
		      "an ADOPT that fails changes the layout it was to fill");
	child = child_fork(trial);
	if (child.pid == 0) {
		second = device;
		trial_expect(trial, "ADOPT from a living heir", try_adopt(&second), EBUSY);
		_exit(0);
	}
	child_wait(trial, child.pid);
}

static void user_memory_is_not_adopted(const struct trial *trial, const void *arg)
{
	struct legacy *legacy;
	struct device device;
	struct child owner = inherit(&device, trial, DEVICE_STREAMING_USER, &legacy);

	child_kill(trial, owner.pid);
	trial_expect(trial, "ADOPT", try_adopt(&device), EINVAL);
	trial_require(trial, device_get_info(&device).state != LIDAR_RING_STREAMING,
		      "the device streams into memory that is gone");
}

static void nothing_is_not_adopted(const struct trial *trial, const void *arg)
{
	struct device device;

	device_open(&device, trial);
	trial_expect(trial, "ADOPT", try_adopt(&device), EINVAL);
}

static void another_file_adopts_nothing(const struct trial *trial, const void *arg)
{
	struct legacy *legacy;
	struct device device, other;
	struct child owner = inherit(&device, trial, DEVICE_STREAMING_KERNEL, &legacy);

	child_kill(trial, owner.pid);
	device_open(&other, trial);
	trial_require(trial, try_adopt(&other) < 0, "a file that is not the owner's adopts");
	trial_expect(trial, "SETUP", device_try_setup(&other, LIDAR_RING_MEMORY_KERNEL), EBUSY);
	trial_expect(trial, "ADOPT", try_adopt(&device), 0);
}

static void close_of_the_last_file_ends_it(const struct trial *trial, const void *arg)
{
	struct legacy *legacy;
	struct device device, other;
	struct child owner = inherit(&device, trial, DEVICE_STREAMING_KERNEL, &legacy);

	child_kill(trial, owner.pid);
	close(device.fd);
	device_open(&other, trial);
	trial_require(trial, device_get_info(&other).state == LIDAR_RING_IDLE, "state is %u",
		      device_get_info(&other).state);
}

static const struct check checks[] = {
	{ "living_owner_keeps_its_ring", living_owner_keeps_its_ring },
	{ "process_without_its_first_thread_lives", process_without_its_first_thread_lives },
	{ "zombie_is_dead", zombie_is_dead },
	{ "heir_must_adopt_first", heir_must_adopt_first },
	{ "layout_is_the_same", layout_is_the_same },
	{ "owner_pid_is_the_heirs", owner_pid_is_the_heirs },
	{ "held_slot_is_still_held", held_slot_is_still_held },
	{ "stream_goes_on_without_a_gap", stream_goes_on_without_a_gap },
	{ "heir_stops_and_starts_it", heir_stops_and_starts_it },
	{ "heir_that_cannot_be_told_may_try_again", heir_that_cannot_be_told_may_try_again },
	{ "living_heir_keeps_it", living_heir_keeps_it },
	{ "user_memory_is_not_adopted", user_memory_is_not_adopted, .needs = NEEDS_USER_MEMORY },
	{ "nothing_is_not_adopted", nothing_is_not_adopted },
	{ "another_file_adopts_nothing", another_file_adopts_nothing },
	{ "close_of_the_last_file_ends_it", close_of_the_last_file_ends_it },
};

void add_adopt_checks(struct check_list *list)
{
	size_t i;

	for (i = 0; i < COUNT_OF(checks); i++) {
		struct check check = checks[i];

		check.needs |= NEEDS_KERNEL_MEMORY;
		check_list_add(list, "adopt", &check);
	}
}
