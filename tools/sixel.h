/* SPDX-License-Identifier: Apache-2.0 */
/* sixel.h - a canvas for terminals that show DEC's sixel graphics: pixels, not characters */
#ifndef TOOLS_SIXEL_H
#define TOOLS_SIXEL_H

#include <stdio.h>

#include "tools/canvas.h"

/** sixel_write() - the picture, where the cursor is; the colours are the palette's */
void sixel_write(const struct canvas *canvas, FILE *out);

#endif /* TOOLS_SIXEL_H */
