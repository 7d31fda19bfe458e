/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/scene.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static double rad(double degrees)
{
	return degrees * M_PI / 180;
}

static unsigned int look(const struct scene *scene, double time_s, double azimuth_deg,
			 double elevation_deg, float chance,
			 struct scene_echo echoes[SCENE_ECHOES_MAX])
{
	struct scene_beam beam;
	struct scene_cut cut;

	scene_beam_init(&beam, rad(elevation_deg));
	scene_cut(scene, time_s, rad(azimuth_deg), &cut);
	return scene_cast(&cut, &beam, chance, echoes);
}

/* Distances in all directions at one time. */
static void look_round(const struct scene *scene, double time_s, double elevation_deg,
		       float distances[720])
{
	struct scene_echo echoes[SCENE_ECHOES_MAX];
	unsigned int i;

	for (i = 0; i < 720; i++)
		distances[i] = look(scene, time_s, i * 0.5, elevation_deg, 0.5f, echoes)
				       ? echoes[0].distance_m
				       : 0;
}

static unsigned int differences(const float a[720], const float b[720])
{
	unsigned int i, n = 0;

	for (i = 0; i < 720; i++)
		n += fabsf(a[i] - b[i]) > 0.01f;
	return n;
}

Test(scene, a_beam_straight_into_the_road_meets_it_at_the_sensors_height)
{
	struct scene *scene = scene_new(1);
	struct scene_echo echoes[SCENE_ECHOES_MAX];

	/* 60 degrees down: 1 m ahead, where nothing stands */
	cr_assert_eq(look(scene, 0, 0, -60, 0.5f, echoes), 1);
	cr_assert_float_eq(echoes[0].distance_m, SCENE_SENSOR_HEIGHT_M / sin(rad(60)), 1e-3);
	scene_free(scene);
}

Test(scene, no_beam_of_the_sensor_sees_sky_or_beyond_the_range)
{
	struct scene_echo echoes[SCENE_ECHOES_MAX];
	uint64_t seed;
	double azimuth, elevation;

	for (seed = 0; seed < 5; seed++) {
		struct scene *scene = scene_new(seed);

		for (azimuth = -180; azimuth < 180; azimuth += 0.7) {
			for (elevation = -25; elevation <= 15; elevation += 1.25) {
				unsigned int n = look(scene, 3, azimuth, elevation, 0.3f, echoes);

				cr_assert(n >= 1 && n <= SCENE_ECHOES_MAX);
				cr_assert(echoes[n - 1].distance_m <= SCENE_RANGE_MAX_M);
				cr_assert(echoes[0].distance_m > 0.5f);
			}
		}
		scene_free(scene);
	}
}

Test(scene, high_up_there_is_sky)
{
	struct scene *scene = scene_new(1);
	struct scene_echo echoes[SCENE_ECHOES_MAX];

	cr_assert_eq(look(scene, 0, 1, 80, 0.5f, echoes), 0);
	scene_free(scene);
}

Test(scene, nothing_is_seen_below_the_ground)
{
	struct scene *scene = scene_new(2);
	struct scene_echo echoes[SCENE_ECHOES_MAX];
	double azimuth, elevation;

	for (azimuth = 0; azimuth < 360; azimuth += 0.9) {
		for (elevation = -25; elevation < 0; elevation += 0.7) {
			unsigned int n = look(scene, 0, azimuth, elevation, 0.9f, echoes);

			cr_assert(echoes[n - 1].distance_m * sin(rad(elevation)) >=
				  -SCENE_SENSOR_HEIGHT_M - 1e-3);
		}
	}
	scene_free(scene);
}

Test(scene, behind_something_translucent_there_is_a_second_echo)
{
	struct scene *scene = scene_new(1);
	struct scene_echo echoes[SCENE_ECHOES_MAX];
	unsigned int seconds = 0;
	double azimuth, elevation;

	for (azimuth = 0; azimuth < 360; azimuth += 0.5) {
		for (elevation = -10; elevation <= 15; elevation += 0.5) {
			if (look(scene, 0, azimuth, elevation, 0.8f, echoes) < 2)
				continue;
			seconds++;
			cr_assert(echoes[0].distance_m < echoes[1].distance_m);
		}
	}
	cr_assert(seconds > 100, "%u second echoes", seconds);
	scene_free(scene);
}

Test(scene, light_gets_deeper_into_leaves_by_chance)
{
	struct scene *scene = scene_new(1);
	struct scene_echo near[SCENE_ECHOES_MAX], deep[SCENE_ECHOES_MAX];
	unsigned int deeper = 0;
	double azimuth;

	for (azimuth = 0; azimuth < 360; azimuth += 0.25) {
		look(scene, 0, azimuth, 8, 0.99f, near);
		look(scene, 0, azimuth, 8, 0.5f, deep);
		cr_assert(near[0].distance_m <= deep[0].distance_m);
		deeper += near[0].distance_m < deep[0].distance_m;
	}
	cr_assert(deeper > 0);
	scene_free(scene);
}

Test(scene, a_seed_decides_the_street)
{
	struct scene *a = scene_new(7), *b = scene_new(7), *c = scene_new(8);
	float da[720], db[720], dc[720];

	look_round(a, 1.5, -3, da);
	look_round(b, 1.5, -3, db);
	look_round(c, 1.5, -3, dc);
	cr_assert_eq(differences(da, db), 0);
	cr_assert(differences(da, dc) > 100);
	scene_free(a);
	scene_free(b);
	scene_free(c);
}

Test(scene, cars_move_and_houses_do_not)
{
	struct scene *scene = scene_new(3);
	float before[720], after[720];
	unsigned int moved;

	look_round(scene, 0, -3, before);
	look_round(scene, 1, -3, after);
	moved = differences(before, after);
	cr_assert(moved > 5 && moved < 500, "%u of 720 directions changed", moved);
	/* above all vehicles nothing changes */
	look_round(scene, 0, 14, before);
	look_round(scene, 1, 14, after);
	cr_assert_eq(differences(before, after), 0);
	scene_free(scene);
}

Test(scene, cars_come_round_again)
{
	struct scene *scene = scene_new(3);
	float before[720], later[720];
	double time_s;
	unsigned int n = 0;

	/* traffic goes on after an hour: still cars in view, still moving */
	for (time_s = 3600; time_s < 3605; time_s += 1) {
		look_round(scene, time_s, -3, before);
		look_round(scene, time_s + 0.5, -3, later);
		n += differences(before, later);
	}
	cr_assert(n > 25, "%u", n);
	scene_free(scene);
}

/* The sectors leave out only what cannot be met: a cut seen from a bit aside agrees. */
Test(scene, sectors_have_no_seams)
{
	struct scene *scene = scene_new(4);
	struct scene_cut a, b;
	unsigned int sector, i;

	for (sector = 0; sector < 256; sector++) {
		double edge = sector * 2 * M_PI / 256;

		scene_cut(scene, 0, edge - 1e-7, &a);
		scene_cut(scene, 0, edge + 1e-7, &b);
		cr_assert_eq(a.span_count, b.span_count, "at %u", sector);
		for (i = 0; i < a.span_count; i++)
			cr_assert_float_eq(a.spans[i].in_m, b.spans[i].in_m, 0.05f);
	}
	scene_free(scene);
}

Test(scene, azimuth_goes_round_and_round)
{
	struct scene *scene = scene_new(4);
	struct scene_echo a[SCENE_ECHOES_MAX], b[SCENE_ECHOES_MAX];

	look(scene, 0, 33, -2, 0.5f, a);
	look(scene, 0, 33 - 720, -2, 0.5f, b);
	cr_assert_float_eq(a[0].distance_m, b[0].distance_m, 1e-3);
	scene_free(scene);
}
