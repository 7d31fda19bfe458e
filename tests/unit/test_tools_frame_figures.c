/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/frame_figures.h"

#include <criterion/criterion.h>

static struct frame_figures figures;

static void setup(void)
{
	cr_assert_eq(frame_figures_init(&figures), 0);
}

static void teardown(void)
{
	frame_figures_deinit(&figures);
	frame_figures_deinit(&figures);
}

TestSuite(frame_figures, .init = setup, .fini = teardown);

static void add_return(uint16_t ring, unsigned int degrees, float range, uint8_t number)
{
	float a = ((float)degrees + 0.5f) * (float)M_PI / 180;
	const struct lidard_point_xyzirt p = {
		.x = range * cosf(a), .y = range * sinf(a), .z = -0.01f * ring * range,
		.range = range, .ring = ring, .return_number = number,
	};

	frame_figures_add(&figures, &p, 1);
}

static void add(uint16_t ring, unsigned int degrees, float range)
{
	add_return(ring, degrees, range, 1);
}

Test(frame_figures, the_median_is_the_middle_range_of_first_returns)
{
	unsigned int i;

	cr_expect_eq(frame_figures_get_median(&figures), 0, "there is none");
	for (i = 0; i < 5; i++)
		add(0, i, 10);
	for (i = 0; i < 4; i++)
		add(0, 10 + i, 500);
	for (i = 0; i < 20; i++)
		add_return(0, 30 + i, 1, 2);
	add(0, 60, 0);
	add(0, 61, NAN);
	add(0, 62, -1);
	cr_expect_float_eq(frame_figures_get_median(&figures), 10, 0.01);
	add(0, 20, 500);
	add(0, 21, INFINITY);
	cr_expect_float_eq(frame_figures_get_median(&figures), 500, 0.01);
}

Test(frame_figures, a_range_beyond_all_counts_as_far)
{
	add(0, 0, 1e30f);
	cr_expect_float_eq(frame_figures_get_median(&figures), FRAME_FIGURES_RANGES / 100.0, 0.01);
}

Test(frame_figures, a_ring_is_empty_where_it_saw_nothing)
{
	unsigned int i;

	for (i = 0; i < 360; i++)
		add(0, i, 10);
	for (i = 0; i < 90; i++)
		add(2, i, 10);
	cr_expect_eq(frame_figures_get_empty(&figures, 0), 0);
	cr_expect_eq(frame_figures_get_empty(&figures, 1), 1);
	cr_expect_eq(frame_figures_get_empty(&figures, 2), 0.75);
	frame_figures_clear(&figures);
	cr_expect_eq(frame_figures_get_empty(&figures, 0), 1);
	cr_expect_eq(frame_figures_get_median(&figures), 0);
}

Test(frame_figures, rings_are_told_from_top_to_bottom_the_dead_ones_too)
{
	struct json_object *object = json_object_new_object(), *rings, *ring;
	unsigned int i;

	json_object_object_add(object, "range", json_object_new_object());
	for (i = 0; i < 360; i++) {
		add(0, i, 10);
		add(2, i, 10);
	}
	frame_figures_add_json(&figures, object);
	rings = json_object_object_get(object, "rings");
	cr_assert_eq(json_object_array_length(rings), 3);
	ring = json_object_array_get_idx(rings, 1);
	cr_expect_eq(json_object_get_int(json_object_object_get(ring, "ring")), 1);
	cr_expect_eq(json_object_get_int(json_object_object_get(ring, "points")), 0);
	cr_expect_eq(json_object_get_double(json_object_object_get(ring, "empty")), 1);
	cr_expect_float_eq(json_object_get_double(json_object_object_get(object, "empty")), 1 / 3.0,
			   1e-9);
	json_object_put(object);
}

Test(frame_figures, a_frame_without_points_is_all_empty)
{
	struct json_object *object = json_object_new_object(), *rings;

	json_object_object_add(object, "range", json_object_new_object());
	frame_figures_add_json(&figures, object);
	rings = json_object_object_get(object, "rings");
	cr_expect_eq(json_object_array_length(rings), 0);
	cr_expect_eq(json_object_get_double(json_object_object_get(object, "empty")), 1);
	json_object_put(object);
}
