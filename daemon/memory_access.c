/* SPDX-License-Identifier: Apache-2.0 */
/* memory_access.c - see memory_access.h */
#include "daemon/memory_access.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>

#include "common/broker_id.h"

static int find_group(const char *key, const char *name, gid_t *ret_gid, struct problem *problem)
{
	const struct group *g;
	struct stat st;

	if (!name[0]) {
		if (stat(BROKER_MEMORY, &st) < 0)
			return problem_set(problem, -errno, "cannot look at " BROKER_MEMORY ": %s",
					   strerror(errno));
		*ret_gid = st.st_gid;
		return 0;
	}
	g = getgrnam(name);
	if (!g)
		return problem_set(problem, -ENOENT,
				   "%s = %s: there is no such group (systemd-sysusers makes it from "
				   "lidard's sysusers.d file)",
				   key, name);
	*ret_gid = g->gr_gid;
	return 0;
}

int memory_access_init(struct memory_access *a, const struct config *config,
		       struct problem *problem)
{
	int r;

	*a = (struct memory_access){ 0 };
	strcpy(a->writer_group, config->writer_group);
	strcpy(a->reader_group, config->reader_group);
	r = find_group("writer_group", a->writer_group, &a->writer_gid, problem);
	if (r < 0)
		return r;
	return find_group("reader_group", a->reader_group, &a->reader_gid, problem);
}
