/* SPDX-License-Identifier: Apache-2.0 */
/* sim_renderer.c - casts the beams of a spinning sensor into the scene */
#include "daemon/sim_renderer.h"

#include <math.h>
#include <stdlib.h>

#include "common/splitmix64.h"
#include "daemon/scene.h"

/** Photons from a white surface at 1 m, head on. */
#define SIGNAL_AT_1M 330000.0f

struct sim_renderer {
	const struct sim_layout *layout;
	struct scene *scene;
	uint64_t seed;
	float noise_m;
	/** One for each ring. */
	struct scene_beam *beams;
	/** The direction rendered last. */
	struct scene_cut cut;
};

static double elevation_rad(uint32_t ring, uint32_t beams)
{
	double part = beams > 1 ? (double)ring / (beams - 1) : 0.5;

	return (SIM_ELEVATION_TOP_DEG + (SIM_ELEVATION_BOTTOM_DEG - SIM_ELEVATION_TOP_DEG) * part) *
	       M_PI / 180;
}

struct sim_renderer *sim_renderer_new(const struct sim_layout *layout, uint64_t seed,
				      double noise_mm)
{
	struct sim_renderer *r = calloc(1, sizeof(*r));
	uint32_t ring;

	if (!r)
		return NULL;
	r->layout = layout;
	r->seed = splitmix64_mix(seed);
	r->noise_m = (float)(noise_mm / 1000);
	r->scene = scene_new(seed);
	r->beams = calloc(layout->beams, sizeof(*r->beams));
	if (!r->scene || !r->beams)
		return sim_renderer_free(r);
	for (ring = 0; ring < layout->beams; ring++)
		scene_beam_init(&r->beams[ring], elevation_rad(ring, layout->beams));
	return r;
}

struct sim_renderer *sim_renderer_free(struct sim_renderer *r)
{
	if (!r)
		return NULL;
	free(r->beams);
	r->scene = scene_free(r->scene);
	free(r);
	return NULL;
}

/* Close to normal with variance 1, never beyond 3.5: the sum of four uniform numbers. */
static inline float normal_like(uint64_t random)
{
	uint32_t sum = (uint32_t)(random & 0xffff) + (uint32_t)(random >> 16 & 0xffff) +
		       (uint32_t)(random >> 32 & 0xffff) + (uint32_t)(random >> 48);

	return ((float)sum - 131070.0f) * (1.7320508f / 65536.0f);
}

static inline uint16_t to_u16(float value)
{
	return value < 65535.0f ? (uint16_t)value : UINT16_MAX;
}

static inline void set_point(const struct sim_renderer *r, const struct scene_echo *echo,
			     const struct scene_beam *beam, uint64_t random,
			     struct lidard_point_xyzirt *point)
{
	float range = echo->distance_m + r->noise_m * normal_like(random);
	float horizontal, brightness;

	if (range < 0)
		range = 0;
	horizontal = range * beam->cos_elevation;
	brightness = echo->reflectivity * (0.97f + 0.06f / 256 * (float)(random & 0xff));
	point->x = horizontal * r->cut.cos_azimuth;
	point->y = horizontal * r->cut.sin_azimuth;
	point->z = range * beam->sin_elevation;
	point->intensity = brightness * 255.0f;
	point->range = range;
	point->signal = to_u16(SIGNAL_AT_1M * brightness * echo->incidence / (range * range + 1));
	point->ambient = to_u16(40.0f + 400.0f * brightness);
	point->flags = 0;
}

static void draw_firing(const struct sim_renderer *r, uint32_t ring, uint32_t time_offset_ns,
			uint64_t counter, struct lidard_point_xyzirt *points)
{
	const struct scene_beam *beam = &r->beams[ring];
	uint64_t random = splitmix64_mix(r->seed + counter * SPLITMIX64_STEP);
	uint64_t more = splitmix64_mix(random);
	struct scene_echo echoes[SCENE_ECHOES_MAX] = {0};
	unsigned int count = scene_cast(&r->cut, beam, (float)(more >> 40) * 0x1p-24f, echoes);
	uint32_t i;

	for (i = 0; i < r->layout->returns; i++) {
		const struct scene_echo *echo = &echoes[i < count ? i : 0];

		set_point(r, echo, beam, echo == echoes ? random : more, &points[i]);
		points[i].time_offset_ns = time_offset_ns;
		points[i].ring = (uint16_t)ring;
		points[i].return_number = (uint8_t)(i + 1);
	}
}

void sim_renderer_draw(struct sim_renderer *r, uint64_t revolution, uint32_t first, uint32_t count,
		       uint32_t slice_column, struct lidard_point_xyzirt *ret_points)
{
	const struct sim_layout *l = r->layout;
	uint64_t slice_ns = sim_layout_column_ns(l, slice_column);
	uint32_t column = first / l->beams, ring = first % l->beams;
	uint64_t counter = revolution * l->firings + first;

	while (count > 0) {
		uint64_t column_ns = sim_layout_column_ns(l, column);

		scene_cut(r->scene, ((double)revolution * l->period_ns + (double)column_ns) / 1e9,
			  -2 * M_PI * column / l->columns, &r->cut);
		for (; ring < l->beams && count > 0; ring++, count--, counter++) {
			draw_firing(r, ring, (uint32_t)(column_ns - slice_ns), counter, ret_points);
			ret_points += l->returns;
		}
		ring = 0;
		column++;
	}
}
