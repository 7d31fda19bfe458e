/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c - see sandbox.h */
#include "tools/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tools/complain.h"

/* Ids looked for when lidard is not installed: above those of people, below nobody's. */
#define SANDBOX_ID_FIRST 61000u

static int failed(const char *what, const char *path)
{
	int error = -errno;

	complain("cannot %s %s for the demo: %s", what, path, strerror(-error));
	return error;
}

/*
 * iceoryx: a socket and a lock for the broker and for each application, of which
 * a dead one leaves the socket. Nothing in the sandbox needs anybody's socket.
 */
static bool is_iceoryx(int dir, const char *name)
{
	size_t length = strlen(name);
	struct stat st;

	if (length > 5 && strcmp(name + length - 5, ".lock") == 0)
		return true;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode);
}

/* What an installed lidard keeps in /run is not ours; a /tmp/lidard may hold the build. */
static bool is_left_out(int dir, const char *path, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	if (strcmp(path, "/run") == 0 && strncmp(name, "lidard", strlen("lidard")) == 0)
		return true;
	return is_iceoryx(dir, name);
}

static void copy_symlink(int from, int to, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return;
	target[n] = '\0';
	(void)!symlinkat(target, to, name);
}

/*
 * Best effort: an entry may vanish while we look, and one that cannot be bound
 * is missed only by who needs it.
 */
static void bind_entry(int from, int to, const char *path, const char *name)
{
	char source[PATH_MAX], target[PATH_MAX];
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISLNK(st.st_mode)) {
		copy_symlink(from, to, name);
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		if (mkdirat(to, name, 0755) < 0)
			return;
	} else {
		int fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd < 0)
			return;
		close(fd);
	}
	/* the old directory lies under the new one now: only its fd still leads there */
	snprintf(source, sizeof(source), "/proc/self/fd/%d/%s", from, name);
	snprintf(target, sizeof(target), "%s/%s", path, name);
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
		unlinkat(to, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
}

/* Put a fresh tmpfs over a directory and bind back what was in it. */
static int renew(const char *path, const char *options)
{
	CLEANUP(cleanup_fd) int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_fd) int to = -1;
	struct dirent *entry;
	DIR *dir;
	int copy;

	if (from < 0)
		return failed("open", path);
	if (mount("lidard-demo", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
		return failed("mount a private", path);
	to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	copy = fcntl(from, F_DUPFD_CLOEXEC, 0);
	dir = copy >= 0 ? fdopendir(copy) : NULL;
	if (to < 0 || !dir) {
		close_fd(copy);
		return failed("open the private", path);
	}
	while ((entry = readdir(dir)))
		if (!is_left_out(from, path, entry->d_name))
			bind_entry(from, to, path, entry->d_name);
	closedir(dir);
	return 0;
}

static int renew_shm(uint64_t bytes)
{
	char options[128];

	/* huge pages where the kernel has them: fewer faults, smaller page tables */
	snprintf(options, sizeof(options), "mode=1777,size=%llu,huge=within_size",
		 (unsigned long long)bytes);
	if (mount("lidard-demo", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, options) == 0)
		return 0;
	*strstr(options, ",huge") = '\0';
	if (mount("lidard-demo", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, options) == 0)
		return 0;
	return failed("mount a private", "/dev/shm");
}

/* The users and groups lidard needs: as they are on this machine, or new ones. */
static void choose_ids(struct sandbox *s)
{
	const struct passwd *pw;
	const struct group *gr;

	gr = getgrnam(SANDBOX_GROUP_LIDARD);
	s->lidard_gid = gr ? gr->gr_gid : SANDBOX_ID_FIRST;
	gr = getgrnam(SANDBOX_GROUP_READER);
	s->reader_gid = gr ? gr->gr_gid : SANDBOX_ID_FIRST + 1;
	pw = getpwnam(SANDBOX_USER_LIDARD);
	s->lidard_uid = pw ? pw->pw_uid : SANDBOX_ID_FIRST;
	pw = getpwnam(SANDBOX_USER_READER);
	s->reader_uid = pw ? pw->pw_uid : SANDBOX_ID_FIRST + 1;
}

/*
 * Bind a copy over a file of /etc: our entries first, then the file's own, without entries of
 * the same names.
 */
static int cover(const char *path, const char *copy_path, const char *entries)
{
	CLEANUP(cleanup_file) FILE *in = fopen(path, "re");
	CLEANUP(cleanup_file) FILE *out = fopen(copy_path, "we");
	char line[4096];

	if (!in || !out)
		return failed("copy", path);
	fputs(entries, out);
	while (fgets(line, sizeof(line), in))
		if (strncmp(line, SANDBOX_GROUP_LIDARD ":", strlen(SANDBOX_GROUP_LIDARD) + 1) != 0 &&
		    strncmp(line, SANDBOX_GROUP_READER ":", strlen(SANDBOX_GROUP_READER) + 1) != 0)
			fputs(line, out);
	if (fflush(out) != 0 || mount(copy_path, path, NULL, MS_BIND, NULL) < 0)
		return failed("cover", path);
	return 0;
}

static int add_users(const struct sandbox *s)
{
	char text[512];
	int r;

	/*
	 * iceoryx asks the group database, not the process, which groups a user is in; root has
	 * no access of its own, and is to be able to look in.
	 */
	snprintf(text, sizeof(text),
		 SANDBOX_GROUP_LIDARD ":x:%u:" SANDBOX_USER_LIDARD "\n" SANDBOX_GROUP_READER
		 ":x:%u:" SANDBOX_USER_LIDARD "," SANDBOX_USER_READER ",root\n",
		 s->lidard_gid, s->reader_gid);
	r = cover("/etc/group", SANDBOX_DIR "/group", text);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text),
		 SANDBOX_USER_LIDARD ":x:%u:%u::/:/usr/sbin/nologin\n" SANDBOX_USER_READER
		 ":x:%u:%u::/:/usr/sbin/nologin\n",
		 s->lidard_uid, s->reader_gid, s->reader_uid, s->reader_gid);
	return cover("/etc/passwd", SANDBOX_DIR "/passwd", text);
}

static int build(uint64_t shm_bytes, struct sandbox *s)
{
	int r;

	/* nothing mounted here may leak out */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return failed("make private", "/");
	r = renew("/tmp", "mode=1777");
	if (r == 0)
		r = renew("/run", "mode=0755");
	if (r == 0)
		r = renew_shm(shm_bytes);
	if (r < 0)
		return r;
	if (mkdir(SANDBOX_DIR, 0755) < 0)
		return failed("make", SANDBOX_DIR);
	choose_ids(s);
	return add_users(s);
}

int sandbox_check(void)
{
	if (geteuid() == 0)
		return 0;
	complain("needs root for a private mount namespace: try sudo");
	return -EPERM;
}

int sandbox_enter(uint64_t shm_bytes, struct sandbox *ret_sandbox)
{
	int r = sandbox_check();

	if (r < 0)
		return r;
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC) < 0) {
		int error = -errno;

		complain("cannot make a private mount namespace: %s%s", strerror(-error),
			 error == -EPERM ? " (in a container? it needs CAP_SYS_ADMIN: "
					   "docker run --privileged)" : "");
		return error;
	}
	return build(shm_bytes, ret_sandbox);
}
