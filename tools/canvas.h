/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canvas.h - a picture of indexed colours, before anybody knows where it is shown
 *
 * A byte a pixel, rows from top to bottom; what a byte looks like is the
 * palette's (palette.h).  The terminal, sixel and PNG each encode a canvas in
 * their own way.  No I/O; any thread.
 */
#ifndef TOOLS_CANVAS_H
#define TOOLS_CANVAS_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** Longest side, in pixels. */
#define CANVAS_SIDE_MAX 4096u

struct canvas {
	uint32_t width;
	uint32_t height;
	uint8_t *pixels;
};

/** A rectangle of a canvas; whoever makes one keeps it within. */
struct canvas_area {
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
};

static inline void canvas_deinit(struct canvas *c)
{
	free(c->pixels);
	memset(c, 0, sizeof(*c));
}

/** canvas_init() - all pixels 0. Return: 0; -EINVAL a side is 0 or too long; -ENOMEM. */
static inline int canvas_init(struct canvas *c, uint32_t width, uint32_t height)
{
	memset(c, 0, sizeof(*c));
	if (!width || !height || width > CANVAS_SIDE_MAX || height > CANVAS_SIDE_MAX)
		return -EINVAL;
	c->pixels = calloc(height, width);
	if (!c->pixels)
		return -ENOMEM;
	c->width = width;
	c->height = height;
	return 0;
}

static inline uint8_t *canvas_row(const struct canvas *c, uint32_t y)
{
	return c->pixels + (size_t)y * c->width;
}

#endif /* TOOLS_CANVAS_H */
