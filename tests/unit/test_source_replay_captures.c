/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recordings of real sensors, played from file to slices, against statistics
 * computed independently of any code here: a frame's points must be the same
 * whether it comes as one slice or as many.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/source_driver.h"

#define PATIENCE_MS 20000
#define TOLERANCE_M 0.001
#define FRAMES_MAX 8

struct run {
	char vendor[16];
	char capture[64];
	char metadata[64];
	char calibration[64];
	/** The statistics, without the vendor's name. */
	char expected[64];
	uint64_t slice_bytes;
	uint64_t first_slice_bytes;
	bool readers_pace;
};

#define IN_EVERY_WAY(...)                                      \
	{ __VA_ARGS__, 16 << 20, 0, false },                   \
		{ __VA_ARGS__, 64 << 10, 8 << 10, false },     \
		{ __VA_ARGS__, 256 << 10, 16 << 10, true }
#define OUSTER(capture, metadata) IN_EVERY_WAY("ouster", capture, metadata, "", capture)
/* without a model's name the longest turn of all must fit into 100 slices */
#define HESAI(capture, model, expected)                                           \
	{ "hesai", capture, "", model, expected, 16 << 20, 0, false },            \
		{ "hesai", capture, "", model, expected, 16 << 20, 0, true }

static struct run runs[] = {
	OUSTER("OS-0-128-U1_v2.3.0_1024x10", "OS-0-128-U1_v2.3.0_1024x10"),
	OUSTER("OS-0-32-U1_v2.2.0_1024x10", "OS-0-32-U1_v2.2.0_1024x10"),
	OUSTER("OS-1-32-G_v2.1.1_1024x10", "OS-1-32-G_v2.1.1_1024x10"),
	OUSTER("OS-1-128_v2.3.0_1024x10_lb_n3", "OS-1-128_v2.3.0_1024x10"),
	OUSTER("windowed_frame1", "windowed_frame1_0"),
	IN_EVERY_WAY("velodyne", "sample_velodyne_vlp16_gps", "", "", "mrpt_vlp16_gps"),
	IN_EVERY_WAY("velodyne", "velodyne_vlp16_dual", "", "", "nebula_vlp16_dual"),
	HESAI("hesai_xt32", "PandarXT32", "xt32"),
	HESAI("hesai_40p", "Pandar40P", "40p"),
};

struct range {
	double min, max, sum;
};

/* A frame as it came; x, y, z and range as the statistics have it: an Ouster's of first returns. */
struct frame {
	uint64_t id;
	uint64_t points;
	uint64_t second_points;
	uint32_t slices;
	bool partial, last;
	struct range x, y, z, range;
};

static struct frame frames[FRAMES_MAX];
static unsigned int frame_count;
/** Of a sensor that numbers its frames, and whose recordings begin and end with them. */
static bool whole_frames;

static void range_add(struct range *r, uint64_t count, double v)
{
	if (count == 0 || v < r->min)
		r->min = v;
	if (count == 0 || v > r->max)
		r->max = v;
	r->sum += v;
}

static void add_slice(const struct loan *loan)
{
	const struct lidard_slice_header *h = loan->header;
	const struct lidard_point_xyzirt *p = loan->data;
	struct frame *f;
	uint32_t i;

	if (frame_count == 0 || frames[frame_count - 1].id != h->frame_id) {
		cr_assert_lt(frame_count, FRAMES_MAX);
		frames[frame_count++].id = h->frame_id;
	}
	f = &frames[frame_count - 1];
	f->slices++;
	f->partial |= (h->flags & (LIDARD_SLICE_PARTIAL | LIDARD_FRAME_PARTIAL)) != 0;
	f->last |= (h->flags & LIDARD_SLICE_LAST) != 0;
	for (i = 0; i < h->point_count; i++) {
		if (p[i].return_number != 1) {
			f->second_points++;
			if (whole_frames)
				continue;
		}
		range_add(&f->x, f->points, p[i].x);
		range_add(&f->y, f->points, p[i].y);
		range_add(&f->z, f->points, p[i].z);
		range_add(&f->range, f->points, p[i].range);
		f->points++;
	}
}

static void path_to(char *ret, const char *folder, const char *prefix, const char *name,
		    const char *suffix)
{
	const char *data = getenv("LIDARD_TEST_DATA");

	snprintf(ret, PATH_MAX, "%s/%s/%s%s%s", data ? data : "", folder, prefix, name, suffix);
	if (!data || access(ret, R_OK) < 0)
		cr_skip_test("no recordings: %s is absent (LIDARD_TEST_DATA)", ret);
}

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *v;

	cr_assert(json_object_object_get_ex(o, key, &v), "no %s in the statistics", key);
	return v;
}

static uint64_t number(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? (uint64_t)json_object_get_int64(v) : 0;
}

static void expect_range(struct json_object *frame, const char *key, const struct range *r,
			 uint64_t count)
{
	struct json_object *want = member(frame, key);

	cr_expect_float_eq(r->min, json_object_get_double(member(want, "min")), TOLERANCE_M,
			   "%s min %f", key, r->min);
	cr_expect_float_eq(r->max, json_object_get_double(member(want, "max")), TOLERANCE_M,
			   "%s max %f", key, r->max);
	cr_expect_float_eq(r->sum / (double)count, json_object_get_double(member(want, "mean")),
			   TOLERANCE_M, "%s mean %f", key, r->sum / (double)count);
}

static void expect_frames(const char *path)
{
	struct json_object *json = json_object_from_file(path);
	struct json_object *want;
	size_t i;

	cr_assert(json, "%s", path);
	want = member(json, "frames");
	cr_assert_eq(frame_count, json_object_array_length(want));
	for (i = 0; i < frame_count; i++) {
		struct json_object *frame = json_object_array_get_idx(want, i);
		const struct frame *f = &frames[i];

		cr_expect(f->last);
		cr_expect_eq(f->partial, !whole_frames && (i == 0 || i + 1 == frame_count));
		if (whole_frames) {
			cr_expect_eq(f->id, number(frame, "frame_id"));
			cr_expect_eq(f->points, number(frame, "points_nonzero_range"));
			cr_expect_eq(f->second_points, number(frame, "points_nonzero_range2"));
		} else {
			cr_expect_eq(f->id, number(frame, "index"));
			cr_expect_eq(f->points, number(frame, "points_nonzero"));
		}
		expect_range(frame, "x", &f->x, f->points);
		expect_range(frame, "y", &f->y, f->points);
		expect_range(frame, "z", &f->z, f->points);
		expect_range(frame, "range_m", &f->range, f->points);
	}
	json_object_put(json);
}

static void play(struct source_driver *d)
{
	struct loan *loan;
	int result;

	d->source->readers = (struct source_readers){ .connected = 1, .room = 4 };
	while ((result = source_driver_next(d, PATIENCE_MS, &loan)) == SOURCE_FILLED) {
		add_slice(loan);
		source_driver_give_back(d, loan);
	}
	cr_assert_eq(result, SOURCE_END, "%d %s", result, d->problem.text);
}

ParameterizedTestParameters(source_replay_captures, frames_are_as_the_statistics_say)
{
	return cr_make_param_array(struct run, runs, sizeof(runs) / sizeof(runs[0]));
}

ParameterizedTest(struct run *run, source_replay_captures, frames_are_as_the_statistics_say,
		  .timeout = 60)
{
	struct source_driver d = { 0 };
	struct sensor_config config;
	char expected[PATH_MAX], prefix[32];

	source_driver_defaults(&config);
	config.source = SOURCE_KIND_REPLAY;
	config.replay_loop = false;
	config.slice_bytes = run->slice_bytes;
	config.first_slice_bytes = run->first_slice_bytes;
	config.replay_pace = run->readers_pace ? REPLAY_PACE_READERS : REPLAY_PACE_CAPTURE;
	whole_frames = strcmp(run->vendor, "ouster") == 0;
	strcpy(config.decoder, "auto");
	strcpy(config.model, run->vendor);
	snprintf(prefix, sizeof(prefix), "%s_", run->vendor);
	path_to(config.replay_file, run->vendor, "", run->capture, ".pcap");
	if (run->metadata[0])
		path_to(config.metadata, run->vendor, "", run->metadata, ".json");
	if (run->calibration[0])
		path_to(config.calibration, run->vendor, "calibration/", run->calibration, ".csv");
	path_to(expected, "expected", prefix, run->expected, ".json");

	source_driver_start(&d, &config);
	play(&d);
	expect_frames(expected);
	cr_expect_eq(frames[0].slices == 1, run->slice_bytes == 16 << 20);
	cr_expect_eq(d.source->stats.lost_packets, 0);
	cr_expect_eq(d.source->stats.late_packets, 0);
	cr_expect_eq(d.source->stats.bad_packets, 0);
	if (whole_frames)
		cr_expect_eq(d.source->stats.missing_columns, 0);
	cr_expect_eq(d.source->stats.frames, frame_count);
	source_driver_finish(&d);
}
