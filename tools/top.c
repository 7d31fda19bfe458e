/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top.c - lidarctl top: who gets what, how fast, and what it costs
 *
 * A line for each sensor and each subscriber, computed from two pictures an
 * interval apart; latencies are those of the interval, from the difference of
 * the histograms.  Every column is defined in lidarctl(1).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/histogram.h"
#include "common/json_add.h"
#include "tools/command.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/cpu.h"
#include "tools/snapshot.h"
#include "tools/stop.h"
#include "tools/terminal.h"

struct top_options {
	struct common_options common;
	bool batch;
	bool json;
	double interval;
	uint64_t count;
};

static const struct option_row top_rows[] = {
	OPTION_ROW_FLAG(struct top_options, batch, "batch",
			"print line after line instead of redrawing"),
	OPTION_ROW_FLAG(struct top_options, json, "json",
			"print a JSON object for each picture, a line each"),
	OPTION_ROW_REAL(struct top_options, interval, "interval", "S", "1", 0.05, 3600,
			"seconds between two pictures"),
	OPTION_ROW_COUNT(struct top_options, count, "count", "N", "0", 0, 0,
			 "stop after so many pictures; 0: never"),
	COMMAND_COMMON_ROWS(struct top_options),
};

/** One picture: lidard's account and the CPU times that go with it. */
struct picture {
	struct snapshot *snapshot;
	uint64_t daemon_cpu_ns;
	/** For each subscriber of the snapshot. */
	uint64_t *cpu_ns;
	uint64_t taken_ns;
};

static void picture_deinit(struct picture *p)
{
	p->snapshot = snapshot_free(p->snapshot);
	free(p->cpu_ns);
	p->cpu_ns = NULL;
}

static int picture_take(struct lidard_client *client, struct picture *p)
{
	struct json_object *reply;
	size_t i;
	int r;

	r = connect_call(client, LIDARD_METHOD_GET_STATUS, &reply);
	if (r < 0)
		return r;
	r = snapshot_parse(reply, &p->snapshot);
	json_object_put(reply);
	if (r < 0)
		return r;
	p->taken_ns = clock_now_ns();
	p->daemon_cpu_ns = p->snapshot->cpu_ns;
	p->cpu_ns = calloc(p->snapshot->subscriber_count + 1, sizeof(*p->cpu_ns));
	if (!p->cpu_ns) {
		picture_deinit(p);
		return -ENOMEM;
	}
	for (i = 0; i < p->snapshot->subscriber_count; i++)
		p->cpu_ns[i] = cpu_read_ns((pid_t)p->snapshot->subscribers[i].pid);
	return 0;
}

/* Counters of a restarted daemon begin anew: then the new value is the growth. */
static double growth(uint64_t now, uint64_t before, double seconds)
{
	return (double)(now >= before ? now - before : now) / seconds;
}

static void print_sensor(const struct snapshot_sensor *s, const struct snapshot_sensor *before,
			 double seconds, const char *eol)
{
	static const struct snapshot_sensor none;

	if (!before)
		before = &none;
	printf("%-16s %-10s %9.1f %8.1f %8.1f %10" PRIu64 " %10" PRIu64 " %5" PRIu64 "/%-5" PRIu64
	       " %s%s",
	       s->name, s->state, growth(s->published, before->published, seconds),
	       growth(s->bytes, before->bytes, seconds) / 1e6,
	       growth(s->frames, before->frames, seconds), snapshot_causes_sum(&s->dropped),
	       s->lost_packets, s->reserved_slices, s->subscriber_slices,
	       s->accounting_ok && snapshot_sensor_adds_up(s) ? s->error : "*** VIOLATED ***",
	       eol);
}

static void print_subscriber(const struct snapshot_subscriber *s,
			     const struct snapshot_subscriber *before, double seconds, double cpu,
			     const char *eol)
{
	static const struct snapshot_subscriber none;
	struct lidard_histogram take;

	if (!before)
		before = &none;
	snapshot_histogram_difference(&s->stages[LIDARD_STAGE_TAKE],
				      &before->stages[LIDARD_STAGE_TAKE], &take);
	printf("%-16.16s %7" PRId64 " %-12s %9.1f %8.1f %4" PRId64 "/%-4" PRIu64 " %4" PRIu64
	       " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %9.1f %9.1f %5.1f%s%s%s",
	       s->name, s->pid, s->sensor,
	       growth(s->total_received, before->total_received, seconds),
	       growth(s->bytes, before->bytes, seconds) / 1e6, s->waiting, s->queue, s->held,
	       snapshot_causes_get(&s->total_skipped, "queue_full") + s->unseen,
	       snapshot_causes_get(&s->total_skipped, "policy"),
	       snapshot_causes_get(&s->total_skipped, "invalid"), s->lost_upstream,
	       (double)histogram_quantile_ns(&take, 0.5) / 1e3,
	       (double)histogram_quantile_ns(&take, 0.99) / 1e3, cpu,
	       strcmp(s->state, "live") != 0 ? " " : "",
	       strcmp(s->state, "live") != 0 ? s->state :
	       s->accounting_ok && snapshot_subscriber_adds_up(s) ? "" : " *** VIOLATED ***",
	       eol);
}

static double subscriber_cpu(const struct picture *now, const struct picture *before, size_t index,
			     double seconds)
{
	const struct snapshot_subscriber *s = &now->snapshot->subscribers[index];
	size_t i;

	for (i = 0; i < before->snapshot->subscriber_count; i++)
		if (before->snapshot->subscribers[i].id == s->id &&
		    before->snapshot->subscribers[i].pid == s->pid)
			return 100.0 * growth(now->cpu_ns[index], before->cpu_ns[i], seconds * 1e9);
	return 0;
}

static void print_sensors(const struct snapshot *s, const struct snapshot *before, double seconds,
			  const char *eol)
{
	size_t i;

	printf("%-16s %-10s %9s %8s %8s %10s %10s %11s %s%s", "SENSOR", "STATE", "SLICE/S",
	       "MB/S", "FRAME/S", "DROPPED", "PKTLOST", "RESERVED", "ERROR", eol);
	for (i = 0; i < s->sensor_count; i++)
		print_sensor(&s->sensors[i], snapshot_find_sensor(before, s->sensors[i].name),
			     seconds, eol);
}

static void print_picture(const struct picture *now, const struct picture *before, const char *eol)
{
	double seconds = (double)(now->taken_ns - before->taken_ns) / 1e9;
	const struct snapshot *s = now->snapshot;
	size_t i;

	printf("lidard %s: %s, CPU %.1f %%%s%s", s->version, s->status,
	       100.0 * growth(now->daemon_cpu_ns, before->daemon_cpu_ns, seconds * 1e9), eol, eol);
	print_sensors(s, before->snapshot, seconds, eol);
	printf("%s%-16s %7s %-12s %9s %8s %9s %4s %8s %8s %8s %8s %9s %9s %5s%s", eol,
	       "SUBSCRIBER", "PID", "SENSOR", "SLICE/S", "MB/S", "LAG", "HELD", "L.QUEUE",
	       "L.POLICY", "L.INVAL", "L.UPSTR", "P50 US", "P99 US", "CPU%", eol);
	for (i = 0; i < s->subscriber_count; i++)
		print_subscriber(&s->subscribers[i],
				 snapshot_find_subscriber(before->snapshot, s->subscribers[i].id),
				 seconds, subscriber_cpu(now, before, i, seconds), eol);
	fputs(eol, stdout);
}

/* ---- JSON: the columns by the names that status --json has ---- */

static struct json_object *sensor_to_json(const struct snapshot_sensor *s,
					  const struct snapshot_sensor *before, double seconds)
{
	static const struct snapshot_sensor none;
	struct json_object *o = json_object_new_object();

	if (!before)
		before = &none;
	json_add_text(o, "name", s->name);
	json_add_text(o, "state", s->state);
	json_add_text(o, "error", s->error);
	json_add_real(o, "slices_per_s", growth(s->published, before->published, seconds));
	json_add_real(o, "mb_per_s", growth(s->bytes, before->bytes, seconds) / 1e6);
	json_add_real(o, "frames_per_s", growth(s->frames, before->frames, seconds));
	json_add_uint(o, "dropped", snapshot_causes_sum(&s->dropped));
	json_add_uint(o, "lost_packets", s->lost_packets);
	json_add_uint(o, "reserved_slices", s->reserved_slices);
	json_add_uint(o, "subscriber_slices", s->subscriber_slices);
	json_add_text(o, "accounting",
		 s->accounting_ok && snapshot_sensor_adds_up(s) ? "ok" : "violated");
	return o;
}

/* null if nothing was taken in the interval */
static void add_latency(struct json_object *o, const char *key, const struct lidard_histogram *h,
			double q)
{
	json_object_object_add(o, key, h->count ? json_object_new_double(
				       (double)histogram_quantile_ns(h, q) / 1e3) : NULL);
}

static struct json_object *subscriber_to_json(const struct snapshot_subscriber *s,
					      const struct snapshot_subscriber *before,
					      double seconds, double cpu)
{
	static const struct snapshot_subscriber none;
	struct json_object *o = json_object_new_object();
	struct lidard_histogram take;

	if (!before)
		before = &none;
	snapshot_histogram_difference(&s->stages[LIDARD_STAGE_TAKE],
				      &before->stages[LIDARD_STAGE_TAKE], &take);
	json_add_text(o, "name", s->name);
	json_object_object_add(o, "pid", json_object_new_int64(s->pid));
	json_add_text(o, "sensor", s->sensor);
	json_add_text(o, "state", s->state);
	json_add_real(o, "slices_per_s", growth(s->total_received, before->total_received, seconds));
	json_add_real(o, "mb_per_s", growth(s->bytes, before->bytes, seconds) / 1e6);
	json_object_object_add(o, "waiting", json_object_new_int64(s->waiting));
	json_add_uint(o, "queue", s->queue);
	json_add_uint(o, "held", s->held);
	json_add_uint(o, "queue_full",
		  snapshot_causes_get(&s->total_skipped, "queue_full") + s->unseen);
	json_add_uint(o, "policy", snapshot_causes_get(&s->total_skipped, "policy"));
	json_add_uint(o, "invalid", snapshot_causes_get(&s->total_skipped, "invalid"));
	json_add_uint(o, "lost_upstream", s->lost_upstream);
	add_latency(o, "p50_us", &take, 0.5);
	add_latency(o, "p99_us", &take, 0.99);
	json_add_real(o, "cpu_percent", cpu);
	json_add_text(o, "accounting",
		 s->accounting_ok && snapshot_subscriber_adds_up(s) ? "ok" : "violated");
	return o;
}

static void print_json(const struct picture *now, const struct picture *before)
{
	double seconds = (double)(now->taken_ns - before->taken_ns) / 1e9;
	const struct snapshot *s = now->snapshot, *old = before->snapshot;
	struct json_object *o = json_object_new_object();
	struct json_object *sensors = json_object_new_array();
	struct json_object *subscribers = json_object_new_array();
	size_t i;

	for (i = 0; i < s->sensor_count; i++)
		json_object_array_add(sensors, sensor_to_json(
			&s->sensors[i], snapshot_find_sensor(old, s->sensors[i].name), seconds));
	for (i = 0; i < s->subscriber_count; i++)
		json_object_array_add(subscribers, subscriber_to_json(
			&s->subscribers[i], snapshot_find_subscriber(old, s->subscribers[i].id),
			seconds, subscriber_cpu(now, before, i, seconds)));
	json_add_text(o, "version", s->version);
	json_add_bool(o, "degraded", s->degraded);
	json_add_text(o, "status", s->status);
	json_add_real(o, "seconds", seconds);
	json_add_real(o, "cpu_percent",
		 100.0 * growth(now->daemon_cpu_ns, before->daemon_cpu_ns, seconds * 1e9));
	json_object_object_add(o, "sensors", sensors);
	json_object_object_add(o, "subscribers", subscribers);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
	json_object_put(o);
}

static int watch(struct lidard_client *client, const struct top_options *options,
		 struct terminal *terminal)
{
	struct picture before = {}, now = {};
	uint64_t pictures = 0;
	int r;

	r = picture_take(client, &before);
	while (r == 0 && !stop_requested()) {
		if (terminal_wait_key(terminal, (uint64_t)(options->interval * 1e9)) == 'q' ||
		    stop_requested())
			break;
		r = picture_take(client, &now);
		if (r < 0)
			break;
		if (options->json) {
			print_json(&now, &before);
		} else {
			terminal_begin(terminal);
			print_picture(&now, &before, terminal_eol(terminal));
			terminal_end(terminal);
		}
		picture_deinit(&before);
		before = now;
		memset(&now, 0, sizeof(now));
		if (options->count && ++pictures >= options->count)
			break;
	}
	picture_deinit(&before);
	return r;
}

static int top_run(const void *data, char **arguments)
{
	const struct top_options *options = data;
	struct terminal terminal = {};
	struct lidard_client *client;
	int r;

	if (connect_lidard(options->common.socket, "lidarctl", &client) < 0)
		return COMMAND_FAILED;
	stop_install();
	if (!options->batch && !options->json)
		terminal_open(&terminal);
	r = watch(client, options, &terminal);
	terminal_close(&terminal);
	lidard_client_free(client);
	if (r < 0)
		complain("lidard does not answer any more: %s", strerror(-r));
	return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}

const struct command command_top = {
	.name = "top",
	.arguments = "",
	.summary = "live: who gets what, how fast, what is lost",
	.description = "q quits. lidarctl(1) defines every column.\n",
	.options = { top_rows, sizeof(top_rows) / sizeof(top_rows[0]) },
	.options_bytes = sizeof(struct top_options),
	.run = top_run,
};
