/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake.h - one pollable fd for everything a subscription waits for
 *
 * An epoll instance that holds the transport's eventfd (new data), the control
 * socket (lidard has gone) and a timer (work of the library's own: is the
 * transport connected, is lidard back).  It is made when the application asks
 * for it; until then nothing here costs anything.
 *
 * Level-triggered throughout: what makes it readable is consumed in take().
 */
#ifndef LIBCLIENT_WAKE_H
#define LIBCLIENT_WAKE_H

#include <stdbool.h>
#include <stdint.h>

struct wake {
	/* owned; -1 while closed */
	int epoll_fd;
	int timer_fd;
	/* lent; -1 if there is none */
	int event_fd;
	uint64_t period_ns;
};

void wake_init(struct wake *w);
/** Return: 0; -EMFILE; -ENOMEM. */
int wake_open(struct wake *w);
/** Twice is fine. */
void wake_close(struct wake *w);

static inline bool wake_is_open(const struct wake *w)
{
	return w->epoll_fd >= 0;
}

/** Watch another eventfd in place of the one before, which must still be open; -1: none. */
void wake_set_event(struct wake *w, int event_fd);
/** Watch a new control connection; the one before left when it was closed. */
void wake_add_control(struct wake *w, int control_fd);
/** Have the timer fire every so often. */
void wake_set_period(struct wake *w, uint64_t period_ns);
void wake_clear_timer(struct wake *w);

#endif /* LIBCLIENT_WAKE_H */
