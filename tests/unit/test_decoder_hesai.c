/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder against packets made here, of every model and with everything unusual. */
#include "decoder/decoder_hesai.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/packets/hesai_packet_maker.h"

static struct hesai_packet_maker maker;
static struct beam_table beams;
static struct decoder *d;
static struct decoder_packet packet;
static struct problem problem;
static uint8_t data[HESAI_PACKET_BYTES_MAX];
static size_t bytes;
static struct lidard_point_xyzirt points[HESAI_CHANNELS_MAX * HESAI_RETURNS_MAX];

static void make_beams(unsigned int count)
{
	unsigned int i;

	memset(&beams, 0, sizeof(beams));
	beams.beams = count;
	for (i = 0; i < count; i++) {
		beams.elevation_deg[i] = 20 - 0.25 * i;
		beams.azimuth_deg[i] = i % 4 - 1.5;
	}
}

static void open_as(const char *model)
{
	d = d ? d->ops->free(d) : NULL;
	problem.text[0] = '\0';
	cr_assert_eq(decoder_hesai_new(model, &beams, 0, &d, &problem), 0, "%s", problem.text);
}

static void open_model(const struct hesai_model *m, unsigned int returns)
{
	hesai_packet_maker_init(&maker, m, returns);
	make_beams(m->channels);
	open_as(m->name);
}

static int look_at(uint64_t n)
{
	bytes = hesai_packet_maker_fill(&maker, n, data);
	return d->ops->look(d, data, bytes, &packet);
}

static int look(void)
{
	return d->ops->look(d, data, bytes, &packet);
}

static void teardown(void)
{
	d = d ? d->ops->free(d) : NULL;
}

TestSuite(decoder_hesai, .fini = teardown);

/* --- points --- */

static void expect_point(const struct lidard_point_xyzirt *p, unsigned int channel, unsigned int back,
			 uint64_t column)
{
	const double range = (HESAI_MAKER_RANGE + 10 * channel + 3 * back) * maker.unit_mm * 0.001;
	const double e = beams.elevation_deg[channel] * M_PI / 180;
	const double a = (column * maker.step_cdeg / 100.0 + beams.azimuth_deg[channel]) * M_PI / 180;

	cr_expect_eq(p->ring, channel);
	cr_expect_eq(p->return_number, back + 1);
	cr_expect_float_eq(p->range, range, 1e-5);
	cr_expect_float_eq(p->x, range * cos(e) * sin(a), 1e-5, "x %f", p->x);
	cr_expect_float_eq(p->y, range * cos(e) * cos(a), 1e-5, "y %f", p->y);
	cr_expect_float_eq(p->z, range * sin(e), 1e-5, "z %f", p->z);
	cr_expect_eq(p->intensity, (float)(uint8_t)(channel + back));
	cr_expect_eq(p->time_offset_ns, hesai_beam_time_ns(maker.model, channel));
	/* reflectivity or distance differ */
	cr_expect_eq(p->flags + p->signal + p->ambient, 0);
}

static void expect_column(unsigned int index, uint64_t column)
{
	uint32_t i, n = d->ops->points(d, &packet, index, points);

	if (hesai_packet_maker_is_empty(column)) {
		cr_expect_eq(n, 0);
		return;
	}
	cr_assert_eq(n, maker.model->channels * maker.returns);
	cr_assert_leq(n, d->geometry.column_points);
	for (i = 0; i < n; i++)
		expect_point(&points[i], i / maker.returns, i % maker.returns, column);
}

static void expect_packet(uint64_t n)
{
	const unsigned int columns = hesai_packet_maker_columns(&maker);
	const uint64_t begin = HESAI_MAKER_BEGIN_NS + n * columns * maker.column_ns;
	unsigned int i;

	cr_assert_eq(look_at(n), DECODER_POINTS, "%s", maker.model->name);
	cr_assert_eq(packet.column_count, columns);
	cr_assert_leq(columns, d->geometry.packet_columns);
	for (i = 0; i < columns; i++) {
		/* written in whole microseconds */
		uint64_t time_ns = begin / 1000 * 1000 +
				   (uint64_t)(int64_t)hesai_column_time_ns(maker.model, i, columns);

		cr_expect_eq(packet.columns[i].place, n * columns + i);
		cr_expect_eq(packet.columns[i].time_ns, time_ns);
		expect_column(i, n * columns + i);
	}
}

Test(decoder_hesai, every_model_gives_all_its_returns)
{
	unsigned int i, returns;
	uint64_t n;

	for (i = 0; i < hesai_model_count; i++)
		for (returns = 1; returns <= 3; returns++) {
			if (hesai_models[i].blocks % returns)
				continue;
			open_model(&hesai_models[i], returns);
			for (n = 0; n < 4; n++)
				expect_packet(n);
			cr_expect_str_eq(d->complaint.text, "");
		}
}

Test(decoder_hesai, azimuth_0_is_ahead_and_90_to_the_right)
{
	hesai_packet_maker_init(&maker, hesai_model_find("XT32"), 1);
	memset(&beams, 0, sizeof(beams));
	beams.beams = 32;
	beams.azimuth_deg[1] = 90;
	beams.elevation_deg[2] = 90;
	open_as("");
	cr_assert_eq(look_at(0), DECODER_POINTS);
	cr_assert_eq(d->ops->points(d, &packet, 0, points), 32);
	cr_expect_float_eq(points[0].y, 4, 1e-6);
	cr_expect_float_eq(points[0].x, 0, 1e-6);
	cr_expect_float_eq(points[1].x, 4.04, 1e-6);
	cr_expect_float_eq(points[2].z, 4.08, 1e-6);
}

Test(decoder_hesai, points_do_not_drift_far_away)
{
	const struct hesai_model *m = hesai_model_find("XT32");
	uint32_t cdeg;

	open_model(m, 1);
	maker.unit_mm = 4;
	for (cdeg = 0; cdeg < 36000; cdeg += 7) {
		double e = beams.elevation_deg[9] * M_PI / 180;
		double a = (cdeg / 100.0 + beams.azimuth_deg[9]) * M_PI / 180, r = 65535 * 0.004;

		bytes = hesai_packet_maker_fill(&maker, 0, data);
		memcpy(data + 12, &(uint16_t){ htole16((uint16_t)cdeg) }, 2);
		memset(data + 12 + 2 + 4 * 9, 0xff, 2);
		packet.data = data;
		packet.positions[0] = 0;
		cr_assert_eq(d->ops->points(d, &packet, 0, points), 32);
		/* a float's steps at 262 m are 0.03 mm */
		cr_assert_float_eq(points[9].x, r * cos(e) * sin(a), 1e-4);
		cr_assert_float_eq(points[9].y, r * cos(e) * cos(a), 1e-4);
	}
}

Test(decoder_hesai, the_unit_of_distances_is_the_packets)
{
	open_model(hesai_model_find("XT32M"), 1);
	maker.unit_mm = 5;
	expect_packet(0);
	open_model(hesai_model_find("Pandar64"), 2);
	maker.unit_mm = 1;
	expect_packet(0);
}

Test(decoder_hesai, two_equal_returns_are_two_points)
{
	open_model(hesai_model_find("XT32"), 2);
	bytes = hesai_packet_maker_fill(&maker, 0, data);
	memcpy(data + hesai_block_offset(maker.model, 1), data + hesai_block_offset(maker.model, 0),
	       hesai_block_bytes(maker.model));
	cr_assert_eq(look(), DECODER_POINTS);
	cr_assert_eq(d->ops->points(d, &packet, 0, points), 64);
	cr_expect_eq(points[0].range, points[1].range);
	cr_expect_eq(points[1].return_number, 2);
	cr_expect_eq(points[0].flags, 0);
	cr_expect_eq(points[1].flags, LIDARD_POINT_REPEATED);
}

Test(decoder_hesai, a_return_without_the_other_keeps_its_number)
{
	open_model(hesai_model_find("Pandar40P"), 2);
	bytes = hesai_packet_maker_fill(&maker, 0, data);
	memset(data + hesai_block_offset(maker.model, 0) + 4, 0, 3);
	cr_assert_eq(look(), DECODER_POINTS);
	cr_assert_eq(d->ops->points(d, &packet, 0, points), 79);
	cr_expect_eq(points[0].ring, 0);
	cr_expect_eq(points[0].return_number, 2);
	cr_expect_eq(points[1].return_number, 1);
}

/* --- whose packets --- */

Test(decoder_hesai, the_model_is_learnt_from_the_data)
{
	unsigned int i;

	for (i = 0; i < hesai_model_count; i++) {
		hesai_packet_maker_init(&maker, &hesai_models[i], 1);
		make_beams(hesai_models[i].channels);
		open_as("");
		cr_expect_eq(look_at(0), DECODER_POINTS);
		cr_expect_str_eq(d->geometry.model, hesai_models[i].name);
		cr_expect_str_eq(d->complaint.text, "");
	}
}

Test(decoder_hesai, a_model_that_is_not_known_has_room_for_any_of_so_many_beams)
{
	make_beams(32);
	open_as("");
	/* three returns of XT32M, 50 us a column, four turns a second, 8 columns a packet of XT32 */
	cr_expect_eq(d->geometry.column_points, 96);
	cr_expect_eq(d->geometry.frame_columns, 5000);
	cr_expect_eq(d->geometry.packet_columns, 8);
	cr_expect_eq(d->geometry.sensor_clock, LIDARD_CLOCK_UTC);
	open_as("XT32");
	cr_expect_eq(d->geometry.column_points, 64);
	cr_expect_str_eq(d->geometry.model, "PandarXT32");
}

Test(decoder_hesai, a_model_whose_turns_do_not_fit_into_frames_is_refused_and_said)
{
	hesai_packet_maker_init(&maker, hesai_model_find("XT32"), 1);
	make_beams(32);
	open_as("");
	/* as the builder does where slices are small */
	d->geometry.frame_columns = 4000;
	cr_expect_eq(look_at(0), DECODER_IGNORED);
	cr_expect(strstr(d->complaint.text, "raise slice_bytes"), "%s", d->complaint.text);
}

static void expect_complaint(const char *what)
{
	cr_expect(strstr(d->complaint.text, what), "\"%s\" does not say \"%s\"", d->complaint.text, what);
}

Test(decoder_hesai, packets_of_another_model_are_ignored_and_said)
{
	make_beams(32);
	open_as("PandarXT32");
	hesai_packet_maker_init(&maker, hesai_model_find("XT32M"), 2);
	cr_expect_eq(look_at(0), DECODER_IGNORED);
	expect_complaint("packets of a PandarXT32M (32 channels), but model = PandarXT32");
}

Test(decoder_hesai, packets_with_other_channels_than_the_correction_are_ignored_and_said)
{
	make_beams(16);
	open_as("");
	hesai_packet_maker_init(&maker, hesai_model_find("XT32"), 2);
	cr_expect_eq(look_at(0), DECODER_IGNORED);
	expect_complaint("packets of a PandarXT32 (32 channels), but the correction file has 16");
}

Test(decoder_hesai, a_second_sensor_at_the_same_place_is_not_mixed_in)
{
	make_beams(32);
	open_as("");
	hesai_packet_maker_init(&maker, hesai_model_find("XT32"), 2);
	cr_expect_eq(look_at(0), DECODER_POINTS);
	hesai_packet_maker_init(&maker, hesai_model_find("XT32M"), 2);
	cr_expect_eq(look_at(1), DECODER_IGNORED);
	expect_complaint("there were others of a PandarXT32");
}

Test(decoder_hesai, what_is_no_point_packet_is_ignored_in_silence)
{
	make_beams(40);
	open_as("");
	memset(data, 0xff, sizeof(data));
	for (bytes = 0; bytes < sizeof(data); bytes++)
		cr_expect_eq(look(), DECODER_IGNORED);
	cr_expect_str_eq(d->complaint.text, "");
}

Test(decoder_hesai, damage_is_told_from_others_packets)
{
	open_model(hesai_model_find("XT16"), 1);
	bytes = hesai_packet_maker_fill(&maker, 0, data);
	data[hesai_block_offset(maker.model, 3) + 1] = 0xff;
	cr_expect_eq(look(), DECODER_BAD);
}

Test(decoder_hesai, garbage_of_the_right_form_does_no_harm)
{
	unsigned int i, k, column;
	size_t at;

	srand(1);
	for (i = 0; i < hesai_model_count; i++) {
		open_model(&hesai_models[i], 1);
		for (k = 0; k < 2000; k++) {
			bytes = hesai_packet_maker_fill(&maker, k, data);
			for (at = 0; at < bytes; at++)
				if (rand() % 64 == 0)
					data[at] = (uint8_t)rand();
			if (look() != DECODER_POINTS)
				continue;
			for (column = 0; column < packet.column_count; column++) {
				cr_assert_lt(packet.columns[column].place, d->geometry.frame_columns);
				cr_assert_leq(d->ops->points(d, &packet, column, points),
					      d->geometry.column_points);
			}
		}
	}
}

Test(decoder_hesai, a_packet_that_changes_after_it_was_looked_at_does_no_harm)
{
	const struct hesai_model *m = hesai_model_find("XT32");
	uint8_t *copy;
	unsigned int i;

	open_model(m, 1);
	cr_assert_eq(look_at(0), DECODER_POINTS);
	copy = malloc(bytes); /* so that a sanitizer sees a read beyond it */
	memcpy(copy, data, bytes);
	packet.data = copy;
	copy[hesai_tail_offset(m) + m->tail->return_mode] = 0x39;
	for (i = 0; i < packet.column_count; i++)
		cr_expect_leq(d->ops->points(d, &packet, i, points), d->geometry.column_points);
	copy[hesai_tail_offset(m) + m->tail->return_mode] = 0x3d;
	cr_expect_eq(d->ops->points(d, &packet, 0, points), 0);
	memset(copy, 0xff, bytes);
	for (i = 0; i < packet.column_count; i++)
		cr_expect_leq(d->ops->points(d, &packet, i, points), d->geometry.column_points);
	free(copy);
}

/* --- opening --- */

static int open_sensor(const char *model, const char *calibration, const char *path)
{
	struct decoder_sensor sensor = {
		.name = "front", .model = model, .metadata_path = "", .calibration_path = path,
		.calibration = calibration, .calibration_bytes = calibration ? strlen(calibration) : 0,
	};

	problem.text[0] = '\0';
	return decoder_hesai.open(&sensor, &d, &problem);
}

static void expect_problem(int err, int wanted, const char *what)
{
	cr_expect_eq(err, wanted, "%d", err);
	cr_expect(strstr(problem.text, what), "\"%s\" does not say \"%s\"", problem.text, what);
}

Test(decoder_hesai, opening_needs_a_correction_file)
{
	expect_problem(open_sensor("", NULL, ""), -EINVAL, "decoder = hesai needs calibration = FILE");
	expect_problem(open_sensor("", NULL, NULL), -EINVAL, "decoder = hesai needs calibration = FILE");
	expect_problem(open_sensor("", NULL, "/nonexistent/a.csv"), -ENOENT, "/nonexistent/a.csv");
	expect_problem(open_sensor("", "1,2\n3\n", NULL), -EINVAL, "front:2:");
}

Test(decoder_hesai, a_model_that_is_not_there_is_told_with_those_that_are)
{
	expect_problem(open_sensor("XT64", "1,0,0\n", NULL), -EINVAL,
		       "model = XT64: decoder = hesai has no such model; there is: Pandar40P, Pandar64, ");
}

Test(decoder_hesai, model_and_correction_must_agree)
{
	expect_problem(open_sensor("XT32", "1,0,0\n", NULL), -EINVAL,
		       "model = PandarXT32 has 32 channels, the correction file 1");
	expect_problem(open_sensor("", "1,0,0\n", NULL), -EINVAL,
		       "the correction file has 1 channels, and so has no model");
}

Test(decoder_hesai, contents_of_a_correction_file_are_as_good_as_its_path)
{
	char text[4096];

	hesai_packet_maker_init(&maker, hesai_model_find("QT64"), 2);
	hesai_packet_maker_correction(maker.model, text, sizeof(text));
	make_beams(64);
	cr_assert_eq(open_sensor("QT64", text, NULL), 0, "%s", problem.text);
	expect_packet(0);
}

Test(decoder_hesai, is_found_by_name)
{
	struct decoder_sensor sensor = { .name = "front", .model = "", .metadata_path = "" };
	const struct decoder_ops *ops = NULL;

	cr_expect_eq(decoder_choose("hesai", &sensor, &ops, &problem), 0);
	cr_expect_eq(ops, &decoder_hesai);
	sensor.model = "Pandar XT-32";
	cr_expect_eq(decoder_choose("auto", &sensor, &ops, &problem), 0);
	cr_expect_eq(ops, &decoder_hesai);
	sensor.model = "Helios-16P";
	cr_expect_eq(decoder_choose("auto", &sensor, &ops, &problem), 0);
	cr_expect_eq(ops, &decoder_robosense);
	cr_expect_null(decoder_hesai.free(NULL));
}
