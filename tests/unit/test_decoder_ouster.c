/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder against packets made here: formats without a recording, and everything unusual. */
#include "decoder/decoder_ouster.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "bench/packets/ouster_packet.h"

static struct ouster_metadata m;
static struct ouster_layout l;
static struct decoder *d;
static struct decoder_packet packet;
static uint8_t bytes[OUSTER_PACKET_BYTES_MAX];
static struct lidard_point_xyzirt points[2 * OUSTER_PIXELS_MAX];

static void open_sensor(void)
{
	struct problem problem = { "" };

	d = d ? d->ops->free(d) : NULL;
	cr_assert_eq(decoder_ouster_new(&m, &d, &problem), 0, "%s", problem.text);
	ouster_layout_init(&l, m.profile, m.columns_per_packet, m.pixels_per_column);
}

static void open_profile(const char *name)
{
	ouster_packet_sensor(&m, ouster_profile_find(name));
	open_sensor();
}

static void setup(void)
{
	open_profile("RNG19_RFL8_SIG16_NIR16");
}

static void teardown(void)
{
	d = d->ops->free(d);
}

TestSuite(decoder_ouster, .init = setup, .fini = teardown);

static int look(void)
{
	return d->ops->look(d, bytes, l.packet_bytes, &packet);
}

/* Look at packet @place of that frame. */
static int look_at(uint32_t frame, uint32_t place)
{
	ouster_packet_fill(&l, bytes, frame, place);
	return look();
}

static void expect_frame(uint32_t wire, uint64_t frame)
{
	cr_expect_eq(look_at(wire, 0), DECODER_POINTS);
	cr_expect_eq(packet.frame, frame, "%u became %lu, not %lu", wire, packet.frame, frame);
	cr_expect_eq(packet.columns[0].frame, frame);
}

static void set(const char *name, unsigned int column, unsigned int pixel, uint64_t value)
{
	ouster_packet_set(&l, bytes, name, column, pixel, value);
}

/* --- formats --- */

Test(decoder_ouster, packets_have_the_documented_sizes)
{
	static const struct {
		const char *profile;
		uint32_t bytes[3];
	} sizes[] = {
		{ "LEGACY", { 6464, 12608, 24896 } },
		{ "RNG19_RFL8_SIG16_NIR16", { 6400, 12544, 24832 } },
		{ "RNG19_RFL8_SIG16_NIR16_DUAL", { 8448, 16640, 33024 } },
		{ "RNG15_RFL8_NIR8", { 2304, 4352, 8448 } },
		{ "RNG15_RFL8_NIR8_DUAL", { 4352, 8448, 16640 } },
		{ "FUSA_RNG15_RFL8_NIR8_DUAL", { 4352, 8448, 16640 } },
	};
	unsigned int i, k;

	cr_assert_eq(ouster_profile_count, 6);
	for (i = 0; i < 6; i++)
		for (k = 0; k < 3; k++) {
			ouster_layout_init(&l, ouster_profile_find(sizes[i].profile), 16, 32u << k);
			cr_expect_eq(l.packet_bytes, sizes[i].bytes[k], "%s", sizes[i].profile);
		}
}

/* A value for each field of each pixel that no other has, within its width. */
static uint64_t some_value(const struct ouster_field *f, unsigned int column, unsigned int pixel,
			   unsigned int salt)
{
	uint64_t v = (column * 7919u + pixel * 104729u + salt * 31337u + 1) * 2654435761u;

	return v & ((1ull << f->width) - 1);
}

static uint64_t field_or_zero(const char *name, unsigned int column, unsigned int pixel)
{
	const struct ouster_field *f = ouster_profile_field(l.profile, name);

	return f ? ouster_field_get(&l, f, bytes, column, pixel) : 0;
}

static void fill_pixels(void)
{
	unsigned int column, pixel, i;

	for (column = 0; column < l.columns; column++)
		for (pixel = 0; pixel < l.pixels; pixel++)
			for (i = 0; i < l.profile->field_count; i++) {
				const struct ouster_field *f = &l.profile->fields[i];

				if (f->part == OUSTER_PIXEL && strncmp(f->name, "RAW", 3) != 0)
					set(f->name, column, pixel,
					    some_value(f, column, pixel, i));
			}
	/* one beam without a first return, one without any */
	set("RANGE", 3, 2, 0);
	set("RANGE", 3, 5, 0);
	if (l.profile->returns == 2)
		set("RANGE2", 3, 5, 0);
}

static void expect_point(const struct lidard_point_xyzirt *p, unsigned int column)
{
	static const char *const names[2][4] = {
		{ "RANGE", "FLAGS", "REFLECTIVITY", "SIGNAL" },
		{ "RANGE2", "FLAGS2", "REFLECTIVITY2", "SIGNAL2" },
	};
	const char *const *name = names[p->return_number - 1];

	cr_expect_float_eq(p->range, field_or_zero(name[0], column, p->ring) * 0.001, 1e-4);
	cr_expect_eq(p->flags, field_or_zero(name[1], column, p->ring) ? LIDARD_POINT_FLAGGED : 0);
	cr_expect_eq(p->intensity, (float)field_or_zero(name[2], column, p->ring));
	cr_expect_eq(p->signal, field_or_zero(name[3], column, p->ring));
	cr_expect_eq(p->ambient, field_or_zero("NEAR_IR", column, p->ring));
	cr_expect_eq(p->time_offset_ns, 0);
}

static void expect_column(unsigned int column)
{
	uint32_t i, n = d->ops->points(d, &packet, column, points), expected = 0;
	unsigned int pixel;

	for (pixel = 0; pixel < l.pixels; pixel++)
		expected += (field_or_zero("RANGE", column, pixel) > 0) +
			    (field_or_zero("RANGE2", column, pixel) > 0);
	cr_assert_eq(n, expected, "%u points, not %u", n, expected);
	for (i = 0; i < n; i++) {
		cr_assert(points[i].return_number == 1 || points[i].return_number == 2);
		cr_assert_lt(points[i].ring, l.pixels);
		cr_assert(i == 0 || points[i].ring * 2 + points[i].return_number >
					    points[i - 1].ring * 2 + points[i - 1].return_number);
		expect_point(&points[i], column);
	}
}

Test(decoder_ouster, every_profile_gives_its_fields)
{
	unsigned int i, column;

	for (i = 0; i < ouster_profile_count; i++) {
		open_profile(ouster_profiles[i].name);
		ouster_packet_fill(&l, bytes, 7, 2);
		fill_pixels();
		ouster_packet_seal(&l, bytes);
		cr_assert_eq(look(), DECODER_POINTS, "%s", ouster_profiles[i].name);
		cr_expect_eq(packet.frame, 7);
		cr_expect_eq(packet.place, 2);
		cr_assert_eq(packet.column_count, 16);
		cr_expect_eq(packet.columns[5].number, 37);
		cr_expect_eq(packet.columns[5].place, 37);
		cr_expect_eq(packet.columns[5].time_ns, 1000000000ull + 97 * 37);
		for (column = 0; column < 16; column++)
			expect_column(column);
	}
}

Test(decoder_ouster, geometry_is_known_before_the_first_packet)
{
	open_profile("RNG15_RFL8_NIR8_DUAL");
	cr_expect_eq(d->geometry.frame_columns, 64);
	cr_expect_eq(d->geometry.column_points, 16);
	cr_expect_eq(d->geometry.packet_columns, 16);
	cr_expect_eq(d->geometry.frame_packets, 4);
	cr_expect_str_eq(d->geometry.serial, "992108000265");
}

Test(decoder_ouster, two_full_returns_fill_a_column)
{
	open_profile("RNG15_RFL8_NIR8_DUAL");
	ouster_packet_fill(&l, bytes, 1, 0);
	memset(bytes + 32 + 12, 0xff, l.pixels * 8);
	ouster_packet_seal(&l, bytes);
	cr_assert_eq(look(), DECODER_POINTS);
	cr_expect_eq(d->ops->points(d, &packet, 0, points), d->geometry.column_points);
	cr_expect_float_eq(points[0].range, 32767 * 8 * 0.001, 1e-4);
	cr_expect_eq(points[0].ambient, 255 * 16);
	cr_expect_eq(d->ops->points(d, &packet, 1, points), 0);
}

/* The next three are written byte by byte from the format's description, without the tables. */

Test(decoder_ouster, a_single_return_pixel_byte_by_byte)
{
	static const uint8_t pixel[12] = { 0x39, 0x30, 0x01, 0, 77, 0, 0x34, 0x12, 0xcd, 0xab };

	ouster_packet_fill(&l, bytes, 1, 0);
	memcpy(bytes + 32 + 12 + 12 * 3, pixel, sizeof(pixel));
	ouster_packet_seal(&l, bytes);
	cr_assert_eq(look(), DECODER_POINTS);
	cr_assert_eq(d->ops->points(d, &packet, 0, points), 1);
	cr_expect_eq(points[0].ring, 3);
	cr_expect_float_eq(points[0].range, 0x13039 * 0.001, 1e-4);
	cr_expect_eq(points[0].intensity, 77);
	cr_expect_eq(points[0].signal, 0x1234);
	cr_expect_eq(points[0].ambient, 0xabcd);
	cr_expect_eq(points[0].flags, 0);
}

Test(decoder_ouster, a_legacy_packet_byte_by_byte)
{
	uint8_t *column;

	open_profile("LEGACY");
	memset(bytes, 0, l.packet_bytes);
	column = bytes + 2 * (16 + 12 * 8 + 4);
	column[7] = 1; /* 2^56 ns */
	column[8] = 18;
	column[10] = 0x39;
	column[11] = 0x05;
	column[16] = 0xe8; /* first pixel: 1000 mm, flag bit 28 */
	column[17] = 0x03;
	column[19] = 0x10;
	memset(column + 16 + 12 * 8, 0xff, 4);
	cr_assert_eq(look(), DECODER_POINTS);
	cr_assert_eq(packet.column_count, 1);
	cr_expect_eq(packet.frame, 0x539);
	cr_expect_eq(packet.place, 1);
	cr_expect_eq(packet.columns[0].number, 18);
	cr_expect_eq(packet.columns[0].time_ns, 1ull << 56);
	cr_assert_eq(d->ops->points(d, &packet, 0, points), 1);
	cr_expect_float_eq(points[0].range, 1.0, 1e-6);
	cr_expect_eq(points[0].flags, LIDARD_POINT_FLAGGED);
}

Test(decoder_ouster, a_fusa_header_byte_by_byte)
{
	static const uint8_t header[16] = { 1,	  0xaa, 0xbb, 0xcc, 0x78, 0x56, 0x34, 0x12,
					    0,	  0,	0,    0x09, 0xb4, 0x3e, 0xfe, 0xe6 };

	open_profile("FUSA_RNG15_RFL8_NIR8_DUAL");
	memset(bytes, 0, l.packet_bytes);
	memcpy(bytes, header, sizeof(header));
	bytes[32 + 10] = 1;
	cr_assert_eq(look(), DECODER_POINTS);
	cr_expect_eq(packet.frame, 0x12345678);
	cr_expect_eq(packet.column_count, 1);
	bytes[11]++; /* serial */
	cr_expect_eq(look(), DECODER_IGNORED);
}

/* --- where points are --- */

static void expect_xyz(uint32_t place, double x, double y, double z)
{
	ouster_packet_fill(&l, bytes, 1, place);
	set("RANGE", 0, 0, 10000);
	ouster_packet_seal(&l, bytes);
	cr_assert_eq(look(), DECODER_POINTS);
	cr_assert_eq(d->ops->points(d, &packet, 0, points), 1);
	cr_expect_float_eq(points[0].x, x, 1e-5, "x %f", points[0].x);
	cr_expect_float_eq(points[0].y, y, 1e-5, "y %f", points[0].y);
	cr_expect_float_eq(points[0].z, z, 1e-5, "z %f", points[0].z);
}

Test(decoder_ouster, the_head_turns_clockwise)
{
	m.altitude_deg[0] = 0;
	open_sensor();
	expect_xyz(0, 10, 0, 0);
	expect_xyz(1, 0, -10, 0);
	expect_xyz(2, -10, 0, 0);
	expect_xyz(3, 0, 10, 0);
}

Test(decoder_ouster, beams_leave_the_head_beside_the_axis)
{
	/* 3-4-5: the beam's origin lies 50 mm from the centre, and counts in the range */
	m.altitude_deg[0] = 90;
	m.beam_origin_x_mm = 30;
	m.beam_origin_z_mm = 40;
	open_sensor();
	expect_xyz(0, 0.030, 0, 9.950 + 0.040);
	expect_xyz(2, -0.030, 0, 9.950 + 0.040);
}

Test(decoder_ouster, points_are_in_the_sensors_frame)
{
	static const double turned[16] = { -1, 0, 0, 100, 0, -1, 0, 200, 0, 0, 1, 300, 0, 0, 0, 1 };

	m.altitude_deg[0] = 0;
	memcpy(m.lidar_to_sensor, turned, sizeof(turned));
	open_sensor();
	expect_xyz(0, -9.9, 0.2, 0.3);
	expect_xyz(1, 0.1, 10.2, 0.3);
}

Test(decoder_ouster, azimuths_count_clockwise)
{
	m.altitude_deg[0] = 0;
	m.azimuth_deg[0] = 90;
	open_sensor();
	expect_xyz(0, 0, -10, 0);
}

/* --- checksums --- */

static int look_damaged(size_t at)
{
	ouster_packet_fill(&l, bytes, 1, 0);
	bytes[at] ^= 0x10;
	return look();
}

Test(decoder_ouster, damage_anywhere_is_found)
{
	size_t i;

	/* header bytes that make it another sensor's are ignored before they are summed */
	for (i = 12; i < l.packet_bytes; i++)
		cr_expect_eq(look_damaged(i), DECODER_BAD, "byte %zu", i);
	cr_expect_eq(look_at(1, 0), DECODER_POINTS);
}

Test(decoder_ouster, old_firmware_has_no_checksum_to_reject)
{
	m.crc = OUSTER_CRC_NONE;
	open_sensor();
	cr_expect_eq(look_at(1, 0), DECODER_POINTS);
	cr_expect_eq(look_damaged(l.packet_bytes - 1), DECODER_POINTS);
}

Test(decoder_ouster, unknown_firmware_is_held_to_what_it_has_shown)
{
	m.crc = OUSTER_CRC_UNKNOWN;
	open_sensor();
	cr_expect_eq(look_damaged(l.packet_bytes - 1), DECODER_POINTS);
	cr_expect_eq(look_at(1, 0), DECODER_POINTS);
	cr_expect_eq(look_damaged(l.packet_bytes - 1), DECODER_BAD);
}

Test(decoder_ouster, a_bad_packet_does_not_count_as_a_frame)
{
	expect_frame(10, 10);
	ouster_packet_fill(&l, bytes, 500, 0);
	bytes[l.packet_bytes - 1] ^= 1;
	cr_expect_eq(look(), DECODER_BAD);
	expect_frame(11, 11);
}

/* --- whose packet --- */

Test(decoder_ouster, another_sensors_packets_are_ignored)
{
	ouster_packet_fill(&l, bytes, 1, 0);
	set("SERIAL", 0, 0, OUSTER_PACKET_SERIAL + 1);
	ouster_packet_seal(&l, bytes);
	cr_expect_eq(look(), DECODER_IGNORED);
}

Test(decoder_ouster, without_a_known_serial_every_sensor_is_ours)
{
	m.serial_number = 0;
	open_sensor();
	ouster_packet_fill(&l, bytes, 1, 0);
	set("SERIAL", 0, 0, 5);
	ouster_packet_seal(&l, bytes);
	cr_expect_eq(look(), DECODER_POINTS);
}

Test(decoder_ouster, other_packet_types_are_ignored)
{
	ouster_packet_fill(&l, bytes, 1, 0);
	set("TYPE", 0, 0, 2);
	ouster_packet_seal(&l, bytes);
	cr_expect_eq(look(), DECODER_IGNORED);
}

Test(decoder_ouster, datagrams_of_every_other_length_are_ignored)
{
	unsigned int i;
	size_t length;

	for (i = 0; i < ouster_profile_count; i++) {
		open_profile(ouster_profiles[i].name);
		ouster_packet_fill(&l, bytes, 1, 0);
		for (length = 0; length <= l.packet_bytes + 16; length++) {
			uint8_t *copy;

			if (length == l.packet_bytes)
				continue;
			copy = malloc(length); /* so that a sanitizer sees a read beyond it */
			memcpy(copy, bytes, length);
			cr_expect_eq(d->ops->look(d, copy, length, &packet),
				     length == OUSTER_PACKET_IMU_BYTES ? DECODER_SIDE :
									 DECODER_IGNORED,
				     "%zu", length);
			free(copy);
		}
	}
}

Test(decoder_ouster, garbage_of_the_right_length_does_no_harm)
{
	unsigned int i, k, column;
	size_t at;

	srand(1);
	for (i = 0; i < ouster_profile_count; i++) {
		open_profile(ouster_profiles[i].name);
		m.crc = OUSTER_CRC_NONE;
		m.serial_number = 0;
		open_sensor();
		for (k = 0; k < 2000; k++) {
			for (at = 0; at < l.packet_bytes; at++)
				bytes[at] = (uint8_t)rand();
			if (k % 2 && l.profile->header_bytes)
				set("TYPE", 0, 0, OUSTER_PACKET_TYPE_LIDAR);
			if (look() != DECODER_POINTS)
				continue;
			cr_assert_lt(packet.place, d->geometry.frame_packets);
			for (column = 0; column < packet.column_count; column++) {
				cr_assert_lt(packet.columns[column].place,
					     d->geometry.frame_columns);
				cr_assert_leq(d->ops->points(d, &packet, column, points),
					      d->geometry.column_points);
			}
		}
	}
}

/* --- columns --- */

Test(decoder_ouster, invalid_columns_are_not_listed)
{
	ouster_packet_fill(&l, bytes, 1, 1);
	set("STATUS", 0, 0, 0);
	set("STATUS", 7, 0, 0xfffe);
	ouster_packet_seal(&l, bytes);
	cr_assert_eq(look(), DECODER_POINTS);
	cr_assert_eq(packet.column_count, 14);
	cr_expect_eq(packet.place, 1);
	cr_expect_eq(packet.columns[0].number, 17);
	cr_expect_eq(packet.positions[0], 1);
	cr_expect_eq(packet.columns[6].number, 24);
	cr_expect_eq(packet.positions[6], 8);
}

Test(decoder_ouster, columns_beyond_the_revolution_are_not_listed)
{
	ouster_packet_fill(&l, bytes, 1, 3);
	set("MEASUREMENT_ID", 15, 0, 64);
	set("MEASUREMENT_ID", 14, 0, 65535);
	ouster_packet_seal(&l, bytes);
	cr_assert_eq(look(), DECODER_POINTS);
	cr_expect_eq(packet.column_count, 14);
}

Test(decoder_ouster, a_column_is_listed_once)
{
	unsigned int i;

	ouster_packet_fill(&l, bytes, 1, 0);
	for (i = 0; i < 16; i++)
		set("MEASUREMENT_ID", i, 0, 5);
	ouster_packet_seal(&l, bytes);
	cr_assert_eq(look(), DECODER_POINTS);
	cr_expect_eq(packet.column_count, 1);
	cr_expect_eq(packet.positions[0], 0);
}

Test(decoder_ouster, the_last_packet_of_an_uneven_revolution_is_short)
{
	m.columns_per_frame = 60;
	m.window_last = 59;
	open_sensor();
	cr_expect_eq(d->geometry.frame_columns, 60);
	cr_expect_eq(d->geometry.frame_packets, 4);
	cr_assert_eq(look_at(1, 3), DECODER_POINTS);
	cr_expect_eq(packet.column_count, 12);
	cr_expect_eq(packet.place, 3);
}

Test(decoder_ouster, a_packet_of_invalid_columns_still_arrived)
{
	unsigned int i;

	ouster_packet_fill(&l, bytes, 9, 2);
	for (i = 0; i < 16; i++)
		set("STATUS", i, 0, 0);
	ouster_packet_seal(&l, bytes);
	cr_expect_eq(look(), DECODER_POINTS);
	cr_expect_eq(packet.column_count, 0);
	cr_expect_eq(packet.frame, 9);
	cr_expect_eq(packet.place, 2);
}

Test(decoder_ouster, a_legacy_packet_of_invalid_columns_says_nothing)
{
	open_profile("LEGACY");
	memset(bytes, 0, l.packet_bytes);
	cr_expect_eq(look(), DECODER_IGNORED);
}

Test(decoder_ouster, legacy_columns_that_disagree_about_the_frame_are_damage)
{
	open_profile("LEGACY");
	ouster_packet_fill(&l, bytes, 9, 2);
	set("FRAME_ID", 4, 0, 10);
	cr_expect_eq(look(), DECODER_BAD);
	set("STATUS", 4, 0, 0);
	cr_expect_eq(look(), DECODER_POINTS);
}

/* --- windows --- */

static void open_window(uint32_t first, uint32_t last)
{
	m.window_first = first;
	m.window_last = last;
	open_sensor();
}

static void expect_window_packet(uint32_t sent, uint32_t place, unsigned int columns,
				 uint32_t first_number, uint32_t first_place)
{
	cr_assert_eq(look_at(1, sent), DECODER_POINTS, "packet %u", sent);
	cr_expect_eq(packet.place, place, "packet %u", sent);
	cr_assert_eq(packet.column_count, columns, "packet %u has %u", sent, packet.column_count);
	cr_expect_eq(packet.columns[0].number, first_number);
	cr_expect_eq(packet.columns[0].place, first_place);
}

Test(decoder_ouster, places_count_within_the_window)
{
	open_window(20, 40);
	cr_expect_eq(d->geometry.frame_columns, 21);
	cr_expect_eq(d->geometry.frame_packets, 2);
	cr_expect_eq(look_at(1, 0), DECODER_IGNORED);
	expect_window_packet(1, 0, 12, 20, 0);
	expect_window_packet(2, 1, 9, 32, 12);
	cr_expect_eq(look_at(1, 3), DECODER_IGNORED);
}

Test(decoder_ouster, a_window_across_zero_begins_each_frame_at_column_zero)
{
	open_window(56, 20);
	cr_expect_eq(d->geometry.frame_columns, 29);
	cr_expect_eq(d->geometry.frame_packets, 3);
	expect_window_packet(0, 0, 16, 0, 0);
	expect_window_packet(1, 1, 5, 16, 16);
	cr_expect_eq(look_at(1, 2), DECODER_IGNORED);
	expect_window_packet(3, 2, 8, 56, 21);
}

Test(decoder_ouster, a_window_may_begin_and_end_in_one_packet)
{
	open_window(28, 20);
	cr_expect_eq(d->geometry.frame_columns, 57);
	cr_expect_eq(d->geometry.frame_packets, 4);
	expect_window_packet(1, 1, 9, 16, 16);
	cr_expect_eq(packet.columns[5].number, 28);
	cr_expect_eq(packet.columns[5].place, 21);
	expect_window_packet(3, 3, 16, 48, 41);
}

Test(decoder_ouster, a_window_of_one_column)
{
	open_window(63, 63);
	cr_expect_eq(d->geometry.frame_columns, 1);
	cr_expect_eq(d->geometry.frame_packets, 1);
	expect_window_packet(3, 0, 1, 63, 0);
}

/* --- frames --- */

Test(decoder_ouster, frames_count_on_where_the_sensors_number_wraps)
{
	expect_frame(65534, 65534);
	expect_frame(65535, 65535);
	expect_frame(0, 65536);
	expect_frame(1, 65537);
}

Test(decoder_ouster, fusa_frames_wrap_at_32_bits)
{
	open_profile("FUSA_RNG15_RFL8_NIR8_DUAL");
	expect_frame(UINT32_MAX, UINT32_MAX);
	expect_frame(0, 1ull << 32);
	expect_frame(UINT32_MAX, UINT32_MAX);
}

Test(decoder_ouster, legacy_frames_wrap_at_16_bits)
{
	open_profile("LEGACY");
	expect_frame(65535, 65535);
	expect_frame(0, 65536);
}

Test(decoder_ouster, late_packets_belong_to_the_frame_before)
{
	expect_frame(100, 100);
	expect_frame(99, 99);
	expect_frame(101, 101);
	expect_frame(100, 100);
	expect_frame(101, 101);
}

Test(decoder_ouster, late_packets_survive_the_wrap)
{
	expect_frame(65535, 65535);
	expect_frame(0, 65536);
	expect_frame(65535, 65535);
	expect_frame(1, 65537);
}

Test(decoder_ouster, nothing_comes_before_frame_zero)
{
	expect_frame(0, 0);
	cr_expect_eq(look_at(65535, 3), DECODER_IGNORED);
	expect_frame(1, 1);
}

Test(decoder_ouster, an_outage_leaves_a_gap)
{
	expect_frame(100, 100);
	expect_frame(700, 700);
}

Test(decoder_ouster, a_wild_number_is_a_new_run_and_goes_forward)
{
	open_profile("LEGACY");
	expect_frame(5000, 5000);
	expect_frame(3, 5001);
	expect_frame(4, 5002);
	cr_expect_eq(look_at(2, 0), DECODER_IGNORED, "before the new run");
	expect_frame(40000, 5003);
}

Test(decoder_ouster, a_new_init_id_is_a_new_run_and_goes_forward)
{
	expect_frame(5000, 5000);
	ouster_packet_fill(&l, bytes, 5000, 0);
	set("INIT_ID", 0, 0, 0x654321);
	ouster_packet_seal(&l, bytes);
	cr_assert_eq(look(), DECODER_POINTS);
	cr_expect_eq(packet.frame, 5001);
}

Test(decoder_ouster, after_restart_the_sensors_own_number_counts)
{
	expect_frame(65535, 65535);
	expect_frame(0, 65536);
	d->ops->restart(d);
	expect_frame(7, 7);
}

/* --- opening --- */

Test(decoder_ouster, opening_needs_metadata)
{
	struct decoder_sensor sensor = { .name = "front", .model = "", .metadata_path = "" };
	struct problem problem = { "" };
	struct decoder *none;

	cr_expect_eq(decoder_ouster.open(&sensor, &none, &problem), -EINVAL);
	cr_expect(strstr(problem.text, "decoder = ouster needs metadata ="), "%s",
		  problem.text);
	sensor.metadata_path = "/nonexistent/front.json";
	cr_expect_eq(decoder_ouster.open(&sensor, &none, &problem), -ENOENT);
	cr_expect(strstr(problem.text, "/nonexistent/front.json"), "%s", problem.text);
	sensor.metadata = "{";
	sensor.metadata_bytes = 1;
	cr_expect_eq(decoder_ouster.open(&sensor, &none, &problem), -EINVAL);
	cr_expect(strstr(problem.text, "front: not JSON"), "%s", problem.text);
}

Test(decoder_ouster, freeing_nothing_is_fine)
{
	cr_expect_null(decoder_ouster.free(NULL));
}
