/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - see sim.h */
#include "tests/kmod/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "uapi/lidar_ring.h"

#define CONFIGFS "/sys/kernel/config/lidar_sim"

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	/* a forked child must not run its parent's handlers */
	fflush(stderr);
	_exit(2);
}

static void path_of(const struct sim *sim, const char *key, char path[static 96])
{
	snprintf(path, 96, CONFIGFS "/%s%s%s", sim->name, *key ? "/" : "", key);
}

int sim_set(const struct sim *sim, const char *key, const char *value)
{
	char path[96];
	int fd, ret;

	path_of(sim, key, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int sim_find(struct sim *sim)
{
	char path[96], name[24] = "";
	ssize_t bytes;
	int fd, i;

	path_of(sim, "device", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	bytes = read(fd, name, sizeof(name) - 1);
	close(fd);
	if (bytes <= 1)
		return -ENODEV;
	name[bytes - 1] = '\0';
	snprintf(sim->path, sizeof(sim->path), "/dev/%s", name);
	/* devtmpfs has a thread of its own */
	for (i = 0; i < 500 && access(sim->path, F_OK); i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	return i == 500 ? -ENODEV : 0;
}

void sim_make(struct sim *sim, const char *name, const char *const *settings)
{
	char path[96], key[32];

	snprintf(sim->name, sizeof(sim->name), "%s", name);
	path_of(sim, "", path);
	if (mkdir(path, 0755))
		die("%s: %s", path, strerror(errno));
	for (; *settings; settings++) {
		const char *value = strchr(*settings, '=');

		snprintf(key, sizeof(key), "%.*s", (int)(value - *settings), *settings);
		if (sim_set(sim, key, value + 1))
			die("%s: cannot set %s", name, *settings);
	}
	if (sim_set(sim, "live", "1") || sim_find(sim))
		die("%s: does not come to life", name);
}

void sim_remove(const struct sim *sim)
{
	char path[96];

	path_of(sim, "", path);
	if (rmdir(path))
		die("%s: %s", path, strerror(errno));
}

int sim_open(const struct sim *sim)
{
	int fd = open(sim->path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", sim->path, strerror(errno));
	return fd;
}

int sim_state(int fd)
{
	struct lidar_ring_info info;

	return ioctl(fd, LIDAR_RING_IOC_INFO, &info) < 0 ? -errno : (int)info.state;
}

int sim_words_right(const void *data, uint32_t bytes, uint64_t seq)
{
	uint32_t at;

	for (at = 0; at + 8 <= bytes; at += SIM_PAGE) {
		uint64_t word;

		memcpy(&word, (const char *)data + at, sizeof(word));
		if (word != (seq << 20 | at / SIM_PAGE))
			return 0;
	}
	return 1;
}
