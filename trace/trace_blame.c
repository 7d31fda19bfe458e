/* SPDX-License-Identifier: Apache-2.0 */
/* trace_blame.c - see trace_blame.h */
#include "trace/trace_blame.h"

static uint64_t span(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns > from_ns ? to_ns - from_ns : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What was stopped is no part of the others: first of sleep, then of what is left. */
static void split(struct trace_breakdown *b, const struct lidard_trace_outlier *o, uint64_t whole_ns,
		  enum trace_blame rest)
{
	uint64_t wake_ns = least(o->wake_ns, whole_ns);
	uint64_t run_ns = least(o->run_ns, whole_ns - wake_ns);
	uint64_t rest_ns = whole_ns - wake_ns - run_ns;
	uint64_t stopped_ns = least(o->stopped_ns, wake_ns + rest_ns);
	uint64_t of_wake_ns = least(stopped_ns, wake_ns);

	b->parts_ns[TRACE_BLAME_STOPPED] = stopped_ns;
	b->parts_ns[TRACE_BLAME_WAKE] = wake_ns - of_wake_ns;
	b->parts_ns[TRACE_BLAME_RUN_QUEUE] = run_ns;
	b->parts_ns[rest] = rest_ns - (stopped_ns - of_wake_ns);
}

static void find_culprit(struct trace_breakdown *b, const struct lidard_trace_outlier *o)
{
	const struct lidard_trace_instead *i = NULL;

	if (b->blame == TRACE_BLAME_RUN_QUEUE)
		i = &o->subscriber;
	else if (b->blame == TRACE_BLAME_DAEMON)
		i = &o->daemon;
	b->instead = i && i->comm[0] ? i : NULL;
}

struct trace_breakdown trace_blame_find(const struct lidard_trace_outlier *o, uint64_t fill_ns)
{
	struct trace_breakdown b = {};
	uint64_t most_ns = 0, known_ns;
	unsigned int i;

	if (o->released_ns) {
		split(&b, o, span(o->taken_ns, o->released_ns), TRACE_BLAME_HOLD);
	} else {
		b.parts_ns[TRACE_BLAME_DEVICE] = span(o->first_byte_ns, o->filled_ns);
		known_ns = span(o->filled_ns, o->ready_ns);
		b.parts_ns[TRACE_BLAME_INTERRUPT] = least(o->interrupt_ns, known_ns);
		b.parts_ns[TRACE_BLAME_DAEMON] = known_ns - b.parts_ns[TRACE_BLAME_INTERRUPT];
		b.parts_ns[TRACE_BLAME_PUBLISH] = span(o->ready_ns, o->published_ns);
		split(&b, o, span(o->published_ns, o->taken_ns), TRACE_BLAME_CODE);
	}
	for (i = 0; i < TRACE_BLAME_COUNT; i++) {
		/* a slice takes its time to fill: no fault unless somebody said so */
		if (i == TRACE_BLAME_DEVICE && (!fill_ns || b.parts_ns[i] <= fill_ns))
			continue;
		if (b.parts_ns[i] > most_ns) {
			most_ns = b.parts_ns[i];
			b.blame = (enum trace_blame)i;
		}
	}
	find_culprit(&b, o);
	return b;
}

const char *trace_blame_name(enum trace_blame blame)
{
	static const char *const names[TRACE_BLAME_COUNT] = {
		[TRACE_BLAME_DEVICE] = "device",       [TRACE_BLAME_INTERRUPT] = "interrupt",
		[TRACE_BLAME_DAEMON] = "daemon",       [TRACE_BLAME_PUBLISH] = "publish",
		[TRACE_BLAME_WAKE] = "wake",	       [TRACE_BLAME_STOPPED] = "stopped",
		[TRACE_BLAME_RUN_QUEUE] = "run-queue", [TRACE_BLAME_CODE] = "code",
		[TRACE_BLAME_HOLD] = "hold",
	};

	return names[blame];
}

const char *trace_stage_name(unsigned int stage)
{
	static const char *const names[LIDARD_TRACE_STAGES] = {
		[LIDARD_TRACE_FILL] = "fill",	    [LIDARD_TRACE_READY] = "ready",
		[LIDARD_TRACE_PUBLISH] = "publish", [LIDARD_TRACE_TAKE] = "take",
		[LIDARD_TRACE_HOLD] = "hold",	    [LIDARD_TRACE_TOTAL] = "total",
		[LIDARD_TRACE_WAKE] = "wake",	    [LIDARD_TRACE_RUN] = "run",
		[LIDARD_TRACE_CODE] = "code",	    [LIDARD_TRACE_INTERRUPT] = "interrupt",
	};

	return stage < LIDARD_TRACE_STAGES ? names[stage] : "";
}

/* The module's own, in their order (kmod/lidar_trace.h). */
static const char *device_cause_name(unsigned int cause)
{
	static const char *const names[] = {
		"device_no_slot",    "device_lost",    "device_error",
		"device_ready_full", "device_stopped", "device_lease",
	};

	return cause < sizeof(names) / sizeof(names[0]) ? names[cause] : "device_other";
}

const char *trace_cause_name(unsigned int cause)
{
	switch (cause) {
	case LIDARD_TRACE_QUEUE_FULL:
		return "queue_full";
	case LIDARD_TRACE_POLICY:
		return "policy";
	case LIDARD_TRACE_INVALID:
		return "invalid";
	case LIDARD_TRACE_LOST_BEFORE:
		return "lost_before";
	case LIDARD_TRACE_NO_LOAN:
		return "no_loan";
	case LIDARD_TRACE_NOT_COUNTED:
		return "not_counted";
	default:
		return cause >= LIDARD_TRACE_DEVICE ? device_cause_name(cause - LIDARD_TRACE_DEVICE) :
						      "unknown";
	}
}
