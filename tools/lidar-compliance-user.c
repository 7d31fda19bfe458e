/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-user.c - group user: memory of the caller */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "tools/lidar-compliance-child.h"
#include "tools/lidar-compliance-device.h"

#define GUARD_BYTE 0xa7

static long try_register(const struct device *device)
{
	struct lidar_ring_register registration = device_get_registration(device);

	return device_call(device->fd, LIDAR_RING_IOC_REGISTER, &registration);
}

static void register_or_fail(const struct device *device)
{
	trial_expect(device->trial, "REGISTER", try_register(device), 0);
}

/* Memory that is no memfd, for who cares what kind it is. */
static void use_memory(struct device *device, int flags)
{
	device->stride = device->trial->slot_bytes;
	device->first = 0;
	device->user_bytes = device->trial->slot_count * device->stride;
	device->user = mmap(NULL, device->user_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	trial_require(device->trial, device->user != MAP_FAILED, "mmap: %s", strerror(errno));
	device->slots = device->user;
}

static void expect_slices(const struct device *device, int count)
{
	struct lidar_ring_desc desc;

	while (count--) {
		desc = device_take(device);
		device_check_desc(device, &desc);
		device_give_back(device, desc.offset);
	}
}

/* where no CRC tells, at least something must have been written */
static void expect_written(const struct device *device, const struct lidar_ring_desc *desc)
{
	const unsigned char *data = device_bytes_of(device, desc);
	size_t i;

	for (i = 0; i < desc->bytes && data[i] == GUARD_BYTE; i++)
		;
	trial_require(device->trial, i < desc->bytes, "seq %llu: nothing was written",
		      (unsigned long long)desc->seq);
}

static void expect_arrival(const struct device *device)
{
	struct lidar_ring_desc desc;

	memset(device->user, GUARD_BYTE, device->user_bytes);
	register_or_fail(device);
	device_start(device);
	desc = device_take(device);
	device_check_desc(device, &desc);
	expect_written(device, &desc);
	device_give_back(device, desc.offset);
	expect_slices(device, 50);
}

static void data_arrives_in_a_memfd(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	device_make_user_memory(&device, 0);
	expect_arrival(&device);
}

static void data_arrives_in_anonymous_memory(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	use_memory(&device, MAP_PRIVATE | MAP_ANONYMOUS);
	expect_arrival(&device);
}

static void data_arrives_in_shared_anonymous_memory(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	use_memory(&device, MAP_SHARED | MAP_ANONYMOUS);
	expect_arrival(&device);
}

/* pages that nobody has touched yet are the zero page until they are pinned for writing */
static void data_arrives_in_untouched_memory(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	use_memory(&device, MAP_PRIVATE | MAP_ANONYMOUS);
	register_or_fail(&device);
	device_start(&device);
	expect_slices(&device, 20);
}

/* copy on write must not separate the owner from its device */
static void data_arrives_after_a_fork(const struct trial *trial, const void *arg)
{
	struct device device;
	pid_t pid;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	use_memory(&device, MAP_PRIVATE | MAP_ANONYMOUS);
	register_or_fail(&device);
	device_start(&device);
	expect_slices(&device, 5);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	expect_slices(&device, 50);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void another_process_sees_the_data(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	unsigned char *view;
	uint32_t crc;
	pid_t pid;

	device_ready(&device, trial, DEVICE_STREAMING_USER);
	desc = device_take(&device);
	crc = crc32c(0, device_bytes_of(&device, &desc), desc.bytes);
	pid = fork();
	if (pid == 0) {
		view = mmap(NULL, device.user_bytes, PROT_READ, MAP_SHARED, device.user_fd, 0);
		trial_require(trial, view != MAP_FAILED, "mmap: %s", strerror(errno));
		trial_require(trial, crc32c(0, view + desc.offset, desc.bytes) == crc,
			      "it sees something else");
		_exit(0);
	}
	child_wait(trial, pid);
}

static void fill_guards(const struct device *device)
{
	memset(device->user, GUARD_BYTE, device->user_bytes);
}

static void expect_guard(const struct device *device, uint64_t begin, uint64_t end)
{
	uint64_t i;

	for (i = begin; i < end; i++)
		trial_require(device->trial, device->user[i] == GUARD_BYTE,
			      "byte %llu, of no slot, was written", (unsigned long long)i);
}

/* before the first, between, and behind the last */
static void memory_between_slots_is_not_written(const struct trial *trial, const void *arg)
{
	struct device device;
	uint32_t i;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	device_make_user_memory(&device, LIDAR_RING_SLOT_ALIGN * 2);
	fill_guards(&device);
	register_or_fail(&device);
	device_start(&device);
	expect_slices(&device, 100);
	device_stop(&device);
	expect_guard(&device, 0, device.first);
	for (i = 0; i < trial->slot_count; i++) {
		uint64_t end = device_offset_of(&device, i) + trial->slot_bytes;

		expect_guard(&device, end,
			     i + 1 < trial->slot_count ? device_offset_of(&device, i + 1) :
							 device.user_bytes);
	}
}

static void slots_begin_at_first(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint64_t before;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	device_make_user_memory(&device, LIDAR_RING_SLOT_ALIGN);
	register_or_fail(&device);
	trial_expect(trial, "START", device_try_start(&device, 0, 0), 0);
	before = device_get_stats(&device).refused_offset;
	device_queue(&device, 0);
	device_queue(&device, trial->slot_bytes);
	device_kick(&device);
	trial_require(trial, device_get_stats(&device).refused_offset == before + 2,
		      "offsets before and between slots are taken for slots");
	device_give_back(&device, device.first);
	desc = device_take(&device);
	trial_require(trial, desc.offset == device.first, "offset %llu instead of %llu",
		      (unsigned long long)desc.offset, (unsigned long long)device.first);
}

static void read_only_memory_is_a_fault(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	device_make_user_memory(&device, 0);
	trial_require(trial, mprotect(device.user, device.user_bytes, PROT_READ) == 0,
		      "mprotect: %s", strerror(errno));
	trial_expect(trial, "REGISTER", try_register(&device), EFAULT);
}

static void memory_read_only_at_its_end_is_a_fault(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	device_make_user_memory(&device, 0);
	trial_require(trial,
		      mprotect(device.user + device.user_bytes - 4096, 4096, PROT_READ) == 0,
		      "mprotect: %s", strerror(errno));
	trial_expect(trial, "REGISTER", try_register(&device), EFAULT);
	trial_require(trial, device_get_info(&device).state == LIDAR_RING_CONFIGURED,
		      "the state has changed");
	mprotect(device.user, device.user_bytes, PROT_READ | PROT_WRITE);
	trial_expect(trial, "REGISTER, writable", try_register(&device), 0);
}

/* a file that others wrote as read-only must not be written by a device either */
static void file_opened_for_reading_is_a_fault(const struct trial *trial, const void *arg)
{
	struct device device;
	int fd;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	device_make_user_memory(&device, 0);
	munmap(device.user, device.user_bytes);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	device.user = mmap(NULL, device.user_bytes, PROT_READ, MAP_SHARED, fd, 0);
	trial_require(trial, device.user != MAP_FAILED, "mmap: %s", strerror(errno));
	trial_expect(trial, "REGISTER", try_register(&device), EFAULT);
}

static void memory_with_a_hole_is_a_fault(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	device_make_user_memory(&device, 0);
	munmap(device.user + trial->slot_bytes, LIDAR_RING_SLOT_ALIGN);
	trial_expect(trial, "REGISTER", try_register(&device), EFAULT);
}

static void registers_once(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_STOPPED_USER);
	trial_expect(trial, "REGISTER again", try_register(&device), EEXIST);
}

static void drop_ipc_lock(const struct trial *trial)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	trial_require(trial, syscall(SYS_capget, &header, data) == 0, "capget: %s",
		      strerror(errno));
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	data[0].permitted &= ~(1u << CAP_IPC_LOCK);
	trial_require(trial, syscall(SYS_capset, &header, data) == 0, "capset: %s",
		      strerror(errno));
}

static void limit_locked(const struct trial *trial, rlim_t bytes)
{
	const struct rlimit limit = { bytes, bytes };

	trial_require(trial, setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "setrlimit: %s",
		      strerror(errno));
}

static void memlock_limit_counts(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_CONFIGURED);
	device_make_user_memory(&device, 0);
	drop_ipc_lock(trial);
	limit_locked(trial, device.user_bytes - 4096);
	trial_expect(trial, "REGISTER of a page more than may be locked", try_register(&device),
		     ENOMEM);
	trial_require(trial, device_get_info(&device).state == LIDAR_RING_CONFIGURED,
		      "the state has changed");
}

/* what was pinned is given back each time, or the limit would be reached */
static void memlock_is_given_back(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	drop_ipc_lock(trial);
	limit_locked(trial, trial->slot_bytes * trial->slot_count);
	for (i = 0; i < 5; i++) {
		device_ready(&device, trial, DEVICE_STREAMING_USER);
		expect_slices(&device, 2);
		device_close(&device);
		munmap(device.user, device.user_bytes);
		close(device.user_fd);
	}
}

static void keep_flowing(struct device *device)
{
	struct lidar_ring_desc desc;
	int i;

	/* whether slices still come is up to the driver; that it lives on is not */
	for (i = 0; i < 50; i++)
		if (device_take_within(device, &desc, 20))
			device_give_back(device, desc.offset);
	device_stop(device);
	device_close(device);
	device_ready(device, device->trial, DEVICE_STREAMING_USER);
	expect_slices(device, 10);
}

static void unmapped_while_streaming(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_STREAMING_USER);
	expect_slices(&device, 5);
	munmap(device.user, device.user_bytes);
	keep_flowing(&device);
}

static void truncated_while_streaming(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_STREAMING_USER);
	expect_slices(&device, 5);
	trial_require(trial, ftruncate(device.user_fd, 0) == 0, "ftruncate: %s", strerror(errno));
	keep_flowing(&device);
}

static void punched_while_streaming(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_STREAMING_USER);
	expect_slices(&device, 5);
	trial_require(trial,
		      fallocate(device.user_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				(off_t)device.user_bytes) == 0, "fallocate: %s", strerror(errno));
	keep_flowing(&device);
}

/* mapped over with something else: the device goes on with the old pages */
static void memory_mapped_over_is_not_written(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	device_ready(&device, trial, DEVICE_STREAMING_USER);
	expect_slices(&device, 5);
	trial_require(trial,
		      mmap(device.user, device.user_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == device.user,
		      "mmap: %s", strerror(errno));
	fill_guards(&device);
	for (i = 0; i < 20; i++)
		device_give_back(&device, device_take(&device).offset);
	expect_guard(&device, 0, device.user_bytes);
}

/* after the last close nothing of it is written any more */
static void memory_is_left_alone_after_close(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	for (i = 0; i < 5; i++) {
		device_ready(&device, trial, DEVICE_STREAMING_USER);
		expect_slices(&device, 3);
		device_close(&device);
		fill_guards(&device);
		usleep(50000);
		expect_guard(&device, 0, device.user_bytes);
		munmap(device.user, device.user_bytes);
		close(device.user_fd);
	}
}

/* Stream into memory that another process has made. */
static void stream_into(struct device *device, const struct device *maker)
{
	device_ready(device, maker->trial, DEVICE_CONFIGURED);
	device->user = maker->user;
	device->user_bytes = maker->user_bytes;
	device->slots = maker->slots;
	device->stride = maker->stride;
	register_or_fail(device);
	device_start(device);
}

/* the dead owner's memory, which a living process maps, too */
static void memory_is_left_alone_after_a_kill(const struct trial *trial, const void *arg)
{
	struct device device, maker = { .trial = trial };
	pid_t pid;

	device_make_user_memory(&maker, 0);
	pid = fork();
	if (pid == 0) {
		stream_into(&device, &maker);
		for (;;)
			expect_slices(&device, 1);
	}
	usleep(300000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fill_guards(&maker);
	usleep(SUSPICION_MS * 1000);
	expect_guard(&maker, 0, maker.user_bytes);
}

/* likewise, though the file of the device lives on in another process */
static void memory_is_left_alone_though_the_file_lives(const struct trial *trial, const void *arg)
{
	struct device device, maker = { .trial = trial }, other;
	pid_t pid;

	device_make_user_memory(&maker, 0);
	pid = fork();
	if (pid == 0) {
		stream_into(&device, &maker);
		/* a child that holds the file, and lives until the end of the check */
		if (fork() == 0)
			pause();
		expect_slices(&device, 5);
		_exit(0);
	}
	child_wait(trial, pid);
	fill_guards(&maker);
	usleep(SUSPICION_MS * 1000);
	expect_guard(&maker, 0, maker.user_bytes);
	device_open(&other, trial);
	trial_require(trial, device_get_info(&other).state != LIDAR_RING_STREAMING,
		      "it still streams");
}

static const struct check checks[] = {
	{"data_arrives_in_a_memfd", data_arrives_in_a_memfd},
	{"data_arrives_in_anonymous_memory", data_arrives_in_anonymous_memory},
	{"data_arrives_in_shared_anonymous_memory", data_arrives_in_shared_anonymous_memory},
	{"data_arrives_in_untouched_memory", data_arrives_in_untouched_memory},
	{"data_arrives_after_a_fork", data_arrives_after_a_fork},
	{"another_process_sees_the_data", another_process_sees_the_data},
	{"memory_between_slots_is_not_written", memory_between_slots_is_not_written},
	{"slots_begin_at_first", slots_begin_at_first},
	{"read_only_memory_is_a_fault", read_only_memory_is_a_fault},
	{"memory_read_only_at_its_end_is_a_fault", memory_read_only_at_its_end_is_a_fault},
	{"file_opened_for_reading_is_a_fault", file_opened_for_reading_is_a_fault},
	{"memory_with_a_hole_is_a_fault", memory_with_a_hole_is_a_fault},
	{"registers_once", registers_once},
	{"memlock_limit_counts", memlock_limit_counts},
	{"memlock_is_given_back", memlock_is_given_back},
	{"unmapped_while_streaming", unmapped_while_streaming},
	{"truncated_while_streaming", truncated_while_streaming},
	{"punched_while_streaming", punched_while_streaming},
	{"memory_mapped_over_is_not_written", memory_mapped_over_is_not_written},
	{"memory_is_left_alone_after_close", memory_is_left_alone_after_close},
	{"memory_is_left_alone_after_a_kill", memory_is_left_alone_after_a_kill},
	{"memory_is_left_alone_though_the_file_lives", memory_is_left_alone_though_the_file_lives},
};

void add_user_checks(struct check_list *list)
{
	size_t i;

	for (i = 0; i < COUNT_OF(checks); i++) {
		struct check check = checks[i];

		check.needs |= NEEDS_USER_MEMORY;
		check_list_add(list, "user", &check);
	}
}
