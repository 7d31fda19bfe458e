/* SPDX-License-Identifier: Apache-2.0 */
/* range_image.c - see range_image.h */
#include "tools/range_image.h"

#include <stdlib.h>
#include <string.h>

#include "tools/palette.h"

/* Near returns are off their beam's elevation: rings are in order if most neighbours are. */
#define IN_ORDER_OF_TEN 8u

int range_image_init(struct range_image *r, uint32_t width)
{
	memset(r, 0, sizeof(*r));
	return cells_init(&r->cells, width, RANGE_IMAGE_RINGS_MAX);
}

void range_image_deinit(struct range_image *r)
{
	cells_deinit(&r->cells);
}

void range_image_clear(struct range_image *r)
{
	cells_clear(&r->cells, r->rings);
	memset(r->per_ring, 0, r->rings * sizeof(r->per_ring[0]));
}

/* Hot path: once a point. */
void range_image_add(struct range_image *r, const struct lidard_point_xyzirt *points,
		     size_t count, enum cells_quantity quantity)
{
	float width = (float)r->cells.width, per_rad = width / (2 * (float)M_PI);
	const struct lidard_point_xyzirt *p;
	uint32_t x;

	for (p = points; p < points + count; p++) {
		if (p->ring >= RANGE_IMAGE_RINGS_MAX || !cells_point_is_somewhere(p))
			continue;
		x = (uint32_t)(width / 2 - atan2f(p->y, p->x) * per_rad);
		if (x >= r->cells.width) /* straight behind: either end */
			x = 0;
		if (p->ring >= r->rings)
			r->rings = p->ring + 1u;
		if (p->return_number < 2) {
			r->per_ring[p->ring].points++;
			r->per_ring[p->ring].sum += (double)(p->z / p->range);
		}
		cells_put(&r->cells, x, p->ring, -p->range, cells_quantity_of(p, quantity));
	}
}

static double elevation(const struct range_image *r, uint32_t ring)
{
	return r->per_ring[ring].sum / r->per_ring[ring].points;
}

/* Of ten neighbours, how many go down? */
static uint32_t count_falling(const struct range_image *r)
{
	uint32_t ring, pairs = 0, falling = 0;
	bool have_last = false;
	double last = 0;

	for (ring = 0; ring < r->rings; ring++) {
		if (!r->per_ring[ring].points)
			continue;
		if (have_last) {
			pairs++;
			falling += elevation(r, ring) < last;
		}
		last = elevation(r, ring);
		have_last = true;
	}
	return pairs ? falling * 10 / pairs : 10;
}

struct row {
	double elevation;
	uint16_t ring;
};

static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return (x->elevation < y->elevation) - (x->elevation > y->elevation);
}

static uint32_t order_by_elevation(const struct range_image *r, uint16_t *order)
{
	struct row rows[RANGE_IMAGE_RINGS_MAX];
	uint32_t ring, i, count = 0;

	for (ring = 0; ring < r->rings; ring++)
		if (r->per_ring[ring].points)
			rows[count++] = (struct row){ elevation(r, ring), (uint16_t)ring };
	qsort(rows, count, sizeof(*rows), compare);
	for (i = 0; i < count; i++)
		order[i] = rows[i].ring;
	return count;
}

uint32_t range_image_order(const struct range_image *r, uint16_t *order)
{
	uint32_t falling = count_falling(r), i;

	if (falling < IN_ORDER_OF_TEN && falling > 10 - IN_ORDER_OF_TEN)
		return order_by_elevation(r, order);
	for (i = 0; i < r->rings; i++)
		order[i] = (uint16_t)(falling >= IN_ORDER_OF_TEN ? i : r->rings - 1 - i);
	return r->rings;
}

/*
 * How far a point's colour reaches where nothing follows: a sensor with fewer
 * columns than the picture would be stripes, and one with as many has gaps
 * where its azimuths and the picture's columns fall out of step.
 */
static uint32_t reach_of(const struct range_image *r)
{
	uint32_t ring, most = 0;

	for (ring = 0; ring < r->rings; ring++)
		if (r->per_ring[ring].points > most)
			most = r->per_ring[ring].points;
	if (!most)
		return 0;
	return most > 1 ? r->cells.width / most + 1 : 1;
}

/* Of the rings that share a row the nearest point; NULL: none. */
static const struct cell *nearest(const struct range_image *r, const uint16_t *rings,
				  uint32_t count, uint32_t x)
{
	const struct cell *found = NULL, *cell;
	uint32_t i;

	for (i = 0; i < count; i++) {
		cell = cells_at(&r->cells, x, rings[i]);
		if (!cell_is_empty(cell) && (!found || cell->key > found->key))
			found = cell;
	}
	return found;
}

static void draw_row(const struct range_image *r, const struct cells_limits *limits,
		     const uint16_t *rings, uint32_t count, uint32_t reach, uint8_t *pixels)
{
	uint32_t width = r->cells.width, gap = reach, i;
	uint8_t last = PALETTE_BACKGROUND;

	/* the ends meet: begin so far before the first column as a point reaches */
	for (i = 0; i < width + reach; i++) {
		uint32_t x = (i + width - reach) % width;
		const struct cell *cell = nearest(r, rings, count, x);

		if (cell) {
			last = palette_shade(cell->value, limits->low, limits->high);
			gap = 0;
		}
		if (i >= reach)
			pixels[x] = gap < reach ? last : PALETTE_BACKGROUND;
		gap++;
	}
}

void range_image_draw(const struct range_image *r, const struct cells_limits *limits,
		      struct canvas *canvas, const struct canvas_area *area)
{
	uint16_t order[RANGE_IMAGE_RINGS_MAX];
	uint32_t rows = range_image_order(r, order), reach = reach_of(r);
	uint32_t y, first, end;

	for (y = 0; y < area->height; y++) {
		uint8_t *pixels = canvas_row(canvas, area->y + y) + area->x;

		if (!rows) {
			memset(pixels, PALETTE_BACKGROUND, area->width);
			continue;
		}
		first = (uint32_t)((uint64_t)y * rows / area->height);
		end = (uint32_t)(((uint64_t)y + 1) * rows / area->height);
		draw_row(r, limits, order + first, end > first ? end - first : 1, reach,
			 pixels);
	}
}
