/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-export.c - group export: files and dma-bufs for other processes */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "tools/lidar-compliance-child.h"
#include "tools/lidar-compliance-device.h"

static int export_or_fail(const struct device *device, uint32_t kind, uint64_t offset)
{
	struct lidar_ring_export export = { .kind = kind, .offset = offset, .fd = -1 };

	trial_expect(device->trial, "EXPORT",
		     device_call(device->fd, LIDAR_RING_IOC_EXPORT, &export), 0);
	trial_require(device->trial, export.fd >= 0, "fd is %d", export.fd);
	return export.fd;
}

static int export_data(const struct device *device)
{
	return export_or_fail(device, LIDAR_RING_EXPORT_DATA, 0);
}

static const unsigned char *map_file(const struct trial *trial, int fd, uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

	trial_require(trial, p != MAP_FAILED, "mmap: %s", strerror(errno));
	return p;
}

static long try_map(int fd, uint64_t offset, uint64_t bytes, int protection, int flags)
{
	void *p = mmap(NULL, bytes, protection, flags, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, bytes);
	return 0;
}

static void expect_read_only(const struct trial *trial, int fd)
{
	trial_require(trial, (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY, "its flags are 0x%x",
		      fcntl(fd, F_GETFL));
	trial_require(trial, fcntl(fd, F_GETFD) & FD_CLOEXEC, "it is not O_CLOEXEC");
}

static void expect_maps_only_for_reading(const struct trial *trial, int fd, uint64_t bytes)
{
	void *p;

	trial_expect(trial, "writable mmap",
		     try_map(fd, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED), EACCES);
	p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	trial_require(trial, p != MAP_FAILED, "mmap: %s", strerror(errno));
	trial_expect(trial, "mprotect",
		     mprotect(p, bytes, PROT_READ | PROT_WRITE) < 0 ? -errno : 0, EACCES);
}

static void file_is_read_only(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	expect_read_only(trial, export_data(&device));
}

static void file_cannot_be_opened_for_writing(const struct trial *trial, const void *arg)
{
	struct device device;
	char path[64];
	int fd;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	fd = export_data(&device);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	trial_require(trial, open(path, O_RDWR | O_CLOEXEC) < 0, "it can, by way of %s", path);
	trial_require(trial, open(path, O_WRONLY | O_CLOEXEC) < 0, "it can, by way of %s", path);
}

static void file_maps_only_for_reading(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	expect_maps_only_for_reading(trial, export_data(&device), device.layout.data_bytes);
}

static void file_maps_no_more_than_the_data(const struct trial *trial, const void *arg)
{
	struct device device;
	uint64_t bytes;
	int fd;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	fd = export_data(&device);
	bytes = device.layout.data_bytes;
	trial_expect(trial, "a page more", try_map(fd, 0, bytes + 4096, PROT_READ, MAP_SHARED),
		     EINVAL);
	trial_expect(trial, "all from the second page",
		     try_map(fd, 4096, bytes, PROT_READ, MAP_SHARED), EINVAL);
	trial_expect(trial, "behind the end", try_map(fd, bytes, 4096, PROT_READ, MAP_SHARED),
		     EINVAL);
	trial_expect(trial, "far behind the end",
		     try_map(fd, 1ull << 40, 4096, PROT_READ, MAP_SHARED), EINVAL);
}

/* no control page, no calls, no data by other ways */
static void file_can_do_nothing_else(const struct trial *trial, const void *arg)
{
	struct lidar_ring_info info;
	struct device device;
	char bytes[16] = {};
	int fd;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	fd = export_data(&device);
	trial_expect(trial, "INFO", device_call(fd, LIDAR_RING_IOC_INFO, &info), ENOTTY);
	trial_expect(trial, "STOP", device_call(fd, LIDAR_RING_IOC_STOP, NULL), ENOTTY);
	trial_expect(trial, "KICK", device_call(fd, LIDAR_RING_IOC_KICK, NULL), ENOTTY);
	trial_require(trial, read(fd, bytes, sizeof(bytes)) < 0, "read works");
	trial_require(trial, write(fd, bytes, sizeof(bytes)) < 0, "write works");
	trial_require(trial, pwrite(fd, bytes, sizeof(bytes), 0) < 0, "pwrite works");
	trial_require(trial, ftruncate(fd, 0) < 0, "ftruncate works");
	trial_require(trial, device_get_info(&device).state == LIDAR_RING_STREAMING,
		      "it has stopped the device");
}

static void expect_same_bytes(const struct device *device, const unsigned char *view,
			      const struct lidar_ring_desc *desc, const char *who)
{
	trial_require(device->trial,
		      memcmp(view, device_bytes_of(device, desc), desc->bytes) == 0,
		      "%s sees other bytes", who);
}

static void file_shows_the_slots(const struct trial *trial, const void *arg)
{
	const unsigned char *view;
	struct device device;
	int i;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	view = map_file(trial, export_data(&device), device.layout.data_bytes);
	for (i = 0; i < 30; i++) {
		struct lidar_ring_desc desc = device_take(&device);

		expect_same_bytes(&device, view + desc.offset, &desc, "the file");
		device_give_back(&device, desc.offset);
	}
}

static void expect_crc(const struct trial *trial, const unsigned char *data, uint32_t bytes,
		       uint32_t want)
{
	uint32_t crc = crc32c(0, data, bytes);

	trial_require(trial, crc == want, "it sees bytes of CRC 0x%08x instead of 0x%08x", crc,
		      want);
}

static uint32_t crc_of(const struct device *device, const struct lidar_ring_desc *desc)
{
	return crc32c(0, device_bytes_of(device, desc), desc->bytes);
}

static void another_process_maps(const struct trial *trial, uint32_t kind)
{
	struct lidar_ring_desc desc;
	struct device device;
	struct child child;
	uint64_t base, bytes;
	uint32_t crc;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	desc = device_take(&device);
	crc = crc_of(&device, &desc);
	base = kind == LIDAR_RING_EXPORT_DMABUF_SLOT ? desc.offset : 0;
	bytes = kind == LIDAR_RING_EXPORT_DMABUF_SLOT ? device.layout.slot_bytes :
							device.layout.data_bytes;
	child = child_fork(trial);
	if (child.pid == 0) {
		close(device.fd);
		expect_crc(trial,
			   map_file(trial, child_receive(trial, &child), bytes) + desc.offset -
				   base,
			   desc.bytes, crc);
		_exit(0);
	}
	child_send(trial, &child, export_or_fail(&device, kind, base));
	child_wait(trial, child.pid);
}

static void file_goes_to_another_process(const struct trial *trial, const void *arg)
{
	another_process_maps(trial, LIDAR_RING_EXPORT_DATA);
}

static void file_outlives_its_ring(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device, next;
	const unsigned char *view;
	uint32_t crc, all;
	int fd, i;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	fd = export_data(&device);
	view = map_file(trial, fd, device.layout.data_bytes);
	desc = device_take(&device);
	crc = crc_of(&device, &desc);
	device_close(&device);
	expect_crc(trial, view + desc.offset, desc.bytes, crc);
	all = crc32c(0, view, device.layout.data_bytes);
	/* the next ring has memory of its own */
	device_ready(&next, trial, DEVICE_STREAMING_KERNEL);
	for (i = 0; i < 50; i++)
		device_give_back(&next, device_take(&next).offset);
	expect_crc(trial, view, (uint32_t)device.layout.data_bytes, all);
	expect_crc(trial, map_file(trial, fd, device.layout.data_bytes),
		   (uint32_t)device.layout.data_bytes, all);
}

static void file_does_not_keep_the_ring(const struct trial *trial, const void *arg)
{
	struct device device;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	map_file(trial, export_data(&device), device.layout.data_bytes);
	device_close(&device);
	device_open(&device, trial);
	trial_require(trial, device_get_info(&device).state == LIDAR_RING_IDLE, "state is %u",
		      device_get_info(&device).state);
}

static void many_exports_are_fine(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	for (i = 0; i < 200; i++) {
		int fd = export_data(&device);

		if (i % 3)
			close(fd);
	}
	device_give_back(&device, device_take(&device).offset);
}

static void too_many_files_are_an_error(const struct trial *trial, const void *arg)
{
	struct lidar_ring_export export = { .kind = LIDAR_RING_EXPORT_DATA };
	const struct rlimit limit = { 32, 32 };
	struct device device;
	int i;
	long r = 0;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	trial_require(trial, setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit: %s",
		      strerror(errno));
	for (i = 0; i < 40 && r == 0; i++)
		r = device_call(device.fd, LIDAR_RING_IOC_EXPORT, &export);
	trial_expect(trial, "EXPORT beyond RLIMIT_NOFILE", r, EMFILE);
	device_give_back(&device, device_take(&device).offset);
}

static void user_memory_is_not_exported(const struct trial *trial, const void *arg)
{
	struct lidar_ring_export export = { .kind = LIDAR_RING_EXPORT_DATA };
	struct device device;

	device_ready(&device, trial, DEVICE_STOPPED_USER);
	trial_expect(trial, "EXPORT DATA", device_call(device.fd, LIDAR_RING_IOC_EXPORT, &export),
		     EOPNOTSUPP);
	export.kind = LIDAR_RING_EXPORT_DMABUF_RING;
	trial_expect(trial, "EXPORT DMABUF_RING",
		     device_call(device.fd, LIDAR_RING_IOC_EXPORT, &export), EOPNOTSUPP);
}

static void dmabufs_are_refused(const struct trial *trial, const void *arg)
{
	struct lidar_ring_export export = { .kind = LIDAR_RING_EXPORT_DMABUF_RING };
	struct device device;

	if (trial->info.features & LIDAR_RING_FEATURE_DMABUF)
		trial_skip(trial, "the device knows dma-bufs");
	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	trial_require(trial, device_call(device.fd, LIDAR_RING_IOC_EXPORT, &export) < 0,
		      "a feature that is not promised works");
}

static void dmabuf_has_the_size(const struct trial *trial, const void *arg)
{
	struct device device;
	off_t end;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	end = lseek(export_or_fail(&device, LIDAR_RING_EXPORT_DMABUF_RING, 0), 0, SEEK_END);
	trial_require(trial, end == (off_t)device.layout.data_bytes, "the ring's is %lld bytes",
		      (long long)end);
	end = lseek(export_or_fail(&device, LIDAR_RING_EXPORT_DMABUF_SLOT,
				   device_offset_of(&device, 2)), 0, SEEK_END);
	trial_require(trial, end == (off_t)device.layout.slot_bytes, "the slot's is %lld bytes",
		      (long long)end);
}

static void dmabuf_is_read_only(const struct trial *trial, const void *arg)
{
	struct device device;
	int fd;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	fd = export_or_fail(&device, LIDAR_RING_EXPORT_DMABUF_RING, 0);
	expect_read_only(trial, fd);
	expect_maps_only_for_reading(trial, fd, device.layout.data_bytes);
}

static void dmabuf_maps_no_more_than_it_has(const struct trial *trial, const void *arg)
{
	struct device device;
	uint64_t bytes;
	int fd;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	bytes = device.layout.slot_bytes;
	fd = export_or_fail(&device, LIDAR_RING_EXPORT_DMABUF_SLOT, 0);
	trial_require(trial, try_map(fd, 0, bytes + 4096, PROT_READ, MAP_SHARED) < 0,
		      "the next slot can be mapped");
	trial_require(trial, try_map(fd, bytes, bytes, PROT_READ, MAP_SHARED) < 0,
		      "the next slot can be mapped");
	trial_expect(trial, "mmap of a part",
		     try_map(fd, 4096, bytes - 4096, PROT_READ, MAP_SHARED),
		     bytes > 4096 ? 0 : EINVAL);
}

static void dmabuf_of_a_slot_is_that_slot(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	int i;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	for (i = 0; i < 10; i++) {
		const unsigned char *view;
		int fd;

		desc = device_take(&device);
		fd = export_or_fail(&device, LIDAR_RING_EXPORT_DMABUF_SLOT, desc.offset);
		view = map_file(trial, fd, device.layout.slot_bytes);
		expect_same_bytes(&device, view, &desc, "the dma-buf");
		device_give_back(&device, desc.offset);
	}
}

static void sync_or_fail(const struct trial *trial, int fd, uint64_t flags, int want)
{
	struct dma_buf_sync argument = { .flags = flags };

	trial_expect(trial, "DMA_BUF_IOCTL_SYNC", device_call(fd, DMA_BUF_IOCTL_SYNC, &argument),
		     want);
}

static void dmabuf_syncs(const struct trial *trial, const void *arg)
{
	const unsigned char *view;
	struct device device;
	int fd, i;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	fd = export_or_fail(&device, LIDAR_RING_EXPORT_DMABUF_RING, 0);
	view = map_file(trial, fd, device.layout.data_bytes);
	for (i = 0; i < 20; i++) {
		struct lidar_ring_desc desc = device_take(&device);

		sync_or_fail(trial, fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, 0);
		expect_same_bytes(&device, view + desc.offset, &desc, "the dma-buf");
		device_check_desc(&device, &desc);
		sync_or_fail(trial, fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, 0);
		device_give_back(&device, desc.offset);
	}
	sync_or_fail(trial, fd, 1ull << 40, EINVAL);
}

static void dmabuf_goes_to_another_process(const struct trial *trial, const void *arg)
{
	another_process_maps(trial, LIDAR_RING_EXPORT_DMABUF_RING);
}

static void dmabuf_of_a_slot_goes_to_another_process(const struct trial *trial, const void *arg)
{
	another_process_maps(trial, LIDAR_RING_EXPORT_DMABUF_SLOT);
}

static void dmabuf_outlives_its_ring(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device, next;
	uint32_t crc;
	int fd;

	device_ready(&device, trial, DEVICE_STREAMING_KERNEL);
	desc = device_take(&device);
	crc = crc_of(&device, &desc);
	fd = export_or_fail(&device, LIDAR_RING_EXPORT_DMABUF_SLOT, desc.offset);
	device_close(&device);
	device_ready(&next, trial, DEVICE_STREAMING_KERNEL);
	device_take(&next);
	sync_or_fail(trial, fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, 0);
	expect_crc(trial, map_file(trial, fd, device.layout.slot_bytes), desc.bytes, crc);
	sync_or_fail(trial, fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, 0);
}

static const struct check checks[] = {
	{ "file_is_read_only", file_is_read_only },
	{ "file_cannot_be_opened_for_writing", file_cannot_be_opened_for_writing },
	{ "file_maps_only_for_reading", file_maps_only_for_reading },
	{ "file_maps_no_more_than_the_data", file_maps_no_more_than_the_data },
	{ "file_can_do_nothing_else", file_can_do_nothing_else },
	{ "file_shows_the_slots", file_shows_the_slots },
	{ "file_goes_to_another_process", file_goes_to_another_process },
	{ "file_outlives_its_ring", file_outlives_its_ring },
	{ "file_does_not_keep_the_ring", file_does_not_keep_the_ring },
	{ "many_exports_are_fine", many_exports_are_fine },
	{ "too_many_files_are_an_error", too_many_files_are_an_error },
	{ "user_memory_is_not_exported", user_memory_is_not_exported, .needs = NEEDS_USER_MEMORY },
	{ "dmabufs_are_refused_without_the_feature", dmabufs_are_refused },
	{ "dmabuf_has_the_size", dmabuf_has_the_size, .needs = NEEDS_DMABUF },
	{ "dmabuf_is_read_only", dmabuf_is_read_only, .needs = NEEDS_DMABUF },
	{ "dmabuf_maps_no_more_than_it_has", dmabuf_maps_no_more_than_it_has,
	  .needs = NEEDS_DMABUF },
	{ "dmabuf_of_a_slot_is_that_slot", dmabuf_of_a_slot_is_that_slot, .needs = NEEDS_DMABUF },
	{ "dmabuf_syncs", dmabuf_syncs, .needs = NEEDS_DMABUF },
	{ "dmabuf_goes_to_another_process", dmabuf_goes_to_another_process,
	  .needs = NEEDS_DMABUF },
	{ "dmabuf_of_a_slot_goes_to_another_process", dmabuf_of_a_slot_goes_to_another_process,
	  .needs = NEEDS_DMABUF },
	{ "dmabuf_outlives_its_ring", dmabuf_outlives_its_ring, .needs = NEEDS_DMABUF },
};

void add_export_checks(struct check_list *list)
{
	size_t i;

	for (i = 0; i < COUNT_OF(checks); i++) {
		struct check check = checks[i];

		check.needs |= NEEDS_KERNEL_MEMORY;
		check_list_add(list, "export", &check);
	}
}
