/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of clients: its journal, and the helper that frees their memory. */
#include "daemon/client.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/journal_entry.h"
#include "tests/support/needs.h"

#define DEAD "lidard-client-1-0000dead"
#define MALFORMED "lidard-client-1-00000bad"
#define STRANGER "notes.txt"

static char dir[] = "/tmp/lidard-registry-XXXXXX";
static struct loop loop;
static struct client_registry registry;

static void put(const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/clients/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static bool is_in(const char *folder, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s/%s", dir, folder, name);
	return access(path, F_OK) == 0;
}

static void begin(void)
{
	char path[64];

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/clients", dir);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(loop_init(&loop), 0);
}

static void end(void)
{
	char command[64];

	client_registry_deinit(&registry);
	loop_deinit(&loop);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(client, .init = begin, .fini = end);

static void open_registry(const char *helper)
{
	struct problem problem = { "" };

	cr_assert_eq(client_registry_init(&registry, &loop, dir, helper, &problem), 0, "%s",
		     problem.text);
}

static int end_loop(struct loop_timer *timer)
{
	return 1;
}

static void run_for_ms(uint64_t ms)
{
	struct loop_timer timer = LOOP_TIMER_NULL;

	cr_assert_eq(loop_timer_init(&loop, &timer, end_loop), 0);
	loop_timer_set(&timer, ms * 1000 * 1000, 0);
	cr_assert_eq(loop_run(&loop), 1);
	loop_timer_deinit(&loop, &timer);
}

/* Wait for the helper, as the daemon does on SIGCHLD. */
static void reap_helper(void)
{
	pid_t pid = registry.helper_pid;
	int status;

	cr_assert_gt(pid, 0, "no helper was started");
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	client_registry_child_exited(&registry, pid, status);
}

Test(client, a_predecessors_dead_are_marked_and_strangers_left_alone)
{
	needs_pidfd();
	put(DEAD, "1 0 0 1\n");
	put(MALFORMED, "what?");
	put(STRANGER, "");
	open_registry("");
	cr_assert(is_in("dead", DEAD));
	cr_assert(is_in("dead", MALFORMED), "the helper removes what makes no sense");
	cr_assert(is_in("clients", STRANGER));
	cr_assert_eq(registry.count, 0);
}

Test(client, a_predecessors_living_clients_are_watched)
{
	struct journal_entry entry = { .pid = getpid(), .uid = getuid(), .gid = getgid() };
	char text[128];

	needs_pidfd();
	entry.start_time = journal_entry_read_start_time(entry.pid);
	snprintf(text, sizeof(text), "%d %u %u %llu\n", (int)entry.pid, entry.uid, entry.gid,
		 (unsigned long long)entry.start_time);
	put(DEAD, text);
	open_registry("");
	cr_assert(is_in("clients", DEAD));
	cr_assert_eq(registry.count, 1);
}

Test(client, a_helper_that_fails_is_started_again_but_not_at_once)
{
	open_registry("/bin/false");
	reap_helper();
	run_for_ms(200);
	cr_assert_eq(registry.helper_pid, 0);
	registry.helper_retry_ns = 1; /* long ago */
	run_for_ms(200);
	reap_helper();
}

Test(client, a_helper_that_is_done_rests)
{
	open_registry("/bin/true");
	reap_helper();
	run_for_ms(200);
	cr_assert_eq(registry.helper_pid, 0);
}
