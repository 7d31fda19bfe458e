/* SPDX-License-Identifier: Apache-2.0 */
/* latency_collect.c - figures from BPF maps, or from stamps; see latency.h */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/histogram.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/latency.h"

#define HOLDERS_TIMEOUT_NS (1000 * 1000 * 1000)

/* As a slice meets them; parts of a stage stand before the whole. */
static const unsigned int stage_order[LIDARD_TRACE_STAGES] = {
	LIDARD_TRACE_FILL, LIDARD_TRACE_INTERRUPT, LIDARD_TRACE_READY, LIDARD_TRACE_PUBLISH,
	LIDARD_TRACE_WAKE, LIDARD_TRACE_RUN,	   LIDARD_TRACE_CODE,  LIDARD_TRACE_TAKE,
	LIDARD_TRACE_HOLD, LIDARD_TRACE_TOTAL,
};

static unsigned int place_of(unsigned int stage)
{
	unsigned int i;

	for (i = 0; i < LIDARD_TRACE_STAGES && stage_order[i] != stage; i++)
		;
	return i;
}

static int compare_rows(const void *a, const void *b)
{
	const struct latency_row *x = a, *y = b;
	int r = strcmp(x->sensor, y->sensor);

	if (r == 0)
		r = strcmp(x->client, y->client);
	return r ? r : (int)place_of(x->stage) - (int)place_of(y->stage);
}

bool latency_selects(const struct latency_options *o, const char *sensor, const char *client)
{
	if (o->sensor && strcmp(sensor, o->sensor) != 0)
		return false;
	return !o->client || !client[0] || strcmp(client, o->client) == 0;
}

static struct latency_row *find_row(const struct latency_figures *f, const char *sensor,
				    const char *client, unsigned int stage)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		if (f->rows[i].stage == stage && strcmp(f->rows[i].sensor, sensor) == 0 &&
		    strcmp(f->rows[i].client, client) == 0)
			return &f->rows[i];
	return NULL;
}

/* Subscribers of one name are one, as in the BPF maps. There is room for the row. */
static void add_row(const struct latency_options *o, struct latency_figures *f, const char *sensor,
		    const char *client, unsigned int stage, const struct lidard_histogram *h)
{
	char name[LIDARD_PROBE_CLIENT_MAX];
	struct latency_row *row;

	snprintf(name, sizeof(name), "%s", client);
	if (h->count == 0 || !latency_selects(o, sensor, name))
		return;
	row = find_row(f, sensor, name, stage);
	if (!row) {
		row = &f->rows[f->count++];
		memset(row, 0, sizeof(*row));
		snprintf(row->sensor, sizeof(row->sensor), "%s", sensor);
		snprintf(row->client, sizeof(row->client), "%s", name);
		row->stage = stage;
	}
	histogram_merge(&row->histogram, h);
}

static int make_room(struct latency_figures *f, size_t rows)
{
	f->rows = calloc(rows + 1, sizeof(f->rows[0]));
	if (f->rows)
		return 0;
	complain("out of memory");
	return -ENOMEM;
}

static void choose_drops(const struct latency_options *o, struct trace_picture *p)
{
	size_t i, kept = 0;

	for (i = 0; i < p->drop_count; i++)
		if (latency_selects(o, p->drops[i].key.reader.sensor, p->drops[i].key.reader.client))
			p->drops[kept++] = p->drops[i];
	p->drop_count = kept;
}

static int use_picture(const struct latency_options *o, struct latency_figures *f)
{
	struct trace_picture *p = f->picture;
	size_t i;
	int r;

	choose_drops(o, p);
	r = make_room(f, p->latency_count);
	if (r < 0)
		return r;
	for (i = 0; i < p->latency_count; i++)
		add_row(o, f, p->latencies[i].key.reader.sensor, p->latencies[i].key.reader.client,
			p->latencies[i].key.stage, &p->latencies[i].histogram);
	return 0;
}

static int use_snapshot(const struct latency_options *o, const struct snapshot *s,
			struct latency_figures *f)
{
	size_t i;
	unsigned int stage;
	int r;

	r = make_room(f, s->subscriber_count * LIDARD_STAGE_COUNT);
	if (r < 0)
		return r;
	for (i = 0; i < s->subscriber_count; i++)
		for (stage = 0; stage < LIDARD_STAGE_COUNT; stage++)
			add_row(o, f, s->subscribers[i].sensor, s->subscribers[i].name, stage,
				&s->subscribers[i].stages[stage]);
	return 0;
}

static int use_stamps(const struct latency_options *o, struct latency_figures *f)
{
	struct lidard_client *client;
	int r;

	r = connect_lidard(o->common.socket, "lidarctl", &client);
	if (r < 0)
		return r;
	r = connect_get_snapshot(client, &f->snapshot);
	lidard_client_free(client);
	return r < 0 ? r : use_snapshot(o, f->snapshot, f);
}

static bool lacked_memory(const struct trace_picture *p)
{
	size_t i;

	for (i = 0; i < p->drop_count; i++)
		if (p->drops[i].key.cause == LIDARD_TRACE_NO_LOAN)
			return true;
	return false;
}

/* Who has it lidard knows; if that is not there any more, there is nobody to name. */
static void ask_holders(const struct latency_options *o, struct latency_figures *f)
{
	struct lidard_client_opts opts = {
		.size = sizeof(opts),
		.socket_path = o->common.socket,
		.name = "lidarctl",
		.timeout_ns = HOLDERS_TIMEOUT_NS,
	};
	struct lidard_client *client;
	struct json_object *reply;

	if (!lacked_memory(f->picture) || lidard_client_new(&opts, &client) < 0)
		return;
	if (connect_call(client, LIDARD_METHOD_GET_STATUS, &reply) == 0) {
		if (snapshot_parse(reply, &f->snapshot) < 0)
			f->snapshot = NULL;
		json_object_put(reply);
	}
	lidard_client_free(client);
}

static void say_why(struct latency_figures *f, int error)
{
	const char *why;

	if (error == -ENOENT)
		why = "lidard-trace has not run (systemctl start lidard-trace)";
	else if (error == -EACCES || error == -EPERM)
		why = "BPF maps are for root alone";
	else if (error == -EPROTO)
		why = "the BPF maps are another version's";
	else if (error == -ENOTSUP)
		why = "lidarctl was built without BPF";
	else if (error == 0)
		why = "lidard-trace does not run (systemctl start lidard-trace)";
	else
		why = strerror(-error);
	snprintf(f->note, sizeof(f->note),
		 "from stamps alone, without wake-up, run queue and outliers: %s", why);
}

static int finish(struct latency_figures *f, int error)
{
	if (error < 0)
		latency_figures_deinit(f);
	else if (f->count)
		qsort(f->rows, f->count, sizeof(f->rows[0]), compare_rows);
	return error;
}

int latency_collect(const struct latency_options *o, struct latency_figures *f)
{
	int r;

	memset(f, 0, sizeof(*f));
	r = trace_reader_read(o->pin_dir, &f->picture);
	/* what was seen earlier is shown if it is asked for, or there is nothing else */
	if (r == 0 && !f->picture->watching && !o->outliers) {
		f->picture = trace_picture_free(f->picture);
	} else if (r == 0) {
		if (!f->picture->watching)
			snprintf(f->note, sizeof(f->note), "from BPF, of earlier: lidard-trace does not run");
		ask_holders(o, f);
		return finish(f, use_picture(o, f));
	}
	say_why(f, r);
	return finish(f, use_stamps(o, f));
}

void latency_figures_deinit(struct latency_figures *f)
{
	f->picture = trace_picture_free(f->picture);
	f->snapshot = snapshot_free(f->snapshot);
	free(f->rows);
	f->rows = NULL;
	f->count = 0;
}

void latency_since(const struct latency_row *now, const struct latency_figures *before,
		   struct latency_row *ret_row)
{
	const struct latency_row *old = find_row(before, now->sensor, now->client, now->stage);

	*ret_row = *now;
	if (old)
		snapshot_histogram_difference(&now->histogram, &old->histogram,
					      &ret_row->histogram);
}
