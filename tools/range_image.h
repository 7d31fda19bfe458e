/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range_image.h - points as the sensor sees them: a row a beam, a column a direction
 *
 * Forward is in the middle, left is left, behind the sensor is at both ends.
 * Columns come from each point's azimuth, so every sensor's do, staggered
 * beams included.  Rows are rings, the upper ones above: makers number them
 * downwards, upwards, or in the order they fire, which the points' elevations
 * tell.  Where points meet the nearest stays.
 */
#ifndef TOOLS_RANGE_IMAGE_H
#define TOOLS_RANGE_IMAGE_H

#include "tools/canvas.h"
#include "tools/cells.h"

/** Points of further rings are not drawn. */
#define RANGE_IMAGE_RINGS_MAX 1024u

/** First returns of a ring. */
struct range_image_ring {
	uint32_t points;
	/** Of their elevations' sines. */
	double sum;
};

struct range_image {
	/** A row a ring. */
	struct cells cells;
	/** One more than the largest ring there was, in any frame. */
	uint32_t rings;
	struct range_image_ring per_ring[RANGE_IMAGE_RINGS_MAX];
};

/** Return: as cells_init(). */
int range_image_init(struct range_image *r, uint32_t width);
/** Idempotent. */
void range_image_deinit(struct range_image *r);
/** Begin another frame. */
void range_image_clear(struct range_image *r);
/** range_image_add() - some points of the frame. Those that lie nowhere leave nothing. */
void range_image_add(struct range_image *r, const struct lidard_point_xyzirt *points,
		     size_t count, enum cells_quantity quantity);
/**
 * range_image_order() - the rings from top to bottom
 * @order: RANGE_IMAGE_RINGS_MAX entries
 *
 * Return: how many; where rings are in no order, those without a point are left out.
 */
uint32_t range_image_order(const struct range_image *r, uint16_t *order);
/**
 * range_image_draw() - to an area of a canvas as wide as given to range_image_init()
 *
 * Rows are as many as there are: rings share one, or have several.
 */
void range_image_draw(const struct range_image *r, const struct cells_limits *limits,
		      struct canvas *canvas, const struct canvas_area *area);

#endif /* TOOLS_RANGE_IMAGE_H */
