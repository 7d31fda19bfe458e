/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/png_file.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <png.h>
#include <stdio.h>
#include <unistd.h>

#include "tools/palette.h"

#define WIDTH  PALETTE_COUNT
#define HEIGHT 5u

static char directory[] = "/tmp/test_png.XXXXXX";
static char path[64];
static struct canvas canvas;

static void make(void)
{
	uint32_t i;

	cr_assert(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/a.png", directory);
	cr_assert_eq(canvas_init(&canvas, WIDTH, HEIGHT), 0);
	for (i = 0; i < WIDTH * HEIGHT; i++)
		canvas.pixels[i] = (uint8_t)(i % PALETTE_COUNT);
}

static void drop(void)
{
	canvas_deinit(&canvas);
	unlink(path);
	rmdir(directory);
}

TestSuite(png_file, .init = make, .fini = drop);

Test(png_file, every_pixel_has_its_entry_s_colour)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	struct palette_colour pixels[WIDTH * HEIGHT], wanted;
	uint32_t i;

	cr_assert_eq(png_file_write(path, &canvas), 0);
	cr_assert(png_image_begin_read_from_file(&image, path));
	cr_assert_eq(image.width, WIDTH);
	cr_assert_eq(image.height, HEIGHT);
	image.format = PNG_FORMAT_RGB;
	cr_assert(png_image_finish_read(&image, NULL, pixels, 0, NULL));
	for (i = 0; i < WIDTH * HEIGHT; i++) {
		wanted = palette_get(canvas.pixels[i]);
		cr_assert_eq(memcmp(&pixels[i], &wanted, sizeof(wanted)), 0, "pixel %u", i);
	}
}

Test(png_file, what_cannot_be_written_leaves_nothing)
{
	char longest[PATH_MAX + 1];

	memset(longest, 'a', PATH_MAX);
	longest[PATH_MAX] = '\0';
	cr_assert_eq(png_file_write(longest, &canvas), -ENAMETOOLONG);
	cr_assert_eq(png_file_write("/nowhere/at/all.png", &canvas), -ENOENT);
	cr_assert_eq(png_file_write(directory, &canvas), -EISDIR);
	cr_assert_eq(rmdir(directory), 0);
}

Test(png_file, a_full_disk_is_an_error)
{
	char part[80];

	snprintf(part, sizeof(part), "%s.part", path);
	cr_assert_eq(symlink("/dev/full", part), 0);
	cr_assert_eq(png_file_write(path, &canvas), -ENOSPC);
	cr_assert_eq(access(path, F_OK), -1);
	cr_assert_eq(rmdir(directory), 0);
}
