/* SPDX-License-Identifier: Apache-2.0 */
#include "decoder/ouster_metadata.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decoder/decoder.h"
#include "decoder/time_scale.h"

#define FILE_NAME "front.json"

/* A sensor with two beams; everything else is left to the defaults. */
static const char small[] = "{\"beam_altitude_angles\": [10, -10.5],"
			    " \"beam_azimuth_angles\": [1.5, -1.5],"
			    " \"lidar_mode\": \"1024x10\"}";

static struct ouster_metadata m;
static struct problem problem;

static int parse(const char *text)
{
	problem.text[0] = '\0';
	return ouster_metadata_parse(FILE_NAME, text, strlen(text), "", &m, &problem);
}

/* small, but with this key in this section (NULL: at the top) as this JSON text (NULL: absent). */
static int parse_with(const char *section, const char *key, const char *value)
{
	struct json_object *root = json_tokener_parse(small), *at = root;
	int e;

	if (section) {
		at = json_object_new_object();
		json_object_object_add(root, section, at);
	}
	if (value)
		json_object_object_add(at, key, json_tokener_parse(value));
	else
		json_object_object_del(at, key);
	e = parse(json_object_to_json_string(root));
	json_object_put(root);
	return e;
}

static void accepts(const char *key, const char *value)
{
	cr_assert_eq(parse_with(NULL, key, value), 0, "%s = %s: %s", key, value, problem.text);
}

/* The sentence must name the file and hold both parts. */
static void expect_problem(int e, const char *what, const char *right)
{
	cr_expect_eq(e, -EINVAL, "%s: %d", what, e);
	cr_expect(strstr(problem.text, FILE_NAME), "\"%s\"", problem.text);
	cr_expect(strstr(problem.text, what), "\"%s\" does not say \"%s\"", problem.text, what);
	cr_expect(strstr(problem.text, right), "\"%s\" does not say \"%s\"", problem.text, right);
}

/* --- what is right --- */

Test(ouster_metadata, rate_and_firmware_are_told_as_far_as_they_are_known)
{
	cr_assert_eq(parse(small), 0, "%s", problem.text);
	cr_expect_eq(m.rate_hz, 10);
	cr_expect_str_eq(m.firmware, "");
	cr_assert_eq(parse_with("sensor_info", "build_rev", "\"v2.3.0\""), 0);
	cr_expect_str_eq(m.firmware, "v2.3.0");
	cr_assert_eq(parse_with("sensor_info", "image_rev", "\"prod-v2.3.0+2022\""), 0);
	cr_expect_str_eq(m.firmware, "prod-v2.3.0+2022");
	accepts("lidar_mode", "\"512x20\"");
	cr_expect_eq(m.rate_hz, 20);
	/* where columns_per_frame says how many columns there are, it may be anything */
	cr_assert_eq(parse("{\"beam_altitude_angles\": [1], \"beam_azimuth_angles\": [1],"
			   " \"columns_per_frame\": 16, \"lidar_mode\": \"16x-5\"}"), 0, "%s",
		     problem.text);
	cr_expect_eq(m.rate_hz, 0);
}

Test(ouster_metadata, absent_keys_have_defaults)
{
	cr_assert_eq(parse(small), 0, "%s", problem.text);
	cr_expect_str_eq(m.profile->name, "LEGACY");
	cr_expect_eq(m.columns_per_frame, 1024);
	cr_expect_eq(m.columns_per_packet, 16);
	cr_expect_eq(m.pixels_per_column, 2);
	cr_expect_eq(m.window_first, 0);
	cr_expect_eq(m.window_last, 1023);
	cr_expect_eq(m.altitude_deg[1], -10.5);
	cr_expect_eq(m.azimuth_deg[0], 1.5);
	cr_expect_eq(m.beam_origin_x_mm, 12.163);
	cr_expect_eq(m.beam_origin_z_mm, 0);
	cr_expect_eq(m.lidar_to_sensor[0], -1);
	cr_expect_eq(m.lidar_to_sensor[5], -1);
	cr_expect_eq(m.lidar_to_sensor[10], 1);
	cr_expect_eq(m.lidar_to_sensor[11], 36.18);
	cr_expect_eq(m.sensor_clock, LIDARD_CLOCK_SENSOR_BOOT);
	cr_expect_eq(m.clock_lock, LIDARD_CLOCK_LOCK_UNKNOWN);
	cr_expect_str_eq(m.model, "");
	cr_expect_eq(m.serial_number, 0);
}

Test(ouster_metadata, the_model_decides_where_beams_begin)
{
	static const struct {
		const char *model;
		double mm;
	} known[] = {
		{ "\"OS-0-128\"", 27.67 },
		{ "\"OS-1-32-G\"", 15.806 },
		{ "\"OS-2-64\"", 13.762 },
		{ "\"OS1-64\"", 12.163 },
	};
	size_t i;

	for (i = 0; i < 4; i++) {
		accepts("prod_line", known[i].model);
		cr_expect_eq(m.beam_origin_x_mm, known[i].mm, "%s", known[i].model);
	}
}

Test(ouster_metadata, a_configured_model_helps_a_file_without_one)
{
	cr_assert_eq(ouster_metadata_parse(FILE_NAME, small, strlen(small), "OS-0-32", &m, NULL), 0);
	cr_expect_str_eq(m.model, "OS-0-32");
	cr_expect_eq(m.beam_origin_x_mm, 27.67);
}

Test(ouster_metadata, the_transform_goes_before_the_single_number)
{
	accepts("lidar_origin_to_beam_origin_mm", "20.5");
	cr_expect_eq(m.beam_origin_x_mm, 20.5);
	accepts("beam_to_lidar_transform", "[1,0,0,27, 0,1,0,0, 0,0,1,3, 0,0,0,1]");
	cr_expect_eq(m.beam_origin_x_mm, 27);
	cr_expect_eq(m.beam_origin_z_mm, 3);
}

Test(ouster_metadata, keys_are_found_in_every_section)
{
	static const char *const sections[] = { "lidar_data_format", "data_format",
						"beam_intrinsics",   "lidar_intrinsics",
						"sensor_info",	     "config_params" };
	size_t i;

	for (i = 0; i < 6; i++) {
		cr_assert_eq(parse_with(sections[i], "columns_per_frame", "2048"), 0);
		cr_expect_eq(m.columns_per_frame, 2048, "%s", sections[i]);
	}
}

Test(ouster_metadata, what_the_sensor_sends_goes_before_what_it_was_asked_for)
{
	cr_assert_eq(parse("{\"config_params\": {\"columns_per_frame\": 512},"
			   " \"columns_per_frame\": 256,"
			   " \"beam_intrinsics\": {\"beam_altitude_angles\": [0],"
			   "                      \"beam_azimuth_angles\": [0]},"
			   " \"lidar_data_format\": {\"columns_per_frame\": 4096}}"),
		     0, "%s", problem.text);
	cr_expect_eq(m.columns_per_frame, 4096);
}

Test(ouster_metadata, null_means_not_given)
{
	accepts("timestamp_mode", "null");
	accepts("column_window", "null");
}

Test(ouster_metadata, odd_sensors_are_allowed)
{
	accepts("columns_per_frame", "16");
	accepts("columns_per_frame", "4096");
	cr_assert_eq(parse("{\"beam_altitude_angles\": [0], \"beam_azimuth_angles\": [0],"
			   " \"columns_per_frame\": 1000, \"columns_per_packet\": 48}"),
		     0, "%s", problem.text);
	cr_expect_eq(m.columns_per_packet, 48);
}

Test(ouster_metadata, windows_may_wrap)
{
	accepts("column_window", "[900, 100]");
	cr_expect_eq(m.window_first, 900);
	cr_expect_eq(m.window_last, 100);
	accepts("column_window", "[7, 7]");
}

Test(ouster_metadata, time_modes_are_clocks)
{
	accepts("timestamp_mode", "\"TIME_FROM_INTERNAL_OSC\"");
	cr_expect_eq(m.sensor_clock, LIDARD_CLOCK_SENSOR_BOOT);
	cr_expect_eq(m.clock_lock, LIDARD_CLOCK_LOCK_FREE_RUNNING);
	cr_expect_eq(m.clocks, TIME_CHOICES(TIME_CHOICE_BOOT));
	accepts("timestamp_mode", "\"TIME_FROM_PTP_1588\"");
	cr_expect_eq(m.sensor_clock, LIDARD_CLOCK_TAI);
	cr_expect_eq(m.clock_lock, LIDARD_CLOCK_LOCK_UNKNOWN);
	cr_expect(m.clocks & TIME_CHOICES(TIME_CHOICE_PTP));
	cr_expect_not(m.clocks & (TIME_CHOICES(TIME_CHOICE_BOOT) | TIME_CHOICES(TIME_CHOICE_GPS)));
	accepts("timestamp_mode", "\"TIME_FROM_SYNC_PULSE_IN\"");
	cr_expect_eq(m.sensor_clock, LIDARD_CLOCK_UTC);
	cr_expect(m.clocks & TIME_CHOICES(TIME_CHOICE_GPS));
	cr_expect_not(m.clocks & TIME_CHOICES(TIME_CHOICE_PTP));
}

Test(ouster_metadata, every_profile_is_known_by_name)
{
	unsigned int i;
	char quoted[64];

	for (i = 0; i < ouster_profile_count; i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", ouster_profiles[i].name);
		accepts("udp_profile_lidar", quoted);
		cr_expect_eq(m.profile, &ouster_profiles[i]);
	}
}

static enum ouster_crc crc_of(const char *profile, const char *key, const char *version)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"beam_altitude_angles\": [0], \"beam_azimuth_angles\": [0],"
		 " \"lidar_mode\": \"512x10\", \"udp_profile_lidar\": \"%s\", \"%s\": \"%s\"}",
		 profile, key, version);
	cr_assert_eq(parse(text), 0, "%s", problem.text);
	return m.crc;
}

Test(ouster_metadata, the_firmware_decides_whether_there_is_a_checksum)
{
	static const char p[] = "RNG15_RFL8_NIR8";

	cr_expect_eq(crc_of(p, "build_rev", "v2.4.0"), OUSTER_CRC_NONE);
	cr_expect_eq(crc_of(p, "build_rev", "v2.5.2"), OUSTER_CRC_PRESENT);
	cr_expect_eq(crc_of(p, "build_rev", "v3.0.1"), OUSTER_CRC_PRESENT);
	cr_expect_eq(crc_of(p, "build_rev", "v2.10.0"), OUSTER_CRC_PRESENT);
	cr_expect_eq(crc_of(p, "image_rev", "ousteros-image-prod-aries-v2.3.0+2022"),
		     OUSTER_CRC_NONE);
	cr_expect_eq(crc_of(p, "image_rev", "ousteros-image-prod-bootes-v3.2.0-alpha+2024"),
		     OUSTER_CRC_PRESENT);
	cr_expect_eq(crc_of(p, "image_rev", "home made"), OUSTER_CRC_UNKNOWN);
	cr_expect_eq(crc_of(p, "unrelated", "v3.0.0"), OUSTER_CRC_UNKNOWN);
	cr_expect_eq(crc_of("LEGACY", "build_rev", "v3.0.0"), OUSTER_CRC_NONE);
	cr_expect_eq(crc_of("FUSA_RNG15_RFL8_NIR8_DUAL", "build_rev", "v3.0.0"), OUSTER_CRC_NONE);
}

Test(ouster_metadata, serials_are_text_and_number)
{
	accepts("prod_sn", "\"992108000265\"");
	cr_expect_str_eq(m.serial, "992108000265");
	cr_expect_eq(m.serial_number, 992108000265ull);
	accepts("prod_sn", "\"\"");
	cr_expect_eq(m.serial_number, 0);
	accepts("prod_sn", "\"1099511627775\"");
	cr_expect_eq(m.serial_number, (1ull << 40) - 1);
}

/* --- what is wrong --- */

Test(ouster_metadata, each_mistake_is_named)
{
	static const struct {
		const char *key;
		const char *value;
		const char *what;
		const char *right;
	} mistakes[] = {
		{ "columns_per_frame", "0", "columns_per_frame is 0", "1 to 4096" },
		{ "columns_per_frame", "4097", "4097", "1 to 4096" },
		{ "columns_per_frame", "-1024", "-1024", "1 to 4096" },
		{ "columns_per_frame", "99999999999999999999", "columns_per_frame", "1 to 4096" },
		{ "columns_per_frame", "1024.0", "1024.0", "whole number" },
		{ "columns_per_frame", "\"1024\"", "\"1024\"", "whole number" },
		{ "columns_per_frame", "[1024]", "[1024]", "whole number" },
		{ "columns_per_frame", "8", "columns_per_packet is 16", "columns_per_frame (8)" },
		{ "columns_per_packet", "0", "columns_per_packet is 0", "1 to 128" },
		{ "columns_per_packet", "129", "129", "1 to 128" },
		{ "pixels_per_column", "0", "pixels_per_column is 0", "1 to 256" },
		{ "pixels_per_column", "257", "257", "1 to 256" },
		{ "pixels_per_column", "3", "pixels_per_column is 3", "equal" },
		{ "lidar_mode", NULL, "columns_per_frame is missing", "lidar_mode" },
		{ "lidar_mode", "\"\"", "columns_per_frame is missing", "lidar_mode" },
		{ "lidar_mode", "\"fast\"", "lidar_mode is \"fast\"", "COLUMNSxHZ" },
		{ "lidar_mode", "\"0x10\"", "\"0x10\"", "COLUMNSxHZ" },
		{ "lidar_mode", "\"9999x10\"", "\"9999x10\"", "4096" },
		{ "lidar_mode", "\"1024x10x3\"", "\"1024x10x3\"", "COLUMNSxHZ" },
		{ "lidar_mode", "\"1024x10000000000000000\"", "lidar_mode", "15 characters" },
		{ "lidar_mode", "7", "lidar_mode is 7", "text" },
		{ "column_window", "[0]", "[0]", "first and the last" },
		{ "column_window", "5", "column_window is 5", "first and the last" },
		{ "column_window", "[0, 1024]", "element 1", "1023" },
		{ "column_window", "[-1, 5]", "[-1,5]", "0 to 1023" },
		{ "column_window", "[0.5, 5]", "0.5", "whole numbers" },
		{ "column_window", "[\"0\", 5]", "element 0", "not a number" },
		{ "udp_profile_lidar", "\"RNG99\"", "\"RNG99\"", "known are LEGACY" },
		{ "udp_profile_lidar", "3", "udp_profile_lidar is 3", "text" },
		{ "beam_altitude_angles", NULL, "beam_altitude_angles is missing", "each beam" },
		{ "beam_altitude_angles", "[]", "0 elements", "1 to 256" },
		{ "beam_altitude_angles", "3", "beam_altitude_angles is 3", "array" },
		{ "beam_altitude_angles", "[0, null]", "element 1", "not a number" },
		{ "beam_altitude_angles", "[0, [1]]", "element 1", "not a number" },
		{ "beam_altitude_angles", "[0, 90.5]", "element 1", "-90 to 90" },
		{ "beam_altitude_angles", "[0, 1e999]", "element 1", "-90 to 90" },
		{ "beam_altitude_angles", "[0, 1, 2]", "3 beam_altitude_angles", "equal" },
		{ "beam_azimuth_angles", NULL, "beam_azimuth_angles is missing", "each beam" },
		{ "beam_azimuth_angles", "[0, 361]", "element 1", "-360 to 360" },
		{ "beam_azimuth_angles", "[0]", "1 beam_azimuth_angles", "equal" },
		{ "lidar_origin_to_beam_origin_mm", "\"12\"", "\"12\"", "a number" },
		{ "lidar_origin_to_beam_origin_mm", "1e9", "origin_mm", "-10000 to 10000" },
		{ "beam_to_lidar_transform", "[1]", "[1]", "16 numbers" },
		{ "beam_to_lidar_transform", "{}", "{}", "16 numbers" },
		{ "lidar_to_sensor_transform", "[1,0,0,0,0,1,0,0,0,0,1,0,0,0,0]",
		  "lidar_to_sensor_transform", "16 numbers" },
		{ "lidar_to_sensor_transform", "[1,0,0,0,0,1,0,0,0,0,1,1e9,0,0,0,1]", "element 11",
		  "10000" },
		{ "lidar_to_sensor_transform", "[2,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1]", "[2,", "rotation" },
		{ "lidar_to_sensor_transform", "[-1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1]", "[-1,",
		  "rotation" },
		{ "lidar_to_sensor_transform", "[1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,0]", "[1,", "rotation" },
		{ "timestamp_mode", "\"NOON\"", "timestamp_mode is \"NOON\"", "TIME_FROM_PTP_1588" },
		{ "timestamp_mode", "1", "timestamp_mode is 1", "text" },
		{ "prod_sn", "\"12a\"", "prod_sn is \"12a\"", "decimal number" },
		{ "prod_sn", "\"1099511627776\"", "1099511627776", "2^40" },
		{ "prod_sn", "\"99999999999999999999999\"", "prod_sn", "2^40" },
		{ "prod_sn", "5", "prod_sn is 5", "text" },
		{ "prod_line", "\"a\\u0007b\"", "prod_line is \"a\\u0007b\"", "printable" },
		{ "prod_line", "\"a\\u0000b\"", "prod_line", "printable" },
		{ "image_rev", "2", "image_rev is 2", "text" },
		{ "build_rev", "{}", "build_rev", "text" },
	};
	size_t i;

	for (i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		expect_problem(parse_with(NULL, mistakes[i].key, mistakes[i].value),
			       mistakes[i].what, mistakes[i].right);
}

Test(ouster_metadata, mistakes_are_named_with_their_section)
{
	expect_problem(parse_with("config_params", "timestamp_mode", "\"NOON\""),
		       "config_params.timestamp_mode is \"NOON\"", "TIME_FROM_PTP_1588");
}

Test(ouster_metadata, a_packet_must_fit_a_datagram)
{
	char text[8192] = "{\"lidar_mode\": \"1024x10\", \"columns_per_packet\": 64,"
			  " \"beam_altitude_angles\": [0";
	unsigned int i;

	for (i = 1; i < 128; i++)
		strcat(text, ",0");
	strcat(text, "], \"beam_azimuth_angles\": [0");
	for (i = 1; i < 128; i++)
		strcat(text, ",0");
	strcat(text, "]}");
	expect_problem(parse(text), "columns_per_packet is 64", "99584 bytes");
}

Test(ouster_metadata, long_values_are_cut)
{
	char value[600];

	memset(value, 'x', sizeof(value));
	value[0] = '"';
	memcpy(value + sizeof(value) - 2, "\"", 2);
	expect_problem(parse_with(NULL, "prod_line", value), "xxx...", "63 characters");
	expect_problem(parse_with(NULL, "lidar_mode", value), "xxx...", "15 characters");
}

Test(ouster_metadata, what_is_not_json_is_refused)
{
	expect_problem(parse(""), "not JSON", "byte 0");
	expect_problem(parse("{"), "not JSON", "byte 1");
	expect_problem(parse("{\"a\": 1} trailing"), "not JSON", "byte 9");
	expect_problem(parse("[1, 2]"), "object", "wanted");
	expect_problem(parse("{}"), "beam_altitude_angles", "missing");
}

Test(ouster_metadata, deep_nesting_is_refused)
{
	char text[1000];

	memset(text, '[', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	expect_problem(parse(text), "not JSON", "nesting");
}

Test(ouster_metadata, sections_that_are_no_objects_are_passed_over)
{
	cr_assert_eq(parse("{\"beam_intrinsics\": 5, \"lidar_data_format\": [1],"
			   " \"lidar_mode\": \"512x20\", \"beam_altitude_angles\": [0],"
			   " \"beam_azimuth_angles\": [0]}"),
		     0, "%s", problem.text);
}

Test(ouster_metadata, nothing_is_written_on_failure)
{
	static struct ouster_metadata before;

	memset(&m, 0x5a, sizeof(m));
	before = m;
	cr_assert_lt(parse_with(NULL, "build_rev", "{}"), 0);
	cr_assert_eq(memcmp(&m, &before, sizeof(m)), 0);
}

/* --- files --- */

static int read_file(const char *path)
{
	problem.text[0] = '\0';
	return ouster_metadata_read(path, "", &m, &problem);
}

Test(ouster_metadata, files_that_cannot_be_read_are_named)
{
	cr_expect_eq(read_file("/nonexistent/front.json"), -ENOENT);
	cr_expect(strstr(problem.text, "/nonexistent/front.json: No such file"), "%s", problem.text);
	cr_expect_eq(read_file("/"), -EINVAL);
	cr_expect(strstr(problem.text, "regular file"), "%s", problem.text);
	cr_expect_eq(read_file("/dev/null"), -EINVAL);
}

Test(ouster_metadata, a_fifo_does_not_hang, .timeout = 10)
{
	char path[] = "/tmp/lidard-fifo-XXXXXX";

	cr_assert(mkdtemp(path));
	cr_assert_eq(chdir(path), 0);
	cr_assert_eq(mkfifo("front.json", 0600), 0);
	expect_problem(read_file("front.json"), "front.json", "regular file");
	unlink("front.json");
	rmdir(path);
}

Test(ouster_metadata, huge_files_are_refused)
{
	char path[] = "/tmp/lidard-metadata-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, OUSTER_METADATA_BYTES_MAX + 1), 0);
	cr_expect_eq(read_file(path), -EFBIG);
	cr_expect(strstr(problem.text, "1048576"), "%s", problem.text);
	unlink(path);
	close(fd);
}

static void read_recorded(const char *name)
{
	const char *data = getenv("LIDARD_TEST_DATA");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/ouster/%s", data ? data : "", name);
	if (!data || access(path, R_OK) < 0)
		cr_skip_test("no recordings: %s is absent (LIDARD_TEST_DATA)", path);
	cr_assert_eq(read_file(path), 0, "%s", problem.text);
}

Test(ouster_metadata, a_nested_file_of_a_real_sensor)
{
	read_recorded("windowed_frame1_0.json");
	cr_expect_str_eq(m.profile->name, "RNG15_RFL8_NIR8");
	cr_expect_str_eq(m.model, "OS-0-128");
	cr_expect_eq(m.serial_number, 992108000265ull);
	cr_expect_eq(m.columns_per_frame, 512);
	cr_expect_eq(m.pixels_per_column, 128);
	cr_expect_eq(m.window_first, 1);
	cr_expect_eq(m.window_last, 256);
	cr_expect_eq(m.altitude_deg[0], 46.21);
	cr_expect_eq(m.beam_origin_x_mm, 27.67);
	cr_expect_eq(m.sensor_clock, LIDARD_CLOCK_TAI);
	cr_expect_eq(m.crc, OUSTER_CRC_NONE);
}

Test(ouster_metadata, a_flat_file_of_a_real_sensor)
{
	read_recorded("OS-1-32-G_v2.1.1_1024x10.json");
	cr_expect_str_eq(m.profile->name, "LEGACY");
	cr_expect_str_eq(m.serial, "992101000280");
	cr_expect_eq(m.pixels_per_column, 32);
	cr_expect_eq(m.beam_origin_x_mm, 15.806);
	cr_expect_eq(m.lidar_to_sensor[11], 36.18);
	cr_expect_eq(m.sensor_clock, LIDARD_CLOCK_SENSOR_BOOT);
}
