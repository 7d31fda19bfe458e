/* SPDX-License-Identifier: Apache-2.0 */
/* child.c - see child.h */
#include "tools/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "tools/complain.h"

#define CHILD_TAIL_LINES 20
#define CHILD_LOOK_NS (5 * NSEC_PER_MSEC)

static int become(const struct child_user *user)
{
	if (!user)
		return 0;
	/* first: it takes a privilege; without it the demo is merely less quiet */
	setpriority(PRIO_PROCESS, 0, user->niceness);
	if (setgroups(user->group_count, user->groups) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	return 0;
}

/* In the child. */
static void prepare(const struct child *c, const struct child_user *user, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r;

	setpgid(0, 0);
	dup2(null, STDIN_FILENO);
	dup2(c->output_fd, STDOUT_FILENO);
	dup2(c->output_fd, STDERR_FILENO);
	r = become(user);
	if (r < 0) {
		fprintf(stderr, "cannot change user: %s\n", strerror(-r));
		_exit(126);
	}
	/* only now: a change of user clears it */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
}

/* Return: 0 in the child, 1 in the parent, negative errno. */
static int start(struct child *c, const char *name, const struct child_user *user)
{
	pid_t parent = getpid(), pid;

	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->output_fd = memfd_create(name, MFD_CLOEXEC);
	if (c->output_fd < 0)
		return -errno;
	/* two writers with one offset each would overwrite one another */
	fcntl(c->output_fd, F_SETFL, O_APPEND);
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		int error = -errno;

		c->output_fd = close_fd(c->output_fd);
		return error;
	}
	if (pid == 0) {
		prepare(c, user, parent);
		return 0;
	}
	c->pid = pid;
	return 1;
}

int child_exec(struct child *c, const char *name, const struct child_user *user, char *const argv[])
{
	int r = start(c, name, user);

	if (r != 0)
		return r < 0 ? r : 0;
	execv(argv[0], argv);
	fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int child_call(struct child *c, const char *name, const struct child_user *user,
	       int (*fn)(void *data), void *data)
{
	int r = start(c, name, user);

	if (r != 0)
		return r < 0 ? r : 0;
	r = fn(data);
	fflush(NULL);
	/* no exit handlers: they belong to the parent, and iceoryx's may hang */
	_exit(r);
}

bool child_has_ended(struct child *c)
{
	if (c->pid > 0 && !c->has_ended && waitpid(c->pid, &c->status, WNOHANG) == c->pid)
		c->has_ended = true;
	return c->pid <= 0 || c->has_ended;
}

bool child_has_failed(struct child *c)
{
	if (c->pid == 0 || !child_has_ended(c))
		return false;
	complain("%s ended unexpectedly (%s %d):", c->name,
		 WIFSIGNALED(c->status) ? "signal" : "exit status",
		 WIFSIGNALED(c->status) ? WTERMSIG(c->status) : WEXITSTATUS(c->status));
	child_print_output(c);
	return true;
}

bool child_wait(struct child *c, uint64_t timeout_ns)
{
	struct timespec pause = clock_to_timespec(CHILD_LOOK_NS);
	uint64_t end = clock_now_ns() + timeout_ns;

	while (!child_has_ended(c)) {
		if (clock_now_ns() >= end)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void child_end(struct child *c, int signal, uint64_t timeout_ns)
{
	if (c->pid > 0 && !child_has_ended(c)) {
		kill(c->pid, signal);
		if (!child_wait(c, timeout_ns)) {
			kill(c->pid, SIGKILL);
			waitpid(c->pid, &c->status, 0);
		}
	}
	c->pid = 0;
	c->output_fd = close_fd(c->output_fd);
}

char *child_read_output(const struct child *c)
{
	struct stat st = {};
	char *text;
	ssize_t n;

	if (c->output_fd < 0 || fstat(c->output_fd, &st) < 0)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return NULL;
	n = pread(c->output_fd, text, (size_t)st.st_size, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

void child_print_output(const struct child *c)
{
	CLEANUP(cleanup_free) char *text = child_read_output(c);
	unsigned int lines = 0;
	char *p, *line, *next;

	if (!text || !*text)
		return;
	for (p = text + strlen(text) - 1; p > text; p--)
		if (p[-1] == '\n' && ++lines == CHILD_TAIL_LINES)
			break;
	for (line = strtok_r(p, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
		fprintf(stderr, "  %s: %s\n", c->name, line);
}
