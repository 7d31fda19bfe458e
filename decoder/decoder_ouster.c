/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder_ouster.c - Ouster's lidar packets
 *
 * open() turns the metadata into tables; look() and points() only use them.
 *
 * Geometry.  A beam leaves the head n0 from the axis and turns with it, so
 *
 *     point = (range - n0) * turn[column] * direction[beam] + origin[column]
 *
 * where turn is the head's rotation with lidar_to_sensor applied, and origin
 * where the beams of that column begin, both in the sensor's frame.  Keeping
 * the two factors (12 floats a column, 3 a beam: 50 KB) instead of their
 * products (3 floats a column and beam: up to 12 MB) costs nine
 * multiplications a point and keeps the tables in the cache.
 *
 * Frames.  The sensor's frame number changes where the encoder passes zero,
 * thus at column 0.  A column window that wraps (first > last) therefore
 * begins each frame with columns 0 .. last and ends it with first .. W - 1;
 * places count in that order of firing.  Whole packets are sent, and only
 * those that intersect the window.
 *
 * A datagram is hostile: its length and type are checked first, then serial
 * and checksum; then every column's number.  Columns that do not count up
 * within their packet are not listed, so no column is there twice.
 *
 * One decoder belongs to one thread; points() may run in others as long as
 * the packet lives.
 */
#include "decoder/decoder_ouster.h"

#include <assert.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/crc64.h"
#include "decoder/ouster_imu.h"
#include "decoder/point_lanes.h"

/** So many frames later is still the same run of the sensor; more, and it began anew. */
#define FRAME_GAP_MAX 1000
/** So many frames earlier is a packet that came late. */
#define FRAME_LATE_MAX 2

#define PLACE_NONE UINT16_MAX

#define MM_TO_M 0.001

#define RETURNS_MAX 2
#define PIXEL_WORDS_MAX 4

/* A field of a pixel, ready to be cut out of one of its words of 32 bits; mask 0: there is none. */
struct cut {
	uint8_t word;
	uint8_t shift;
	uint8_t scale;
	uint32_t mask;
};

struct cuts {
	struct cut range;
	struct cut flags;
	struct cut reflectivity;
	struct cut signal;
	struct cut ambient;
};

/* lidar_to_sensor * rotation of the head, and where its beams begin; metres */
struct pose {
	float turn[9];
	float origin[3];
};

struct header_fields {
	const struct ouster_field *type;
	const struct ouster_field *frame;
	const struct ouster_field *init;
	const struct ouster_field *serial;
	const struct ouster_field *crc;
};

struct column_fields {
	const struct ouster_field *time;
	const struct ouster_field *number;
	const struct ouster_field *status;
	const struct ouster_field *frame;
};

/* Frame numbers of one stream, unwrapped. */
struct frame_count {
	bool begun;
	/** Newest frame, and the same as the sensor wrote it. */
	uint64_t newest;
	uint32_t newest_wire;
	/** Where the sensor's present run began: nothing earlier can come. */
	uint64_t oldest;
	uint32_t init;
};

struct decoder_ouster {
	struct decoder base;
	struct ouster_layout layout;
	struct header_fields header;
	struct column_fields column;
	struct cuts cuts[RETURNS_MAX];
	uint32_t columns_per_frame;
	uint64_t serial_number;
	enum ouster_crc crc_expected;
	struct frame_count frames;
	float beam_offset_m;
	/** Rotation, row major. */
	float imu_to_sensor[9];
	/** Ahead, to the left and up, of each beam, as if the head stood at column 0. */
	float direction[3 * OUSTER_PIXELS_MAX];
	struct pose *poses;
	/** Of each column number; PLACE_NONE: outside the window. */
	uint16_t *places;
	/** Of each packet of a whole turn. */
	uint16_t *packet_places;
	struct crc64 crc;
};

static const struct decoder_ouster *to_ouster(const struct decoder *d)
{
	return (const struct decoder_ouster *)d;
}

static struct decoder *ouster_free(struct decoder *base)
{
	struct decoder_ouster *d = (struct decoder_ouster *)base;

	if (d) {
		free(d->packet_places);
		free(d->places);
		free(d->poses);
		free(d);
	}
	return NULL;
}

static void cleanup_ouster(struct decoder_ouster **d)
{
	if (*d)
		ouster_free(&(*d)->base);
}

/* --- tables --- */

static struct cut make_cut(const struct ouster_profile *p, const char *name)
{
	const struct ouster_field *f = ouster_profile_field(p, name);
	struct cut c = { 0 };

	if (!f)
		return c;
	c.word = (uint8_t)(f->bit / 32);
	c.shift = f->bit % 32;
	c.scale = f->scale;
	assert(c.shift + f->width <= 32 && f->width < 32);
	c.mask = (1u << f->width) - 1;
	return c;
}

static void make_fields(struct decoder_ouster *d)
{
	const struct ouster_profile *p = d->layout.profile;

	/* as ouster_points() has them */
	assert(p->returns == 2 ? p->pixel_bytes == 8 || p->pixel_bytes == 16 :
				 p->pixel_bytes == 4 || p->pixel_bytes == 12);

	d->header.type = ouster_profile_field(p, "TYPE");
	d->header.init = ouster_profile_field(p, "INIT_ID");
	d->header.serial = ouster_profile_field(p, "SERIAL");
	d->header.crc = ouster_profile_field(p, "CRC");
	d->column.time = ouster_profile_field(p, "TIMESTAMP");
	d->column.number = ouster_profile_field(p, "MEASUREMENT_ID");
	d->column.status = ouster_profile_field(p, "STATUS");
	/* LEGACY packets have no header and say their frame in each column */
	d->header.frame = ouster_profile_field(p, "FRAME_ID");
	if (d->header.frame->part != OUSTER_PACKET_HEADER) {
		d->column.frame = d->header.frame;
		d->header.frame = NULL;
	}
	d->cuts[0].range = make_cut(p, "RANGE");
	d->cuts[0].flags = make_cut(p, "FLAGS");
	d->cuts[0].reflectivity = make_cut(p, "REFLECTIVITY");
	d->cuts[0].signal = make_cut(p, "SIGNAL");
	d->cuts[0].ambient = make_cut(p, "NEAR_IR");
	d->cuts[1].range = make_cut(p, "RANGE2");
	d->cuts[1].flags = make_cut(p, "FLAGS2");
	d->cuts[1].reflectivity = make_cut(p, "REFLECTIVITY2");
	d->cuts[1].signal = make_cut(p, "SIGNAL2");
	/* ambient light is measured once for both */
	d->cuts[1].ambient = d->cuts[0].ambient;
}

static void make_directions(struct decoder_ouster *d, const struct ouster_metadata *m)
{
	uint32_t i;

	for (i = 0; i < m->pixels_per_column; i++) {
		double azimuth = -m->azimuth_deg[i] * M_PI / 180;
		double altitude = m->altitude_deg[i] * M_PI / 180;

		d->direction[i] = (float)(cos(azimuth) * cos(altitude));
		d->direction[OUSTER_PIXELS_MAX + i] = (float)(sin(azimuth) * cos(altitude));
		d->direction[2 * OUSTER_PIXELS_MAX + i] = (float)sin(altitude);
	}
	d->beam_offset_m = (float)(hypot(m->beam_origin_x_mm, m->beam_origin_z_mm) * MM_TO_M);
}

static void make_imu_axes(struct decoder_ouster *d, const struct ouster_metadata *m)
{
	unsigned int i;

	for (i = 0; i < 9; i++)
		d->imu_to_sensor[i] = (float)m->imu_to_sensor[i / 3 * 4 + i % 3];
}

static void make_pose(struct pose *pose, const struct ouster_metadata *m, double angle)
{
	const double *l = m->lidar_to_sensor;
	const double c = cos(angle), s = sin(angle);
	unsigned int i;

	for (i = 0; i < 3; i++, l += 4) {
		pose->turn[i * 3] = (float)(l[0] * c + l[1] * s);
		pose->turn[i * 3 + 1] = (float)(l[1] * c - l[0] * s);
		pose->turn[i * 3 + 2] = (float)l[2];
		pose->origin[i] = (float)(((l[0] * c + l[1] * s) * m->beam_origin_x_mm +
					   l[2] * m->beam_origin_z_mm + l[3]) *
					  MM_TO_M);
	}
}

static void make_poses(struct decoder_ouster *d, const struct ouster_metadata *m)
{
	uint32_t i;

	for (i = 0; i < m->columns_per_frame; i++)
		make_pose(&d->poses[i], m, 2 * M_PI * (1 - (double)i / m->columns_per_frame));
}

static bool in_window(const struct ouster_metadata *m, uint32_t column)
{
	if (m->window_first <= m->window_last)
		return column >= m->window_first && column <= m->window_last;
	return column >= m->window_first || column <= m->window_last;
}

/* Number columns and packets in the order they are sent. */
static void make_places(struct decoder_ouster *d, const struct ouster_metadata *m)
{
	struct decoder_geometry *g = &d->base.geometry;
	uint32_t column, last_packet = UINT32_MAX;

	for (column = 0; column < m->columns_per_frame; column++) {
		uint32_t packet = column / m->columns_per_packet;

		if (packet != last_packet)
			d->packet_places[packet] = PLACE_NONE;
		last_packet = packet;
		d->places[column] = PLACE_NONE;
		if (!in_window(m, column))
			continue;
		d->places[column] = (uint16_t)g->frame_columns++;
		if (d->packet_places[packet] == PLACE_NONE)
			d->packet_places[packet] = (uint16_t)g->frame_packets++;
	}
}

static void make_geometry(struct decoder_ouster *d, const struct ouster_metadata *m)
{
	struct decoder_geometry *g = &d->base.geometry;

	g->column_points = m->pixels_per_column * m->profile->returns;
	g->packet_columns = m->columns_per_packet;
	g->sensor_clock = m->sensor_clock;
	g->clock_lock = m->clock_lock;
	g->clocks = m->clocks;
	memcpy(g->model, m->model, sizeof(g->model));
	memcpy(g->serial, m->serial, sizeof(g->serial));
	memcpy(g->firmware, m->firmware, sizeof(g->firmware));
	g->beams = m->pixels_per_column;
	g->rate_hz = m->rate_hz;
}

int decoder_ouster_new(const struct ouster_metadata *m, struct decoder **ret_decoder,
		       struct problem *problem)
{
	CLEANUP(cleanup_ouster) struct decoder_ouster *d = calloc(1, sizeof(*d));
	uint32_t packets = (m->columns_per_frame - 1) / m->columns_per_packet + 1;

	if (!d)
		return problem_set(problem, -ENOMEM, "no memory for the decoder");
	d->poses = calloc(m->columns_per_frame, sizeof(*d->poses));
	d->places = calloc(m->columns_per_frame, sizeof(*d->places));
	d->packet_places = calloc(packets, sizeof(*d->packet_places));
	if (!d->poses || !d->places || !d->packet_places)
		return problem_set(problem, -ENOMEM, "no memory for the decoder's tables");

	d->base.ops = &decoder_ouster;
	d->columns_per_frame = m->columns_per_frame;
	d->serial_number = m->serial_number;
	d->crc_expected = m->crc;
	ouster_layout_init(&d->layout, m->profile, m->columns_per_packet, m->pixels_per_column);
	make_geometry(d, m);
	make_fields(d);
	make_directions(d, m);
	make_imu_axes(d, m);
	make_poses(d, m);
	make_places(d, m);
	crc64_init(&d->crc);
	*ret_decoder = &STEAL(d)->base;
	return 0;
}

/* "OS-1-128", "OS0" */
static bool ouster_knows(const char *model)
{
	return strncasecmp(model, "OS", 2) == 0 &&
	       isdigit((unsigned char)model[model[2] == '-' ? 3 : 2]);
}

static int ouster_check(const struct decoder_sensor *sensor, struct problem *problem)
{
	if (sensor->metadata || sensor->metadata_path[0])
		return 0;
	return problem_set(problem, -EINVAL,
			   "decoder = ouster needs metadata = FILE, the sensor's metadata as JSON");
}

static int ouster_open(const struct decoder_sensor *sensor, struct decoder **ret_decoder,
		       struct problem *problem)
{
	CLEANUP(cleanup_free) struct ouster_metadata *m = NULL;
	int e = ouster_check(sensor, problem);

	if (e < 0)
		return e;
	m = malloc(sizeof(*m));
	if (!m)
		return problem_set(problem, -ENOMEM, "no memory for metadata");
	e = sensor->metadata ? ouster_metadata_parse(sensor->name, sensor->metadata,
						     sensor->metadata_bytes, sensor->model, m,
						     problem) :
			       ouster_metadata_read(sensor->metadata_path, sensor->model, m, problem);
	return e < 0 ? e : decoder_ouster_new(m, ret_decoder, problem);
}

/* --- packets --- */

static uint64_t get(const struct decoder_ouster *d, const struct ouster_field *f,
		    const uint8_t *data, unsigned int column)
{
	return ouster_field_get(&d->layout, f, data, column, 0);
}

static bool is_ours(const struct decoder_ouster *d, const uint8_t *data)
{
	if (d->header.type && get(d, d->header.type, data, 0) != OUSTER_PACKET_TYPE_LIDAR)
		return false;
	/* two sensors can share a port */
	return !d->header.serial || !d->serial_number ||
	       get(d, d->header.serial, data, 0) == d->serial_number;
}

static bool crc_is_good(struct decoder_ouster *d, const uint8_t *data)
{
	uint64_t wire;
	bool equal;

	if (d->crc_expected == OUSTER_CRC_NONE)
		return true;
	wire = get(d, d->header.crc, data, 0);
	equal = crc64_compute(&d->crc, data, d->layout.packet_bytes - sizeof(wire)) == wire;
	if (equal)
		d->crc_expected = OUSTER_CRC_PRESENT;
	return equal || d->crc_expected == OUSTER_CRC_UNKNOWN;
}

/*
 * List the valid columns inside the window.
 *
 * Return: false if LEGACY columns disagree about the frame, which only damage can cause.
 */
static bool list_columns(const struct decoder_ouster *d, struct decoder_packet *p,
			 uint32_t *ret_frame)
{
	unsigned int i, valid = 0;
	uint32_t last = 0;

	p->column_count = 0;
	for (i = 0; i < d->layout.columns; i++) {
		uint32_t number = (uint32_t)get(d, d->column.number, p->data, i);
		struct decoder_column *c;

		/* LEGACY writes all ones, the others bit 0 */
		if (!(get(d, d->column.status, p->data, i) & 1))
			continue;
		if (number >= d->columns_per_frame || (valid && number <= last))
			continue;
		if (d->column.frame) {
			uint32_t frame = (uint32_t)get(d, d->column.frame, p->data, i);

			if (valid && frame != *ret_frame)
				return false;
			*ret_frame = frame;
		}
		last = number;
		valid++;
		if (d->places[number] == PLACE_NONE)
			continue;
		p->positions[p->column_count] = (uint16_t)i;
		c = &p->columns[p->column_count++];
		c->number = number;
		c->place = d->places[number];
		c->time_ns = get(d, d->column.time, p->data, i);
	}
	return true;
}

/*
 * Number the packet. One whose columns are all invalid still arrived, if it says which frame it
 * is of (LEGACY has that in its columns alone) and intersects the window.
 */
static bool place_packet(const struct decoder_ouster *d, struct decoder_packet *p)
{
	uint32_t number;

	if (p->column_count)
		number = p->columns[0].number;
	else if (d->header.frame)
		number = (uint32_t)get(d, d->column.number, p->data, 0);
	else
		return false;
	if (number >= d->columns_per_frame)
		return false;
	p->place = d->packet_places[number / d->layout.columns];
	return p->place != PLACE_NONE;
}

/* A number that fits neither what came before nor what may come next: the sensor began anew. */
static uint64_t begin_run(struct frame_count *f, uint32_t wire, uint32_t init)
{
	f->newest = f->begun ? f->newest + 1 : wire;
	f->oldest = f->begun ? f->newest : 0;
	f->newest_wire = wire;
	f->init = init;
	f->begun = true;
	return f->newest;
}

/* Return: 1 with the frame that @wire stands for; 0 if it is from before the run. */
static int unwrap(struct frame_count *f, uint32_t wire, unsigned int bits, uint32_t init,
		  uint64_t *ret_frame)
{
	uint32_t mask = bits < 32 ? (1u << bits) - 1 : UINT32_MAX;
	uint32_t ahead = (wire - f->newest_wire) & mask;
	uint32_t behind = (f->newest_wire - wire) & mask;

	if (!f->begun || init != f->init) {
		*ret_frame = begin_run(f, wire, init);
	} else if (behind <= FRAME_LATE_MAX) {
		if (f->newest - f->oldest < behind)
			return 0;
		*ret_frame = f->newest - behind;
	} else if (ahead <= FRAME_GAP_MAX) {
		f->newest += ahead;
		f->newest_wire = wire;
		*ret_frame = f->newest;
	} else {
		*ret_frame = begin_run(f, wire, init);
	}
	return 1;
}

/* Hot path. */
static int ouster_look(struct decoder *base, const void *datagram, size_t bytes,
		       struct decoder_packet *p)
{
	struct decoder_ouster *d = (struct decoder_ouster *)base;
	const struct ouster_field *field = d->header.frame ? d->header.frame : d->column.frame;
	uint32_t wire = 0, init = 0;
	unsigned int i;

	if (bytes == OUSTER_IMU_BYTES)
		return DECODER_SIDE;
	if (bytes != d->layout.packet_bytes || !is_ours(d, datagram))
		return DECODER_IGNORED;
	if (!crc_is_good(d, datagram))
		return DECODER_BAD;
	p->data = datagram;
	p->bytes = bytes;
	if (!list_columns(d, p, &wire))
		return DECODER_BAD;
	if (!place_packet(d, p))
		return DECODER_IGNORED;
	if (d->header.frame) {
		wire = (uint32_t)get(d, d->header.frame, p->data, 0);
		init = (uint32_t)get(d, d->header.init, p->data, 0);
	}
	if (!unwrap(&d->frames, wire, field->width, init, &p->frame))
		return DECODER_IGNORED;
	for (i = 0; i < p->column_count; i++)
		p->columns[i].frame = p->frame;
	return DECODER_POINTS;
}

static int ouster_side(const struct decoder *base, const void *datagram, size_t bytes,
		       struct decoder_side *ret_side)
{
	if (bytes != OUSTER_IMU_BYTES)
		return DECODER_IGNORED;
	*ret_side = (struct decoder_side){ .has_imu = true };
	return ouster_imu_read(datagram, to_ouster(base)->imu_to_sensor, &ret_side->imu) == 0 ?
		       DECODER_SIDE : DECODER_BAD;
}

static void ouster_restart(struct decoder *base)
{
	struct decoder_ouster *d = (struct decoder_ouster *)base;

	d->frames.begun = false;
}

/* --- points --- */

/* The words of four pixels. */
struct words {
	lanes_u32 at[PIXEL_WORDS_MAX];
};

POINT_LANES_INLINE lanes_u32 cut_out(const struct cut *c, const struct words *words)
{
	return (words->at[c->word] >> c->shift & c->mask) << c->scale;
}

/* Four pixels, or @lanes of them: what comes behind may be another's memory. */
POINT_LANES_INLINE void load_words(const uint8_t *pixel, unsigned int lanes, size_t pixel_bytes,
				   struct words *ret)
{
	uint8_t copy[POINT_LANES * PIXEL_WORDS_MAX * 4] = { 0 };
	unsigned int i;

	if (lanes < POINT_LANES)
		pixel = memcpy(copy, pixel, lanes * pixel_bytes);
	for (i = 0; i < pixel_bytes / 4; i++)
		ret->at[i] = lanes_load_words(pixel + 4 * i, pixel_bytes);
}

/* One return of four beams. */
POINT_LANES_INLINE void make_lanes(const struct cuts *c, const struct words *words,
				   const struct pose *pose, const float *direction,
				   float beam_offset_m, struct point_lanes *ret)
{
	const lanes_f32 ahead = lanes_load_f32(direction);
	const lanes_f32 left = lanes_load_f32(direction + OUSTER_PIXELS_MAX);
	const lanes_f32 up = lanes_load_f32(direction + 2 * OUSTER_PIXELS_MAX);
	const lanes_u32 range_mm = cut_out(&c->range, words);
	const lanes_f32 range = lanes_to_f32(range_mm) * (float)MM_TO_M;
	const lanes_f32 along = range - beam_offset_m;
	const float *t = pose->turn;

	ret->raw = range_mm;
	ret->range = range;
	ret->x = along * (t[0] * ahead + t[1] * left + t[2] * up) + pose->origin[0];
	ret->y = along * (t[3] * ahead + t[4] * left + t[5] * up) + pose->origin[1];
	ret->z = along * (t[6] * ahead + t[7] * left + t[8] * up) + pose->origin[2];
	ret->intensity = lanes_to_f32(cut_out(&c->reflectivity, words));
	ret->time_offset_ns = lanes_all_u32(0);
	ret->id = (lanes_u32)(cut_out(&c->flags, words) != 0) & POINT_ID(0, 0, LIDARD_POINT_FLAGGED);
	/* 16 bits at most, in every profile */
	ret->light = POINT_LIGHT(cut_out(&c->signal, words), cut_out(&c->ambient, words));
}

/* An empty pixel is written like any other and then overwritten: see point_lanes.h. */
POINT_LANES_INLINE uint32_t make_points(const struct decoder_ouster *d, const struct pose *pose,
					const uint8_t *pixel, unsigned int returns,
					size_t pixel_bytes, struct lidard_point_xyzirt *points)
{
	/* copies: the compiler need not think that a point could change them */
	const struct cuts cuts[RETURNS_MAX] = { d->cuts[0], d->cuts[1] };
	const float beam_offset_m = d->beam_offset_m;
	const unsigned int pixels = d->layout.pixels;
	lanes_u32 id = { POINT_ID(0, 1, 0), POINT_ID(1, 1, 0), POINT_ID(2, 1, 0), POINT_ID(3, 1, 0) };
	struct lidard_point_xyzirt *at = points;
	unsigned int beam, k;

	for (beam = 0; beam < pixels; beam += POINT_LANES) {
		const unsigned int left = pixels - beam;
		const unsigned int lanes = left < POINT_LANES ? left : POINT_LANES;
		struct point_rows rows[RETURNS_MAX];
		struct words words;

		load_words(pixel, lanes, pixel_bytes, &words);
		for (k = 0; k < returns; k++) {
			struct point_lanes p;

			make_lanes(&cuts[k], &words, pose, &d->direction[beam], beam_offset_m, &p);
			p.id += id + POINT_ID(0, k, 0);
			point_lanes_turn(&p, &rows[k]);
		}
		at = point_lanes_store(rows, returns, lanes, at);
		pixel += POINT_LANES * pixel_bytes;
		id += POINT_ID(POINT_LANES, 0, 0);
	}
	return (uint32_t)(at - points);
}

/* Hot path. */
static uint32_t ouster_points(const struct decoder *base, const struct decoder_packet *packet,
			      unsigned int index, struct lidard_point_xyzirt *points)
{
	const struct decoder_ouster *d = to_ouster(base);
	const struct ouster_profile *profile = d->layout.profile;
	const struct pose pose = d->poses[packet->columns[index].number];
	const uint8_t *pixel = packet->data + profile->header_bytes +
			       (size_t)packet->positions[index] * d->layout.column_bytes +
			       profile->column_header_bytes;

	if (profile->returns == 2)
		return profile->pixel_bytes == 8 ? make_points(d, &pose, pixel, 2, 8, points) :
						   make_points(d, &pose, pixel, 2, 16, points);
	return profile->pixel_bytes == 4 ? make_points(d, &pose, pixel, 1, 4, points) :
					   make_points(d, &pose, pixel, 1, 12, points);
}

const struct decoder_ops decoder_ouster = {
	.name = "ouster",
	.vendor = "Ouster",
	.knows = ouster_knows,
	.check = ouster_check,
	.open = ouster_open,
	.free = ouster_free,
	.look = ouster_look,
	.points = ouster_points,
	.restart = ouster_restart,
	.side_format = LIDARD_FORMAT_IMU,
	.side = ouster_side,
};
