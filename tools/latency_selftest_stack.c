/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency_selftest_stack.c - the self-test of a lidard of our own, as the demo has one
 *
 * Three synthetic sensors that are alike, but that slices of one are filled
 * late and those of another are handed to lidard late: what they show more than
 * the first is the delay.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/complain.h"
#include "tools/demo_stack.h"
#include "tools/latency_selftest.h"

#define SLICE_BYTES 16384ull
/* A slice every 1.7 ms, filled at once; a queue must outlast the longest delay. */
#define RATE (600 * SLICE_BYTES)
#define QUEUE 250
#define HELD 4
#define SHM_BYTES (512ull << 20)
/* As the demo's readers. */
#define NICENESS (-10)

static const struct demo_plan plan = {
	.slice_bytes = SLICE_BYTES,
	.subscribers = 1,
	.queue = QUEUE,
	.held = HELD,
	/* one ends, the next one begins */
	.subscriber_slices = 2 * (QUEUE + HELD),
	.loans = 8,
	.columns = 64 * SLICE_BYTES / (DEMO_BEAMS * sizeof(struct lidard_point_xyzirt)),
	.shm_bytes = SHM_BYTES,
};

enum { PLAIN, FILLED_LATE, KNOWN_LATE, SENSORS };

static int compare_sensor(struct selftest *t, const struct demo_sensor *sensor, const char *trial,
			  const struct selftest_view *without, double fill_ns, double ready_ns)
{
	double wrong_ns = SELFTEST_TOLERANCE * (double)t->delay_ns;
	const struct selftest_expectation expected[] = {
		{ LIDARD_TRACE_FILL, fill_ns, wrong_ns },
		{ LIDARD_TRACE_READY, ready_ns, wrong_ns },
		{ LIDARD_TRACE_PUBLISH, 0, wrong_ns },
		{ LIDARD_TRACE_WAKE, 0, wrong_ns },
		{ LIDARD_TRACE_RUN, 0, wrong_ns },
		{ LIDARD_TRACE_CODE, 0, wrong_ns },
		{ LIDARD_TRACE_TAKE, 0, wrong_ns },
		{ LIDARD_TRACE_HOLD, 0, wrong_ns },
		/* all but hold, together */
		{ LIDARD_TRACE_TOTAL, fill_ns + ready_ns, wrong_ns },
	};
	struct selftest_view with;
	int r = selftest_look(t, sensor->name, "", &with);

	if (r == 0)
		selftest_compare(t, trial, &with, without, expected,
				 sizeof(expected) / sizeof(expected[0]));
	return r;
}

static int run_trials(struct selftest *t, const struct demo_sensor *sensors)
{
	struct selftest_view without;
	int r;

	r = selftest_connect(t, DEMO_SOCKET);
	if (r == 0)
		r = selftest_look(t, sensors[PLAIN].name, "", &without);
	if (r == 0)
		r = compare_sensor(t, &sensors[FILLED_LATE], "filled late", &without,
				   (double)t->delay_ns, 0);
	if (r == 0)
		r = compare_sensor(t, &sensors[KNOWN_LATE], "known late", &without, 0,
				   (double)t->delay_ns);
	if (r == 0)
		r = selftest_delay_reader(t, sensors[PLAIN].name);
	lidard_client_free(t->client);
	return r;
}

static int run_in_sandbox(struct selftest *t, struct demo_stack *stack)
{
	uint32_t delay_us = (uint32_t)(t->delay_ns / 1000);
	const struct demo_sensor sensors[SENSORS] = {
		[PLAIN] = { .name = "plain", .plan = &plan, .rate = RATE },
		[FILLED_LATE] = { .name = "filled-late", .plan = &plan, .rate = RATE,
				  .fill_delay_us = delay_us },
		[KNOWN_LATE] = { .name = "known-late", .plan = &plan, .rate = RATE,
				 .ready_delay_us = delay_us },
	};
	struct sandbox sandbox;
	int r;

	r = sandbox_enter(plan.shm_bytes, &sandbox);
	if (r < 0)
		return r;
	t->steady = true;
	r = demo_stack_start(stack, sensors, SENSORS, &sandbox);
	if (r == 0) {
		/* where that may not be, more slices are late by themselves */
		setpriority(PRIO_PROCESS, 0, NICENESS);
		r = run_trials(t, sensors);
	}
	demo_stack_stop(stack);
	return r;
}

int selftest_run_stack(struct selftest *t)
{
	struct demo_stack stack = { .roudi = CHILD_NULL, .lidard = CHILD_NULL };
	int r;

	if (geteuid() != 0) {
		complain("latency: --selftest with a lidard of its own needs root; with --sensor it tests "
			 "the lidard that runs");
		return -EPERM;
	}
	r = demo_stack_find(&stack);
	return r < 0 ? r : run_in_sandbox(t, &stack);
}
