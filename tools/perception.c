/* SPDX-License-Identifier: Apache-2.0 */
/* perception.c - see perception.h */
#include "tools/perception.h"

#include <stdbool.h>

#define CELL_COUNT (PERCEPTION_CELLS * PERCEPTION_CELLS)

void perception_begin(struct perception *p)
{
	p->stamp++;
	p->looked_at = 0;
}

void perception_add(struct perception *p, const struct lidard_point_xyzirt *points, uint32_t count,
		    unsigned int stride)
{
	const float half = PERCEPTION_CELL_M * PERCEPTION_CELLS / 2;
	uint32_t i;

	for (i = 0; i < count; i += stride) {
		const struct lidard_point_xyzirt *q = &points[i];
		struct perception_cell *cell;
		float x = q->x + half, y = q->y + half;

		p->looked_at++;
		if (!(x >= 0 && x < 2 * half && y >= 0 && y < 2 * half))
			continue;
		cell = &p->cells[(uint32_t)(y / PERCEPTION_CELL_M) * PERCEPTION_CELLS +
				 (uint32_t)(x / PERCEPTION_CELL_M)];
		if (cell->stamp != p->stamp) {
			*cell = (struct perception_cell){ .low = q->z, .high = q->z,
							  .stamp = p->stamp };
		}
		if (q->z < cell->low)
			cell->low = q->z;
		if (q->z > cell->high)
			cell->high = q->z;
		cell->points++;
	}
}

static bool is_obstacle(const struct perception *p, uint32_t index)
{
	const struct perception_cell *cell = &p->cells[index];

	return cell->stamp == p->stamp && cell->points > 0 &&
	       cell->high - cell->low > PERCEPTION_STEP_M;
}

/* Visit a cluster; visited cells are marked by points = 0. */
static void flood(struct perception *p, uint32_t start)
{
	uint16_t stack[CELL_COUNT];
	uint32_t depth = 0;

	p->cells[start].points = 0;
	stack[depth++] = (uint16_t)start;
	while (depth > 0) {
		uint32_t at = stack[--depth];
		uint32_t x = at % PERCEPTION_CELLS, y = at / PERCEPTION_CELLS;
		const uint32_t neighbours[4] = {
			x > 0 ? at - 1 : at,
			x + 1 < PERCEPTION_CELLS ? at + 1 : at,
			y > 0 ? at - PERCEPTION_CELLS : at,
			y + 1 < PERCEPTION_CELLS ? at + PERCEPTION_CELLS : at,
		};
		unsigned int i;

		p->obstacle_cells++;
		for (i = 0; i < 4; i++) {
			if (!is_obstacle(p, neighbours[i]))
				continue;
			p->cells[neighbours[i]].points = 0;
			stack[depth++] = (uint16_t)neighbours[i];
		}
	}
}

void perception_finish(struct perception *p)
{
	uint32_t i;

	p->clusters = 0;
	p->obstacle_cells = 0;
	p->ground_points = 0;
	for (i = 0; i < CELL_COUNT; i++) {
		if (is_obstacle(p, i)) {
			flood(p, i);
			p->clusters++;
		} else if (p->cells[i].stamp == p->stamp) {
			p->ground_points += p->cells[i].points;
		}
	}
	p->frames++;
	p->total_points += p->looked_at;
	perception_begin(p);
}
