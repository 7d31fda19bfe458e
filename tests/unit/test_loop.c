/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loop.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct loop loop;
static struct loop_watch a, b;
static int a_calls, b_calls;

static void begin(void)
{
	cr_assert_eq(loop_init(&loop), 0);
	a.fd = b.fd = -1;
}

static void end(void)
{
	loop_deinit(&loop);
}

TestSuite(loop, .init = begin, .fini = end);

static int stop_with_seven(struct loop_watch *watch, uint32_t events)
{
	return 7;
}

/* Whichever comes first removes the other. */
static int remove_other(struct loop_watch *watch, uint32_t events)
{
	if (watch == &a) {
		a_calls++;
		loop_remove(&loop, &b);
	} else {
		b_calls++;
		loop_remove(&loop, &a);
	}
	return 1;
}

Test(loop, ends_with_the_code_of_the_callback)
{
	int fd = eventfd(1, EFD_CLOEXEC);

	cr_assert_eq(loop_add(&loop, &a, fd, EPOLLIN, stop_with_seven), 0);
	cr_assert_eq(loop_run(&loop), 7);
	loop_remove(&loop, &a);
	close(fd);
}

Test(loop, a_watch_removed_by_another_ones_callback_is_not_called)
{
	int fds[2] = { eventfd(1, EFD_CLOEXEC), eventfd(1, EFD_CLOEXEC) };

	cr_assert_eq(loop_add(&loop, &a, fds[0], EPOLLIN, remove_other), 0);
	cr_assert_eq(loop_add(&loop, &b, fds[1], EPOLLIN, remove_other), 0);
	cr_assert_eq(loop_run(&loop), 1);
	cr_assert_eq(loop_run(&loop), 1); /* the survivor is still ready */
	cr_assert(a_calls == 0 || b_calls == 0);
	cr_assert_eq(a_calls + b_calls, 2);
	close(fds[0]);
	close(fds[1]);
}

Test(loop, removing_twice_is_fine)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	cr_assert_eq(loop_add(&loop, &a, fd, EPOLLIN, stop_with_seven), 0);
	loop_remove(&loop, &a);
	loop_remove(&loop, &a);
	cr_assert_eq(a.fd, -1);
	close(fd);
}

static int timer_calls;

static int third_time(struct loop_timer *timer)
{
	return ++timer_calls == 3 ? 1 : 0;
}

Test(loop, a_timer_with_an_interval_fires_again_and_again)
{
	struct loop_timer timer = LOOP_TIMER_NULL;

	cr_assert_eq(loop_timer_init(&loop, &timer, third_time), 0);
	loop_timer_set(&timer, 1000000, 1000000);
	cr_assert_eq(loop_run(&loop), 1);
	cr_assert_eq(timer_calls, 3);
	loop_timer_deinit(&loop, &timer);
	loop_timer_deinit(&loop, &timer);
}
