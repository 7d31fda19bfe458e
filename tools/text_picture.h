/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_picture.h - a canvas as text: coloured half blocks, or plain characters
 *
 * A character shows two pixels, one above the other: its cell is about twice
 * as high as wide.  In colour it is the upper half block, with the upper pixel
 * in front and the lower one behind.  Plain text has no escape sequence, and a
 * darker or lighter character for the brighter of the two.
 */
#ifndef TOOLS_TEXT_PICTURE_H
#define TOOLS_TEXT_PICTURE_H

#include <stdio.h>

#include "tools/canvas.h"

enum text_picture_colours {
	TEXT_PICTURE_PLAIN,
	/** xterm's 256: a cube of 6 x 6 x 6. */
	TEXT_PICTURE_256,
	TEXT_PICTURE_24_BIT,
};

/** text_picture_write() - half as many lines as the canvas has rows, rounded up */
void text_picture_write(const struct canvas *canvas, enum text_picture_colours colours, FILE *out);

#endif /* TOOLS_TEXT_PICTURE_H */
