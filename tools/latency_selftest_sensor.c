/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency_selftest_sensor.c - what is shown of a sensor whose stages are delayed by somebody else
 *
 * All slices are delayed alike, so the median of each stage tells: what came
 * late by itself, on a machine that is busy elsewhere, does not move it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/histogram.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/latency_selftest.h"
#include "tools/snapshot.h"
#include "tools/stop.h"

#define SLICES 40
/* Those that waited while we subscribed, and the one during which a delay was set. */
#define FIRST_SLICES 4

/** All histograms there are of a sensor's slices on their way to us. */
struct histograms {
	struct lidard_histogram page[LIDARD_STAGE_COUNT];
	struct lidard_histogram bpf[LIDARD_TRACE_STAGES];
};

/* Which of the maps' sensors is it: ours, or the ring behind it? */
static bool is_ours(const struct lidard_trace_key *key, const char *sensor, const char *ring)
{
	if (key->stage == LIDARD_TRACE_INTERRUPT)
		return strcmp(key->reader.sensor, ring) == 0;
	return strcmp(key->reader.sensor, sensor) == 0 &&
	       (!key->reader.client[0] || strcmp(key->reader.client, SELFTEST_CLIENT_NAME) == 0);
}

static void read_bpf(const struct selftest *t, const char *sensor, const char *ring,
		     struct lidard_histogram *histograms)
{
	struct trace_picture *p = NULL;
	size_t i;

	if (!t->watched || trace_reader_read(t->options->pin_dir, &p) < 0)
		return;
	for (i = 0; i < p->latency_count; i++)
		if (p->latencies[i].key.stage < LIDARD_TRACE_STAGES &&
		    is_ours(&p->latencies[i].key, sensor, ring))
			histograms[p->latencies[i].key.stage] = p->latencies[i].histogram;
	trace_picture_free(p);
}

static int take_slices(struct lidard_subscription *subscription, unsigned int count)
{
	struct lidard_slice *slice;
	int r;

	while (count > 0) {
		r = lidard_subscription_take(subscription, &slice);
		if (r == 0) {
			r = lidard_subscription_wait(subscription, SELFTEST_WAIT_NS);
		} else if (r == 1) {
			lidard_slice_release(slice);
			count--;
		}
		if (stop_requested())
			return -EINTR;
		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
	}
	return 0;
}

static void find_medians(const struct histograms *before, const struct histograms *after,
			 struct selftest_view *v)
{
	struct lidard_histogram h;
	unsigned int i;

	for (i = 0; i < LIDARD_STAGE_COUNT; i++) {
		snapshot_histogram_difference(&after->page[i], &before->page[i], &h);
		v->page[i].count = h.count;
		v->page[i].median_ns = (double)histogram_quantile_ns(&h, 0.5);
	}
	for (i = 0; i < LIDARD_TRACE_STAGES; i++) {
		snapshot_histogram_difference(&after->bpf[i], &before->bpf[i], &h);
		v->bpf[i].count = h.count;
		v->bpf[i].median_ns = (double)histogram_quantile_ns(&h, 0.5);
	}
}

static int look(struct selftest *t, const char *sensor, const char *ring,
		struct lidard_subscription *subscription, struct selftest_view *v)
{
	CLEANUP(cleanup_free) struct histograms *views = calloc(2, sizeof(*views));
	const struct lidard_subscriber_page *page = lidard_subscription_get_page(subscription);
	int r;

	if (!views)
		return -ENOMEM;
	r = take_slices(subscription, FIRST_SLICES);
	memcpy(views[0].page, page->stages, sizeof(views[0].page));
	read_bpf(t, sensor, ring, views[0].bpf);
	if (r == 0)
		r = take_slices(subscription, SLICES);
	memcpy(views[1].page, page->stages, sizeof(views[1].page));
	read_bpf(t, sensor, ring, views[1].bpf);
	if (r == 0)
		find_medians(&views[0], &views[1], v);
	return r;
}

int selftest_look(struct selftest *t, const char *sensor, const char *ring,
		  struct selftest_view *ret_view)
{
	struct lidard_subscription *subscription = NULL;
	int r;

	r = connect_subscribe(t->client, sensor, NULL, &subscription);
	if (r < 0)
		return r;
	r = look(t, sensor, ring, subscription, ret_view);
	if (r < 0 && r != -EINTR)
		complain("%s: no slices to look at: %s", sensor, strerror(-r));
	lidard_subscription_free(subscription);
	return r;
}

void selftest_compare(struct selftest *t, const char *trial, const struct selftest_view *with,
		      const struct selftest_view *without,
		      const struct selftest_expectation *expected, unsigned int count)
{
	const struct selftest_expectation *e;

	for (e = expected; e < expected + count; e++)
		if (e->stage < LIDARD_STAGE_COUNT)
			selftest_judge(t, trial, "stamps", e,
				       with->page[e->stage].median_ns -
					       without->page[e->stage].median_ns);
	for (e = expected; t->watched && e < expected + count; e++)
		/* the scheduler's are not known everywhere; what is delayed has to be */
		if (with->bpf[e->stage].count || e->ns > 0)
			selftest_judge(t, trial, "bpf", e,
				       with->bpf[e->stage].median_ns -
					       without->bpf[e->stage].median_ns);
}
