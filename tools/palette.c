/* SPDX-License-Identifier: Apache-2.0 */
/* palette.c - see palette.h; blue, teal, green, yellow, nearly white, and straight lines between */
#include "tools/palette.h"

#include <stddef.h>

static const struct palette_colour fixed[] = {
	[PALETTE_BACKGROUND] = { 10, 12, 18 },
	[PALETTE_GRID] = { 48, 52, 64 },
	[PALETTE_SENSOR] = { 255, 70, 60 },
};

static const struct palette_colour stops[] = {
	{ 66, 76, 176 }, { 38, 118, 196 }, { 30, 158, 160 }, { 84, 196, 104 },
	{ 190, 216, 62 }, { 252, 222, 96 }, { 255, 246, 214 },
};

#define STOP_COUNT (sizeof(stops) / sizeof(stops[0]))

static uint8_t mix(uint8_t a, uint8_t b, double part)
{
	return (uint8_t)(a + (b - a) * part + 0.5);
}

struct palette_colour palette_get(uint8_t entry)
{
	const struct palette_colour *a;
	double at, part;
	size_t i;

	if (entry >= PALETTE_COUNT)
		entry = PALETTE_BACKGROUND;
	if (entry < PALETTE_SHADE)
		return fixed[entry];
	at = (double)(entry - PALETTE_SHADE) / (PALETTE_SHADES - 1) * (STOP_COUNT - 1);
	i = (size_t)at;
	if (i > STOP_COUNT - 2)
		i = STOP_COUNT - 2;
	a = &stops[i];
	part = at - (double)i;
	return (struct palette_colour){ mix(a[0].red, a[1].red, part),
					mix(a[0].green, a[1].green, part),
					mix(a[0].blue, a[1].blue, part) };
}

uint8_t palette_shade(float value, float low, float high)
{
	float part;

	if (!(value > low))
		return PALETTE_SHADE;
	if (!(value < high))
		return PALETTE_SHADE + PALETTE_SHADES - 1;
	/* in parts, as high - low may be more than a float holds */
	part = (value * 0.5f - low * 0.5f) / (high * 0.5f - low * 0.5f);
	return (uint8_t)(PALETTE_SHADE + part * (PALETTE_SHADES - 1) + 0.5f);
}
