/* SPDX-License-Identifier: Apache-2.0 */
/* subscription.c - see subscription.h and lidard/lidard.h */
#include "libclient/subscription.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/histogram.h"
#include "libclient/export.h"
#include "libclient/opts.h"

#define DEFAULT_SPIN_NS (50 * NSEC_PER_USEC)
/* How often to look while the transport is not connected yet, and when all is well. */
#define CONNECT_PERIOD_NS (20 * NSEC_PER_MSEC)
#define IDLE_PERIOD_NS NSEC_PER_SEC
/* How often to ask lidard again after it has said no. */
#define REFUSED_RETRY_NS NSEC_PER_SEC
/* A restart of RouDi and lidard takes less. */
#define RESTART_NS (10 * NSEC_PER_SEC)

/* ---- Subscribing, also again after a restart -------------------------------- */

/* Keep the port if it is still the right one: then not a slice is lost. */
static int renew_port(struct lidard_subscription *s, const struct transport_subscribe *params)
{
	struct lidard_client *c = s->client;
	struct port *port;
	int r;

	if (port_matches(s->port, c->life, params))
		return 0;
	r = port_new(c->life, params, c->error, sizeof(c->error), &port);
	if (r < 0)
		return r;
	wake_set_event(&s->wake, -1);
	if (s->port)
		port_retire(s->port, s->port->life != c->life);
	s->port = port;
	account_set_connected(&s->account, false);
	if (wake_is_open(&s->wake) && port_open_event(port) == 0)
		wake_set_event(&s->wake, port->event_fd);
	return 0;
}

/* On success the memory, the slices and the counters are there. */
static int subscribe(struct lidard_subscription *s, uint64_t deadline_ns)
{
	struct reservation_grant grant;
	int r;

	r = reservation_request(&s->reservation, deadline_ns, &grant);
	if (r < 0)
		return r;
	s->account.page = s->reservation.page;
	r = renew_port(s, &grant.transport);
	if (r < 0) {
		reservation_withdraw(&s->reservation, &grant, deadline_ns);
		return r;
	}
	s->account.slice_bytes = grant.slice_bytes;
	/* what is granted first is asked for again: the slices are made for it once */
	if (!s->slices) {
		s->reservation.queue = grant.queue;
		s->reservation.held = grant.held;
	}
	reservation_confirm(&s->reservation, &grant);
	wake_add_control(&s->wake, s->client->link.fd);
	return 0;
}

/* Will it be better by itself in a moment? While RouDi is restarted its memory seems another's. */
static bool is_transient(struct lidard_subscription *s, int error, uint64_t now_ns)
{
	if (error != -EXDEV) {
		s->strange_since_ns = 0;
		return error == -ENOTCONN || error == -ETIMEDOUT || error == -ECONNREFUSED ||
		       error == -ENOTRECOVERABLE || error == -EPROTO;
	}
	if (s->strange_since_ns == 0)
		s->strange_since_ns = now_ns;
	return now_ns - s->strange_since_ns < RESTART_NS;
}

void subscription_forget(struct lidard_subscription *s, uint64_t deadline_ns)
{
	if (s->client->same_server)
		reservation_cancel(&s->reservation, deadline_ns);
	else
		s->reservation.id = 0;
}

void subscription_resume(struct lidard_subscription *s, uint64_t deadline_ns)
{
	uint64_t now_ns;
	int r;

	r = subscribe(s, deadline_ns);
	if (r == -ENOTRECOVERABLE)
		client_abandon_life(s->client);
	now_ns = clock_now_ns();
	s->error = r < 0 && !is_transient(s, r, now_ns) ? r : 0;
	s->retry_ns = now_ns + (s->error ? REFUSED_RETRY_NS : CLIENT_RETRY_NS);
}

void subscription_lose_port(struct lidard_subscription *s)
{
	wake_set_event(&s->wake, -1);
	if (s->port->life == s->client->life)
		client_abandon_life(s->client);
	port_retire(s->port, true);
	s->port = NULL;
	account_set_connected(&s->account, false);
	s->service_ns = 0;
}

void subscription_service(struct lidard_subscription *s, uint64_t now_ns)
{
	struct lidard_client *c = s->client;
	uint64_t period_ns = IDLE_PERIOD_NS;
	bool connected;

	wake_clear_timer(&s->wake);
	client_service(c, now_ns);
	if (client_is_connected(c) && !reservation_is_live(&s->reservation) &&
	    now_ns >= s->retry_ns)
		subscription_resume(s, now_ns + CLIENT_RESUME_NS);
	connected = s->port && s->port->ops->is_connected(s->port->handle);
	account_set_connected(&s->account, connected);
	if (!reservation_is_live(&s->reservation))
		period_ns = s->error ? REFUSED_RETRY_NS : CLIENT_RETRY_NS;
	else if (!connected)
		period_ns = CONNECT_PERIOD_NS;
	s->service_ns = now_ns + period_ns;
	wake_set_period(&s->wake, period_ns);
}

/* ---- Beginning and end ------------------------------------------------------ */

static int read_opts(const struct lidard_subscribe_opts *opts, struct lidard_subscription *s)
{
	s->spin_ns = DEFAULT_SPIN_NS;
	if (!opts)
		return 0;
	if (opts_check(opts, opts->size, sizeof(*opts)) < 0 || opts->queue > LIDARD_QUEUE_MAX ||
	    opts->held > LIDARD_HELD_MAX || opts->policy > LIDARD_POLICY_LOSSLESS ||
	    opts->wait_mode > LIDARD_WAIT_POLL || opts->spin_ns < 0)
		return -EINVAL;
	s->reservation.queue = opts->queue;
	s->reservation.held = opts->held;
	s->reservation.policy = opts->policy;
	s->wait_mode = opts->wait_mode;
	if (opts->spin_ns)
		s->spin_ns = (uint64_t)opts->spin_ns;
	return 0;
}

/* All memory the hot path needs. */
static int allocate(struct lidard_subscription *s)
{
	uint32_t i, held = s->reservation.held;

	s->slices = calloc(held, sizeof(*s->slices));
	if (!s->slices)
		return -ENOMEM;
	for (i = held; i-- > 0;) {
		s->slices[i].subscription = s;
		s->slices[i].generation = s->generation;
		s->slices[i].next = s->free_slices;
		s->free_slices = &s->slices[i];
	}
	return frame_collector_init(&s->collector, s, held);
}

static int begin(struct lidard_subscription *s, const char *sensor,
		 const struct lidard_subscribe_opts *opts)
{
	struct lidard_client *c = s->client;
	int r;

	r = read_opts(opts, s);
	if (r < 0)
		return client_fail(c, r, "bad options");
	if (!sensor || strlen(sensor) >= sizeof(s->reservation.sensor))
		return client_fail(c, -ENOENT, "%s: no such sensor", sensor ? sensor : "(null)");
	strcpy(s->reservation.sensor, sensor);
	strcpy(s->probe_reader.sensor, sensor);
	memcpy(s->probe_reader.client, c->name,
	       strnlen(c->name, sizeof(s->probe_reader.client) - 1));
	s->account.reader = &s->probe_reader;
	c->error[0] = '\0';
	r = client_ensure(c);
	if (r < 0)
		return r;
	r = subscribe(s, clock_now_ns() + c->timeout_ns);
	if (r == -ENOTRECOVERABLE) {
		/* the broker lidard knew is gone; lidard will be back with another */
		client_abandon_life(c);
		return -ECONNREFUSED;
	}
	return r < 0 ? r : allocate(s);
}

LIDARD_EXPORT int lidard_subscribe(struct lidard_client *client, const char *sensor,
				   const struct lidard_subscribe_opts *opts,
				   struct lidard_subscription **ret_subscription)
{
	struct lidard_subscription *s;
	int r;

	if (fork_guard_is_foreign(client->generation))
		return -ECHILD;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->generation = client->generation;
	s->client = client;
	s->reservation.client = client;
	wake_init(&s->wake);
	r = begin(s, sensor, opts);
	if (r < 0) {
		lidard_subscription_free(s);
		return r;
	}
	s->next = client->subscriptions;
	client->subscriptions = s;
	*ret_subscription = s;
	return 0;
}

static void leave_client(struct lidard_subscription *s)
{
	struct lidard_subscription **at;

	for (at = &s->client->subscriptions; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			return;
		}
}

/* Every slice goes back before the port, so that no memory stays lent. */
static void release_all(struct lidard_subscription *s)
{
	uint32_t i;

	for (i = 0; s->slices && i < s->reservation.held; i++)
		if (s->slices[i].payload)
			port_release(s->slices[i].port, s->slices[i].payload);
}

/* lidard keeps what it is not asked to free until the process is gone, so not too short either. */
static uint64_t farewell_ns(const struct lidard_client *c)
{
	return c->timeout_ns < NSEC_PER_SEC ? c->timeout_ns : NSEC_PER_SEC;
}

/* Also when the connection is broken, noticed or not: as long as the process lives, only a call helps. */
static void take_leave(struct lidard_subscription *s)
{
	struct lidard_client *c = s->client;

	if (reservation_is_live(&s->reservation))
		reservation_cancel(&s->reservation, clock_now_ns() + farewell_ns(c));
	if (s->reservation.id == 0)
		return;
	client_service(c, UINT64_MAX);
	if (client_is_connected(c) && c->same_server)
		reservation_cancel(&s->reservation, clock_now_ns() + farewell_ns(c));
}

LIDARD_EXPORT struct lidard_subscription *
lidard_subscription_free(struct lidard_subscription *subscription)
{
	struct lidard_subscription *s = subscription;

	if (!s)
		return NULL;
	leave_client(s);
	wake_close(&s->wake);
	if (!fork_guard_is_foreign(s->generation)) {
		release_all(s);
		/* else lidard must not give anybody else what its queue still holds */
		if (port_close(s->port))
			take_leave(s);
	}
	frame_collector_deinit(&s->collector);
	reservation_deinit(&s->reservation);
	free(s->slices);
	free(s);
	return NULL;
}

/* ---- Taking ----------------------------------------------------------------- */

bool subscription_has_data(const struct lidard_subscription *s)
{
	return s->pending || (s->port && port_has_data(s->port));
}

static struct lidard_slice *lend(struct lidard_subscription *s,
				 const struct lidard_slice_header *header, const void *payload)
{
	struct lidard_slice *slice = s->free_slices;

	s->free_slices = slice->next;
	s->lent++;
	s->port->lent++;
	slice->port = s->port;
	slice->header = header;
	slice->payload = payload;
	return slice;
}

void subscription_give_back(struct lidard_subscription *s, struct lidard_slice *slice)
{
	port_release(slice->port, slice->payload);
	slice->payload = NULL;
	slice->header = NULL;
	slice->next = s->free_slices;
	s->free_slices = slice;
	s->lent--;
}

static struct lidard_slice *hand_out(struct lidard_subscription *s, enum subscription_take what,
				     struct lidard_slice *slice)
{
	slice->taken_ns = clock_now_ns();
	/* a reader that is never idle never looks */
	if (__builtin_expect(!s->account.page->connected, 0))
		account_set_connected(&s->account, true);
	if (what == SUBSCRIPTION_COLLECT)
		account_collect(&s->account);
	else
		account_take(&s->account, slice->header, slice->taken_ns);
	return slice;
}

/* Return: 1 there is data after all; 0; the error lidard answered last. */
static int idle(struct lidard_subscription *s)
{
	uint64_t now_ns;

	if (s->port && port_clear_event(s->port))
		return 1;
	now_ns = clock_now_ns();
	/* whoever sleeps on the fd may have been woken by anything in it */
	if (wake_is_open(&s->wake) || now_ns >= s->service_ns)
		subscription_service(s, now_ns);
	return s->error;
}

/* Return: 1 a valid slice, not yet accounted for as taken; 0 none; -errno. */
static int next_slice(struct lidard_subscription *s, struct lidard_slice **ret_slice)
{
	const struct lidard_slice_header *header;
	const void *payload;
	int r;

	if (!s->free_slices)
		return -EMFILE;
	while (s->port) {
		r = s->port->ops->take(s->port->handle, &header, &payload);
		if (r == -ENOTRECOVERABLE) {
			subscription_lose_port(s);
			return 0;
		}
		if (r <= 0)
			return r;
		if (header && account_header_is_valid(&s->account, header)) {
			*ret_slice = lend(s, header, payload);
			return 1;
		}
		account_pass(&s->account, LIDARD_SKIP_INVALID);
		s->port->ops->release(s->port->handle, payload);
	}
	return 0;
}

/* Pass over everything but the newest. */
static struct lidard_slice *newest(struct lidard_subscription *s, struct lidard_slice *slice)
{
	const struct lidard_slice_header *header;
	const void *payload;

	while (s->port && s->port->ops->take(s->port->handle, &header, &payload) == 1) {
		if (!header || !account_header_is_valid(&s->account, header)) {
			account_pass(&s->account, LIDARD_SKIP_INVALID);
			s->port->ops->release(s->port->handle, payload);
			continue;
		}
		account_pass(&s->account, LIDARD_SKIP_POLICY);
		account_see(&s->account, header);
		s->port->ops->release(s->port->handle, slice->payload);
		slice->header = header;
		slice->payload = payload;
	}
	return slice;
}

int subscription_take(struct lidard_subscription *s, enum subscription_take what,
		      struct lidard_slice **ret_slice)
{
	struct lidard_slice *slice = s->pending;
	uint64_t missing;
	int r;

	if (slice) {
		s->pending = NULL;
		*ret_slice = hand_out(s, what, slice);
		return 1;
	}
	while ((r = next_slice(s, &slice)) == 0) {
		r = idle(s);
		if (r <= 0)
			return r;
	}
	if (r < 0)
		return r;
	missing = account_see(&s->account, slice->header);
	if (missing && s->reservation.policy == LIDARD_POLICY_LOSSLESS) {
		s->pending = slice;
		return -ENOBUFS;
	}
	if (what == SUBSCRIPTION_NEWEST)
		slice = newest(s, slice);
	*ret_slice = hand_out(s, what, slice);
	return 1;
}

LIDARD_EXPORT int lidard_subscription_take(struct lidard_subscription *subscription,
					   struct lidard_slice **ret_slice)
{
	if (fork_guard_is_foreign(subscription->generation))
		return -ECHILD;
	return subscription_take(subscription,
				 subscription->reservation.policy == LIDARD_POLICY_LATEST ?
					 SUBSCRIPTION_NEWEST :
					 SUBSCRIPTION_NEXT,
				 ret_slice);
}

/* ---- Looking ---------------------------------------------------------------- */

LIDARD_EXPORT int lidard_subscription_get_stats(struct lidard_subscription *subscription,
						struct lidard_stats *stats, size_t size)
{
	const struct lidard_subscriber_page *p = subscription->account.page;
	const struct lidard_histogram *take = &p->stages[LIDARD_STAGE_TAKE];

	if (fork_guard_is_foreign(subscription->generation))
		return -ECHILD;
	if (size != sizeof(*stats))
		return -EINVAL;
	*stats = (struct lidard_stats){
		.received = p->total_taken,
		.received_bytes = p->total_bytes,
		.skipped_queue_full = p->total_skipped[LIDARD_SKIP_QUEUE_FULL],
		.skipped_policy = p->total_skipped[LIDARD_SKIP_POLICY],
		.skipped_invalid = p->total_skipped[LIDARD_SKIP_INVALID],
		.lost_upstream = p->total_lost_upstream,
		.restarts = p->restarts,
		.held = (uint32_t)p->held,
		.connected = p->connected && reservation_is_live(&subscription->reservation),
		.latency_p50_ns = histogram_quantile_ns(take, 0.5),
		.latency_p99_ns = histogram_quantile_ns(take, 0.99),
		.latency_max_ns = take->max_ns,
		.lag_ns = subscription->account.lag_ns,
	};
	return 0;
}

LIDARD_EXPORT const struct lidard_subscriber_page *
lidard_subscription_get_page(const struct lidard_subscription *subscription)
{
	return fork_guard_is_foreign(subscription->generation) ? NULL : subscription->account.page;
}
