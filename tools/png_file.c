/* SPDX-License-Identifier: Apache-2.0 */
/* png_file.c - see png_file.h */
#include "tools/png_file.h"

#include <limits.h>
#include <png.h>
#include <stdio.h>
#include <unistd.h>

#include "tools/palette.h"

static int write_image(FILE *out, const struct canvas *canvas)
{
	png_image image = {
		.version = PNG_IMAGE_VERSION,
		.width = canvas->width,
		.height = canvas->height,
		.format = PNG_FORMAT_RGB_COLORMAP,
		.colormap_entries = PALETTE_COUNT,
	};
	struct palette_colour colours[PALETTE_COUNT];
	uint32_t i;

	for (i = 0; i < PALETTE_COUNT; i++)
		colours[i] = palette_get((uint8_t)i);
	errno = 0;
	if (png_image_write_to_stdio(&image, out, 0, canvas->pixels, (png_int_32)canvas->width,
				     colours))
		return 0;
	return errno ? -errno : -EIO;
}

int png_file_write(const char *path, const struct canvas *canvas)
{
	char part[PATH_MAX];
	FILE *out;
	int r;

	if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	out = fopen(part, "we");
	if (!out)
		return -errno;
	r = write_image(out, canvas);
	/* what fails late fails here */
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(part, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(part);
	return r;
}
