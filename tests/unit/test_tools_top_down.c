/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/top_down.h"

#include <criterion/criterion.h>
#include <float.h>

#include "tools/palette.h"

#define WIDTH  80u
#define HEIGHT 40u
/* The shorter side reaches 10 m both ways: two pixels a metre. */
#define REACH_M 10.0f

static struct top_down view;

static void make_view(void)
{
	cr_assert_eq(top_down_init(&view, WIDTH, HEIGHT, REACH_M), 0);
}

static void drop_view(void)
{
	top_down_deinit(&view);
	top_down_deinit(&view);
}

TestSuite(top_down, .init = make_view, .fini = drop_view);

static void add(float x, float y, float z)
{
	const struct lidard_point_xyzirt p = { .x = x, .y = y, .z = z, .range = 1, .intensity = 7 };

	top_down_add(&view, &p, 1, CELLS_HEIGHT);
}

static unsigned int count_filled(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < WIDTH * HEIGHT; i++)
		count += !cell_is_empty(&view.cells.cells[i]);
	return count;
}

Test(top_down, forward_is_right_and_left_is_up)
{
	add(5.1f, 0.1f, 1);
	cr_assert(!cell_is_empty(cells_at(&view.cells, WIDTH / 2 + 10, HEIGHT / 2 - 1)));
	add(0.1f, 5.1f, 1);
	cr_assert(!cell_is_empty(cells_at(&view.cells, WIDTH / 2, HEIGHT / 2 - 11)));
	add(-5.1f, -5.1f, 1);
	cr_assert(!cell_is_empty(cells_at(&view.cells, WIDTH / 2 - 11, HEIGHT / 2 + 10)));
	cr_assert_eq(count_filled(), 3);
}

Test(top_down, the_longer_side_shows_more_and_what_is_beyond_is_left_out)
{
	add(19.9f, 0, 1);
	add(-19.9f, 0, 1);
	cr_assert_eq(count_filled(), 2);
	add(20.1f, 0, 1);
	add(-20.1f, 0, 1);
	add(0, 10.1f, 1);
	add(0, -10.1f, 1);
	cr_assert_eq(count_filled(), 2);
}

Test(top_down, of_points_above_each_other_the_highest_stays)
{
	const struct cell *cell = cells_at(&view.cells, WIDTH / 2 + 2, HEIGHT / 2 - 3);

	add(1.2f, 1.2f, -1.5f);
	add(1.2f, 1.2f, 3);
	add(1.2f, 1.2f, 2);
	cr_assert_eq(cell->value, 3);
	cr_assert_eq(count_filled(), 1);
}

Test(top_down, what_lies_nowhere_leaves_nothing)
{
	const float odd[] = { NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 1e7f };
	struct lidard_point_xyzirt p;
	unsigned int i;

	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		add(odd[i], 1, 1);
		add(1, odd[i], 1);
		add(1, 1, odd[i]);
		p = (struct lidard_point_xyzirt){ .range = odd[i] };
		top_down_add(&view, &p, 1, CELLS_HEIGHT);
	}
	p = (struct lidard_point_xyzirt){ .range = 0 };
	top_down_add(&view, &p, 1, CELLS_HEIGHT);
	p.range = -1;
	top_down_add(&view, &p, 1, CELLS_HEIGHT);
	cr_assert_eq(count_filled(), 0);
	/* a measured point without a sane intensity is still a point */
	p = (struct lidard_point_xyzirt){ .range = 1, .intensity = NAN };
	top_down_add(&view, &p, 1, CELLS_INTENSITY);
	cr_assert_eq(count_filled(), 1);
	cr_assert_eq(cells_at(&view.cells, WIDTH / 2, HEIGHT / 2)->value, 0);
}

Test(top_down, another_frame_begins_empty)
{
	add(1, 1, 1);
	top_down_clear(&view);
	cr_assert_eq(count_filled(), 0);
}

Test(top_down, a_picture_has_the_points_the_sensor_and_nothing_outside)
{
	const struct canvas_area area = { 3, 2, WIDTH, HEIGHT };
	const struct cells_limits limits = { 0, 10 };
	struct canvas canvas;
	uint32_t x, y, outside = 0;

	cr_assert_eq(canvas_init(&canvas, WIDTH + 5, HEIGHT + 4), 0);
	memset(canvas.pixels, 99, (size_t)canvas.width * canvas.height);
	add(3.1f, 0.1f, 10);
	add(-3.1f, 0.1f, 0);
	top_down_draw(&view, &limits, &canvas, &area);
	cr_assert_eq(canvas_row(&canvas, 2 + 19)[3 + 46], PALETTE_COUNT - 1);
	cr_assert_eq(canvas_row(&canvas, 2 + 19)[3 + 33], PALETTE_SHADE);
	cr_assert_eq(canvas_row(&canvas, 2 + 20)[3 + 40], PALETTE_SENSOR);
	/* circles every five pixels would hide what is between them */
	cr_assert_null(memchr(canvas.pixels, PALETTE_GRID, (size_t)canvas.width * canvas.height));
	for (y = 0; y < canvas.height; y++)
		for (x = 0; x < canvas.width; x++)
			if (x < 3 || x >= 3 + WIDTH || y < 2 || y >= 2 + HEIGHT)
				outside += canvas_row(&canvas, y)[x] != 99;
	cr_assert_eq(outside, 0);
	canvas_deinit(&canvas);
}

Test(top_down, circles_are_where_they_say)
{
	const struct canvas_area area = { 0, 0, 200, 200 };
	const struct cells_limits limits = {};
	struct top_down large;
	struct canvas canvas;
	uint8_t *row;

	/* ten pixels a metre, a circle every 2.5 m; it runs between two pixels */
	cr_assert_eq(top_down_init(&large, 200, 200, 10), 0);
	cr_assert_eq(canvas_init(&canvas, 200, 200), 0);
	top_down_draw(&large, &limits, &canvas, &area);
	row = canvas_row(&canvas, 100);
	cr_assert(row[100 + 24] == PALETTE_GRID || row[100 + 25] == PALETTE_GRID);
	cr_assert(row[100 + 49] == PALETTE_GRID || row[100 + 50] == PALETTE_GRID);
	cr_assert(row[100 - 75] == PALETTE_GRID || row[100 - 76] == PALETTE_GRID);
	cr_assert_eq(row[100 + 37], PALETTE_BACKGROUND);
	cr_assert(canvas_row(&canvas, 100 - 50)[100] == PALETTE_GRID ||
		  canvas_row(&canvas, 100 - 51)[100] == PALETTE_GRID);
	top_down_deinit(&large);
	canvas_deinit(&canvas);
}

Test(top_down, circles_are_round_numbers)
{
	cr_assert_eq(top_down_circle_m(10), 2.5f);
	cr_assert_eq(top_down_circle_m(20), 5);
	cr_assert_eq(top_down_circle_m(50), 10);
	cr_assert_eq(top_down_circle_m(100), 25);
}

Test(top_down, sides_that_make_no_sense_are_refused)
{
	struct top_down other;

	cr_assert_eq(top_down_init(&other, 0, 10, 10), -EINVAL);
	cr_assert_eq(top_down_init(&other, 10, 0, 10), -EINVAL);
	cr_assert_eq(top_down_init(&other, CANVAS_SIDE_MAX + 1, 10, 10), -EINVAL);
	cr_assert_eq(top_down_init(&other, UINT32_MAX, UINT32_MAX, 10), -EINVAL);
}
