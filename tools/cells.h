/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cells.h - what the points of a frame left behind, place by place
 *
 * A view sorts points into cells; where several meet, the one with the largest
 * key stays (the highest, the nearest), with the value it will be coloured by.
 * Colours come when the frame is whole: only then is it known what is low and
 * what is high in it.  Any thread.
 */
#ifndef TOOLS_CELLS_H
#define TOOLS_CELLS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lidard/frame.h"

/** What a point's colour says; the more the brighter, but what is near is bright. */
enum cells_quantity { CELLS_HEIGHT, CELLS_INTENSITY, CELLS_RANGE };

struct cell {
	/** -INFINITY: nothing is here. */
	float key;
	float value;
};

struct cells {
	uint32_t width;
	uint32_t height;
	struct cell *cells;
};

/** Lowest and highest value that get colours of their own. */
struct cells_limits {
	float low;
	float high;
};

/** Return: 0, nothing in any cell; -EINVAL a side is 0 or beyond CANVAS_SIDE_MAX; -ENOMEM. */
int cells_init(struct cells *c, uint32_t width, uint32_t height);
/** Idempotent. */
void cells_deinit(struct cells *c);
/** cells_clear() - of the first rows only, which is all that were used */
void cells_clear(struct cells *c, uint32_t rows);

/**
 * cells_find_limits() - between which most values of the first rows lie
 *
 * One in fifty is left out at each end, so that a stray point does not make
 * everything else one colour.
 * Return: false: no cell has a value.
 */
bool cells_find_limits(const struct cells *c, uint32_t rows, struct cells_limits *ret_limits);

static inline struct cell *cells_at(const struct cells *c, uint32_t x, uint32_t y)
{
	return &c->cells[(size_t)y * c->width + x];
}

static inline bool cell_is_empty(const struct cell *cell)
{
	return cell->key == -INFINITY;
}

static inline void cells_put(struct cells *c, uint32_t x, uint32_t y, float key, float value)
{
	struct cell *cell = cells_at(c, x, y);

	if (key > cell->key) {
		cell->key = key;
		cell->value = value;
	}
}

/** Farther away than this is no place, in metres. */
#define CELLS_FAR_M 1e6f

/** Does a point lie anywhere? Beams without a return, NaN and infinity do not. */
static inline bool cells_point_is_somewhere(const struct lidard_point_xyzirt *p)
{
	/* NaN fails every comparison */
	return p->range > 0 && p->range < CELLS_FAR_M && fabsf(p->x) < CELLS_FAR_M &&
	       fabsf(p->y) < CELLS_FAR_M && fabsf(p->z) < CELLS_FAR_M;
}

static inline float cells_quantity_of(const struct lidard_point_xyzirt *p,
				      enum cells_quantity q)
{
	/* of range the logarithm: from 2 m to 4 m is as much to see as from 50 m to 100 m */
	float value = q == CELLS_HEIGHT	   ? p->z :
		      q == CELLS_INTENSITY ? p->intensity :
					     -log2f(p->range);

	return isfinite(value) ? value : 0;
}

#endif /* TOOLS_CELLS_H */
