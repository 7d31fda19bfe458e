/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-run.c - see lidar-compliance-run.h
 *
 * A check's process leads a process group, and this one adopts its orphans, so
 * that all of them can be ended and waited for.  What they leave behind in the
 * driver is the driver's fault: the device must be idle a moment later.
 */
#include "tools/lidar-compliance-run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "tools/lidar-compliance-bind.h"
#include "tools/lidar-compliance-log.h"

/* longest time from a process' end until the device is idle, or the process gone */
#define SETTLE_MS 5000
#define SLOW_FACTOR 10

__attribute__((format(printf, 2, 3))) static void add_line(struct outcome *outcome,
							   const char *format, ...)
{
	va_list ap;

	if (outcome->line_count == OUTCOME_LINES_MAX)
		return;
	va_start(ap, format);
	vsnprintf(outcome->lines[outcome->line_count++], OUTCOME_TEXT_MAX, format, ap);
	va_end(ap);
}

__attribute__((format(printf, 2, 3))) static void fail(struct outcome *outcome, const char *format,
						       ...)
{
	char text[OUTCOME_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	add_line(outcome, "%s", text);
	if (outcome->verdict != VERDICT_BROKEN)
		outcome->verdict = VERDICT_FAILED;
}

static void take_line(struct outcome *outcome, const char *line)
{
	if (line[0] == 'F') {
		fail(outcome, "%s", line + 1);
	} else if (line[0] == 'S' && outcome->verdict == VERDICT_OK) {
		outcome->verdict = VERDICT_SKIPPED;
		snprintf(outcome->reason, sizeof(outcome->reason), "%s", line + 1);
	} else if (line[0] == 'N') {
		add_line(outcome, "%s", line + 1);
	}
}

/* Everybody who could have written is gone. */
static void take_words(struct outcome *outcome, int fd)
{
	CLEANUP(cleanup_file) FILE *file = fdopen(fd, "r");
	char line[OUTCOME_TEXT_MAX];

	if (!file) {
		close_fd(fd);
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		take_line(outcome, line);
	}
}

/* In the check's process. */
__attribute__((noreturn)) static void perform(const struct check_entry *entry,
					      const struct trial *trial)
{
	const struct rlimit none = {};

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* a check may crash on purpose, and a core of mapped slots is large */
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGPIPE, SIG_IGN);
	entry->check.run(trial, entry->check.arg);
	_exit(0);
}

static bool wait_until_over(pid_t pid, uint64_t timeout_s)
{
	CLEANUP(cleanup_fd) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	return poll(&poll_fd, 1, (int)(timeout_s * 1000)) > 0;
}

/* Where in the kernel a process hangs, if it does. */
static void tell_where(struct outcome *outcome, pid_t pid)
{
	char path[64], stack[256] = "";
	CLEANUP(cleanup_file) FILE *file = NULL;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/stack", (int)pid);
	file = fopen(path, "r");
	for (i = 0; file && i < 4 && fgets(stack, sizeof(stack), file); i++) {
		stack[strcspn(stack, "\n")] = '\0';
		add_line(outcome, "  %s", stack);
	}
}

/* Returns false if the process does not even end by SIGKILL. */
static bool reap(pid_t pid, int *ret_status)
{
	const uint64_t until_ns = clock_now_ns() + SETTLE_MS * NSEC_PER_MSEC;
	int status;
	pid_t got;

	kill(-pid, SIGKILL);
	do {
		got = waitpid(-1, &status, WNOHANG);
		if (got == pid)
			*ret_status = status;
		if (got < 0)
			return true;
		if (got == 0)
			usleep(1000);
	} while (clock_now_ns() < until_ns);
	return false;
}

static void judge_end(struct outcome *outcome, int status)
{
	if (WIFSIGNALED(status))
		fail(outcome, "killed by signal %d (%s)", WTERMSIG(status),
		     strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0 && outcome->verdict != VERDICT_FAILED)
		fail(outcome, "ended with status %d", WEXITSTATUS(status));
}

static bool read_state(const char *device, struct lidar_ring_info *ret_info)
{
	CLEANUP(cleanup_fd) int fd = open(device, O_RDWR | O_CLOEXEC);

	return fd >= 0 && ioctl(fd, LIDAR_RING_IOC_INFO, ret_info) == 0;
}

static void see_it_idle(struct outcome *outcome, const struct trial *trial)
{
	const uint64_t until_ns = clock_now_ns() + SETTLE_MS * NSEC_PER_MSEC;
	struct lidar_ring_info info = { .state = LIDAR_RING_GONE };
	bool there;

	do {
		there = read_state(trial->options->device, &info);
		if (there && info.state == LIDAR_RING_IDLE)
			return;
		usleep(2000);
	} while (clock_now_ns() < until_ns);
	if (there)
		fail(outcome, "the device is left in state %u, owner %d", info.state,
		     info.owner_pid);
	else
		fail(outcome, "the device cannot be used any more");
	outcome->verdict = VERDICT_BROKEN;
}

static void tidy_up(const struct check_entry *entry, const struct trial *trial,
		    struct outcome *outcome)
{
	int r;

	if (entry->check.needs & NEEDS_UNBIND) {
		r = driver_bind(trial->options->unbind, trial->options->device);
		if (r < 0)
			fail(outcome, "cannot bind the device again: %s", strerror(-r));
	}
	see_it_idle(outcome, trial);
}

static void see_the_log(struct outcome *outcome, struct kernel_log *log)
{
	char text[OUTCOME_TEXT_MAX - 16];

	while (log && kernel_log_next_complaint(log, text, sizeof(text)))
		fail(outcome, "kernel: %s", text);
}

static void follow(const struct check_entry *entry, const struct trial *trial, pid_t pid, int fd,
		   struct outcome *outcome)
{
	const uint64_t timeout_s =
		trial->options->timeout_s * (entry->check.needs & NEEDS_SLOW ? SLOW_FACTOR : 1);
	bool over = wait_until_over(pid, timeout_s);
	int status = 0;

	if (!over) {
		fail(outcome, "not done after %llu s", (unsigned long long)timeout_s);
		tell_where(outcome, pid);
	}
	if (!reap(pid, &status)) {
		fail(outcome, "a process is stuck in the kernel");
		tell_where(outcome, pid);
		outcome->verdict = VERDICT_BROKEN;
		close_fd(fd);
		return;
	}
	take_words(outcome, fd);
	if (over)
		judge_end(outcome, status);
	tidy_up(entry, trial, outcome);
}

void check_run(const struct check_entry *entry, const struct trial *trial, struct kernel_log *log,
	       struct outcome *ret_outcome)
{
	const uint64_t began_ns = clock_now_ns();
	struct trial mine = *trial;
	int fds[2];
	pid_t pid;

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe2(fds, O_CLOEXEC) < 0) {
		fail(ret_outcome, "no pipe: %s", strerror(errno));
		return;
	}
	mine.report_fd = fds[1];
	pid = fork();
	if (pid == 0)
		perform(entry, &mine);
	close_fd(fds[1]);
	if (pid < 0) {
		fail(ret_outcome, "no process: %s", strerror(errno));
		close_fd(fds[0]);
		return;
	}
	setpgid(pid, pid);
	follow(entry, trial, pid, fds[0], ret_outcome);
	see_the_log(ret_outcome, log);
	ret_outcome->took_ns = clock_now_ns() - began_ns;
}
