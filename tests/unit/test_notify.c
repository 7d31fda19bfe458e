/* SPDX-License-Identifier: Apache-2.0 */
/* test_notify.c - a service manager's socket, and what arrives there */
#include "daemon/notify.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

static char directory[] = "/tmp/lidard-test-notify-XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int fd;

static void listen_as_manager(void)
{
	cr_assert_not_null(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", directory);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert(fd >= 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

static void remove_socket(void)
{
	unlink(address.sun_path);
	rmdir(directory);
}

/** The next datagram; "" if none came. */
static const char *received(void)
{
	static char text[1024];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

TestSuite(notify, .init = listen_as_manager, .fini = remove_socket);

Test(notify, ready_carries_the_status)
{
	notify_ready("1 sensor streaming");
	cr_assert_str_eq(received(), "READY=1\nSTATUS=1 sensor streaming");
}

static void take_socket(void *data, int socket_fd, const char *name)
{
	char *text = data;

	sprintf(text + strlen(text), "%d=%s ", socket_fd, name);
}

Test(notify, sockets_come_with_their_names_and_once)
{
	char pid[16], taken[64] = "";
	int third = dup(3), fourth = dup(4); /* the test driver's, for all we know */

	dup2(fd, 3);
	dup2(fd, 4);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "front:rear", 1);
	notify_take_sockets(take_socket, taken);
	notify_take_sockets(take_socket, taken);
	dup2(third, 3);
	dup2(fourth, 4);
	cr_assert_null(getenv("LISTEN_FDS"));
	cr_assert_str_eq(taken, "3=front 4=rear ");
}

Test(notify, sockets_for_another_process_are_not_taken)
{
	char taken[64] = "";

	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	notify_take_sockets(take_socket, taken);
	cr_assert_str_eq(taken, "");
}

Test(notify, a_status_cannot_bring_assignments_of_its_own)
{
	notify_status("%s", "a\nREADY=1");
	cr_assert_str_eq(received(), "STATUS=a READY=1");
	notify_ready("b\nSTOPPING=1");
	cr_assert_str_eq(received(), "READY=1\nSTATUS=b STOPPING=1");
}

Test(notify, a_status_is_told_once_until_something_else_is)
{
	notify_status("a");
	cr_assert_str_eq(received(), "STATUS=a");
	notify_status("a");
	cr_assert_str_eq(received(), "");
	notify_status("b");
	cr_assert_str_eq(received(), "STATUS=b");
	notify_reloading();
	received();
	notify_status("b");
	cr_assert_str_eq(received(), "STATUS=b");
	notify_ready("c");
	received();
	notify_status("b");
	cr_assert_str_eq(received(), "STATUS=b");
}

Test(notify, reloading_carries_the_time_it_began)
{
	unsigned long long usec, before = clock_now_ns() / NSEC_PER_USEC;

	notify_reloading();
	cr_assert_eq(sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%llu\n", &usec), 1);
	cr_assert(usec >= before && usec <= clock_now_ns() / NSEC_PER_USEC);
}

Test(notify, stopping_and_watchdog_are_told)
{
	notify_stopping();
	cr_assert(strncmp(received(), "STOPPING=1", 10) == 0);
	notify_watchdog();
	cr_assert_str_eq(received(), "WATCHDOG=1");
}

Test(notify, without_a_manager_nothing_happens)
{
	unsetenv("NOTIFY_SOCKET");
	notify_ready("x");
	notify_watchdog();
	cr_assert_str_eq(received(), "");
}

Test(notify, the_watchdog_is_ours_only_if_the_pid_is)
{
	char pid[32];

	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	cr_assert_eq(notify_watchdog_interval_ns(), 0);
	setenv("WATCHDOG_USEC", "3000000", 1);
	cr_assert_eq(notify_watchdog_interval_ns(), 3 * NSEC_PER_SEC);
	setenv("WATCHDOG_PID", "1", 1);
	cr_assert_eq(notify_watchdog_interval_ns(), 0);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_assert_eq(notify_watchdog_interval_ns(), 3 * NSEC_PER_SEC);
	setenv("WATCHDOG_USEC", "junk", 1);
	cr_assert_eq(notify_watchdog_interval_ns(), 0);
}
