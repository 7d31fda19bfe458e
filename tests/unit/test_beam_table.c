/* SPDX-License-Identifier: Apache-2.0 */
#include "decoder/beam_table.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME "front.csv"

static struct beam_table t;
static struct problem problem;

static int parse(const char *text)
{
	problem.text[0] = '\0';
	return beam_table_parse(FILE_NAME, text, strlen(text), &t, &problem);
}

static void refuses(const char *text, const char *what)
{
	struct beam_table before;

	memset(&t, 0x55, sizeof(t));
	before = t;
	cr_expect_eq(parse(text), -EINVAL, "%s", text);
	cr_expect(strncmp(problem.text, FILE_NAME, strlen(FILE_NAME)) == 0, "\"%s\"", problem.text);
	cr_expect(strstr(problem.text, what), "\"%s\" does not say \"%s\"", problem.text, what);
	cr_expect_eq(memcmp(&t, &before, sizeof(t)), 0, "written in spite of a problem");
}

Test(beam_table, rows_are_channel_elevation_azimuth)
{
	cr_assert_eq(parse("Laser id,Elevation,Azimuth\n1,14.794,-1.042\n2,-0.5,+3\n"), 0, "%s",
		     problem.text);
	cr_expect_eq(t.beams, 2);
	cr_expect_eq(t.elevation_deg[0], 14.794);
	cr_expect_eq(t.azimuth_deg[0], -1.042);
	cr_expect_eq(t.elevation_deg[1], -0.5);
	cr_expect_eq(t.azimuth_deg[1], 3);
}

Test(beam_table, rows_of_two_angles_count_channels_themselves)
{
	cr_assert_eq(parse("14.94,-4.05\t\n13.03,3.61\t\n0,3.55"), 0, "%s", problem.text);
	cr_expect_eq(t.beams, 3);
	cr_expect_eq(t.elevation_deg[1], 13.03);
	cr_expect_eq(t.azimuth_deg[2], 3.55);
}

Test(beam_table, channels_may_come_in_any_order)
{
	cr_assert_eq(parse("3,3,0\n1,1,0\n2,2,0\n"), 0, "%s", problem.text);
	cr_expect_eq(t.elevation_deg[0], 1);
	cr_expect_eq(t.elevation_deg[2], 3);
}

Test(beam_table, ends_of_line_blanks_and_marks_are_what_editors_leave)
{
	cr_assert_eq(parse("\xef\xbb\xbf" "EEFF,1,1\r\nChannel,Elevation,Azimuth\r\n\r\n"
			   "  1 , 2.5 ,\t3 \r\n2,-2.5,-3\r\n\r\n"), 0, "%s", problem.text);
	cr_expect_eq(t.beams, 2);
	cr_expect_eq(t.elevation_deg[0], 2.5);
	cr_expect_eq(t.azimuth_deg[1], -3);
}

Test(beam_table, numbers_are_read_to_the_last_digit_that_counts)
{
	cr_assert_eq(parse("1,-52.62676282,10.108305960000000001\n2,.5,-0.\n3,000.25,0.0001\n"), 0,
		     "%s", problem.text);
	cr_expect_eq(t.elevation_deg[0], -52.62676282);
	cr_expect_eq(t.azimuth_deg[0], 10.10830596);
	cr_expect_eq(t.elevation_deg[1], 0.5);
	cr_expect_eq(t.elevation_deg[2], 0.25);
	cr_expect_eq(t.azimuth_deg[2], 0.0001);
}

Test(beam_table, every_limit_can_be_reached)
{
	cr_expect_eq(parse("1,90,180\n2,-90,-180\n"), 0, "%s", problem.text);
	refuses("1,0,0\n2,90.001,0\n", ":2: elevation is 90.001 degrees");
	refuses("1,0,0\n2,0,-180.1\n", ":2: azimuth is -180.1 degrees");
}

Test(beam_table, as_many_beams_as_there_can_be)
{
	char text[BEAM_TABLE_BEAMS_MAX * 16];
	size_t used = 0;
	unsigned int i;

	for (i = 1; i <= BEAM_TABLE_BEAMS_MAX; i++)
		used += (size_t)sprintf(text + used, "%u,1,2\n", i);
	cr_assert_eq(parse(text), 0, "%s", problem.text);
	cr_expect_eq(t.beams, BEAM_TABLE_BEAMS_MAX);
	sprintf(text + used, "%u,1,2\n", i);
	refuses(text, ":257: there can be channels 1 to 256, not 257");
}

Test(beam_table, a_channel_there_twice_is_refused)
{
	refuses("1,0,0\n2,0,0\n1,0,0\n", ":3: channel 1 is there twice");
}

Test(beam_table, a_channel_that_is_missing_is_refused)
{
	refuses("1,0,0\n3,0,0\n", "2 rows, but none of channel 2");
}

Test(beam_table, a_channel_must_be_a_whole_number)
{
	refuses("1.5,0,0\n", ":1: there can be channels 1 to 256, not 1.5");
	refuses("0,0,0\n", "not 0");
	refuses("-1,0,0\n", "not -1");
	refuses(",0,0\n", ":1: a row begins with the number of its channel");
	refuses("1 2,0,0\n", ":1: a row begins with the number of its channel");
}

Test(beam_table, an_angle_must_be_a_number)
{
	refuses("1,0,0\n2,,0\n", ":2: elevation is no number");
	refuses("1,0,0\n2,0,nan\n", ":2: azimuth is no number");
	refuses("1,0,0\n2,0,--1\n", ":2: azimuth is no number");
	refuses("1,0,0\n2,0,1e3\n", ":2: azimuth is followed by");
	refuses("1,0,0\n2,0x5,1\n", ":2: elevation is followed by");
	refuses("1,1234567890123456,1\n", ":1: elevation is no number");
	refuses("1,0.00000000000000000000000000,1\n", ":1: elevation is no number");
}

Test(beam_table, all_rows_are_alike)
{
	refuses("1,0,0\n2,0\n", ":2: a row is channel,elevation,azimuth");
	refuses("1,0\n2,0,0\n", ":2: a row is channel,elevation,azimuth");
	refuses("1,0,0,0\n", ":1: a row is channel,elevation,azimuth");
	refuses("1\n", ":1: a row is channel,elevation,azimuth");
}

Test(beam_table, words_after_the_first_row_are_refused)
{
	refuses("1,0,0\nend\n", ":2: words");
	refuses("a\nb\nc\nd\ne\n1,0,0\n", ":5: words");
}

Test(beam_table, nothing_at_all_is_refused)
{
	refuses("", "no row");
	refuses("Channel,Elevation,Azimuth\n", "no row");
}

Test(beam_table, a_file_may_hold_anything)
{
	static const char nul[] = "1,0,0\n2\0,0,0\n";

	cr_expect_eq(beam_table_parse(FILE_NAME, nul, sizeof(nul) - 1, &t, &problem), -EINVAL);
	cr_expect(strstr(problem.text, ":2:"), "%s", problem.text);
	cr_expect_eq(beam_table_parse(FILE_NAME, nul, sizeof(nul) - 1, &t, NULL), -EINVAL);
}
