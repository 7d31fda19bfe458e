/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder_hesai.c - point packets of Hesai's rotating sensors
 *
 * hesai_packet.c knows what a packet says, rotation.c which frame and place its
 * columns have; this file brings them together and makes points.
 *
 * Geometry.  Axes are Hesai's: x to the right, y forward, z up; azimuth 0 is
 * forward, and the head turns clockwise seen from above.  A beam's azimuth is
 * the block's plus its own offset o, its elevation e:
 *
 *     x = r cos(e) sin(a + o) = r (sin(a) cos(e) cos(o) + cos(a) cos(e) sin(o))
 *     y = r cos(e) cos(a + o) = r (cos(a) cos(e) cos(o) - sin(a) cos(e) sin(o))
 *     z = r sin(e)
 *
 * so that three constants a beam and a table of the turn do, and no point
 * takes a sine.  The azimuth is not corrected for when a beam fires within its
 * column: Hesai's correction files have that in their offsets.
 *
 * Model.  A correction file says how many beams there are, and the first
 * packet that has as many says the model, unless it is configured.  From then
 * on only packets of that model count.  Why packets of another are not
 * decoded is said in decoder.complaint.
 *
 * Returns.  All are points, in the order of their blocks: with two returns
 * which one is the last and which the strongest depends on model and mode.
 *
 * One decoder belongs to one thread; points() may run in others as long as the
 * packet lives.
 */
#include "decoder/decoder_hesai.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "decoder/hesai_packet.h"
#include "decoder/point_lanes.h"
#include "decoder/rotation.h"
#include "decoder/time_scale.h"
#include "decoder/turn_table.h"

/** The slowest that heads turn is 300 a minute; while they gather speed, frames are cut short. */
#define TURNS_PER_S_MIN 4

#define DEG_TO_CDEG 100
#define MM_TO_M 0.001f

struct beams {
	/** cos(e) cos(o), cos(e) sin(o), sin(e). */
	float ahead[HESAI_CHANNELS_MAX];
	float aside[HESAI_CHANNELS_MAX];
	float up[HESAI_CHANNELS_MAX];
	/** When it fires, from its column's time. */
	uint32_t time_ns[HESAI_CHANNELS_MAX];
	/** POINT_ID() of its number alone. */
	uint32_t ring[HESAI_CHANNELS_MAX];
};

struct decoder_hesai {
	struct decoder base;
	/** NULL: not known yet. */
	const struct hesai_model *model;
	bool model_configured;
	unsigned int beam_count;
	struct beams beams;
	struct rotation rotation;
	struct rotation_packet rotation_packet;
	struct turn_table turn;
};

static struct decoder *hesai_free(struct decoder *base)
{
	free((struct decoder_hesai *)base);
	return NULL;
}

static void cleanup_hesai(struct decoder_hesai **d)
{
	if (*d)
		hesai_free(&(*d)->base);
}

/* --- the model --- */

static void list_models(char *text, size_t size, unsigned int beams)
{
	unsigned int i;
	size_t used = 0;

	text[0] = '\0';
	for (i = 0; i < hesai_model_count && used < size; i++)
		if (!beams || hesai_models[i].channels == beams)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
						 hesai_models[i].name);
}

static int find_model(const char *name, const struct hesai_model **ret_model,
		      struct problem *problem)
{
	char names[128];

	*ret_model = NULL;
	if (!name[0])
		return 0;
	*ret_model = hesai_model_find(name);
	if (*ret_model)
		return 0;
	list_models(names, sizeof(names), 0);
	return problem_set(problem, -EINVAL,
			   "model = %.60s: decoder = hesai has no such model; there is: %s", name, names);
}

static uint32_t columns_max(const struct hesai_model *m)
{
	return 1000000000u / (uint32_t)m->firing.column_ns / TURNS_PER_S_MIN;
}

/* The largest of what any model that it may be has. */
static void add_to_geometry(struct decoder_geometry *g, const struct hesai_model *m)
{
	const uint32_t columns = columns_max(m);
	const uint32_t points = m->channels * (m->blocks % 3 ? 2u : 3u);

	if (g->frame_columns < columns)
		g->frame_columns = columns;
	if (g->packet_columns < m->blocks)
		g->packet_columns = m->blocks;
	if (g->column_points < points)
		g->column_points = points;
	/* a packet may be of one column */
	if (g->frame_packets < columns)
		g->frame_packets = columns;
}

static int make_geometry(struct decoder_hesai *d, struct problem *problem)
{
	struct decoder_geometry *g = &d->base.geometry;
	unsigned int i;

	g->beams = d->beam_count;
	g->sensor_clock = LIDARD_CLOCK_UTC;
	g->clock_lock = LIDARD_CLOCK_LOCK_UNKNOWN;
	g->clocks = TIME_CHOICES_OF_DATES;
	for (i = 0; i < hesai_model_count; i++)
		if (d->model ? d->model == &hesai_models[i] :
			       d->beam_count == hesai_models[i].channels)
			add_to_geometry(g, &hesai_models[i]);
	if (!g->frame_columns)
		return problem_set(problem, -EINVAL,
				   "the correction file has %u channels, and so has no model of "
				   "decoder = hesai", d->beam_count);
	return 0;
}

/* From now on it is this one. Return: -EINVAL if a frame has become too small for its turns. */
static int set_model(struct decoder_hesai *d, const struct hesai_model *m, struct problem *problem)
{
	unsigned int i;

	if (columns_max(m) > d->base.geometry.frame_columns)
		return problem_set(problem, -EINVAL,
				   "a turn of a %s can have %u columns, a frame of so small slices %u: "
				   "raise slice_bytes", m->name, columns_max(m),
				   d->base.geometry.frame_columns);

	assert(m->channels % POINT_LANES == 0);
	d->model = m;
	snprintf(d->base.geometry.model, sizeof(d->base.geometry.model), "%s", m->name);
	d->rotation.columns_max = columns_max(m);
	for (i = 0; i < m->channels; i++)
		d->beams.time_ns[i] = hesai_beam_time_ns(m, i);
	return 0;
}

/* --- opening --- */

static void make_beams(struct decoder_hesai *d, const struct beam_table *t)
{
	unsigned int i;

	for (i = 0; i < t->beams; i++) {
		const double e = t->elevation_deg[i] * (M_PI / 180);
		const double o = t->azimuth_deg[i] * (M_PI / 180);

		d->beams.ahead[i] = (float)(cos(e) * cos(o));
		d->beams.aside[i] = (float)(cos(e) * sin(o));
		d->beams.up[i] = (float)sin(e);
		d->beams.ring[i] = POINT_ID(i, 0, 0);
	}
}

int decoder_hesai_new(const char *model, const struct beam_table *beams, double cut_angle_deg,
		      struct decoder **ret_decoder, struct problem *problem)
{
	CLEANUP(cleanup_hesai) struct decoder_hesai *d = NULL;
	const struct hesai_model *m;
	int err;

	err = find_model(model, &m, problem);
	if (err < 0)
		return err;
	if (m && m->channels != beams->beams)
		return problem_set(problem, -EINVAL,
				   "model = %s has %u channels, the correction file %u", m->name,
				   m->channels, beams->beams);
	d = calloc(1, sizeof(*d));
	if (!d)
		return problem_set(problem, -ENOMEM, "no memory for the decoder");
	d->base.ops = &decoder_hesai;
	d->base.rotation = &d->rotation;
	d->rotation.cut_cdeg = (uint32_t)lround(cut_angle_deg * DEG_TO_CDEG) % HESAI_TURN_CDEG;
	d->beam_count = beams->beams;
	d->model = m;
	err = make_geometry(d, problem);
	if (err < 0)
		return err;
	make_beams(d, beams);
	turn_table_init(&d->turn);
	if (m)
		err = set_model(d, m, problem);
	if (err < 0)
		return err;
	d->model_configured = m != NULL;
	*ret_decoder = &STEAL(d)->base;
	return 0;
}

static bool hesai_knows(const char *model)
{
	return hesai_model_find(model) != NULL;
}

static int hesai_check(const struct decoder_sensor *sensor, struct problem *problem)
{
	const struct hesai_model *m;

	if (!sensor->calibration && (!sensor->calibration_path || !sensor->calibration_path[0]))
		return problem_set(problem, -EINVAL,
				   "decoder = hesai needs calibration = FILE, the sensor's angle "
				   "correction as CSV");
	return find_model(sensor->model, &m, problem);
}

static int hesai_open(const struct decoder_sensor *sensor, struct decoder **ret_decoder,
		      struct problem *problem)
{
	struct beam_table beams;
	int err = hesai_check(sensor, problem);

	if (err == 0)
		err = beam_table_open(sensor, &beams, problem);
	if (err < 0)
		return err;
	return decoder_hesai_new(sensor->model, &beams, sensor->cut_angle_deg, ret_decoder, problem);
}

/* --- looking --- */

static void complain(struct decoder_hesai *d, const struct hesai_model *found)
{
	if (d->model)
		problem_set(&d->base.complaint, 0, "packets of a %s (%u channels), but %s %s",
			    found->name, found->channels,
			    d->model_configured ? "model =" : "there were others of a",
			    d->model->name);
	else
		problem_set(&d->base.complaint, 0,
			    "packets of a %s (%u channels), but the correction file has %u",
			    found->name, found->channels, d->beam_count);
}

/* Is it a packet of this sensor? */
static bool is_ours(struct decoder_hesai *d, const void *datagram, size_t bytes)
{
	const struct hesai_model *found;

	if (d->model && hesai_model_matches(d->model, datagram, bytes))
		return true;
	found = hesai_model_recognise(datagram, bytes);
	if (!found)
		return false;
	if (d->model || found->channels != d->beam_count) {
		complain(d, found);
		return false;
	}
	return set_model(d, found, &d->base.complaint) == 0;
}

/* Columns as rotation.c wants them. */
static void list_columns(struct decoder_hesai *d, const struct hesai_packet *in,
			 struct decoder_packet *p)
{
	const struct hesai_model *m = d->model;
	struct rotation_packet *r = &d->rotation_packet;
	unsigned int i;

	r->column_count = m->blocks / in->returns;
	r->time_ns = in->time_ns + (uint64_t)(int64_t)hesai_column_time_ns(m, 0, r->column_count);
	r->packet_ns = r->column_count * (uint64_t)m->firing.column_ns;
	r->has_sequence = in->has_sequence;
	r->sequence = in->sequence;
	r->mode = in->returns;
	for (i = 0; i < r->column_count; i++) {
		r->azimuth_cdeg[i] = hesai_block_azimuth(m, p->data, i * in->returns) % HESAI_TURN_CDEG;
		p->columns[i].time_ns = r->time_ns + i * (uint64_t)m->firing.column_ns;
	}
}

/* Hot path. */
static int hesai_look(struct decoder *base, const void *datagram, size_t bytes,
		      struct decoder_packet *p)
{
	struct decoder_hesai *d = (struct decoder_hesai *)base;
	struct hesai_packet in;

	if (!is_ours(d, datagram, bytes))
		return DECODER_IGNORED;
	if (!hesai_packet_read(d->model, datagram, bytes, &in))
		return DECODER_BAD;
	p->data = datagram;
	p->bytes = bytes;
	list_columns(d, &in, p);
	return rotation_place(&d->rotation, &d->rotation_packet, p);
}

static void hesai_restart(struct decoder *base)
{
	rotation_restart(&((struct decoder_hesai *)base)->rotation);
}

/* --- points --- */

/* The blocks of a column: one for each return. */
struct column {
	const uint8_t *channels[HESAI_RETURNS_MAX];
	struct turn turn[HESAI_RETURNS_MAX];
	float unit_m;
};

/* Return @k of four channels from @i on. A channel is read as four bytes: more always follow. */
POINT_LANES_INLINE void make_lanes(const struct beams *b, const struct column *c, unsigned int k,
				   unsigned int i, size_t channel_bytes, struct point_lanes *ret)
{
	const lanes_u32 word = lanes_load_words(c->channels[k] + i * channel_bytes, channel_bytes);
	const lanes_f32 ahead = lanes_load_f32(&b->ahead[i]), aside = lanes_load_f32(&b->aside[i]);
	const struct turn *t = &c->turn[k];
	const lanes_u32 raw = word & 0xffff;
	const lanes_f32 range = lanes_to_f32(raw) * c->unit_m;

	ret->raw = raw;
	ret->range = range;
	ret->x = range * (t->sin * ahead + t->cos * aside);
	ret->y = range * (t->cos * ahead - t->sin * aside);
	ret->z = range * lanes_load_f32(&b->up[i]);
	ret->intensity = lanes_to_f32(word >> 16 & 0xff);
	ret->time_offset_ns = lanes_load_u32(&b->time_ns[i]);
	ret->id = lanes_load_u32(&b->ring[i]) + POINT_ID(0, k + 1, 0);
	ret->light = lanes_all_u32(0);
	if (k) {
		const lanes_u32 first = lanes_load_words(c->channels[0] + i * channel_bytes,
							 channel_bytes);

		/* distance and reflectivity */
		ret->id |= (lanes_u32)(((word ^ first) & 0xffffff) == 0) &
			   POINT_ID(0, 0, LIDARD_POINT_REPEATED);
	}
}

POINT_LANES_INLINE uint32_t make_points(const struct decoder_hesai *d, const struct column *c,
					unsigned int returns, size_t channel_bytes,
					struct lidard_point_xyzirt *points)
{
	struct lidard_point_xyzirt *at = points;
	unsigned int i, k;

	for (i = 0; i < d->model->channels; i += POINT_LANES) {
		struct point_rows rows[HESAI_RETURNS_MAX];

		for (k = 0; k < returns; k++) {
			struct point_lanes lanes;

			make_lanes(&d->beams, c, k, i, channel_bytes, &lanes);
			point_lanes_turn(&lanes, &rows[k]);
		}
		at = point_lanes_store(rows, returns, POINT_LANES, at);
	}
	return (uint32_t)(at - points);
}

/* Hot path. */
static uint32_t hesai_points(const struct decoder *base, const struct decoder_packet *packet,
			     unsigned int index, struct lidard_point_xyzirt *points)
{
	const struct decoder_hesai *d = (const struct decoder_hesai *)base;
	const struct hesai_model *m = d->model;
	const unsigned int returns = hesai_packet_get_returns(m, packet->data);
	unsigned int block = packet->positions[index] * returns, k;
	struct column c;

	/* the packet may lie where its sender can still write: it need not be what look() saw */
	if (m->blocks % returns || block + returns > m->blocks)
		return 0;
	c.unit_m = (float)hesai_packet_get_unit_mm(m, packet->data) * MM_TO_M;
	for (k = 0; k < returns; k++, block++) {
		c.channels[k] = packet->data + hesai_block_offset(m, block) +
				hesai_block_header_bytes(m);
		c.turn[k] = d->turn.at[hesai_block_azimuth(m, packet->data, block) %
				       HESAI_TURN_CDEG];
	}
	if (m->channel_bytes == 3)
		return returns == 1 ? make_points(d, &c, 1, 3, points) :
				      make_points(d, &c, returns, 3, points);
	return returns == 1 ? make_points(d, &c, 1, 4, points) :
			      make_points(d, &c, returns, 4, points);
}

const struct decoder_ops decoder_hesai = {
	.name = "hesai",
	.vendor = "Hesai",
	.knows = hesai_knows,
	.check = hesai_check,
	.open = hesai_open,
	.free = hesai_free,
	.look = hesai_look,
	.points = hesai_points,
	.restart = hesai_restart,
};
