/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene.h - a street to look at
 *
 * A straight street along x, built from a seed: road and pavement, rows of
 * houses with gaps and garden fences, parked cars, cars that drive by, lamp
 * posts and trees.  The sensor stands at the origin, SCENE_SENSOR_HEIGHT_M
 * above the ground; all coordinates are its own (metres, x forward, y left,
 * z up).  Wooded slopes close the view at 105 to 115 m in all directions, so
 * that every beam below 15 degrees of elevation meets something; above about
 * 19 degrees there is sky.
 *
 * All beams start at one place.  So the scene is first cut by the vertical
 * plane of an azimuth (scene_cut()), which leaves a few rectangles over the
 * distance, and then a beam is only a line through them (scene_cast()).
 *
 * The street is immutable once built; moving cars are a function of the time
 * that is asked for.  Any thread may cut and cast.
 */
#ifndef DAEMON_SCENE_H
#define DAEMON_SCENE_H

#include <stdint.h>

#define SCENE_SENSOR_HEIGHT_M 1.8f
#define SCENE_RANGE_MAX_M     120.0f
/** Most objects one vertical plane can meet; beyond, objects are not seen. */
#define SCENE_SPANS_MAX 96
/** Most echoes of one beam: something translucent, and something solid behind it. */
#define SCENE_ECHOES_MAX 2

struct scene;

/** An object where the plane of an azimuth cuts it: a rectangle over the distance. */
struct scene_span {
	/** Horizontal distances at which it begins and ends. */
	float in_m;
	float out_m;
	float bottom_m;
	float top_m;
	/** Part of the light it throws back, 0 to 1. */
	float reflectivity;
	/** Cosine of the angle between plane and surface normal. */
	float incidence;
	/** Mean way of light through it; 0 for what is solid. */
	float free_path_m;
};

/** The scene in one direction at one time. */
struct scene_cut {
	float cos_azimuth;
	float sin_azimuth;
	/** Horizontal distance of the slopes. */
	float slopes_m;
	/** Nearest first. */
	unsigned int span_count;
	struct scene_span spans[SCENE_SPANS_MAX];
};

/** The vertical part of a beam's direction. */
struct scene_beam {
	float cos_elevation;
	float sin_elevation;
	float slope;
	float inverse_slope;
};

struct scene_echo {
	/** Along the beam. */
	float distance_m;
	float reflectivity;
	float incidence;
};

/** Return: NULL if there is no memory. */
struct scene *scene_new(uint64_t seed);
/** Return: NULL. NULL is allowed. */
struct scene *scene_free(struct scene *scene);

void scene_beam_init(struct scene_beam *beam, double elevation_rad);

/** scene_cut() - what lies in a direction; azimuth counts from x towards y */
void scene_cut(const struct scene *scene, double time_s, double azimuth_rad,
	       struct scene_cut *ret_cut);

/**
 * scene_cast() - follow one beam
 * @chance: 0 to 1, decides how far the beam gets into leaves
 * @ret_echoes: nearest first
 *
 * Return: number of echoes, 0 for sky.
 */
unsigned int scene_cast(const struct scene_cut *cut, const struct scene_beam *beam, float chance,
			struct scene_echo ret_echoes[SCENE_ECHOES_MAX]);

#endif /* DAEMON_SCENE_H */
