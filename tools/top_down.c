/* SPDX-License-Identifier: Apache-2.0 */
/* top_down.c - see top_down.h */
#include "tools/top_down.h"

#include "tools/palette.h"

/* Circles closer to each other than so many pixels would hide what is between them. */
#define CIRCLE_PIXELS_MIN 6
/* Pictures with shorter sides of so many pixels are large. */
#define LARGE_PIXELS 500u

int top_down_init(struct top_down *t, uint32_t width, uint32_t height, float range_max_m)
{
	int r = cells_init(&t->cells, width, height);

	if (r < 0)
		return r;
	t->range_max_m = range_max_m;
	t->pixels_per_m = (float)(width < height ? width : height) / 2 / range_max_m;
	return 0;
}

void top_down_deinit(struct top_down *t)
{
	cells_deinit(&t->cells);
}

void top_down_clear(struct top_down *t)
{
	cells_clear(&t->cells, t->cells.height);
}

/* Hot path: once a point. */
void top_down_add(struct top_down *t, const struct lidard_point_xyzirt *points, size_t count,
		  enum cells_quantity quantity)
{
	float width = (float)t->cells.width, height = (float)t->cells.height;
	const struct lidard_point_xyzirt *p;

	for (p = points; p < points + count; p++) {
		float x = width / 2 + p->x * t->pixels_per_m;
		float y = height / 2 - p->y * t->pixels_per_m;

		if (x >= 0 && x < width && y >= 0 && y < height && cells_point_is_somewhere(p))
			cells_put(&t->cells, (uint32_t)x, (uint32_t)y, p->z,
				  cells_quantity_of(p, quantity));
	}
}

float top_down_circle_m(float range_max_m)
{
	float decade = powf(10, floorf(log10f(range_max_m)));
	float part = range_max_m / decade;

	return part < 1.5f ? decade / 4 : part < 3.5f ? decade / 2 : decade;
}

/* A circle that is no thicker than a pixel: those whose distance rounds to its radius. */
static bool is_on_circle(const struct top_down *t, uint32_t px, uint32_t py, float step)
{
	float x = (float)px + 0.5f - (float)t->cells.width / 2;
	float y = (float)py + 0.5f - (float)t->cells.height / 2;
	float distance = sqrtf(x * x + y * y);
	float circle = roundf(distance / step) * step;

	return circle > 0 && step >= CIRCLE_PIXELS_MIN && fabsf(distance - circle) <= 0.5f;
}

/* Where a pixel is hardly seen, a point is four. */
static const struct cell *cell_for(const struct top_down *t, uint32_t x, uint32_t y)
{
	bool large = t->cells.width >= LARGE_PIXELS && t->cells.height >= LARGE_PIXELS;
	const struct cell *cell = cells_at(&t->cells, x, y);

	if (cell_is_empty(cell) && large && x > 0)
		cell = cells_at(&t->cells, x - 1, y);
	if (cell_is_empty(cell) && large && y > 0)
		cell = cells_at(&t->cells, x, y - 1);
	if (cell_is_empty(cell) && large && x > 0 && y > 0)
		cell = cells_at(&t->cells, x - 1, y - 1);
	return cell;
}

static bool is_sensor(const struct top_down *t, uint32_t x, uint32_t y)
{
	uint32_t side = t->cells.width < t->cells.height ? t->cells.width : t->cells.height;
	uint32_t radius = side / 200;
	uint32_t middle_x = t->cells.width / 2, middle_y = t->cells.height / 2;

	return x + radius >= middle_x && x <= middle_x + radius && y + radius >= middle_y &&
	       y <= middle_y + radius;
}

void top_down_draw(const struct top_down *t, const struct cells_limits *limits,
		   struct canvas *canvas, const struct canvas_area *area)
{
	float step = top_down_circle_m(t->range_max_m) * t->pixels_per_m;
	uint32_t x, y;

	for (y = 0; y < area->height; y++) {
		uint8_t *row = canvas_row(canvas, area->y + y) + area->x;

		for (x = 0; x < area->width; x++) {
			const struct cell *cell = cell_for(t, x, y);

			if (is_sensor(t, x, y))
				row[x] = PALETTE_SENSOR;
			else if (!cell_is_empty(cell))
				row[x] = palette_shade(cell->value, limits->low, limits->high);
			else
				row[x] = is_on_circle(t, x, y, step) ? PALETTE_GRID :
								       PALETTE_BACKGROUND;
		}
	}
}
