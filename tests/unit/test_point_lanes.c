/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decoders make of four beams at a time, against the same arithmetic
 * written out for one point: equal to the bit, whatever a packet holds, and
 * nothing written beyond the room of a column.
 *
 * Packets are of the makers, their measurements by lot, a third of them none.
 */
#include "decoder/point_lanes.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/packets/hesai_packet_maker.h"
#include "bench/packets/ouster_packet.h"
#include "bench/packets/robosense_packet_maker.h"
#include "bench/packets/velodyne_packet.h"
#include "decoder/decoder_hesai.h"
#include "decoder/decoder_ouster.h"
#include "decoder/decoder_robosense.h"
#include "decoder/turn_table.h"

#define PACKETS 20
#define GUARD 0xa5

typedef struct lidard_point_xyzirt point_t;

static struct decoder *d;
static struct decoder_packet packet;
static struct problem problem;
static struct turn_table turns;
static uint8_t data[OUSTER_PACKET_BYTES_MAX];
/** The same in memory that ends where the packet does. */
static uint8_t *exact;
static point_t wanted[DECODER_COLUMN_POINTS_MAX];
static uint32_t wanted_count;

static void setup(void)
{
	turn_table_init(&turns);
	srand(1);
}

static void teardown(void)
{
	d = d ? d->ops->free(d) : NULL;
	free(exact);
	exact = NULL;
}

TestSuite(point_lanes, .init = setup, .fini = teardown);

/* Measurements of 3 or 4 bytes: distance and reflectivity; often as the first return, or nearly so. */
static void put_lots(uint8_t *at, unsigned int count, unsigned int stride, const uint8_t *first)
{
	unsigned int i;

	for (i = 0; i < count; i++, at += stride) {
		at[0] = (uint8_t)rand();
		at[1] = (uint8_t)rand();
		at[2] = (uint8_t)rand();
		if (rand() % 3 == 0)
			at[0] = at[1] = 0;
		if (first && rand() % 4)
			memcpy(at, first + i * stride, rand() % 2 + 2u);
	}
}

static void look_or_fail(size_t bytes)
{
	free(exact);
	exact = malloc(bytes);
	memcpy(exact, data, bytes);
	cr_assert_eq(d->ops->look(d, exact, bytes, &packet), DECODER_POINTS);
}

static void want(const point_t *p)
{
	cr_assert_lt(wanted_count, DECODER_COLUMN_POINTS_MAX);
	if (p->range > 0)
		wanted[wanted_count++] = *p;
}

/* Room for a column and no more: a checker of memory sees what is beyond, and so does the guard. */
static void expect_column(unsigned int index)
{
	const size_t room = d->geometry.column_points * sizeof(point_t);
	uint8_t *memory = malloc(room + sizeof(point_t));
	uint32_t count, i;

	memset(memory, GUARD, room + sizeof(point_t));
	count = d->ops->points(d, &packet, index, (void *)memory);
	cr_assert_eq(count, wanted_count, "column %u: %u points, not %u", index, count, wanted_count);
	for (i = 0; i < count; i++)
		cr_assert_arr_eq(memory + i * sizeof(point_t), &wanted[i], sizeof(point_t),
				 "column %u, point %u", index, i);
	for (i = 0; i < sizeof(point_t); i++)
		cr_assert_eq(memory[room + i], GUARD, "column %u writes beyond its room", index);
	free(memory);
	wanted_count = 0;
}

static uint8_t repeated(const uint8_t *a, const uint8_t *b)
{
	return a != b && memcmp(a, b, 3) == 0 ? LIDARD_POINT_REPEATED : 0;
}

/* --- Hesai --- */

static void want_hesai(const struct hesai_model *m, const struct beam_table *t, unsigned int block,
		       unsigned int channel, unsigned int k)
{
	const uint8_t *at = data + hesai_block_offset(m, block + k) + hesai_block_header_bytes(m) +
			    channel * m->channel_bytes;
	const double e = t->elevation_deg[channel] * (M_PI / 180);
	const double o = t->azimuth_deg[channel] * (M_PI / 180);
	const float ahead = (float)(cos(e) * cos(o)), aside = (float)(cos(e) * sin(o));
	const struct turn turn = turns.at[hesai_block_azimuth(m, data, block + k) % 36000];
	const float range = (float)(at[0] | at[1] << 8) * (4 * 0.001f);

	want(&(point_t){
		.x = range * (turn.sin * ahead + turn.cos * aside),
		.y = range * (turn.cos * ahead - turn.sin * aside),
		.z = range * (float)sin(e),
		.intensity = at[2],
		.range = range,
		.time_offset_ns = hesai_beam_time_ns(m, channel),
		.ring = (uint16_t)channel,
		.return_number = (uint8_t)(k + 1),
		.flags = repeated(at, at - k * hesai_block_bytes(m)),
	});
}

static void expect_hesai(const struct hesai_model *m, unsigned int returns)
{
	const unsigned int block_bytes = hesai_block_bytes(m);
	struct hesai_packet_maker maker;
	struct beam_table t = { .beams = m->channels };
	unsigned int n, i, k;
	size_t bytes;

	for (i = 0; i < m->channels; i++) {
		t.elevation_deg[i] = 20 - 0.25 * i;
		t.azimuth_deg[i] = i % 4 - 1.5;
	}
	cr_assert_eq(decoder_hesai_new(m->name, &t, 0, &d, &problem), 0, "%s", problem.text);
	hesai_packet_maker_init(&maker, m, returns);
	for (n = 0; n < PACKETS; n++) {
		bytes = hesai_packet_maker_fill(&maker, n, data);
		for (i = 0; i < m->blocks; i++) {
			uint8_t *at = data + hesai_block_offset(m, i) + hesai_block_header_bytes(m);

			put_lots(at, m->channels, m->channel_bytes,
				 i % returns ? at - i % returns * block_bytes : NULL);
		}
		look_or_fail(bytes);
		for (i = 0; i < packet.column_count; i++) {
			for (k = 0; k < m->channels * returns; k++)
				want_hesai(m, &t, i * returns, k / returns, k % returns);
			expect_column(i);
		}
	}
	teardown();
}

Test(point_lanes, hesai_is_as_one_point_at_a_time)
{
	unsigned int i, returns;

	for (i = 0; i < hesai_model_count; i++)
		for (returns = 1; returns <= HESAI_RETURNS_MAX; returns++)
			if (hesai_models[i].blocks % returns == 0)
				expect_hesai(&hesai_models[i], returns);
}

/* --- RoboSense --- */

static const uint32_t beam_ns[16] = { 0,     3150,  6300,  9450,  13260, 17080, 20560, 23710,
				      26530, 27770, 31490, 32730, 36460, 38940, 41420, 43910 };

static void want_robosense(const struct beam_table *t, unsigned int returns, unsigned int block,
			   unsigned int channel)
{
	const uint8_t *at = data + 42 + block * 100 + 4 + channel * 3;
	const unsigned int beam = channel % 16, half = channel / 16;
	const uint32_t half_ns = returns == 1 ? ROBOSENSE_MAKER_FIRING_NS : 0;
	const uint32_t time_ns = beam_ns[beam] + half * half_ns;
	const double e = t->elevation_deg[beam] * (M_PI / 180), o = t->azimuth_deg[beam] * (M_PI / 180);
	const float ahead = (float)(cos(e) * cos(o)), aside = (float)(cos(e) * sin(o));
	const float step = (float)(robosense_maker_step_cdeg(returns) * (M_PI / 18000));
	const float rad = (float)time_ns * (step / (float)(ROBOSENSE_MAKER_FIRING_NS + half_ns));
	const float s = rad - rad * rad * rad * (1 / 6.0f), c = 1 - rad * rad * 0.5f;
	const struct turn turn = turns.at[at[-(int)channel * 3 - 2] << 8 | at[-(int)channel * 3 - 1]];
	const float sine = turn.sin * c + turn.cos * s, cosine = turn.cos * c - turn.sin * s;
	const float range = (float)(at[0] << 8 | at[1]) * (2.5f * 0.001f), lens = 0.03498f;

	want(&(point_t){
		.x = range * (cosine * ahead - sine * aside) + lens * cosine,
		.y = -(range * (sine * ahead + cosine * aside) + lens * sine),
		.z = range * (float)sin(e),
		.intensity = at[2],
		.range = range,
		.time_offset_ns = time_ns,
		.ring = (uint16_t)beam,
		.return_number = returns == 2 && half ? 2 : 1,
		.flags = returns == 2 && half ? repeated(at, at - 48) : 0,
	});
}

static void expect_robosense(unsigned int returns)
{
	struct beam_table t = { .beams = 16 };
	unsigned int n, i, k;

	for (i = 0; i < 16; i++) {
		t.elevation_deg[i] = 15 - 2.0 * i;
		t.azimuth_deg[i] = i % 2 ? 3.6 : -4;
	}
	cr_assert_eq(decoder_robosense_new("", &t, 0, &d, &problem), 0, "%s", problem.text);
	robosense_maker_fill_difop(returns == 2 ? 0 : 4, data);
	d->ops->look(d, data, ROBOSENSE_PACKET_BYTES, &packet);
	for (n = 0; n < PACKETS; n++) {
		robosense_maker_fill(returns, n, ROBOSENSE_MAKER_BEGIN_NS, data);
		for (i = 0; i < ROBOSENSE_BLOCKS; i++) {
			uint8_t *at = data + 42 + i * 100 + 4;

			put_lots(at, 16, 3, NULL);
			put_lots(at + 48, 16, 3, at);
		}
		look_or_fail(ROBOSENSE_PACKET_BYTES);
		for (i = 0; i < ROBOSENSE_BLOCKS; i++) {
			for (k = 0; k < 32; k++)
				want_robosense(&t, returns, i, k);
			expect_column(i);
		}
	}
	teardown();
}

Test(point_lanes, robosense_is_as_one_point_at_a_time)
{
	expect_robosense(1);
	expect_robosense(2);
}

/* --- Velodyne --- */

static void want_velodyne(const struct velodyne_sensor *s, unsigned int column, unsigned int i,
			  unsigned int k)
{
	const struct velodyne_model *m = s->model;
	const uint8_t *block = data + column * s->returns * 100;
	const uint8_t *first = block + 4 + i * 3, *at = first + k * 100;
	const unsigned int bank = (block[1] == 0xee ? 0 : block[1] == 0xdd ? 1 : block[1] == 0xcc ? 2 : 3);
	const unsigned int slot = bank * VELODYNE_BLOCK_POINTS + i, number = slot % m->lasers;
	const unsigned int firings = m->banks > 1 ? 1 : VELODYNE_BLOCK_POINTS / m->lasers;
	const uint32_t ns = slot / m->lasers * m->firing_ns + velodyne_model_laser_ns(m, number);
	/* as the calibration file has them */
	const double e = (2000 - 30.0 * number) / 1e4, o = (200.0 * (number % 4) - 300) / 1e4;
	const float along = (float)(cos(e) * cos(o)), across = (float)(cos(e) * sin(o));
	const float part = (float)((double)ns / (firings * (double)m->firing_ns));
	const float azimuth = (float)(block[2] | block[3] << 8);
	const float step = (float)(s->step_cdeg * firings);
	const unsigned int place = (unsigned int)(azimuth + step * part + 0.5f) % 36000;
	const float sine = (float)turns.at[place].sin, cosine = (float)turns.at[place].cos;
	const float range = (float)(at[0] | at[1] << 8) * (m->unit_mm * 0.001f);

	want(&(point_t){
		.x = range * (cosine * along + sine * across),
		.y = range * (cosine * across - sine * along),
		.z = range * (float)sin(e),
		.intensity = at[2],
		.range = range,
		.time_offset_ns = ns - velodyne_model_laser_ns(m, bank * VELODYNE_BLOCK_POINTS),
		.ring = (uint16_t)number,
		.return_number = (uint8_t)(k + 1),
		.flags = repeated(at, first),
	});
}

static void expect_velodyne(const struct velodyne_model *m, unsigned int returns)
{
	struct velodyne_sensor s = {
		.model = m, .returns = returns, .step_cdeg = 20, .start_cdeg = 35900,
	};
	static char calibration[32768];
	struct decoder_sensor sensor = { .name = "made", .model = m->name, .calibration = calibration };
	unsigned int n, i, k;

	sensor.calibration_bytes = velodyne_packet_calibration(m->lasers, calibration,
							       sizeof(calibration));
	cr_assert_eq(decoder_velodyne.open(&sensor, &d, &problem), 0, "%s", problem.text);
	for (n = 0; n < PACKETS; n++) {
		velodyne_packet_next(&s, data);
		for (i = 0; i < VELODYNE_PACKET_BLOCKS; i++) {
			uint8_t *at = data + i * 100 + 4;

			put_lots(at, VELODYNE_BLOCK_POINTS, 3, i % returns ? at - 100 : NULL);
		}
		look_or_fail(VELODYNE_PACKET_BYTES);
		for (i = 0; i < packet.column_count; i++) {
			for (k = 0; k < VELODYNE_BLOCK_POINTS * returns; k++)
				want_velodyne(&s, i, k / returns, k % returns);
			expect_column(i);
		}
	}
	teardown();
}

Test(point_lanes, velodyne_is_as_one_point_at_a_time)
{
	unsigned int i;

	for (i = 0; i < velodyne_model_count; i++) {
		expect_velodyne(&velodyne_models[i], 1);
		expect_velodyne(&velodyne_models[i], 2);
	}
}

/* --- Ouster --- */

static uint32_t field(const struct ouster_layout *l, const char *name, unsigned int which,
		      unsigned int column, unsigned int beam)
{
	const struct ouster_field *f;
	char whole[32];

	snprintf(whole, sizeof(whole), "%s%s", name, which ? "2" : "");
	f = ouster_profile_field(l->profile, whole);
	return f ? (uint32_t)ouster_field_get(l, f, data, column, beam) : 0;
}

static void want_ouster(const struct ouster_metadata *m, const struct ouster_layout *l,
			unsigned int column, unsigned int beam, unsigned int k)
{
	const double angle = 2 * M_PI * (1 - (double)packet.columns[column].number /
					 m->columns_per_frame);
	const double altitude = m->altitude_deg[beam] * M_PI / 180;
	const double azimuth = -m->azimuth_deg[beam] * M_PI / 180;
	const float v[] = { (float)(cos(azimuth) * cos(altitude)),
			    (float)(sin(azimuth) * cos(altitude)), (float)sin(altitude) };
	const float range = (float)field(l, "RANGE", k, column, beam) * 0.001f;
	const float along = range - (float)(hypot(m->beam_origin_x_mm, m->beam_origin_z_mm) * 0.001);
	const double *r = m->lidar_to_sensor, c = cos(angle), s = sin(angle);
	float xyz[3];
	unsigned int i;

	for (i = 0; i < 3; i++, r += 4)
		xyz[i] = along * ((float)(r[0] * c + r[1] * s) * v[0] +
				  (float)(r[1] * c - r[0] * s) * v[1] + (float)r[2] * v[2]) +
			 (float)(((r[0] * c + r[1] * s) * m->beam_origin_x_mm +
				  r[2] * m->beam_origin_z_mm + r[3]) * 0.001);
	want(&(point_t){
		.x = xyz[0],
		.y = xyz[1],
		.z = xyz[2],
		.intensity = (float)field(l, "REFLECTIVITY", k, column, beam),
		.range = range,
		.ring = (uint16_t)beam,
		.return_number = (uint8_t)(k + 1),
		.flags = field(l, "FLAGS", k, column, beam) ? LIDARD_POINT_FLAGGED : 0,
		.signal = (uint16_t)field(l, "SIGNAL", k, column, beam),
		.ambient = (uint16_t)field(l, "NEAR_IR", 0, column, beam),
	});
}

static void put_pixels(const struct ouster_layout *l)
{
	unsigned int i, beam, byte;

	for (i = 0; i < l->columns; i++)
		for (beam = 0; beam < l->pixels; beam++) {
			uint8_t *at = data + ouster_field_offset(
				l, ouster_profile_field(l->profile, "RANGE"), i, beam);

			for (byte = 0; byte < l->profile->pixel_bytes; byte++)
				at[byte] = (uint8_t)rand();
			if (rand() % 3 == 0)
				ouster_packet_set(l, data, "RANGE", i, beam, 0);
		}
	ouster_packet_seal(l, data);
}

static void expect_ouster(const struct ouster_profile *p, unsigned int beams)
{
	static struct ouster_metadata m;
	struct ouster_layout l;
	unsigned int n, i, k;

	ouster_packet_sensor(&m, p);
	m.pixels_per_column = beams;
	m.beam_origin_x_mm = 15.8;
	m.beam_origin_z_mm = 3;
	/* no zero that would hide an order of operations */
	for (i = 0; i < 12; i++)
		m.lidar_to_sensor[i] += i % 4 == 3 ? 10 * i : 0.05 + 0.01 * i;
	for (i = 0; i < beams; i++) {
		m.altitude_deg[i] = 20 - 0.3 * i;
		m.azimuth_deg[i] = i % 4 - 1.2;
	}
	ouster_layout_init(&l, p, m.columns_per_packet, beams);
	cr_assert_eq(decoder_ouster_new(&m, &d, &problem), 0, "%s", problem.text);
	for (n = 0; n < m.columns_per_frame / l.columns; n++) {
		ouster_packet_fill(&l, data, 1, n);
		put_pixels(&l);
		look_or_fail(l.packet_bytes);
		for (i = 0; i < packet.column_count; i++) {
			for (k = 0; k < beams * p->returns; k++)
				want_ouster(&m, &l, i, k / p->returns, k % p->returns);
			expect_column(i);
		}
	}
	teardown();
}

Test(point_lanes, ouster_is_as_one_point_at_a_time_with_any_number_of_beams)
{
	static const unsigned int beams[] = { 1, 2, 3, 4, 31, 32 };
	unsigned int i, k;

	for (i = 0; i < ouster_profile_count; i++)
		for (k = 0; k < sizeof(beams) / sizeof(beams[0]); k++)
			expect_ouster(&ouster_profiles[i], beams[k]);
}
