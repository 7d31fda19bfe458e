/* SPDX-License-Identifier: Apache-2.0 */
/*
 * due.h - when a producer's next frame is due
 *
 * With a rate: a periodic timer, as a sensor's revolution is.  A producer that
 * comes late finds some frames waiting, as in a device's ring, and has lost those
 * beyond: their numbers are missing.  Without a rate: whenever the slowest
 * subscriber has at most a window of frames before it.
 */
#ifndef BENCH_FANOUT_DUE_H
#define BENCH_FANOUT_DUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/fanout/page.h"
#include "common/clock.h"

#define DUE_REST_NS (2 * NSEC_PER_MSEC)

struct due {
	struct fanout_page *page;
	/** Readable when due_next() should be asked; it may be made not to block. */
	int fd;
	unsigned int sensor;
	uint64_t period_ns;
	uint64_t backlog;
};

/* Sensors take turns within a period: their frames do not come together. */
static inline void due_set_period(struct due *d, uint64_t period_ns)
{
	uint64_t phase_ns = period_ns * d->sensor / d->page->sensor_count;
	uint64_t first_ns = (clock_now_ns() / period_ns + 1) * period_ns + phase_ns;
	struct itimerspec spec = {
		.it_value = clock_to_timespec(first_ns),
		.it_interval = clock_to_timespec(period_ns),
	};

	if (d->period_ns != period_ns &&
	    timerfd_settime(d->fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0)
		d->period_ns = period_ns;
}

/**
 * For a sensor, from 0 on.
 * Return: the fd, which is the caller's if there is a rate; or -1.
 */
static inline int due_init(struct due *d, struct fanout_page *page, unsigned int sensor)
{
	*d = (struct due){ .page = page, .fd = page->credit_fd, .sensor = sensor };
	if (page->hz) {
		d->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		due_set_period(d, DUE_REST_NS);
	}
	return d->fd;
}

static inline uint64_t due_take_number(struct due *d)
{
	uint64_t seq = d->page->next_seq;

	PAGE_SET(d->page->next_seq, seq + 1);
	return seq;
}

static inline void due_lose(struct due *d, uint64_t count)
{
	PAGE_SET(d->page->next_seq, d->page->next_seq + count);
}

/* The timer has expired @n times at the rate of frames. */
static inline void due_count(struct due *d, uint64_t n, bool running)
{
	uint64_t after;

	if (running) {
		d->backlog = n < d->page->backlog ? n : d->page->backlog;
		due_lose(d, n - d->backlog);
		return;
	}
	/* it is over; what was due before the end is lost, too */
	after = (clock_now_ns() - PAGE_GET(d->page->stopped_ns)) / d->period_ns + 1;
	if (n > after)
		due_lose(d, n - after);
}

static inline bool due_by_timer(struct due *d)
{
	uint64_t n, period_ns = NSEC_PER_SEC / d->page->hz;
	bool running;

	if (d->backlog == 0) {
		if (read(d->fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
			return false;
		running = PAGE_GET(d->page->running);
		if (d->period_ns == period_ns)
			due_count(d, n, running);
		due_set_period(d, running ? period_ns : DUE_REST_NS);
	}
	if (d->backlog == 0)
		return false;
	d->backlog--;
	return true;
}

static inline bool due_has_room(const struct fanout_page *page)
{
	uint64_t seen, forgiven = PAGE_GET(page->forgiven);
	unsigned int i;

	if (!PAGE_GET(page->running))
		return false;
	for (i = 0; i < page->subscriber_count; i++) {
		seen = PAGE_GET(page->subscribers[i].next_seq);
		if (page->next_seq - (seen > forgiven ? seen : forgiven) >= page->window)
			return false;
	}
	return true;
}

static inline bool due_by_credit(struct due *d)
{
	eventfd_t value;

	while (!due_has_room(d->page)) {
		/* pairs with due_give_credit(): either it sees this, or we what it counted */
		__atomic_store_n(&d->page->waiting, 1, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (due_has_room(d->page))
			return true;
		if (eventfd_read(d->fd, &value) < 0)
			return false;
	}
	return true;
}

/** Is a frame due? Sleeps until it may be, unless the fd does not block. */
static inline bool due_next(struct due *d, uint64_t *ret_seq)
{
	if (!(d->page->hz ? due_by_timer(d) : due_by_credit(d)))
		return false;
	*ret_seq = due_take_number(d);
	return true;
}

/** Wake a producer without a rate. */
static inline void due_wake(struct fanout_page *page)
{
	if (__atomic_exchange_n(&page->waiting, 0, __ATOMIC_SEQ_CST))
		eventfd_write(page->credit_fd, 1);
}

/** A subscriber has taken the frame before @next_seq. */
static inline void due_give_credit(struct fanout_page *page, uint64_t next_seq)
{
	if (page->hz)
		return;
	/* pairs with due_by_credit() */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* not for each frame, or waking would be most of the work */
	if (PAGE_GET(page->waiting) && PAGE_GET(page->next_seq) - next_seq <= page->window / 2)
		due_wake(page);
}

#endif /* BENCH_FANOUT_DUE_H */
