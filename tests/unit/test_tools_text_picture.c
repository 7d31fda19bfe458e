/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/text_picture.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tools/palette.h"
#include "tools/sixel.h"

#define LOWEST	PALETTE_SHADE
#define HIGHEST (PALETTE_COUNT - 1)

static char *text;
static size_t length;

static void drop(void)
{
	free(text);
}

TestSuite(text_picture, .fini = drop);

/* A picture of so many columns, as text; colours below 0 stand for sixels. */
static const char *encode(const uint8_t *pixels, uint32_t width, uint32_t height, int colours)
{
	struct canvas canvas;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &length);
	cr_assert_eq(canvas_init(&canvas, width, height), 0);
	memcpy(canvas.pixels, pixels, (size_t)width * height);
	if (colours < 0)
		sixel_write(&canvas, out);
	else
		text_picture_write(&canvas, (enum text_picture_colours)colours, out);
	fclose(out);
	canvas_deinit(&canvas);
	return text;
}

Test(text_picture, plain_text_is_darker_and_lighter_characters)
{
	const uint8_t pixels[] = { LOWEST, HIGHEST, PALETTE_BACKGROUND, HIGHEST, 0,
				   PALETTE_GRID, LOWEST, PALETTE_SENSOR, LOWEST, 0 };

	/* of two pixels the brighter; the sensor above all; nothing to the right is not written */
	cr_assert_str_eq(encode(pixels, 5, 2, TEXT_PICTURE_PLAIN), ".@o@\n");
}

Test(text_picture, an_odd_row_has_a_line_of_its_own)
{
	const uint8_t pixels[] = { HIGHEST, 0, HIGHEST };

	cr_assert_str_eq(encode(pixels, 1, 3, TEXT_PICTURE_PLAIN), "@\n@\n");
}

Test(text_picture, shades_never_get_darker_from_low_to_high)
{
	static const char order[] = ".:-=+*%#@";
	size_t last = 0, now;
	uint8_t entry;

	for (entry = LOWEST; entry <= HIGHEST; entry++) {
		now = (size_t)(strchr(order, encode(&entry, 1, 1, TEXT_PICTURE_PLAIN)[0]) - order);
		cr_assert(now == last || now == last + 1);
		last = now;
	}
	cr_assert_eq(last, strlen(order) - 1);
}

Test(text_picture, a_half_block_has_the_upper_pixel_in_front)
{
	const struct palette_colour low = palette_get(LOWEST), high = palette_get(HIGHEST);
	const uint8_t pixels[] = { LOWEST, HIGHEST };
	char expected[128];

	snprintf(expected, sizeof(expected),
		 "\033[48;2;%u;%u;%um\033[38;2;%u;%u;%um\u2580\033[0m\n", high.red, high.green,
		 high.blue, low.red, low.green, low.blue);
	cr_assert_str_eq(encode(pixels, 1, 2, TEXT_PICTURE_24_BIT), expected);
}

Test(text_picture, colours_are_said_once)
{
	uint8_t pixels[2 * 50];
	char expected[256];

	memset(pixels, LOWEST, 50);
	memset(pixels + 50, HIGHEST, 50);
	encode(pixels, 50, 2, TEXT_PICTURE_256);
	cr_assert_eq(length, strlen("\033[48;5;nnnm\033[38;5;nnm") + 50 * strlen("\u2580") +
				     strlen("\033[0m\n"), "%zu bytes", length);
	memset(pixels, HIGHEST, 50);
	encode(pixels, 50, 2, TEXT_PICTURE_256);
	snprintf(expected, sizeof(expected), "%s%50s%s", "\033[48;5;230m", "", "\033[0m\n");
	cr_assert_str_eq(text, expected);
}

Test(text_picture, what_is_no_entry_of_the_palette_is_background)
{
	const uint8_t pixels[] = { PALETTE_COUNT, 255 };

	cr_assert_str_eq(encode(pixels, 2, 1, TEXT_PICTURE_PLAIN), "\n");
	cr_assert_eq(palette_get(255).red, palette_get(PALETTE_BACKGROUND).red);
}

Test(text_picture, shades_grow_in_brightness)
{
	struct palette_colour c;
	double last = 0, now;
	uint8_t entry;

	for (entry = LOWEST; entry <= HIGHEST; entry++) {
		c = palette_get(entry);
		now = 0.299 * c.red + 0.587 * c.green + 0.114 * c.blue;
		cr_assert_gt(now, last, "shade %u", entry);
		last = now;
	}
}

Test(text_picture, a_shade_is_between_its_limits_whatever_the_value)
{
	cr_assert_eq(palette_shade(5, 5, 5), LOWEST);
	cr_assert_eq(palette_shade(6, 5, 5), HIGHEST);
	cr_assert_eq(palette_shade(-1e38f, -1, 1), LOWEST);
	cr_assert_eq(palette_shade(1e38f, -1, 1), HIGHEST);
	cr_assert_eq(palette_shade(0, -3e38f, 3e38f), (LOWEST + HIGHEST + 1) / 2);
	cr_assert_eq(palette_shade(NAN, -1, 1), LOWEST);
}

/* ---- Sixels: the palette, then bands of six rows, a colour after the other ---- */

static const char *bands(const char *sixels)
{
	/* the last colour's definition ends where the first band's colour begins */
	return strstr(sixels, "#66;2;") + strlen("#66;2;100;96;83");
}

Test(text_picture, sixels_say_their_size_and_every_colour)
{
	const uint8_t pixels[] = { 0, 0, 0, 0 };

	encode(pixels, 2, 2, -1);
	cr_assert_eq(strncmp(text, "\033P0;1;0q\"1;1;2;2#0;2;3;4;7#1;2;", 30), 0);
	cr_assert_str_eq(text + length - 2, "\033\\");
}

Test(text_picture, a_sixel_has_the_upper_pixel_in_its_lowest_bit)
{
	const uint8_t pixels[] = { 1, 0, 1, 1, 0, 0, 1 };

	/* rows 1, 3 and 4 of colour 1: 1 + 4 + 8; the others 2 + 16 + 32; and the seventh alone */
	cr_assert_str_eq(bands(encode(pixels, 1, 7, -1)), "#0q$#1L$-#1@$-\033\\");
}

Test(text_picture, runs_of_sixels_are_counted)
{
	uint8_t pixels[20] = { [10] = 1 };

	/* what is right of the last pixel of a colour is not written */
	cr_assert_str_eq(bands(encode(pixels, 20, 1, -1)), "#0!10@?!9@$#1!10?@$-\033\\");
}
