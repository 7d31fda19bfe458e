/* SPDX-License-Identifier: Apache-2.0 */
/* iox_access.c - see iox_access.h */
#include "libclient/iox_access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/broker_id.h"
#include "common/cleanup.h"

/* As many groups as iceoryx looks at: of a user with more it sees none. */
#define GROUPS_MAX 888
/* An entry of the user or group database may be as long as its list of members. */
#define ENTRY_BYTES_MAX (1024u * 1024u)
#define NAME_BYTES 64

struct check {
	const struct transport_start *start;
	char *error;
	size_t error_bytes;
	char user[NAME_BYTES];
	gid_t primary_gid;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct check *c, int error,
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->error, c->error_bytes, format, args);
	va_end(args);
	return error;
}

/* Return: 0; -ENOENT there is none. */
static int find_user(struct check *c)
{
	CLEANUP(cleanup_free) char *buffer = malloc(ENTRY_BYTES_MAX);
	struct passwd entry, *found = NULL;

	if (!buffer)
		return -ENOMEM;
	getpwuid_r(geteuid(), &entry, buffer, ENTRY_BYTES_MAX, &found);
	if (!found)
		return -ENOENT;
	snprintf(c->user, sizeof(c->user), "%s", entry.pw_name);
	c->primary_gid = entry.pw_gid;
	return 0;
}

static int name_group(gid_t gid, char name[NAME_BYTES])
{
	CLEANUP(cleanup_free) char *buffer = malloc(ENTRY_BYTES_MAX);
	struct group entry, *found = NULL;

	if (!buffer)
		return -ENOMEM;
	getgrgid_r(gid, &entry, buffer, ENTRY_BYTES_MAX, &found);
	if (!found)
		return -ENOENT;
	snprintf(name, NAME_BYTES, "%s", entry.gr_name);
	return 0;
}

/* For a text: the configured name, else the one known here, else the number. */
static const char *show_group(const char *configured, gid_t gid, char name[NAME_BYTES])
{
	if (configured[0])
		return configured;
	if (name_group(gid, name) < 0)
		snprintf(name, NAME_BYTES, "%u", (unsigned int)gid);
	return name;
}

static int check_same_broker(const struct check *c)
{
	char id[BROKER_ID_MAX];

	if (broker_id_read(id) < 0)
		return refuse(c, -EXDEV,
			      "RouDi's memory " BROKER_MEMORY " is not there: this process has a "
			      "/dev/shm of its own (a container needs the host's, --ipc=host), or "
			      "RouDi is being restarted");
	if (strcmp(id, c->start->broker) == 0)
		return 0;
	return refuse(c, -EXDEV,
		      "the RouDi at " BROKER_SOCKET " with its memory in /dev/shm is not the one "
		      "lidard uses: this process has a /tmp or a /dev/shm of its own (a container "
		      "needs the host's), or RouDi is being restarted");
}

static int refuse_groups(const struct check *c)
{
	char reader[NAME_BYTES], writer[NAME_BYTES];
	const char *name = show_group(c->start->reader_group, c->start->reader_gid, reader);

	if (c->start->reader_gid == c->start->writer_gid)
		return refuse(c, -EACCES,
			      "user %s (uid %u) is not in group %s, which lidard's memory is for: "
			      "usermod -aG %s %s, then log in again",
			      c->user, (unsigned int)geteuid(), name, name, c->user);
	return refuse(c, -EACCES,
		      "user %s (uid %u) is neither in group %s, which may read lidard's memory, nor "
		      "in %s: usermod -aG %s %s, then log in again",
		      c->user, (unsigned int)geteuid(), name,
		      show_group(c->start->writer_group, c->start->writer_gid, writer), name,
		      c->user);
}

/* Return: 1 may write; 0 may read; -EACCES neither. */
static int check_groups(struct check *c)
{
	int count = GROUPS_MAX, i, reads = 0;
	gid_t gids[GROUPS_MAX];
	int r;

	r = find_user(c);
	if (r == -ENOENT)
		return refuse(c, -EACCES,
			      "user id %u is not in the user database (/etc/passwd), from which "
			      "iceoryx takes a user's groups",
			      (unsigned int)geteuid());
	if (r < 0)
		return r;
	if (getgrouplist(c->user, c->primary_gid, gids, &count) < 0)
		return refuse(c, -EACCES, "user %s is in more than %d groups: iceoryx cannot read them",
			      c->user, GROUPS_MAX);
	for (i = 0; i < count; i++) {
		if (gids[i] == c->start->writer_gid)
			return 1;
		reads |= gids[i] == c->start->reader_gid;
	}
	return reads ? 0 : refuse_groups(c);
}

/* What iceoryx will open and map, all of it; nothing is touched. */
static int try_map(const struct check *c, const char *path, bool write)
{
	CLEANUP(cleanup_fd) int fd = -1;
	struct stat st;
	void *map;

	fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == EACCES)
		return refuse(c, -EACCES,
			      "no permission for %s: user %s is in the group, but this process is not "
			      "yet: log in again, or restart the service",
			      path, c->user);
	if (fd < 0)
		return refuse(c, errno == ENOENT ? -EXDEV : -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0)
		return -errno;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return refuse(c, -ENOMEM, "%s: cannot map %lld bytes: %s", path,
			      (long long)st.st_size, strerror(errno));
	munmap(map, (size_t)st.st_size);
	return 0;
}

static int check_files(const struct check *c, bool write)
{
	char group[NAME_BYTES], path[sizeof("/dev/shm/") + NAME_BYTES];
	int r;

	if (faccessat(AT_FDCWD, "/tmp", W_OK | X_OK, AT_EACCESS) < 0)
		return refuse(c, -EACCES, "/tmp, where iceoryx's processes meet, is not writable: %s",
			      strerror(errno));
	if (name_group(c->start->writer_gid, group) < 0)
		return refuse(c, -EACCES,
			      "group id %u (%s) is not in the group database (/etc/group) here; "
			      "iceoryx finds lidard's memory by its name",
			      c->start->writer_gid, c->start->writer_group);
	r = try_map(c, BROKER_MEMORY, true);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/dev/shm/%s", group);
	return try_map(c, path, write);
}

int iox_access_check(const struct transport_start *start, char *error, size_t error_bytes)
{
	struct check c = { .start = start, .error = error, .error_bytes = error_bytes };
	int r;

	r = check_same_broker(&c);
	if (r == 0)
		r = check_groups(&c);
	return r < 0 ? r : check_files(&c, r == 1);
}
