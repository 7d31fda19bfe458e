/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_figures.h - what a picture of a frame shows, for a program
 *
 * Beside the sums of summary.h: how far half of the points lie, and which part
 * of its way around each beam saw nothing in.  Directions and the order of
 * beams are those of the range image (range_image.h), a degree a cell.  Points
 * are added slice by slice and nothing is kept of them.  One thread.
 */
#ifndef TOOLS_FRAME_FIGURES_H
#define TOOLS_FRAME_FIGURES_H

#include <json-c/json.h>

#include "tools/range_image.h"

/** Ranges are told apart to 0.01 m up to here; what is farther counts as if it were here. */
#define FRAME_FIGURES_RANGES 65536u

struct frame_figures {
	struct range_image image;
	/** First returns by range, a centimetre each, and how many. */
	uint32_t *ranges;
	uint64_t points;
};

/** Return: 0; -ENOMEM. */
int frame_figures_init(struct frame_figures *f);
/** Idempotent. */
void frame_figures_deinit(struct frame_figures *f);
/** frame_figures_clear() - begin another frame */
void frame_figures_clear(struct frame_figures *f);
/** frame_figures_add() - some points of the frame; they may be gone afterwards */
void frame_figures_add(struct frame_figures *f, const struct lidard_point_xyzirt *points,
		       size_t count);
/** Return: the middle range of first returns, to 0.01 m; 0 without any. */
double frame_figures_get_median(const struct frame_figures *f);
/** Return: the part of the 360 degrees in which @ring saw nothing, 0 to 1. */
double frame_figures_get_empty(const struct frame_figures *f, uint32_t ring);

/**
 * frame_figures_add_json() - to what summary_to_json() gave of the same frame
 *
 * Adds "median" to its "range", "empty" (of all beams), and "rings", from top to bottom.
 */
void frame_figures_add_json(const struct frame_figures *f, struct json_object *object);

#endif /* TOOLS_FRAME_FIGURES_H */
