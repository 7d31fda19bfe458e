/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-map.c - group map: what may be mapped, how, and for how long */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "tools/lidar-compliance-device.h"

static long try_map(const struct device *device, uint64_t offset, uint64_t bytes, int protection,
		    int flags)
{
	void *p = mmap(NULL, bytes, protection, flags, device->fd, (off_t)offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, bytes);
	return 0;
}

static void expect_no_map(const struct device *device, const char *what, uint64_t offset,
			  uint64_t bytes)
{
	trial_expect(device->trial, what, try_map(device, offset, bytes, PROT_READ, MAP_SHARED),
		     EINVAL);
}

static void writable_data_is_refused(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	trial_expect(trial, "mmap",
		     try_map(&device, device.layout.data_offset, device.layout.data_bytes,
			     PROT_READ | PROT_WRITE, MAP_SHARED), EACCES);
	trial_expect(trial, "mmap, write only",
		     try_map(&device, device.layout.data_offset, device.layout.data_bytes,
			     PROT_WRITE, MAP_SHARED), EACCES);
}

static void data_cannot_be_made_writable(const struct trial *trial, const void *arg)
{
	struct device device;
	int r;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	r = mprotect((void *)(uintptr_t)device.slots, device.layout.data_bytes,
		     PROT_READ | PROT_WRITE);
	trial_expect(trial, "mprotect", r < 0 ? -errno : 0, EACCES);
}

/* a copy of one's own could be written, and would not be the device's data any more */
static void private_data_is_refused(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	trial_require(trial,
		      try_map(&device, device.layout.data_offset, device.layout.data_bytes,
			      PROT_READ, MAP_PRIVATE) < 0, "MAP_PRIVATE works");
	trial_require(trial,
		      try_map(&device, device.layout.data_offset, device.layout.data_bytes,
			      PROT_READ | PROT_WRITE, MAP_PRIVATE) < 0,
		      "MAP_PRIVATE, writable, works");
}

static void private_control_is_refused(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready_any(&device, trial);
	trial_expect(trial, "mmap",
		     try_map(&device, device.layout.control_offset, device.layout.control_bytes,
			     PROT_READ | PROT_WRITE, MAP_PRIVATE), EINVAL);
}

static void control_needs_a_writable_file(const struct trial *trial, const void *arg)
{
	struct device device, reader;

	device_ready_any(&device, trial);
	reader = device;
	reader.fd = open(trial->options->device, O_RDONLY | O_CLOEXEC);
	trial_require(trial, reader.fd >= 0, "open for reading: %s", strerror(errno));
	trial_require(trial,
		      try_map(&reader, device.layout.control_offset, device.layout.control_bytes,
			      PROT_READ | PROT_WRITE, MAP_SHARED) < 0,
		      "a file opened for reading maps it writable");
}

/* the rings are their owner's: whoever opens the device too gets nothing */
static void another_file_maps_nothing(const struct trial *trial, const void *arg)
{
	struct device device, other;

	device_ready_any(&device, trial);
	other = device;
	other.fd = open(trial->options->device, O_RDWR | O_CLOEXEC);
	trial_require(trial, other.fd >= 0, "open: %s", strerror(errno));
	trial_require(trial,
		      try_map(&other, device.layout.control_offset, device.layout.control_bytes,
			      PROT_READ | PROT_WRITE, MAP_SHARED) < 0, "it maps the control page");
	if (device.layout.data_bytes)
		trial_require(trial,
			      try_map(&other, device.layout.data_offset, device.layout.data_bytes,
				      PROT_READ, MAP_SHARED) < 0, "it maps the data");
}

static void wrong_length_of_control_is_refused(const struct trial *trial, const void *arg)
{
	struct device device;
	const struct lidar_ring_layout *l = &device.layout;

	device_ready_any(&device, trial);
	expect_no_map(&device, "a page more", l->control_offset, l->control_bytes + 4096);
	expect_no_map(&device, "much more", l->control_offset, l->control_bytes + (1 << 30));
}

static void wrong_length_of_data_is_refused(const struct trial *trial, const void *arg)
{
	struct device device;
	const struct lidar_ring_layout *l = &device.layout;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	expect_no_map(&device, "a page more", l->data_offset, l->data_bytes + 4096);
	expect_no_map(&device, "twice as much", l->data_offset, l->data_bytes * 2);
}

static void wrong_offset_is_refused(const struct trial *trial, const void *arg)
{
	struct device device;
	const struct lidar_ring_layout *l = &device.layout;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	expect_no_map(&device, "behind the data", l->data_offset + l->data_bytes, 4096);
	expect_no_map(&device, "behind the control page", l->control_offset + l->control_bytes,
		      l->control_bytes);
	expect_no_map(&device, "all of the data from its second page", l->data_offset + 4096,
		      l->data_bytes);
	expect_no_map(&device, "far away", 1ull << 46, 4096);
	expect_no_map(&device, "near the end of offsets", 0x7ffffffffffff000, 4096);
}

static sigjmp_buf after_fault;

static void on_fault(int signal_number)
{
	siglongjmp(after_fault, signal_number);
}

/* Returns the signal that reading or writing an address gave, or 0. */
static int touch(volatile unsigned char *address, bool write)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	int signal_number;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	signal_number = sigsetjmp(after_fault, 1);
	if (signal_number)
		return signal_number;
	if (write)
		*address = 1;
	else
		(void)*address;
	return 0;
}

static void write_to_data_is_a_sigsegv(const struct trial *trial, const void *arg)
{
	struct device device;
	uint64_t at;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	for (at = 0; at < device.layout.data_bytes; at += 4096) {
		int signal_number = touch((unsigned char *)(uintptr_t)device.slots + at, true);

		trial_require(trial, signal_number == SIGSEGV, "byte %llu: signal %d",
			      (unsigned long long)at, signal_number);
	}
}

/* what the mapping refuses must not go through the kernel either */
static void kernel_does_not_write_it_for_the_user(const struct trial *trial, const void *arg)
{
	struct device device;
	int pipe_fds[2], mem;
	ssize_t n;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	trial_require(trial, pipe(pipe_fds) == 0 && write(pipe_fds[1], "x", 1) == 1, "no pipe");
	n = read(pipe_fds[0], (void *)(uintptr_t)device.slots, 1);
	trial_expect(trial, "read() into a slot", n < 0 ? -errno : n, EFAULT);
	/* the way of debuggers, which need no write permission */
	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	trial_require(trial, mem >= 0, "/proc/self/mem: %s", strerror(errno));
	n = pwrite(mem, "x", 1, (off_t)(uintptr_t)device.slots);
	trial_require(trial, n < 0, "/proc/self/mem writes into a slot");
}

static void data_can_be_handed_to_calls(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	int fd;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	desc = device_take(&device);
	fd = memfd_create("lidar-compliance", MFD_CLOEXEC);
	trial_require(trial, fd >= 0, "memfd_create: %s", strerror(errno));
	trial_require(trial, write(fd, device_bytes_of(&device, &desc), desc.bytes) == desc.bytes,
		      "write() from a slot: %s", strerror(errno));
}

static void mappings_survive_close(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	uint32_t crc;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	desc = device_take(&device);
	crc = crc32c(0, device_bytes_of(&device, &desc), desc.bytes);
	close(device.fd);
	trial_require(trial, touch(device.control, true) == 0, "the control page is gone");
	trial_require(trial, touch((unsigned char *)(uintptr_t)device.slots, false) == 0,
		      "the data is gone");
	trial_require(trial, crc32c(0, device_bytes_of(&device, &desc), desc.bytes) == crc,
		      "the data has changed");
}

/* memory of the kernel that nothing was written to yet is no leak of others' data */
static void fresh_memory_is_zero(const struct trial *trial, const void *arg)
{
	struct device device;
	uint64_t i;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	for (i = 0; i < device.layout.data_bytes; i++)
		trial_require(trial, device.slots[i] == 0, "byte %llu is 0x%02x",
			      (unsigned long long)i, device.slots[i]);
}

static void parts_can_be_unmapped(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	int i;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	trial_require(trial, munmap((void *)(uintptr_t)device.slots, 4096) == 0, "munmap: %s",
		      strerror(errno));
	for (i = 0; i < 20; i++) {
		desc = device_take(&device);
		device_give_back(&device, desc.offset);
	}
}

static void mappings_cannot_grow(const struct trial *trial, const void *arg)
{
	const struct lidar_ring_layout *l;
	struct device device;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	l = &device.layout;
	trial_require(trial,
		      mremap((void *)(uintptr_t)device.slots, l->data_bytes, l->data_bytes * 2,
			     MREMAP_MAYMOVE) == MAP_FAILED, "the data's can");
	trial_require(trial,
		      mremap(device.control, l->control_bytes, l->control_bytes * 2,
			     MREMAP_MAYMOVE) == MAP_FAILED, "the control page's can");
}

/* what a page that was dropped shows, if anything, is the data and not some other memory */
static void dropped_page_is_no_other(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	unsigned char *at;
	uint32_t crc;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	desc = device_take(&device);
	at = (unsigned char *)(uintptr_t)device_bytes_of(&device, &desc);
	crc = crc32c(0, at, desc.bytes);
	madvise(at, desc.bytes, MADV_DONTNEED);
	if (touch(at, false) == 0)
		trial_require(trial, crc32c(0, at, desc.bytes) == crc, "it is");
	trial_require(trial, touch(at, true) != 0, "it can be written");
}

static void maps_many_times(const struct trial *trial, const void *arg)
{
	struct device device;
	void *p;
	int i;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	for (i = 0; i < 64; i++) {
		p = mmap(NULL, device.layout.data_bytes, PROT_READ, MAP_SHARED, device.fd,
			 (off_t)device.layout.data_offset);
		trial_require(trial, p != MAP_FAILED, "mmap %d: %s", i, strerror(errno));
		if (i % 2)
			munmap(p, device.layout.data_bytes);
	}
}

static const struct check checks[] = {
	{ "writable_data_is_refused", writable_data_is_refused, .needs = NEEDS_KERNEL_MEMORY },
	{ "data_cannot_be_made_writable", data_cannot_be_made_writable,
	  .needs = NEEDS_KERNEL_MEMORY },
	{ "private_data_is_refused", private_data_is_refused, .needs = NEEDS_KERNEL_MEMORY },
	{ "private_control_is_refused", private_control_is_refused },
	{ "control_needs_a_writable_file", control_needs_a_writable_file },
	{ "another_file_maps_nothing", another_file_maps_nothing },
	{ "wrong_length_of_control_is_refused", wrong_length_of_control_is_refused },
	{ "wrong_length_of_data_is_refused", wrong_length_of_data_is_refused,
	  .needs = NEEDS_KERNEL_MEMORY },
	{ "wrong_offset_is_refused", wrong_offset_is_refused, .needs = NEEDS_KERNEL_MEMORY },
	{ "write_to_data_is_a_sigsegv", write_to_data_is_a_sigsegv, .needs = NEEDS_KERNEL_MEMORY },
	{ "kernel_does_not_write_it_for_the_user", kernel_does_not_write_it_for_the_user,
	  .needs = NEEDS_KERNEL_MEMORY },
	{ "data_can_be_handed_to_calls", data_can_be_handed_to_calls,
	  .needs = NEEDS_KERNEL_MEMORY },
	{ "mappings_survive_close", mappings_survive_close, .needs = NEEDS_KERNEL_MEMORY },
	{ "fresh_memory_is_zero", fresh_memory_is_zero, .needs = NEEDS_KERNEL_MEMORY },
	{ "mappings_cannot_grow", mappings_cannot_grow, .needs = NEEDS_KERNEL_MEMORY },
	{ "dropped_page_is_no_other", dropped_page_is_no_other, .needs = NEEDS_KERNEL_MEMORY },
	{ "parts_can_be_unmapped", parts_can_be_unmapped, .needs = NEEDS_KERNEL_MEMORY },
	{ "maps_many_times", maps_many_times, .needs = NEEDS_KERNEL_MEMORY },
};

void add_map_checks(struct check_list *list)
{
	check_list_add_table(list, "map", checks, COUNT_OF(checks));
}
