/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - see status.h */
#include "daemon/status.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/broker_iox.h"
#include "daemon/client.h"
#include "daemon/daemon.h"
#include "daemon/subscription.h"

static void add_uint(json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static void add_string(json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void add_bool(json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

static void add_account(json_object *o, bool holds)
{
	add_string(o, "accounting", holds ? "ok" : "violated");
}

/* ---- sensors ---- */

/* What ListSensors and GetStatus both say. */
static json_object *describe_sensor(const struct sensor *s)
{
	json_object *o = json_object_new_object();

	add_string(o, "name", s->config.name);
	add_string(o, "source", s->source->ops->name);
	add_string(o, "model", s->source->model);
	add_string(o, "serial", s->source->serial);
	add_string(o, "state", sensor_get_state_name(s));
	add_string(o, "error", s->problem.text);
	add_uint(o, "format", s->source->format);
	add_uint(o, "slice_bytes", s->config.slice_bytes);
	return o;
}

json_object *status_list_sensors(const struct daemon *d)
{
	json_object *array = json_object_new_array();
	const struct sensor *s;

	LIST_FOREACH(s, &d->sensors, link)
		json_object_array_add(array, describe_sensor(s));
	return array;
}

static void add_source_stats(json_object *o, const struct source_stats *stats)
{
	json_object *dropped = json_object_new_object();
	int i;

	add_uint(o, "produced", stats->produced);
	for (i = 0; i < SOURCE_DROP_COUNT; i++)
		add_uint(dropped, source_drop_name((enum source_drop)i), stats->dropped[i]);
	json_object_object_add(o, "dropped", dropped);
	add_uint(o, "frames", stats->frames);
	add_uint(o, "partial_frames", stats->partial_frames);
	add_uint(o, "packets", stats->packets);
	add_uint(o, "lost_packets", stats->lost_packets);
	add_uint(o, "ignored_packets", stats->ignored_packets);
	add_uint(o, "bad_packets", stats->bad_packets);
	add_uint(o, "late_packets", stats->late_packets);
	add_uint(o, "missing_columns", stats->missing_columns);
	add_uint(o, "fill_cpu_ns", stats->fill_cpu_ns);
	add_uint(o, "copied_bytes", stats->copied_bytes);
}

static json_object *get_sensor(const struct sensor *s)
{
	json_object *o = describe_sensor(s), *loans = json_object_new_object();

	if (s->source->ops->refresh)
		s->source->ops->refresh(s->source);
	add_uint(o, "incarnation", s->incarnation);
	add_uint(o, "restarts", s->restarts);
	add_source_stats(o, &s->source->stats);
	add_uint(o, "published", s->published);
	add_uint(o, "bytes", s->published_bytes);
	add_uint(o, "publish_cpu_ns", s->publish_cpu_ns);
	add_account(o, sensor_check_account(s));
	add_uint(loans, "configured", s->config.loans);
	add_uint(loans, "lent", s->sink->lent);
	add_uint(loans, "exhausted", s->sink->exhausted);
	json_object_object_add(o, "loans", loans);
	add_uint(o, "reserved_slices", s->reserved_slices);
	add_uint(o, "subscriber_slices", s->config.subscriber_slices);
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

	add_uint(o, "count", h->count);
	add_uint(o, "sum_ns", h->sum_ns);
	add_uint(o, "max_ns", h->max_ns);
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

	add_uint(o, "queue_full", skipped[LIDARD_SKIP_QUEUE_FULL]);
	add_uint(o, "policy", skipped[LIDARD_SKIP_POLICY]);
	add_uint(o, "invalid", skipped[LIDARD_SKIP_INVALID]);
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
	add_bool(o, "stable", subscription_read_page(s, &page));
	subscription_get_account(s, &page, &account);
	add_bool(o, "connected", page.connected == 1);
	add_uint(o, "incarnation", account.incarnation);
	add_uint(o, "published", account.published);
	add_uint(o, "received", account.received);
	json_object_object_add(o, "skipped", get_skipped(account.skipped));
	add_uint(o, "unseen", account.unseen);
	add_uint(o, "collecting", account.collecting);
	add_uint(o, "waiting", account.waiting);
	add_uint(o, "held", page.held);
	add_uint(o, "lost_upstream", page.total_lost_upstream);
	add_uint(o, "bytes", page.total_bytes);
	add_uint(o, "last_take_ns", page.last_take_ns);
	add_uint(o, "restarts", page.restarts);
	add_uint(o, "total_received", page.total_taken);
	json_object_object_add(o, "total_skipped", get_skipped(page.total_skipped));
	add_account(o, account.holds);
	if (*pairs < STATUS_PAIRS_MAX)
		add_stages(o, &page, pairs);
}

static json_object *get_subscriber(const struct subscription *s, unsigned int *pairs)
{
	json_object *o = json_object_new_object();

	add_uint(o, "id", s->id);
	add_string(o, "name", s->client->program);
	add_uint(o, "pid", (uint64_t)s->client->pid);
	add_uint(o, "uid", s->client->uid);
	add_string(o, "sensor", s->sensor->config.name);
	add_uint(o, "policy", s->policy);
	add_uint(o, "queue", s->queue);
	add_uint(o, "held_limit", s->held);
	add_string(o, "state", s->client->state == CLIENT_LIVE ? "live" : "reclaiming");
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
		add_uint(o, "payload_bytes", pool_payload_of_size(pools[i].size));
		add_uint(o, "chunks", pools[i].chunks);
		add_uint(o, "used", pools[i].used);
		add_uint(o, "min_free", pools[i].min_free);
		json_object_array_add(array, o);
	}
	return array;
}

static json_object *get_transport(const struct daemon *d)
{
	json_object *o = json_object_new_object();

	add_string(o, "name", "iceoryx");
	add_string(o, "broker", d->broker_id);
	add_string(o, "state", d->ready ? "ok" : "starting");
	add_uint(o, "reclaimed_clients", d->clients.reclaimed);
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
	add_string(o, "version", LIDARD_VERSION);
	add_uint(o, "pid", (uint64_t)getpid());
	add_uint(o, "now_ns", clock_now_ns());
	add_uint(o, "started_ns", d->started_ns);
	add_bool(o, "degraded", is_degraded(d));
	add_string(o, "status", text);
	add_uint(o, "cpu_ns", clock_read_ns(CLOCK_PROCESS_CPUTIME_ID));
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
