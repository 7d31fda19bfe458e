/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency_export.c - lidarctl latency --trace-export: the ways of slices, for a viewer
 *
 * The trace event format that Perfetto (ui.perfetto.dev) and chrome://tracing
 * read: a process for each sensor, in it a track for the device, one for lidard
 * and one for each subscriber.  All slices that come for a while to a
 * subscription of our own, and what lidard-trace remembers of those that took
 * too long elsewhere.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/latency.h"
#include "tools/snapshot.h"
#include "tools/stop.h"
#include "tools/stream.h"

#define CLIENT_NAME "lidarctl-latency"
#define STEP_NS (100 * 1000 * 1000)

enum track {
	TRACK_DEVICE = 1,
	TRACK_DAEMON = 2,
	TRACK_CLIENT = 3,
	/* subscribers of the outliers */
	TRACK_OTHERS = 4,
};

struct export {
	FILE *file;
	const char *sensor;
	uint64_t slices;
	bool first;
};

static void begin_event(struct export *e)
{
	fputs(e->first ? "\n" : ",\n", e->file);
	e->first = false;
}

static void name_track(struct export *e, unsigned int track, const char *name)
{
	begin_event(e);
	fprintf(e->file, "{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\","
		"\"args\":{\"name\":\"%s\"}}", track, name);
}

static void add_span(struct export *e, unsigned int track, const char *name, uint64_t from_ns,
		     uint64_t to_ns, uint64_t seq, uint64_t frame_id)
{
	if (!from_ns || to_ns < from_ns)
		return;
	begin_event(e);
	fprintf(e->file, "{\"ph\":\"X\",\"pid\":1,\"tid\":%u,\"name\":\"%s\",\"ts\":%.3f,\"dur\":%.3f,"
		"\"args\":{\"seq\":%" PRIu64 ",\"frame\":%" PRIu64 "}}",
		track, name, (double)from_ns / 1e3, (double)(to_ns - from_ns) / 1e3, seq, frame_id);
}

static void add_slice(struct export *e, const struct lidard_slice_header *h, uint64_t taken_ns)
{
	if (h->flags & LIDARD_SLICE_FIRST_BYTE_VALID)
		add_span(e, TRACK_DEVICE, "fill", h->first_byte_ns, h->filled_ns, h->seq, h->frame_id);
	add_span(e, TRACK_DAEMON, "ready", h->filled_ns, h->ready_ns, h->seq, h->frame_id);
	add_span(e, TRACK_DAEMON, "publish", h->ready_ns, h->published_ns, h->seq, h->frame_id);
	add_span(e, TRACK_CLIENT, "take", h->published_ns, taken_ns, h->seq, h->frame_id);
	e->slices++;
}

static int on_slice(void *data, struct stream *stream, const struct lidard_slice *slice)
{
	struct export *e = data;

	add_slice(e, lidard_slice_get_header(slice), clock_now_ns());
	return ferror(e->file) ? -EIO : 0;
}

/* ---- What lidard-trace remembers ---------------------------------------------- */

/* Names of clients are printable (lidard sees to that); of two marks JSON has its own opinion. */
static void print_name(char *text, size_t size, const struct lidard_trace_outlier *o)
{
	char *c;

	snprintf(text, size, "%s (tid %u)", o->reader.client, o->tid);
	for (c = text; *c; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < 0x20)
			*c = '_';
}

static void add_outlier(struct export *e, unsigned int track, const struct lidard_trace_outlier *o)
{
	char name[80];

	print_name(name, sizeof(name), o);
	name_track(e, track, name);
	if (o->released_ns) {
		add_span(e, track, "hold", o->taken_ns, o->released_ns, o->seq, o->frame_id);
		return;
	}
	if (o->wake_ns)
		add_span(e, track, "wake", o->published_ns, o->published_ns + o->wake_ns, o->seq,
			 o->frame_id);
	if (o->run_ns && o->running_ns > o->run_ns)
		add_span(e, track, "run queue", o->running_ns - o->run_ns, o->running_ns, o->seq,
			 o->frame_id);
	add_span(e, track, "take", o->published_ns, o->taken_ns, o->seq, o->frame_id);
}

static void add_outliers(struct export *e, const struct latency_options *o, uint64_t since_ns)
{
	struct trace_picture *p;
	size_t i;

	if (trace_reader_read(o->pin_dir, &p) < 0)
		return;
	for (i = 0; i < p->outlier_count; i++)
		if (strcmp(p->outliers[i].reader.sensor, e->sensor) == 0 &&
		    p->outliers[i].taken_ns >= since_ns)
			add_outlier(e, TRACK_OTHERS + p->outliers[i].tid, &p->outliers[i]);
	trace_picture_free(p);
}

/* ---- All of it ------------------------------------------------------------------ */

/* The one that was asked for, or the first there is. */
static int find_sensor(const struct latency_options *o, char *name, size_t size)
{
	CLEANUP(cleanup_snapshot) struct snapshot *snapshot = NULL;
	struct lidard_client *client;
	int r;

	if (o->sensor) {
		snprintf(name, size, "%s", o->sensor);
		return 0;
	}
	r = connect_lidard(o->common.socket, CLIENT_NAME, &client);
	if (r < 0)
		return r;
	r = connect_get_snapshot(client, &snapshot);
	lidard_client_free(client);
	if (r < 0)
		return r;
	if (snapshot->sensor_count == 0) {
		complain("lidard has no sensor");
		return -ENOENT;
	}
	snprintf(name, size, "%s", snapshot->sensors[0].name);
	return 0;
}

static int receive(struct export *e, const struct latency_options *o)
{
	uint64_t end_ns = clock_now_ns() + (uint64_t)(o->seconds * 1e9);
	struct stream stream;
	int r, done = 0;

	r = stream_open_as(&stream, o->common.socket, CLIENT_NAME, e->sensor, NULL);
	if (r < 0)
		return r;
	while (r >= 0 && !done && !stop_requested() && clock_now_ns() < end_ns) {
		r = stream_step(&stream, STEP_NS, on_slice, e, &done);
		if (r == -EINTR)
			r = 0;
	}
	stream_close(&stream);
	if (r < 0)
		complain("cannot go on receiving: %s", strerror(-r));
	return done < 0 ? done : r < 0 ? r : 0;
}

int latency_export(const struct latency_options *o)
{
	uint64_t since_ns = clock_now_ns();
	char sensor[LIDARD_SENSOR_NAME_MAX];
	struct export e = { .sensor = sensor, .first = true };
	int r;

	stop_install();
	if (find_sensor(o, sensor, sizeof(sensor)) < 0)
		return COMMAND_FAILED;
	e.file = fopen(o->trace_export, "we");
	if (!e.file) {
		complain("cannot write %s: %s", o->trace_export, strerror(errno));
		return COMMAND_FAILED;
	}
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", e.file);
	name_track(&e, TRACK_DEVICE, "device");
	name_track(&e, TRACK_DAEMON, "lidard");
	name_track(&e, TRACK_CLIENT, CLIENT_NAME);
	r = receive(&e, o);
	add_outliers(&e, o, since_ns);
	fputs("\n]}\n", e.file);
	if (fclose(e.file) != 0 && r == 0) {
		complain("cannot write %s: %s", o->trace_export, strerror(errno));
		r = -EIO;
	}
	if (r == 0)
		printf("%s: %" PRIu64 " slices of %s\n", o->trace_export, e.slices, sensor);
	return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}
