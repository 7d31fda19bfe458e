/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - see status.h */
#include "daemon/status.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json_add.h"
#include "daemon/broker_iox.h"
#include "daemon/client.h"
#include "daemon/daemon.h"
#include "daemon/subscription.h"

static void add_account(json_object *o, bool holds)
{
	json_add_text(o, "accounting", holds ? "ok" : "violated");
}

/* ---- sensors ---- */

json_object *status_describe_sensor(const struct sensor *s)
{
	json_object *o = json_object_new_object();

	json_add_text(o, "name", s->config.name);
	json_add_text(o, "source", s->source->ops->name);
	json_add_text(o, "model", s->source->model);
	json_add_text(o, "serial", s->source->serial);
	json_add_text(o, "state", sensor_get_state_name(s));
	json_add_text(o, "error", s->problem.text);
	json_add_uint(o, "format", s->source->format);
	json_add_uint(o, "slice_bytes", s->config.slice_bytes);
	return o;
}

json_object *status_list_sensors(const struct daemon *d)
{
	json_object *array = json_object_new_array();
	const struct sensor *s;

	LIST_FOREACH(s, &d->sensors, link)
		json_object_array_add(array, status_describe_sensor(s));
	return array;
}

static void add_source_stats(json_object *o, const struct source_stats *stats)
{
	json_object *dropped = json_object_new_object();
	int i;

	json_add_uint(o, "produced", stats->produced);
	for (i = 0; i < SOURCE_DROP_COUNT; i++)
		json_add_uint(dropped, source_drop_name((enum source_drop)i), stats->dropped[i]);
	json_object_object_add(o, "dropped", dropped);
	json_add_uint(o, "frames", stats->frames);
	json_add_uint(o, "partial_frames", stats->partial_frames);
	json_add_uint(o, "packets", stats->packets);
	json_add_uint(o, "lost_packets", stats->lost_packets);
	json_add_uint(o, "ignored_packets", stats->ignored_packets);
	json_add_uint(o, "bad_packets", stats->bad_packets);
	json_add_uint(o, "late_packets", stats->late_packets);
	json_add_uint(o, "duplicate_packets", stats->duplicate_packets);
	json_add_uint(o, "overflow_packets", stats->overflow_packets);
	json_add_uint(o, "missing_columns", stats->missing_columns);
	json_add_uint(o, "clock_steps", stats->clock_steps);
	json_add_uint(o, "fill_cpu_ns", stats->fill_cpu_ns);
	json_add_uint(o, "copied_bytes", stats->copied_bytes);
}

/* Of a sensor that sends packets; the clocks of others are what they are. */
static json_object *get_clock(const struct sensor_clock *c)
{
	json_object *o = json_object_new_object();

	json_add_text(o, "scale", time_clock_name(c->clock));
	json_add_text(o, "configured", time_choice_names[c->choice]);
	json_add_text(o, "found", clock_match_name(c->match));
	json_add_text(o, "lock", time_lock_name(c->lock));
	json_add_text(o, "offset", !c->offset_known ? "unknown" :
				   c->offset_measured ? "measured" : "exact");
	if (c->offset_known)
		json_object_object_add(o, "offset_ns",
				       json_object_new_int64(sensor_clock_get_offset(c)));
	json_add_uint(o, "locks_lost", c->locks_lost);
	json_add_uint(o, "leap_seconds", c->leap_seconds);
	json_add_bool(o, "leap_seconds_known", sensor_clock_knows_leaps(c));
	json_add_text(o, "problem", c->problem.text);
	return o;
}

static json_object *get_sensor(const struct sensor *s)
{
	json_object *o = status_describe_sensor(s), *loans = json_object_new_object();

	if (s->source->ops->refresh)
		s->source->ops->refresh(s->source);
	json_add_uint(o, "incarnation", s->incarnation);
	json_add_uint(o, "restarts", s->restarts);
	add_source_stats(o, &s->source->stats);
	if (s->source->clock.clock != LIDARD_CLOCK_NONE)
		json_object_object_add(o, "clock", get_clock(&s->source->clock));
	json_add_uint(o, "unrecorded_packets", s->source->taps.lost);
	json_add_uint(o, "published", s->published);
	json_add_uint(o, "bytes", s->published_bytes);
	json_add_uint(o, "publish_cpu_ns", s->publish_cpu_ns);
	json_add_uint(o, "transport_cpu_ns", s->transport_cpu_ns);
	add_account(o, sensor_check_account(s));
	json_add_uint(loans, "configured", s->config.loans);
	json_add_uint(loans, "lent", s->sink->lent);
	json_add_uint(loans, "exhausted", s->sink->exhausted);
	json_object_object_add(o, "loans", loans);
	json_add_uint(o, "reserved_slices", s->reserved_slices);
	json_add_uint(o, "subscriber_slices", s->config.subscriber_slices);
	return o;
}

/* ---- subscribers ---- */

static const char *const stage_names[LIDARD_STAGE_COUNT] = {
	[LIDARD_STAGE_FILL] = "fill", [LIDARD_STAGE_READY] = "ready",
	[LIDARD_STAGE_PUBLISH] = "publish", [LIDARD_STAGE_TAKE] = "take",
	[LIDARD_STAGE_HOLD] = "hold", [LIDARD_STAGE_TOTAL] = "total",
};

/*
 * Pairs of bucket and count in one reply: what clients have written into their
 * pages must not make it longer than LIDARD_CONTROL_MESSAGE_MAX. Some twenty
 * are usual for a stage; with all of 64 bits a pair takes 28 bytes.
 */
#define STATUS_PAIRS_MAX (64u * 1024)

static json_object *get_histogram(const struct lidard_histogram *h, unsigned int *pairs)
{
	json_object *o = json_object_new_object(), *buckets = json_object_new_array(), *pair;
	unsigned int i;

	json_add_uint(o, "count", h->count);
	json_add_uint(o, "sum_ns", h->sum_ns);
	json_add_uint(o, "max_ns", h->max_ns);
	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++) {
		if (h->buckets[i] == 0)
			continue;
		pair = json_object_new_array();
		json_object_array_add(pair, json_object_new_int64(i));
		json_object_array_add(pair, json_object_new_uint64(h->buckets[i]));
		json_object_array_add(buckets, pair);
		(*pairs)++;
	}
	json_object_object_add(o, "buckets", buckets);
	return o;
}

static json_object *get_skipped(const uint64_t skipped[LIDARD_SKIP_COUNT])
{
	json_object *o = json_object_new_object();

	json_add_uint(o, "queue_full", skipped[LIDARD_SKIP_QUEUE_FULL]);
	json_add_uint(o, "policy", skipped[LIDARD_SKIP_POLICY]);
	json_add_uint(o, "invalid", skipped[LIDARD_SKIP_INVALID]);
	return o;
}

static void add_stages(json_object *o, const struct lidard_subscriber_page *page,
		       unsigned int *pairs)
{
	json_object *stages = json_object_new_object();
	int i;

	for (i = 0; i < LIDARD_STAGE_COUNT; i++)
		json_object_object_add(stages, stage_names[i],
				       get_histogram(&page->stages[i], pairs));
	json_object_object_add(o, "stages", stages);
}

static void add_page(json_object *o, const struct subscription *s, unsigned int *pairs)
{
	static struct lidard_subscriber_page page; /* too large for the stack; one thread */
	struct subscription_account account;

	/* A reader stopped in the middle of an update: its counters may be one slice apart. */
	json_add_bool(o, "stable", subscription_read_page(s, &page));
	subscription_get_account(s, &page, &account);
	json_add_bool(o, "connected", page.connected == 1);
	json_add_uint(o, "incarnation", account.incarnation);
	json_add_uint(o, "published", account.published);
	json_add_uint(o, "received", account.received);
	json_object_object_add(o, "skipped", get_skipped(account.skipped));
	json_add_uint(o, "unseen", account.unseen);
	json_add_uint(o, "collecting", account.collecting);
	json_add_uint(o, "waiting", account.waiting);
	json_add_uint(o, "held", page.held);
	json_add_uint(o, "lost_upstream", page.total_lost_upstream);
	json_add_uint(o, "bytes", page.total_bytes);
	json_add_uint(o, "last_take_ns", page.last_take_ns);
	json_add_uint(o, "restarts", page.restarts);
	json_add_uint(o, "total_received", page.total_taken);
	json_object_object_add(o, "total_skipped", get_skipped(page.total_skipped));
	add_account(o, account.holds);
	if (*pairs < STATUS_PAIRS_MAX)
		add_stages(o, &page, pairs);
}

static json_object *get_subscriber(const struct subscription *s, unsigned int *pairs)
{
	json_object *o = json_object_new_object();

	json_add_uint(o, "id", s->id);
	json_add_text(o, "name", s->client->program);
	json_add_uint(o, "pid", (uint64_t)s->client->pid);
	json_add_uint(o, "uid", s->client->uid);
	json_add_text(o, "sensor", s->sensor->config.name);
	json_add_uint(o, "policy", s->policy);
	json_add_uint(o, "queue", s->queue);
	json_add_uint(o, "held_limit", s->held);
	json_add_text(o, "state", s->client->state == CLIENT_LIVE ? "live" : "reclaiming");
	add_page(o, s, pairs);
	return o;
}

static json_object *get_subscribers(const struct daemon *d)
{
	json_object *array = json_object_new_array();
	const struct subscription *s;
	const struct client *c;
	unsigned int pairs = 0;

	LIST_FOREACH(c, &d->clients.clients, link)
		LIST_FOREACH(s, &c->subscriptions, of_client)
			json_object_array_add(array, get_subscriber(s, &pairs));
	return array;
}

/* ---- the whole ---- */

static json_object *get_pools(const struct daemon *d)
{
	json_object *array = json_object_new_array(), *o;
	struct broker_pool pools[BROKER_POOLS_MAX];
	size_t i, count = d->broker ? broker_read_pools(d->broker, pools) : 0;

	for (i = 0; i < count; i++) {
		o = json_object_new_object();
		json_add_uint(o, "payload_bytes", pool_payload_of_size(pools[i].size));
		json_add_uint(o, "chunks", pools[i].chunks);
		json_add_uint(o, "used", pools[i].used);
		json_add_uint(o, "min_free", pools[i].min_free);
		json_object_array_add(array, o);
	}
	return array;
}

static json_object *get_transport(const struct daemon *d)
{
	json_object *o = json_object_new_object();

	json_add_text(o, "name", "iceoryx");
	json_add_text(o, "broker", d->broker_id);
	json_add_text(o, "state", d->ready ? "ok" : "starting");
	json_add_uint(o, "reclaimed_clients", d->clients.reclaimed);
	return o;
}

static bool is_degraded(const struct daemon *d)
{
	const struct sensor *s;

	LIST_FOREACH(s, &d->sensors, link)
		if (sensor_is_degraded(s))
			return true;
	return false;
}

json_object *status_get(const struct daemon *d)
{
	json_object *o = json_object_new_object(), *sensors = json_object_new_array();
	const struct sensor *s;
	char text[256];

	status_get_text(d, text, sizeof(text));
	json_add_text(o, "version", LIDARD_VERSION);
	json_add_uint(o, "pid", (uint64_t)getpid());
	json_add_uint(o, "now_ns", clock_now_ns());
	json_add_uint(o, "started_ns", d->started_ns);
	json_add_bool(o, "degraded", is_degraded(d));
	json_add_text(o, "status", text);
	json_add_uint(o, "cpu_ns", clock_read_ns(CLOCK_PROCESS_CPUTIME_ID));
	json_object_object_add(o, "transport", get_transport(d));
	json_object_object_add(o, "pools", get_pools(d));
	LIST_FOREACH(s, &d->sensors, link)
		json_object_array_add(sensors, get_sensor(s));
	json_object_object_add(o, "sensors", sensors);
	json_object_object_add(o, "subscribers", get_subscribers(d));
	return o;
}

void status_get_text(const struct daemon *d, char *text, size_t size)
{
	unsigned int streaming = 0, sensors = 0, subscribers = 0;
	const struct sensor *s, *degraded = NULL;
	const struct subscription *sub;

	LIST_FOREACH(s, &d->sensors, link) {
		sensors++;
		streaming += s->state == SENSOR_STREAMING;
		if (sensor_is_degraded(s) && !degraded)
			degraded = s;
		LIST_FOREACH(sub, &s->subscriptions, of_sensor)
			subscribers++;
	}
	if (degraded)
		snprintf(text, size, "degraded: sensor %s is %s; %u of %u streaming, %u subscribers",
			 degraded->config.name, sensor_get_state_name(degraded), streaming, sensors,
			 subscribers);
	else
		snprintf(text, size, "%u of %u sensors streaming, %u subscribers", streaming, sensors,
			 subscribers);
}
