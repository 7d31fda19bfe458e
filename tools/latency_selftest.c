/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency_selftest.c - lidarctl latency --selftest: is what is shown true?
 *
 * Stages are delayed by a known time, one after the other.  What is shown then,
 * by the page of a subscription of our own, and by BPF while lidard-trace
 * watches, must show the delay in the stage that had it, within 5 %, and in no
 * other.  With a lidard of our own (latency_selftest_stack.c) stages of the
 * sensor are among them, with the lidard in service only those of a reader
 * (latency_selftest_reader.c), and interrupts of a device of lidar_sim
 * (latency_selftest_device.c).
 */
#include "tools/latency_selftest.h"

#include <stdio.h>

#include "tools/connect.h"
#include "tools/stop.h"

void selftest_judge(struct selftest *t, const char *trial, const char *by,
		    const struct selftest_expectation *e, double more_ns)
{
	bool good = more_ns <= e->ns + e->tolerance_ns &&
		    (more_ns >= e->ns - e->tolerance_ns || e->may_shrink);

	printf("%-16s %-6s %-9s %9.3f ms, expected %9.3f ms: %s\n", trial, by,
	       trace_stage_name(e->stage), more_ns / 1e6, e->ns / 1e6,
	       good ? "ok" : "*** WRONG ***");
	if (!good)
		t->failed = true;
}

static bool is_watched(const char *pin_dir)
{
	struct trace_picture *p = NULL;
	bool watched = trace_reader_read(pin_dir, &p) == 0 && p->watching;

	trace_picture_free(p);
	return watched;
}

int selftest_connect(struct selftest *t, const char *socket)
{
	int r = connect_lidard(socket, SELFTEST_CLIENT_NAME, &t->client);

	if (r < 0)
		return r;
	t->watched = is_watched(t->options->pin_dir);
	if (!t->watched)
		puts("of stamps alone: lidard-trace does not run, or its maps are not for this user");
	return 0;
}

static int run_on_service(struct selftest *t)
{
	const char *sensor = t->options->sensor;
	int r;

	r = selftest_connect(t, t->options->common.socket);
	if (r == 0)
		r = selftest_delay_device(t, sensor);
	if (r == 0)
		r = selftest_delay_reader(t, sensor);
	lidard_client_free(t->client);
	return r;
}

int latency_selftest(const struct latency_options *o)
{
	struct selftest t = { .options = o, .delay_ns = (uint64_t)(o->delay * 1e6) };
	int r;

	stop_install();
	r = o->sensor ? run_on_service(&t) : selftest_run_stack(&t);
	return r < 0 || t.failed ? COMMAND_FAILED : COMMAND_OK;
}
