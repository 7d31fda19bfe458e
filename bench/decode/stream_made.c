/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_made.c - packets of sensors that are not there
 *
 * Of the same makers as the decoders' tests.  They turn evenly and lose
 * nothing; where a real one sees sky, a column in seven or eight is empty.
 */
#include "bench/decode/stream.h"

#include <errno.h>
#include <string.h>

#include "bench/packets/hesai_packet_maker.h"
#include "bench/packets/ouster_packet.h"
#include "bench/packets/robosense_packet_maker.h"
#include "bench/packets/velodyne_packet.h"
#include "common/clock.h"
#include "decoder/decoder_ouster.h"
#include "decoder/decoder_robosense.h"

/** Enough for a turn of each, and little enough for a cache: a packet comes out of one. */
#define STREAM_BYTES (2u << 20)

#define OUSTER_BEAMS 128
#define OUSTER_COLUMNS 1024
#define OUSTER_TURN_NS (NSEC_PER_SEC / 10)

/* --- Ouster --- */

static void set_if_there(const struct ouster_layout *l, uint8_t *packet, const char *name,
			 unsigned int column, unsigned int pixel, uint64_t value)
{
	if (ouster_packet_has(l, name))
		ouster_packet_set(l, packet, name, column, pixel, value);
}

/* A street: every beam sees something, but for the sky in every eighth column. */
static void put_pixels(const struct ouster_layout *l, uint8_t *packet, uint32_t place)
{
	unsigned int i, beam;

	for (i = 0; i < l->columns; i++)
		for (beam = 0; beam < l->pixels; beam++) {
			const uint32_t number = place * l->columns + i;
			const uint32_t range = number % 8 == 7 ? 0 : 500 + 3 * beam + number % 64;

			ouster_packet_set(l, packet, "RANGE", i, beam, range);
			ouster_packet_set(l, packet, "REFLECTIVITY", i, beam, beam);
			set_if_there(l, packet, "RANGE2", i, beam, range ? range + 9 : 0);
			set_if_there(l, packet, "REFLECTIVITY2", i, beam, beam + 1);
			set_if_there(l, packet, "SIGNAL", i, beam, 100 + beam);
			set_if_there(l, packet, "NEAR_IR", i, beam, 20 + beam);
		}
	ouster_packet_seal(l, packet);
}

static void make_turn(const struct ouster_layout *l, uint32_t frame, struct stream *s)
{
	static uint8_t packet[OUSTER_PACKET_BYTES_MAX];
	uint32_t place;

	for (place = 0; place < OUSTER_COLUMNS / l->columns; place++) {
		ouster_packet_fill(l, packet, frame, place);
		put_pixels(l, packet, place);
		stream_add(s, packet, l->packet_bytes);
	}
	s->span_ns += OUSTER_TURN_NS;
}

static int make_ouster(const char *profile, struct stream *s, struct problem *problem)
{
	static struct ouster_metadata m;
	struct ouster_layout layout;
	const struct ouster_profile *p = ouster_profile_find(profile);
	unsigned int i;

	if (!p)
		return problem_set(problem, -EINVAL, "no profile %s", profile);
	ouster_packet_sensor(&m, p);
	m.columns_per_frame = OUSTER_COLUMNS;
	m.pixels_per_column = OUSTER_BEAMS;
	m.window_last = OUSTER_COLUMNS - 1;
	m.beam_origin_x_mm = 27.67;
	for (i = 0; i < OUSTER_BEAMS; i++)
		m.altitude_deg[i] = 45 - 90.0 * i / OUSTER_BEAMS;
	ouster_layout_init(&layout, p, m.columns_per_packet, m.pixels_per_column);
	for (i = 0; stream_get_bytes(s) < STREAM_BYTES; i++)
		make_turn(&layout, i, s);
	return decoder_ouster_new(&m, &s->decoder, problem);
}

/* --- the others --- */

static int make_velodyne(const char *model, unsigned int returns, struct stream *s,
			 struct problem *problem)
{
	struct velodyne_sensor made = {
		.model = velodyne_model_find(model),
		.returns = returns,
		.step_cdeg = 20,
	};
	struct decoder_sensor sensor = { .name = "bench", .model = model };
	uint8_t packet[VELODYNE_PACKET_BYTES];
	static char calibration[32768];

	if (!made.model)
		return problem_set(problem, -EINVAL, "no model %s", model);
	sensor.calibration = calibration;
	sensor.calibration_bytes = velodyne_packet_calibration(made.model->lasers, calibration,
							       sizeof(calibration));
	while (stream_get_bytes(s) < STREAM_BYTES) {
		velodyne_packet_next(&made, packet);
		stream_add(s, packet, sizeof(packet));
	}
	s->span_ns = s->count * velodyne_packet_ns(&made);
	return decoder_velodyne.open(&sensor, &s->decoder, problem);
}

static int make_hesai(const char *model, unsigned int returns, struct stream *s,
		      struct problem *problem)
{
	const struct hesai_model *m = hesai_model_find(model);
	struct decoder_sensor sensor = { .name = "bench", .model = model };
	uint8_t packet[HESAI_PACKET_BYTES_MAX];
	static char calibration[8192];
	struct hesai_packet_maker maker;
	uint64_t n;

	if (!m)
		return problem_set(problem, -EINVAL, "no model %s", model);
	hesai_packet_maker_init(&maker, m, returns);
	sensor.calibration = calibration;
	sensor.calibration_bytes = hesai_packet_maker_correction(m, calibration, sizeof(calibration));
	for (n = 0; stream_get_bytes(s) < STREAM_BYTES; n++)
		stream_add(s, packet, hesai_packet_maker_fill(&maker, n, packet));
	s->span_ns = s->count * hesai_packet_maker_columns(&maker) * maker.column_ns;
	return decoder_hesai.open(&sensor, &s->decoder, problem);
}

static int make_robosense(const char *model, unsigned int returns, struct stream *s,
			  struct problem *problem)
{
	static struct decoder_packet looked;
	uint8_t packet[ROBOSENSE_PACKET_BYTES];
	struct beam_table beams = { .beams = ROBOSENSE_MAKER_BEAMS };
	uint64_t n;
	int err;

	for (n = 0; n < ROBOSENSE_MAKER_BEAMS; n++)
		beams.elevation_deg[n] = 15 - 2.0 * (double)n;
	err = decoder_robosense_new(model, &beams, 0, &s->decoder, problem);
	if (err < 0)
		return err;
	for (n = 0; stream_get_bytes(s) < STREAM_BYTES; n++) {
		robosense_maker_fill(returns, n, ROBOSENSE_MAKER_BEGIN_NS, packet);
		stream_add(s, packet, sizeof(packet));
	}
	s->span_ns = s->count * ROBOSENSE_BLOCKS * robosense_maker_block_ns(returns);
	robosense_maker_fill_difop(returns == 2 ? 0 : 4, packet);
	s->decoder->ops->look(s->decoder, packet, sizeof(packet), &looked);
	return 0;
}

int stream_make(const char *decoder, const char *model, unsigned int returns, struct stream *ret,
		struct problem *problem)
{
	struct stream s = { 0 };
	int err = -EINVAL;

	if (strcmp(decoder, "ouster") == 0)
		err = make_ouster(model, &s, problem);
	else if (strcmp(decoder, "velodyne") == 0)
		err = make_velodyne(model, returns, &s, problem);
	else if (strcmp(decoder, "hesai") == 0)
		err = make_hesai(model, returns, &s, problem);
	else if (strcmp(decoder, "robosense") == 0)
		err = make_robosense(model, returns, &s, problem);
	else
		problem_set(problem, err, "no decoder %s", decoder);
	if (err < 0)
		stream_deinit(&s);
	else
		*ret = s;
	return err;
}
