/* SPDX-License-Identifier: Apache-2.0 */
/* frame_figures.c - see frame_figures.h */
#include "tools/frame_figures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_add.h"

#define DIRECTIONS 360u

int frame_figures_init(struct frame_figures *f)
{
	int err;

	memset(f, 0, sizeof(*f));
	err = range_image_init(&f->image, DIRECTIONS);
	if (err < 0)
		return err;
	f->ranges = calloc(FRAME_FIGURES_RANGES, sizeof(f->ranges[0]));
	if (f->ranges)
		return 0;
	frame_figures_deinit(f);
	return -ENOMEM;
}

void frame_figures_deinit(struct frame_figures *f)
{
	range_image_deinit(&f->image);
	free(f->ranges);
	f->ranges = NULL;
}

void frame_figures_clear(struct frame_figures *f)
{
	range_image_clear(&f->image);
	memset(f->ranges, 0, FRAME_FIGURES_RANGES * sizeof(f->ranges[0]));
	f->points = 0;
}

void frame_figures_add(struct frame_figures *f, const struct lidard_point_xyzirt *points,
		       size_t count)
{
	const struct lidard_point_xyzirt *p;

	range_image_add(&f->image, points, count, CELLS_RANGE);
	for (p = points; p < points + count; p++) {
		float centimetres = p->range * 100;

		/* as in the summary: first returns, and NaN is none */
		if (!(p->range > 0) || p->return_number >= 2)
			continue;
		f->ranges[centimetres < FRAME_FIGURES_RANGES - 1 ? (uint32_t)centimetres :
								   FRAME_FIGURES_RANGES - 1]++;
		f->points++;
	}
}

double frame_figures_get_median(const struct frame_figures *f)
{
	uint64_t before = 0;
	uint32_t i;

	for (i = 0; i < FRAME_FIGURES_RANGES && f->points; i++) {
		before += f->ranges[i];
		if (2 * before >= f->points)
			return (i + 0.5) / 100;
	}
	return 0;
}

double frame_figures_get_empty(const struct frame_figures *f, uint32_t ring)
{
	uint32_t x, empty = 0;

	for (x = 0; x < DIRECTIONS; x++)
		empty += cell_is_empty(cells_at(&f->image.cells, x, ring));
	return (double)empty / DIRECTIONS;
}

static struct json_object *ring_to_json(const struct frame_figures *f, uint32_t ring)
{
	struct json_object *object = json_object_new_object();

	json_add_uint(object, "ring", ring);
	json_add_uint(object, "points", f->image.per_ring[ring].points);
	json_add_real(object, "empty", frame_figures_get_empty(f, ring));
	return object;
}

void frame_figures_add_json(const struct frame_figures *f, struct json_object *object)
{
	struct json_object *rings = json_object_new_array();
	uint16_t order[RANGE_IMAGE_RINGS_MAX];
	uint32_t i, count = range_image_order(&f->image, order);
	double empty = 0;

	for (i = 0; i < count; i++) {
		empty += frame_figures_get_empty(f, order[i]);
		json_object_array_add(rings, ring_to_json(f, order[i]));
	}
	json_add_real(json_object_object_get(object, "range"), "median",
		      frame_figures_get_median(f));
	json_add_real(object, "empty", count ? empty / count : 1);
	json_object_object_add(object, "rings", rings);
}
