/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reclaim_main.c - lidard-reclaim: free the shared memory of dead clients
 *
 *     lidard-reclaim STATE_DIR
 *
 * For each entry in STATE_DIR/dead whose process is really gone, a child takes
 * the dead process' uid and gid and registers its runtime name with RouDi:
 * RouDi then removes what the name had before (ports, chunks held), and when
 * the child leaves, the name itself.  Needs root, or nothing when all clients
 * run under its own uid.
 *
 * The uid matters because iceoryx locks a name by a file of mode 0600.  It is
 * also the witness of who had the name: only that user could make the file, so
 * that a journal that lies cannot have us become anybody else.  Where there is
 * none, any user does, and it is the journal's.  Root's files are removed
 * instead, since a child that reads memory all clients can write is not to be
 * root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/broker_id.h"
#include "common/cleanup.h"
#include "daemon/broker_iox.h"
#include "daemon/journal_entry.h"
#include <iceoryx_binding_c/api.h>

/* Where iceoryx has the lock and the socket of a runtime name. */
#define LOCK_FORMAT "/tmp/%s.lock"
#define SOCKET_FORMAT "/tmp/%s"
/* RouDi answers a registration within milliseconds, or it hangs. */
#define REGISTRATION_TIMEOUT_S 5

/* Make the name anybody's. */
static void remove_files(const char *name)
{
	char path[NAME_MAX + sizeof(LOCK_FORMAT)];

	snprintf(path, sizeof(path), LOCK_FORMAT, name);
	unlink(path);
	snprintf(path, sizeof(path), SOCKET_FORMAT, name);
	unlink(path);
}

/*
 * Who is to register the name: st_uid and st_gid of @ret_owner.
 * Return: 0; -EPERM the lock is not the user's who the journal says had it; -errno.
 */
static int find_owner(const char *name, uid_t uid, int journal_fd, struct stat *ret_owner)
{
	char path[NAME_MAX + sizeof(LOCK_FORMAT)];

	snprintf(path, sizeof(path), LOCK_FORMAT, name);
	if (lstat(path, ret_owner) == 0) {
		if (!S_ISREG(ret_owner->st_mode) || ret_owner->st_uid != uid)
			return -EPERM;
		if (uid != 0 || geteuid() != 0)
			return 0;
		remove_files(name);
	} else if (errno != ENOENT) {
		return -errno;
	}
	return fstat(journal_fd, ret_owner) < 0 ? -errno : 0;
}

/*
 * The dead process was let in to RouDi by its group, which may have been one of
 * its supplementary groups; of those its files know nothing.
 */
static int take_identity(const struct stat *owner)
{
	struct stat roudi;

	if (stat(BROKER_SOCKET, &roudi) < 0 || setgroups(1, &roudi.st_gid) < 0 ||
	    setresgid(owner->st_gid, owner->st_gid, owner->st_gid) < 0 ||
	    setresuid(owner->st_uid, owner->st_uid, owner->st_uid) < 0)
		return -errno;
	return 0;
}

/* In the child: become the dead process, as far as RouDi is concerned. */
static int impersonate(const char *name, const struct journal_entry *entry, int journal_fd)
{
	struct problem problem;
	struct stat owner;
	int r = find_owner(name, entry->uid, journal_fd, &owner);

	if (r < 0) {
		fprintf(stderr, "lidard-reclaim: the lock of %s does not say that it was uid %u's: %s\n",
			name, entry->uid, strerror(-r));
		return 1;
	}
	r = geteuid() == 0 ? take_identity(&owner) : 0;
	if (r < 0) {
		fprintf(stderr, "lidard-reclaim: cannot become uid %u: %s\n", owner.st_uid,
			strerror(-r));
		return 1;
	}
	if (getuid() != owner.st_uid) {
		fprintf(stderr, "lidard-reclaim: %s belongs to uid %u; run me as root\n", name,
			owner.st_uid);
		return 1;
	}
	if (broker_probe(&problem) == -EACCES) {
		fprintf(stderr, "lidard-reclaim: %s\n", problem.text);
		return 1;
	}
	iox_set_loglevel(Iceoryx_LogLevel_Off);
	alarm(REGISTRATION_TIMEOUT_S);
	iox_runtime_init(name);
	return 0; /* to exit(), which takes leave of RouDi under the same alarm */
}

/* Return: 0 free; else an exit status. */
static int reclaim_one(const char *name, const struct journal_entry *entry, int journal_fd)
{
	int status;
	pid_t pid;

	/* No RouDi, no memory: the next one begins empty. */
	if (broker_probe(NULL) == -ECONNREFUSED)
		return 0;
	pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0)
		exit(impersonate(name, entry, journal_fd)); /* not _exit(): that would keep the name taken */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
		fprintf(stderr, "lidard-reclaim: RouDi does not answer within %d s\n",
			REGISTRATION_TIMEOUT_S);
		return RECLAIM_EXIT_BROKER_HANGS;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int sweep(int dir_fd)
{
	struct journal_entry entry;
	struct dirent *d;
	int worst = 0, r;
	DIR *dir;

	dir = fdopendir(dir_fd);
	if (!dir)
		return 1;
	while ((d = readdir(dir))) {
		if (!journal_entry_is_name(d->d_name))
			continue;
		r = journal_entry_read(dir_fd, d->d_name, &entry);
		if (r == 0 && journal_entry_is_alive(&entry)) {
			fprintf(stderr, "lidard-reclaim: %s is not dead (pid %d)\n", d->d_name,
				(int)entry.pid);
			r = 1;
		} else {
			r = r == 0 ? reclaim_one(d->d_name, &entry, dir_fd) : 0;
		}
		if (r == 0)
			unlinkat(dir_fd, d->d_name, 0);
		else if (r > worst)
			worst = r;
	}
	closedir(dir);
	return worst;
}

int main(int argc, char *argv[])
{
	char path[4096];
	int fd;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr,
			"usage: lidard-reclaim STATE_DIR\n"
			"Free the shared memory of the dead clients listed in STATE_DIR/dead.\n");
		return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
	}
	snprintf(path, sizeof(path), "%s/dead", argv[1]);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		fprintf(stderr, "lidard-reclaim: cannot open %s: %s\n", path, strerror(errno));
		return 1;
	}
	return sweep(fd);
}
