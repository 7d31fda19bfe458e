/* SPDX-License-Identifier: Apache-2.0 */
/* text_picture.c - see text_picture.h */
#include "tools/text_picture.h"

#include "tools/palette.h"

#define COLOUR_TEXT_MAX 16

/** How each entry of the palette is asked for: the part after "38;" or "48;". */
struct colour_texts {
	char text[PALETTE_COUNT][COLOUR_TEXT_MAX];
};

/* The nearest of 0, 95, 135, 175, 215, 255. */
static unsigned int cube_level(uint8_t value)
{
	return value < 48 ? 0 : value < 115 ? 1 : (value - 35u) / 40u;
}

static void describe(uint8_t entry, enum text_picture_colours colours, char *text)
{
	struct palette_colour c = palette_get(entry);

	if (colours == TEXT_PICTURE_24_BIT)
		snprintf(text, COLOUR_TEXT_MAX, "2;%u;%u;%u", c.red, c.green, c.blue);
	else if (entry == PALETTE_GRID) /* a dark grey, which the cube has not */
		snprintf(text, COLOUR_TEXT_MAX, "5;237");
	else
		snprintf(text, COLOUR_TEXT_MAX, "5;%u", 16 + 36 * cube_level(c.red) +
			 6 * cube_level(c.green) + cube_level(c.blue));
}

/* Colours stay until they are changed: only what is new is said. */
static void write_colour_line(const uint8_t *upper, const uint8_t *lower, uint32_t width,
			      const struct colour_texts *texts, FILE *out)
{
	int front = -1, behind = -1;
	uint32_t x;

	for (x = 0; x < width; x++) {
		if (lower[x] != behind)
			fprintf(out, "\033[48;%sm", texts->text[lower[x]]);
		behind = lower[x];
		if (upper[x] == lower[x]) {
			fputc(' ', out);
			continue;
		}
		if (upper[x] != front)
			fprintf(out, "\033[38;%sm", texts->text[upper[x]]);
		front = upper[x];
		fputs("\u2580", out);
	}
	fputs("\033[0m\n", out);
}

static char character(uint8_t entry)
{
	static const char shades[] = ".:-=+*%#@";

	if (entry == PALETTE_SENSOR)
		return 'o';
	if (entry < PALETTE_SHADE || entry >= PALETTE_COUNT)
		return ' ';
	return shades[(entry - PALETTE_SHADE) * (sizeof(shades) - 1) / PALETTE_SHADES];
}

static uint8_t brighter(uint8_t a, uint8_t b)
{
	if (a == PALETTE_SENSOR || b == PALETTE_SENSOR)
		return PALETTE_SENSOR;
	return a > b ? a : b;
}

static void write_plain_line(const uint8_t *upper, const uint8_t *lower, uint32_t width, FILE *out)
{
	uint32_t x, end = 0;

	/* nothing to the right needs no blanks */
	for (x = 0; x < width; x++)
		if (character(upper[x]) != ' ' || character(lower[x]) != ' ')
			end = x + 1;
	for (x = 0; x < end; x++)
		fputc(character(brighter(upper[x], lower[x])), out);
	fputc('\n', out);
}

void text_picture_write(const struct canvas *canvas, enum text_picture_colours colours, FILE *out)
{
	static const uint8_t nothing[CANVAS_SIDE_MAX];
	struct colour_texts texts;
	uint32_t y;

	for (y = 0; y < PALETTE_COUNT; y++)
		describe((uint8_t)y, colours, texts.text[y]);
	for (y = 0; y < canvas->height; y += 2) {
		const uint8_t *upper = canvas_row(canvas, y);
		const uint8_t *lower = y + 1 < canvas->height ? canvas_row(canvas, y + 1) : nothing;

		if (colours == TEXT_PICTURE_PLAIN)
			write_plain_line(upper, lower, canvas->width, out);
		else
			write_colour_line(upper, lower, canvas->width, &texts, out);
	}
}
