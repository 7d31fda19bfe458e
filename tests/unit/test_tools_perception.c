/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/perception.h"

#include <criterion/criterion.h>

static struct perception p;

static void add(float x, float y, float z)
{
	const struct lidard_point_xyzirt point = { .x = x, .y = y, .z = z };

	perception_add(&p, &point, 1, 1);
}

/* A post: two points, one above the other. */
static void add_post(float x, float y)
{
	add(x, y, 0);
	add(x, y, 1);
}

Test(perception, flat_ground_has_no_clusters)
{
	perception_begin(&p);
	add(0.5f, 0.5f, 0);
	add(0.6f, 0.5f, 0.1f);
	add(5.5f, 0.5f, 3);
	perception_finish(&p);
	cr_assert_eq(p.clusters, 0);
	cr_assert_eq(p.ground_points, 3);
}

Test(perception, neighbouring_cells_are_one_cluster_and_others_another)
{
	perception_begin(&p);
	add_post(0.5f, 0.5f);
	add_post(1.5f, 0.5f);
	add_post(10.5f, 0.5f);
	perception_finish(&p);
	cr_assert_eq(p.clusters, 2);
	cr_assert_eq(p.obstacle_cells, 3);
}

Test(perception, a_new_frame_begins_empty)
{
	perception_begin(&p);
	add_post(0.5f, 0.5f);
	perception_finish(&p);
	perception_finish(&p);
	cr_assert_eq(p.clusters, 0);
	cr_assert_eq(p.frames, 2);
}

Test(perception, far_points_are_looked_at_and_ignored)
{
	perception_begin(&p);
	add_post(1e9f, 0);
	add_post(-1e9f, 0);
	perception_finish(&p);
	cr_assert_eq(p.clusters, 0);
	cr_assert_eq(p.total_points, 4);
}

Test(perception, a_grid_full_of_obstacles_is_one_cluster)
{
	int x, y;

	perception_begin(&p);
	for (x = -64; x < 64; x++)
		for (y = -64; y < 64; y++)
			add_post((float)x + 0.5f, (float)y + 0.5f);
	perception_finish(&p);
	cr_assert_eq(p.clusters, 1);
	cr_assert_eq(p.obstacle_cells, PERCEPTION_CELLS * PERCEPTION_CELLS);
}
