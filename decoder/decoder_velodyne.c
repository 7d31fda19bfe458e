/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder_velodyne.c - Velodyne's data packets
 *
 * 12 blocks of 100 bytes (flag, azimuth, 32 measurements of 3 bytes), the
 * microseconds past the hour of the first firing, how returns are chosen, and
 * the model.  A column is a block or, where each firing is there with its last
 * and its strongest return, two.  velodyne_model.c has what differs.
 *
 * Model.  The product byte of the first packet tells it, unless the
 * configuration does: there are captures whose byte is wrong.  Where they
 * disagree the configuration is right, and the decoder complains.  Packets
 * whose blocks cannot be of that model are bad.
 *
 * Azimuth.  The lasers of a block fire one after the other while the head
 * turns, so each gets its share of the way to the next firing's azimuth; the
 * last firing of a packet takes the step before.  It is rounded to 0.01
 * degrees, the sensor's own unit, and its sine and cosine come from a table.
 *
 * Time.  Packets do not say which hour it is: the hour in which the stream
 * begins counts as hour 0, and each roll-over adds one.
 *
 * points() changes nothing and may run in other threads as long as the packet
 * lives; everything else belongs to one.
 */
#include "decoder/decoder.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "decoder/metadata_file.h"
#include "decoder/model_name.h"
#include "decoder/point_lanes.h"
#include "decoder/rotation.h"
#include "decoder/time_scale.h"
#include "decoder/velodyne_calibration.h"
#include "decoder/velodyne_model.h"
#include "decoder/velodyne_position.h"

#define PACKET_BYTES 1206
#define BLOCKS 12
#define BLOCK_BYTES 100
#define BLOCK_HEADER_BYTES 4
#define MEASUREMENT_BYTES 3
#define TIME_AT 1200
#define RETURNS_AT 1204
#define PRODUCT_AT 1205
#define RETURNS_MAX 2

#define HOUR_US 3600000000u
/** A leap second makes the hour longer. */
#define TIME_MAX_US (HOUR_US + 1000000u)
#define CALIBRATION_BYTES_MAX (512u * 1024u)
/** The slowest turn, of 300 a minute, with something to spare. */
#define TURN_MAX_NS (60 * NSEC_PER_SEC / 270)
/** A step further than this leads over a part of the turn where the sensor is silent. */
#define STEP_MAX_CDEG 300
#define TURN_CDEG ROTATION_TURN_CDEG

/* In the order of their flags FF EE, FF DD, FF CC, FF BB. */
static const uint16_t bank_flags[VELODYNE_BANKS_MAX] = { 0xeeff, 0xddff, 0xccff, 0xbbff };

/* How a block's measurements become points. */
struct lasers {
	/* cos(elevation) times cos and sin of the laser's offset; sin(elevation) */
	float along[VELODYNE_BLOCK_POINTS];
	float across[VELODYNE_BLOCK_POINTS];
	float up[VELODYNE_BLOCK_POINTS];
	/** When it fires, as a part of a block's time (of the firing's, with banks)... */
	float part[VELODYNE_BLOCK_POINTS];
	/** ...and after the block's first laser. */
	uint32_t time_ns[VELODYNE_BLOCK_POINTS];
	/** POINT_ID() of its number alone. */
	uint32_t ring[VELODYNE_BLOCK_POINTS];
};

struct decoder_velodyne {
	struct decoder base;
	struct rotation rotation;
	/** NULL until a packet tells. */
	const struct velodyne_model *model;
	/** The configuration told it. */
	bool model_is_given;
	bool begun;
	/** count is 0: there is none. */
	struct velodyne_calibration calibration;
	struct lasers lasers[VELODYNE_BANKS_MAX];
	/** Of each 0.01 degrees; the cosine stands a quarter further on. */
	float sine[TURN_CDEG + TURN_CDEG / 4];
};

static struct decoder *velodyne_free(struct decoder *base)
{
	free(base);
	return NULL;
}

/* --- models --- */

static uint32_t columns_of_turn(const struct velodyne_model *m)
{
	return (uint32_t)(TURN_MAX_NS * BLOCKS / m->packet_ns);
}

static unsigned int firings_of_block(const struct velodyne_model *m)
{
	return m->banks > 1 ? 1 : VELODYNE_BLOCK_POINTS / m->lasers;
}

/* When a bank's first laser fires, after its firing's begin. */
static uint32_t bank_ns(const struct velodyne_model *m, unsigned int bank)
{
	return velodyne_model_laser_ns(m, bank * VELODYNE_BLOCK_POINTS);
}

static void make_laser(const struct decoder_velodyne *d, unsigned int bank, unsigned int i,
		       struct lasers *ret)
{
	const struct velodyne_model *m = d->model;
	unsigned int slot = bank * VELODYNE_BLOCK_POINTS + i;
	unsigned int number = slot % m->lasers, firing = slot / m->lasers;
	uint32_t time_ns = firing * m->firing_ns + velodyne_model_laser_ns(m, number);
	double elevation, offset = 0;

	if (d->calibration.count) {
		elevation = d->calibration.lasers[number].elevation_rad;
		offset = d->calibration.lasers[number].offset_rad;
	} else {
		elevation = m->elevation_cdeg[number] * M_PI / (TURN_CDEG / 2);
	}
	ret->along[i] = (float)(cos(elevation) * cos(offset));
	ret->across[i] = (float)(cos(elevation) * sin(offset));
	ret->up[i] = (float)sin(elevation);
	ret->part[i] = (float)((double)time_ns / (firings_of_block(m) * (double)m->firing_ns));
	ret->time_ns[i] = time_ns - bank_ns(m, bank);
	ret->ring[i] = POINT_ID(number, 0, 0);
}

/* Return: -EINVAL if lasers and calibration do not fit. */
static int set_model(struct decoder_velodyne *d, const struct velodyne_model *m,
		     struct problem *problem)
{
	unsigned int bank, i;

	if (!d->calibration.count && !m->elevation_cdeg)
		return problem_set(problem, -EINVAL,
				   "a %s needs calibration = FILE, the YAML file with its lasers' "
				   "angles", m->name);
	if (d->calibration.count && d->calibration.count != m->lasers)
		return problem_set(problem, -EINVAL,
				   "a %s has %u lasers, the calibration file has %u", m->name,
				   m->lasers, d->calibration.count);
	if (d->base.geometry.frame_columns && columns_of_turn(m) > d->base.geometry.frame_columns)
		return problem_set(problem, -EINVAL,
				   "a turn of a %s can have %u columns, a frame of so small slices %u: "
				   "raise slice_bytes", m->name, columns_of_turn(m),
				   d->base.geometry.frame_columns);
	d->model = m;
	d->rotation.columns_max = columns_of_turn(m);
	for (bank = 0; bank < m->banks; bank++)
		for (i = 0; i < VELODYNE_BLOCK_POINTS; i++)
			make_laser(d, bank, i, &d->lasers[bank]);
	snprintf(d->base.geometry.model, sizeof(d->base.geometry.model), "%s", m->name);
	d->base.geometry.beams = m->lasers;
	return 0;
}

/* --- opening --- */

static bool velodyne_knows(const char *model)
{
	return velodyne_model_find(model) != NULL;
}

static bool has_calibration(const struct decoder_sensor *sensor)
{
	return sensor->calibration || (sensor->calibration_path && sensor->calibration_path[0]);
}

static int velodyne_check(const struct decoder_sensor *sensor, struct problem *problem)
{
	const struct velodyne_model *m = velodyne_model_find(sensor->model);
	char names[128];

	velodyne_model_list(names, sizeof(names));
	if (sensor->model[0] && !m)
		return problem_set(problem, -EINVAL, "model = %s: Velodyne's are %s", sensor->model,
				   names);
	if (m && !m->elevation_cdeg && !has_calibration(sensor))
		return problem_set(problem, -EINVAL,
				   "model = %s needs calibration = FILE, the YAML file with its lasers' "
				   "angles", m->name);
	return 0;
}

static int read_calibration(const struct decoder_sensor *sensor, struct decoder_velodyne *d,
			    struct problem *problem)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t bytes;
	int e;

	if (!has_calibration(sensor))
		return 0;
	if (sensor->calibration)
		return velodyne_calibration_parse(sensor->name, sensor->calibration,
						  sensor->calibration_bytes, &d->calibration, problem);
	e = metadata_file_read(sensor->calibration_path, CALIBRATION_BYTES_MAX, &text, &bytes, problem);
	if (e < 0)
		return e;
	return velodyne_calibration_parse(sensor->calibration_path, text, bytes, &d->calibration,
					  problem);
}

/* Until the model is known, a turn may have as many columns as any model's. */
static void make_geometry(struct decoder_velodyne *d)
{
	struct decoder_geometry *g = &d->base.geometry;
	unsigned int i;

	g->column_points = VELODYNE_BLOCK_POINTS * RETURNS_MAX;
	g->packet_columns = BLOCKS;
	/* microseconds of an hour, and nobody says of which */
	g->sensor_clock = LIDARD_CLOCK_HOUR;
	g->clock_lock = LIDARD_CLOCK_LOCK_UNKNOWN;
	g->clocks = TIME_CHOICES(TIME_CHOICE_HOUR) | TIME_CHOICES(TIME_CHOICE_GPS);
	for (i = 0; i < velodyne_model_count; i++) {
		uint32_t columns = columns_of_turn(d->model ? d->model : &velodyne_models[i]);

		if (columns > g->frame_columns)
			g->frame_columns = columns;
	}
	g->frame_packets = g->frame_columns / (BLOCKS / RETURNS_MAX) + 1;
	d->base.rotation = &d->rotation;
}

static void make_sine(float sine[TURN_CDEG + TURN_CDEG / 4])
{
	const unsigned int quarter = TURN_CDEG / 4;
	unsigned int i;

	for (i = 0; i <= quarter; i++) {
		sine[i] = (float)sin(i * M_PI / (2 * quarter));
		sine[2 * quarter - i] = sine[i];
	}
	for (i = 2 * quarter; i < 5 * quarter; i++)
		sine[i] = -sine[i - 2 * quarter];
}

static void cleanup_velodyne(struct decoder_velodyne **d)
{
	free(*d);
}

static int velodyne_open(const struct decoder_sensor *sensor, struct decoder **ret_decoder,
			 struct problem *problem)
{
	CLEANUP(cleanup_velodyne) struct decoder_velodyne *d = NULL;
	int e;

	e = velodyne_check(sensor, problem);
	if (e < 0)
		return e;
	d = calloc(1, sizeof(*d));
	if (!d)
		return problem_set(problem, -ENOMEM, "no memory for the decoder");
	d->base.ops = &decoder_velodyne;
	e = read_calibration(sensor, d, problem);
	if (e == 0 && sensor->model[0])
		e = set_model(d, velodyne_model_find(sensor->model), problem);
	if (e < 0)
		return e;
	d->model_is_given = d->model;
	d->rotation.cut_cdeg = (uint32_t)lround(sensor->cut_angle_deg * 100) % TURN_CDEG;
	make_geometry(d);
	make_sine(d->sine);
	*ret_decoder = &STEAL(d)->base;
	return 0;
}

/* --- packets --- */

static uint16_t get_u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/* Return: how many returns of a firing the packet holds; 0: it does not say. */
static unsigned int count_returns(const uint8_t *data)
{
	switch (data[RETURNS_AT]) {
	case 0x37: /* the strongest */
	case 0x38: /* the last */
	case 0x00: /* firmware that had no choice */
		return 1;
	case 0x39:
		return 2;
	}
	return 0;
}

static const uint8_t *block_of(const uint8_t *data, unsigned int returns, unsigned int column)
{
	return data + column * returns * BLOCK_BYTES;
}

static unsigned int bank_of(const uint8_t *block)
{
	unsigned int bank;

	for (bank = 0; bank < VELODYNE_BANKS_MAX && get_u16(block) != bank_flags[bank]; bank++)
		;
	return bank;
}

/* Blocks must be as the model sends them. */
static bool blocks_fit(const struct velodyne_model *m, const uint8_t *data, unsigned int returns)
{
	unsigned int i, bank, first = bank_of(data);

	for (i = 0; i < BLOCKS; i++, data += BLOCK_BYTES) {
		bank = bank_of(data);
		if (bank >= m->banks || bank != (first + i / returns) % m->banks)
			return false;
	}
	return true;
}

/* Sets base.complaint, which is shown once. */
#define COMPLAIN(d, ...) problem_set(&(d)->base.complaint, DECODER_BAD, __VA_ARGS__)

/* Return: DECODER_POINTS; DECODER_BAD. */
static int learn_model(struct decoder_velodyne *d, uint8_t product)
{
	const struct velodyne_model *m = velodyne_model_of_product(product);
	struct problem problem;

	if (!m)
		return COMPLAIN(d, "packets are of product 0x%02x, which is no model known here; name "
				"the model it is like with model = NAME", product);
	if (set_model(d, m, &problem) < 0)
		return COMPLAIN(d, "packets are of a %s: %.300s", m->name, problem.text);
	return DECODER_POINTS;
}

static int check_model(struct decoder_velodyne *d, const uint8_t *data)
{
	const uint8_t product = data[PRODUCT_AT];
	const struct velodyne_model *m;

	if (!d->model)
		return learn_model(d, product);
	if (product == d->model->product)
		return DECODER_POINTS;
	if (!d->model_is_given)
		return DECODER_IGNORED;
	m = velodyne_model_of_product(product);
	if (m && !d->base.complaint.text[0])
		COMPLAIN(d, "packets say that they are of a %s; they are decoded as of a %s, as "
			 "model = says", m->name, d->model->name);
	return DECODER_POINTS;
}

/* Counted on from the newest packet; an hour goes by unnoticed. */
static uint64_t unwrap_time(const struct decoder_velodyne *d, uint32_t time_us)
{
	uint64_t newest_us = d->rotation.time_ns / NSEC_PER_USEC;
	uint64_t ahead_us = (time_us + (uint64_t)HOUR_US - newest_us % HOUR_US) % HOUR_US;

	if (!d->begun)
		return time_us * (uint64_t)NSEC_PER_USEC;
	if (ahead_us < HOUR_US / 2)
		return (newest_us + ahead_us) * NSEC_PER_USEC;
	/* before the first hour: much too late */
	if (newest_us < HOUR_US - ahead_us)
		return 0;
	return (newest_us + ahead_us - HOUR_US) * NSEC_PER_USEC;
}

/* Times of the columns, and what the rotation wants to know. */
static void list_columns(const struct decoder_velodyne *d, unsigned int returns,
			 struct decoder_packet *p, struct rotation_packet *in)
{
	const struct velodyne_model *m = d->model;
	const uint32_t block_ns = m->firing_ns * firings_of_block(m);
	const unsigned int lead = bank_of(p->data);
	unsigned int i;

	for (i = 0; i < in->column_count; i++) {
		unsigned int bank = (lead + i) % m->banks, firing = (lead + i) / m->banks;

		in->azimuth_cdeg[i] = get_u16(block_of(p->data, returns, i) + 2);
		p->columns[i].time_ns = in->time_ns + firing * block_ns + bank_ns(m, bank) -
					bank_ns(m, lead);
	}
}

/* Hot path. */
static int velodyne_look(struct decoder *base, const void *datagram, size_t bytes,
			 struct decoder_packet *p)
{
	struct decoder_velodyne *d = (struct decoder_velodyne *)base;
	struct rotation_packet in;
	unsigned int returns;
	uint32_t time_us;
	int result;

	if (bytes == VELODYNE_POSITION_BYTES) {
		d->base.geometry.clock_lock = velodyne_position_get_lock(datagram);
		return DECODER_SIDE;
	}
	if (bytes != PACKET_BYTES)
		return DECODER_IGNORED;
	p->data = datagram;
	p->bytes = bytes;
	if (bank_of(p->data) == VELODYNE_BANKS_MAX)
		return DECODER_IGNORED;
	result = check_model(d, p->data);
	if (result != DECODER_POINTS)
		return result;
	returns = count_returns(p->data);
	if (!returns)
		return COMPLAIN(d, "packets say return mode 0x%02x; 0x37, 0x38 and 0x39 are known",
				p->data[RETURNS_AT]);
	if (!blocks_fit(d->model, p->data, returns))
		return COMPLAIN(d, "packets have blocks that a %s does not send: is model = right?",
				d->model->name);
	time_us = get_u32(p->data + TIME_AT);
	if (time_us >= TIME_MAX_US)
		return DECODER_BAD;
	in.time_ns = unwrap_time(d, time_us);
	in.packet_ns = d->model->packet_ns / returns;
	in.has_sequence = false;
	in.sequence = 0;
	in.mode = returns;
	in.column_count = BLOCKS / returns;
	list_columns(d, returns, p, &in);
	d->begun = true;
	return rotation_place(&d->rotation, &in, p);
}

/*
 * What an HDL-32E's accelerometers and gyroscopes measure is left alone: nothing at hand says
 * for certain which way their axes point.
 */
static int velodyne_side(const struct decoder *base, const void *datagram, size_t bytes,
			 struct decoder_side *ret_side)
{
	const struct decoder_velodyne *d = (const struct decoder_velodyne *)base;
	uint32_t time_us;

	if (bytes != VELODYNE_POSITION_BYTES)
		return DECODER_IGNORED;
	*ret_side = (struct decoder_side){ .has_position = true };
	if (velodyne_position_read(datagram, &ret_side->position, &time_us) < 0)
		return DECODER_BAD;
	ret_side->position.time_ns = unwrap_time(d, time_us);
	ret_side->position.flags |= LIDARD_POSITION_TIME_VALID;
	return DECODER_SIDE;
}

static void velodyne_restart(struct decoder *base)
{
	struct decoder_velodyne *d = (struct decoder_velodyne *)base;

	rotation_restart(&d->rotation);
	d->begun = false;
}

/* --- points --- */

static int32_t step_between(const uint8_t *data, unsigned int returns, unsigned int from,
			    unsigned int to)
{
	int32_t a = get_u16(block_of(data, returns, from) + 2);
	int32_t b = get_u16(block_of(data, returns, to) + 2);
	int32_t step = (b - a + TURN_CDEG) % TURN_CDEG;

	return step < STEP_MAX_CDEG ? step : -1;
}

/*
 * How far the head turns from this column's firing to the next one; within a firing, all
 * banks bear the same azimuth.
 */
static int32_t find_step(const struct decoder_velodyne *d, const uint8_t *data,
			 unsigned int returns, unsigned int column)
{
	const unsigned int columns = BLOCKS / returns, banks = d->model->banks;
	const unsigned int lead = bank_of(data), firing = (column + lead) / banks;
	const unsigned int next = (firing + 1) * banks - lead;
	int32_t step = -1;

	if (next < columns)
		step = step_between(data, returns, column, next);
	if (step < 0 && firing)
		step = step_between(data, returns, column > banks ? column - banks : 0, column);
	if (step < 0 && next + banks < columns)
		step = step_between(data, returns, next, next + banks);
	return step < 0 ? 0 : step;
}

/* What a column's measurements have in common. */
struct column {
	/** Measurements of the first return; those of the second lie a block further on. */
	const uint8_t *measurements;
	const float *sine;
	/** 0.01 degrees: where the firing begins, and how far it is to the next. */
	float azimuth;
	float step;
	float unit_m;
};

/* Azimuths of four lasers from @i on, as places of the sine table. */
POINT_LANES_INLINE lanes_u32 find_azimuths(const struct lasers *l, const struct column *c,
					   unsigned int i)
{
	const lanes_f32 azimuth = c->azimuth + c->step * lanes_load_f32(&l->part[i]) + 0.5f;
	const lanes_i32 at = __builtin_convertvector(azimuth, lanes_i32);

	return (lanes_u32)(at - ((at >= TURN_CDEG) & TURN_CDEG));
}

POINT_LANES_INLINE lanes_f32 look_up(const float *sine, lanes_u32 at)
{
	return (lanes_f32){ sine[at[0]], sine[at[1]], sine[at[2]], sine[at[3]] };
}

/* Return @k of four lasers from @i on. A measurement is read as four bytes: more always follow. */
POINT_LANES_INLINE void make_lanes(const struct lasers *l, const struct column *c, unsigned int k,
				   unsigned int i, struct point_lanes *ret)
{
	const uint8_t *measurement = c->measurements + i * MEASUREMENT_BYTES;
	const lanes_u32 word = lanes_load_words(measurement + k * BLOCK_BYTES, MEASUREMENT_BYTES);
	const lanes_u32 raw = word & 0xffff, at = find_azimuths(l, c, i);
	const lanes_f32 range = lanes_to_f32(raw) * c->unit_m;
	const lanes_f32 sine = look_up(c->sine, at), cosine = look_up(c->sine + TURN_CDEG / 4, at);
	const lanes_f32 along = lanes_load_f32(&l->along[i]), across = lanes_load_f32(&l->across[i]);

	ret->raw = raw;
	ret->range = range;
	ret->x = range * (cosine * along + sine * across);
	ret->y = range * (cosine * across - sine * along);
	ret->z = range * lanes_load_f32(&l->up[i]);
	ret->intensity = lanes_to_f32(word >> 16 & 0xff);
	ret->time_offset_ns = lanes_load_u32(&l->time_ns[i]);
	ret->id = lanes_load_u32(&l->ring[i]) + POINT_ID(0, k + 1, 0);
	ret->light = lanes_all_u32(0);
	if (k) {
		const lanes_u32 first = lanes_load_words(measurement, MEASUREMENT_BYTES);

		/* where there was only one return, it is there twice */
		ret->id |= (lanes_u32)(((word ^ first) & 0xffffff) == 0) &
			   POINT_ID(0, 0, LIDARD_POINT_REPEATED);
	}
}

POINT_LANES_INLINE uint32_t make_points(const struct lasers *lasers, const struct column *c,
					unsigned int returns, struct lidard_point_xyzirt *points)
{
	struct lidard_point_xyzirt *at = points;
	unsigned int i, k;

	for (i = 0; i < VELODYNE_BLOCK_POINTS; i += POINT_LANES) {
		struct point_rows rows[RETURNS_MAX];

		for (k = 0; k < returns; k++) {
			struct point_lanes lanes;

			make_lanes(lasers, c, k, i, &lanes);
			point_lanes_turn(&lanes, &rows[k]);
		}
		at = point_lanes_store(rows, returns, POINT_LANES, at);
	}
	return (uint32_t)(at - points);
}

/* Hot path. */
static uint32_t velodyne_points(const struct decoder *base, const struct decoder_packet *packet,
				unsigned int index, struct lidard_point_xyzirt *points)
{
	const struct decoder_velodyne *d = (const struct decoder_velodyne *)base;
	const unsigned int returns = count_returns(packet->data);
	const unsigned int column = packet->positions[index];
	const uint8_t *block = block_of(packet->data, returns, column);
	struct column c = { .sine = d->sine, .unit_m = d->model->unit_mm * 0.001f };
	unsigned int bank;

	/* the packet may lie where its sender can still write: it need not be what look() saw */
	if (!returns || (column + 1) * returns > BLOCKS)
		return 0;
	bank = bank_of(block);
	if (bank >= d->model->banks)
		return 0;
	c.measurements = block + BLOCK_HEADER_BYTES;
	c.azimuth = get_u16(block + 2);
	c.step = (float)find_step(d, packet->data, returns, column);
	return returns == 1 ? make_points(&d->lasers[bank], &c, 1, points) :
			      make_points(&d->lasers[bank], &c, 2, points);
}

const struct decoder_ops decoder_velodyne = {
	.name = "velodyne",
	.vendor = "Velodyne",
	.knows = velodyne_knows,
	.check = velodyne_check,
	.open = velodyne_open,
	.free = velodyne_free,
	.look = velodyne_look,
	.points = velodyne_points,
	.restart = velodyne_restart,
	.side_format = LIDARD_FORMAT_POSITION,
	.side = velodyne_side,
};
