/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - see snapshot.h */
#include "tools/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/histogram.h"

static const char *const stage_names[LIDARD_STAGE_COUNT] = {
	[LIDARD_STAGE_FILL] = "fill",	    [LIDARD_STAGE_READY] = "ready",
	[LIDARD_STAGE_PUBLISH] = "publish", [LIDARD_STAGE_TAKE] = "take",
	[LIDARD_STAGE_HOLD] = "hold",	    [LIDARD_STAGE_TOTAL] = "total",
};

const char *snapshot_stage_name(unsigned int stage)
{
	return stage < LIDARD_STAGE_COUNT ? stage_names[stage] : "";
}

static struct json_object *get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

static uint64_t get_count(struct json_object *object, const char *key)
{
	return json_object_get_uint64(get(object, key));
}

static void get_text(struct json_object *object, const char *key, char *text, size_t size)
{
	const char *value = json_object_get_string(get(object, key));

	snprintf(text, size, "%s", value ? value : "");
}

static bool get_accounting(struct json_object *object)
{
	const char *value = json_object_get_string(get(object, "accounting"));

	return value && strcmp(value, "ok") == 0;
}

static void get_causes(struct json_object *object, const char *key, struct snapshot_causes *causes)
{
	struct json_object *value = get(object, key);

	causes->count = 0;
	if (!json_object_is_type(value, json_type_object))
		return;
	json_object_object_foreach(value, name, count) {
		struct snapshot_cause *cause;

		if (causes->count == SNAPSHOT_CAUSES_MAX)
			break;
		cause = &causes->list[causes->count++];
		snprintf(cause->name, sizeof(cause->name), "%s", name);
		cause->count = json_object_get_uint64(count);
	}
}

static void read_histogram(struct json_object *object, struct lidard_histogram *h)
{
	struct json_object *buckets = get(object, "buckets");
	size_t i, count;

	h->count = get_count(object, "count");
	h->sum_ns = get_count(object, "sum_ns");
	h->max_ns = get_count(object, "max_ns");
	if (!json_object_is_type(buckets, json_type_array))
		return;
	count = json_object_array_length(buckets);
	for (i = 0; i < count; i++) {
		struct json_object *pair = json_object_array_get_idx(buckets, i);
		int64_t bucket;

		if (!json_object_is_type(pair, json_type_array) || json_object_array_length(pair) != 2)
			continue;
		bucket = json_object_get_int64(json_object_array_get_idx(pair, 0));
		if (bucket >= 0 && bucket < (int64_t)LIDARD_HISTOGRAM_BUCKETS)
			h->buckets[bucket] =
				json_object_get_uint64(json_object_array_get_idx(pair, 1));
	}
}

static void read_pool(struct json_object *object, void *element)
{
	struct snapshot_pool *pool = element;

	pool->payload_bytes = get_count(object, "payload_bytes");
	pool->chunks = get_count(object, "chunks");
	pool->used = get_count(object, "used");
	pool->min_free = get_count(object, "min_free");
}

static void read_clock(struct json_object *object, struct snapshot_clock *c)
{
	get_text(object, "scale", c->scale, sizeof(c->scale));
	get_text(object, "configured", c->configured, sizeof(c->configured));
	get_text(object, "found", c->found, sizeof(c->found));
	get_text(object, "lock", c->lock, sizeof(c->lock));
	get_text(object, "offset", c->offset, sizeof(c->offset));
	c->offset_ns = json_object_get_int64(get(object, "offset_ns"));
	c->locks_lost = get_count(object, "locks_lost");
	get_text(object, "problem", c->problem, sizeof(c->problem));
}

static void read_sensor(struct json_object *object, void *element)
{
	struct snapshot_sensor *s = element;
	struct json_object *loans = get(object, "loans");

	get_text(object, "name", s->name, sizeof(s->name));
	get_text(object, "source", s->source, sizeof(s->source));
	get_text(object, "model", s->model, sizeof(s->model));
	get_text(object, "serial", s->serial, sizeof(s->serial));
	get_text(object, "state", s->state, sizeof(s->state));
	get_text(object, "error", s->error, sizeof(s->error));
	s->slice_bytes = get_count(object, "slice_bytes");
	s->incarnation = get_count(object, "incarnation");
	s->restarts = get_count(object, "restarts");
	s->produced = get_count(object, "produced");
	s->published = get_count(object, "published");
	s->bytes = get_count(object, "bytes");
	s->copied_bytes = get_count(object, "copied_bytes");
	get_causes(object, "dropped", &s->dropped);
	s->accounting_ok = get_accounting(object);
	s->frames = get_count(object, "frames");
	s->partial_frames = get_count(object, "partial_frames");
	s->clock_steps = get_count(object, "clock_steps");
	read_clock(get(object, "clock"), &s->clock);
	s->packets = get_count(object, "packets");
	s->lost_packets = get_count(object, "lost_packets");
	s->ignored_packets = get_count(object, "ignored_packets");
	s->bad_packets = get_count(object, "bad_packets");
	s->late_packets = get_count(object, "late_packets");
	s->duplicate_packets = get_count(object, "duplicate_packets");
	s->overflow_packets = get_count(object, "overflow_packets");
	s->missing_columns = get_count(object, "missing_columns");
	s->fill_cpu_ns = get_count(object, "fill_cpu_ns");
	s->publish_cpu_ns = get_count(object, "publish_cpu_ns");
	s->transport_cpu_ns = get_count(object, "transport_cpu_ns");
	s->loans_configured = get_count(loans, "configured");
	s->loans_lent = get_count(loans, "lent");
	s->loans_exhausted = get_count(loans, "exhausted");
	s->reserved_slices = get_count(object, "reserved_slices");
	s->subscriber_slices = get_count(object, "subscriber_slices");
}

static void read_subscriber(struct json_object *object, void *element)
{
	struct snapshot_subscriber *s = element;
	struct json_object *stages = get(object, "stages");
	unsigned int i;

	s->id = get_count(object, "id");
	get_text(object, "name", s->name, sizeof(s->name));
	s->pid = json_object_get_int64(get(object, "pid"));
	s->uid = json_object_get_int64(get(object, "uid"));
	get_text(object, "sensor", s->sensor, sizeof(s->sensor));
	s->policy = get_count(object, "policy");
	s->queue = get_count(object, "queue");
	s->held_limit = get_count(object, "held_limit");
	s->connected = json_object_get_boolean(get(object, "connected"));
	get_text(object, "state", s->state, sizeof(s->state));
	s->incarnation = get_count(object, "incarnation");
	s->published = get_count(object, "published");
	s->received = get_count(object, "received");
	get_causes(object, "skipped", &s->skipped);
	s->unseen = get_count(object, "unseen");
	s->collecting = get_count(object, "collecting");
	s->waiting = json_object_get_int64(get(object, "waiting"));
	s->held = get_count(object, "held");
	s->lost_upstream = get_count(object, "lost_upstream");
	s->bytes = get_count(object, "bytes");
	s->last_take_ns = get_count(object, "last_take_ns");
	s->restarts = get_count(object, "restarts");
	s->total_received = get_count(object, "total_received");
	get_causes(object, "total_skipped", &s->total_skipped);
	s->accounting_ok = get_accounting(object);
	for (i = 0; i < LIDARD_STAGE_COUNT; i++)
		read_histogram(get(stages, stage_names[i]), &s->stages[i]);
}

static int read_array(struct json_object *object, const char *key, size_t bytes,
		      void (*read)(struct json_object *object, void *element), void **ret_array,
		      size_t *ret_count)
{
	struct json_object *array = get(object, key);
	size_t i, count;
	char *elements;

	if (!json_object_is_type(array, json_type_array))
		return -EPROTO;
	count = json_object_array_length(array);
	elements = calloc(count ? count : 1, bytes);
	if (!elements)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		read(json_object_array_get_idx(array, i), elements + i * bytes);
	*ret_array = elements;
	*ret_count = count;
	return 0;
}

static int read_arrays(struct json_object *status, struct snapshot *s)
{
	void *array;
	int r;

	r = read_array(status, "pools", sizeof(*s->pools), read_pool, &array, &s->pool_count);
	if (r < 0)
		return r;
	s->pools = array;
	r = read_array(status, "sensors", sizeof(*s->sensors), read_sensor, &array,
		       &s->sensor_count);
	if (r < 0)
		return r;
	s->sensors = array;
	r = read_array(status, "subscribers", sizeof(*s->subscribers), read_subscriber, &array,
		       &s->subscriber_count);
	if (r < 0)
		return r;
	s->subscribers = array;
	return 0;
}

int snapshot_parse(struct json_object *reply, struct snapshot **ret_snapshot)
{
	struct json_object *status = get(reply, "status"), *transport;
	struct snapshot *s;
	int r;

	if (!json_object_is_type(status, json_type_object))
		return -EPROTO;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r = read_arrays(status, s);
	if (r < 0) {
		snapshot_free(s);
		return r;
	}
	get_text(status, "version", s->version, sizeof(s->version));
	s->pid = json_object_get_int64(get(status, "pid"));
	s->now_ns = get_count(status, "now_ns");
	s->started_ns = get_count(status, "started_ns");
	s->degraded = json_object_get_boolean(get(status, "degraded"));
	get_text(status, "status", s->status, sizeof(s->status));
	s->cpu_ns = get_count(status, "cpu_ns");
	transport = get(status, "transport");
	get_text(transport, "name", s->transport, sizeof(s->transport));
	get_text(transport, "state", s->transport_state, sizeof(s->transport_state));
	*ret_snapshot = s;
	return 0;
}

struct snapshot *snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return NULL;
	free(snapshot->subscribers);
	free(snapshot->sensors);
	free(snapshot->pools);
	free(snapshot);
	return NULL;
}

uint64_t snapshot_causes_sum(const struct snapshot_causes *causes)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < causes->count; i++)
		sum += causes->list[i].count;
	return sum;
}

uint64_t snapshot_causes_get(const struct snapshot_causes *causes, const char *name)
{
	unsigned int i;

	for (i = 0; i < causes->count; i++)
		if (strcmp(causes->list[i].name, name) == 0)
			return causes->list[i].count;
	return 0;
}

bool snapshot_sensor_adds_up(const struct snapshot_sensor *s)
{
	return s->produced == s->published + snapshot_causes_sum(&s->dropped);
}

bool snapshot_subscriber_adds_up(const struct snapshot_subscriber *s)
{
	if (s->waiting < 0 || (uint64_t)s->waiting > s->queue)
		return false;
	return s->published == s->received + snapshot_causes_sum(&s->skipped) + s->unseen +
				       s->collecting + (uint64_t)s->waiting;
}

bool snapshot_adds_up(const struct snapshot *s)
{
	size_t i;

	for (i = 0; i < s->sensor_count; i++)
		if (!s->sensors[i].accounting_ok || !snapshot_sensor_adds_up(&s->sensors[i]))
			return false;
	for (i = 0; i < s->subscriber_count; i++)
		if (!s->subscribers[i].accounting_ok ||
		    !snapshot_subscriber_adds_up(&s->subscribers[i]))
			return false;
	return true;
}

const struct snapshot_subscriber *snapshot_find_subscriber(const struct snapshot *s, uint64_t id)
{
	size_t i;

	for (i = 0; s && i < s->subscriber_count; i++)
		if (s->subscribers[i].id == id)
			return &s->subscribers[i];
	return NULL;
}

const struct snapshot_sensor *snapshot_find_sensor(const struct snapshot *s, const char *name)
{
	size_t i;

	for (i = 0; s && i < s->sensor_count; i++)
		if (strcmp(s->sensors[i].name, name) == 0)
			return &s->sensors[i];
	return NULL;
}

void snapshot_histogram_difference(const struct lidard_histogram *now,
				   const struct lidard_histogram *before,
				   struct lidard_histogram *d)
{
	unsigned int i;

	memset(d, 0, sizeof(*d));
	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++) {
		/* a subscriber that began anew counts from zero: then all of it is new */
		if (now->buckets[i] < before->buckets[i]) {
			*d = *now;
			return;
		}
		d->buckets[i] = now->buckets[i] - before->buckets[i];
		if (d->buckets[i] == 0)
			continue;
		d->max_ns = i + 1 < LIDARD_HISTOGRAM_BUCKETS ? histogram_bucket_floor_ns(i + 1) - 1 :
							       now->max_ns;
		d->count += d->buckets[i];
	}
	if (d->max_ns > now->max_ns)
		d->max_ns = now->max_ns;
	d->sum_ns = now->sum_ns - before->sum_ns;
}
