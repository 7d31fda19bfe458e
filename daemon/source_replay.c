/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_replay.c - a recorded sensor
 *
 * capture.c reads datagrams, the sensor's decoder takes them apart, and
 * frame_builder.c writes their points into loans.  What this file adds is when:
 *
 * - capture pace: each datagram at its time in the capture, divided by
 *   replay_speed.  A replay that is late catches up; like a live sensor it
 *   drops what finds no loan.
 * - readers pace: as fast as the slowest subscriber takes slices, and then
 *   nothing is lost: not for want of a loan, not in a queue.
 *
 * The only fd is a timer: armed in the past while there is work, at the next
 * datagram's time, or a little ahead where something has to be asked again,
 * since nobody says when readers come or get room.  A call of next() takes in
 * few packets, so a replay that catches up leaves the loop to others in between.
 *
 * Everything is made by start() and freed by stop(), files are read anew.
 */
#include "daemon/source.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/capture.h"
#include "daemon/config.h"
#include "decoder/decoder.h"
#include "daemon/frame_builder.h"
#include "daemon/source_side.h"

/** Records looked at in one call of next(). */
#define RECORDS_MAX 32
/** Ask again for room in the readers' queues; for readers at all. */
#define ROOM_RETRY_NS (500 * NSEC_PER_USEC)
#define READERS_RETRY_NS (10 * NSEC_PER_MSEC)
/** The slowest reader keeps so many free places: its room is only known as it was. */
#define ROOM_SPARE 1
/** Longer pauses in a capture are not waited for: a wrong time stamp would end the replay. */
#define PAUSE_MAX_NS (60 * NSEC_PER_SEC)
/** From the last datagram to the first of the next round where the capture cannot say. */
#define GAP_DEFAULT_NS NSEC_PER_MSEC
/** timerfd: 0 would disarm. */
#define AT_ONCE_NS 1

enum state {
	/** Until enough readers are connected. */
	STATE_WAITING,
	STATE_PLAYING,
	/** The file is over; filled slices may be left. */
	STATE_ENDING,
};

struct replay {
	struct source base;
	struct decoder *decoder;
	struct capture *capture;
	struct frame_builder *builder;
	/** -1 while stopped. */
	int timer_fd;
	uint64_t armed_ns;
	enum state state;

	/** Read, but not yet due. */
	struct datagram datagram;
	bool datagram_pending;
	/** The builder took in only a part of it: it waits for a loan. */
	bool stalled;

	/** When the first datagram was played, and how far from it we are in capture time. */
	uint64_t begin_ns;
	uint64_t position_ns;
	bool begun;
	/** Of this round through the file. */
	uint64_t round_datagrams;
	uint64_t round_packets;
	uint64_t round_span_ns;
	uint64_t last_time_ns;
	/** Damage in the capture, as last counted in stats.bad_packets. */
	uint64_t damaged;
};

static struct replay *replay_of(struct source *s)
{
	return (struct replay *)s;
}

static void arm(struct replay *r, uint64_t when_ns)
{
	struct itimerspec when = { .it_value = clock_to_timespec(when_ns) };

	if (when_ns == r->armed_ns)
		return;
	/* cannot fail: the fd is a timer and the time is valid */
	timerfd_settime(r->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
	r->armed_ns = when_ns;
}

/* --- life --- */

static void replay_close(struct replay *r)
{
	r->builder = frame_builder_free(r->builder);
	r->capture = capture_free(r->capture);
	if (r->decoder)
		r->decoder = r->decoder->ops->free(r->decoder);
	r->timer_fd = close_fd(r->timer_fd);
}

int source_replay_check(const struct sensor_config *config, struct problem *problem)
{
	struct decoder_sensor sensor = sensor_config_decoder(config);
	const struct decoder_ops *ops;
	int r = decoder_choose(config->decoder, &sensor, &ops, problem);

	if (r < 0)
		return r;
	if (!config->replay_file[0])
		return problem_set(problem, -EINVAL,
				   "replay_file is not set; source = replay needs a capture");
	return ops->check(&sensor, problem);
}

static int replay_open(struct replay *r, struct problem *problem)
{
	const struct sensor_config *config = r->base.config;
	const struct decoder_ops *ops;
	struct decoder_sensor sensor;
	int err;

	err = source_replay_check(config, problem);
	if (err < 0)
		return err;
	sensor = sensor_config_decoder(config);
	err = decoder_choose(config->decoder, &sensor, &ops, problem);
	if (err < 0)
		return err;
	err = ops->open(&sensor, &r->decoder, problem);
	if (err < 0)
		return err;
	err = capture_open(config->replay_file, &r->capture, problem);
	if (err < 0)
		return err;
	err = frame_builder_new(config, r->decoder, &r->base, LIDARD_SLICE_REPLAYED, &r->builder,
				problem);
	if (err < 0)
		return err;
	r->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r->timer_fd < 0)
		return problem_set(problem, -errno, "cannot make a timer: %s", strerror(errno));
	return 0;
}

static void begin_round(struct replay *r)
{
	r->round_datagrams = 0;
	r->round_packets = r->base.stats.packets;
	r->round_span_ns = 0;
}

static int replay_start(struct source *s, struct problem *problem)
{
	struct replay *r = replay_of(s);
	int err;

	assert(r->timer_fd < 0);
	err = replay_open(r, problem);
	if (err < 0) {
		replay_close(r);
		return err;
	}
	if (!s->config->replay_loop)
		frame_builder_end_with_flush(r->builder);
	source_restart_seq(s);
	snprintf(s->model, sizeof(s->model), "%s", r->decoder->geometry.model);
	snprintf(s->serial, sizeof(s->serial), "%s", r->decoder->geometry.serial);
	source_facts_learn(&s->facts, r->decoder);
	r->state = STATE_WAITING;
	r->datagram_pending = false;
	r->stalled = false;
	r->begun = false;
	r->position_ns = 0;
	r->damaged = 0;
	begin_round(r);
	r->armed_ns = 0;
	arm(r, AT_ONCE_NS);
	return 0;
}

static void replay_stop(struct source *s)
{
	struct replay *r = replay_of(s);

	if (r->timer_fd < 0)
		return;
	frame_builder_reset(r->builder);
	replay_close(r);
}

static struct source *replay_free(struct source *s)
{
	if (s) {
		replay_stop(s);
		free(replay_of(s));
	}
	return NULL;
}

static int replay_get_fd(struct source *s)
{
	return replay_of(s)->timer_fd;
}

/* --- loans --- */

static size_t replay_wants(struct source *s)
{
	return frame_builder_wants(replay_of(s)->builder);
}

static void replay_lend(struct source *s, struct loan *loan)
{
	struct replay *r = replay_of(s);

	frame_builder_lend(r->builder, loan);
	if (r->stalled)
		arm(r, AT_ONCE_NS);
}

/* --- the file --- */

/* What the capture lost of the sensor's packets shows in the sensor's counters. */
static void count_damage(struct replay *r)
{
	struct capture_stats c;
	uint64_t damaged;

	capture_get_stats(r->capture, &c);
	damaged = c.truncated_records + c.malformed_records + c.incomplete_datagrams + c.cut_ends;
	r->base.stats.bad_packets += damaged - r->damaged;
	r->damaged = damaged;
}

/* How far the capture's clock went on since the datagram before. */
static uint64_t step_ns(const struct replay *r)
{
	uint64_t step;

	if (r->datagram.time_ns <= r->last_time_ns)
		return 0;
	step = r->datagram.time_ns - r->last_time_ns;
	return step < PAUSE_MAX_NS ? step : PAUSE_MAX_NS;
}

static void accept_datagram(struct replay *r)
{
	uint64_t step = r->round_datagrams ? step_ns(r) : 0;

	r->last_time_ns = r->datagram.time_ns;
	r->position_ns += step;
	r->round_span_ns += step;
	r->round_datagrams++;
	r->datagram_pending = true;
}

static int refuse_file(struct replay *r, struct problem *problem)
{
	const struct sensor_config *config = r->base.config;

	if (r->decoder->complaint.text[0])
		return problem_set(problem, -ENODATA, "%.200s: none of its %llu UDP datagrams could be "
				   "decoded: %.250s", config->replay_file,
				   (unsigned long long)r->round_datagrams, r->decoder->complaint.text);
	return problem_set(problem, -ENODATA,
			   "%s: none of its %llu UDP datagrams is a point packet of this sensor; do "
			   "decoder = %s, model and metadata or calibration belong to this capture?",
			   config->replay_file, (unsigned long long)r->round_datagrams,
			   r->decoder->ops->name);
}

/* Between two rounds as much time passes as between two datagrams. */
static int loop(struct replay *r, struct problem *problem)
{
	uint64_t gap_ns = GAP_DEFAULT_NS;

	if (r->round_datagrams > 1 && r->round_span_ns >= r->round_datagrams)
		gap_ns = r->round_span_ns / (r->round_datagrams - 1);
	frame_builder_restart(r->builder, gap_ns);
	r->position_ns += gap_ns;
	begin_round(r);
	return capture_rewind(r->capture, problem);
}

static int end_of_file(struct replay *r, struct problem *problem)
{
	if (r->base.stats.packets == r->round_packets)
		return refuse_file(r, problem);
	if (r->base.config->replay_loop)
		return loop(r, problem);
	frame_builder_flush(r->builder);
	r->state = STATE_ENDING;
	return 0;
}

/* Read one record. */
static int read_record(struct replay *r, struct problem *problem)
{
	int result = capture_next(r->capture, &r->datagram, problem);

	if (result == CAPTURE_DATAGRAM) {
		accept_datagram(r);
		return 0;
	}
	count_damage(r);
	return result == CAPTURE_END ? end_of_file(r, problem) : result < 0 ? result : 0;
}

/* --- when --- */

static bool paced_by_readers(const struct replay *r)
{
	return r->base.config->replay_pace == REPLAY_PACE_READERS;
}

/* May a slice go out? If not, ask again later. */
static bool readers_ready(struct replay *r)
{
	const struct source_readers *readers = &r->base.readers;

	if (r->state == STATE_WAITING) {
		if (readers->connected < r->base.config->replay_subscribers) {
			arm(r, clock_now_ns() + READERS_RETRY_NS);
			return false;
		}
		r->state = STATE_PLAYING;
	}
	if (!paced_by_readers(r))
		return true;
	if (!readers->connected) {
		arm(r, clock_now_ns() + READERS_RETRY_NS);
		return false;
	}
	if (readers->room <= ROOM_SPARE) {
		arm(r, clock_now_ns() + ROOM_RETRY_NS);
		return false;
	}
	return true;
}

static bool due(struct replay *r, uint64_t now_ns)
{
	uint64_t due_ns;

	if (!r->begun) {
		r->begun = true;
		r->begin_ns = now_ns;
	}
	if (paced_by_readers(r))
		return true;
	due_ns = r->begin_ns + (uint64_t)((double)r->position_ns / r->base.config->replay_speed);
	if (now_ns >= due_ns)
		return true;
	arm(r, due_ns);
	return false;
}

/* As the capture has it, its time included. Hot path. */
static void tap(struct replay *r)
{
	const struct datagram *d = &r->datagram;
	const struct lidard_packet_record record = {
		.source_port = d->source_port,
		.destination_port = d->destination_port,
		.source_address = d->source_address,
		.destination_address = d->destination_address,
		.realtime_ns = d->time_ns,
	};

	packet_taps_add(&r->base.taps, &record, d->data, d->bytes);
}

/* Take in what is at hand. Return: false if it has to wait for a loan. */
static bool play(struct replay *r, uint64_t now_ns)
{
	const struct datagram *d = &r->datagram;

	if (r->stalled) {
		r->stalled = !frame_builder_resume(r->builder);
	} else {
		sensor_clock_arrive(&r->base.clock, d->time_ns, (int64_t)d->time_ns);
		tap(r);
		if (paced_by_readers(r))
			r->stalled = !frame_builder_push_patient(r->builder, d->data, d->bytes,
								 now_ns);
		else
			frame_builder_push(r->builder, d->data, d->bytes, now_ns);
	}
	r->datagram_pending = r->stalled;
	return !r->stalled;
}

/* One step forward. Return: 1 if there may be more to do now, 0 if not (the timer is armed), -errno. */
static int step(struct replay *r, struct problem *problem)
{
	uint64_t now_ns;
	int err;

	if (!r->datagram_pending) {
		err = read_record(r, problem);
		if (err < 0 || !r->datagram_pending)
			return err < 0 ? err : 1;
	}
	now_ns = clock_now_ns();
	if (!due(r, now_ns))
		return 0;
	if (!play(r, now_ns)) {
		/* lend() arms the timer; this is for a loan that was there all along */
		arm(r, now_ns + ROOM_RETRY_NS);
		return frame_builder_wants(r->builder) ? 0 : 1;
	}
	return 1;
}

static int replay_next(struct source *s, struct loan **ret_loan, struct problem *problem)
{
	struct replay *r = replay_of(s);
	unsigned int i;
	int result;

	if (!readers_ready(r))
		return SOURCE_NONE;
	for (i = 0; i < RECORDS_MAX; i++) {
		if (frame_builder_take(r->builder, ret_loan)) {
			arm(r, AT_ONCE_NS);
			return SOURCE_FILLED;
		}
		if (r->state == STATE_ENDING) {
			arm(r, 0);
			return SOURCE_END;
		}
		result = step(r, problem);
		if (result < 0)
			return result;
		if (result == 0)
			break;
		/* the sensor publishes it before anything else comes */
		if (s->side && source_side_has_filled(s->side)) {
			arm(r, AT_ONCE_NS);
			break;
		}
	}
	if (frame_builder_take(r->builder, ret_loan)) {
		arm(r, AT_ONCE_NS);
		return SOURCE_FILLED;
	}
	if (i == RECORDS_MAX)
		arm(r, AT_ONCE_NS);
	return SOURCE_NONE;
}

static const struct source_ops replay_ops = {
	.name = "replay",
	.start = replay_start,
	.stop = replay_stop,
	.free = replay_free,
	.get_fd = replay_get_fd,
	.wants = replay_wants,
	.lend = replay_lend,
	.next = replay_next,
};

int source_replay_new(const struct sensor_config *config, struct source **ret_source,
		      struct problem *problem)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return problem_set(problem, -ENOMEM, "out of memory");
	r->base.ops = &replay_ops;
	r->base.config = config;
	r->base.format = LIDARD_FORMAT_XYZIRT;
	r->base.has_packets = true;
	r->timer_fd = -1;
	*ret_source = &r->base;
	return 0;
}
