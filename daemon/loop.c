/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - see loop.h */
#include "daemon/loop.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

int loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_deinit(struct loop *loop)
{
	loop->epoll_fd = close_fd(loop->epoll_fd);
}

int loop_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events,
	     loop_callback callback)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	watch->fd = fd;
	watch->callback = callback;
	return 0;
}

int loop_modify(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0 ? -errno : 0;
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
	int i;

	if (watch->fd < 0)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->fd = -1;
	for (i = loop->event_next; i < loop->event_count; i++)
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
}

static void note_cpu_time(struct loop *loop)
{
	if (loop->keeps_cpu_time)
		loop->callback_end_cpu_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

int loop_run(struct loop *loop)
{
	struct loop_watch *watch;
	int n, r;

	note_cpu_time(loop);
	for (;;) {
		n = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS_MAX, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		loop->event_count = n < 0 ? 0 : n;
		for (loop->event_next = 0; loop->event_next < loop->event_count;) {
			struct epoll_event *event = &loop->events[loop->event_next++];

			watch = event->data.ptr;
			if (!watch)
				continue;
			r = watch->callback(watch, event->events);
			note_cpu_time(loop);
			if (r > 0)
				return r;
			assert(r == 0);
		}
	}
}

static int loop_timer_fired(struct loop_watch *watch, uint32_t events)
{
	struct loop_timer *timer = container_of(watch, struct loop_timer, watch);
	uint64_t expirations;

	if (read(watch->fd, &expirations, sizeof(expirations)) < 0)
		return 0; /* set anew since the event was queued */
	return timer->callback(timer);
}

int loop_timer_init(struct loop *loop, struct loop_timer *timer,
		    int (*callback)(struct loop_timer *timer))
{
	int fd, r;

	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	timer->callback = callback;
	r = loop_add(loop, &timer->watch, fd, EPOLLIN, loop_timer_fired);
	if (r < 0)
		close(fd);
	return r;
}

void loop_timer_set(struct loop_timer *timer, uint64_t delay_ns, uint64_t interval_ns)
{
	struct itimerspec spec = {
		.it_value = clock_to_timespec(delay_ns),
		.it_interval = clock_to_timespec(interval_ns),
	};

	timerfd_settime(timer->watch.fd, 0, &spec, NULL);
}

void loop_timer_deinit(struct loop *loop, struct loop_timer *timer)
{
	int fd = timer->watch.fd;

	if (fd < 0)
		return;
	loop_remove(loop, &timer->watch);
	close(fd);
}
