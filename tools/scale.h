/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scale.h - how far a picture should reach, from the points it shows
 *
 * One of a few round distances, so that the scale stays while the scene moves:
 * the least within which most points of a frame lie.  Pure arithmetic.
 */
#ifndef TOOLS_SCALE_H
#define TOOLS_SCALE_H

#include "tools/cells.h"

#define SCALE_COUNT 8

struct scale {
	/** Points within each distance and beyond the one before; the last has all others. */
	uint64_t points[SCALE_COUNT];
};

/** scale_get_m() - one of the distances, the least first */
float scale_get_m(unsigned int index);
/** scale_add() - some points of a frame; begin one with zeros */
void scale_add(struct scale *s, const struct lidard_point_xyzirt *points, size_t count);
/** scale_choose() - Return: index of the distance that fits; without points, one in the middle. */
unsigned int scale_choose(const struct scale *s);

#endif /* TOOLS_SCALE_H */
