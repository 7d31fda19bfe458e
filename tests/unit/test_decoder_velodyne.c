/* SPDX-License-Identifier: Apache-2.0 */
/* Packets made up by bench/packets/velodyne_packet.h, and every point where geometry puts it. */
#include "decoder/decoder.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/config.h"
#include "daemon/frame_builder.h"
#include "decoder/rotation.h"
#include "tests/support/heap_loans.h"
#include "bench/packets/velodyne_packet.h"

/* half of 0.01 degrees at 10 m, and floats */
#define TOLERANCE_M 0.001
#define POINTS_MAX (VELODYNE_BLOCK_POINTS * 2)

static struct velodyne_sensor sensor;
static struct decoder *d;
static struct problem problem;
static struct decoder_packet p;
static uint8_t data[VELODYNE_PACKET_BYTES];
static char calibration[32768];

static int open_decoder(const char *model, unsigned int calibrated_lasers, double cut_angle_deg)
{
	struct decoder_sensor s = { .name = "front", .model = model, .metadata_path = "",
				    .calibration_path = "", .cut_angle_deg = cut_angle_deg };

	if (calibrated_lasers) {
		s.calibration_bytes = velodyne_packet_calibration(calibrated_lasers, calibration,
								  sizeof(calibration));
		s.calibration = calibration;
	}
	return decoder_velodyne.open(&s, &d, &problem);
}

static void make_sensor(const char *model, unsigned int returns)
{
	memset(&sensor, 0, sizeof(sensor));
	sensor.model = velodyne_model_find(model);
	cr_assert_not_null(sensor.model);
	sensor.returns = returns;
	sensor.step_cdeg = 20;
}

static void open_or_fail(const char *model, unsigned int returns)
{
	make_sensor(model, returns);
	cr_assert_eq(open_decoder("", sensor.model->elevation_cdeg ? 0 : sensor.model->lasers, 0), 0,
		     "%s", problem.text);
}

static int look_next(void)
{
	velodyne_packet_next(&sensor, data);
	return d->ops->look(d, data, sizeof(data), &p);
}

static void end(void)
{
	if (d)
		d = d->ops->free(d);
}

TestSuite(decoder_velodyne, .fini = end);

/* --- points --- */

static void angles_of(unsigned int laser, double *elevation, double *offset)
{
	const struct velodyne_model *m = sensor.model;

	*elevation = m->elevation_cdeg ? m->elevation_cdeg[laser] * M_PI / 18000 :
					 velodyne_packet_elevation_rad(laser);
	*offset = m->elevation_cdeg ? 0 : velodyne_packet_offset_rad(laser);
}

/* Measurement @i of a column: where and when it must be. */
static void expect_point(const struct lidard_point_xyzirt *q, uint64_t column, unsigned int i,
			 unsigned int which, uint64_t packet_us, uint64_t packet_column,
			 uint64_t column_ns)
{
	const struct velodyne_model *m = sensor.model;
	unsigned int slot = (unsigned int)(column % m->banks) * VELODYNE_BLOCK_POINTS + i;
	unsigned int laser = slot % m->lasers;
	uint64_t firing = velodyne_packet_firing(&sensor, column) + slot / m->lasers;
	uint64_t first = velodyne_packet_firing(&sensor, packet_column);
	double within_ns = velodyne_model_laser_ns(m, laser);
	double begin_ns = velodyne_model_laser_ns(m, (unsigned int)(packet_column % m->banks) * 32);
	double azimuth = sensor.start_cdeg + (double)sensor.step_cdeg * ((double)firing + within_ns / m->firing_ns);
	double range = velodyne_packet_raw(laser, which) * m->unit_mm * 0.001;
	double elevation, offset, a;

	angles_of(laser, &elevation, &offset);
	a = azimuth * M_PI / 18000 - offset;
	cr_expect_eq(q->ring, laser);
	cr_expect_float_eq(q->intensity, laser, 0);
	cr_expect_float_eq(q->range, range, 1e-5);
	cr_expect_float_eq(q->x, range * cos(elevation) * cos(a), TOLERANCE_M, "x %f", q->x);
	cr_expect_float_eq(q->y, -range * cos(elevation) * sin(a), TOLERANCE_M, "y %f", q->y);
	cr_expect_float_eq(q->z, range * sin(elevation), 1e-5);
	cr_expect_eq(q->return_number, which + 1);
	cr_expect_eq(q->flags, which && laser % 2 == 0 ? LIDARD_POINT_REPEATED : 0);
	cr_expect_float_eq((double)column_ns + q->time_offset_ns,
			   packet_us * 1e3 + (double)(firing - first) * m->firing_ns + within_ns - begin_ns,
			   1.0, "laser %u", laser);
}

static void expect_packet(void)
{
	uint64_t column = sensor.columns, packet_us = velodyne_packet_time_us(&sensor), first = column;
	struct lidard_point_xyzirt points[POINTS_MAX];
	unsigned int i, k, n;

	cr_assert_eq(look_next(), DECODER_POINTS, "%s", d->complaint.text);
	cr_assert_eq(p.column_count, VELODYNE_PACKET_BLOCKS / sensor.returns);
	for (i = 0; i < p.column_count; i++, column++) {
		n = d->ops->points(d, &p, i, points);
		cr_assert_eq(n, VELODYNE_BLOCK_POINTS * sensor.returns);
		for (k = 0; k < n; k++)
			expect_point(&points[k], column, k / sensor.returns, k % sensor.returns, packet_us,
				     first, p.columns[i].time_ns);
	}
}

struct variant {
	char model[16];
	unsigned int returns;
};

static struct variant variants[] = {
	{ "VLP-16", 1 },  { "VLP-16", 2 },  { "Puck Hi-Res", 1 }, { "Puck Hi-Res", 2 },
	{ "HDL-32E", 1 }, { "HDL-32E", 2 }, { "VLP-32C", 1 },	  { "VLP-32C", 2 },
	{ "VLS-128", 1 }, { "VLS-128", 2 },
};

ParameterizedTestParameters(decoder_velodyne, points_are_where_and_when_the_lasers_fired)
{
	return cr_make_param_array(struct variant, variants, sizeof(variants) / sizeof(variants[0]));
}

ParameterizedTest(struct variant *v, decoder_velodyne, points_are_where_and_when_the_lasers_fired,
		  .fini = end)
{
	unsigned int i;

	open_or_fail(v->model, v->returns);
	sensor.start_cdeg = 35900;
	sensor.start_us = 1000000;
	for (i = 0; i < 5; i++)
		expect_packet();
	cr_expect_str_eq(d->geometry.model, v->model);
	cr_expect_str_eq(d->complaint.text, "");
}

Test(decoder_velodyne, the_vlp_16_has_the_angles_of_its_manual)
{
	struct lidard_point_xyzirt points[POINTS_MAX];

	open_or_fail("VLP-16", 1);
	sensor.step_cdeg = 0;
	sensor.start_cdeg = 9000;
	look_next();
	cr_assert_eq(d->ops->points(d, &p, 0, points), 32);
	/* to the right of the sensor, 15 degrees down: 2 m */
	cr_expect_float_eq(points[0].x, 0, 1e-4);
	cr_expect_float_eq(points[0].y, -2 * cos(15 * M_PI / 180), 1e-4);
	cr_expect_float_eq(points[0].z, -2 * sin(15 * M_PI / 180), 1e-4);
	cr_expect_float_eq(asin(points[15].z / points[15].range) * 180 / M_PI, 15, 1e-3);
}

Test(decoder_velodyne, what_met_nothing_is_no_point)
{
	struct lidard_point_xyzirt points[POINTS_MAX];

	open_or_fail("VLP-16", 2);
	velodyne_packet_next(&sensor, data);
	memset(data + 4, 0, 2);		  /* laser 0, last */
	memset(data + 100 + 4 + 3, 0, 2); /* laser 1, strongest */
	cr_assert_eq(d->ops->look(d, data, sizeof(data), &p), DECODER_POINTS);
	cr_assert_eq(d->ops->points(d, &p, 0, points), 62);
	cr_expect(points[0].ring == 0 && points[0].return_number == 2 && !points[0].flags);
	cr_expect(points[1].ring == 1 && points[1].return_number == 1);
	cr_expect(points[2].ring == 2 && points[2].return_number == 1);
}

/* --- models --- */

Test(decoder_velodyne, a_model_that_is_named_counts_and_the_packets_contradiction_is_told)
{
	make_sensor("VLP-16", 1);
	sensor.product = 0x21;
	cr_assert_eq(open_decoder("vlp16", 0, 0), 0);
	expect_packet();
	cr_expect(strstr(d->complaint.text, "HDL-32E") && strstr(d->complaint.text, "VLP-16"), "%s",
		  d->complaint.text);
	cr_expect_str_eq(d->geometry.model, "VLP-16");
}

Test(decoder_velodyne, packets_that_cannot_be_of_the_model_are_bad)
{
	make_sensor("VLS-128", 1);
	cr_assert_eq(open_decoder("VLP-16", 0, 0), 0);
	cr_expect_eq(look_next(), DECODER_BAD);
	cr_expect(strstr(d->complaint.text, "is model = right?"), "%s", d->complaint.text);
}

Test(decoder_velodyne, an_unknown_product_takes_a_name)
{
	open_or_fail("VLP-16", 1);
	sensor.product = 0x77;
	cr_expect_eq(look_next(), DECODER_BAD);
	cr_expect(strstr(d->complaint.text, "0x77") && strstr(d->complaint.text, "model = NAME"), "%s",
		  d->complaint.text);
	end();
	cr_assert_eq(open_decoder("VLP-16", 0, 0), 0);
	expect_packet();
	cr_expect_str_eq(d->complaint.text, "");
}

Test(decoder_velodyne, another_models_packets_on_the_port_are_ignored)
{
	open_or_fail("VLP-16", 1);
	expect_packet();
	sensor.product = 0x21;
	cr_expect_eq(look_next(), DECODER_IGNORED);
}

Test(decoder_velodyne, a_model_without_known_angles_needs_its_calibration)
{
	cr_expect_eq(open_decoder("VLP-32C", 0, 0), -EINVAL);
	cr_expect(strstr(problem.text, "needs calibration = FILE"), "%s", problem.text);
	cr_expect_eq(open_decoder("VLS-128", 32, 0), -EINVAL);
	cr_expect(strstr(problem.text, "128 lasers, the calibration file has 32"), "%s", problem.text);
	make_sensor("VLS-128", 1);
	cr_assert_eq(open_decoder("", 0, 0), 0);
	cr_expect_eq(look_next(), DECODER_BAD);
	cr_expect(strstr(d->complaint.text, "needs calibration = FILE"), "%s", d->complaint.text);
}

Test(decoder_velodyne, a_calibration_is_used_where_it_is_given)
{
	struct lidard_point_xyzirt points[POINTS_MAX];

	make_sensor("VLP-16", 1);
	cr_assert_eq(open_decoder("VLP-16", 16, 0), 0, "%s", problem.text);
	look_next();
	d->ops->points(d, &p, 0, points);
	cr_expect_float_eq(points[0].z, points[0].range * sin(0.2), 1e-4);
}

Test(decoder_velodyne, names_that_are_none_of_its_models_are_refused)
{
	cr_expect_eq(open_decoder("VLP-17", 0, 0), -EINVAL);
	cr_expect(strstr(problem.text, "VLP-16, Puck Hi-Res, HDL-32E, VLP-32C, VLS-128"), "%s",
		  problem.text);
}

Test(decoder_velodyne, a_calibration_that_is_not_there_is_told)
{
	struct decoder_sensor s = { .name = "front", .model = "", .metadata_path = "",
				    .calibration_path = "/nonexistent/lasers.yaml" };

	cr_expect_eq(decoder_velodyne.open(&s, &d, &problem), -ENOENT);
	cr_expect(strstr(problem.text, "/nonexistent/lasers.yaml"), "%s", problem.text);
	d = NULL;
}

/* --- packets --- */

Test(decoder_velodyne, what_is_no_data_packet_is_ignored)
{
	open_or_fail("VLP-16", 1);
	velodyne_packet_next(&sensor, data);
	cr_expect_eq(d->ops->look(d, data, 511, &p), DECODER_IGNORED);
	cr_expect_eq(d->ops->look(d, data, 0, &p), DECODER_IGNORED);
	cr_expect_eq(d->ops->look(d, data, sizeof(data) - 1, &p), DECODER_IGNORED);
	data[0] = 0;
	cr_expect_eq(d->ops->look(d, data, sizeof(data), &p), DECODER_IGNORED);
}

static int look_changed(unsigned int at, uint8_t value)
{
	velodyne_packet_next(&sensor, data);
	data[at] = value;
	return d->ops->look(d, data, sizeof(data), &p);
}

Test(decoder_velodyne, damaged_packets_are_bad)
{
	open_or_fail("VLP-16", 1);
	cr_expect_eq(look_changed(1204, 0x42), DECODER_BAD);
	cr_expect(strstr(d->complaint.text, "0x42"));
	cr_expect_eq(look_changed(301, 0xdd), DECODER_BAD);
	cr_expect_eq(look_changed(403, 0xff), DECODER_BAD); /* an azimuth beyond the circle */
	cr_expect_eq(look_changed(1203, 0xff), DECODER_BAD); /* more than an hour */
	cr_expect_eq(look_next(), DECODER_POINTS);
}

Test(decoder_velodyne, time_goes_on_through_the_hour)
{
	uint64_t last = 0;
	unsigned int i;

	open_or_fail("VLP-16", 1);
	sensor.start_us = 3600000000u - 5000;
	for (i = 0; i < 10; i++) {
		cr_assert_eq(look_next(), DECODER_POINTS);
		cr_expect(i == 0 || (p.columns[0].time_ns > last && p.columns[0].time_ns - last < 1400000),
			  "packet %u", i);
		last = p.columns[0].time_ns;
	}
	cr_expect_eq(last, (3600000000u - 5000 + 9 * 1327104ull / 1000) * 1000);
	cr_expect_eq(d->geometry.sensor_clock, LIDARD_CLOCK_HOUR);
}

Test(decoder_velodyne, position_packets_say_whether_the_clock_is_locked)
{
	uint8_t position[512] = { [202] = 2 };

	open_or_fail("VLP-16", 1);
	cr_expect_eq(d->geometry.clock_lock, LIDARD_CLOCK_LOCK_UNKNOWN);
	strcpy((char *)position + 206, "$GPRMC,081802.00,A,3649.7,N,00224.4,W,0.0,2.5,210116,0.0,E,A*29");
	cr_expect_eq(d->ops->look(d, position, sizeof(position), &p), DECODER_SIDE);
	cr_expect_eq(d->geometry.clock_lock, LIDARD_CLOCK_LOCK_LOCKED);
	position[202] = 0;
	cr_expect_eq(d->ops->look(d, position, sizeof(position), &p), DECODER_SIDE);
	cr_expect_eq(d->geometry.clock_lock, LIDARD_CLOCK_LOCK_FREE_RUNNING);
}

Test(decoder_velodyne, position_packets_have_the_time_of_the_points)
{
	uint8_t position[512] = { [202] = 2 };
	struct decoder_side side;
	const uint32_t time_us = 7; /* past the next hour */

	open_or_fail("VLP-16", 1);
	memcpy(position + 198, &time_us, sizeof(time_us));
	sensor.start_us = 3600000000u - 5000;
	cr_assert_eq(look_next(), DECODER_POINTS);
	cr_assert_eq(d->ops->side(d, position, sizeof(position), &side), DECODER_SIDE);
	cr_expect(side.has_position && !side.has_imu);
	cr_expect_eq(side.position.time_ns, 3600000007000ull);
	cr_expect_eq(side.position.pps, LIDARD_PPS_LOCKED);
	position[202] = 9;
	cr_expect_eq(d->ops->side(d, position, sizeof(position), &side), DECODER_BAD);
	cr_expect_eq(d->ops->side(d, position, sizeof(position) - 1, &side), DECODER_IGNORED);
}

/* --- frames --- */

static struct sensor_config config;
static struct source source;
static struct frame_builder *b;
static struct heap_loans loans;
static uint64_t points_taken, last_slices, lost_in_slices;

static void end_frames(void)
{
	b = frame_builder_free(b);
	heap_loans_deinit(&loans);
	end();
}

TestSuite(decoder_velodyne_frames, .fini = end_frames);

static void take_all(void)
{
	struct loan *l;
	size_t wants;

	while (frame_builder_take(b, &l)) {
		points_taken += l->header->point_count;
		lost_in_slices += l->header->lost_packets;
		last_slices += (l->header->flags & LIDARD_SLICE_LAST) != 0;
		heap_loans_give_back(&loans, l);
	}
	while ((wants = frame_builder_wants(b)) && (l = heap_loans_take(&loans, wants)))
		frame_builder_lend(b, l);
}

static void begin_frames(const char *model, unsigned int returns)
{
	open_or_fail(model, returns);
	strcpy(config.name, "front");
	config.slice_bytes = 1 << 20;
	config.first_slice_bytes = 64 << 10;
	config.loans = 8;
	cr_assert_eq(frame_builder_new(&config, d, &source, 0, &b, &problem), 0, "%s", problem.text);
	heap_loans_init(&loans, 8, frame_builder_wants(b));
	take_all();
}

static void push(const uint8_t *packet)
{
	frame_builder_push(b, packet, VELODYNE_PACKET_BYTES, 1);
	take_all();
}

ParameterizedTestParameters(decoder_velodyne_frames, every_lost_packet_is_counted)
{
	return cr_make_param_array(struct variant, variants, sizeof(variants) / sizeof(variants[0]));
}

/* 1 % lost, bursts, some change places, some come twice */
ParameterizedTest(struct variant *v, decoder_velodyne_frames, every_lost_packet_is_counted,
		  .fini = end_frames)
{
	unsigned int seed = 1, lost = 0, pushed = 0, i, burst;
	uint8_t held[VELODYNE_PACKET_BYTES];

	begin_frames(v->model, v->returns);
	for (i = 0; i < 2000; i++) {
		velodyne_packet_next(&sensor, data);
		burst = i > 5 && i < 1990 && rand_r(&seed) % 100 == 0 ? 1 + rand_r(&seed) % 20 : 0;
		for (lost += burst; burst; burst--)
			velodyne_packet_next(&sensor, data);
		if (i > 5 && rand_r(&seed) % 10 == 0) {
			memcpy(held, data, sizeof(held));
			velodyne_packet_next(&sensor, data);
			push(data);
			memcpy(data, held, sizeof(held));
			pushed++;
		}
		push(data);
		pushed++;
		if (rand_r(&seed) % 20 == 0)
			push(data);
	}
	frame_builder_flush(b);
	take_all();
	cr_expect_gt(lost, 100);
	cr_expect_eq(source.stats.lost_packets, lost, "%u lost, %u counted", lost,
		     (unsigned int)source.stats.lost_packets);
	cr_expect_eq(source.stats.bad_packets, 0);
	cr_expect_eq(points_taken, (uint64_t)pushed * 12 * 32);
	cr_expect_eq(last_slices, source.stats.frames);
}

Test(decoder_velodyne_frames, a_silent_sensor_that_comes_back_after_seconds_has_lost_them)
{
	unsigned int i;

	begin_frames("VLP-16", 1);
	for (i = 0; i < 200; i++) {
		velodyne_packet_next(&sensor, data);
		push(data);
	}
	for (i = 0; i < 5000; i++)
		velodyne_packet_next(&sensor, data);
	for (i = 0; i < 200; i++) {
		velodyne_packet_next(&sensor, data);
		push(data);
	}
	frame_builder_flush(b);
	cr_expect_eq(source.stats.lost_packets, 5000);
}

Test(decoder_velodyne_frames, slices_too_small_for_the_model_are_told_when_it_is_known)
{
	open_or_fail("VLS-128", 1);
	config.slice_bytes = 64 << 10;
	config.loans = 8;
	cr_assert_eq(frame_builder_new(&config, d, &source, 0, &b, &problem), 0, "%s", problem.text);
	heap_loans_init(&loans, 8, frame_builder_wants(b));
	take_all();
	velodyne_packet_next(&sensor, data);
	push(data);
	cr_expect_eq(source.stats.bad_packets, 1);
	cr_expect(strstr(source.notice.text, "raise slice_bytes"), "%s", source.notice.text);
}
