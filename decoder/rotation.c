/* SPDX-License-Identifier: Apache-2.0 */
/* rotation.c - see rotation.h */
#include "decoder/rotation.h"

#include <math.h>
#include <string.h>

#include "common/clock.h"

#define TURN ROTATION_TURN_CDEG
/** A step further than this within a packet is a gap: at 20 turns a second columns lie 1.2 deg apart. */
#define JUMP_MIN_CDEG 300
/** The encoder may count back a little. */
#define JITTER_CDEG 100
/** Two gaps with their ends so close are the same one; what lies so deep in one shows it is none. */
#define GAP_SLACK_CDEG 200
/** A longer silence, or clock step, begins another stream: what lies between is not lost. */
#define SILENCE_MAX_NS (60 * (int64_t)NSEC_PER_SEC)
#define SILENCE_MAX_PACKETS 1000000
/** So many packets back may one come late; so many in a row from further back are another stream. */
#define LATE_PACKETS_MAX 256
#define BEHIND_PACKETS_MAX 8
/** Packets over which the motor's speed and the packets' period are averaged. */
#define SPEED_PACKETS 16
#define PERIOD_PACKETS 64
/** A frame so far back is late for everybody. */
#define FRAMES_BACK 3

/* What the azimuths of a packet say. */
struct sweep {
	/** From the first column to each, gaps included. */
	uint32_t offset_cdeg[DECODER_PACKET_COLUMNS_MAX];
	uint32_t jump_cdeg;
	/** The last column before a gap; column_count: there is none. */
	unsigned int jump_after;
	/** 0.01 degrees from column to column, gaps left out. */
	double step_cdeg;
};

void rotation_restart(struct rotation *r)
{
	struct rotation fresh = { .cut_cdeg = r->cut_cdeg, .columns_max = r->columns_max };

	*r = fresh;
}

const struct rotation_turn *rotation_find_turn(const struct rotation *r, uint64_t frame)
{
	unsigned int i;

	for (i = 0; i < r->turn_count; i++) {
		const struct rotation_turn *t =
			&r->turns[(r->newest + ROTATION_TURNS - i) % ROTATION_TURNS];

		if (t->frame == frame)
			return t;
	}
	return NULL;
}

uint64_t rotation_next_packet(const struct rotation_turn *t, uint64_t number)
{
	return number + (t->phase + t->packet_columns - number % t->packet_columns) %
				t->packet_columns;
}

uint64_t rotation_count_packets(const struct rotation_turn *t, uint64_t begin, uint64_t end)
{
	uint64_t first = rotation_next_packet(t, begin);

	return first < end ? (end - 1 - first) / t->packet_columns + 1 : 0;
}

/* --- angles --- */

static int64_t floor_turns(int64_t cdeg)
{
	return (cdeg - (cdeg < 0 ? TURN - 1 : 0)) / TURN;
}

static uint32_t in_turn(int64_t cdeg)
{
	return (uint32_t)(cdeg - floor_turns(cdeg) * TURN);
}

/* From one azimuth to the next, whole turns left out. */
static uint32_t step_between(uint32_t from_cdeg, uint32_t to_cdeg)
{
	uint32_t step = (to_cdeg + TURN - from_cdeg) % TURN;

	return step > TURN - JITTER_CDEG ? 0 : step;
}

/* Return: false if the azimuths go around in one packet, or leave the circle. */
static bool sweep_packet(const struct rotation_packet *in, struct sweep *s)
{
	unsigned int i, steps = in->column_count - 1;

	s->offset_cdeg[0] = 0;
	s->jump_cdeg = 0;
	s->jump_after = in->column_count;
	if (in->azimuth_cdeg[0] >= TURN)
		return false;
	for (i = 1; i < in->column_count; i++) {
		uint32_t step;

		if (in->azimuth_cdeg[i] >= TURN)
			return false;
		step = step_between(in->azimuth_cdeg[i - 1], in->azimuth_cdeg[i]);
		s->offset_cdeg[i] = s->offset_cdeg[i - 1] + step;
		if (s->offset_cdeg[i] >= TURN)
			return false;
		if (step < JUMP_MIN_CDEG)
			continue;
		s->jump_cdeg += step;
		s->jump_after = i - 1;
		steps--;
	}
	s->step_cdeg = steps ? (double)(s->offset_cdeg[i - 1] - s->jump_cdeg) / steps : 0;
	/* the step itself is no part of the gap */
	if (s->jump_cdeg)
		s->jump_cdeg -= (uint32_t)fmin(s->step_cdeg, JUMP_MIN_CDEG);
	return true;
}

/* Where the first column stands, counted on from the newest packet's last one. */
static int64_t turn_on(const struct rotation *r, const struct rotation_packet *in, int64_t ahead_ns)
{
	uint32_t azimuth = (in->azimuth_cdeg[0] + TURN - r->cut_cdeg) % TURN;
	uint32_t step = step_between(in_turn(r->last_cdeg), azimuth);
	double since_ns = (double)ahead_ns - r->packet_ns * (r->columns - 1) / r->columns;
	double turns = round((since_ns * r->speed - r->jump_cdeg - step) / TURN);

	return r->last_cdeg + step + (turns > 0 ? (int64_t)turns * TURN : 0);
}

/* --- gaps --- */

static uint32_t gap_length(const struct rotation_gap *g)
{
	return (g->to_cdeg + TURN - g->from_cdeg) % TURN;
}

/* How often the way from @from to @to leads through the gap. */
static int64_t count_gaps(const struct rotation_gap *g, int64_t from_cdeg, int64_t to_cdeg)
{
	int64_t middle = g->from_cdeg + gap_length(g) / 2;

	return g->known ? floor_turns(to_cdeg - middle) - floor_turns(from_cdeg - middle) : 0;
}

static bool is_near(uint32_t a_cdeg, uint32_t b_cdeg)
{
	uint32_t apart = (a_cdeg + TURN - b_cdeg) % TURN;

	return apart <= GAP_SLACK_CDEG || apart >= TURN - GAP_SLACK_CDEG;
}

/* Columns where there should be none: the sensor was told otherwise. */
static void check_gap(struct rotation *r, int64_t cdeg)
{
	uint32_t depth = (in_turn(cdeg) + TURN - r->gap.from_cdeg) % TURN;

	if (r->gap.known && depth > GAP_SLACK_CDEG && depth + GAP_SLACK_CDEG < gap_length(&r->gap))
		r->gap.known = false;
}

static void see(struct rotation *r, int64_t cdeg)
{
	uint32_t degree = in_turn(cdeg) / 100;

	r->seen[degree / 64] |= 1ull << (degree % 64);
}

/* Were there columns well inside of the gap? */
static bool is_seen(const struct rotation *r, const struct rotation_gap *g)
{
	uint32_t cdeg;

	for (cdeg = GAP_SLACK_CDEG; cdeg + GAP_SLACK_CDEG < gap_length(g); cdeg += 100) {
		uint32_t degree = (g->from_cdeg + cdeg) % TURN / 100;

		if (r->seen[degree / 64] >> (degree % 64) & 1)
			return true;
	}
	return false;
}

/* Is what lies between two packets the same as a turn ago? */
static bool suspect_gap(struct rotation *r, int64_t first_cdeg)
{
	struct rotation_gap g = {
		.from_cdeg = in_turn(r->last_cdeg),
		.to_cdeg = in_turn(first_cdeg),
		.frame = r->turns[r->newest].frame,
	};

	if (first_cdeg - r->last_cdeg >= TURN || gap_length(&g) < 3 * GAP_SLACK_CDEG ||
	    is_seen(r, &g))
		return false;
	g.known = r->suspect.frame + 1 == g.frame && is_near(r->suspect.from_cdeg, g.from_cdeg) &&
		  is_near(r->suspect.to_cdeg, g.to_cdeg);
	r->suspect = g;
	if (g.known)
		r->gap = g;
	return g.known;
}

/* --- how many packets on --- */

static int64_t count_by_angle(const struct rotation *r, int64_t first_cdeg, int64_t gaps)
{
	double packet_cdeg = r->speed * r->packet_ns;
	double way = (double)(first_cdeg - r->first_cdeg - r->jump_cdeg) -
		     (double)gaps * gap_length(&r->gap);

	/* a motor that stands crosses no gap */
	return packet_cdeg > 0 && way < packet_cdeg * SILENCE_MAX_PACKETS ?
		       llround(way / packet_cdeg) : 1;
}

static int64_t count_by_time(struct rotation *r, int64_t ahead_ns, int64_t first_cdeg)
{
	int64_t gaps = ahead_ns > 0 ? count_gaps(&r->gap, r->last_cdeg, first_cdeg) : 0;
	int64_t count = llround((double)ahead_ns / r->packet_ns);

	if (ahead_ns <= 0)
		return ahead_ns && !count ? -1 : count;
	if (gaps || r->jump_cdeg)
		count = count_by_angle(r, first_cdeg, gaps);
	if (count > 1 && suspect_gap(r, first_cdeg))
		count = count_by_angle(r, first_cdeg, 1);
	/* it is not the same packet, whatever the period */
	return count > 0 ? count : 1;
}

/* Return: false if the packet cannot belong to the stream so far. */
static bool count_packets(struct rotation *r, const struct rotation_packet *in, int64_t *ret_count,
			  int64_t *ret_first_cdeg)
{
	int64_t ahead_ns = (int64_t)(in->time_ns - r->time_ns);
	int64_t count = (int32_t)(in->sequence - r->sequence);

	if (ahead_ns > SILENCE_MAX_NS || in->mode != r->mode || in->column_count != r->columns)
		return false;
	*ret_first_cdeg = turn_on(r, in, ahead_ns);
	if (!in->has_sequence)
		count = ahead_ns < -SILENCE_MAX_NS ? INT32_MIN :
						     count_by_time(r, ahead_ns, *ret_first_cdeg);
	if (count < -LATE_PACKETS_MAX && ++r->behind >= BEHIND_PACKETS_MAX)
		return false;
	*ret_count = count;
	return count <= SILENCE_MAX_PACKETS;
}

/* --- turns --- */

static struct rotation_turn *present_turn(struct rotation *r)
{
	return &r->turns[r->newest];
}

/* End the present turn, and begin the one that is @frames later. */
static void begin_turn(struct rotation *r, uint64_t end, uint64_t begin, uint64_t frames)
{
	struct rotation_turn *old = present_turn(r);
	struct rotation_turn t = *old;

	old->end = end;
	t.frame += frames;
	t.begin = begin;
	t.end = UINT64_MAX;
	t.cut_off = false;
	r->newest = (r->newest + 1) % ROTATION_TURNS;
	if (r->turn_count < ROTATION_TURNS)
		r->turn_count++;
	r->turns[r->newest] = t;
}

/* The number at which the angle passes @cut, between two columns; the last one at the latest. */
static uint64_t number_at(uint64_t from, int64_t from_cdeg, uint64_t to, int64_t to_cdeg, int64_t cut)
{
	double part = (double)(cut - from_cdeg) / (double)(to_cdeg - from_cdeg);
	uint64_t steps = (uint64_t)ceil(part * (double)(to - from));

	return from + (steps < 1 ? 1 : steps > to - from ? to - from : steps);
}

/* Go on from the column before to @number, at @to_cdeg, and cut what lies between. */
static void advance(struct rotation *r, uint64_t from, int64_t from_cdeg, uint64_t number,
		    int64_t to_cdeg)
{
	int64_t first = floor_turns(from_cdeg) + 1, last = floor_turns(to_cdeg);
	struct rotation_turn *t;

	if (first <= last)
		begin_turn(r, number_at(from, from_cdeg, number, to_cdeg, first * TURN),
			   number_at(from, from_cdeg, number, to_cdeg, last * TURN),
			   (uint64_t)(last - first + 1));
	t = present_turn(r);
	if (number - t->begin < r->columns_max)
		return;
	t->cut_off = true;
	begin_turn(r, t->begin + r->columns_max, number, 1);
}

/* The first packet of a stream: how far into the turn it is can only be estimated. */
static uint64_t begin_stream(struct rotation *r, const struct rotation_packet *in,
			     const struct sweep *s, int64_t *ret_first_cdeg)
{
	uint32_t azimuth = (in->azimuth_cdeg[0] + TURN - r->cut_cdeg) % TURN;
	double place = s->step_cdeg > 0 ? floor(azimuth / s->step_cdeg) : 0;
	struct rotation_turn *t;

	if (place > r->columns_max - in->column_count)
		place = r->columns_max - in->column_count;
	if (r->turn_count) {
		present_turn(r)->cut_off = true;
		begin_turn(r, r->next, r->next, 1);
	} else {
		r->turn_count = 1;
	}
	t = present_turn(r);
	t->end = UINT64_MAX;
	t->begin = r->next;
	t->heard = t->begin + (uint64_t)place;
	t->packet_columns = in->column_count;
	t->phase = (uint32_t)(t->heard % in->column_count);
	r->begun = true;
	r->mode = in->mode;
	r->columns = in->column_count;
	r->packet_ns = (double)in->packet_ns;
	r->speed = s->step_cdeg * in->column_count / r->packet_ns;
	r->speed_count = 0;
	r->gap.known = false;
	r->suspect.frame = UINT64_MAX - 1;
	memset(r->seen, 0, sizeof(r->seen));
	*ret_first_cdeg = azimuth;
	return t->heard;
}

static void learn_speed(struct rotation *r, const struct rotation_packet *in, int64_t first_cdeg)
{
	double period_ns = (double)(in->time_ns - r->time_ns);

	if (period_ns < 0.75 * r->packet_ns || period_ns > 1.25 * r->packet_ns || r->jump_cdeg ||
	    first_cdeg - r->last_cdeg > JUMP_MIN_CDEG)
		return;
	if (r->speed_count < SPEED_PACKETS)
		r->speed_count++;
	r->speed += ((double)(first_cdeg - r->first_cdeg) / period_ns - r->speed) / r->speed_count;
	r->packet_ns += (period_ns - r->packet_ns) / PERIOD_PACKETS;
	r->packet_ns = fmin(fmax(r->packet_ns, 0.5 * (double)in->packet_ns), 2.0 * (double)in->packet_ns);
}

static void learn_gap(struct rotation *r, const struct sweep *s, unsigned int columns)
{
	check_gap(r, r->first_cdeg);
	r->jump_cdeg = s->jump_cdeg;
	if (s->jump_after == columns)
		return;
	r->gap.known = true;
	r->gap.from_cdeg = in_turn(r->first_cdeg + s->offset_cdeg[s->jump_after]);
	r->gap.to_cdeg = in_turn(r->first_cdeg + s->offset_cdeg[s->jump_after + 1]);
}

/* --- the packet --- */

static void add_column(const struct rotation *r, const struct rotation_turn *t, unsigned int i,
		       uint64_t number, struct decoder_packet *p)
{
	struct decoder_column *c = &p->columns[p->column_count];

	c->time_ns = p->columns[i].time_ns;
	c->frame = t->frame;
	c->place = (uint32_t)(number - t->begin);
	c->number = c->place;
	p->positions[p->column_count++] = (uint16_t)i;
	p->frame = t->frame;
}

static void put_times_right(const struct rotation *r, const struct rotation_packet *in,
			    const struct sweep *s, struct decoder_packet *p)
{
	uint64_t ns = r->speed > 0 ? (uint64_t)fmin(s->jump_cdeg / r->speed, 10e9) : 0;
	unsigned int i;

	for (i = s->jump_after + 1; i < in->column_count; i++)
		p->columns[i].time_ns += ns;
}

static void place_newest(struct rotation *r, const struct rotation_packet *in, const struct sweep *s,
			 uint64_t number, int64_t first_cdeg, struct decoder_packet *p)
{
	uint64_t from = r->next - 1;
	int64_t from_cdeg = r->last_cdeg;
	unsigned int i;

	for (i = 0; i < in->column_count; i++, number++) {
		int64_t cdeg = first_cdeg + s->offset_cdeg[i];

		/* a stream's first column stands in its turn already */
		if (r->begun && (i || number != present_turn(r)->heard))
			advance(r, from, from_cdeg, number, cdeg);
		add_column(r, present_turn(r), i, number, p);
		see(r, cdeg);
		from = number;
		from_cdeg = cdeg;
	}
	r->behind = 0;
	r->time_ns = in->time_ns;
	r->sequence = in->sequence;
	r->next = number;
	r->first_cdeg = first_cdeg;
	r->last_cdeg = from_cdeg;
	learn_gap(r, s, in->column_count);
}

static const struct rotation_turn *find_number(const struct rotation *r, uint64_t number)
{
	unsigned int i;

	for (i = 0; i < r->turn_count; i++) {
		const struct rotation_turn *t =
			&r->turns[(r->newest + ROTATION_TURNS - i) % ROTATION_TURNS];

		if (number >= t->begin)
			return number < t->end && number >= t->heard ? t : NULL;
	}
	return NULL;
}

/* Sorted in where there are cuts for it. */
static void place_late(struct rotation *r, const struct rotation_packet *in, int64_t count,
		       struct decoder_packet *p)
{
	uint64_t back = (uint64_t)(1 - count) * in->column_count;
	unsigned int i;

	p->frame = present_turn(r)->frame - FRAMES_BACK;
	if (count < -LATE_PACKETS_MAX || back > r->next)
		return;
	for (i = 0; i < in->column_count; i++) {
		const struct rotation_turn *t = find_number(r, r->next - back + i);

		if (t && (!p->column_count || t->frame - p->columns[0].frame <= 1))
			add_column(r, t, i, r->next - back + i, p);
	}
}

int rotation_place(struct rotation *r, const struct rotation_packet *in, struct decoder_packet *p)
{
	int64_t count = 1, first_cdeg = 0;
	struct sweep s;
	uint64_t number;

	if (!in->column_count || !sweep_packet(in, &s))
		return DECODER_BAD;
	p->column_count = 0;
	p->place = 0;
	if (!r->begun || !count_packets(r, in, &count, &first_cdeg)) {
		number = begin_stream(r, in, &s, &first_cdeg);
		put_times_right(r, in, &s, p);
		place_newest(r, in, &s, number, first_cdeg, p);
		return DECODER_POINTS;
	}
	put_times_right(r, in, &s, p);
	if (count <= 0) {
		place_late(r, in, count, p);
		return DECODER_POINTS;
	}
	if (count == 1)
		learn_speed(r, in, first_cdeg);
	place_newest(r, in, &s, r->next + (uint64_t)(count - 1) * in->column_count, first_cdeg, p);
	return DECODER_POINTS;
}
