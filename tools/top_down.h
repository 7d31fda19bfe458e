/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_down.h - points as seen from above
 *
 * The sensor is in the middle, forward (x) is to the right, left (y) is up: a
 * terminal is wide, and a street is long.  The shorter side reaches to the
 * range asked for, both ways; the longer side shows more at the same scale.
 * Where points lie above each other the highest stays.
 */
#ifndef TOOLS_TOP_DOWN_H
#define TOOLS_TOP_DOWN_H

#include "tools/canvas.h"
#include "tools/cells.h"

struct top_down {
	struct cells cells;
	float range_max_m;
	float pixels_per_m;
};

/** Return: as cells_init(). @range_max_m is more than 0. */
int top_down_init(struct top_down *t, uint32_t width, uint32_t height, float range_max_m);
/** Idempotent. */
void top_down_deinit(struct top_down *t);
/** Begin another frame. */
void top_down_clear(struct top_down *t);
/** top_down_add() - some points of the frame. Those that lie nowhere or outside leave nothing. */
void top_down_add(struct top_down *t, const struct lidard_point_xyzirt *points, size_t count,
		  enum cells_quantity quantity);
/** top_down_circle_m() - distance of a circle from the next: a round number, in metres */
float top_down_circle_m(float range_max_m);
/** top_down_draw() - to an area of a canvas that has the size given to top_down_init() */
void top_down_draw(const struct top_down *t, const struct cells_limits *limits,
		   struct canvas *canvas, const struct canvas_area *area);

#endif /* TOOLS_TOP_DOWN_H */
