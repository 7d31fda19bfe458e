/* SPDX-License-Identifier: Apache-2.0 */
/* transport_iox_sleep.c - see transport_iox_sleep.h */
#include "libclient/transport_iox_sleep.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "common/clock.h"
#include "libclient/export.h"

/*
 * A semaphore this high belongs to nobody who is about to sleep, so lowering it
 * by half takes no wake-up from anybody.
 */
#define SEM_HIGH 65536

/* What this thread's sleep is about, while it sleeps. */
static __thread struct sleeper {
	struct iox_sleep *sleep;
	/* CLOCK_MONOTONIC */
	struct timespec deadline;
	bool interrupted;
} *sleeper;

static struct {
	pthread_mutex_t lock;
	struct iox_sleep *first;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void lower_semaphores(void)
{
	struct iox_sleep *s;
	int value;

	pthread_mutex_lock(&all.lock);
	for (s = all.first; s; s = s->next)
		if (sem_getvalue(s->sem, &value) == 0 && value > SEM_HIGH)
			for (value /= 2; value > 0 && sem_trywait(s->sem) == 0; value--)
				;
	pthread_mutex_unlock(&all.lock);
}

static void enlist(struct iox_sleep *s, sem_t *sem)
{
	pthread_mutex_lock(&all.lock);
	s->sem = sem;
	s->next = all.first;
	all.first = s;
	pthread_mutex_unlock(&all.lock);
}

static void delist(struct iox_sleep *s)
{
	struct iox_sleep **at;

	pthread_mutex_lock(&all.lock);
	for (at = &all.first; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	s->sem = NULL;
	pthread_mutex_unlock(&all.lock);
}

/* Called by iceoryx: by a WaitSet, and by its keep-alive thread. */
LIDARD_EXPORT int sem_timedwait(sem_t *sem, const struct timespec *abstime)
{
	int r;

	if (!sleeper) {
		lower_semaphores();
		return sem_clockwait(sem, CLOCK_REALTIME, abstime);
	}
	if (!sleeper->sleep->sem)
		enlist(sleeper->sleep, sem);
	r = sem_clockwait(sem, CLOCK_MONOTONIC, &sleeper->deadline);
	if (r < 0 && errno == EINTR) {
		/* iceoryx would go on sleeping */
		sleeper->interrupted = true;
		errno = ETIMEDOUT;
	}
	return r;
}

int iox_sleep_open(struct iox_sleep *s, iox_sub_t port)
{
	s->waitset = iox_ws_init(&s->storage);
	if (iox_ws_attach_subscriber_event(s->waitset, port, SubscriberEvent_DATA_RECEIVED, 0,
					   NULL) == WaitSetResult_SUCCESS)
		return 0;
	iox_ws_deinit(s->waitset);
	s->waitset = NULL;
	return -EBUSY;
}

void iox_sleep_close(struct iox_sleep *s, iox_sub_t port)
{
	if (!s->waitset)
		return;
	delist(s);
	iox_ws_detach_subscriber_event(s->waitset, port, SubscriberEvent_DATA_RECEIVED);
	iox_ws_deinit(s->waitset);
	s->waitset = NULL;
}

/* Return: as iox_sleep_until_news(). */
static int sleep_in_waitset(struct iox_sleep *s, uint64_t until_ns)
{
	/* it has no say: our sem_timedwait() takes the deadline instead */
	static const struct timespec timeout = { .tv_sec = 1 };
	struct sleeper me = { .sleep = s, .deadline = clock_to_timespec(until_ns) };
	iox_notification_info_t info;
	uint64_t missed, count;

	sleeper = &me;
	count = iox_ws_timed_wait(s->waitset, timeout, &info, 1, &missed);
	sleeper = NULL;
	if (me.interrupted)
		return -EINTR;
	return count > 0;
}

/*
 * A post comes after its slice, so whoever takes posts and then looks for data
 * misses nothing.  The WaitSet's flags stay set meanwhile, which nobody minds:
 * every notification posts, whatever they say.
 *
 * Return: as iox_sleep_until_news().
 */
static int sleep_on_semaphore(struct iox_sleep *s, uint64_t until_ns)
{
	struct timespec deadline = clock_to_timespec(until_ns);

	if (sem_trywait(s->sem) == 0) {
		while (sem_trywait(s->sem) == 0)
			;
		return 1;
	}
	if (sem_clockwait(s->sem, CLOCK_MONOTONIC, &deadline) == 0)
		return 1;
	return errno == EINTR ? -EINTR : 0;
}

int iox_sleep_until_news(struct iox_sleep *s, uint64_t until_ns)
{
	return s->sem ? sleep_on_semaphore(s, until_ns) : sleep_in_waitset(s, until_ns);
}
