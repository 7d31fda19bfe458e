/* SPDX-License-Identifier: Apache-2.0 */
/* cells.c - see cells.h */
#include "tools/cells.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/canvas.h"

/* So many values, evenly spread over the picture, stand for all. */
#define SAMPLES_MAX 4096u
#define LEFT_OUT 50u

void cells_clear(struct cells *c, uint32_t rows)
{
	size_t i, count = (size_t)rows * c->width;

	for (i = 0; i < count; i++)
		c->cells[i] = (struct cell){ .key = -INFINITY };
}

int cells_init(struct cells *c, uint32_t width, uint32_t height)
{
	memset(c, 0, sizeof(*c));
	if (!width || !height || width > CANVAS_SIDE_MAX || height > CANVAS_SIDE_MAX)
		return -EINVAL;
	c->cells = malloc((size_t)width * height * sizeof(*c->cells));
	if (!c->cells)
		return -ENOMEM;
	c->width = width;
	c->height = height;
	cells_clear(c, height);
	return 0;
}

void cells_deinit(struct cells *c)
{
	free(c->cells);
	memset(c, 0, sizeof(*c));
}

static int compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

bool cells_find_limits(const struct cells *c, uint32_t rows, struct cells_limits *ret_limits)
{
	float samples[SAMPLES_MAX];
	size_t i, total = (size_t)rows * c->width, filled = 0, step, seen = 0, count = 0;

	for (i = 0; i < total; i++)
		filled += !cell_is_empty(&c->cells[i]);
	if (!filled)
		return false;
	step = (filled + SAMPLES_MAX - 1) / SAMPLES_MAX;
	for (i = 0; i < total; i++)
		if (!cell_is_empty(&c->cells[i]) && seen++ % step == 0)
			samples[count++] = c->cells[i].value;
	qsort(samples, count, sizeof(*samples), compare);
	ret_limits->low = samples[count / LEFT_OUT];
	ret_limits->high = samples[count - 1 - count / LEFT_OUT];
	return true;
}
