/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sixel.c - see sixel.h
 *
 * A character is six pixels, one above the other, of one colour: a band of six
 * rows is written once for each colour in it, over each other.
 */
#include "tools/sixel.h"

#include <stdbool.h>

#include "tools/palette.h"

#define BAND_ROWS 6u

static void write_palette(FILE *out)
{
	uint32_t i;

	/* parts of a hundred */
	for (i = 0; i < PALETTE_COUNT; i++) {
		struct palette_colour c = palette_get((uint8_t)i);

		fprintf(out, "#%u;2;%u;%u;%u", i, c.red * 100u / 255u, c.green * 100u / 255u,
			c.blue * 100u / 255u);
	}
}

static void write_run(char sixel, uint32_t count, FILE *out)
{
	if (count > 3) {
		fprintf(out, "!%u%c", count, sixel);
		return;
	}
	while (count-- > 0)
		fputc(sixel, out);
}

static char sixel_at(const struct canvas *c, uint32_t x, uint32_t top, uint32_t rows, uint8_t entry)
{
	unsigned int bits = 0;
	uint32_t i;

	for (i = 0; i < rows; i++)
		bits |= (unsigned int)(canvas_row(c, top + i)[x] == entry) << i;
	return (char)('?' + bits);
}

static void write_colour(const struct canvas *c, uint32_t top, uint32_t rows, uint8_t entry,
			 FILE *out)
{
	uint32_t x, run = 0;
	char sixel, last = '?';

	fprintf(out, "#%u", entry);
	for (x = 0; x < c->width; x++) {
		sixel = sixel_at(c, x, top, rows, entry);
		if (run && sixel != last) {
			write_run(last, run, out);
			run = 0;
		}
		last = sixel;
		run++;
	}
	/* nothing more of this colour needs no blanks */
	if (last != '?')
		write_run(last, run, out);
	fputc('$', out);
}

static void write_band(const struct canvas *c, uint32_t top, FILE *out)
{
	uint32_t rows = c->height - top < BAND_ROWS ? c->height - top : BAND_ROWS, i, x;
	bool used[256] = {};

	for (i = 0; i < rows; i++)
		for (x = 0; x < c->width; x++)
			used[canvas_row(c, top + i)[x]] = true;
	for (i = 0; i < PALETTE_COUNT; i++)
		if (used[i])
			write_colour(c, top, rows, (uint8_t)i, out);
	fputc('-', out);
}

void sixel_write(const struct canvas *canvas, FILE *out)
{
	uint32_t top;

	fprintf(out, "\033P0;1;0q\"1;1;%u;%u", canvas->width, canvas->height);
	write_palette(out);
	for (top = 0; top < canvas->height; top += BAND_ROWS)
		write_band(canvas, top, out);
	fputs("\033\\", out);
}
