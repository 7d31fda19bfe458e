/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c - lidarctl status: does everything add up, and who holds what
 *
 * One picture of the daemon.  Every slice a sensor produced is either
 * published or dropped for a named cause; every published slice was taken,
 * skipped for a named cause, or is waiting.  If a sum is wrong the word
 * VIOLATED stands beside it and the exit code is 1.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/histogram.h"
#include "lidard/control.h"
#include "tools/command.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/holders.h"
#include "tools/snapshot.h"

struct status_options {
	struct common_options common;
	bool json;
};

static const struct option_row status_rows[] = {
	OPTION_ROW_FLAG(struct status_options, json, "json", "print lidard's reply as it is"),
	COMMAND_COMMON_ROWS(struct status_options),
};

static void print_causes(const struct snapshot_causes *causes)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < causes->count; i++) {
		if (causes->list[i].count == 0)
			continue;
		printf("%s%" PRIu64 " %s", any ? ", " : " (", causes->list[i].count,
		       causes->list[i].name);
		any = true;
	}
	if (any)
		putchar(')');
}

static const char *verdict(bool lidard_says_ok, bool adds_up)
{
	return lidard_says_ok && adds_up ? "ok" : "*** VIOLATED ***";
}

static void print_packets(const struct snapshot_sensor *s)
{
	if (s->packets == 0 && s->lost_packets == 0 && s->bad_packets == 0)
		return;
	printf("  packets     %" PRIu64 " taken, %" PRIu64 " lost, %" PRIu64 " bad, %" PRIu64
	       " late, %" PRIu64 " twice, %" PRIu64 " ignored\n", s->packets, s->lost_packets,
	       s->bad_packets, s->late_packets, s->duplicate_packets, s->ignored_packets);
	if (s->overflow_packets)
		printf("              %" PRIu64 " dropped by the kernel: its receive buffer was full\n",
		       s->overflow_packets);
}

static void print_offset(const struct snapshot_clock *c)
{
	if (strcmp(c->offset, "unknown") == 0)
		printf(", offset to TAI unknown");
	else
		printf(", TAI %+.6f s (%s)", (double)c->offset_ns / 1e9, c->offset);
}

static void print_clock(const struct snapshot_sensor *s)
{
	const struct snapshot_clock *c = &s->clock;

	if (c->scale[0]) {
		printf("  clock       %s (sensor_clock = %s), lock %s", c->scale, c->configured, c->lock);
		print_offset(c);
		printf(", steps: %" PRIu64 ", locks lost: %" PRIu64 "\n", s->clock_steps,
		       c->locks_lost);
	} else if (s->clock_steps) {
		printf("  clock       the sensor's, steps: %" PRIu64 "\n", s->clock_steps);
	}
	if (c->problem[0])
		printf("              %s\n", c->problem);
}

static void print_sensor(const struct snapshot_sensor *s)
{
	printf("sensor %s: %s", s->name, s->state);
	printf(" (%s%s%s%s%s)\n", s->source, s->model[0] ? ", " : "", s->model,
	       s->serial[0] ? ", serial " : "", s->serial);
	if (s->error[0])
		printf("  ERROR       %s\n", s->error);
	printf("  slices      %" PRIu64 " produced = %" PRIu64 " published + %" PRIu64 " dropped",
	       s->produced, s->published, snapshot_causes_sum(&s->dropped));
	print_causes(&s->dropped);
	printf(": %s\n", verdict(s->accounting_ok, snapshot_sensor_adds_up(s)));
	printf("  frames      %" PRIu64 ", %" PRIu64 " partial, %" PRIu64 " columns missing\n",
	       s->frames, s->partial_frames, s->missing_columns);
	print_packets(s);
	print_clock(s);
	printf("  memory      %" PRIu64 " of %" PRIu64 " slices reserved by subscribers, "
	       "%" PRIu64 " of %" PRIu64 " loans out, none to lend %" PRIu64 " times\n",
	       s->reserved_slices, s->subscriber_slices, s->loans_lent, s->loans_configured,
	       s->loans_exhausted);
	if (s->restarts)
		printf("  restarts    %" PRIu64 "\n", s->restarts);
}

static void print_subscriber(const struct snapshot_subscriber *s)
{
	const struct lidard_histogram *take = &s->stages[LIDARD_STAGE_TAKE];

	printf("subscriber %s (pid %" PRId64 ") of %s: %s\n", s->name, s->pid, s->sensor,
	       strcmp(s->state, "live") != 0 ? s->state : s->connected ? "connected" : "not connected");
	printf("  slices      %" PRIu64 " published = %" PRIu64 " received + %" PRIu64 " skipped",
	       s->published, s->received, snapshot_causes_sum(&s->skipped) + s->unseen);
	print_causes(&s->skipped);
	if (s->unseen)
		printf(" (%" PRIu64 " of them not noticed yet)", s->unseen);
	if (s->collecting)
		printf(" + %" PRIu64 " of a frame that is not whole yet", s->collecting);
	printf(" + %" PRId64 " waiting: %s\n", s->waiting,
	       verdict(s->accounting_ok, snapshot_subscriber_adds_up(s)));
	printf("  holds       %" PRIu64 " of %" PRIu64 ", waiting %" PRId64 " of %" PRIu64
	       ", lost before publication %" PRIu64 "\n",
	       s->held, s->held_limit, s->waiting, s->queue, s->lost_upstream);
	printf("  latency     publish to take: p50 %.1f us, p99 %.1f us, max %.1f us\n",
	       (double)histogram_quantile_ns(take, 0.5) / 1e3,
	       (double)histogram_quantile_ns(take, 0.99) / 1e3, (double)take->max_ns / 1e3);
}

static void print_status(const struct snapshot *s)
{
	size_t i;

	printf("lidard %s (pid %" PRId64 "): %s\n", s->version, s->pid, s->status);
	printf("up %.0f s, CPU %.2f s, transport %s %s\n",
	       (double)(s->now_ns - s->started_ns) / 1e9, (double)s->cpu_ns / 1e9, s->transport,
	       s->transport_state);
	for (i = 0; i < s->pool_count; i++)
		printf("pool of %" PRIu64 " byte slices: %" PRIu64 " of %" PRIu64
		       " used, %" PRIu64 " free at the worst\n", s->pools[i].payload_bytes,
		       s->pools[i].used, s->pools[i].chunks, s->pools[i].min_free);
	for (i = 0; i < s->sensor_count; i++)
		print_sensor(&s->sensors[i]);
	for (i = 0; i < s->subscriber_count; i++)
		print_subscriber(&s->subscribers[i]);
	for (i = 0; i < s->sensor_count; i++)
		holders_print(s, &s->sensors[i], "\n");
}

static int status_run(const void *data, char **arguments)
{
	const struct status_options *options = data;
	struct lidard_client *client;
	struct snapshot *snapshot;
	struct json_object *reply;
	bool ok;
	int r;

	if (connect_lidard(options->common.socket, "lidarctl", &client) < 0)
		return COMMAND_FAILED;
	r = connect_call_or_complain(client, LIDARD_METHOD_GET_STATUS, &reply);
	lidard_client_free(client);
	if (r < 0)
		return COMMAND_FAILED;
	r = snapshot_parse(reply, &snapshot);
	if (r < 0) {
		complain("lidard's status makes no sense: %s", strerror(-r));
		json_object_put(reply);
		return COMMAND_FAILED;
	}
	if (options->json)
		puts(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PRETTY));
	else
		print_status(snapshot);
	ok = snapshot_adds_up(snapshot);
	if (!ok)
		complain("accounting VIOLATED: slices are missing from the account");
	snapshot_free(snapshot);
	json_object_put(reply);
	return ok ? COMMAND_OK : COMMAND_FAILED;
}

const struct command command_status = {
	.name = "status",
	.arguments = "",
	.summary = "does everything add up, and who holds what",
	.description = "Exit status 1 if an account does not add up.\n",
	.options = { status_rows, sizeof(status_rows) / sizeof(status_rows[0]) },
	.options_bytes = sizeof(struct status_options),
	.run = status_run,
};
