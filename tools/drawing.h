/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drawing.h - a frame's points made into a picture of one view or both
 *
 * Points are added slice by slice, from the memory they were published in, and
 * leave their mark in cells; nothing else is kept of them.  Where the scale is
 * to come from the data, the first frame is drawn to every scale there is, as
 * its points are gone when it is known; later frames are drawn to the one that
 * fitted, until another fits for a while.  One thread.
 */
#ifndef TOOLS_DRAWING_H
#define TOOLS_DRAWING_H

#include <stdbool.h>

#include "tools/canvas.h"
#include "tools/cells.h"
#include "tools/range_image.h"
#include "tools/scale.h"
#include "tools/top_down.h"

enum drawing_view {
	DRAWING_RANGE = 1,
	DRAWING_TOP_DOWN = 2,
	/** One above the other. */
	DRAWING_BOTH = DRAWING_RANGE | DRAWING_TOP_DOWN,
};

struct drawing_opts {
	/** enum drawing_view. */
	unsigned int view;
	/** Metres that the top-down view reaches; 0: from the data. */
	float range_max_m;
	/** What colours say, in each view. */
	enum cells_quantity top_down_quantity;
	enum cells_quantity range_quantity;
};

struct drawing {
	struct drawing_opts opts;
	struct canvas_area range_area;
	struct canvas_area top_down_area;
	struct range_image range;
	/** By scale; only the one in use is there, or all while none is known. */
	struct top_down top_down[SCALE_COUNT];
	bool scale_known;
	unsigned int scale_index;
	/** Of the frame under way, and how many frames in a row another one would have fitted. */
	struct scale scale;
	unsigned int misfits;
	/** Of the frame under way: all points, and those that lie somewhere. */
	uint64_t points;
	uint64_t drawable_points;
	/** The last finished frame, and how far its top-down view reaches, in metres. */
	struct canvas canvas;
	float shown_range_m;
};

/**
 * drawing_init() - a drawing of some size, in pixels
 * Return: 0; -EINVAL a side has less than 2 pixels or more than CANVAS_SIDE_MAX; -ENOMEM.
 */
int drawing_init(struct drawing *d, const struct drawing_opts *opts, uint32_t width,
		 uint32_t height);
/** drawing_change() - another size or other options from now on. Return: as drawing_init(). */
int drawing_change(struct drawing *d, const struct drawing_opts *opts, uint32_t width,
		   uint32_t height);
/** Idempotent. */
void drawing_deinit(struct drawing *d);
/** drawing_begin() - forget the frame before. */
void drawing_begin(struct drawing *d);
/** drawing_add() - some points of the frame; they may be gone afterwards */
void drawing_add(struct drawing *d, const struct lidard_point_xyzirt *points, size_t count);
/** drawing_finish() - the frame is whole: d->canvas shows it until the next drawing_finish() */
void drawing_finish(struct drawing *d);
#endif /* TOOLS_DRAWING_H */
