/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_access.h - whom the shared memory of the points is for
 *
 * The groups as RouDi resolved them when it started, for clients to check
 * their own membership before they start iceoryx, which does not.  Looked up
 * once at start: a group database may be a server far away.
 */
#ifndef DAEMON_MEMORY_ACCESS_H
#define DAEMON_MEMORY_ACCESS_H

#include <sys/types.h>

#include "common/problem.h"
#include "daemon/config.h"

struct memory_access {
	/** As configured; "": the group RouDi runs with. */
	char writer_group[CONFIG_GROUP_MAX];
	char reader_group[CONFIG_GROUP_MAX];
	gid_t writer_gid;
	gid_t reader_gid;
};

/**
 * memory_access_init() - look the groups up
 *
 * RouDi must be running: its own group is the one of its memory.
 * Return: 0; -ENOENT there is no such group; other negative errno.
 */
int memory_access_init(struct memory_access *a, const struct config *config,
		       struct problem *problem);

#endif /* DAEMON_MEMORY_ACCESS_H */
