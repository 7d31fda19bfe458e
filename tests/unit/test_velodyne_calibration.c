/* SPDX-License-Identifier: Apache-2.0 */
#include "decoder/velodyne_calibration.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "bench/packets/velodyne_packet.h"

#define LASER(id, rot, vert) "{ laser_id: " id ", rot_correction: " rot ", vert_correction: " vert " }"

static struct velodyne_calibration calibration;
static struct problem problem;

static int parse(const char *text)
{
	/* exactly that large, so that valgrind sees who reads beyond it */
	size_t bytes = strlen(text);
	char *copy = malloc(bytes + !bytes);
	int r;

	memcpy(copy, text, bytes);
	r = velodyne_calibration_parse("front.yaml", copy, bytes, &calibration, &problem);
	free(copy);
	return r;
}

static void expect_refusal(const char *text, const char *why)
{
	cr_expect_eq(parse(text), -EINVAL, "%s", text);
	cr_expect(strstr(problem.text, why) && strstr(problem.text, "front.yaml"), "%s", problem.text);
	cr_expect_eq(calibration.count, 0);
}

Test(velodyne_calibration, lasers_are_read_by_their_numbers)
{
	char text[32768];
	unsigned int i;

	velodyne_packet_calibration(128, text, sizeof(text));
	cr_assert_eq(parse(text), 0, "%s", problem.text);
	cr_assert_eq(calibration.count, 128);
	for (i = 0; i < 128; i++) {
		cr_expect_float_eq(calibration.lasers[i].elevation_rad,
				   velodyne_packet_elevation_rad(i), 1e-6);
		cr_expect_float_eq(calibration.lasers[i].offset_rad, velodyne_packet_offset_rad(i), 1e-6);
	}
}

Test(velodyne_calibration, lasers_may_be_in_any_order_and_without_their_number)
{
	cr_assert_eq(parse("lasers: [" LASER("1", "0.5", "-0.25") ", " LASER("0", "0", "1e-1") "]"), 0,
		     "%s", problem.text);
	cr_expect_eq(calibration.count, 2);
	cr_expect_float_eq(calibration.lasers[1].offset_rad, 0.5, 1e-9);
	cr_expect_float_eq(calibration.lasers[0].elevation_rad, 0.1, 1e-9);
}

Test(velodyne_calibration, what_is_no_calibration_is_refused)
{
	expect_refusal("", "lasers");
	expect_refusal("lasers", "lasers");
	expect_refusal("- 1\n", "lasers");
	expect_refusal("lasers: 7\n", "lasers");
	expect_refusal("lasers: [\n", "no YAML");
	expect_refusal("{ \"a\": \x01 }", "no YAML");
}

Test(velodyne_calibration, mistakes_are_told_with_their_lines)
{
	expect_refusal("lasers:\n- " LASER("0", "x", "0"), ":2: rot_correction must be a number");
	expect_refusal("lasers:\n- " LASER("0", "0", "1.6"), ":2: vert_correction must be a number");
	expect_refusal("lasers:\n- " LASER("0", "nan", "0"), ":2: rot_correction");
	expect_refusal("lasers:\n- " LASER("0", "[1]", "0"), ":2: rot_correction");
	expect_refusal("lasers:\n- { laser_id: 0, rot_correction: 0 }", "has no vert_correction");
	expect_refusal("lasers:\n- " LASER("0.5", "0", "0"), "laser_id must count");
	expect_refusal("lasers:\n- " LASER("-1", "0", "0"), "laser_id must count");
	expect_refusal("lasers:\n- " LASER("128", "0", "0"), "laser_id must be a number");
	expect_refusal("lasers:\n- 1", "has no laser_id");
}

Test(velodyne_calibration, lasers_must_be_complete)
{
	expect_refusal("lasers: []", "num_lasers is 0");
	expect_refusal("lasers: [" LASER("1", "0", "0") "]", "no laser_id 0");
	expect_refusal("lasers: [" LASER("0", "0", "0") ", " LASER("0", "0", "0") "]", "twice");
	expect_refusal("num_lasers: 2\nlasers: [" LASER("0", "0", "0") "]", "num_lasers is 2");
	expect_refusal("num_lasers: [2]\nlasers: [" LASER("0", "0", "0") "]", "num_lasers must be");
}
