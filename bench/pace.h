/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace.h - when a publisher's next slice is due
 *
 * A periodic timer, the same for every contender, and read as often.  Out of
 * turn it ticks slowly, only to see whether its turn has come.
 */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/page.h"
#include "common/clock.h"

#define PACE_REST_NS (5 * NSEC_PER_MSEC)

struct pace {
	int fd;
	uint64_t period_ns;
};

static inline void pace_set(struct pace *p, uint64_t period_ns)
{
	struct itimerspec spec = {
		.it_value = clock_to_timespec(period_ns),
		.it_interval = clock_to_timespec(period_ns),
	};

	if (p->period_ns != period_ns && timerfd_settime(p->fd, 0, &spec, NULL) == 0)
		p->period_ns = period_ns;
}

/** @flags: TFD_NONBLOCK or 0. Return: the timer's fd, or -1. */
static inline int pace_init(struct pace *p, int flags)
{
	p->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | flags);
	p->period_ns = 0;
	pace_set(p, PACE_REST_NS);
	return p->fd;
}

/** Read the timer. Return: has it expired, and is it the turn of whoever asks? */
static inline bool pace_tick(struct pace *p, const struct bench_page *page, bool my_turn)
{
	uint64_t expired;

	if (read(p->fd, &expired, sizeof(expired)) != (ssize_t)sizeof(expired))
		return false;
	pace_set(p, my_turn ? NSEC_PER_SEC / page->hz : PACE_REST_NS);
	return my_turn;
}

#endif /* BENCH_PACE_H */
