/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/journal_entry.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/needs.h"

#define NAME "lidard-client-12-00ab34cd"

static char dir[] = "/tmp/lidard-journal-XXXXXX";
static int dir_fd;

static void begin(void)
{
	cr_assert(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(dir_fd, 0);
}

static void end(void)
{
	unlinkat(dir_fd, NAME, 0);
	close(dir_fd);
	rmdir(dir);
}

TestSuite(journal_entry, .init = begin, .fini = end);

static void put(const char *text)
{
	int fd = openat(dir_fd, NAME, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

Test(journal_entry, what_is_written_is_read)
{
	struct journal_entry in = { .pid = 12, .uid = 4294967294u, .gid = 7, .start_time = 1ull << 40 };
	struct journal_entry out;

	cr_assert_eq(journal_entry_write(dir_fd, NAME, &in), 0);
	cr_assert_eq(journal_entry_read(dir_fd, NAME, &out), 0);
	cr_assert_eq(out.pid, in.pid);
	cr_assert_eq(out.uid, in.uid);
	cr_assert_eq(out.gid, in.gid);
	cr_assert_eq(out.start_time, in.start_time);
}

Test(journal_entry, names_that_are_not_ours_are_refused)
{
	struct journal_entry e;

	cr_assert(journal_entry_is_name(NAME));
	cr_assert_not(journal_entry_is_name("lidard-client-"));
	cr_assert_not(journal_entry_is_name("lidard-client-1/../../etc/passwd"));
	cr_assert_not(journal_entry_is_name("lidard"));
	cr_assert_not(journal_entry_is_name("lidard-client-1 2"));
	cr_assert_not(journal_entry_is_name(
		"lidard-client-0000000000000000000000000000000000000000000000000000000000000000"));
	cr_assert_eq(journal_entry_read(dir_fd, "../" NAME, &e), -EINVAL);
}

Test(journal_entry, malformed_content_is_refused)
{
	static const char *const bad[] = { "", "12", "12 0 0 5", "-1 0 0 5\n", "0 0 0 5\n",
					   "12 0 0 x\n", "12 4294967296 0 5\n", "99999999999 0 0 5\n" };
	struct journal_entry e;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(bad[i]);
		cr_assert_eq(journal_entry_read(dir_fd, NAME, &e), -EINVAL, "'%s'", bad[i]);
	}
}

Test(journal_entry, a_symbolic_link_is_not_followed)
{
	struct journal_entry e;

	cr_assert_eq(symlinkat("/etc/hostname", dir_fd, NAME), 0);
	cr_assert_lt(journal_entry_read(dir_fd, NAME, &e), 0);
}

Test(journal_entry, a_pipe_is_not_waited_for)
{
	struct journal_entry e;

	cr_assert_eq(mkfifoat(dir_fd, NAME, 0600), 0);
	cr_assert_lt(journal_entry_read(dir_fd, NAME, &e), 0);
}

Test(journal_entry, a_process_of_another_time_is_dead)
{
	struct journal_entry e = { .pid = getpid() };

	needs_pidfd();
	e.start_time = journal_entry_read_start_time(e.pid);
	cr_assert_gt(e.start_time, 0);
	cr_assert(journal_entry_is_alive(&e));
	e.start_time++;
	cr_assert_not(journal_entry_is_alive(&e));
}

Test(journal_entry, a_zombie_is_dead)
{
	struct journal_entry e = { 0 };
	siginfo_t info;

	needs_pidfd();
	e.pid = fork();
	if (e.pid == 0)
		_exit(0);
	cr_assert_eq(waitid(P_PID, (id_t)e.pid, &info, WEXITED | WNOWAIT), 0);
	e.start_time = journal_entry_read_start_time(e.pid);
	cr_assert_gt(e.start_time, 0);
	cr_assert_not(journal_entry_is_alive(&e));
	waitpid(e.pid, NULL, 0);
}
