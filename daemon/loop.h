/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h - the daemon's one event loop
 *
 * Level-triggered epoll.  A watch is embedded in the object it belongs to and
 * finds it by container_of; a callback may remove and free any watch, its own
 * included.  A callback returns 0 to go on, or a positive code that ends
 * loop_run() and becomes its result; errors are the callback's own business.
 *
 * One thread.
 */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_EVENTS_MAX 64

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct loop {
	int epoll_fd;
	/* The batch being dispatched: loop_remove() strikes a watch from it. */
	struct epoll_event events[LOOP_EVENTS_MAX];
	int event_count;
	int event_next;
	/**
	 * CPU time of the thread (CLOCK_THREAD_CPUTIME_ID) when the last callback
	 * returned: what was used since then, waiting and waking up included, is
	 * the running callback's. Kept only where somebody set keeps_cpu_time: it
	 * is a system call for every event.
	 */
	uint64_t callback_end_cpu_ns;
	bool keeps_cpu_time;
};

struct loop_watch;
typedef int (*loop_callback)(struct loop_watch *watch, uint32_t events);

struct loop_watch {
	/** -1 while not watched; lent by the object that owns it. */
	int fd;
	loop_callback callback;
};

#define LOOP_WATCH_NULL { .fd = -1 }

/** A timerfd and its watch. Reading it is the loop's business. */
struct loop_timer {
	struct loop_watch watch;
	int (*callback)(struct loop_timer *timer);
};

#define LOOP_TIMER_NULL { .watch = LOOP_WATCH_NULL }

/** Return: 0 or negative errno. */
int loop_init(struct loop *loop);
void loop_deinit(struct loop *loop);

/** Return: 0 or negative errno. */
int loop_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events,
	     loop_callback callback);
/** Change what is waited for. Return: 0 or negative errno. */
int loop_modify(struct loop *loop, struct loop_watch *watch, uint32_t events);
/** Idempotent; must be called before the fd is closed. */
void loop_remove(struct loop *loop, struct loop_watch *watch);

/** Return: the positive code of the callback that ended it, or negative errno. */
int loop_run(struct loop *loop);

/** loop_timer_init() - make a timer that is not running. Return: 0 or negative errno. */
int loop_timer_init(struct loop *loop, struct loop_timer *timer,
		    int (*callback)(struct loop_timer *timer));
/** Fire after @delay_ns, then every @interval_ns (0: once). @delay_ns 0 stops it. */
void loop_timer_set(struct loop_timer *timer, uint64_t delay_ns, uint64_t interval_ns);
/** Idempotent. */
void loop_timer_deinit(struct loop *loop, struct loop_timer *timer);

#endif /* DAEMON_LOOP_H */
