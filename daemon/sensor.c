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
#include "daemon/source_side.h"
#include "daemon/subscription.h"
#include "lidard/probes.h"

#define BACKOFF_FIRST_NS (100 * NSEC_PER_MSEC)
#define BACKOFF_LAST_NS (5 * NSEC_PER_SEC)

/* Between two questions for loans, and for how long it may lack them before it is told. */
#define SUPPLY_PERIOD_NS (10 * NSEC_PER_MSEC)
#define STARVED_NS NSEC_PER_SEC

/*
 * The thread's CPU clock is a system call, as dear as waking a reader: it is
 * read once for so many bytes, and of small slices for each 64th.
 */
#define MEASURE_BYTES (256u << 20)
#define MEASURE_STRIDE_MAX 64u

/* Slices published before the loop looks at its other sources again. */
#define SENSOR_BATCH 64

static void sensor_start(struct sensor *s);

static void sensor_run_supply_timer(struct sensor *s, bool run)
{
	uint64_t period_ns = run ? SUPPLY_PERIOD_NS : 0;

	if (s->supply_timer_runs == run)
		return;
	loop_timer_set(&s->supply_timer, period_ns, period_ns);
	s->supply_timer_runs = run;
}

static void sensor_stop(struct sensor *s)
{
	loop_remove(s->loop, &s->source_watch);
	s->source->ops->stop(s->source);
	/* memory that is lost is better than memory that is somebody else's and changes */
	if (!s->source->runaway)
		s->sink->ops->cancel(s->sink);
	s->starved_since_ns = 0;
	s->silent = false;
	sensor_run_supply_timer(s, false);
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

/* There are no loans. While there are slices they ask again, but there may be no more. */
static void sensor_starve(struct sensor *s)
{
	if (!s->starved_since_ns)
		s->starved_since_ns = clock_now_ns();
	sensor_run_supply_timer(s, true);
}

/* Give the source as many loans as it wants, as far as there are any. Hot path. */
static void sensor_supply(struct sensor *s)
{
	struct loan *loan;
	size_t bytes;

	while ((bytes = s->source->ops->wants(s->source)) > 0) {
		loan = s->sink->ops->loan(s->sink, bytes);
		if (!loan) {
			LIDARD_PROBE3(loan_exhausted, s->config.name, bytes, s->sink->lent);
			sensor_starve(s);
			return;
		}
		s->source->ops->lend(s->source, loan);
		LIDARD_PROBE3(lend, s->config.name, bytes, s->sink->lent);
		s->starved_since_ns = 0;
	}
}

static int sensor_supply_again(struct loop_timer *timer)
{
	struct sensor *s = container_of(timer, struct sensor, supply_timer);

	sensor_supply(s);
	if (!s->starved_since_ns)
		sensor_run_supply_timer(s, false);
	return 0;
}

/* Only a replay looks at its readers: it may wait for them, a sensor cannot. */
static void sensor_look_at_readers(struct sensor *s)
{
	struct source_readers *readers = &s->source->readers, at_side;

	if (s->config.source != SOURCE_KIND_REPLAY)
		return;
	subscriptions_get_readers(s, readers);
	if (!s->side)
		return;
	subscriptions_get_readers(s->side, &at_side);
	readers->connected += at_side.connected;
	if (at_side.room < readers->room)
		readers->room = at_side.room;
}

/* A slice that is measured stands for all since the last that was. */
static bool is_measured(const struct sensor *s)
{
	return s->unmeasured_slices == s->measure_stride;
}

/* Stamp and publish, and count the CPU time if the slice is measured. Hot path. */
static void hand_over(struct sensor *s, struct loan *loan)
{
	bool measured = is_measured(s);
	uint64_t begin_cpu_ns = measured ? clock_read_ns(CLOCK_THREAD_CPUTIME_ID) : 0;

	loan->header->published_ns = clock_now_ns();
	s->sink->ops->publish(s->sink, loan);
	if (measured)
		s->transport_cpu_ns += (clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - begin_cpu_ns) *
				       s->unmeasured_slices;
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
	hand_over(s, loan);
	/* readers may be done with it, but its memory stays until it is lent again, by this thread */
	LIDARD_PROBE2(publish, s->config.name, h);
}

static void sensor_finish(struct sensor *s)
{
	sensor_stop(s);
	packet_taps_end(&s->source->taps, LIDARD_PACKETS_END_OF_STREAM);
	s->state = SENSOR_FINISHED;
	if (s->side)
		source_side_end(s->side->source);
	log_msg(LOG_INFO, s->config.name, 0, "the source has come to its end");
}

static uint32_t get_measure_stride(uint64_t slice_bytes)
{
	uint64_t stride = MEASURE_BYTES / slice_bytes;

	return stride < 1 ? 1 : stride > MEASURE_STRIDE_MAX ? MEASURE_STRIDE_MAX : (uint32_t)stride;
}

/* The first slice of this incarnation is there. */
static void sensor_begin(struct sensor *s)
{
	s->state = SENSOR_STREAMING;
	s->backoff_ns = BACKOFF_FIRST_NS;
	if (s->problem.text[0])
		log_msg(LOG_INFO, s->config.name, 0, "streams now (was: %s)", s->problem.text);
	s->problem.text[0] = '\0';
}

/* hot path */
static void sensor_take(struct sensor *s, struct loan *loan)
{
	loan->header->ready_ns = clock_now_ns();
	LIDARD_PROBE2(ready, s->config.name, loan->header);
	if (s->state == SENSOR_STARTING)
		sensor_begin(s);
	sensor_publish(s, loan);
	sensor_supply(s);
}

/* hot path */
static void sensor_take_measured(struct sensor *s, struct loan *loan)
{
	uint64_t begin_cpu_ns;

	s->unmeasured_slices++;
	if (!is_measured(s)) {
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

static void sensor_tell_notice(struct sensor *s)
{
	if (s->source->notice.text[0])
		log_msg(LOG_WARNING, s->config.name, 0, "%s", s->source->notice.text);
	s->source->notice.text[0] = '\0';
}

/* Told once when it begins, and once when it ends. */
static void sensor_note_silence(struct sensor *s)
{
	if (s->source->silent == s->silent)
		return;
	s->silent = s->source->silent;
	if (s->silent) {
		s->problem = s->source->silence;
		log_msg(LOG_WARNING, s->config.name, 0, "silent: %s", s->problem.text);
	} else if (s->problem.text[0]) {
		log_msg(LOG_INFO, s->config.name, 0, "packets come again (was: %s)",
			s->problem.text);
		s->problem.text[0] = '\0';
	}
}

static int sensor_source_ready(struct loop_watch *watch, uint32_t events);

/* At once, though its fd would tell: what comes in between may be more than its loans hold. Hot path. */
static void sensor_serve_side(struct sensor *s)
{
	if (s->side && source_side_has_filled(s->side->source))
		sensor_source_ready(&s->side->source_watch, EPOLLIN);
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
		sensor_serve_side(s);
		if (r != SOURCE_FILLED)
			break;
		sensor_take_measured(s, loan);
	}
	if (s->source->notice.text[0])
		sensor_tell_notice(s);
	if (r < 0)
		sensor_fail(s, r);
	else if (r == SOURCE_END)
		sensor_finish(s);
	else if (r == SOURCE_NONE && i == 0 && s->source->ops->fills_in_parts)
		sensor_charge_source(s, fill_before_ns);
	sensor_note_silence(s);
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
	sensor_tell_notice(s);
	sensor_supply(s);
}

static void cleanup_sensor(struct sensor **s)
{
	*s = sensor_free(*s);
}

int sensor_new(struct loop *loop, const struct sensor_config *config, struct udp_ports *ports,
	       struct sensor **ret_sensor, struct problem *problem)
{
	CLEANUP(cleanup_sensor) struct sensor *s = NULL;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return problem_set(problem, -ENOMEM, "out of memory");
	s->loop = loop;
	s->config = *config;
	s->source_watch.fd = -1;
	s->retry_timer.watch.fd = -1;
	s->supply_timer.watch.fd = -1;
	s->backoff_ns = BACKOFF_FIRST_NS;
	r = loop_timer_init(loop, &s->retry_timer, sensor_retry);
	if (r == 0)
		r = loop_timer_init(loop, &s->supply_timer, sensor_supply_again);
	if (r < 0)
		return problem_set(problem, r, "cannot make a timer");
	r = source_new(&s->config, &s->source, problem);
	if (r < 0)
		return r;
	s->source->ports = ports;
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

void sensor_connect(struct sensor *main, struct sensor *side)
{
	main->side = side;
	side->main = main;
	source_side_connect(side->source, main->source);
}

static void sensor_disconnect(struct sensor *s)
{
	if (s->main) {
		s->main->side = NULL;
		s->main->source->side = NULL;
	}
	if (s->side)
		s->side->main = NULL;
}

struct sensor *sensor_free(struct sensor *s)
{
	bool runaway;

	if (!s)
		return NULL;
	assert(LIST_EMPTY(&s->subscriptions));
	sensor_disconnect(s);
	if (s->source && s->sink)
		sensor_stop(s);
	/* as in sensor_stop(): the sink keeps its loans for ever */
	runaway = s->source && s->source->runaway;
	if (s->source) {
		packet_taps_end(&s->source->taps, LIDARD_PACKETS_SENSOR_GONE);
		s->source->ops->free(s->source);
	}
	if (s->sink && !runaway)
		s->sink->ops->free(s->sink);
	loop_timer_deinit(s->loop, &s->retry_timer);
	loop_timer_deinit(s->loop, &s->supply_timer);
	free(s);
	return NULL;
}

static bool sensor_is_waiting(const struct sensor *s)
{
	if (s->main)
		return s->state == SENSOR_STARTING && sensor_is_waiting(s->main);
	return s->state == SENSOR_STARTING && s->config.source == SOURCE_KIND_REPLAY &&
	       s->source->readers.connected < s->config.replay_subscribers;
}

static bool sensor_is_starved(const struct sensor *s)
{
	return s->starved_since_ns && clock_now_ns() - s->starved_since_ns > STARVED_NS;
}

const char *sensor_get_state_name(const struct sensor *s)
{
	static const char *const names[] = {
		[SENSOR_STOPPED] = "stopped",	  [SENSOR_STARTING] = "starting",
		[SENSOR_STREAMING] = "streaming", [SENSOR_BACKOFF] = "backoff",
		[SENSOR_FINISHED] = "finished",
	};

	if (sensor_is_waiting(s))
		return "waiting";
	if (s->silent)
		return "silent";
	return sensor_is_starved(s) ? "starved" : names[s->state];
}

bool sensor_is_degraded(const struct sensor *s)
{
	return s->state == SENSOR_BACKOFF || s->silent || sensor_is_starved(s) ||
	       (s->state == SENSOR_STARTING && !sensor_is_waiting(s));
}

bool sensor_check_account(const struct sensor *s)
{
	uint64_t dropped = 0;
	int i;

	for (i = 0; i < SOURCE_DROP_COUNT; i++)
		dropped += s->source->stats.dropped[i];
	return s->source->stats.produced == s->published + dropped;
}
