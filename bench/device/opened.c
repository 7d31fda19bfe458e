/* SPDX-License-Identifier: Apache-2.0 */
/* opened.c - see opened.h */
#include "bench/device/opened.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"

void die(const char *what)
{
	fprintf(stderr, "consume: %s: %s\n", what, strerror(errno));
	exit(1);
}

void opened_init(struct opened *o, const char *path, uint32_t memory, uint64_t slice_bytes,
		 uint32_t slots)
{
	struct lidar_ring_setup setup = {
		.memory = memory,
		.slot_count = slots,
		.slot_bytes = slice_bytes,
	};

	*o = (struct opened){ .fd = open(path, O_RDWR | O_CLOEXEC) };
	if (o->fd < 0)
		die(path);
	if (ioctl(o->fd, LIDAR_RING_IOC_SETUP, &setup) < 0)
		die("SETUP");
	o->layout = setup.layout;
}

static void *map_or_die(int fd, int protection, uint64_t offset, uint64_t bytes, const char *what)
{
	void *p = mmap(NULL, bytes, protection, MAP_SHARED, fd, (off_t)offset);

	if (p == MAP_FAILED)
		die(what);
	return p;
}

void opened_map(struct opened *o)
{
	const struct lidar_ring_layout *l = &o->layout;
	void *control = map_or_die(o->fd, PROT_READ | PROT_WRITE, l->control_offset,
				   l->control_bytes, "mmap of the control page");
	struct problem problem;

	if (device_ring_init(&o->ring, l, control, &problem) < 0) {
		fprintf(stderr, "consume: %s\n", problem.text);
		exit(1);
	}
	if (l->data_bytes)
		o->slots = map_or_die(o->fd, PROT_READ, l->data_offset, l->data_bytes,
				      "mmap of the slots");
}

uint8_t *make_shared(uint64_t bytes)
{
	int fd = memfd_create("slices", MFD_CLOEXEC);
	uint8_t *p;

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		die("memfd");
	p = map_or_die(fd, PROT_READ | PROT_WRITE, 0, bytes, "mmap of a memfd");
	close(fd);
	memset(p, 0, bytes);
	return p;
}

void opened_register(struct opened *o)
{
	uint64_t bytes = o->layout.slot_bytes * o->layout.slot_count;
	uint8_t *memory = make_shared(bytes);
	struct lidar_ring_register registration = {
		.address = (uintptr_t)memory,
		.length = bytes,
		.stride = o->layout.slot_bytes,
		.count = o->layout.slot_count,
	};

	if (ioctl(o->fd, LIDAR_RING_IOC_REGISTER, &registration) < 0)
		die("REGISTER");
	o->slots = memory;
}

const uint8_t *opened_map_dmabuf(const struct opened *o)
{
	struct lidar_ring_export export = { .kind = LIDAR_RING_EXPORT_DMABUF_RING, .fd = -1 };
	const uint8_t *p;

	if (ioctl(o->fd, LIDAR_RING_IOC_EXPORT, &export) < 0)
		die("EXPORT");
	p = map_or_die(export.fd, PROT_READ, 0, o->layout.data_bytes, "mmap of a dma-buf");
	close(export.fd);
	return p;
}

void opened_start(const struct opened *o)
{
	struct lidar_ring_start start = { .flags = LIDAR_RING_START_QUEUE_ALL };

	if (ioctl(o->fd, LIDAR_RING_IOC_START, &start) < 0)
		die("START");
}

void opened_stop(const struct opened *o)
{
	if (ioctl(o->fd, LIDAR_RING_IOC_STOP) < 0)
		die("STOP");
}

struct lidar_ring_desc opened_get_frame(const struct opened *o)
{
	struct lidar_ring_get_frame get = { .timeout_ns = PATIENCE_MS * (int64_t)NSEC_PER_MSEC };

	if (ioctl(o->fd, LIDAR_RING_IOC_GET_FRAME, &get) < 0)
		die("GET_FRAME");
	return get.desc;
}

void opened_release_frame(const struct opened *o, uint64_t offset)
{
	struct lidar_ring_release_frame release = { .offset = offset };

	if (ioctl(o->fd, LIDAR_RING_IOC_RELEASE_FRAME, &release) < 0)
		die("RELEASE_FRAME");
}

struct lidar_ring_desc opened_pop(struct opened *o)
{
	struct pollfd pollfd = { .fd = o->fd, .events = POLLIN };
	struct lidar_ring_desc desc;
	int r;

	while ((r = device_ring_pop(&o->ring, &desc)) == 0) {
		r = poll(&pollfd, 1, PATIENCE_MS);
		if (r == 0)
			errno = ETIMEDOUT;
		if (r <= 0 || !(pollfd.revents & POLLIN))
			die("poll");
	}
	if (r < 0) {
		errno = -r;
		die("the ready ring");
	}
	return desc;
}

void opened_push(struct opened *o, uint64_t offset)
{
	if (!device_ring_push(&o->ring, offset)) {
		errno = ENOSPC;
		die("the fill ring");
	}
	if (device_ring_needs_wakeup(&o->ring) && ioctl(o->fd, LIDAR_RING_IOC_KICK) < 0)
		die("KICK");
}

uint64_t opened_count_lost(const struct opened *o)
{
	struct lidar_ring_stats s;

	if (ioctl(o->fd, LIDAR_RING_IOC_STATS, &s) < 0)
		die("STATS");
	return s.lost_no_slot + s.lost_device + s.lost_error + s.lost_ready_full;
}
