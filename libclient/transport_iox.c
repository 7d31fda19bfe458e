/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_iox.c - slices by iceoryx: liblidard-iox.so
 *
 * One loaded copy of this object is one life of the iceoryx runtime.  A
 * transport_subscription owns an iceoryx subscriber port; readers that sleep
 * also own an eventfd, written by the callback of a Listener that all
 * subscriptions of the process share.
 *
 * wait() sleeps in a WaitSet of the subscription's own (transport_iox_sleep.h),
 * which saves the way through the Listener's thread.  A port has one place to
 * send its news to: once there is an eventfd, or if this object is not in a
 * namespace, wait() sleeps on the eventfd.
 *
 * Threads: iceoryx starts one for keep-alive and one for the Listener, both
 * with all signals blocked, so that the host's handlers and signalfds never
 * notice them.  Each subscription belongs to one thread at a time; only its
 * eventfd is shared with the Listener, under wake_lock.
 *
 * RouDi is looked for before every call that would wait for it, since iceoryx
 * waits a minute and then ends the process; whatever else it would end the
 * process for is looked at beforehand too (iox_access.h).  Once it is over, ports are abandoned,
 * never destroyed: the few bytes stay, as a late callback may still use them.  So does iceoryx's
 * management segment, in which its threads sleep; but the payload, which may be gigabytes, is
 * given back with the last port.
 */
#include "libclient/transport.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <iceoryx_binding_c/chunk.h>
#include <iceoryx_binding_c/listener.h>
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>

#include "common/broker_id.h"
#include "common/clock.h"
#include "libclient/export.h"
#include "libclient/iox_access.h"
#include "libclient/iox_guard.h"
#include "libclient/payload_segment.h"
#include "libclient/transport_iox_sleep.h"

/* It takes some 100 µs, or for ever. */
#define FAREWELL_TIMEOUT_NS (2 * NSEC_PER_SEC)

struct transport_subscription {
	iox_sub_storage_t storage;
	iox_sub_t port;
	/* Guards wake_fd against the Listener's callback. */
	pthread_mutex_t wake_lock;
	int wake_fd;
	struct iox_sleep sleep;
};

static struct {
	/* Serializes start(), subscribe() and the Listener's creation. */
	pthread_mutex_t lock;
	bool started;
	/* RouDi as it was at start(). */
	char broker[BROKER_ID_MAX];
	iox_listener_storage_t listener_storage;
	iox_listener_t listener;
	/* Subscriptions attached to it; it ends with the last. */
	unsigned int listening;
	/* iox_guard_is_isolated(), as it was at start(). */
	bool isolated;
	/* A chunk in the payload segment, which is then read-only. Set once; two threads doing it
	   is fine. */
	const void *chunk;
	/* Ports that somebody may still take from or release to. */
	unsigned int ports;
	/* A thread hangs in a port and may wake up in it: it is the thread's, and the Listener. */
	bool haunted;
} life = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Who takes leave of ports; used under life.lock, one at a time. */
static struct {
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* The port to take leave of; NULL once it is done. */
	struct transport_subscription *wanted;
	bool gone;
} farewell = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int iox_probe(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = BROKER_SOCKET };
	int fd, r = 0;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		r = errno == EACCES ? -EACCES : -ECONNREFUSED;
	close(fd);
	return r;
}

/* Is the RouDi this runtime registered with still there? */
static int probe_life(void)
{
	char broker[BROKER_ID_MAX];
	int r;

	if (iox_guard_is_dead() || broker_id_read(broker) < 0 || strcmp(broker, life.broker))
		return -ENOTRECOVERABLE;
	r = iox_probe();
	return r == -ECONNREFUSED ? -ENOTRECOVERABLE : r;
}

/* Threads started meanwhile inherit the mask. */
static void block_signals(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, old);
}

static void restore_signals(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

/*
 * Loaded plainly, iceoryx's runtime is destroyed at exit; its Listener's thread
 * must be gone by then.  In a namespace no exit handler runs.
 */
static void end_listener(void)
{
	if (life.haunted)
		return;
	if (life.listener && probe_life() == 0)
		iox_listener_deinit(life.listener);
	life.listener = NULL;
}

static int start_locked(const struct transport_start *start, char *error, uint32_t error_bytes)
{
	jmp_buf env;
	int r;

	if (life.started)
		return probe_life();
	if (iox_guard_is_dead())
		return -ENOTRECOVERABLE;
	if (strlen(start->runtime_name) >= TRANSPORT_NAME_MAX || start->runtime_name[0] == '\0')
		return -EINVAL;
	r = iox_probe();
	if (r < 0)
		return r;
	r = iox_access_check(start, error, error_bytes);
	if (r < 0)
		return r;
	/* the check found the same */
	snprintf(life.broker, sizeof(life.broker), "%s", start->broker);
	iox_guard_silence();
	if (setjmp(env))
		return -ENOTRECOVERABLE;
	iox_guard_enter(&env);
	iox_set_loglevel(Iceoryx_LogLevel_Off);
	iox_runtime_init(start->runtime_name);
	iox_guard_leave();
	/* handlers run last in, first out: before the runtime's own */
	life.isolated = iox_guard_is_isolated();
	if (!life.isolated)
		atexit(end_listener);
	life.started = true;
	return 0;
}

static int iox_start(const struct transport_start *start, char *error, uint32_t error_bytes)
{
	sigset_t old;
	int r;

	error[0] = '\0';
	pthread_mutex_lock(&life.lock);
	block_signals(&old);
	r = start_locked(start, error, error_bytes);
	restore_signals(&old);
	pthread_mutex_unlock(&life.lock);
	return r;
}

static int create_port(struct transport_subscription *s, const struct transport_subscribe *params)
{
	iox_sub_options_t options;
	jmp_buf env;
	int r;

	r = probe_life();
	if (r < 0)
		return r;
	if (setjmp(env))
		return -ENOTRECOVERABLE;
	iox_guard_enter(&env);
	iox_sub_options_init(&options);
	options.queueCapacity = params->queue;
	options.historyRequest = 0;
	options.queueFullPolicy = QueueFullPolicy_DISCARD_OLDEST_DATA;
	s->port = iox_sub_init(&s->storage, params->service, params->instance, params->event,
			       &options);
	iox_guard_leave();
	return s->port ? 0 : -EUSERS;
}

static int iox_subscribe(const struct transport_subscribe *params,
			 struct transport_subscription **ret_subscription)
{
	struct transport_subscription *s;
	int r;

	if (strlen(params->service) >= TRANSPORT_NAME_MAX ||
	    strlen(params->instance) >= TRANSPORT_NAME_MAX ||
	    strlen(params->event) >= TRANSPORT_NAME_MAX)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->wake_lock, NULL);
	s->wake_fd = -1;
	pthread_mutex_lock(&life.lock);
	r = life.started ? create_port(s, params) : -ENOTRECOVERABLE;
	life.ports += r == 0;
	pthread_mutex_unlock(&life.lock);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret_subscription = s;
	return 0;
}

/* Runs in the Listener's thread. */
static void on_data(iox_sub_t port, void *context)
{
	struct transport_subscription *s = context;

	pthread_mutex_lock(&s->wake_lock);
	if (s->wake_fd >= 0)
		eventfd_write(s->wake_fd, 1);
	pthread_mutex_unlock(&s->wake_lock);
}

static void close_wake_fd(struct transport_subscription *s)
{
	pthread_mutex_lock(&s->wake_lock);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	s->wake_fd = -1;
	pthread_mutex_unlock(&s->wake_lock);
}

/* Return: is the port gone, so that its memory may be given back? */
static bool destroy_port(struct transport_subscription *s)
{
	jmp_buf env;

	if (probe_life() < 0 || setjmp(env))
		return false;
	iox_guard_enter(&env);
	if (s->wake_fd >= 0) {
		iox_listener_detach_subscriber_event(life.listener, s->port,
						     SubscriberEvent_DATA_RECEIVED);
		life.listening--;
	}
	if (life.listener && life.listening == 0) {
		iox_listener_deinit(life.listener);
		life.listener = NULL;
	}
	iox_sleep_close(&s->sleep, s->port);
	iox_sub_deinit(s->port);
	iox_guard_leave();
	return true;
}

static void *say_farewells(void *context)
{
	struct transport_subscription *s;
	bool gone;

	pthread_mutex_lock(&farewell.lock);
	for (;;) {
		while (!farewell.wanted)
			pthread_cond_wait(&farewell.changed, &farewell.lock);
		s = farewell.wanted;
		pthread_mutex_unlock(&farewell.lock);
		gone = destroy_port(s);
		pthread_mutex_lock(&farewell.lock);
		farewell.gone = gone;
		farewell.wanted = NULL;
		pthread_cond_signal(&farewell.changed);
	}
	return NULL;
}

static int start_farewells(void)
{
	pthread_t thread;
	sigset_t old;
	int r;

	if (farewell.running)
		return 0;
	block_signals(&old);
	r = pthread_create(&thread, NULL, say_farewells, NULL);
	restore_signals(&old);
	if (r != 0)
		return -r;
	pthread_detach(thread);
	farewell.running = true;
	return 0;
}

/*
 * A publisher killed inside publish() leaves the mutex of a subscriber's queue
 * locked for good, and taking leave of that queue takes the mutex.  A thread
 * does it, so that only the thread is lost; the life is over then, as RouDi
 * hangs, too.  It is the same thread for all: one for each would leave behind
 * what the two libcs of a process keep for a thread, and after some thousand
 * of them a heap that is no heap any more.
 * @haunted: the thread hangs in it: it is the thread's now.
 * Return: as destroy_port().
 */
static bool destroy_port_in_time(struct transport_subscription *s, bool *haunted)
{
	struct timespec deadline = clock_to_timespec(clock_now_ns() + FAREWELL_TIMEOUT_NS);
	bool gone;
	int r = 0;

	if (start_farewells() < 0)
		return false;
	pthread_mutex_lock(&farewell.lock);
	farewell.wanted = s;
	pthread_cond_signal(&farewell.changed);
	while (farewell.wanted && r == 0)
		r = pthread_cond_clockwait(&farewell.changed, &farewell.lock, CLOCK_MONOTONIC,
					   &deadline);
	*haunted = farewell.wanted;
	gone = !*haunted && farewell.gone;
	pthread_mutex_unlock(&farewell.lock);
	if (*haunted) {
		/* the thread may still come back to it, and nobody asks it again */
		life.haunted = true;
		iox_guard_give_up();
	}
	return gone;
}

/* RouDi has unlinked it: this process would be the last to keep it. */
static void drop_payload(void)
{
	if (life.ports > 0 || life.haunted || !life.isolated || !life.chunk ||
	    probe_life() != -ENOTRECOVERABLE)
		return;
	/* nor may the life go on, should it have been a mistake */
	iox_guard_give_up();
	payload_segment_drop(life.chunk);
	life.chunk = NULL;
}

static bool iox_unsubscribe(struct transport_subscription *s)
{
	bool gone, haunted = false, over;

	if (!s)
		return true;
	pthread_mutex_lock(&life.lock);
	gone = !iox_guard_is_dead() && destroy_port_in_time(s, &haunted);
	over = iox_guard_is_dead() || probe_life() == -ENOTRECOVERABLE;
	life.ports--;
	drop_payload();
	pthread_mutex_unlock(&life.lock);
	if (haunted)
		return true;
	close_wake_fd(s);
	if (gone) {
		pthread_mutex_destroy(&s->wake_lock);
		free(s);
	}
	return gone || over;
}

static bool iox_is_connected(struct transport_subscription *s)
{
	return !iox_guard_is_dead() &&
	       iox_sub_get_subscription_state(s->port) == SubscribeState_SUBSCRIBED;
}

/* hot path */
static bool iox_has_data(struct transport_subscription *s)
{
	/* when iceoryx is dead, take() has something to tell */
	return iox_guard_is_dead() || iox_sub_has_chunks(s->port);
}

static int attach(struct transport_subscription *s)
{
	enum iox_ListenerResult result;
	jmp_buf env;
	int r;

	/* the Listener's condition variable comes from RouDi */
	r = life.listener ? 0 : probe_life();
	if (r < 0)
		return r;
	if (setjmp(env))
		return -ENOTRECOVERABLE;
	iox_guard_enter(&env);
	iox_sleep_close(&s->sleep, s->port);
	if (!life.listener)
		life.listener = iox_listener_init(&life.listener_storage);
	result = iox_listener_attach_subscriber_event_with_context_data(
		life.listener, s->port, SubscriberEvent_DATA_RECEIVED, on_data, s);
	iox_guard_leave();
	if (result == ListenerResult_LISTENER_FULL)
		return -EUSERS;
	if (result != ListenerResult_SUCCESS)
		return -ENOTRECOVERABLE;
	life.listening++;
	return 0;
}

static int iox_get_fd(struct transport_subscription *s)
{
	sigset_t old;
	int r;

	if (s->wake_fd >= 0)
		return s->wake_fd;
	if (iox_guard_is_dead())
		return -ENOTRECOVERABLE;
	/* data that came before the Listener was there counts as news */
	s->wake_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0)
		return -errno;
	pthread_mutex_lock(&life.lock);
	block_signals(&old);
	r = attach(s);
	restore_signals(&old);
	pthread_mutex_unlock(&life.lock);
	if (r < 0) {
		close_wake_fd(s);
		return r;
	}
	return s->wake_fd;
}

static int wait_for_eventfd(struct transport_subscription *s, uint64_t until_ns)
{
	uint64_t now_ns = clock_now_ns();
	struct timespec ts = clock_to_timespec(until_ns > now_ns ? until_ns - now_ns : 0);
	struct pollfd pfd = { .events = POLLIN };
	eventfd_t value;

	pfd.fd = iox_get_fd(s);
	if (pfd.fd < 0)
		return pfd.fd;
	eventfd_read(pfd.fd, &value);
	if (iox_guard_is_dead())
		return -ENOTRECOVERABLE;
	if (iox_has_data(s))
		return 1;
	if (ppoll(&pfd, 1, &ts, NULL) < 0)
		return -errno;
	return iox_has_data(s);
}

static int open_sleep_locked(struct transport_subscription *s)
{
	jmp_buf env;
	int r;

	r = probe_life();
	if (r < 0)
		return r;
	if (setjmp(env))
		return -ENOTRECOVERABLE;
	iox_guard_enter(&env);
	r = iox_sleep_open(&s->sleep, s->port);
	iox_guard_leave();
	return r < 0 ? -ENOTRECOVERABLE : 0;
}

static int open_sleep(struct transport_subscription *s)
{
	int r;

	pthread_mutex_lock(&life.lock);
	r = open_sleep_locked(s);
	pthread_mutex_unlock(&life.lock);
	return r;
}

static int iox_wait(struct transport_subscription *s, uint64_t until_ns)
{
	jmp_buf env;
	int r;

	if (s->wake_fd >= 0 || !life.isolated)
		return wait_for_eventfd(s, until_ns);
	if (iox_guard_is_dead())
		return -ENOTRECOVERABLE;
	if (!s->sleep.waitset) {
		r = open_sleep(s);
		if (r < 0)
			return r;
		/* what came before has no notification */
		if (iox_has_data(s))
			return 1;
	}
	if (setjmp(env))
		return -ENOTRECOVERABLE;
	iox_guard_enter(&env);
	r = iox_sleep_until_news(&s->sleep, until_ns);
	iox_guard_leave();
	return r;
}

/* The host may publish through the same mapping, unless this object is isolated. */
static void protect_payload(const void *payload)
{
	/* relaxed on both sides: nothing else depends on it */
	__atomic_store_n(&life.chunk, payload, __ATOMIC_RELAXED);
	if (iox_guard_is_isolated())
		payload_segment_protect(payload);
}

/* hot path */
static int iox_take(struct transport_subscription *s, const struct lidard_slice_header **ret_header,
		    const void **ret_payload)
{
	enum iox_ChunkReceiveResult result;
	const iox_chunk_header_t *chunk;
	const void *payload;
	jmp_buf env;

	if (iox_guard_is_dead() || setjmp(env))
		return -ENOTRECOVERABLE;
	iox_guard_enter(&env);
	result = iox_sub_take_chunk(s->port, &payload);
	iox_guard_leave();
	switch (result) {
	case ChunkReceiveResult_SUCCESS:
		if (__builtin_expect(!__atomic_load_n(&life.chunk, __ATOMIC_RELAXED), 0))
			protect_payload(payload);
		chunk = iox_chunk_header_from_user_payload_const(payload);
		*ret_header = iox_chunk_header_to_user_header_const(chunk);
		*ret_payload = payload;
		return 1;
	case ChunkReceiveResult_NO_CHUNK_AVAILABLE:
		return 0;
	case ChunkReceiveResult_TOO_MANY_CHUNKS_HELD_IN_PARALLEL:
		return -EMFILE;
	default:
		return -ENOTRECOVERABLE;
	}
}

/* hot path */
static void iox_release(struct transport_subscription *s, const void *payload)
{
	jmp_buf env;

	if (iox_guard_is_dead() || setjmp(env))
		return;
	iox_guard_enter(&env);
	iox_sub_release_chunk(s->port, payload);
	iox_guard_leave();
}

LIDARD_EXPORT const struct transport_ops lidard_transport = {
	.bytes = sizeof(struct transport_ops),
	.probe = iox_probe,
	.start = iox_start,
	.subscribe = iox_subscribe,
	.unsubscribe = iox_unsubscribe,
	.is_connected = iox_is_connected,
	.has_data = iox_has_data,
	.wait = iox_wait,
	.get_fd = iox_get_fd,
	.take = iox_take,
	.release = iox_release,
};
