/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken_driver.c - a driver of the ring interface that is broken in one way
 *
 * Preloaded into lidar-compliance it stands between it and a driver that works,
 * and spoils what BREAK names.  So the checks can be seen to fail.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "uapi/lidar_ring.h"

typedef int ioctl_function(int fd, unsigned long request, void *arg);

int ioctl(int fd, unsigned long request, ...);

static int real_ioctl(int fd, unsigned long request, void *arg)
{
	static ioctl_function *function;

	if (!function)
		*(void **)&function = dlsym(RTLD_NEXT, "ioctl");
	return function(fd, request, arg);
}

/* takes flags it does not know */
static int accept_flags(int fd, unsigned long request, void *arg)
{
	struct lidar_ring_start start;

	if (request != LIDAR_RING_IOC_START)
		return real_ioctl(fd, request, arg);
	start = *(struct lidar_ring_start *)arg;
	start.flags &= LIDAR_RING_START_QUEUE_ALL;
	return real_ioctl(fd, request, &start);
}

/* does not look at reserved words */
static int accept_reserved(int fd, unsigned long request, void *arg)
{
	struct lidar_ring_setup *setup = arg;

	if (request == LIDAR_RING_IOC_SETUP)
		memset(setup->reserved, 0, sizeof(setup->reserved));
	return real_ioctl(fd, request, arg);
}

static int wrong_errno(int fd, unsigned long request, void *arg)
{
	int r = real_ioctl(fd, request, arg);

	if (r < 0 && errno == EBUSY)
		errno = EINVAL;
	return r;
}

static int wrong_data(int fd, unsigned long request, void *arg)
{
	int r = real_ioctl(fd, request, arg);

	if (r == 0 && request == LIDAR_RING_IOC_GET_FRAME)
		((struct lidar_ring_get_frame *)arg)->desc.crc32c ^= 1;
	return r;
}

static int wrong_seq(int fd, unsigned long request, void *arg)
{
	static unsigned int count;
	int r = real_ioctl(fd, request, arg);

	if (r == 0 && request == LIDAR_RING_IOC_GET_FRAME)
		((struct lidar_ring_get_frame *)arg)->desc.seq += ++count > 20;
	return r;
}

static int falling_counter(int fd, unsigned long request, void *arg)
{
	static unsigned int count;
	int r = real_ioctl(fd, request, arg);

	if (r == 0 && request == LIDAR_RING_IOC_STATS)
		((struct lidar_ring_stats *)arg)->starved = 1000 - ++count;
	return r;
}

/* hands out what it should have cleared */
static int dirty_reserved(int fd, unsigned long request, void *arg)
{
	int r = real_ioctl(fd, request, arg);

	if (r == 0 && request == LIDAR_RING_IOC_INFO)
		((struct lidar_ring_info *)arg)->reserved[7] = 0xdeadbeef;
	return r;
}

static int hang(int fd, unsigned long request, void *arg)
{
	while (request == LIDAR_RING_IOC_KICK)
		pause();
	return real_ioctl(fd, request, arg);
}

static int crash(int fd, unsigned long request, void *arg)
{
	if (request == LIDAR_RING_IOC_KICK)
		abort();
	return real_ioctl(fd, request, arg);
}

/* keeps the ring when its owner has ended: here a process that nobody knows of does */
static int leave_it_busy(int fd, unsigned long request, void *arg)
{
	int r = real_ioctl(fd, request, arg);

	if (r == 0 && request == LIDAR_RING_IOC_SETUP && fork() == 0) {
		setsid();
		alarm(20);
		for (;;)
			pause();
	}
	return r;
}

static const struct {
	const char *name;
	ioctl_function *ioctl;
} ways[] = {
	{ "accept_flags", accept_flags },	{ "accept_reserved", accept_reserved },
	{ "wrong_errno", wrong_errno },		{ "wrong_data", wrong_data },
	{ "wrong_seq", wrong_seq },		{ "falling_counter", falling_counter },
	{ "dirty_reserved", dirty_reserved },	{ "hang", hang },
	{ "crash", crash },			{ "leave_it_busy", leave_it_busy },
};

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
	const char *name = getenv("BREAK");
	va_list ap;
	void *arg;
	size_t i;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	for (i = 0; name && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].name, name) == 0)
			return ways[i].ioctl(fd, request, arg);
	return real_ioctl(fd, request, arg);
}
