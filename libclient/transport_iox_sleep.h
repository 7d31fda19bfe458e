/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_iox_sleep.h - one thread sleeps until a subscriber port has news
 *
 * In an iceoryx WaitSet: the publisher wakes the reader itself, where by way of
 * the Listener it wakes a thread that wakes the reader.  What a WaitSet does
 * that a library must not, is taken from it by a sem_timedwait() that this
 * object puts in the place of libc's, as iox_guard.h does with abort():
 *
 * - It hides signals, and takes a few in a row for a fatal error: ours ends the
 *   sleep and tells.  It waits by the wall clock: ours does not.
 * - The publisher posts a semaphore for every slice, awaited or not, and ends
 *   when that overflows after 2^31.  iceoryx's keep-alive thread calls
 *   sem_timedwait() several times a second; on its way it lowers those that
 *   have grown high because nobody waits.
 *
 * The WaitSet walks the 256 flags of its condition variable, twice, to tell which
 * of its ports has news, and that is most of what iceoryx does in a reader.  Here
 * there is one port: so the first sleep is the WaitSet's, which shows its
 * semaphore, and all others are on the semaphore itself.
 *
 * A port is attached once and stays so: attaching takes the lock of its queue,
 * which stays locked for good if the publisher is killed inside publish().
 *
 * Only in a namespace of its own: else libc's sem_timedwait() comes first.
 * Calls go between iox_guard_enter() and iox_guard_leave().
 */
#ifndef LIBCLIENT_TRANSPORT_IOX_SLEEP_H
#define LIBCLIENT_TRANSPORT_IOX_SLEEP_H

#include <semaphore.h>
#include <stdint.h>

#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/wait_set.h>

/** Embedded; zero to begin with. */
struct iox_sleep {
	iox_ws_storage_t storage;
	/* NULL until somebody sleeps */
	iox_ws_t waitset;
	/* the WaitSet's; NULL until the first sleep */
	sem_t *sem;
	/* all with a semaphore */
	struct iox_sleep *next;
};

/**
 * iox_sleep_open() - send the port's news here
 *
 * Asks RouDi for a condition variable, so RouDi must be there.
 * Return: 0; -EBUSY the port's news go elsewhere.
 */
int iox_sleep_open(struct iox_sleep *s, iox_sub_t port);
/** Twice is fine. */
void iox_sleep_close(struct iox_sleep *s, iox_sub_t port);

/**
 * iox_sleep_until_news() - sleep until data comes, or came since the last time
 * @until_ns: CLOCK_MONOTONIC
 *
 * What came before iox_sleep_open() is no news.
 * Return: 1 there may be data; 0 the time is over; -EINTR.
 */
int iox_sleep_until_news(struct iox_sleep *s, uint64_t until_ns);

#endif /* LIBCLIENT_TRANSPORT_IOX_SLEEP_H */
