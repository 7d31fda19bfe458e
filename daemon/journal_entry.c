/* SPDX-License-Identifier: Apache-2.0 */
/* journal_entry.c - see journal_entry.h */
#include "daemon/journal_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

#define NAME_PREFIX "lidard-client-"
#define NAME_MAX_BYTES 63

bool journal_entry_is_name(const char *name)
{
	size_t length = strlen(name), prefix = strlen(NAME_PREFIX);

	return length > prefix && length <= NAME_MAX_BYTES &&
	       strncmp(name, NAME_PREFIX, prefix) == 0 &&
	       strspn(name + prefix, "0123456789abcdef-") == length - prefix;
}

/* One read of a small file, never of what would make us wait. Return: its length or -errno. */
static ssize_t read_small(int dir_fd, const char *name, char *text, size_t size)
{
	CLEANUP(cleanup_fd) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return n;
}

int journal_entry_read(int dir_fd, const char *name, struct journal_entry *ret_entry)
{
	long pid;
	unsigned long uid, gid;
	uint64_t start_time;
	char text[128], end;
	ssize_t n;

	if (!journal_entry_is_name(name))
		return -EINVAL;
	n = read_small(dir_fd, name, text, sizeof(text));
	if (n < 0)
		return (int)n;
	if (sscanf(text, "%ld %lu %lu %" SCNu64 "%c", &pid, &uid, &gid, &start_time, &end) != 5 ||
	    end != '\n' || pid <= 0 || pid > INT32_MAX || uid > UINT32_MAX || gid > UINT32_MAX)
		return -EINVAL;
	*ret_entry = (struct journal_entry){
		.pid = (pid_t)pid,
		.uid = (uid_t)uid,
		.gid = (gid_t)gid,
		.start_time = start_time,
	};
	return 0;
}

int journal_entry_write(int dir_fd, const char *name, const struct journal_entry *entry)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char temporary[NAME_MAX_BYTES + 8], text[128];
	int n;

	n = snprintf(text, sizeof(text), "%d %u %u %" PRIu64 "\n", (int)entry->pid, entry->uid,
		     entry->gid, entry->start_time);
	snprintf(temporary, sizeof(temporary), ".%s", name);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)n) != n || renameat(dir_fd, temporary, dir_fd, name) < 0) {
		int error = errno ? errno : EIO;

		unlinkat(dir_fd, temporary, 0);
		return -error;
	}
	return 0;
}

uint64_t journal_entry_read_start_time(pid_t pid)
{
	uint64_t start_time;
	char path[32], text[1024], *after_name;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	n = read_small(AT_FDCWD, path, text, sizeof(text));
	if (n <= 0)
		return 0;
	/* The name may hold anything, blanks and brackets included. */
	after_name = strrchr(text, ')');
	if (!after_name ||
	    sscanf(after_name + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &start_time) != 1)
		return 0;
	return start_time;
}

/* Ended, though nobody has waited for it yet: a zombie holds no memory. */
static bool has_ended(pid_t pid)
{
	CLEANUP(cleanup_fd) int fd = pidfd_open(pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd < 0 ? errno == ESRCH : poll(&p, 1, 0) == 1;
}

bool journal_entry_is_alive(const struct journal_entry *entry)
{
	uint64_t start_time = journal_entry_read_start_time(entry->pid);

	return start_time != 0 && start_time == entry->start_time && !has_ended(entry->pid);
}
