/* SPDX-License-Identifier: Apache-2.0 */
/* sensor.c - see sensor.h */
#include "daemon/sensor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/log.h"
#include "daemon/sink_iox.h"
#include "daemon/subscription.h"

#define BACKOFF_FIRST_NS (100 * NSEC_PER_MSEC)
#define BACKOFF_LAST_NS (5 * NSEC_PER_SEC)

/*
 * The thread's CPU clock is a system call, as dear as waking a reader: it is
 * read once for so many bytes, and of small slices for each 64th.
 */
#define MEASURE_BYTES (16u << 20)
#define MEASURE_STRIDE_MAX 64u

/* Slices published before the loop looks at its other sources again. */
#define SENSOR_BATCH 64

static void sensor_start(struct sensor *s);

static void sensor_stop(struct sensor *s)
{
	loop_remove(s->loop, &s->source_watch);
	s->source->ops->stop(s->source);
	s->sink->ops->cancel(s->sink);
}

static void sensor_fail(struct sensor *s, int error)
{
	sensor_stop(s);
	s->state = SENSOR_BACKOFF;
	log_msg(LOG_ERR, s->config.name, 0, "%s; retrying in %llu ms", s->problem.text,
		(unsigned long long)(s->backoff_ns / NSEC_PER_MSEC));
	loop_timer_set(&s->retry_timer, s->backoff_ns, 0);
	s->backoff_ns *= 2;
	if (s->backoff_ns > BACKOFF_LAST_NS)
		s->backoff_ns = BACKOFF_LAST_NS;
}

static int sensor_retry(struct loop_timer *timer)
{
	struct sensor *s = container_of(timer, struct sensor, retry_timer);

	s->restarts++;
	sensor_start(s);
	return 0;
}

/* Give the source as many loans as it wants, as far as there are any. Hot path. */
static void sensor_supply(struct sensor *s)
{
	struct loan *loan;
	size_t bytes;

	while ((bytes = s->source->ops->wants(s->source)) > 0) {
		loan = s->sink->ops->loan(s->sink, bytes);
		if (!loan)
			return;
		s->source->ops->lend(s->source, loan);
	}
}

/* Only a replay looks at its readers: it may wait for them, a sensor cannot. */
static void sensor_look_at_readers(struct sensor *s)
{
	if (s->config.source == SOURCE_KIND_REPLAY)
		subscriptions_get_readers(s, &s->source->readers);
}

/* hot path */
static void sensor_publish(struct sensor *s, struct loan *loan)
{
	struct lidard_slice_header *h = loan->header;

	assert(h->payload_bytes <= loan->capacity_bytes);
	h->header_bytes = sizeof(*h);
	h->incarnation = s->incarnation;
	h->publish_index = s->next_publish_index++;
	s->published++;
	s->published_bytes += h->payload_bytes;
	h->published_ns = clock_now_ns();
	s->sink->ops->publish(s->sink, loan);
}

static void sensor_finish(struct sensor *s)
{
	sensor_stop(s);
	s->state = SENSOR_FINISHED;
	log_msg(LOG_INFO, s->config.name, 0, "the source has come to its end");
}

static uint32_t get_measure_stride(uint64_t slice_bytes)
{
	uint64_t stride = MEASURE_BYTES / slice_bytes;

	return stride < 1 ? 1 : stride > MEASURE_STRIDE_MAX ? MEASURE_STRIDE_MAX : (uint32_t)stride;
}

/* hot path */
static void sensor_take(struct sensor *s, struct loan *loan)
{
	loan->header->ready_ns = clock_now_ns();
	if (s->state == SENSOR_STARTING) {
		s->state = SENSOR_STREAMING;
		s->backoff_ns = BACKOFF_FIRST_NS;
		s->problem.text[0] = '\0';
	}
	sensor_publish(s, loan);
	sensor_supply(s);
}

/* hot path */
static void sensor_take_measured(struct sensor *s, struct loan *loan)
{
	uint64_t begin_cpu_ns;

	if (++s->unmeasured_slices < s->measure_stride) {
		sensor_take(s, loan);
		return;
	}
	begin_cpu_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	sensor_take(s, loan);
	s->publish_cpu_ns += (clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - begin_cpu_ns) *
			     s->unmeasured_slices;
	s->unmeasured_slices = 0;
}

/*
 * Woken only to write a part of a slice: all of it is the source's doing, what
 * a device's DMA would do by itself.
 */
static void sensor_charge_source(struct sensor *s, uint64_t fill_before_ns)
{
	s->source->stats.fill_cpu_ns = fill_before_ns + clock_read_ns(CLOCK_THREAD_CPUTIME_ID) -
				       s->loop->callback_end_cpu_ns;
}

/* hot path */
static int sensor_source_ready(struct loop_watch *watch, uint32_t events)
{
	struct sensor *s = container_of(watch, struct sensor, source_watch);
	uint64_t fill_before_ns = s->source->stats.fill_cpu_ns;
	struct loan *loan = NULL;
	int i, r;

	sensor_supply(s);
	for (i = 0; i < SENSOR_BATCH; i++) {
		sensor_look_at_readers(s);
		r = s->source->ops->next(s->source, &loan, &s->problem);
		if (r != SOURCE_FILLED)
			break;
		sensor_take_measured(s, loan);
	}
	if (r < 0)
		sensor_fail(s, r);
	else if (r == SOURCE_END)
		sensor_finish(s);
	else if (r == SOURCE_NONE && i == 0 && s->source->ops->fills_in_parts)
		sensor_charge_source(s, fill_before_ns);
	return 0;
}

/* It stays where it is as long as the sink; where the sink cannot tell now, the next start asks. */
static void sensor_find_memory(struct sensor *s)
{
	if (s->config.source == SOURCE_KIND_DEVICE && s->source->memory.count == 0)
		s->sink->ops->get_memory(s->sink, s->config.slice_bytes, &s->source->memory);
}

static void sensor_start(struct sensor *s)
{
	uint64_t now_ns = clock_now_ns();
	int r;

	s->incarnation = now_ns > s->incarnation ? now_ns : s->incarnation + 1;
	s->next_publish_index = 0;
	s->state = SENSOR_STARTING;
	sensor_find_memory(s);
	r = s->source->ops->start(s->source, &s->problem);
	if (r == 0)
		r = loop_add(s->loop, &s->source_watch, s->source->ops->get_fd(s->source),
			     EPOLLIN | EPOLLPRI, sensor_source_ready);
	if (r < 0) {
		sensor_fail(s, r);
		return;
	}
	if (s->source->notice.text[0])
		log_msg(LOG_WARNING, s->config.name, 0, "%s", s->source->notice.text);
	sensor_supply(s);
}

static void cleanup_sensor(struct sensor **s)
{
	*s = sensor_free(*s);
}

int sensor_new(struct loop *loop, const struct sensor_config *config, struct sensor **ret_sensor,
	       struct problem *problem)
{
	CLEANUP(cleanup_sensor) struct sensor *s = NULL;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return problem_set(problem, -ENOMEM, "sensor %s: out of memory", config->name);
	s->loop = loop;
	s->config = *config;
	s->source_watch.fd = -1;
	s->retry_timer.watch.fd = -1;
	s->backoff_ns = BACKOFF_FIRST_NS;
	r = loop_timer_init(loop, &s->retry_timer, sensor_retry);
	if (r < 0)
		return problem_set(problem, r, "sensor %s: cannot make a timer", config->name);
	r = source_new(&s->config, &s->source, problem);
	if (r < 0)
		return r;
	if (s->source->ops->fills_in_parts)
		loop->keeps_cpu_time = true;
	s->measure_stride = get_measure_stride(s->config.slice_bytes);
	r = sink_iox_new(&s->config, &s->sink, problem);
	if (r < 0)
		return r;
	sensor_start(s);
	*ret_sensor = STEAL(s);
	return 0;
}

struct sensor *sensor_free(struct sensor *s)
{
	if (!s)
		return NULL;
	assert(LIST_EMPTY(&s->subscriptions));
	if (s->source && s->sink)
		sensor_stop(s);
	if (s->source)
		s->source->ops->free(s->source);
	if (s->sink)
		s->sink->ops->free(s->sink);
	loop_timer_deinit(s->loop, &s->retry_timer);
	free(s);
	return NULL;
}

static bool sensor_is_waiting(const struct sensor *s)
{
	return s->state == SENSOR_STARTING && s->config.source == SOURCE_KIND_REPLAY &&
	       s->source->readers.connected < s->config.replay_subscribers;
}

const char *sensor_get_state_name(const struct sensor *s)
{
	static const char *const names[] = {
		[SENSOR_STOPPED] = "stopped",	  [SENSOR_STARTING] = "starting",
		[SENSOR_STREAMING] = "streaming", [SENSOR_BACKOFF] = "backoff",
		[SENSOR_FINISHED] = "finished",
	};

	return sensor_is_waiting(s) ? "waiting" : names[s->state];
}

bool sensor_is_degraded(const struct sensor *s)
{
	return s->state == SENSOR_BACKOFF || (s->state == SENSOR_STARTING && !sensor_is_waiting(s));
}

bool sensor_check_account(const struct sensor *s)
{
	uint64_t dropped = 0;
	int i;

	for (i = 0; i < SOURCE_DROP_COUNT; i++)
		dropped += s->source->stats.dropped[i];
	return s->source->stats.produced == s->published + dropped;
}
