/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/demo_report.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RECORDED 3

/* A sensor and one recording client that has taken all there was. */
struct run {
	struct snapshot_sensor sensors[2];
	struct snapshot_subscriber subscribers[2];
	struct snapshot first;
	struct snapshot last;
	struct demo_result result;
	struct demo_member member;
	struct demo_report report;
	char *text;
	size_t text_bytes;
};

static struct run run;

static void make_snapshot(struct snapshot *s, unsigned int which, uint64_t slices)
{
	struct snapshot_sensor *sensor = &run.sensors[which];
	struct snapshot_subscriber *subscriber = &run.subscribers[which];

	*sensor = (struct snapshot_sensor){
		.name = "demo",
		.state = "streaming",
		.produced = slices,
		.published = slices,
		.bytes = slices << 20,
		.accounting_ok = true,
	};
	*subscriber = (struct snapshot_subscriber){
		.pid = 7,
		.queue = 64,
		.published = slices,
		.received = slices,
		.total_received = slices,
		.bytes = slices << 20,
		.accounting_ok = true,
	};
	*s = (struct snapshot){
		.now_ns = 1000000000ull * (which + 1),
		.sensors = sensor,
		.sensor_count = 1,
		.subscribers = subscriber,
		.subscriber_count = 1,
	};
}

static void make_run(void)
{
	make_snapshot(&run.first, 0, 10);
	make_snapshot(&run.last, 1, 110);
	run.result = (struct demo_result){ .frames = RECORDED, .kept_frames = RECORDED };
	run.member = (struct demo_member){
		.reader = {
			.role = DEMO_RECORDING,
			.name = "recording",
			.record_bytes = 67000000,
			.keep_every = 1,
			.result = &run.result,
		},
		.pid = 7,
	};
	run.report = (struct demo_report){
		.first = &run.first,
		.last = &run.last,
		.members = &run.member,
		.member_count = 1,
	};
}

static void end_run(void)
{
	free(run.text);
	run.text = NULL;
}

static const char *print_or_fail(void)
{
	FILE *f = open_memstream(&run.text, &run.text_bytes);

	cr_assert(f);
	demo_report_print(&run.report, f);
	fclose(f);
	return run.text;
}

TestSuite(demo_report, .init = make_run, .fini = end_run);

Test(demo_report, a_recording_is_said_to_be_a_ring)
{
	cr_assert(strstr(print_or_fail(), "recording: 3 frames, 3 written (1 of 1, 0.0 MB, in a "
					  "ring of 67 MB), 0 given up for the disk\n"),
		  "%s", run.text);
	cr_assert(strstr(run.text, "\nOK: every account adds up and nothing was lost\n"));
	cr_assert_not(strstr(run.text, "recording gave up"));
}

Test(demo_report, the_verdict_says_what_the_disk_was_too_slow_for)
{
	run.result.cut_frames = 4;
	cr_assert(strstr(print_or_fail(), "\nOK: every account adds up and nothing was lost\n"
					  "the recording gave up 4 frames: the disk was behind\n"),
		  "%s", run.text);
}

Test(demo_report, a_lost_slice_is_not_ok)
{
	run.sensors[1].produced++;
	run.sensors[1].dropped = (struct snapshot_causes){
		.list = { { "no_loan", 1 } }, .count = 1,
	};
	cr_assert(strstr(print_or_fail(), "\nNOT OK: "), "%s", run.text);
	cr_assert_not(demo_report_is_ok(&run.report));
}

Test(demo_report, an_account_that_does_not_add_up_is_violated)
{
	run.sensors[1].produced++;
	cr_assert(strstr(print_or_fail(), "\n*** VIOLATED"), "%s", run.text);
}

Test(demo_report, losses_stand_in_the_columns_of_top)
{
	run.subscribers[1].total_skipped = (struct snapshot_causes){
		.list = { { "invalid", 3 }, { "policy", 2 }, { "queue_full", 1 } }, .count = 3,
	};
	run.subscribers[1].unseen = 4;
	run.subscribers[1].lost_upstream = 6;
	cr_assert(strstr(print_or_fail(), " RECEIVED  L.QUEUE L.POLICY  L.INVAL  L.UPSTR"), "%s",
		  run.text);
	cr_assert(strstr(run.text, "      110        5        2        3        6"), "%s",
		  run.text);
}

/* Return: NAN if it is there and null. */
static double figure_or_fail(const char *group, const char *key)
{
	struct json_object *report = demo_report_to_json(&run.report), *object, *value;
	double figure;

	cr_assert(json_object_object_get_ex(report, group, &object));
	if (json_object_is_type(object, json_type_array))
		cr_assert(json_object_object_get_ex(json_object_array_get_idx(object, 0),
						    "latency_us", &object));
	cr_assert(json_object_object_get_ex(object, key, &value));
	figure = value ? json_object_get_double(value) : NAN;
	json_object_put(report);
	return figure;
}

Test(demo_report, work_that_was_not_measured_is_not_zero)
{
	cr_assert_not(strstr(print_or_fail(), "own work"), "%s", run.text);
	cr_assert(isnan(figure_or_fail("daemon", "work_us_per_slice")));
	cr_assert(isnan(figure_or_fail("daemon", "transport_us_per_slice")));
}

Test(demo_report, work_is_that_of_a_slice)
{
	run.sensors[1].publish_cpu_ns = 300000;
	run.sensors[1].transport_cpu_ns = 200000;
	cr_assert(strstr(print_or_fail(), "for each slice 1.0 us of own work, and 2.0 us to\n"),
		  "%s", run.text);
	cr_assert_float_eq(figure_or_fail("daemon", "work_us_per_slice"), 1, 1e-9);
}

Test(demo_report, a_stage_no_slice_went_through_has_no_latency)
{
	cr_assert(isnan(figure_or_fail("subscribers", "p50")));
	run.subscribers[1].stages[LIDARD_STAGE_TAKE].count = 1;
	run.subscribers[1].stages[LIDARD_STAGE_TAKE].buckets[8] = 1;
	cr_assert_not(isnan(figure_or_fail("subscribers", "p50")));
}
