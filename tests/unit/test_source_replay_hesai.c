/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recordings of real Hesai sensors, played from file to slices, against the
 * point cloud of one turn that the recording came with.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/source_driver.h"

#define PATIENCE_MS 20000
#define CLOUD_TOLERANCE_M 0.0002
#define POINTS_MAX 600000

struct run {
	char name[32];
	char calibration[32];
	/** "": the decoder finds it out. */
	char model[16];
	uint64_t slice_bytes;
	bool readers_pace;
};

static struct run runs[] = {
	{ "hesai_xt32", "PandarXT32", "", 16 << 20, false },
	{ "hesai_xt32", "PandarXT32", "XT32", 128 << 10, true },
	{ "hesai_40p", "Pandar40P", "", 16 << 20, true },
	{ "hesai_40p", "Pandar40P", "Pandar40P", 128 << 10, false },
};

struct xyz {
	float v[3];
};

static struct xyz *cloud;
static size_t cloud_points;

static void path_to(char *ret, const char *folder, const char *name, const char *suffix)
{
	const char *data = getenv("LIDARD_TEST_DATA");

	snprintf(ret, PATH_MAX, "%s/%s/%s%s", data ? data : "", folder, name, suffix);
	if (!data || access(ret, R_OK) < 0)
		cr_skip_test("no recordings: %s is absent (LIDARD_TEST_DATA)", ret);
}

static void add_slice(const struct loan *loan)
{
	const struct lidard_slice_header *h = loan->header;
	const struct lidard_point_xyzirt *p = loan->data;
	uint32_t i;

	for (i = 0; i < h->point_count; i++) {
		cr_assert_lt(cloud_points, POINTS_MAX);
		cloud[cloud_points++] = (struct xyz){ { p[i].x, p[i].y, p[i].z } };
	}
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

static int by_x(const void *a, const void *b)
{
	const struct xyz *p = a, *q = b;

	return (p->v[0] > q->v[0]) - (p->v[0] < q->v[0]);
}

static size_t first_from(float x)
{
	size_t low = 0, high = cloud_points;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cloud[middle].v[0] < x)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_in_cloud(const struct xyz *p)
{
	size_t i;

	for (i = first_from(p->v[0] - (float)CLOUD_TOLERANCE_M);
	     i < cloud_points && cloud[i].v[0] <= p->v[0] + CLOUD_TOLERANCE_M; i++)
		if (hypot(hypot(cloud[i].v[0] - p->v[0], cloud[i].v[1] - p->v[1]),
			  cloud[i].v[2] - p->v[2]) <= CLOUD_TOLERANCE_M)
			return true;
	return false;
}

/* A binary file of x, y, z and nothing else. */
static void expect_cloud(const char *path)
{
	size_t wanted = 0, found = 0;
	FILE *f = fopen(path, "re");
	char line[256];
	struct xyz p;

	cr_assert(f, "%s", path);
	while (fgets(line, sizeof(line), f) && strncmp(line, "DATA", 4) != 0)
		sscanf(line, "POINTS %zu", &wanted);
	cr_assert_gt(wanted, 50000);
	qsort(cloud, cloud_points, sizeof(*cloud), by_x);
	while (found < wanted && fread(&p, sizeof(p), 1, f) == 1 && is_in_cloud(&p))
		found++;
	cr_expect_eq(found, wanted, "%s: point %zu of %zu is not there", path, found, wanted);
	fclose(f);
}

ParameterizedTestParameters(source_replay_hesai, the_cloud_is_among_the_points)
{
	return cr_make_param_array(struct run, runs, sizeof(runs) / sizeof(runs[0]));
}

ParameterizedTest(struct run *run, source_replay_hesai,
		  the_cloud_is_among_the_points, .timeout = 60)
{
	struct source_driver d = { 0 };
	struct sensor_config config;
	char pcd[PATH_MAX];

	source_driver_defaults(&config);
	config.source = SOURCE_KIND_REPLAY;
	config.replay_loop = false;
	config.slice_bytes = run->slice_bytes;
	config.replay_pace = run->readers_pace ? REPLAY_PACE_READERS : REPLAY_PACE_CAPTURE;
	strcpy(config.decoder, "hesai");
	strcpy(config.model, run->model);
	path_to(config.replay_file, "hesai", run->name, ".pcap");
	path_to(config.calibration, "hesai/calibration", run->calibration, ".csv");
	path_to(pcd, "hesai", run->name, ".pcd");
	cloud = calloc(POINTS_MAX, sizeof(*cloud));
	cr_assert(cloud);

	source_driver_start(&d, &config);
	play(&d);
	expect_cloud(pcd);
	cr_expect_eq(d.source->stats.lost_packets + d.source->stats.late_packets +
		     d.source->stats.bad_packets + d.source->stats.ignored_packets, 0);
	/* what was fired in the first turn before the recording begins */
	cr_expect_lt(d.source->stats.missing_columns, 10);
	source_driver_finish(&d);
	free(cloud);
}
