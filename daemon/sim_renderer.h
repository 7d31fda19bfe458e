/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_renderer.h - points of a simulated revolution
 *
 * Beams are spread evenly from +15 (ring 0) to -25 degrees; columns start at
 * the x axis and go clockwise seen from above, as most spinning sensors do.
 *
 * Every firing gives `returns` points.  The scene has no sky within those
 * angles, so a first return is always there; with two returns the second is
 * the last echo (what stands behind leaves or a fence), and where there is
 * only one echo it is reported twice, as sensors in "first and last" mode do.
 * So a revolution has a known size, and a rate in bytes can be promised,
 * without inventing points that no beam has met.
 *
 * A point depends on seed, revolution and firing alone, not on what was
 * rendered before: the same seed gives the same stream, however it is cut.
 * (On machines whose libm or compiler round differently, the last bits of
 * coordinates may differ.)
 */
#ifndef DAEMON_SIM_RENDERER_H
#define DAEMON_SIM_RENDERER_H

#include <stdint.h>

#include "daemon/sim_layout.h"
#include "lidard/frame.h"

#define SIM_ELEVATION_TOP_DEG    15.0
#define SIM_ELEVATION_BOTTOM_DEG (-25.0)

struct sim_renderer;

/** @layout: borrowed; outlives the renderer. Return: NULL if there is no memory. */
struct sim_renderer *sim_renderer_new(const struct sim_layout *layout, uint64_t seed,
				      double noise_mm);
/** Return: NULL. NULL is allowed. */
struct sim_renderer *sim_renderer_free(struct sim_renderer *r);

/**
 * sim_renderer_draw() - render firings of a revolution
 * @revolution: decides time in the scene and noise
 * @first: first firing
 * @count: firings
 * @slice_column: points count their time from this column
 * @ret_points: count * returns points
 *
 * Hot path.
 */
void sim_renderer_draw(struct sim_renderer *r, uint64_t revolution, uint32_t first, uint32_t count,
		       uint32_t slice_column, struct lidard_point_xyzirt *ret_points);

#endif /* DAEMON_SIM_RENDERER_H */
