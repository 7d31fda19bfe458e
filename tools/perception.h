/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perception.h - a small, honest reader: ground removal and clustering
 *
 * What a perception process does with a frame, cut down to a grid: each cell
 * keeps the lowest and highest point; cells that rise above their lowest point
 * are obstacles, and neighbouring obstacle cells form a cluster.  Looks at
 * every stride-th point.  Pure computation on borrowed points.
 */
#ifndef TOOLS_PERCEPTION_H
#define TOOLS_PERCEPTION_H

#include <stdint.h>

#include "lidard/frame.h"

#define PERCEPTION_CELLS 128u
#define PERCEPTION_CELL_M 1.0f
/** A cell whose points differ more in height is no ground. */
#define PERCEPTION_STEP_M 0.3f

struct perception_cell {
	float low;
	float high;
	uint32_t points;
	/** Frame the cell was last written in: saves clearing the grid. */
	uint32_t stamp;
};

struct perception {
	struct perception_cell cells[PERCEPTION_CELLS * PERCEPTION_CELLS];
	uint32_t stamp;
	/** Of the frame under way. */
	uint64_t looked_at;
	/** Results of the last finished frame. */
	uint32_t clusters;
	uint32_t obstacle_cells;
	uint64_t ground_points;
	/** Over all frames. */
	uint64_t frames;
	uint64_t total_points;
};

/** The struct is zero when it begins; call perception_begin() before the first frame. */
void perception_begin(struct perception *p);
/** Hot path: no allocation, no system call. */
void perception_add(struct perception *p, const struct lidard_point_xyzirt *points, uint32_t count,
		    unsigned int stride);
/** End the frame: find clusters; begin the next. */
void perception_finish(struct perception *p);

#endif /* TOOLS_PERCEPTION_H */
