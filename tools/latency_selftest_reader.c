/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency_selftest_reader.c - delays of a reader: before it takes slices, and while it has them
 *
 * Slice by slice: what our page and BPF say of exactly those that were delayed,
 * held against what our own clock says.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/latency_selftest.h"
#include "tools/stop.h"

#define ROUNDS 20
/* Who is woken so late was not delayed by us alone: half of what may be wrong. */
#define LATE_PART 40
#define TRIES (20 * ROUNDS)

struct reader {
	struct selftest *test;
	const char *sensor;
	struct lidard_subscription *subscription;
};

/** Sums over all stages, by the page or by BPF, of this subscription alone. */
struct sums {
	uint64_t ns[LIDARD_TRACE_STAGES];
};

/** One slice. */
struct round {
	uint64_t woken_ns;
	uint64_t woken_cpu_ns;
	/* published -> awake */
	uint64_t late_ns;
	/* awake -> taken, and how long of it there was a CPU */
	uint64_t before_take_ns;
	uint64_t on_cpu_ns;
	/* taken -> released */
	uint64_t held_ns;
};

/** Where to delay, and what came of it. */
struct trial {
	const char *name;
	bool before_take;
	bool before_release;
	/* as in a round, all of them together */
	uint64_t before_take_ns;
	uint64_t on_cpu_ns;
	uint64_t held_ns;
	struct sums page;
	struct sums bpf;
};

/* ---- What is shown --------------------------------------------------------------- */

static void read_page(const struct reader *reader, struct sums *s)
{
	const struct lidard_subscriber_page *p = lidard_subscription_get_page(reader->subscription);
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < LIDARD_STAGE_COUNT; i++)
		s->ns[i] = p->stages[i].sum_ns;
}

static void read_bpf(struct reader *reader, struct sums *s)
{
	struct trace_picture *p = NULL;
	size_t i;

	memset(s, 0, sizeof(*s));
	if (!reader->test->watched ||
	    trace_reader_read(reader->test->options->pin_dir, &p) < 0)
		return;
	for (i = 0; i < p->latency_count; i++)
		if (strcmp(p->latencies[i].key.reader.client, SELFTEST_CLIENT_NAME) == 0 &&
		    strcmp(p->latencies[i].key.reader.sensor, reader->sensor) == 0 &&
		    p->latencies[i].key.stage < LIDARD_TRACE_STAGES)
			s->ns[p->latencies[i].key.stage] = p->latencies[i].histogram.sum_ns;
	trace_picture_free(p);
}

static void add_growth(struct sums *total, const struct sums *before, const struct sums *after)
{
	unsigned int i;

	for (i = 0; i < LIDARD_TRACE_STAGES; i++)
		total->ns[i] += after->ns[i] - before->ns[i];
}

/* ---- Delays ---------------------------------------------------------------------- */

/* Busy, as a program that computes: who sleeps has to be woken, which is another stage. */
static void compute(uint64_t ns)
{
	uint64_t end_ns = clock_now_ns() + ns;

	while (clock_now_ns() < end_ns)
		;
}

static void nap(uint64_t ns)
{
	struct timespec ts = clock_to_timespec(ns);

	nanosleep(&ts, NULL);
}

/* Take what waits: the next slice is a new one. */
static int drain(struct reader *reader)
{
	struct lidard_slice *slice;
	int r;

	while ((r = lidard_subscription_take(reader->subscription, &slice)) == 1)
		lidard_slice_release(slice);
	return r;
}

/* Everything that was taken before is in what was read before. */
static void read_both(struct reader *reader, struct sums *page, struct sums *bpf)
{
	read_page(reader, page);
	read_bpf(reader, bpf);
}

/* The oldest slice is there: how long until it is taken, and until it is back? */
static int delay_slice(struct reader *reader, const struct trial *trial, struct round *round)
{
	struct lidard_slice *slice;
	uint64_t taken_ns;
	int r;

	if (trial->before_take)
		compute(reader->test->delay_ns);
	taken_ns = clock_now_ns();
	round->on_cpu_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - round->woken_cpu_ns;
	r = lidard_subscription_take(reader->subscription, &slice);
	if (r <= 0)
		return r < 0 ? r : -EAGAIN;
	if (trial->before_release)
		nap(reader->test->delay_ns);
	round->late_ns = round->woken_ns - lidard_slice_get_header(slice)->published_ns;
	round->before_take_ns = taken_ns - round->woken_ns;
	round->held_ns = clock_now_ns() - taken_ns;
	lidard_slice_release(slice);
	return 0;
}

/* Return: 1 it counts; 0 it was late by itself; negative errno. */
static int run_round(struct reader *reader, struct trial *trial)
{
	struct sums page_before, page_after, bpf_before, bpf_after;
	struct round round;
	int r;

	r = drain(reader);
	if (r == 0)
		r = lidard_subscription_wait(reader->subscription, SELFTEST_WAIT_NS);
	if (r <= 0)
		return r < 0 ? r : -ETIMEDOUT;
	round.woken_ns = clock_now_ns();
	round.woken_cpu_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	read_both(reader, &page_before, &bpf_before);
	r = delay_slice(reader, trial, &round);
	if (r < 0)
		return r;
	read_both(reader, &page_after, &bpf_after);
	if (round.late_ns > reader->test->delay_ns / LATE_PART)
		return 0;
	trial->before_take_ns += round.before_take_ns;
	trial->on_cpu_ns += round.on_cpu_ns;
	trial->held_ns += round.held_ns;
	add_growth(&trial->page, &page_before, &page_after);
	add_growth(&trial->bpf, &bpf_before, &bpf_after);
	return 1;
}

/* On a machine that is busy elsewhere many rounds do not count. */
static int run_trial(struct reader *reader, struct trial *trial)
{
	int tries, done = 0, r;

	for (tries = 0; done < ROUNDS && tries < TRIES; tries++) {
		r = run_round(reader, trial);
		if (r == -EINTR || stop_requested())
			return -EINTR;
		if (r < 0) {
			complain("%s: no slice to delay: %s", reader->sensor, strerror(-r));
			return r;
		}
		done += r;
	}
	if (done == ROUNDS)
		return 0;
	complain("%s: slices are late by themselves, the machine is too busy", reader->sensor);
	return -EBUSY;
}

/* ---- The verdict ------------------------------------------------------------------- */

static void judge(struct selftest *t, const char *trial, const char *by,
		  const struct selftest_expectation *e, const struct sums *found,
		  const struct sums *without)
{
	selftest_judge(t, trial, by, e,
		       ((double)found->ns[e->stage] - (double)without->ns[e->stage]) / ROUNDS);
}

/* Stages that lidard had behind it, the one of the delay, and what BPF divides it into. */
static void judge_trial(struct selftest *t, const struct trial *trial, const struct trial *base)
{
	double before_take_ns =
		((double)trial->before_take_ns - (double)base->before_take_ns) / ROUNDS;
	double on_cpu_ns = ((double)trial->on_cpu_ns - (double)base->on_cpu_ns) / ROUNDS;
	double held_ns = ((double)trial->held_ns - (double)base->held_ns) / ROUNDS;
	double wrong_ns = SELFTEST_TOLERANCE * (trial->before_take ? before_take_ns : held_ns);
	const struct selftest_expectation expected[] = {
		{ LIDARD_TRACE_FILL, 0, wrong_ns },
		{ LIDARD_TRACE_READY, 0, wrong_ns },
		{ LIDARD_TRACE_PUBLISH, 0, wrong_ns },
		{ LIDARD_TRACE_TAKE, before_take_ns, wrong_ns },
		{ LIDARD_TRACE_HOLD, held_ns, wrong_ns },
		{ LIDARD_TRACE_WAKE, 0, wrong_ns },
		{ LIDARD_TRACE_RUN, before_take_ns - on_cpu_ns, wrong_ns },
		{ LIDARD_TRACE_CODE, on_cpu_ns, wrong_ns },
	};
	size_t i;

	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		/* how long slices take to fill is their own affair, where they are not all alike */
		if (expected[i].stage == LIDARD_TRACE_FILL && !t->steady)
			continue;
		if (expected[i].stage < LIDARD_STAGE_COUNT)
			judge(t, trial->name, "stamps", &expected[i], &trial->page, &base->page);
		/* of a sensor's own stages the maps show every slice, not only ours */
		if (t->watched && expected[i].stage >= LIDARD_TRACE_TAKE)
			judge(t, trial->name, "bpf", &expected[i], &trial->bpf, &base->bpf);
	}
}

static int run_trials(struct reader *reader)
{
	struct trial base = { .name = "no delay" };
	struct trial take = { .name = "before take", .before_take = true };
	struct trial hold = { .name = "before release", .before_release = true };
	int r;

	r = run_trial(reader, &base);
	if (r == 0)
		r = run_trial(reader, &take);
	if (r == 0)
		r = run_trial(reader, &hold);
	if (r < 0)
		return r;
	judge_trial(reader->test, &take, &base);
	judge_trial(reader->test, &hold, &base);
	return 0;
}

int selftest_delay_reader(struct selftest *t, const char *sensor)
{
	struct reader reader = { .test = t, .sensor = sensor };
	int r;

	r = connect_subscribe(t->client, sensor, NULL, &reader.subscription);
	if (r == 0)
		r = run_trials(&reader);
	lidard_subscription_free(reader.subscription);
	return r;
}
