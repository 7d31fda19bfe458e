/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/drawing.h"

#include <criterion/criterion.h>
#include <float.h>
#include <stdio.h>

#include "tools/palette.h"

#define WIDTH  120u
#define HEIGHT 81u

static struct drawing drawing;

static void init(unsigned int view, float range_max_m)
{
	const struct drawing_opts opts = { view, range_max_m, CELLS_HEIGHT, CELLS_RANGE };

	cr_assert_eq(drawing_init(&drawing, &opts, WIDTH, HEIGHT), 0);
}

static void fini(void)
{
	drawing_deinit(&drawing);
	drawing_deinit(&drawing);
}

TestSuite(drawing, .fini = fini);

/* A wall of so many points all around. */
static void add_wall(float distance_m, unsigned int points)
{
	struct lidard_point_xyzirt p = { .range = distance_m, .return_number = 1 };
	unsigned int i;

	for (i = 0; i < points; i++) {
		float a = 2 * (float)M_PI * ((float)i + 0.5f) / (float)points;

		p.x = distance_m * cosf(a);
		p.y = distance_m * sinf(a);
		p.ring = (uint16_t)(i % 4);
		drawing_add(&drawing, &p, 1);
	}
}

static void draw_wall(float distance_m)
{
	drawing_begin(&drawing);
	add_wall(distance_m, 400);
	drawing_finish(&drawing);
}

static unsigned int count_shaded(const struct canvas_area *area)
{
	unsigned int count = 0;
	uint32_t x, y;

	for (y = area->y; y < area->y + area->height; y++)
		for (x = area->x; x < area->x + area->width; x++)
			count += canvas_row(&drawing.canvas, y)[x] >= PALETTE_SHADE;
	return count;
}

Test(drawing, both_views_fill_the_picture)
{
	init(DRAWING_BOTH, 0);
	draw_wall(8);
	cr_assert_eq(drawing.range_area.height + 1 + drawing.top_down_area.height, HEIGHT);
	cr_assert_eq(count_shaded(&drawing.range_area), WIDTH * drawing.range_area.height);
	cr_assert(count_shaded(&drawing.top_down_area) > 100);
	cr_assert_eq(canvas_row(&drawing.canvas, drawing.range_area.height)[5], PALETTE_GRID);
	cr_assert_eq(drawing.points, 400);
	cr_assert_eq(drawing.drawable_points, 400);
}

Test(drawing, one_view_has_all_of_the_picture)
{
	init(DRAWING_RANGE, 0);
	draw_wall(8);
	cr_assert_eq(count_shaded(&drawing.range_area), WIDTH * HEIGHT);
	fini();
	init(DRAWING_TOP_DOWN, 0);
	draw_wall(8);
	cr_assert_eq(drawing.top_down_area.height, HEIGHT);
	cr_assert(count_shaded(&drawing.top_down_area) > 100);
}

Test(drawing, the_first_frame_has_the_scale_that_fits_it)
{
	const float walls_m[] = { 4, 8, 25, 70, 150, 900 };
	const float reach_m[] = { 5, 10, 30, 80, 200, 200 };
	unsigned int i;

	for (i = 0; i < 6; i++) {
		init(DRAWING_TOP_DOWN, 0);
		draw_wall(walls_m[i]);
		cr_assert_eq(drawing.shown_range_m, reach_m[i]);
		/* and it was drawn to it: the wall is there, but for that beyond all scales */
		cr_assert(i == 5 || count_shaded(&drawing.top_down_area) > 100);
		fini();
	}
}

Test(drawing, a_few_points_far_away_do_not_make_the_scene_small)
{
	init(DRAWING_TOP_DOWN, 0);
	drawing_begin(&drawing);
	add_wall(8, 900);
	add_wall(190, 100);
	drawing_finish(&drawing);
	cr_assert_eq(drawing.shown_range_m, 10);
}

Test(drawing, a_range_that_was_asked_for_stays)
{
	unsigned int i;

	init(DRAWING_TOP_DOWN, 33);
	for (i = 0; i < 30; i++)
		draw_wall(150);
	cr_assert_eq(drawing.shown_range_m, 33);
}

Test(drawing, the_scale_follows_a_scene_that_stays_and_nothing_shorter)
{
	unsigned int i;

	init(DRAWING_BOTH, 0);
	draw_wall(8);
	for (i = 0; i < 9; i++)
		draw_wall(70);
	draw_wall(8);
	for (i = 0; i < 10; i++) {
		draw_wall(70);
		cr_assert_eq(drawing.shown_range_m, 10);
	}
	draw_wall(70);
	cr_assert_eq(drawing.shown_range_m, 80);
	cr_assert(count_shaded(&drawing.top_down_area) > 100);
}

Test(drawing, a_frame_without_points_is_empty_and_decides_nothing)
{
	init(DRAWING_BOTH, 0);
	drawing_begin(&drawing);
	drawing_finish(&drawing);
	cr_assert_eq(drawing.drawable_points, 0);
	cr_assert_eq(count_shaded(&drawing.range_area) + count_shaded(&drawing.top_down_area), 0);
	draw_wall(8);
	cr_assert_eq(drawing.shown_range_m, 10);
	cr_assert(count_shaded(&drawing.top_down_area) > 100);
}

Test(drawing, hostile_points_are_counted_and_not_drawn)
{
	const float odd[] = { NAN, INFINITY, -INFINITY, FLT_MAX, 1e20f, -1e20f };
	struct lidard_point_xyzirt p;
	unsigned int i;

	init(DRAWING_BOTH, 0);
	drawing_begin(&drawing);
	for (i = 0; i < 6; i++) {
		memset(&p, 0xff, sizeof(p));
		p.x = p.y = p.z = p.range = p.intensity = odd[i];
		drawing_add(&drawing, &p, 1);
		p = (struct lidard_point_xyzirt){ .x = odd[i], .range = 1 };
		drawing_add(&drawing, &p, 1);
	}
	drawing_finish(&drawing);
	cr_assert_eq(drawing.points, 12);
	cr_assert_eq(drawing.drawable_points, 0);
	cr_assert_eq(count_shaded(&drawing.range_area) + count_shaded(&drawing.top_down_area), 0);
}

Test(drawing, a_change_keeps_the_scale_and_the_rows)
{
	const struct drawing_opts opts = { DRAWING_BOTH, 0, CELLS_HEIGHT, CELLS_RANGE };

	init(DRAWING_BOTH, 0);
	draw_wall(25);
	cr_assert_eq(drawing.range.rings, 4);
	cr_assert_eq(drawing_change(&drawing, &opts, 33, 17), 0);
	cr_assert_eq(drawing.canvas.width, 33);
	cr_assert_eq(drawing.range.rings, 4);
	draw_wall(8);
	cr_assert_eq(drawing.shown_range_m, 30);
}

Test(drawing, every_size_holds)
{
	const struct drawing_opts opts = { DRAWING_BOTH, 0, CELLS_INTENSITY, CELLS_HEIGHT };
	uint32_t width, height;

	for (width = 2; width < 40; width += 3)
		for (height = 2; height < 40; height++) {
			cr_assert_eq(drawing_init(&drawing, &opts, width, height), 0);
			draw_wall(8);
			fini();
		}
	cr_assert_eq(drawing_init(&drawing, &opts, 1, 10), -EINVAL);
	cr_assert_eq(drawing_init(&drawing, &opts, 10, 1), -EINVAL);
	cr_assert_eq(drawing_init(&drawing, &opts, CANVAS_SIDE_MAX + 1, 10), -EINVAL);
	cr_assert_eq(drawing_init(&drawing, &opts, UINT32_MAX, UINT32_MAX), -EINVAL);
}

Test(drawing, stray_values_do_not_make_all_colours_one)
{
	struct cells cells;
	struct cells_limits limits;
	uint32_t x;

	cr_assert_eq(cells_init(&cells, 200, 1), 0);
	cr_assert_not(cells_find_limits(&cells, 1, &limits));
	for (x = 0; x < 200; x++)
		cells_put(&cells, x, 0, 0, x == 7 ? -1e30f : x == 9 ? 1e30f : (float)x);
	cr_assert(cells_find_limits(&cells, 1, &limits));
	cr_assert(limits.low >= 0 && limits.low < 10 && limits.high > 190 && limits.high < 200);
	cells_deinit(&cells);
}
