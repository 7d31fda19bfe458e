/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/range_image.h"

#include <criterion/criterion.h>

#include "tools/palette.h"

#define WIDTH 360u

static struct range_image view;
static struct canvas canvas;

static void make_view(void)
{
	cr_assert_eq(range_image_init(&view, WIDTH), 0);
	cr_assert_eq(canvas_init(&canvas, WIDTH, 8), 0);
}

static void drop_view(void)
{
	range_image_deinit(&view);
	range_image_deinit(&view);
	canvas_deinit(&canvas);
}

TestSuite(range_image, .init = make_view, .fini = drop_view);

/* In a direction of whole degrees, as a column is one. */
static void add(uint16_t ring, float degrees, float elevation, float range)
{
	float a = (degrees + 0.1f) * (float)M_PI / 180, e = elevation * (float)M_PI / 180;
	const struct lidard_point_xyzirt p = {
		.x = range * cosf(e) * cosf(a), .y = range * cosf(e) * sinf(a),
		.z = range * sinf(e), .range = range, .ring = ring, .return_number = 1,
	};

	range_image_add(&view, &p, 1, CELLS_RANGE);
}

static float range_at(uint32_t x, uint32_t ring)
{
	return -cells_at(&view.cells, x, ring)->key;
}

Test(range_image, forward_is_in_the_middle_and_left_is_left)
{
	add(0, 0, 0, 10);
	add(0, 90, 0, 20);
	add(0, -90, 0, 30);
	add(0, 179, 0, 40);
	add(0, -179, 0, 50);
	cr_assert_eq(range_at(179, 0), 10);
	cr_assert_eq(range_at(89, 0), 20);
	cr_assert_eq(range_at(269, 0), 30);
	cr_assert_eq(range_at(0, 0), 40);
	cr_assert_eq(range_at(358, 0), 50);
}

Test(range_image, straight_behind_is_at_an_end)
{
	struct lidard_point_xyzirt p = { .x = -1, .y = -0.0f, .range = 1 };

	range_image_add(&view, &p, 1, CELLS_RANGE);
	p.y = 0;
	p.ring = 1;
	range_image_add(&view, &p, 1, CELLS_RANGE);
	cr_assert(range_at(0, 0) == 1 || range_at(WIDTH - 1, 0) == 1);
	cr_assert_eq(range_at(0, 1), 1);
}

Test(range_image, the_nearest_of_several_stays)
{
	add(3, 45, 0, 10);
	add(3, 45, 0, 5);
	add(3, 45, 0, 20);
	cr_assert_eq(range_at(134, 3), 5);
}

Test(range_image, hostile_points_leave_nothing)
{
	struct lidard_point_xyzirt p = { .x = 1, .range = 1, .ring = UINT16_MAX };

	range_image_add(&view, &p, 1, CELLS_RANGE);
	p.ring = RANGE_IMAGE_RINGS_MAX;
	range_image_add(&view, &p, 1, CELLS_RANGE);
	p.ring = 0;
	p.x = NAN;
	range_image_add(&view, &p, 1, CELLS_RANGE);
	p.x = 1;
	p.range = 0;
	range_image_add(&view, &p, 1, CELLS_RANGE);
	cr_assert_eq(view.rings, 0);
	p.range = 1;
	p.ring = RANGE_IMAGE_RINGS_MAX - 1;
	range_image_add(&view, &p, 1, CELLS_RANGE);
	cr_assert_eq(view.rings, RANGE_IMAGE_RINGS_MAX);
}

static void expect_order(const uint16_t *expected, uint32_t count)
{
	uint16_t order[RANGE_IMAGE_RINGS_MAX];
	uint32_t i;

	cr_assert_eq(range_image_order(&view, order), count);
	for (i = 0; i < count; i++)
		cr_assert_eq(order[i], expected[i], "row %u is ring %u", i, order[i]);
}

Test(range_image, rings_numbered_downwards_stay)
{
	const uint16_t expected[] = { 0, 1, 2, 3, 4 };
	uint16_t i;

	/* ring 0 sees nothing but sky */
	for (i = 1; i < 5; i++)
		add(i, 0, 10 - 5.0f * i, 10);
	expect_order(expected, 5);
}

Test(range_image, rings_numbered_upwards_are_turned_over)
{
	const uint16_t expected[] = { 4, 3, 2, 1, 0 };
	uint16_t i;

	for (i = 0; i < 5; i++)
		add(i, 0, -10 + 5.0f * i, 10);
	expect_order(expected, 5);
}

Test(range_image, rings_in_firing_order_are_sorted_by_elevation)
{
	/* those of a VLP-16, and one that is dark */
	const float elevations[] = { -15, 1, -13, 3, -11, 5, -9, 7, -7, 9, -5, 11, -3, 13, -1, 15 };
	const uint16_t expected[] = { 15, 13, 11, 9, 7, 5, 3, 1, 14, 12, 10, 8, 6, 2, 0 };
	uint16_t i;

	for (i = 0; i < 16; i++)
		if (i != 4)
			add(i, 0, elevations[i], 10);
	expect_order(expected, 15);
}

static void draw(void)
{
	const struct canvas_area area = { 0, 0, WIDTH, 8 };
	struct cells_limits limits = {};

	cells_find_limits(&view.cells, view.rings, &limits);
	range_image_draw(&view, &limits, &canvas, &area);
}

Test(range_image, few_rings_have_several_rows_each)
{
	uint32_t x;

	for (x = 0; x < WIDTH; x++) {
		add(0, (float)x - 180, 5, 10);
		add(1, (float)x - 180, -5, 2);
	}
	draw();
	for (x = 0; x < WIDTH; x++) {
		cr_assert_eq(canvas_row(&canvas, 0)[x], PALETTE_SHADE);
		cr_assert_eq(canvas_row(&canvas, 3)[x], PALETTE_SHADE);
		cr_assert_eq(canvas_row(&canvas, 4)[x], PALETTE_COUNT - 1);
		cr_assert_eq(canvas_row(&canvas, 7)[x], PALETTE_COUNT - 1);
	}
}

Test(range_image, many_rings_share_a_row_and_the_nearest_is_seen)
{
	uint16_t ring;

	for (ring = 0; ring < 16; ring++)
		add(ring, 0, 30 - 4.0f * ring, ring % 2 ? 2 : 10);
	draw();
	cr_assert_eq(canvas_row(&canvas, 0)[179], PALETTE_COUNT - 1);
	cr_assert_eq(canvas_row(&canvas, 7)[179], PALETTE_COUNT - 1);
}

Test(range_image, fewer_columns_than_pixels_make_no_stripes_but_a_gap_stays)
{
	uint32_t x, empty = 0;

	for (x = 0; x < WIDTH; x += 4)
		if (x < 100 || x >= 140)
			add(0, 180 - (float)x, 0, 10);
	draw();
	for (x = 0; x < WIDTH; x++)
		empty += canvas_row(&canvas, 0)[x] == PALETTE_BACKGROUND;
	cr_assert(empty >= 35 && empty <= 44, "%u columns are empty", empty);
}

Test(range_image, an_empty_frame_is_background)
{
	uint32_t i;

	memset(canvas.pixels, 99, (size_t)WIDTH * 8);
	draw();
	for (i = 0; i < WIDTH * 8; i++)
		cr_assert_eq(canvas.pixels[i], PALETTE_BACKGROUND);
	add(0, 0, 0, 1);
	range_image_clear(&view);
	draw();
	for (i = 0; i < WIDTH * 8; i++)
		cr_assert_eq(canvas.pixels[i], PALETTE_BACKGROUND);
}
