/* SPDX-License-Identifier: Apache-2.0 */
/* child.c - see child.h */
#include "bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define LOG_FILE BENCH_DIR "/log"
#define LOOK_NS (2 * NSEC_PER_MSEC)

void bench_begin(void)
{
	if (!getenv("LIDARD_IN_SANDBOX"))
		bench_die("to be run by tests/in-sandbox: it starts a RouDi of its own");
	if (mkdir(BENCH_DIR, 0700) < 0)
		bench_die("cannot make " BENCH_DIR ": %s", strerror(errno));
}

static void show_log(void)
{
	CLEANUP(cleanup_file) FILE *f = fopen(LOG_FILE, "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		fputs(line, stderr);
}

/* The children end with this process. */
_Noreturn void bench_die(const char *format, ...)
{
	va_list args;

	show_log();
	fputs("bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

void bench_nap(void)
{
	struct timespec pause = clock_to_timespec(LOOK_NS);

	nanosleep(&pause, NULL);
}

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

pid_t child_start(int cpu)
{
	pid_t parent = getpid(), pid;
	int fd;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		bench_die("cannot fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	fd = open(LOG_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	pin(cpu);
	return 0;
}

_Noreturn void child_exec(const char *const *command)
{
	execvp(command[0], (char *const *)command);
	fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
	_exit(127);
}

void child_check(pid_t pid, const char *what)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == pid)
		bench_die("%s ended with wait status 0x%x", what, status);
}

void child_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

uint64_t child_cpu_ns(pid_t pid)
{
	clockid_t clock;

	return clock_getcpuclockid(pid, &clock) == 0 ? clock_read_ns(clock) : 0;
}
