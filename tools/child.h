/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - processes the demo started, each ended by its own pid
 *
 * What a child writes to stdout and stderr is kept in memory; its end is shown
 * when something went wrong.  A child dies with its parent (PR_SET_PDEATHSIG),
 * and has a process group of its own, so that Ctrl-C reaches only the parent,
 * who ends the others in order.
 */
#ifndef TOOLS_CHILD_H
#define TOOLS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
	char name[32];
	/** 0: not started, or ended and waited for. */
	pid_t pid;
	/** Its output; -1 if not started. */
	int output_fd;
	/** As of waitpid(), once it has ended. */
	int status;
	bool has_ended;
};

#define CHILD_NULL { .output_fd = -1 }

/** Who a child runs as; NULL where it is asked for: as its parent. */
struct child_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[2];
	unsigned int group_count;
	/** As nice(1): below 0 before others. */
	int niceness;
};

/** child_exec() - start a program. Return: 0; negative errno. */
int child_exec(struct child *c, const char *name, const struct child_user *user, char *const argv[]);

/** child_call() - run a function in a process of its own, which ends with what it returns. */
int child_call(struct child *c, const char *name, const struct child_user *user,
	       int (*fn)(void *data), void *data);

/** child_has_ended() - never blocks. */
bool child_has_ended(struct child *c);

/** child_has_failed() - has one ended that should not? Then says so, with its last lines. */
bool child_has_failed(struct child *c);

/** child_wait() - wait at most so long. Return: true if it has ended. */
bool child_wait(struct child *c, uint64_t timeout_ns);

/** child_end() - signal, wait, and SIGKILL if that does not help; free it. Idempotent. */
void child_end(struct child *c, int signal, uint64_t timeout_ns);

/** child_print_output() - the last lines a child wrote, on stderr, each marked with its name */
void child_print_output(const struct child *c);

/** child_read_output() - all it wrote, as a string to free(); NULL: out of memory. */
char *child_read_output(const struct child *c);

#endif /* TOOLS_CHILD_H */
