/* SPDX-License-Identifier: Apache-2.0 */
/* latency_show.c - figures of stages as a table, drawn, as JSON; see latency.h */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/histogram.h"
#include "common/json_add.h"
#include "tools/holders.h"
#include "tools/latency.h"

#define BAR_MAX 50

static const double quantiles[] = { 0.5, 0.9, 0.99, 0.999 };

#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

/* Where the figures are from comes first, whatever they look like. */
static void print_source(const struct latency_figures *f, const char *eol)
{
	printf("%s%s", f->note[0] ? f->note : "from BPF: every slice that lidard-trace has watched",
	       eol);
}

#define DURATION_MAX 24

static const char *duration(uint64_t ns, char text[DURATION_MAX])
{
	if (ns >= 1000000000)
		snprintf(text, DURATION_MAX, "%.2f s", (double)ns / 1e9);
	else if (ns >= 1000000)
		snprintf(text, DURATION_MAX, "%.2f ms", (double)ns / 1e6);
	else if (ns >= 1000)
		snprintf(text, DURATION_MAX, "%.2f us", (double)ns / 1e3);
	else
		snprintf(text, DURATION_MAX, "%" PRIu64 " ns", ns);
	return text;
}

/* ---- A table ---------------------------------------------------------------------- */

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

/* To the nanosecond where one counts. */
static void print_us(uint64_t ns)
{
	printf(ns < 10000 ? " %10.3f" : " %10.1f", (double)ns / 1e3);
}

static void print_row(const struct latency_row *row, const char *eol)
{
	const struct lidard_histogram *h = &row->histogram;
	size_t i;

	printf("%-16s %-20s %-9s %9" PRIu64, row->sensor, or_dash(row->client),
	       trace_stage_name(row->stage), h->count);
	for (i = 0; i < QUANTILES; i++)
		print_us(histogram_quantile_ns(h, quantiles[i]));
	print_us(h->max_ns);
	fputs(eol, stdout);
}

static uint64_t drops_before(const struct latency_figures *before, const struct trace_drop *d)
{
	const struct trace_picture *p = before ? before->picture : NULL;
	size_t i;

	for (i = 0; p && i < p->drop_count; i++)
		if (memcmp(&p->drops[i].key, &d->key, sizeof(d->key)) == 0)
			return p->drops[i].drops.count;
	return 0;
}

static void print_drop(const struct lidard_trace_drop_key *key, uint64_t count, const char *eol)
{
	printf("%-16s %-20s ", key->reader.sensor, or_dash(key->reader.client));
	if (key->cause == LIDARD_TRACE_NOT_COUNTED)
		printf("not counted: %" PRIu64 " durations, no memory for their histograms%s", count, eol);
	else
		printf("lost: %" PRIu64 " %s%s", count, trace_cause_name(key->cause), eol);
}

/* Return: how many lines. */
static size_t print_drops(const struct latency_figures *f, const struct latency_figures *before,
			  const char *eol)
{
	size_t i, lines = 0;

	for (i = 0; f->picture && i < f->picture->drop_count; i++) {
		const struct trace_drop *d = &f->picture->drops[i];
		uint64_t old = drops_before(before, d);

		/* fewer than before: the maps were begun anew meanwhile */
		if (d->drops.count == old)
			continue;
		print_drop(&d->key, d->drops.count - (d->drops.count > old ? old : 0), eol);
		lines++;
	}
	return lines;
}

static void print_holders(const struct latency_options *o, const struct latency_figures *f,
			  const char *eol)
{
	size_t i;

	for (i = 0; f->snapshot && i < f->snapshot->sensor_count; i++)
		if (latency_selects(o, f->snapshot->sensors[i].name, ""))
			holders_print(f->snapshot, &f->snapshot->sensors[i], eol);
}

void latency_print_rows(const struct latency_options *o, const struct latency_figures *f,
			const struct latency_figures *before, const char *eol)
{
	struct latency_row row;
	size_t i, lines = 0;

	if (before && !f->note[0])
		printf("from BPF: what came since the last picture%s", eol);
	else
		print_source(f, eol);
	printf("%-16s %-20s %-9s %9s %10s %10s %10s %10s %10s%s", "SENSOR", "CLIENT", "STAGE",
	       "COUNT", "P50 US", "P90 US", "P99 US", "P99.9 US", "MAX US", eol);
	for (i = 0; i < f->count; i++) {
		row = f->rows[i];
		if (before)
			latency_since(&f->rows[i], before, &row);
		if (row.histogram.count == 0)
			continue;
		print_row(&row, eol);
		lines++;
	}
	lines += print_drops(f, before, eol);
	if (lines == 0)
		printf("no slice was counted (of these sensors and clients, %s)%s",
		       before ? "since then" : "so far", eol);
	print_holders(o, f, eol);
}

/* ---- Drawn -------------------------------------------------------------------------- */

/* A line for each quarter of a power of two: eight buckets. */
#define BUCKETS_A_LINE (LIDARD_HISTOGRAM_SUB / 4)
#define LINES (LIDARD_HISTOGRAM_BUCKETS / BUCKETS_A_LINE)

static void draw(const struct lidard_histogram *h)
{
	uint64_t lines[LINES] = {}, most = 0;
	unsigned int i, j, first = LINES, last = 0, width;
	char text[DURATION_MAX];

	for (i = 0; i < LINES; i++) {
		for (j = 0; j < BUCKETS_A_LINE; j++)
			lines[i] += h->buckets[i * BUCKETS_A_LINE + j];
		if (lines[i] == 0)
			continue;
		first = first < i ? first : i;
		last = i;
		most = lines[i] > most ? lines[i] : most;
	}
	for (i = first; i <= last && i < LINES; i++) {
		/* a gap of more than three lines is one */
		for (j = i; lines[j] == 0; j++)
			;
		if (j - i > 3) {
			puts("         ...         0 |");
			i = j - 1;
			continue;
		}
		/* what is there at all is seen */
		width = (unsigned int)((lines[i] * BAR_MAX + most - 1) / most);
		printf("  %10s %9" PRIu64 " |%.*s\n",
		       duration(histogram_bucket_floor_ns(i * BUCKETS_A_LINE), text), lines[i],
		       (int)width, "##################################################");
	}
}

static void print_histogram(const struct latency_row *row)
{
	const struct lidard_histogram *h = &row->histogram;
	char median[DURATION_MAX], late[DURATION_MAX], most[DURATION_MAX];

	printf("\n%s %s %s: %" PRIu64 " slices, half within %s, 99 %% within %s, all within %s\n",
	       row->sensor, or_dash(row->client), trace_stage_name(row->stage), h->count,
	       duration(histogram_quantile_ns(h, 0.5), median),
	       duration(histogram_quantile_ns(h, 0.99), late), duration(h->max_ns, most));
	printf("  %10s %9s\n", "FROM", "SLICES");
	draw(h);
}

void latency_print_histograms(const struct latency_figures *f)
{
	size_t i;

	print_source(f, "\n");
	for (i = 0; i < f->count; i++)
		print_histogram(&f->rows[i]);
	if (f->count == 0)
		puts("no slice was counted (of these sensors and clients, so far)");
}

/* ---- Outliers ------------------------------------------------------------------------- */

static const char *const meaning[TRACE_BLAME_COUNT] = {
	[TRACE_BLAME_DEVICE] = "it took long from the first byte to the last",
	[TRACE_BLAME_DAEMON] = "lidard learned late that it was filled",
	[TRACE_BLAME_PUBLISH] = "handing it to the transport took long",
	[TRACE_BLAME_WAKE] = "the reader was not woken, or slept elsewhere",
	[TRACE_BLAME_STOPPED] = "the reader was stopped by a signal or a debugger",
	[TRACE_BLAME_RUN_QUEUE] = "a thread could run and had no CPU",
	[TRACE_BLAME_CODE] = "the reader's own code, or slices before this one",
	[TRACE_BLAME_HOLD] = "the reader took it and kept it",
};

static void print_parts(const struct trace_breakdown *b)
{
	const char *between = "   ";
	unsigned int i;

	for (i = 0; i < TRACE_BLAME_COUNT; i++) {
		if (!b->parts_ns[i])
			continue;
		printf("%s %s %.3f", between, trace_blame_name((enum trace_blame)i),
		       (double)b->parts_ns[i] / 1e6);
		between = " +";
	}
	puts(" ms");
}

static void print_outlier(const struct lidard_trace_outlier *o, uint64_t fill_ns, uint64_t now_ns)
{
	struct trace_breakdown b = trace_blame_find(o, fill_ns);

	printf("#%" PRIu64 " %s seq %" PRIu64 " frame %" PRIu64 ", %s (pid %u, CPU %u), %.1f s ago\n",
	       o->number, o->reader.sensor, o->seq, o->frame_id, o->reader.client, o->pid, o->cpu,
	       now_ns > o->taken_ns ? (double)(now_ns - o->taken_ns) / 1e9 : 0);
	printf("    to blame: %s (%s)", trace_blame_name(b.blame), meaning[b.blame]);
	if (b.instead)
		printf(": %s (pid %u) ran on CPU %u for %.3f ms", b.instead->comm, b.instead->pid,
		       b.instead->cpu, (double)b.instead->longest_ns / 1e6);
	puts("");
	print_parts(&b);
}

static void print_threshold(const char *what, uint64_t ns)
{
	char text[DURATION_MAX];

	printf("  %-36s %s\n", what, ns ? duration(ns, text) : "never");
}

void latency_print_outliers(const struct latency_options *options, const struct latency_figures *f)
{
	const struct trace_picture *p = f->picture;
	uint64_t now_ns = clock_now_ns();
	size_t i, count = 0;

	print_source(f, "\n");
	if (!p)
		return;
	puts("listed is a slice that was");
	print_threshold("taken this long after it was filled:", p->settings.late_ns);
	print_threshold("held this long:", p->settings.hold_ns);
	print_threshold("being filled this long:", p->settings.fill_ns);
	for (i = 0; i < p->outlier_count; i++) {
		if (!latency_selects(options, p->outliers[i].reader.sensor,
				     p->outliers[i].reader.client))
			continue;
		print_outlier(&p->outliers[i], p->settings.fill_ns, now_ns);
		count++;
	}
	if (count == 0)
		puts("none");
}

/* ---- JSON ------------------------------------------------------------------------------- */

static struct json_object *row_to_json(const struct latency_row *row)
{
	struct json_object *o = json_object_new_object(), *buckets = json_object_new_array(), *pair;
	const struct lidard_histogram *h = &row->histogram;
	unsigned int i;

	json_add_text(o, "sensor", row->sensor);
	json_add_text(o, "client", row->client);
	json_add_text(o, "stage", trace_stage_name(row->stage));
	json_add_uint(o, "count", h->count);
	json_add_uint(o, "sum_ns", h->sum_ns);
	json_add_uint(o, "p50_ns", histogram_quantile_ns(h, 0.5));
	json_add_uint(o, "p90_ns", histogram_quantile_ns(h, 0.9));
	json_add_uint(o, "p99_ns", histogram_quantile_ns(h, 0.99));
	json_add_uint(o, "p999_ns", histogram_quantile_ns(h, 0.999));
	json_add_uint(o, "max_ns", h->max_ns);
	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++) {
		if (h->buckets[i] == 0)
			continue;
		pair = json_object_new_array();
		json_object_array_add(pair, json_object_new_uint64(histogram_bucket_floor_ns(i)));
		json_object_array_add(pair, json_object_new_uint64(h->buckets[i]));
		json_object_array_add(buckets, pair);
	}
	json_object_object_add(o, "buckets", buckets);
	return o;
}

static struct json_object *drop_to_json(const struct trace_drop *d)
{
	struct json_object *o = json_object_new_object();

	json_add_text(o, "sensor", d->key.reader.sensor);
	json_add_text(o, "client", d->key.reader.client);
	json_add_text(o, "cause", trace_cause_name(d->key.cause));
	json_add_uint(o, "count", d->drops.count);
	json_add_uint(o, "last_ns", d->drops.last_ns);
	return o;
}

static struct json_object *holder_to_json(const struct snapshot_subscriber *s)
{
	struct json_object *o = json_object_new_object();

	json_add_text(o, "sensor", s->sensor);
	json_add_text(o, "client", s->name);
	json_add_uint(o, "pid", (uint64_t)s->pid);
	json_add_uint(o, "held", s->held);
	json_add_uint(o, "waiting", s->waiting > 0 ? (uint64_t)s->waiting : 0);
	return o;
}

/* Of sensors that found no memory. */
static struct json_object *holders_to_json(const struct latency_options *options,
					   const struct snapshot *s)
{
	struct json_object *holders = json_object_new_array();
	const struct snapshot_sensor *sensor;
	size_t i;

	for (i = 0; s && i < s->subscriber_count; i++) {
		sensor = snapshot_find_sensor(s, s->subscribers[i].sensor);
		if (sensor && sensor->loans_exhausted &&
		    latency_selects(options, sensor->name, s->subscribers[i].name))
			json_object_array_add(holders, holder_to_json(&s->subscribers[i]));
	}
	return holders;
}

static struct json_object *outlier_to_json(const struct lidard_trace_outlier *outlier,
					   uint64_t fill_ns)
{
	struct trace_breakdown b = trace_blame_find(outlier, fill_ns);
	struct json_object *o = json_object_new_object(), *parts = json_object_new_object();
	unsigned int i;

	json_add_uint(o, "number", outlier->number);
	json_add_text(o, "sensor", outlier->reader.sensor);
	json_add_text(o, "client", outlier->reader.client);
	json_add_uint(o, "seq", outlier->seq);
	json_add_uint(o, "frame_id", outlier->frame_id);
	json_add_uint(o, "taken_ns", outlier->taken_ns);
	json_add_uint(o, "pid", outlier->pid);
	json_add_uint(o, "tid", outlier->tid);
	json_add_uint(o, "cpu", outlier->cpu);
	json_add_text(o, "blame", trace_blame_name(b.blame));
	for (i = 0; i < TRACE_BLAME_COUNT; i++)
		json_add_uint(parts, trace_blame_name((enum trace_blame)i), b.parts_ns[i]);
	json_object_object_add(o, "parts_ns", parts);
	if (b.instead) {
		json_add_text(o, "instead", b.instead->comm);
		json_add_uint(o, "instead_pid", b.instead->pid);
		json_add_uint(o, "instead_cpu", b.instead->cpu);
		json_add_uint(o, "instead_ns", b.instead->longest_ns);
	}
	return o;
}

struct json_object *latency_to_json(const struct latency_options *options,
				    const struct latency_figures *f)
{
	struct json_object *o = json_object_new_object(), *latencies = json_object_new_array();
	struct json_object *drops = json_object_new_array(), *outliers = json_object_new_array();
	const struct trace_picture *p = f->picture;
	size_t i;

	json_add_text(o, "source", p ? "bpf" : "stamps");
	json_add_text(o, "note", f->note);
	for (i = 0; i < f->count; i++)
		json_object_array_add(latencies, row_to_json(&f->rows[i]));
	for (i = 0; p && i < p->drop_count; i++)
		json_object_array_add(drops, drop_to_json(&p->drops[i]));
	for (i = 0; p && i < p->outlier_count; i++)
		if (latency_selects(options, p->outliers[i].reader.sensor,
				    p->outliers[i].reader.client))
			json_object_array_add(outliers,
					      outlier_to_json(&p->outliers[i], p->settings.fill_ns));
	json_object_object_add(o, "latencies", latencies);
	json_object_object_add(o, "drops", drops);
	json_object_object_add(o, "outliers", outliers);
	json_object_object_add(o, "holders", holders_to_json(options, f->snapshot));
	return o;
}
