/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_sim.c - a virtual LIDAR, which needs no hardware and no privilege
 *
 * Life: rendering in advance (if the rate asks for it: sim_reel.h), then
 * revolution after revolution.  Time rules: firing i of revolution k is over at
 *
 *	origin + k * period + (i + 1) * period / firings
 *
 * on CLOCK_MONOTONIC, and its points are written when that time has come, as a
 * device's DMA would, not a slice at once.  They are written in steps: a
 * slice, or a part of it of at most STEP_BYTES or STEP_NS.  next() makes at
 * most one such step, so the loop never waits long for it.
 *
 * One timer, armed with the absolute time of the next step, and never read:
 * once expired its fd stays readable, and next() arms it anew only when
 * nothing is due.  So a source that is late costs no system calls.  Steps
 * shorter than TICK_NS are made together, on a grid of that width: waking up
 * costs more than copying a small slice.
 *
 * A slice wants its loan when its first step is due.  If there is none, the
 * slice is lost (SOURCE_DROP_NO_LOAN) and time goes on.  A source more than a
 * second behind skips whole revolutions (SOURCE_DROP_OVERRUN), so that the
 * loan at hand still fits the slice to come; less than that it makes up for
 * as fast as memory goes.
 *
 * Faults, for whoever tests what measures latency (sim_fill_delay_us,
 * sim_ready_delay_us): a slice is filled, or known to be, so much later.  The
 * sensor stands still meanwhile, or the next slice would be late as well and
 * show another delay than the one that was asked for.
 *
 * Loans: `lent` is that for the slice that is due, `filling` the one that is
 * written.  Both are the source's until next() hands them out or stop() forgets
 * them.  One thread: the daemon's loop.
 */
#include "daemon/source.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/crc32c.h"
#include "daemon/config.h"
#include "daemon/sim_layout.h"
#include "daemon/sim_reel.h"
#include "daemon/sim_renderer.h"
#include "lidard/probes.h"

#define STEP_BYTES (256u * 1024u)
#define STEP_NS    (2 * NSEC_PER_MSEC)
/**
 * Asking for the thread's CPU time is a system call, twice a step: as dear as
 * copying 4 KiB.  Of steps smaller than this, one in so many stands for all.
 */
#define CPU_SMALL_STEP_BYTES (64u * 1024u)
#define CPU_SMALL_STEPS      16u
#define TICK_NS              (100 * NSEC_PER_USEC)
/** Rendering in advance takes so much of each next(). */
#define WIND_NS       (2 * NSEC_PER_MSEC)
#define BEHIND_MAX_NS NSEC_PER_SEC

enum slice_state {
	/** The next slice has not begun. */
	SLICE_NONE,
	SLICE_FILLING,
	/** Found no loan: its time passes, nothing is written. */
	SLICE_LOST,
	/** All its points are there; it is filled at resume_ns. */
	SLICE_WRITTEN,
	/** It is handed out at resume_ns. */
	SLICE_FILLED,
};

struct source_sim {
	struct source base;
	struct sim_layout layout;
	struct sim_renderer *renderer;
	/** NULL: rendered as it is sent. */
	struct sim_reel *reel;
	int timer_fd;

	/** Begin of revolution 0; 0: not yet. */
	uint64_t origin_ns;
	uint64_t frame;
	uint32_t slice;
	/** The next firing of the frame to be written. */
	uint32_t firing;
	/** Most firings of a step. */
	uint32_t step_firings;
	/** A step takes less than TICK_NS. */
	bool short_steps;
	/** Small steps until one is measured again. */
	uint32_t unmeasured_steps;

	enum slice_state state;
	/** End of a pause, in SLICE_WRITTEN and SLICE_FILLED. */
	uint64_t resume_ns;
	struct loan *filling;
	/** Of the points written so far, where they are rendered live. */
	uint32_t crc;
	struct loan *lent;
};

static struct source_sim *to_sim(struct source *s)
{
	return (struct source_sim *)s;
}

/* Time */

static uint64_t frame_ns(const struct source_sim *sim)
{
	return sim->origin_ns + (uint64_t)((double)sim->frame * sim->layout.period_ns);
}

/* When all firings of the frame before @firing are over. */
static uint64_t due_ns(const struct source_sim *sim, uint32_t firing)
{
	return frame_ns(sim) + (uint64_t)(sim->layout.period_ns * firing / sim->layout.firings);
}

static void arm(struct source_sim *sim, uint64_t at_ns)
{
	struct itimerspec at = {.it_value = clock_to_timespec(at_ns)};

	/* cannot fail: the fd is a timer, and the time a valid one */
	timerfd_settime(sim->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* Behind by more than can be made up for: leave out whole revolutions. */
static void skip_frames(struct source_sim *sim, uint64_t now_ns)
{
	uint64_t due = due_ns(sim, sim->firing), frames;

	if (sim->state != SLICE_NONE || now_ns < due + BEHIND_MAX_NS)
		return;
	frames = (uint64_t)((double)(now_ns - due) / sim->layout.period_ns);
	source_drop(&sim->base, SOURCE_DROP_OVERRUN, frames * sim->layout.slice_count);
	sim->frame += frames;
}

/* Slices */

static void begin_slice(struct source_sim *sim, uint64_t now_ns)
{
	struct loan *loan = STEAL(sim->lent);

	if (!loan) {
		source_drop(&sim->base, SOURCE_DROP_NO_LOAN, 1);
		sim->state = SLICE_LOST;
		return;
	}
	assert(loan->capacity_bytes >= sim_layout_slice_bytes(&sim->layout, sim->slice));
	loan->header->first_byte_ns = now_ns;
	sim->filling = loan;
	sim->crc = 0;
	sim->state = SLICE_FILLING;
}

/* Write firings up to @end. Hot path. */
static void write_points(struct source_sim *sim, uint32_t end)
{
	const struct sim_layout *l = &sim->layout;
	uint32_t begin = sim_layout_slice_begin(l, sim->slice);
	size_t bytes = (size_t)(end - sim->firing) * l->firing_bytes;
	uint8_t *to =
		(uint8_t *)sim->filling->data + (size_t)(sim->firing - begin) * l->firing_bytes;

	if (sim->reel) {
		memcpy(to, sim_reel_points(sim->reel, sim->frame, sim->firing), bytes);
		return;
	}
	sim_renderer_draw(sim->renderer, sim->frame, sim->firing, end - sim->firing,
			  begin / l->beams, (struct lidard_point_xyzirt *)(void *)to);
	if (sim->base.config->crc)
		sim->crc = crc32c(sim->crc, to, bytes);
}

/* As write_points(), and count the CPU time. Hot path. */
static void write_measured(struct source_sim *sim, uint32_t end)
{
	bool small = (end - sim->firing) * sim->layout.firing_bytes < CPU_SMALL_STEP_BYTES;
	uint64_t before_ns, begin_ns, ask_ns, took_ns;

	if (small && sim->unmeasured_steps > 0) {
		sim->unmeasured_steps--;
		write_points(sim, end);
		return;
	}
	/* what asking itself takes is not the step's */
	before_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	begin_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	ask_ns = begin_ns - before_ns;
	write_points(sim, end);
	took_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
	took_ns -= took_ns > ask_ns ? ask_ns : took_ns;
	sim->base.stats.fill_cpu_ns += took_ns * (small ? CPU_SMALL_STEPS : 1);
	if (small)
		sim->unmeasured_steps = CPU_SMALL_STEPS - 1;
}

static void describe_slice(struct source_sim *sim, struct lidard_slice_header *h)
{
	const struct sim_layout *l = &sim->layout;
	uint32_t begin = sim_layout_slice_begin(l, sim->slice);
	uint32_t end = sim_layout_slice_end(l, sim->slice);
	uint32_t last_column = (end - 1) / l->beams;

	h->header_bytes = sizeof(*h);
	h->flags = LIDARD_SLICE_SYNTHETIC | LIDARD_SLICE_FIRST_BYTE_VALID |
		   LIDARD_SLICE_SENSOR_TIME_VALID;
	if (sim->slice + 1 == l->slice_count)
		h->flags |= LIDARD_SLICE_LAST;
	h->frame_id = sim->frame;
	h->slice_index = sim->slice;
	h->slice_count = l->slice_count;
	h->payload_bytes = (uint64_t)(end - begin) * l->firing_bytes;
	h->point_count = (end - begin) * l->returns;
	h->point_step = sizeof(struct lidard_point_xyzirt);
	h->format = LIDARD_FORMAT_XYZIRT;
	h->first_column = begin / l->beams;
	h->column_count = last_column - h->first_column + 1;
	h->sensor_clock = LIDARD_CLOCK_MONOTONIC;
	h->sensor_time_ns = frame_ns(sim) + sim_layout_column_ns(l, h->first_column);
	h->sensor_end_time_ns = frame_ns(sim) + sim_layout_column_ns(l, last_column);
	if (sim->base.config->crc) {
		h->flags |= LIDARD_SLICE_CRC_VALID;
		h->crc32c = sim->reel ? sim_reel_crc(sim->reel, sim->frame, sim->slice) : sim->crc;
	}
	source_number(&sim->base, h);
	LIDARD_PROBE2(filled, sim->base.config->name, h);
}

static void end_slice(struct source_sim *sim)
{
	sim->state = SLICE_NONE;
	if (++sim->slice == sim->layout.slice_count) {
		sim->slice = 0;
		sim->firing = 0;
		sim->frame++;
		sim->base.stats.frames++;
	}
}

/* A fault that is asked for: nothing happens for so long. Return: is it asked for? */
static bool pause_for(struct source_sim *sim, uint32_t delay_us)
{
	if (delay_us == 0)
		return false;
	sim->resume_ns = clock_now_ns() + delay_us * NSEC_PER_USEC;
	arm(sim, sim->resume_ns);
	return true;
}

/* A slice whose points are all there. Return: as next(). Hot path. */
static int hand_out(struct source_sim *sim, struct loan **ret_loan)
{
	const struct sensor_config *config = sim->base.config;

	if (sim->state == SLICE_FILLING) {
		sim->state = SLICE_WRITTEN;
		if (pause_for(sim, config->sim_fill_delay_us))
			return SOURCE_NONE;
	}
	if (sim->state == SLICE_WRITTEN) {
		sim->filling->header->filled_ns = clock_now_ns();
		sim->state = SLICE_FILLED;
		if (pause_for(sim, config->sim_ready_delay_us))
			return SOURCE_NONE;
	}
	describe_slice(sim, sim->filling->header);
	*ret_loan = STEAL(sim->filling);
	end_slice(sim);
	/* it stood still */
	sim->origin_ns += (config->sim_fill_delay_us + config->sim_ready_delay_us) * NSEC_PER_USEC;
	return SOURCE_FILLED;
}

static uint32_t step_end(const struct source_sim *sim)
{
	uint32_t end = sim_layout_slice_end(&sim->layout, sim->slice);

	return end - sim->firing > sim->step_firings ? sim->firing + sim->step_firings : end;
}

/* Ops */

static int sim_start(struct source *s, struct problem *problem)
{
	struct source_sim *sim = to_sim(s);

	assert(sim->timer_fd < 0);
	sim->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (sim->timer_fd < 0)
		return problem_set(problem, -errno, "no timer: %s",
				   strerror(errno));
	source_restart_seq(s);
	sim->origin_ns = 0;
	sim->frame = 0;
	sim->slice = 0;
	sim->firing = 0;
	/* long past: readable at once, so that next() is called */
	arm(sim, 1);
	return 0;
}

static void sim_stop(struct source *s)
{
	struct source_sim *sim = to_sim(s);

	if (sim->timer_fd < 0)
		return;
	if (sim->filling)
		source_drop(s, SOURCE_DROP_STOPPED, 1);
	sim->state = SLICE_NONE;
	sim->filling = NULL;
	sim->lent = NULL;
	sim->timer_fd = close_fd(sim->timer_fd);
}

static struct source *sim_free(struct source *s)
{
	struct source_sim *sim = to_sim(s);

	if (!s)
		return NULL;
	sim_stop(s);
	sim_reel_free(sim->reel);
	sim_renderer_free(sim->renderer);
	free(sim);
	return NULL;
}

static int sim_get_fd(struct source *s)
{
	return to_sim(s)->timer_fd;
}

/* hot path */
static size_t sim_wants(struct source *s)
{
	struct source_sim *sim = to_sim(s);

	if (sim->lent || sim->state != SLICE_NONE || sim->origin_ns == 0 ||
	    clock_now_ns() < due_ns(sim, step_end(sim)))
		return 0;
	return sim_layout_slice_bytes(&sim->layout, sim->slice);
}

static void sim_lend(struct source *s, struct loan *loan)
{
	to_sim(s)->lent = loan;
}

/* Make one step if one is due. Return: as next(). Hot path. */
static int make_step(struct source_sim *sim, uint64_t now_ns, struct loan **ret_loan)
{
	bool wrote = false;

	if (sim->state == SLICE_WRITTEN || sim->state == SLICE_FILLED)
		return now_ns < sim->resume_ns ? SOURCE_NONE : hand_out(sim, ret_loan);
	/* the steps of a lost slice cost nothing, so all that are due pass at once */
	for (;;) {
		uint32_t end = step_end(sim);
		uint64_t at_ns = due_ns(sim, end);

		if (now_ns < at_ns) {
			if (sim->short_steps)
				at_ns += TICK_NS - 1 - (at_ns - 1) % TICK_NS;
			arm(sim, at_ns);
			return SOURCE_NONE;
		}
		if (wrote)
			return SOURCE_NONE;
		if (sim->state == SLICE_NONE)
			begin_slice(sim, now_ns);
		if (sim->state == SLICE_FILLING) {
			write_measured(sim, end);
			wrote = true;
		}
		sim->firing = end;
		if (end < sim_layout_slice_end(&sim->layout, sim->slice))
			continue;
		if (sim->state == SLICE_FILLING)
			return hand_out(sim, ret_loan);
		/* the next one's loan is to be asked for before it begins */
		end_slice(sim);
		return SOURCE_NONE;
	}
}

/* Return: true once there is nothing (more) to render in advance. */
static bool wind(struct source_sim *sim)
{
	uint64_t cpu_ns;
	bool done;

	if (!sim->reel)
		return true;
	cpu_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	done = sim_reel_wind(sim->reel, WIND_NS);
	sim->base.stats.fill_cpu_ns += clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	return done;
}

static int sim_next(struct source *s, struct loan **ret_loan, struct problem *problem)
{
	struct source_sim *sim = to_sim(s);
	uint64_t now_ns;

	/* no revolution has begun yet; the fd stays readable until one has */
	if (sim->origin_ns == 0 && !wind(sim))
		return SOURCE_NONE;
	now_ns = clock_now_ns();
	if (sim->origin_ns == 0)
		sim->origin_ns = now_ns;
	skip_frames(sim, now_ns);
	return make_step(sim, now_ns, ret_loan);
}

static const struct source_ops sim_ops = {
	.name = "sim",
	.fills_in_parts = true,
	.start = sim_start,
	.stop = sim_stop,
	.free = sim_free,
	.get_fd = sim_get_fd,
	.wants = sim_wants,
	.lend = sim_lend,
	.next = sim_next,
};

/* How long the points of a step, or of a slice shorter than it, take to be fired. */
static double step_ns(const struct source_sim *sim)
{
	const struct sim_layout *l = &sim->layout;
	uint32_t firings =
		sim->step_firings < l->slice_firings ? sim->step_firings : l->slice_firings;

	return l->period_ns * firings / l->firings;
}

/* A step is a part of a slice: so many bytes, so much time, whole columns if it holds one. */
static uint32_t most_step_firings(const struct sim_layout *l)
{
	double by_time = (double)STEP_NS * l->firings / l->period_ns;
	uint32_t firings = STEP_BYTES / l->firing_bytes;

	if (by_time < firings)
		firings = by_time < 1 ? 1 : (uint32_t)by_time;
	return firings > l->beams ? firings - firings % l->beams : firings;
}

int source_sim_new(const struct sensor_config *config, struct source **ret_source,
		   struct problem *problem)
{
	struct source_sim *sim = calloc(1, sizeof(*sim));
	int r = -ENOMEM;

	if (!sim)
		return problem_set(problem, r, "out of memory");
	sim->base.ops = &sim_ops;
	sim->base.config = config;
	sim->base.format = LIDARD_FORMAT_XYZIRT;
	sim->timer_fd = -1;
	snprintf(sim->base.model, sizeof(sim->base.model), "lidard simulator");
	snprintf(sim->base.serial, sizeof(sim->base.serial), "sim-%" PRIu64, config->sim_seed);

	r = sim_layout_init(&sim->layout, config, problem);
	if (r < 0)
		goto fail;
	sim->base.facts = (struct source_facts){
		.vendor = "lidard",
		.firmware = LIDARD_VERSION,
		.beams = config->sim_beams,
		.columns = config->sim_columns,
		.rate_hz = (double)NSEC_PER_SEC / sim->layout.period_ns,
	};
	sim->step_firings = most_step_firings(&sim->layout);
	sim->short_steps = step_ns(sim) < (double)TICK_NS;
	sim->renderer = sim_renderer_new(&sim->layout, config->sim_seed, config->sim_noise_mm);
	if (sim->renderer && sim->layout.reel_revolutions)
		sim->reel = sim_reel_new(&sim->layout, sim->renderer, config->crc);
	if (!sim->renderer || (sim->layout.reel_revolutions && !sim->reel)) {
		r = problem_set(problem, -ENOMEM,
				"no memory to render %" PRIu32 " revolutions of %" PRIu64
				" bytes", sim->layout.reel_revolutions,
				sim->layout.frame_bytes);
		goto fail;
	}
	*ret_source = &sim->base;
	return 0;
fail:
	sim_free(&sim->base);
	return r;
}
