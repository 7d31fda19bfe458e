/* SPDX-License-Identifier: Apache-2.0 */
/* png_file.h - a canvas as a PNG file, which appears under its name when it is whole */
#ifndef TOOLS_PNG_FILE_H
#define TOOLS_PNG_FILE_H

#include "tools/canvas.h"

/** png_file_write() - Return: 0; negative errno: -ENAMETOOLONG, -EIO, or as open() and rename(). */
int png_file_write(const char *path, const struct canvas *canvas);

#endif /* TOOLS_PNG_FILE_H */
