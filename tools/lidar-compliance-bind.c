/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-bind.c - see lidar-compliance-bind.h */
#include "tools/lidar-compliance-bind.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#define BIND_TRIES 100
#define BIND_PAUSE_US 100000

/* A device that is gone has no folder any more, so only the text is looked at. */
static int write_name(const char *way, const char *file)
{
	const char *name = strrchr(way, '/');
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PATH_MAX];

	if (!name || !name[1])
		return -EINVAL;
	snprintf(path, sizeof(path), "%.*s/%s", (int)(name - way), way, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, name + 1, strlen(name + 1)) < 0 ? -errno : 0;
}

int driver_unbind(const char *way)
{
	return write_name(way, "unbind");
}

int driver_bind(const char *way, const char *node)
{
	int r = write_name(way, "bind"), i;

	if (r < 0)
		return r;
	for (i = 0; i < BIND_TRIES; i++) {
		if (access(node, R_OK | W_OK) == 0)
			return 0;
		usleep(BIND_PAUSE_US);
	}
	return -ENOENT;
}
