/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-call.c - group call: unknown calls, pointers to nowhere */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/lidar-compliance-device.h"

/* the numbers the interface has */
#define FIRST_UNKNOWN_NR (_IOC_NR(LIDAR_RING_IOC_ADOPT) + 1)

static const struct call {
	const char *name;
	unsigned long request;
	enum device_stage stage;
} calls[] = {
	{ "info", LIDAR_RING_IOC_INFO, DEVICE_IDLE },
	{ "setup", LIDAR_RING_IOC_SETUP, DEVICE_IDLE },
	{ "register", LIDAR_RING_IOC_REGISTER, DEVICE_CONFIGURED },
	{ "start", LIDAR_RING_IOC_START, DEVICE_STOPPED_KERNEL },
	{ "stop", LIDAR_RING_IOC_STOP, DEVICE_STREAMING_KERNEL },
	{ "stats", LIDAR_RING_IOC_STATS, DEVICE_IDLE },
	{ "kick", LIDAR_RING_IOC_KICK, DEVICE_STREAMING_KERNEL },
	{ "get_frame", LIDAR_RING_IOC_GET_FRAME, DEVICE_STREAMING_KERNEL },
	{ "release_frame", LIDAR_RING_IOC_RELEASE_FRAME, DEVICE_STOPPED_KERNEL },
	{ "export", LIDAR_RING_IOC_EXPORT, DEVICE_STOPPED_KERNEL },
	{ "adopt", LIDAR_RING_IOC_ADOPT, DEVICE_STOPPED_KERNEL },
};

/* larger than any size an ioctl number can say */
static unsigned char *blank_argument(void)
{
	static unsigned char argument[1 << _IOC_SIZEBITS];

	return argument;
}

static void expect_unknown(const struct device *device, unsigned long request)
{
	char what[64];

	snprintf(what, sizeof(what), "ioctl 0x%08lx", request);
	memset(blank_argument(), 0, 1 << _IOC_SIZEBITS);
	trial_expect(device->trial, what, device_call(device->fd, request, blank_argument()),
		     ENOTTY);
}

static void unknown_numbers_are_refused(const struct trial *trial, const void *arg)
{
	struct device device;
	unsigned int nr;

	device_ready_any(&device, trial);
	for (nr = FIRST_UNKNOWN_NR; nr < 1 << _IOC_NRBITS; nr++) {
		expect_unknown(&device, _IO(LIDAR_RING_IOC_MAGIC, nr));
		expect_unknown(&device, _IOWR(LIDAR_RING_IOC_MAGIC, nr, struct lidar_ring_setup));
	}
}

static void calls_of_others_are_refused(const struct trial *trial, const void *arg)
{
	struct device device;
	size_t i;

	device_ready_any(&device, trial);
	for (i = 0; i < COUNT_OF(calls); i++) {
		unsigned long request = calls[i].request;

		expect_unknown(&device,
			       _IOC(_IOC_DIR(request), LIDAR_RING_IOC_MAGIC ^ 1, _IOC_NR(request),
				    _IOC_SIZE(request)));
	}
	/* terminals, sockets, block devices */
	expect_unknown(&device, 0x5401);
	expect_unknown(&device, 0x8901);
	expect_unknown(&device, 0x1260);
}

static void wrong_size_is_refused(const struct trial *trial, const void *arg)
{
	const struct call *call = arg;
	const unsigned int size = _IOC_SIZE(call->request);
	const unsigned int wrong[] = { size + 1, size + 8, size * 2 + 4, (1 << _IOC_SIZEBITS) - 1,
				       size - 8, size / 2, 0 };
	struct device device;
	size_t i;

	device_ready(&device, trial, call->stage);
	for (i = 0; i < COUNT_OF(wrong); i++)
		if (wrong[i] != size && wrong[i] < 1u << _IOC_SIZEBITS)
			expect_unknown(&device, _IOC(_IOC_DIR(call->request), LIDAR_RING_IOC_MAGIC,
						     _IOC_NR(call->request), wrong[i]));
}

static void wrong_direction_is_refused(const struct trial *trial, const void *arg)
{
	const struct call *call = arg;
	struct device device;
	unsigned int direction;

	device_ready(&device, trial, call->stage);
	for (direction = 0; direction < 4; direction++)
		if (direction != _IOC_DIR(call->request))
			expect_unknown(&device,
				       _IOC(direction, LIDAR_RING_IOC_MAGIC,
					    _IOC_NR(call->request), _IOC_SIZE(call->request)));
}

static unsigned char *map_pages(const struct trial *trial, size_t count)
{
	void *p = mmap(NULL, count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	trial_require(trial, p != MAP_FAILED, "mmap: %s", strerror(errno));
	return p;
}

static void wrong_pointer_is_a_fault(const struct trial *trial, const void *arg)
{
	const struct call *call = arg;
	unsigned char *pages;
	struct device device;

	device_ready(&device, trial, call->stage);
	pages = map_pages(trial, 2);
	trial_require(trial, mprotect(pages + 4096, 4096, PROT_NONE) == 0, "mprotect: %s",
		      strerror(errno));
	const struct {
		const char *what;
		void *pointer;
	} wrong[] = {
		{ "NULL", NULL },
		{ "the last address", (void *)-8L },
		{ "an address of the kernel", (void *)0xffff888000001000ul },
		{ "memory without access", pages + 4096 },
		{ "the end of memory", pages + 4096 - 8 },
	};
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		trial_expect(trial, wrong[i].what,
			     device_call(device.fd, call->request, wrong[i].pointer), EFAULT);
}

static void read_only_result_is_a_fault(const struct trial *trial, const void *arg)
{
	const struct call *call = arg;
	unsigned char *page = map_pages(trial, 1);
	struct device device;

	device_open(&device, trial);
	trial_require(trial, mprotect(page, 4096, PROT_READ) == 0, "mprotect: %s", strerror(errno));
	trial_expect(trial, call->name, device_call(device.fd, call->request, page), EFAULT);
}

static unsigned int count_files(const struct trial *trial)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	trial_require(trial, dir, "/proc/self/fd: %s", strerror(errno));
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* a file nobody was told the number of would stay open for ever */
static void export_to_nowhere_leaves_no_file(const struct trial *trial, const void *arg)
{
	struct lidar_ring_export *export = (void *)map_pages(trial, 1);
	unsigned int before;
	struct device device;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	export->kind = LIDAR_RING_EXPORT_DATA;
	trial_require(trial, mprotect(export, 4096, PROT_READ) == 0, "mprotect: %s",
		      strerror(errno));
	before = count_files(trial);
	trial_expect(trial, "EXPORT", device_call(device.fd, LIDAR_RING_IOC_EXPORT, export),
		     EFAULT);
	trial_require(trial, count_files(trial) == before, "a file is left open");
}

/* the caller does not know that it owns a ring, so it must not */
static void setup_to_nowhere_leaves_no_ring(const struct trial *trial, const void *arg)
{
	struct lidar_ring_setup *setup = (void *)map_pages(trial, 1);
	struct device device;

	device_open(&device, trial);
	setup->memory = trial->info.features & LIDAR_RING_FEATURE_KERNEL_MEMORY ?
				LIDAR_RING_MEMORY_KERNEL : LIDAR_RING_MEMORY_USER;
	setup->slot_count = trial->slot_count;
	setup->slot_bytes = trial->slot_bytes;
	trial_require(trial, mprotect(setup, 4096, PROT_READ) == 0, "mprotect: %s",
		      strerror(errno));
	trial_expect(trial, "SETUP", device_call(device.fd, LIDAR_RING_IOC_SETUP, setup), EFAULT);
	trial_require(trial, device_get_info(&device).state == LIDAR_RING_IDLE, "state is %u",
		      device_get_info(&device).state);
	trial_expect(trial, "SETUP again", device_try_setup(&device, setup->memory), 0);
}

static void seeking_does_nothing_bad(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready_any(&device, trial);
	trial_require(trial, lseek(device.fd, 4096, SEEK_SET) < 0, "lseek works");
}

static void writing_is_refused(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready_any(&device, trial);
	trial_require(trial, write(device.fd, "x", 1) < 0, "write works");
}

static const struct check checks[] = {
	{ "unknown_numbers_are_refused", unknown_numbers_are_refused },
	{ "calls_of_others_are_refused", calls_of_others_are_refused },
	{ "export_to_nowhere_leaves_no_file", export_to_nowhere_leaves_no_file },
	{ "setup_to_nowhere_leaves_no_ring", setup_to_nowhere_leaves_no_ring },
	{ "seeking_is_refused", seeking_does_nothing_bad },
	{ "writing_is_refused", writing_is_refused },
	{ "info_into_read_only_memory_is_a_fault", read_only_result_is_a_fault, &calls[0] },
	{ "stats_into_read_only_memory_is_a_fault", read_only_result_is_a_fault, &calls[5] },
};

static void add_for_each_call(struct check_list *list, const char *behaviour, bool pointers_only,
			      void (*run)(const struct trial *trial, const void *arg))
{
	char name[COMPLIANCE_NAME_MAX];
	size_t i;

	for (i = 0; i < COUNT_OF(calls); i++) {
		struct check check = { .name = name, .run = run, .arg = &calls[i] };

		/* ADOPT of one's own ring is refused before its pointer is looked at */
		if (pointers_only && (_IOC_DIR(calls[i].request) == _IOC_NONE ||
				      calls[i].request == LIDAR_RING_IOC_ADOPT))
			continue;
		snprintf(name, sizeof(name), "%s_%s", calls[i].name, behaviour);
		check_list_add(list, "call", &check);
	}
}

void add_call_checks(struct check_list *list)
{
	check_list_add_table(list, "call", checks, COUNT_OF(checks));
	add_for_each_call(list, "of_wrong_size_is_refused", false, wrong_size_is_refused);
	add_for_each_call(list, "of_wrong_direction_is_refused", false, wrong_direction_is_refused);
	add_for_each_call(list, "with_wrong_pointer_is_a_fault", true, wrong_pointer_is_a_fault);
}
