/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder_robosense.c - point packets (MSOP) of RoboSense's rotating sensors
 *
 * A block has one azimuth and 32 channels: with one return two firings of the
 * 16 beams, with two returns both of one firing.  The packet does not say which:
 * the sensor's other packets do (DIFOP, if they come to the same place), and
 * with two returns packets come twice as often, and most returns of a firing
 * are of the same thing.  Either alone proves nothing: a sensor of 32 beams
 * sends as often, and its 16-beam reading is all that can be had of it.
 *
 * Geometry.  Axes are RoboSense's: x forward, y to the left, z up; azimuth 0 is
 * forward, and the head turns clockwise seen from above.  It turns on while
 * the beams fire, so each has its own share of the way to the next block; the
 * lens sits off the axis.  With a the azimuth so corrected, o the beam's own
 * offset, e its elevation and l the lens:
 *
 *     x =   r cos(e) cos(a + o) + l cos(a)
 *     y = -(r cos(e) sin(a + o) + l sin(a))
 *     z =   r sin(e)
 *
 * The turn of a block is in a table, and within a block angles are small enough
 * for two terms of their series: no point takes a sine.
 *
 * One decoder belongs to one thread; points() may run in others as long as the
 * packet lives and look() was not told of another number of returns.
 */
#include "decoder/decoder_robosense.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "decoder/model_name.h"
#include "decoder/point_lanes.h"
#include "decoder/rotation.h"
#include "decoder/time_scale.h"
#include "decoder/turn_table.h"

#define HEADER_BYTES 42
#define BLOCK_BYTES 100
#define BLOCK_HEADER_BYTES 4
#define CHANNELS 32
#define CHANNEL_BYTES 3
#define BEAMS 16

#define RESOLUTION_AT 17
#define SECONDS_AT 20
#define MICROSECONDS_AT 26
#define DIFOP_RETURN_MODE_AT 300
#define DIFOP_SYNC_AT 302

#define TURN_CDEG 36000
/** The slowest that heads turn is 300 a minute; while they gather speed, frames are cut short. */
#define TURNS_PER_S_MIN 4
/** A step further than this is a gap in the field of view. */
#define STEP_MAX_CDEG 300
/** With one return packets are at least so far apart. */
#define SINGLE_PERIOD_MIN_NS 1000000u
/** Distances of the same thing, in the sensor's units: 5 cm. */
#define SAME_UNITS 20
/** Packets that say enough of how many returns they have, half a turn or more, and pairs in them. */
#define GUESS_PACKETS 100
#define GUESS_PAIRS 1000

#define CDEG_TO_RAD (M_PI / 18000)
#define MM_TO_M 0.001f

/** What differs between models. */
struct robosense_model {
	const char *name;
	/** The lens, from the axis. */
	float lens_m;
	/** From one firing to the next. */
	uint32_t firing_ns;
	/** When beams fire, from the first. */
	uint32_t beam_ns[BEAMS];
};

static const struct robosense_model models[] = {
	{ "Helios-16P", 0.03498f, 55560,
	  { 0, 3150, 6300, 9450, 13260, 17080, 20560, 23710, 26530, 27770, 31490, 32730, 36460, 38940,
	    41420, 43910 } },
};

struct beams {
	/** cos(e) cos(o), cos(e) sin(o), sin(e). */
	float ahead[BEAMS];
	float aside[BEAMS];
	float up[BEAMS];
	/** When it fires, from its firing's begin. */
	uint32_t time_ns[BEAMS];
	/** POINT_ID() of its number alone. */
	uint32_t ring[BEAMS];
};

struct decoder_robosense {
	struct decoder base;
	const struct robosense_model *model;
	struct beams beams;
	/** 1, or 2 once that is known. */
	unsigned int returns;
	/** The sensor said so itself, or its packets did. */
	bool returns_told;
	/** Packets that came as often as those with two returns; pairs of returns in them. */
	unsigned int frequent;
	unsigned int pairs;
	unsigned int same;
	uint64_t last_time_ns;
	struct rotation rotation;
	struct rotation_packet rotation_packet;
	struct turn_table turn;
};

static struct decoder *robosense_free(struct decoder *base)
{
	free((struct decoder_robosense *)base);
	return NULL;
}

/* --- opening --- */

static bool robosense_knows(const char *model)
{
	return model_name_equal(model, models[0].name);
}

static int find_model(const char *name, const struct robosense_model **ret_model,
		      struct problem *problem)
{
	*ret_model = &models[0];
	if (!name[0] || robosense_knows(name))
		return 0;
	return problem_set(problem, -EINVAL,
			   "model = %.60s: decoder = robosense has no such model; there is: %s", name,
			   models[0].name);
}

static void make_geometry(struct decoder_robosense *d)
{
	struct decoder_geometry *g = &d->base.geometry;

	g->beams = BEAMS;
	g->column_points = CHANNELS;
	g->packet_columns = ROBOSENSE_BLOCKS;
	/* with two returns a column is one firing */
	g->frame_columns = (uint32_t)NSEC_PER_SEC / d->model->firing_ns / TURNS_PER_S_MIN;
	g->frame_packets = g->frame_columns / ROBOSENSE_BLOCKS + 1;
	g->sensor_clock = LIDARD_CLOCK_UTC;
	g->clock_lock = LIDARD_CLOCK_LOCK_UNKNOWN;
	g->clocks = TIME_CHOICES_OF_DATES;
	snprintf(g->model, sizeof(g->model), "%s", d->model->name);
}

static void make_beams(struct decoder_robosense *d, const struct beam_table *t)
{
	unsigned int i;

	for (i = 0; i < BEAMS; i++) {
		const double e = t->elevation_deg[i] * (M_PI / 180);
		const double o = t->azimuth_deg[i] * (M_PI / 180);

		d->beams.ahead[i] = (float)(cos(e) * cos(o));
		d->beams.aside[i] = (float)(cos(e) * sin(o));
		d->beams.up[i] = (float)sin(e);
		d->beams.time_ns[i] = d->model->beam_ns[i];
		d->beams.ring[i] = POINT_ID(i, 0, 0);
	}
}

int decoder_robosense_new(const char *model, const struct beam_table *beams, double cut_angle_deg,
			  struct decoder **ret_decoder, struct problem *problem)
{
	const struct robosense_model *m;
	struct decoder_robosense *d;
	int err;

	err = find_model(model, &m, problem);
	if (err < 0)
		return err;
	if (beams->beams != BEAMS)
		return problem_set(problem, -EINVAL, "%s has %u channels, the calibration file %u",
				   m->name, BEAMS, beams->beams);
	d = calloc(1, sizeof(*d));
	if (!d)
		return problem_set(problem, -ENOMEM, "no memory for the decoder");
	d->base.ops = &decoder_robosense;
	d->base.rotation = &d->rotation;
	d->model = m;
	d->returns = 1;
	make_geometry(d);
	d->rotation.cut_cdeg = (uint32_t)lround(cut_angle_deg * 100) % TURN_CDEG;
	d->rotation.columns_max = d->base.geometry.frame_columns;
	make_beams(d, beams);
	turn_table_init(&d->turn);
	*ret_decoder = &d->base;
	return 0;
}

static int robosense_check(const struct decoder_sensor *sensor, struct problem *problem)
{
	const struct robosense_model *m;

	if (!sensor->calibration && (!sensor->calibration_path || !sensor->calibration_path[0]))
		return problem_set(problem, -EINVAL,
				   "decoder = robosense needs calibration = FILE, the sensor's angles "
				   "as CSV");
	return find_model(sensor->model, &m, problem);
}

static int robosense_open(const struct decoder_sensor *sensor, struct decoder **ret_decoder,
			  struct problem *problem)
{
	struct beam_table beams;
	int err = robosense_check(sensor, problem);

	if (err == 0)
		err = beam_table_open(sensor, &beams, problem);
	if (err < 0)
		return err;
	return decoder_robosense_new(sensor->model, &beams, sensor->cut_angle_deg, ret_decoder,
				     problem);
}

/* --- looking --- */

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static const uint8_t *block_at(const uint8_t *data, unsigned int block)
{
	return data + HEADER_BYTES + block * BLOCK_BYTES;
}

/* Return: false if it is impossible. */
static bool read_time(const uint8_t *data, uint64_t *ret_ns)
{
	const uint64_t seconds = (uint64_t)get16(data + SECONDS_AT) << 32 | get32(data + SECONDS_AT + 2);
	const uint32_t us = get32(data + MICROSECONDS_AT);

	/* six bytes of seconds could overflow: 2 ** 34 of them are 500 years */
	if (seconds >> 34 || us >= 1000000)
		return false;
	*ret_ns = seconds * NSEC_PER_SEC + us * 1000ull;
	return true;
}

/* 0: not synchronised; 1: by GPS; 2: by PTP. */
static void read_lock(struct decoder_robosense *d, uint8_t sync)
{
	d->base.geometry.clock_lock = sync == 0 ? LIDARD_CLOCK_LOCK_FREE_RUNNING :
				      sync <= 2 ? LIDARD_CLOCK_LOCK_LOCKED :
						  LIDARD_CLOCK_LOCK_UNKNOWN;
}

/* 0: two returns; 4, 5, 6: the strongest, last, first alone. Others are left alone. */
static void read_difop(struct decoder_robosense *d, const uint8_t *data)
{
	const uint8_t mode = data[DIFOP_RETURN_MODE_AT];

	read_lock(d, data[DIFOP_SYNC_AT]);
	if (mode != 0 && (mode < 4 || mode > 6))
		return;
	d->returns = mode == 0 ? 2 : 1;
	d->returns_told = true;
}

static uint32_t distance_at(const uint8_t *data, unsigned int block, unsigned int channel)
{
	return get16(block_at(data, block) + BLOCK_HEADER_BYTES + channel * CHANNEL_BYTES);
}

/* How often is what a beam returned first and second the same thing? */
static void compare_halves(struct decoder_robosense *d, const uint8_t *data)
{
	unsigned int b, c;

	for (b = 0; b < ROBOSENSE_BLOCKS; b++)
		for (c = 0; c < BEAMS; c++) {
			const uint32_t first = distance_at(data, b, c);
			const uint32_t second = distance_at(data, b, c + BEAMS);

			if (!first || !second)
				continue;
			d->pairs++;
			d->same += first + SAME_UNITS >= second && second + SAME_UNITS >= first;
		}
}

/* Decided once: over a good part of a turn, since here or there two beams see the same wall. */
static void guess_returns(struct decoder_robosense *d, const uint8_t *data, uint64_t time_ns)
{
	const uint64_t step_ns = time_ns - d->last_time_ns;

	d->last_time_ns = time_ns;
	/* half of the period is also what packets of two returns cannot be below */
	if (d->returns_told || step_ns >= SINGLE_PERIOD_MIN_NS || step_ns <= SINGLE_PERIOD_MIN_NS / 2)
		return;
	compare_halves(d, data);
	d->frequent++;
	if (d->frequent < GUESS_PACKETS || d->pairs < GUESS_PAIRS)
		return;
	if (2 * d->same >= d->pairs)
		d->returns = 2;
	d->returns_told = true;
}

/* Return: false: impossible blocks. */
static bool list_columns(struct decoder_robosense *d, uint64_t time_ns, struct decoder_packet *p)
{
	const uint32_t column_ns = d->model->firing_ns * (d->returns == 2 ? 1 : 2);
	struct rotation_packet *r = &d->rotation_packet;
	unsigned int i;

	r->column_count = ROBOSENSE_BLOCKS;
	r->time_ns = time_ns;
	r->packet_ns = (uint64_t)column_ns * ROBOSENSE_BLOCKS;
	r->has_sequence = false;
	r->mode = d->returns;
	for (i = 0; i < ROBOSENSE_BLOCKS; i++) {
		const uint8_t *block = block_at(p->data, i);
		const uint32_t azimuth = get16(block + 2);

		if (block[0] != 0xff || block[1] != 0xee || azimuth > TURN_CDEG)
			return false;
		r->azimuth_cdeg[i] = (uint16_t)(azimuth % TURN_CDEG);
		p->columns[i].time_ns = time_ns + (uint64_t)i * column_ns;
	}
	return true;
}

/* Hot path. */
static int robosense_look(struct decoder *base, const void *datagram, size_t bytes,
			  struct decoder_packet *p)
{
	static const uint8_t msop[] = { 0x55, 0xaa, 0x05, 0x5a };
	static const uint8_t difop[] = { 0xa5, 0xff, 0x00, 0x5a, 0x11, 0x11, 0x55, 0x55 };
	struct decoder_robosense *d = (struct decoder_robosense *)base;
	uint64_t time_ns;

	if (bytes != ROBOSENSE_PACKET_BYTES)
		return DECODER_IGNORED;
	if (memcmp(datagram, difop, sizeof(difop)) == 0)
		read_difop(d, datagram);
	if (memcmp(datagram, msop, sizeof(msop)) != 0)
		return DECODER_IGNORED;
	p->data = datagram;
	p->bytes = bytes;
	if (!read_time(datagram, &time_ns))
		return DECODER_BAD;
	guess_returns(d, datagram, time_ns);
	if (!list_columns(d, time_ns, p))
		return DECODER_BAD;
	return rotation_place(&d->rotation, &d->rotation_packet, p);
}

static void robosense_restart(struct decoder *base)
{
	rotation_restart(&((struct decoder_robosense *)base)->rotation);
}

/* --- points --- */

static uint32_t step_after(const uint8_t *data, unsigned int block)
{
	const uint32_t from = get16(block_at(data, block) + 2);
	const uint32_t to = get16(block_at(data, block + 1) + 2);

	return (to + TURN_CDEG - from) % TURN_CDEG;
}

/* How far the head turns until the next block; behind the last one as before it. */
static float step_rad(const uint8_t *data, unsigned int block)
{
	uint32_t step = STEP_MAX_CDEG + 1;

	if (block + 1 < ROBOSENSE_BLOCKS)
		step = step_after(data, block);
	if (step > STEP_MAX_CDEG && block > 0)
		step = step_after(data, block - 1);
	return step > STEP_MAX_CDEG ? 0 : (float)(step * CDEG_TO_RAD);
}

/* What the channels of a block have in common. */
struct column {
	const uint8_t *channels;
	/** At its first firing. */
	struct turn turn;
	float rad_per_ns;
	float unit_m;
	float lens_m;
	/** From the first half of the channels to the second: with one return that is the next
	 *  firing, with two the same one again. */
	uint32_t half_ns;
	unsigned int returns;
};

/* The turn of a block, and a little further. */
POINT_LANES_INLINE void turn_on(const struct turn *t, lanes_f32 rad, lanes_f32 *ret_sin,
				lanes_f32 *ret_cos)
{
	const lanes_f32 s = rad - rad * rad * rad * (1 / 6.0f), c = 1 - rad * rad * 0.5f;

	*ret_sin = t->sin * c + t->cos * s;
	*ret_cos = t->cos * c - t->sin * s;
}

/* Four channels from @i on of half @half. A channel is read as four bytes: more always follow. */
POINT_LANES_INLINE void make_lanes(const struct beams *b, const struct column *c, unsigned int half,
				   unsigned int i, struct point_lanes *ret)
{
	const uint8_t *channel = c->channels + (half * BEAMS + i) * CHANNEL_BYTES;
	const lanes_u32 word = lanes_load_words(channel, CHANNEL_BYTES);
	/* big-endian */
	const lanes_u32 raw = (word >> 8 & 0xff) | (word & 0xff) << 8;
	const lanes_f32 range = lanes_to_f32(raw) * c->unit_m;
	const lanes_f32 ahead = lanes_load_f32(&b->ahead[i]), aside = lanes_load_f32(&b->aside[i]);
	const lanes_u32 time_ns = lanes_load_u32(&b->time_ns[i]) + half * c->half_ns;
	lanes_f32 sine, cosine;

	turn_on(&c->turn, lanes_to_f32(time_ns) * c->rad_per_ns, &sine, &cosine);
	ret->raw = raw;
	ret->range = range;
	ret->x = range * (cosine * ahead - sine * aside) + c->lens_m * cosine;
	ret->y = -(range * (sine * ahead + cosine * aside) + c->lens_m * sine);
	ret->z = range * lanes_load_f32(&b->up[i]);
	ret->intensity = lanes_to_f32(word >> 16 & 0xff);
	ret->time_offset_ns = time_ns;
	ret->id = lanes_load_u32(&b->ring[i]) + POINT_ID(0, 1, 0);
	ret->light = lanes_all_u32(0);
	if (half && c->returns == 2) {
		const lanes_u32 first = lanes_load_words(channel - BEAMS * CHANNEL_BYTES,
							 CHANNEL_BYTES);

		ret->id += POINT_ID(0, 1, 0);
		ret->id |= (lanes_u32)(((word ^ first) & 0xffffff) == 0) &
			   POINT_ID(0, 0, LIDARD_POINT_REPEATED);
	}
}

/* Hot path. */
static uint32_t robosense_points(const struct decoder *base, const struct decoder_packet *packet,
				 unsigned int index, struct lidard_point_xyzirt *points)
{
	const struct decoder_robosense *d = (const struct decoder_robosense *)base;
	const unsigned int block = packet->positions[index];
	const uint8_t *channels = block_at(packet->data, block) + BLOCK_HEADER_BYTES;
	const uint32_t half_ns = d->returns == 1 ? d->model->firing_ns : 0;
	const struct column c = {
		.channels = channels,
		.turn = d->turn.at[get16(channels - 2) % TURN_CDEG],
		.rad_per_ns = step_rad(packet->data, block) / (float)(d->model->firing_ns + half_ns),
		.unit_m = packet->data[RESOLUTION_AT] ? 2.5f * MM_TO_M : 5 * MM_TO_M,
		.lens_m = d->model->lens_m,
		.half_ns = half_ns,
		.returns = d->returns,
	};
	struct lidard_point_xyzirt *at = points;
	unsigned int half, i;

	for (half = 0; half < CHANNELS / BEAMS; half++)
		for (i = 0; i < BEAMS; i += POINT_LANES) {
			struct point_lanes lanes;
			struct point_rows rows;

			make_lanes(&d->beams, &c, half, i, &lanes);
			point_lanes_turn(&lanes, &rows);
			at = point_lanes_store(&rows, 1, POINT_LANES, at);
		}
	return (uint32_t)(at - points);
}

const struct decoder_ops decoder_robosense = {
	.name = "robosense",
	.vendor = "RoboSense",
	.knows = robosense_knows,
	.check = robosense_check,
	.open = robosense_open,
	.free = robosense_free,
	.look = robosense_look,
	.points = robosense_points,
	.restart = robosense_restart,
};
