/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/pcd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/test_pcd.XXXXXX";
static char path[64];

static void make_directory(void)
{
	cr_assert(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/a.pcd", directory);
}

static void remove_directory(void)
{
	unlink(path);
	rmdir(directory);
}

TestSuite(pcd, .init = make_directory, .fini = remove_directory);

Test(pcd, the_header_has_one_length_whatever_the_numbers)
{
	const struct pcd_header small = {};
	const struct pcd_header large = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	char text[PCD_HEADER_BYTES + 1];

	pcd_format_header(&small, text);
	cr_assert_eq(strlen(text), PCD_HEADER_BYTES);
	cr_assert_str_eq(text + PCD_HEADER_BYTES - 12, "DATA binary\n");
	pcd_format_header(&large, text);
	cr_assert_eq(strlen(text), PCD_HEADER_BYTES);
	cr_assert_str_eq(text + PCD_HEADER_BYTES - 12, "DATA binary\n");
}

Test(pcd, the_header_describes_a_point)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
#define FIELD(name, member) { name, offsetof(struct lidard_point_xyzirt, member) }
		FIELD("x", x), FIELD("y", y), FIELD("z", z), FIELD("intensity", intensity),
		FIELD("range", range), FIELD("time_offset", time_offset_ns), FIELD("ring", ring),
		FIELD("return", return_number), FIELD("flags", flags), FIELD("signal", signal),
		FIELD("ambient", ambient),
	};
	const struct pcd_header header = { .points = 3 };
	char text[PCD_HEADER_BYTES + 1], *names, *sizes, *a, *b, *name, *size;
	size_t i = 0, offset = 0;

	pcd_format_header(&header, text);
	names = strstr(text, "FIELDS ") + 7;
	sizes = strstr(text, "SIZE ") + 5;
	*strchr(names, '\n') = '\0';
	*strchr(sizes, '\n') = '\0';
	name = strtok_r(names, " ", &a);
	size = strtok_r(sizes, " ", &b);
	for (; name; name = strtok_r(NULL, " ", &a), size = strtok_r(NULL, " ", &b), i++) {
		cr_assert_str_eq(name, fields[i].name);
		cr_assert_eq(offset, fields[i].offset, "%s", name);
		offset += (size_t)atoi(size);
	}
	cr_assert_eq(i, sizeof(fields) / sizeof(fields[0]));
	cr_assert_eq(offset, sizeof(struct lidard_point_xyzirt));
}

static void write_two_slices(struct pcd_file *f)
{
	const struct lidard_point_xyzirt p[2] = { { .x = 1, .time_offset_ns = 5 },
						  { .x = 2, .time_offset_ns = 6 } };
	struct lidard_slice_header h = { .point_count = 2, .sensor_time_ns = 1000 };

	cr_assert_eq(pcd_open(f, path, 42, 1000), 0);
	cr_assert_eq(pcd_add(f, &h, p), 0);
	h.sensor_time_ns = 1100;
	cr_assert_eq(pcd_add(f, &h, p), 0);
}

Test(pcd, a_file_appears_when_it_is_whole)
{
	struct lidard_point_xyzirt p[4];
	char text[PCD_HEADER_BYTES + 1] = "";
	struct pcd_file f;
	FILE *in;

	write_two_slices(&f);
	cr_assert_eq(access(path, F_OK), -1);
	cr_assert_eq(pcd_commit(&f), 0);
	in = fopen(path, "r");
	cr_assert(in);
	cr_assert_eq(fread(text, PCD_HEADER_BYTES, 1, in), 1);
	cr_assert(strstr(text, "\nPOINTS 4\n"));
	cr_assert(strstr(text, "frame_id 42 "));
	cr_assert_eq(fread(p, sizeof(*p), 4, in), 4);
	cr_assert_eq(fgetc(in), EOF);
	fclose(in);
	/* times count from the frame's begin, also in its second slice */
	cr_assert_eq(p[1].time_offset_ns, 6);
	cr_assert_eq(p[3].time_offset_ns, 106);
	cr_assert_eq(p[3].x, 2);
}

Test(pcd, an_abandoned_file_leaves_nothing)
{
	struct pcd_file f;

	write_two_slices(&f);
	pcd_abandon(&f);
	pcd_abandon(&f);
	cr_assert_eq(access(path, F_OK), -1);
	cr_assert_eq(rmdir(directory), 0);
}
