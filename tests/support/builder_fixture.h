/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder_fixture.h - a frame builder, a made-up sensor before it, loans of plain memory behind
 *
 * A datagram is a struct fake_packet.  Each column fires at 1 us times its
 * number and has as many points as fake.points says, whose ring and range tell
 * where they come from.  A test's suite begins with setup() and ends with
 * teardown(); each file that includes this has a builder of its own.
 */
#ifndef TESTS_SUPPORT_BUILDER_FIXTURE_H
#define TESTS_SUPPORT_BUILDER_FIXTURE_H

#include "daemon/frame_builder.h"

#include <criterion/criterion.h>
#include <string.h>

#include "daemon/config.h"
#include "tests/support/heap_loans.h"

#define POINT sizeof(struct lidard_point_xyzirt)
#define COLUMN_NS 1000u

struct fake_packet {
	uint64_t frame;
	uint32_t place;
	/** Bit i: column i is not valid. */
	uint32_t invalid;
	/** Added to the columns' time. */
	int64_t skew_ns;
};

struct fake {
	struct decoder base;
	uint32_t points;
	/** The window wraps: packets 3 and 4 have 3 columns in it, so places lag behind packets. */
	bool hole;
	unsigned int restarts;
};

static inline bool lag(uint32_t packet, uint32_t column, uint32_t *place)
{
	if (packet == 3)
		return column < 3;
	*place -= packet < 3 ? 0 : 10;
	return packet != 4 || column >= 5;
}

static inline int fake_look(struct decoder *d, const void *datagram, size_t bytes,
		     struct decoder_packet *p)
{
	const struct fake_packet *in = datagram;
	uint32_t i;

	if (bytes == 1)
		return DECODER_IGNORED;
	if (bytes != sizeof(*in))
		return DECODER_BAD;
	p->data = datagram;
	p->bytes = bytes;
	p->frame = in->frame;
	p->place = in->place;
	p->column_count = 0;
	for (i = 0; i < d->geometry.packet_columns; i++) {
		struct decoder_column *c = &p->columns[p->column_count];

		c->place = in->place * d->geometry.packet_columns + i;
		if (((struct fake *)d)->hole && !lag(in->place, i, &c->place))
			continue;
		if ((in->invalid >> i & 1) || c->place >= d->geometry.frame_columns)
			continue;
		c->frame = in->frame;
		c->number = c->place;
		c->time_ns = 1000000 + (uint64_t)in->skew_ns +
			     (in->frame * d->geometry.frame_columns + c->place) * COLUMN_NS;
		p->column_count++;
	}
	return DECODER_POINTS;
}

static inline uint32_t fake_points(const struct decoder *d, const struct decoder_packet *p,
			    unsigned int index, struct lidard_point_xyzirt *points)
{
	const struct fake *f = (const struct fake *)d;
	uint32_t i;

	memset(points, 0, f->points * POINT);
	for (i = 0; i < f->points; i++) {
		points[i].ring = (uint16_t)i;
		points[i].range = (float)p->columns[index].number;
		points[i].time_offset_ns = i;
	}
	return f->points;
}

static inline void fake_restart(struct decoder *d)
{
	((struct fake *)d)->restarts++;
}

static const struct decoder_ops fake_ops = {
	.name = "fake",
	.look = fake_look,
	.points = fake_points,
	.restart = fake_restart,
};

static struct fake fake;
static struct sensor_config config;
static struct source source;
static struct frame_builder *b;
static struct heap_loans loans;
static struct problem problem;
static struct loan *loan;
static struct lidard_slice_header h;

/* 64 columns of 4 points in packets of 8 columns; slices of 16 columns */
static inline void setup(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(&source, 0, sizeof(source));
	fake.base.ops = &fake_ops;
	fake.base.geometry = (struct decoder_geometry){
		.frame_columns = 64, .column_points = 4, .packet_columns = 8, .frame_packets = 8,
		.sensor_clock = LIDARD_CLOCK_TAI, .clock_lock = LIDARD_CLOCK_LOCK_LOCKED };
	fake.points = 4;
	memset(&config, 0, sizeof(config));
	strcpy(config.name, "fake");
	config.slice_bytes = 16 * 4 * POINT;
	config.loans = 32;
}

static inline void teardown(void)
{
	b = frame_builder_free(b);
	if (loans.count)
		cr_expect(heap_loans_check(&loans), "written where nothing may be written");
	heap_loans_deinit(&loans);
}

static inline void lend_all(void)
{
	while (frame_builder_wants(b)) {
		struct loan *l = heap_loans_take(&loans, frame_builder_wants(b));

		if (!l)
			return;
		frame_builder_lend(b, l);
	}
}

static inline void build_or_fail(unsigned int loan_count)
{
	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, LIDARD_SLICE_REPLAYED, &b,
				       &problem), 0, "%s", problem.text);
	heap_loans_init(&loans, loan_count, frame_builder_wants(b));
	lend_all();
}

static inline void push_packet(struct fake_packet p)
{
	static uint64_t arrival_ns = 1000;

	frame_builder_push(b, &p, sizeof(p), ++arrival_ns);
}

static inline void push(uint64_t frame, uint32_t place)
{
	push_packet((struct fake_packet){ .frame = frame, .place = place });
}

static inline void push_range(uint64_t frame, uint32_t from, uint32_t to)
{
	for (; from < to; from++)
		push(frame, from);
}

/* The next slice's header; the loan stays with the test until the end. */
static inline void take_or_fail(uint32_t index)
{
	cr_assert_eq(frame_builder_take(b, &loan), 1, "slice %u is not there", index);
	h = *loan->header;
	cr_assert_eq(h.slice_index, index, "slice %u, not %u", h.slice_index, index);
	cr_assert_eq(h.payload_bytes, (uint64_t)h.point_count * h.point_step);
	cr_assert_leq(h.payload_bytes, loan->capacity_bytes);
}

static inline void expect_none(void)
{
	cr_assert_eq(frame_builder_take(b, &loan), 0, "slice %u came", loan->header->slice_index);
}

static inline void give_back(void)
{
	heap_loans_give_back(&loans, loan);
	lend_all();
}

/* Every point's time, its slice's and its own offset, is its column's. */
static inline void expect_times(uint64_t frame)
{
	const struct lidard_point_xyzirt *p = loan->data;
	uint32_t i;

	for (i = 0; i < h.point_count; i++) {
		uint64_t column = frame * 64 + (uint64_t)p[i].range;
		uint64_t time_ns = h.sensor_time_ns + p[i].time_offset_ns;

		cr_assert_eq(time_ns, 1000000 + column * COLUMN_NS + p[i].ring, "point %u", i);
	}
}

#endif /* TESTS_SUPPORT_BUILDER_FIXTURE_H */
