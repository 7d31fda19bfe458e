/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_sandbox.c - run a test where no other RouDi is
 *
 *     in-sandbox [--shm-bytes=N] [--roudi=FILE] -- COMMAND...
 *
 * The demo's sandbox (tools/sandbox.h: a /dev/shm, /tmp and /run of its own, and
 * lidard's users), and a PID namespace besides: whatever the command leaves
 * behind ends with it.  With --roudi, RouDi runs there with that configuration;
 * the command has to wait until it answers.
 *
 * The command finds LIDARD_IN_SANDBOX in its environment.
 *
 * Ends with the command's status, as a shell would; with 77 and a TAP skip where
 * sandboxes cannot be made.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/sandbox.h"

#define EXIT_SKIP 77
#define EXIT_TROUBLE 125

static int status_of(int wait_status)
{
	return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

static pid_t start(const char *const *command, int out)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (out != STDOUT_FILENO)
		dup2(out, STDOUT_FILENO);
	execvp(command[0], (char *const *)command);
	fprintf(stderr, "in-sandbox: %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

/* The first process of a PID namespace: the others end when it does. */
static int run_as_init(const char *roudi_config, const char *const *command)
{
	const char *const roudi[] = { "iox-roudi", "-m", "off", "-c", roudi_config, NULL };
	pid_t pid, ended;
	int status;

	/* a mount namespace of its own: the process outside keeps the /proc it is in */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) {
		fprintf(stderr, "in-sandbox: /proc: %s\n", strerror(errno));
		return EXIT_TROUBLE;
	}
	setenv("LIDARD_IN_SANDBOX", "1", 1);
	/* /dev/shm as it is elsewhere; without huge pages in the kernel there is nothing to refuse */
	(void)!mount(NULL, "/dev/shm", NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, "huge=never");
	if (roudi_config && start(roudi, STDERR_FILENO) < 0)
		return EXIT_TROUBLE;
	pid = start(command, STDOUT_FILENO);
	if (pid < 0)
		return EXIT_TROUBLE;
	do {
		ended = wait(&status);
	} while (ended != pid && (ended > 0 || errno == EINTR));
	return ended == pid ? status_of(status) : EXIT_TROUBLE;
}

static int usage(void)
{
	fputs("usage: in-sandbox [--shm-bytes=N] [--roudi=FILE] -- COMMAND...\n", stderr);
	return EXIT_TROUBLE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "shm-bytes", required_argument, NULL, 's' },
		{ "roudi", required_argument, NULL, 'r' },
		{ 0 },
	};
	const char *roudi_config = NULL;
	uint64_t shm_bytes = 1ull << 30;
	struct sandbox sandbox;
	int option, status;
	pid_t pid;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		if (option == 's')
			shm_bytes = strtoull(optarg, NULL, 0);
		else if (option == 'r')
			roudi_config = optarg;
		else
			return usage();
	}
	if (!argv[optind] || shm_bytes == 0)
		return usage();
	if (geteuid() != 0) {
		puts("1..0 # SKIP needs root for namespaces of its own");
		return EXIT_SKIP;
	}
	if (sandbox_enter(shm_bytes, &sandbox) < 0 || unshare(CLONE_NEWPID) < 0) {
		puts("1..0 # SKIP needs namespaces of its own");
		return EXIT_SKIP;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(run_as_init(roudi_config, (const char *const *)argv + optind));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return EXIT_TROUBLE;
	/* not exit(): with its namespace's init gone no child can be made, as LeakSanitizer wants to */
	_exit(status_of(status));
}
