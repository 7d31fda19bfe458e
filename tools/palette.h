/* SPDX-License-Identifier: Apache-2.0 */
/*
 * palette.h - what the bytes of a canvas look like
 *
 * Few colours, so that sixel and PNG need no quantiser: the background, the
 * grid, the sensor's place, and shades from low to high.  Shades grow in
 * brightness all the way, so that they also read on paper, for who does not
 * tell colours apart, and as plain characters.
 */
#ifndef TOOLS_PALETTE_H
#define TOOLS_PALETTE_H

#include <stdint.h>

/** Bytes of a canvas. */
enum palette_entry {
	PALETTE_BACKGROUND,
	/** Circles of distance, and what parts two views. */
	PALETTE_GRID,
	/** Where the sensor is. */
	PALETTE_SENSOR,
	/** The lowest shade; the others follow. */
	PALETTE_SHADE,
};

#define PALETTE_SHADES 64u
#define PALETTE_COUNT (PALETTE_SHADE + PALETTE_SHADES)

struct palette_colour {
	uint8_t red;
	uint8_t green;
	uint8_t blue;
};

/** palette_get() - the colour of a byte; one that is no entry is background */
struct palette_colour palette_get(uint8_t entry);

/** palette_shade() - the entry for a value between two limits; beyond them the nearest */
uint8_t palette_shade(float value, float low, float high);

#endif /* TOOLS_PALETTE_H */
