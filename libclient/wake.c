/* SPDX-License-Identifier: Apache-2.0 */
/* wake.c - see wake.h */
#include "libclient/wake.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

void wake_init(struct wake *w)
{
	*w = (struct wake){ .epoll_fd = -1, .timer_fd = -1, .event_fd = -1 };
}

static int add(struct wake *w, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int fail(struct wake *w, int error)
{
	wake_close(w);
	return error;
}

int wake_open(struct wake *w)
{
	int r;

	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0)
		return -errno;
	w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->timer_fd < 0)
		return fail(w, -errno);
	r = add(w, w->timer_fd);
	return r < 0 ? fail(w, r) : 0;
}

void wake_close(struct wake *w)
{
	w->timer_fd = close_fd(w->timer_fd);
	w->epoll_fd = close_fd(w->epoll_fd);
	w->event_fd = -1;
	w->period_ns = 0;
}

void wake_set_event(struct wake *w, int event_fd)
{
	if (!wake_is_open(w) || event_fd == w->event_fd)
		return;
	if (w->event_fd >= 0)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, w->event_fd, NULL);
	w->event_fd = event_fd >= 0 && add(w, event_fd) == 0 ? event_fd : -1;
}

void wake_add_control(struct wake *w, int control_fd)
{
	if (wake_is_open(w) && control_fd >= 0)
		add(w, control_fd);
}

void wake_set_period(struct wake *w, uint64_t period_ns)
{
	struct itimerspec spec = {
		.it_value = clock_to_timespec(period_ns),
		.it_interval = clock_to_timespec(period_ns),
	};

	if (!wake_is_open(w) || period_ns == w->period_ns)
		return;
	if (timerfd_settime(w->timer_fd, 0, &spec, NULL) == 0)
		w->period_ns = period_ns;
}

void wake_clear_timer(struct wake *w)
{
	uint64_t expired;

	/* nothing to read is fine: somebody else woke us */
	if (wake_is_open(w) && read(w->timer_fd, &expired, sizeof(expired)) < 0)
		return;
}
