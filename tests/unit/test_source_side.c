/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes beside points: of made-up captures with an IMU packet before each packet of
 * points, and, where there are any, of recorded ones.
 */
#include "daemon/source_side.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "tests/support/ouster_capture.h"
#include "tests/support/source_driver.h"

#define PATIENCE_MS 5000
#define FRAMES 3u
#define PACKETS (FRAMES * OUSTER_CAPTURE_FRAME_PACKETS)
#define BEGIN_NS 1000000000ull
#define PACKET_NS (OUSTER_CAPTURE_PACKET_COLUMNS * (uint64_t)OUSTER_CAPTURE_COLUMN_NS)

static struct sensor_config main_config;
static struct sensor_config side_config;
static struct source_driver points;
static struct source_driver side;
static struct ouster_capture capture;
static struct loan *loan;

/* What the side stream handed out; by value, as a reader that copies. */
struct taken {
	struct lidard_slice_header header;
	union {
		struct lidard_imu imu;
		struct lidard_position position;
	};
};

static struct taken taken[1024];
static unsigned int taken_count;

static void configure(void)
{
	source_driver_defaults(&main_config);
	main_config.source = SOURCE_KIND_REPLAY;
	main_config.replay_speed = 20;
	main_config.replay_loop = false;
	main_config.imu = true;
	taken_count = 0;
}

static void teardown(void)
{
	if (points.source)
		points.source->side = NULL;
	source_driver_finish(&side);
	source_driver_finish(&points);
	if (capture.directory[0])
		ouster_capture_remove(&capture);
}

TestSuite(source_side, .init = configure, .fini = teardown, .timeout = 60);

static void write_capture(void)
{
	ouster_capture_write(&capture, &(struct ouster_capture_options){ .others = true,
									 .frames = FRAMES });
	strcpy(main_config.replay_file, capture.pcap);
	strcpy(main_config.metadata, capture.metadata);
}

static void start(void)
{
	side_config = main_config;
	side_config.source = SOURCE_KIND_SIDE;
	side_config.imu = false;
	side_config.slice_bytes = CONFIG_SIDE_BYTES;
	side_config.loans = CONFIG_SIDE_LOANS;
	source_driver_start(&points, &main_config);
	points.source->readers.connected = 1;
	points.source->readers.room = 8;
	source_driver_start(&side, &side_config);
	source_side_connect(side.source, points.source);
}

static void keep(void)
{
	cr_assert_lt(taken_count, sizeof(taken) / sizeof(taken[0]));
	taken[taken_count].header = *loan->header;
	cr_assert_leq(loan->header->payload_bytes, sizeof(taken[0].imu));
	memcpy(&taken[taken_count].imu, loan->data, loan->header->payload_bytes);
	if (loan->header->flags & LIDARD_SLICE_CRC_VALID)
		cr_expect_eq(loan->header->crc32c,
			     crc32c(0, loan->data, loan->header->payload_bytes));
	taken_count++;
}

/* Take what is there. Return: of the source. */
static int drain(void)
{
	int result = SOURCE_NONE;

	while (source_side_has_filled(side.source)) {
		result = source_driver_next(&side, PATIENCE_MS, &loan);
		cr_assert_eq(result, SOURCE_FILLED);
		keep();
		source_driver_give_back(&side, loan);
	}
	return result;
}

/* Slices of points up to @slices, or the end; as a sensor does it. */
static void play(unsigned int slices)
{
	unsigned int i;
	int result;

	for (i = 0; i < slices; i++) {
		do {
			result = source_driver_next(&points, 1, &loan);
			drain();
		} while (result == SOURCE_NONE);
		cr_assert_geq(result, 0, "%s", points.problem.text);
		if (result == SOURCE_END)
			break;
		source_driver_give_back(&points, loan);
	}
}

static void play_to_the_end(void)
{
	play(UINT_MAX);
	source_side_end(side.source);
	drain();
	cr_assert_eq(source_driver_next(&side, PATIENCE_MS, &loan), SOURCE_END);
}

Test(source_side, each_imu_packet_is_a_slice_with_one_reading)
{
	unsigned int i;

	write_capture();
	start();
	play_to_the_end();
	cr_assert_eq(taken_count, PACKETS, "%u", taken_count);
	cr_expect_eq(side.source->stats.packets, PACKETS);
	cr_expect_eq(points.source->stats.ignored_packets, 0);
	cr_expect_eq(points.source->stats.packets, PACKETS);
	for (i = 0; i < PACKETS; i++) {
		const struct lidard_slice_header *h = &taken[i].header;

		cr_assert_eq(h->format, LIDARD_FORMAT_IMU);
		cr_assert_eq(h->point_count, 1);
		cr_assert_eq(h->point_step, sizeof(struct lidard_imu));
		cr_assert_eq(h->payload_bytes, sizeof(struct lidard_imu));
		cr_assert_eq(h->frame_id, i);
		cr_assert_eq(h->slice_count, 1);
		cr_assert(h->flags & LIDARD_SLICE_LAST);
		cr_assert(h->flags & LIDARD_SLICE_REPLAYED);
		cr_assert(h->flags & LIDARD_SLICE_FIRST_BYTE_VALID);
		cr_assert_geq(h->filled_ns, h->first_byte_ns);
		cr_assert_eq(!!(h->flags & LIDARD_SLICE_END_OF_STREAM), i == PACKETS - 1);
	}
}

Test(source_side, readings_are_in_si_units_and_in_the_clock_of_the_points)
{
	unsigned int i;

	write_capture();
	main_config.crc = true;
	start();
	play_to_the_end();
	for (i = 0; i < taken_count; i++) {
		const struct lidard_slice_header *h = &taken[i].header;
		const struct lidard_imu *imu = &taken[i].imu;
		const unsigned int packet = i % OUSTER_CAPTURE_FRAME_PACKETS;

		cr_assert_eq(imu->time_ns, BEGIN_NS + i * PACKET_NS);
		cr_assert_eq(imu->angular_time_ns, imu->time_ns + OUSTER_CAPTURE_IMU_DELAY_NS);
		cr_assert_eq(imu->boot_time_ns, OUSTER_CAPTURE_IMU_BOOT_NS);
		cr_assert_eq(h->sensor_time_ns, imu->time_ns);
		cr_assert_eq(h->sensor_end_time_ns, imu->angular_time_ns);
		cr_assert(h->flags & LIDARD_SLICE_SENSOR_TIME_VALID);
		cr_assert(h->flags & LIDARD_SLICE_CRC_VALID);
		cr_assert_eq(h->sensor_clock, points.source->clock.clock);
		cr_assert_eq(h->sensor_clock, LIDARD_CLOCK_SENSOR_BOOT);
		cr_assert_float_eq(imu->acceleration[0], 0, 1e-6);
		cr_assert_float_eq(imu->acceleration[1], 4.903325, 1e-5);
		cr_assert_float_eq(imu->acceleration[2], 9.80665, 1e-5);
		cr_assert_float_eq(imu->angular_velocity[1], packet * M_PI / 180, 1e-5);
		cr_assert_float_eq(imu->angular_velocity[2], M_PI / 2, 1e-5);
		cr_assert_eq(imu->flags, LIDARD_IMU_ACCELERATION_VALID |
						 LIDARD_IMU_ANGULAR_VELOCITY_VALID |
						 LIDARD_IMU_BOOT_TIME_VALID);
	}
}

Test(source_side, what_finds_no_loan_is_dropped_and_told_by_the_next)
{
	uint64_t dropped;

	write_capture();
	start();
	play(1);
	side.stingy = true;
	play(1);
	side.stingy = false;
	dropped = PACKETS - taken_count; /* at most */
	source_driver_lend(&side);
	play_to_the_end();
	dropped = side.source->stats.dropped[SOURCE_DROP_NO_LOAN];
	cr_assert_gt(dropped, 0);
	cr_assert_eq(taken_count + dropped, PACKETS);
	cr_assert_eq(side.source->stats.produced, PACKETS);
	/* the driver held seq and lost_before against each other */
	cr_assert_eq(taken[taken_count - 1].header.seq, PACKETS - 1);
}

Test(source_side, times_go_on_where_a_replay_begins_again)
{
	const uint64_t round_ns = PACKETS * PACKET_NS;
	unsigned int i;

	write_capture();
	main_config.replay_loop = true;
	start();
	play(3 * FRAMES);
	cr_assert_gt(taken_count, 2 * PACKETS);
	for (i = 1; i < taken_count; i++)
		cr_assert_gt(taken[i].imu.time_ns, taken[i - 1].imu.time_ns, "%u", i);
	for (i = PACKETS; i < taken_count; i++)
		/* and by as much as the points' times */
		cr_assert_lt(taken[i].imu.time_ns - taken[i - PACKETS].imu.time_ns,
			     round_ns + 2 * PACKET_NS);
	cr_assert(!(taken[0].header.flags & LIDARD_SLICE_END_OF_STREAM));
}

Test(source_side, a_stop_drops_what_waits)
{
	int result;

	write_capture();
	main_config.replay_loop = true;
	start();
	do {
		result = source_driver_next(&points, 1, &loan);
	} while (!source_side_has_filled(side.source));
	if (result == SOURCE_FILLED)
		source_driver_give_back(&points, loan);
	points.source->side = NULL;
	source_driver_stop(&side);
	cr_assert_gt(side.source->stats.dropped[SOURCE_DROP_STOPPED], 0);
	cr_assert_eq(side.source->stats.produced, side.source->stats.dropped[SOURCE_DROP_STOPPED]);
}

/* ---- One packet at a time ---- */

static const struct decoder *decoder;
static uint8_t packet[OUSTER_CAPTURE_IMU_BYTES];

static void push(void)
{
	source_side_push(side.source, points.source, decoder, packet, sizeof(packet),
			 clock_now_ns(), 0);
}

static struct decoder *open_decoder(void)
{
	struct decoder_sensor sensor = sensor_config_decoder(&main_config);
	struct decoder *d;
	struct problem problem;

	cr_assert_eq(decoder_ouster.open(&sensor, &d, &problem), 0, "%s", problem.text);
	return d;
}

Test(source_side, damaged_packets_are_bad_and_those_that_come_again_duplicates)
{
	struct decoder *d;

	write_capture();
	main_config.replay_loop = true;
	start();
	decoder = d = open_decoder();
	ouster_capture_make_imu(packet, 0, 0);
	push();
	push();
	cr_expect_eq(side.source->stats.packets, 1);
	cr_expect_eq(side.source->stats.duplicate_packets, 1);
	ouster_capture_make_imu(packet, 0, 1);
	memset(packet + 24, 0xff, 4); /* not a number */
	push();
	cr_expect_eq(side.source->stats.bad_packets, 1);
	cr_expect_eq(side.source->stats.packets, 1);
	drain();
	cr_expect_eq(taken_count, 1);
	d->ops->free(d);
}

Test(source_side, a_sensor_that_sends_nothing_beside_points_has_none)
{
	struct problem problem = { "" };

	strcpy(main_config.replay_file, "/capture");
	strcpy(main_config.decoder, "hesai");
	strcpy(main_config.calibration, "/angles.csv");
	cr_assert_eq(source_check(&main_config, &problem), -EINVAL);
	cr_expect(strstr(problem.text, "imu = yes") && strstr(problem.text, "hesai"), "%s",
		  problem.text);
	main_config.imu = false;
	cr_expect_eq(source_check(&main_config, &problem), 0, "%s", problem.text);
}

/* ---- Recorded sensors ---- */

static void play_recording(const char *name, const char *metadata, unsigned int count)
{
	const char *data = getenv("LIDARD_TEST_DATA");
	unsigned int i;

	snprintf(main_config.replay_file, PATH_MAX, "%s/ouster/%s.pcap", data ? data : "", name);
	snprintf(main_config.metadata, PATH_MAX, "%s/ouster/%s.json", data ? data : "", metadata);
	if (!data || access(main_config.replay_file, R_OK) < 0)
		cr_skip_test("no recordings: %s is absent (LIDARD_TEST_DATA)", name);
	start();
	play_to_the_end();
	cr_assert_eq(taken_count, count, "%u", taken_count);
	cr_expect_eq(points.source->stats.ignored_packets, 0);
	for (i = 0; i < taken_count; i++) {
		const float *a = taken[i].imu.acceleration;
		double g = sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]);

		cr_expect(g > 9 && g < 12, "%g m/s^2", g);
		/* 100 a second */
		if (i)
			cr_expect_float_eq((double)(taken[i].imu.time_ns - taken[i - 1].imu.time_ns),
					   10e6, 0.2e6);
	}
}

Test(source_side, a_recording_of_10_readings)
{
	play_recording("OS-0-128-U1_v2.3.0_1024x10", "OS-0-128-U1_v2.3.0_1024x10", 10);
	cr_expect_eq(taken[0].imu.time_ns, 1462582190980ull);
	cr_expect_eq(taken[0].imu.angular_time_ns, 1462582413750ull);
	cr_expect_eq(taken[0].imu.boot_time_ns, 1462581976430ull);
	cr_expect_float_eq(taken[0].imu.acceleration[2], 1.04150390625 * 9.80665, 1e-4);
	cr_expect_float_eq(taken[0].imu.angular_velocity[0], -0.54168701171875 * M_PI / 180, 1e-6);
}

Test(source_side, a_recording_of_30_readings)
{
	play_recording("OS-1-128_v2.3.0_1024x10_lb_n3", "OS-1-128_v2.3.0_1024x10", 30);
}

Test(source_side, a_recording_of_57_positions)
{
	const char *data = getenv("LIDARD_TEST_DATA");
	unsigned int i;

	snprintf(main_config.replay_file, PATH_MAX, "%s/velodyne/sample_velodyne_vlp16_gps.pcap",
		 data ? data : "");
	if (!data || access(main_config.replay_file, R_OK) < 0)
		cr_skip_test("no recordings: %s is absent (LIDARD_TEST_DATA)",
			     main_config.replay_file);
	strcpy(main_config.decoder, "velodyne");
	strcpy(main_config.model, "VLP-16");
	start();
	play_to_the_end();
	cr_assert_eq(taken_count, 57, "%u", taken_count);
	cr_expect_eq(side.source->format, LIDARD_FORMAT_POSITION);
	cr_expect_eq(points.source->stats.ignored_packets, 0);
	for (i = 0; i < taken_count; i++) {
		const struct lidard_slice_header *h = &taken[i].header;
		const struct lidard_position *p = &taken[i].position;

		cr_assert_eq(h->format, LIDARD_FORMAT_POSITION);
		cr_assert_eq(h->sensor_clock, LIDARD_CLOCK_HOUR);
		cr_assert_eq(h->sensor_time_ns, p->time_ns);
		cr_assert_eq(p->pps, LIDARD_PPS_LOCKED);
		cr_assert_float_eq(p->latitude, 36.829131, 1e-5);
		cr_assert_float_eq(p->longitude, -2.407572, 1e-5);
		/* its sentence is less than two seconds old: 08:18 */
		cr_assert_lt(p->time_ns - (uint64_t)(p->utc_ns % 3600000000000ll), 2000000000u);
	}
	cr_expect_eq(taken[0].position.time_ns, 1082342001000ull);
}
