/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c - see sandbox.h */
#include "bench/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

static bool is_left_out(const char *name)
{
	size_t length = strlen(name);

	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "roudi") == 0 ||
	       (length > 5 && strcmp(name + length - 5, ".lock") == 0);
}

/* Best effort: an entry may vanish while we look. */
static void bind_entry(int from, const char *name)
{
	char source[PATH_MAX], target[PATH_MAX];
	struct stat st;
	int fd;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISLNK(st.st_mode))
		return;
	/* the old directory lies under the new one: only its fd still leads there */
	snprintf(source, sizeof(source), "/proc/self/fd/%d/%s", from, name);
	snprintf(target, sizeof(target), "/tmp/%s", name);
	if (S_ISDIR(st.st_mode)) {
		if (mkdir(target, 0755) < 0)
			return;
	} else {
		fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return;
		close(fd);
	}
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
		remove(target);
}

static int renew_tmp(void)
{
	int from = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *dir;

	if (from < 0)
		return -errno;
	if (mount("lidard-bench", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0) {
		close(from);
		return -errno;
	}
	dir = fdopendir(from);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (!is_left_out(entry->d_name))
			bind_entry(from, entry->d_name);
	closedir(dir);
	return 0;
}

int sandbox_enter(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC) < 0 ||
	    /* nothing mounted here may leak out */
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("lidard-bench", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)
		return -errno;
	return renew_tmp();
}
