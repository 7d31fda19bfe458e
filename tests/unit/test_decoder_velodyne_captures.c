/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording of a VLP-16 with two returns, and one turn of it as another
 * driver has it: that one does not interpolate the second return's azimuth, so
 * its points lie up to 5 cm beside ours.
 */
#include "decoder/decoder.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/capture.h"

#define TOLERANCE_M 0.05f
#define POINTS_MAX 200000
#define LASERS 16

/* As the file's header says. */
struct other_point {
	float x, y, z;
	uint8_t intensity;
	uint8_t return_type;
	uint16_t channel;
	float azimuth, elevation, distance;
	uint32_t time_stamp;
};

_Static_assert(sizeof(struct other_point) == 32, "SIZE 4 4 4 1 1 2 4 4 4 4");

static struct lidard_point_xyzirt points[POINTS_MAX];
static uint32_t point_count;

static const char *path_of(const char *name)
{
	static char path[PATH_MAX];
	const char *folder = getenv("LIDARD_TEST_DATA");

	snprintf(path, sizeof(path), "%s/velodyne/%s", folder ? folder : "", name);
	if (!folder || access(path, R_OK) < 0)
		cr_skip_test("no recordings: %s is absent (LIDARD_TEST_DATA)", path);
	return path;
}

static void decode_capture(const char *path, struct decoder *d)
{
	static struct decoder_packet p;
	struct problem problem = { "" };
	struct capture *capture;
	struct datagram datagram;
	unsigned int i;
	int r;

	cr_assert_eq(capture_open(path, &capture, &problem), 0, "%s", problem.text);
	while ((r = capture_next(capture, &datagram, &problem)) != CAPTURE_END) {
		cr_assert_geq(r, 0, "%s", problem.text);
		if (r != CAPTURE_DATAGRAM ||
		    d->ops->look(d, datagram.data, datagram.bytes, &p) != DECODER_POINTS)
			continue;
		for (i = 0; i < p.column_count; i++) {
			cr_assert_leq(point_count + d->geometry.column_points, POINTS_MAX);
			point_count += d->ops->points(d, &p, i, points + point_count);
		}
	}
	capture_free(capture);
}

/* The other driver counts lasers from the lowest; the sensor fires low and high ones by turns. */
static unsigned int laser_of(unsigned int channel)
{
	return channel < LASERS / 2 ? 2 * channel : 2 * channel + 1 - LASERS;
}

static bool is_found(const struct other_point *o)
{
	uint32_t i;

	for (i = 0; i < point_count; i++) {
		const struct lidard_point_xyzirt *p = &points[i];
		float dx = p->x - o->x, dy = p->y - o->y, dz = p->z - o->z;

		if (p->ring == laser_of(o->channel) && fabsf(p->range - o->distance) < 0.0015f &&
		    dx * dx + dy * dy + dz * dz <= TOLERANCE_M * TOLERANCE_M)
			return true;
	}
	return false;
}

Test(decoder_velodyne_captures, every_point_of_another_driver_is_found, .timeout = 120)
{
	struct decoder_sensor s = { .name = "front", .model = "", .metadata_path = "",
				    .calibration_path = "" };
	struct problem problem = { "" };
	struct other_point o;
	struct decoder *d;
	unsigned int count = 0, found = 0;
	char line[256];
	FILE *f;

	cr_assert_eq(decoder_velodyne.open(&s, &d, &problem), 0, "%s", problem.text);
	decode_capture(path_of("velodyne_vlp16_dual.pcap"), d);
	d->ops->free(d);
	f = fopen(path_of("velodyne_vlp16_dual.pcd"), "re");
	cr_assert_not_null(f);
	while (fgets(line, sizeof(line), f) && strcmp(line, "DATA binary\n") != 0)
		;
	while (fread(&o, sizeof(o), 1, f) == 1) {
		count++;
		found += is_found(&o);
	}
	fclose(f);
	cr_expect_eq(count, 14831);
	cr_expect_eq(found, count, "%u of %u", found, count);
}

Test(decoder_velodyne_captures, calibration_files_of_other_drivers_are_read)
{
	static const struct {
		const char *file, *model;
	} files[] = { { "VLP16.yaml", "VLP-16" }, { "HDL32.yaml", "HDL-32E" },
		      { "VLP32.yaml", "VLP-32C" }, { "VLS128.yaml", "VLS-128" } };
	struct problem problem = { "" };
	struct decoder *d;
	char name[64];
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct decoder_sensor s = { .name = "front", .model = files[i].model,
					    .metadata_path = "" };

		snprintf(name, sizeof(name), "calibration/%s", files[i].file);
		s.calibration_path = path_of(name);
		cr_assert_eq(decoder_velodyne.open(&s, &d, &problem), 0, "%s", problem.text);
		d->ops->free(d);
	}
}
