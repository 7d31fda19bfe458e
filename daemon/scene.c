/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene.c - what a beam meets in the street
 *
 * Objects that stand still are listed by sector of azimuth, so a cut looks at
 * a dozen of them instead of all; the few that move are always looked at.
 */
#include "daemon/scene.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/splitmix64.h"
#include "daemon/street.h"

#define SECTORS      256
#define SLOPES_TOP_M 40.0f

struct scene {
	float slopes_phase;
	/** Objects that stand in sector i: sector_objects[sector_first[i] .. sector_first[i + 1]]. */
	uint32_t sector_first[SECTORS + 1];
	uint16_t *sector_objects;
	struct street street;
};

/* Who stands where */

static double angle_between(double a, double b)
{
	return fabs(remainder(a - b, 2 * M_PI));
}

/* Half the angle an object covers, seen from the origin, around its middle. */
static double half_width_rad(const struct street_object *o)
{
	double middle = atan2(o->y, o->x), most = 0;
	int corner;

	if (o->shape == STREET_CYLINDER)
		return asin(fmin(1, o->half_x / hypot(o->x, o->y)));
	for (corner = 0; corner < 4; corner++) {
		double x = o->x + (corner & 1 ? o->half_x : -o->half_x);
		double y = o->y + (corner & 2 ? o->half_y : -o->half_y);

		most = fmax(most, angle_between(atan2(y, x), middle));
	}
	return most;
}

static bool stands_in_sector(const struct street_object *o, unsigned int sector)
{
	const double width = 2 * M_PI / SECTORS;

	/* a little more, so that rounding loses nobody at a sector's edge */
	return angle_between(atan2(o->y, o->x), (sector + 0.5) * width) <
	       half_width_rad(o) + width * 0.51;
}

static bool list_sectors(struct scene *scene)
{
	uint32_t sector, i, used = 0;

	scene->sector_objects = calloc((size_t)SECTORS * scene->street.first_moving, sizeof(uint16_t));
	if (!scene->sector_objects)
		return false;
	for (sector = 0; sector < SECTORS; sector++) {
		scene->sector_first[sector] = used;
		for (i = 0; i < scene->street.first_moving; i++) {
			if (stands_in_sector(&scene->street.objects[i], sector))
				scene->sector_objects[used++] = (uint16_t)i;
		}
	}
	scene->sector_first[SECTORS] = used;
	return true;
}

struct scene *scene_new(uint64_t seed)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	uint64_t random = seed;

	if (!scene)
		return NULL;
	scene->slopes_phase = (float)splitmix64_between(&random, 0, 2 * M_PI);
	street_build(&scene->street, seed);
	if (!list_sectors(scene))
		return scene_free(scene);
	return scene;
}

struct scene *scene_free(struct scene *scene)
{
	if (!scene)
		return NULL;
	free(scene->sector_objects);
	free(scene);
	return NULL;
}

/* Looking at it */

void scene_beam_init(struct scene_beam *beam, double elevation_rad)
{
	/* a level beam would divide by zero; a micrometre at 100 m is level enough */
	if (fabs(elevation_rad) < 1e-8)
		elevation_rad = 1e-8;
	beam->cos_elevation = (float)cos(elevation_rad);
	beam->sin_elevation = (float)sin(elevation_rad);
	beam->slope = (float)tan(elevation_rad);
	beam->inverse_slope = 1.0f / beam->slope;
}

static inline float min_f(float a, float b)
{
	return a < b ? a : b;
}

static inline float max_f(float a, float b)
{
	return a > b ? a : b;
}

static bool cut_box(const struct street_object *o, float x, float dx, float dy,
		    struct scene_span *span)
{
	float ax = (x - o->half_x) / dx, bx = (x + o->half_x) / dx;
	float ay = (o->y - o->half_y) / dy, by = (o->y + o->half_y) / dy;
	float in_x = min_f(ax, bx), in_y = min_f(ay, by);

	span->in_m = max_f(in_x, in_y);
	span->out_m = min_f(max_f(ax, bx), max_f(ay, by));
	span->incidence = fabsf(in_x > in_y ? dx : dy);
	return span->in_m > 0 && span->in_m < span->out_m;
}

static bool cut_cylinder(const struct street_object *o, float dx, float dy, struct scene_span *span)
{
	float along = o->x * dx + o->y * dy;
	float beside = o->x * dy - o->y * dx;
	float square = o->half_x * o->half_x - beside * beside;
	float half_chord;

	if (square <= 0 || along <= 0)
		return false;
	half_chord = sqrtf(square);
	span->in_m = along - half_chord;
	span->out_m = along + half_chord;
	span->incidence = half_chord / o->half_x;
	return span->in_m > 0;
}

/* Keep the list sorted: it is short, and mostly grows at its end. */
static void insert(struct scene_cut *cut, const struct scene_span *span)
{
	unsigned int i = cut->span_count;

	if (i == SCENE_SPANS_MAX)
		return;
	for (; i > 0 && cut->spans[i - 1].in_m > span->in_m; i--)
		cut->spans[i] = cut->spans[i - 1];
	cut->spans[i] = *span;
	cut->span_count++;
}

static void cut_object(const struct street_object *o, float x, struct scene_cut *cut)
{
	struct scene_span span;
	bool met;

	if (o->shape == STREET_BOX)
		met = cut_box(o, x, cut->cos_azimuth, cut->sin_azimuth, &span);
	else
		met = cut_cylinder(o, cut->cos_azimuth, cut->sin_azimuth, &span);
	if (!met || span.in_m >= cut->slopes_m)
		return;
	span.bottom_m = o->bottom_m;
	span.top_m = o->top_m;
	span.reflectivity = o->reflectivity;
	span.free_path_m = o->free_path_m;
	insert(cut, &span);
}

/* Never zero, so that it can be divided by. */
static float direction(double component)
{
	return fabs(component) < 1e-9 ? 1e-9f : (float)component;
}

static float wrapped_x(const struct street_object *o, double time_s)
{
	double x = o->x + o->speed_mps * time_s;

	/* remainder(x, 2 * STREET_HALF_M), and ten times as fast */
	return (float)(x - 2 * STREET_HALF_M *
				   (double)(int64_t)(x / (2 * STREET_HALF_M) + (x < 0 ? -0.5 : 0.5)));
}

void scene_cut(const struct scene *scene, double time_s, double azimuth_rad,
	       struct scene_cut *ret_cut)
{
	double turn = azimuth_rad / (2 * M_PI);
	unsigned int sector = (unsigned int)((turn - floor(turn)) * SECTORS) % SECTORS;
	uint32_t i;

	ret_cut->cos_azimuth = direction(cos(azimuth_rad));
	ret_cut->sin_azimuth = direction(sin(azimuth_rad));
	ret_cut->slopes_m = 110.0f + 5.0f * (float)sin(3 * azimuth_rad + scene->slopes_phase);
	ret_cut->span_count = 0;
	for (i = scene->sector_first[sector]; i < scene->sector_first[sector + 1]; i++) {
		const struct street_object *o = &scene->street.objects[scene->sector_objects[i]];

		cut_object(o, o->x, ret_cut);
	}
	for (i = scene->street.first_moving; i < scene->street.object_count; i++)
		cut_object(&scene->street.objects[i], wrapped_x(&scene->street.objects[i], time_s), ret_cut);
}

/* Dashes between the lanes, asphalt, paving stones, and gardens behind. */
static float ground_reflectivity(float x, float y)
{
	if (fabsf(y - 5.25f) < 0.08f && x - 9.0f * floorf(x / 9.0f) < 3.0f)
		return 0.7f;
	if (y > -3.6f && y < 11.2f)
		return 0.12f;
	return y > -8.0f && y < 15.5f ? 0.28f : 0.4f;
}

/* What every beam meets at last, if nothing stands before it. Return: false for sky. */
static bool cast_at_land(const struct scene_cut *cut, const struct scene_beam *beam, float *ret_m,
			 struct scene_echo *ret_echo)
{
	float ground_m = STREET_GROUND_M * beam->inverse_slope;

	if (beam->slope < 0 && ground_m < cut->slopes_m) {
		*ret_m = ground_m;
		ret_echo->reflectivity = ground_reflectivity(ground_m * cut->cos_azimuth,
							     ground_m * cut->sin_azimuth);
		ret_echo->incidence = -beam->sin_elevation;
		return true;
	}
	*ret_m = cut->slopes_m;
	ret_echo->reflectivity = 0.5f;
	ret_echo->incidence = beam->cos_elevation;
	return beam->slope * cut->slopes_m < SLOPES_TOP_M;
}

/* Where the beam is inside the rectangle: from *ret_in to *ret_out, horizontally. */
static inline bool meets(const struct scene_span *span, const struct scene_beam *beam,
			 float *ret_in, float *ret_out)
{
	float a = span->bottom_m * beam->inverse_slope, b = span->top_m * beam->inverse_slope;

	*ret_in = max_f(span->in_m, min_f(a, b));
	*ret_out = min_f(span->out_m, max_f(a, b));
	return *ret_in < *ret_out;
}

static void set_echo(struct scene_echo *echo, const struct scene_span *span,
		     const struct scene_beam *beam, float in_m)
{
	echo->reflectivity = span->reflectivity;
	/* through the top or the bottom, or through a side */
	echo->incidence = in_m > span->in_m ? fabsf(beam->sin_elevation) :
					      span->incidence * beam->cos_elevation;
}

unsigned int scene_cast(const struct scene_cut *cut, const struct scene_beam *beam, float chance,
			struct scene_echo ret_echoes[SCENE_ECHOES_MAX])
{
	struct scene_echo solid, leaf;
	float solid_m, leaf_m = INFINITY, in_m, out_m;
	bool met = cast_at_land(cut, beam, &solid_m, &solid);
	unsigned int i, count = 0;

	if (!met)
		solid_m = INFINITY;
	for (i = 0; i < cut->span_count && cut->spans[i].in_m < solid_m; i++) {
		const struct scene_span *span = &cut->spans[i];

		if (!meets(span, beam, &in_m, &out_m) || in_m >= solid_m)
			continue;
		if (span->free_path_m == 0) {
			solid_m = in_m;
			set_echo(&solid, span, beam, in_m);
			continue;
		}
		/* how far light gets before the first leaf: exponentially distributed */
		in_m -= logf(max_f(chance, 1e-6f)) * span->free_path_m * beam->cos_elevation;
		if (in_m < out_m && in_m < leaf_m) {
			leaf_m = in_m;
			set_echo(&leaf, span, beam, span->in_m);
		}
	}
	if (leaf_m < solid_m) {
		leaf.distance_m = leaf_m / beam->cos_elevation;
		ret_echoes[count++] = leaf;
	}
	if (solid_m < INFINITY) {
		solid.distance_m = solid_m / beam->cos_elevation;
		ret_echoes[count++] = solid;
	}
	return count;
}
