/* SPDX-License-Identifier: Apache-2.0 */
/* demo_report.c - see demo_report.h */
#include "tools/demo_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/histogram.h"
#include "common/json_add.h"

static const struct snapshot_sensor no_sensor;
static const struct snapshot_subscriber no_subscriber;

static const struct snapshot_sensor *sensor_of(const struct snapshot *s, const char *name)
{
	const struct snapshot_sensor *sensor = snapshot_find_sensor(s, name);

	return sensor ? sensor : &no_sensor;
}

static const struct snapshot_subscriber *member_of(const struct snapshot *s,
						   const struct demo_member *m)
{
	size_t i;

	for (i = 0; s && i < s->subscriber_count; i++)
		if (s->subscribers[i].pid == m->pid)
			return &s->subscribers[i];
	return &no_subscriber;
}

static double seconds_between(const struct snapshot *a, const struct snapshot *b)
{
	return b->now_ns > a->now_ns ? (double)(b->now_ns - a->now_ns) / 1e9 : 1e-9;
}

static double us(uint64_t ns)
{
	return (double)ns / 1e3;
}

static double quantile_us(const struct lidard_histogram *h, double q)
{
	return us(histogram_quantile_ns(h, q));
}

/* ---- while it runs ---- */

void demo_report_live(FILE *out, const struct snapshot *before, const struct snapshot *now)
{
	double seconds = seconds_between(before, now), p50 = 0, p99 = 0;
	uint64_t bytes = 0, slices = 0, lost = 0;
	struct lidard_histogram take;
	size_t i;

	for (i = 0; i < now->sensor_count; i++) {
		const struct snapshot_sensor *s = &now->sensors[i];
		const struct snapshot_sensor *b = sensor_of(before, s->name);

		bytes += s->bytes - b->bytes;
		slices += s->published - b->published;
		lost += snapshot_causes_sum(&s->dropped);
	}
	for (i = 0; i < now->subscriber_count; i++) {
		const struct snapshot_subscriber *s = &now->subscribers[i];
		const struct snapshot_subscriber *b = snapshot_find_subscriber(before, s->id);

		lost += snapshot_causes_sum(&s->total_skipped) + s->unseen;
		snapshot_histogram_difference(&s->stages[LIDARD_STAGE_TAKE],
					      &(b ? b : &no_subscriber)->stages[LIDARD_STAGE_TAKE],
					      &take);
		if (quantile_us(&take, 0.99) >= p99) {
			p99 = quantile_us(&take, 0.99);
			p50 = quantile_us(&take, 0.5);
		}
	}
	fprintf(out, "%8.1f MB/s %9.0f slices/s  lost %" PRIu64
		"  publish to take, worst reader: p50 %.1f us, p99 %.1f us\n",
		(double)bytes / seconds / 1e6, (double)slices / seconds, lost, p50, p99);
	fflush(out);
}

/* ---- at the end ---- */

bool demo_report_is_ok(const struct demo_report *r)
{
	unsigned int i;
	size_t k;

	if (r->failed || !snapshot_adds_up(r->last) || r->last->sensor_count == 0)
		return false;
	for (k = 0; k < r->last->sensor_count; k++)
		if (snapshot_causes_sum(&r->last->sensors[k].dropped) ||
		    r->last->sensors[k].published == 0)
			return false;
	for (i = 0; i < r->member_count; i++) {
		const struct snapshot_subscriber *s = member_of(r->last, &r->members[i]);

		if (s == &no_subscriber || s->total_received == 0 || s->unseen ||
		    s->lost_upstream || snapshot_causes_sum(&s->total_skipped))
			return false;
	}
	return true;
}

static double growth_s(uint64_t now, uint64_t before)
{
	return now > before ? (double)(now - before) / 1e9 : 0;
}

static double fill_cpu_s(const struct demo_report *r)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < r->last->sensor_count; i++)
		sum += growth_s(r->last->sensors[i].fill_cpu_ns,
				sensor_of(r->first, r->last->sensors[i].name)->fill_cpu_ns);
	return sum;
}

/* CPU time of lidard for each filled slice. */
struct work {
	/* lidard measures some slices only; a run of few slices may have none of them */
	bool measured;
	/* in the transport's publish(): into each reader's queue, and those woken who sleep */
	double transport_us;
	/* all else: account, header, the next loan */
	double own_us;
};

static struct work get_work(const struct demo_report *r)
{
	double all_s = 0, transport_s = 0, slices = 0;
	size_t i;

	for (i = 0; i < r->last->sensor_count; i++) {
		const struct snapshot_sensor *last = &r->last->sensors[i];
		const struct snapshot_sensor *first = sensor_of(r->first, last->name);

		all_s += growth_s(last->publish_cpu_ns, first->publish_cpu_ns);
		transport_s += growth_s(last->transport_cpu_ns, first->transport_cpu_ns);
		slices += (double)(last->published - first->published);
	}
	if (slices == 0 || all_s == 0)
		return (struct work){ .measured = false };
	return (struct work){
		.measured = true,
		.transport_us = transport_s * 1e6 / slices,
		.own_us = (all_s - transport_s) * 1e6 / slices,
	};
}

static double gigabytes(const struct demo_report *r)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < r->last->sensor_count; i++)
		sum += growth_s(r->last->sensors[i].bytes,
				sensor_of(r->first, r->last->sensors[i].name)->bytes);
	return sum;
}

static double per_gb(double value, double gb)
{
	return gb > 0 ? value / gb : 0;
}

static double member_rate(const struct demo_report *r, const struct demo_member *m)
{
	return growth_s(member_of(r->last, m)->bytes, member_of(r->first, m)->bytes) * 1e3 /
	       seconds_between(r->first, r->last);
}

static void print_causes(FILE *out, const struct snapshot_causes *causes)
{
	unsigned int i;

	for (i = 0; i < causes->count; i++)
		fprintf(out, "%s%s %" PRIu64, i ? ", " : "", causes->list[i].name,
			causes->list[i].count);
}

static void print_received(const struct demo_report *r, FILE *out)
{
	double seconds = seconds_between(r->first, r->last);
	unsigned int i;

	fprintf(out, "\n%-14s %8s %10s %8s %8s %8s %8s %8s %7s %9s\n", "PROCESS", "PID", "RECEIVED",
		"L.QUEUE", "L.POLICY", "L.INVAL", "L.UPSTR", "MB/S", "CPU%", "CPU S/GB");
	for (i = 0; i < r->member_count; i++) {
		const struct demo_member *m = &r->members[i];
		const struct snapshot_subscriber *s = member_of(r->last, m);
		double cpu = growth_s(m->cpu_last_ns, m->cpu_first_ns);
		double gb = member_rate(r, m) * seconds / 1e3;
		const struct snapshot_causes *lost = &s->total_skipped;

		fprintf(out, "%-14s %8" PRId64 " %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64
			" %8" PRIu64 " %8.1f %7.1f %9.4f\n", m->reader.name, m->pid,
			s->total_received, snapshot_causes_get(lost, "queue_full") + s->unseen,
			snapshot_causes_get(lost, "policy"), snapshot_causes_get(lost, "invalid"),
			s->lost_upstream, member_rate(r, m), 100 * cpu / seconds, per_gb(cpu, gb));
	}
}

static void print_latencies(const struct demo_report *r, FILE *out)
{
	unsigned int i, stage;

	fprintf(out, "\n%-14s %-8s %10s %10s %10s %10s   (us)\n", "PROCESS", "STAGE", "P50", "P99",
		"P99.9", "MAX");
	for (i = 0; i < r->member_count; i++) {
		const struct snapshot_subscriber *s = member_of(r->last, &r->members[i]);

		for (stage = 0; stage < LIDARD_STAGE_COUNT; stage++) {
			const struct lidard_histogram *h = &s->stages[stage];

			fprintf(out, "%-14s %-8s", stage ? "" : r->members[i].reader.name,
				snapshot_stage_name(stage));
			if (h->count)
				fprintf(out, " %10.1f %10.1f %10.1f %10.1f\n", quantile_us(h, 0.5),
					quantile_us(h, 0.99), quantile_us(h, 0.999), us(h->max_ns));
			else
				fprintf(out, " %10s %10s %10s %10s\n", "-", "-", "-", "-");
		}
	}
}

static const char *verdict(bool ok)
{
	return ok ? "ok" : "*** VIOLATED ***";
}

static void print_account(const struct demo_report *r, FILE *out)
{
	unsigned int i;
	size_t k;

	fputs("\nACCOUNT\n", out);
	for (k = 0; k < r->last->sensor_count; k++) {
		const struct snapshot_sensor *s = &r->last->sensors[k];

		fprintf(out, "  sensor %s: %" PRIu64 " produced = %" PRIu64 " published + %" PRIu64
			" dropped: %s  (", s->name, s->produced, s->published,
			snapshot_causes_sum(&s->dropped),
			verdict(s->accounting_ok && snapshot_sensor_adds_up(s)));
		print_causes(out, &s->dropped);
		fputs(")\n", out);
	}
	for (i = 0; i < r->member_count; i++) {
		const struct snapshot_subscriber *s = member_of(r->last, &r->members[i]);

		fprintf(out, "  %s: %" PRIu64 " published = %" PRIu64 " received + %" PRIu64
			" skipped + %" PRIu64 " waiting: %s\n", r->members[i].reader.name,
			s->published, s->received, snapshot_causes_sum(&s->skipped) + s->unseen,
			s->collecting + (uint64_t)s->waiting, verdict(s->accounting_ok && snapshot_subscriber_adds_up(s)));
	}
}

static void print_work(const struct demo_report *r, FILE *out)
{
	unsigned int i;

	for (i = 0; i < r->member_count; i++) {
		const struct demo_reader *d = &r->members[i].reader;

		if (d->role == DEMO_PERCEPTION)
			fprintf(out, "%s: %" PRIu64 " frames, %" PRIu64 " clusters in the last\n",
				d->name, d->result->frames, d->result->clusters);
		else if (d->role == DEMO_RECORDING)
			fprintf(out, "%s: %" PRIu64 " frames, %" PRIu64 " written (1 of %" PRIu64
				", %.1f MB, in a ring of %.0f MB), %" PRIu64
				" given up for the disk\n", d->name, d->result->frames,
				d->result->kept_frames, d->keep_every,
				(double)d->result->kept_bytes / 1e6, (double)d->record_bytes / 1e6,
				d->result->cut_frames);
	}
}

/* Frames the recording client received and could not write. */
static uint64_t given_up_frames(const struct demo_report *r)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < r->member_count; i++)
		sum += r->members[i].reader.result->cut_frames;
	return sum;
}

static void print_verdict(const struct demo_report *r, FILE *out)
{
	uint64_t given_up = given_up_frames(r);

	if (!snapshot_adds_up(r->last))
		fputs("\n*** VIOLATED: an account does not add up ***\n", out);
	else if (!demo_report_is_ok(r))
		fputs("\nNOT OK: see above what was lost or failed\n", out);
	else
		fputs("\nOK: every account adds up and nothing was lost\n", out);
	if (given_up)
		fprintf(out, "the recording gave up %" PRIu64 " frames: the disk was behind\n",
			given_up);
}

static void print_daemon(const struct demo_report *r, FILE *out)
{
	double cpu = growth_s(r->last->cpu_ns, r->first->cpu_ns), fill = fill_cpu_s(r);
	double gb = gigabytes(r), seconds = seconds_between(r->first, r->last);
	struct work work = get_work(r);

	fprintf(out, "\nlidard: %.2f GB in %.1f s (%.1f MB/s); CPU %.3f s, %.3f s of it writing "
		"the points (a device's DMA would);\n        CPU s/GB %.4f, without writing %.4f",
		gb, seconds, gb * 1e3 / seconds, cpu, fill, per_gb(cpu, gb),
		per_gb(cpu - fill, gb));
	if (work.measured)
		fprintf(out, "; for each slice %.1f us of own work, and %.1f us to\n        "
			"hand it to the readers and wake them", work.own_us, work.transport_us);
	fputc('\n', out);
}

void demo_report_print(const struct demo_report *r, FILE *out)
{
	print_received(r, out);
	print_latencies(r, out);
	print_daemon(r, out);
	print_work(r, out);
	print_account(r, out);
	print_verdict(r, out);
}

/* ---- JSON ---- */

/* What was not measured is null. */
static void add_measured(struct json_object *o, const char *key, bool measured, double value)
{
	json_object_object_add(o, key, measured ? json_object_new_double(value) : NULL);
}

static struct json_object *causes_to_json(const struct snapshot_causes *causes)
{
	struct json_object *o = json_object_new_object();
	unsigned int i;

	for (i = 0; i < causes->count; i++)
		json_add_uint(o, causes->list[i].name, causes->list[i].count);
	return o;
}

static struct json_object *latency_to_json(const struct lidard_histogram *h)
{
	struct json_object *o = json_object_new_object();

	add_measured(o, "p50", h->count, quantile_us(h, 0.5));
	add_measured(o, "p99", h->count, quantile_us(h, 0.99));
	add_measured(o, "p999", h->count, quantile_us(h, 0.999));
	add_measured(o, "max", h->count, us(h->max_ns));
	return o;
}

static struct json_object *sensors_to_json(const struct demo_report *r)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < r->last->sensor_count; i++) {
		const struct snapshot_sensor *s = &r->last->sensors[i];
		struct json_object *o = json_object_new_object();

		json_add_text(o, "name", s->name);
		json_add_text(o, "source", s->source);
		json_add_text(o, "model", s->model);
		json_add_uint(o, "produced", s->produced);
		json_add_uint(o, "published", s->published);
		json_object_object_add(o, "dropped", causes_to_json(&s->dropped));
		json_add_uint(o, "bytes", s->bytes);
		json_add_uint(o, "copied_bytes", s->copied_bytes);
		json_add_uint(o, "frames", s->frames);
		json_add_uint(o, "partial_frames", s->partial_frames);
		json_add_uint(o, "packets", s->packets);
		json_add_uint(o, "lost_packets", s->lost_packets);
		json_add_text(o, "state", s->state);
		json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *stages_to_json(const struct snapshot_subscriber *s)
{
	struct json_object *o = json_object_new_object();
	unsigned int i;

	for (i = 0; i < LIDARD_STAGE_COUNT; i++)
		json_object_object_add(o, snapshot_stage_name(i), latency_to_json(&s->stages[i]));
	return o;
}

static struct json_object *member_to_json(const struct demo_report *r, const struct demo_member *m)
{
	const struct snapshot_subscriber *s = member_of(r->last, m);
	struct json_object *o = json_object_new_object();
	struct snapshot_causes skipped = s->total_skipped;
	unsigned int i;

	/* what its queue lost and it has not seen yet is lost all the same */
	for (i = 0; i < skipped.count; i++)
		if (strcmp(skipped.list[i].name, "queue_full") == 0)
			skipped.list[i].count += s->unseen;
	json_add_text(o, "name", m->reader.name);
	json_add_text(o, "role", demo_role_name(m->reader.role));
	json_object_object_add(o, "pid", json_object_new_int64(m->pid));
	json_add_uint(o, "received", s->total_received);
	json_object_object_add(o, "skipped", causes_to_json(&skipped));
	json_add_uint(o, "published", s->published);
	json_object_object_add(o, "waiting", json_object_new_int64(s->waiting));
	json_add_uint(o, "lost_upstream", s->lost_upstream);
	json_add_uint(o, "bytes", s->bytes);
	json_add_real(o, "mb_per_s", member_rate(r, m));
	json_object_object_add(o, "latency_us", latency_to_json(&s->stages[LIDARD_STAGE_TAKE]));
	json_object_object_add(o, "stages_us", stages_to_json(s));
	json_add_real(o, "cpu_s", growth_s(m->cpu_last_ns, m->cpu_first_ns));
	json_add_uint(o, "frames", m->reader.result->frames);
	if (m->reader.role == DEMO_RECORDING) {
		json_add_uint(o, "keep_every", m->reader.keep_every);
		json_add_uint(o, "kept_frames", m->reader.result->kept_frames);
		json_add_uint(o, "kept_bytes", m->reader.result->kept_bytes);
		json_add_uint(o, "given_up_frames", m->reader.result->cut_frames);
		json_add_uint(o, "ring_bytes", m->reader.record_bytes);
	}
	return o;
}

static struct json_object *daemon_to_json(const struct demo_report *r)
{
	double cpu = growth_s(r->last->cpu_ns, r->first->cpu_ns), fill = fill_cpu_s(r);
	struct json_object *o = json_object_new_object();
	struct work work = get_work(r);

	json_add_real(o, "cpu_s", cpu);
	json_add_real(o, "cpu_s_per_gb", per_gb(cpu, gigabytes(r)));
	json_add_real(o, "fill_cpu_s", fill);
	json_add_real(o, "cpu_s_without_fill", cpu - fill);
	json_add_real(o, "cpu_s_per_gb_without_fill", per_gb(cpu - fill, gigabytes(r)));
	add_measured(o, "work_us_per_slice", work.measured, work.own_us);
	add_measured(o, "transport_us_per_slice", work.measured, work.transport_us);
	return o;
}

static struct json_object *frames_to_json(const char *text)
{
	CLEANUP(cleanup_free) char *copy = strdup(text);
	struct json_object *array = json_object_new_array();
	char *line, *next = NULL;

	if (!copy)
		return array;
	for (line = strtok_r(copy, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
		json_object_array_add(array, json_tokener_parse(line));
	return array;
}

struct json_object *demo_report_to_json(const struct demo_report *r)
{
	struct json_object *o = json_object_new_object();
	struct json_object *subscribers = json_object_new_array();
	unsigned int i;

	json_add_bool(o, "ok", demo_report_is_ok(r));
	json_add_real(o, "seconds", seconds_between(r->first, r->last));
	json_object_object_add(o, "sensors", sensors_to_json(r));
	for (i = 0; i < r->member_count; i++)
		json_object_array_add(subscribers, member_to_json(r, &r->members[i]));
	json_object_object_add(o, "subscribers", subscribers);
	json_object_object_add(o, "daemon", daemon_to_json(r));
	if (r->frames)
		json_object_object_add(o, "frames", frames_to_json(r->frames));
	return o;
}
