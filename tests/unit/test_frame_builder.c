/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder alone, with a sensor made up here: a datagram is a struct
 * fake_packet.  Each column fires at 1 us times its number and has as many
 * points as fake.points says, whose ring and range tell where they come from.
 */
#include "daemon/frame_builder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
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

static bool lag(uint32_t packet, uint32_t column, uint32_t *place)
{
	if (packet == 3)
		return column < 3;
	*place -= packet < 3 ? 0 : 10;
	return packet != 4 || column >= 5;
}

static int fake_look(struct decoder *d, const void *datagram, size_t bytes,
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

static uint32_t fake_points(const struct decoder *d, const struct decoder_packet *p,
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

static void fake_restart(struct decoder *d)
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
static void setup(void)
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

static void teardown(void)
{
	b = frame_builder_free(b);
	if (loans.count)
		cr_expect(heap_loans_check(&loans), "written where nothing may be written");
	heap_loans_deinit(&loans);
}

TestSuite(frame_builder, .init = setup, .fini = teardown);

static void lend_all(void)
{
	while (frame_builder_wants(b)) {
		struct loan *l = heap_loans_take(&loans, frame_builder_wants(b));

		if (!l)
			return;
		frame_builder_lend(b, l);
	}
}

static void build_or_fail(unsigned int loan_count)
{
	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, LIDARD_SLICE_REPLAYED, &b,
				       &problem), 0, "%s", problem.text);
	heap_loans_init(&loans, loan_count, frame_builder_wants(b));
	lend_all();
}

static void push_packet(struct fake_packet p)
{
	static uint64_t arrival_ns = 1000;

	frame_builder_push(b, &p, sizeof(p), ++arrival_ns);
}

static void push(uint64_t frame, uint32_t place)
{
	push_packet((struct fake_packet){ .frame = frame, .place = place });
}

static void push_range(uint64_t frame, uint32_t from, uint32_t to)
{
	for (; from < to; from++)
		push(frame, from);
}

/* The next slice's header; the loan stays with the test until the end. */
static void take_or_fail(uint32_t index)
{
	cr_assert_eq(frame_builder_take(b, &loan), 1, "slice %u is not there", index);
	h = *loan->header;
	cr_assert_eq(h.slice_index, index, "slice %u, not %u", h.slice_index, index);
	cr_assert_eq(h.payload_bytes, (uint64_t)h.point_count * h.point_step);
	cr_assert_leq(h.payload_bytes, loan->capacity_bytes);
}

static void expect_none(void)
{
	cr_assert_eq(frame_builder_take(b, &loan), 0, "slice %u came", loan->header->slice_index);
}

static void give_back(void)
{
	heap_loans_give_back(&loans, loan);
	lend_all();
}

/* Every point's time, its slice's and its own offset, is its column's. */
static void expect_times(uint64_t frame)
{
	const struct lidard_point_xyzirt *p = loan->data;
	uint32_t i;

	for (i = 0; i < h.point_count; i++) {
		uint64_t column = frame * 64 + (uint64_t)p[i].range;
		uint64_t time_ns = h.sensor_time_ns + p[i].time_offset_ns;

		cr_assert_eq(time_ns, 1000000 + column * COLUMN_NS + p[i].ring, "point %u", i);
	}
}

Test(frame_builder, a_frame_becomes_slices_of_fixed_columns)
{
	uint32_t k;

	build_or_fail(8);
	push_range(5, 0, 8);
	for (k = 0; k < 4; k++) {
		take_or_fail(k);
		cr_assert_eq(h.header_bytes, sizeof(h));
		cr_assert_eq(h.frame_id, 5);
		cr_assert_eq(h.slice_count, 4);
		cr_assert_eq(h.first_column, 16 * k);
		cr_assert_eq(h.column_count, 16);
		cr_assert_eq(h.point_count, 64);
		cr_assert_eq(h.point_step, POINT);
		cr_assert_eq(h.format, LIDARD_FORMAT_XYZIRT);
		cr_assert_eq(h.seq, k);
		cr_assert_eq(h.lost_before, 0);
		cr_assert_eq(h.missing_columns, 0);
		cr_assert_eq(h.lost_packets, 0);
		cr_assert_eq(h.flags, LIDARD_SLICE_REPLAYED | LIDARD_SLICE_FIRST_BYTE_VALID |
			     LIDARD_SLICE_SENSOR_TIME_VALID | (k == 3 ? LIDARD_SLICE_LAST : 0));
		cr_assert_eq(h.sensor_clock, LIDARD_CLOCK_TAI);
		cr_assert_eq(h.clock_lock, LIDARD_CLOCK_LOCK_LOCKED);
		cr_assert_eq(h.sensor_time_ns, 1000000 + (5 * 64 + 16 * k) * COLUMN_NS);
		cr_assert_eq(h.sensor_end_time_ns, h.sensor_time_ns + 15 * COLUMN_NS);
		cr_assert_gt(h.filled_ns, h.first_byte_ns);
		expect_times(5);
	}
	expect_none();
	cr_assert_eq(source.stats.frames, 1);
	cr_assert_eq(source.stats.partial_frames, 0);
	cr_assert_eq(source.stats.packets, 8);
	cr_assert_eq(source.stats.produced, 4);
}

Test(frame_builder, a_slice_is_handed_out_with_its_last_column)
{
	build_or_fail(8);
	push(0, 0);
	expect_none();
	push(0, 1);
	take_or_fail(0);
	expect_none();
}

Test(frame_builder, the_first_slice_may_be_smaller)
{
	config.first_slice_bytes = 4 * 4 * POINT + 7;
	build_or_fail(8);
	push_range(0, 0, 8);
	take_or_fail(0);
	cr_assert_eq(h.column_count, 4);
	cr_assert_eq(h.slice_count, 5);
	take_or_fail(1);
	cr_assert_eq(h.first_column, 4);
	cr_assert_eq(h.column_count, 16);
	take_or_fail(2);
	take_or_fail(3);
	take_or_fail(4);
	cr_assert_eq(h.column_count, 12);
	cr_assert_eq(h.first_column + h.column_count, 64);
	cr_assert(h.flags & LIDARD_SLICE_LAST);
}

Test(frame_builder, a_frame_may_be_one_slice_and_a_column_too)
{
	config.slice_bytes = 1 << 20;
	build_or_fail(4);
	push_range(0, 0, 8);
	take_or_fail(0);
	cr_assert_eq(h.slice_count, 1);
	cr_assert_eq(h.point_count, 256);
	cr_assert(h.flags & LIDARD_SLICE_LAST);
	teardown();

	config.slice_bytes = 4 * POINT;
	config.loans = 100;
	build_or_fail(100);
	push_range(0, 0, 8);
	for (uint32_t k = 0; k < 64; k++) {
		take_or_fail(k);
		cr_assert_eq(h.point_count, 4);
	}
	expect_none();
}

Test(frame_builder, dual_returns_need_twice_the_room)
{
	fake.base.geometry.column_points = 8;
	fake.points = 8;
	build_or_fail(10);
	cr_assert_eq(loans.capacity_bytes, 8 * 8 * POINT);
	push_range(0, 0, 8);
	for (uint32_t k = 0; k < 8; k++) {
		take_or_fail(k);
		cr_assert_eq(h.slice_count, 8);
		cr_assert_eq(h.payload_bytes, loan->capacity_bytes);
	}
}

Test(frame_builder, slices_that_cannot_be_are_refused_with_a_sentence)
{
	config.slice_bytes = 4 * POINT - 1;
	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, 0, &b, &problem), -EINVAL);
	cr_assert(strstr(problem.text, "slice_bytes = 127") && strstr(problem.text, "128"), "%s",
		  problem.text);
	config.slice_bytes = 1 << 20;
	config.first_slice_bytes = 5;
	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, 0, &b, &problem), -EINVAL);
	cr_assert(strstr(problem.text, "first_slice_bytes = 5"), "%s", problem.text);
	config.first_slice_bytes = 0;
	config.slice_bytes = 4 * POINT;
	fake.base.geometry.frame_columns = 101;
	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, 0, &b, &problem), -EINVAL);
	cr_assert(strstr(problem.text, "101 slices") && strstr(problem.text, "slice_bytes = 256"),
		  "%s", problem.text);
	fake.base.geometry.frame_columns = 100;
	fake.base.geometry.frame_packets = 13;
	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, 0, &b, &problem), 0);
}

Test(frame_builder, a_lost_packet_makes_slice_and_frame_partial)
{
	build_or_fail(8);
	push_range(0, 0, 2);
	push_range(0, 3, 8);
	take_or_fail(0);
	cr_assert_eq(h.flags & LIDARD_SLICE_PARTIAL, 0);
	take_or_fail(1);
	cr_assert(h.flags & LIDARD_SLICE_PARTIAL);
	cr_assert_eq(h.missing_columns, 8);
	cr_assert_eq(h.lost_packets, 1);
	cr_assert_eq(h.point_count, 32);
	take_or_fail(2);
	take_or_fail(3);
	cr_assert_eq(h.flags & (LIDARD_SLICE_PARTIAL | LIDARD_FRAME_PARTIAL | LIDARD_SLICE_LAST),
		     LIDARD_FRAME_PARTIAL | LIDARD_SLICE_LAST);
	cr_assert_eq(source.stats.lost_packets, 1);
	cr_assert_eq(source.stats.missing_columns, 8);
	cr_assert_eq(source.stats.partial_frames, 1);
}

Test(frame_builder, a_partial_slice_waits_two_packets_beyond_its_end)
{
	build_or_fail(8);
	push(0, 0);
	push(0, 2);
	push(0, 3);
	expect_none();
	push(0, 4); /* slice 0 ends with packet 1, packets 2 and 3 have gone by */
	take_or_fail(0);
	cr_assert_eq(h.missing_columns, 8);
}

Test(frame_builder, reordered_packets_land_where_they_belong)
{
	static const uint32_t order[] = { 1, 0, 3, 4, 2, 6, 5, 7 };

	build_or_fail(8);
	for (size_t i = 0; i < 8; i++)
		push(0, order[i]);
	push(1, 0);
	for (uint32_t k = 0; k < 4; k++) {
		take_or_fail(k);
		cr_assert_eq(h.missing_columns, 0);
		cr_assert_eq(h.sensor_time_ns, 1000000 + 16 * k * COLUMN_NS);
		cr_assert_eq(h.sensor_end_time_ns, h.sensor_time_ns + 15 * COLUMN_NS);
		expect_times(0);
	}
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.late_packets, 0);
}

Test(frame_builder, reordering_across_frames_is_reordering_too)
{
	build_or_fail(8);
	push_range(0, 0, 7);
	push(1, 0);
	push(0, 7);
	push_range(1, 1, 8);
	for (uint32_t i = 0; i < 8; i++) {
		take_or_fail(i % 4);
		cr_assert_eq(h.frame_id, i / 4);
		cr_assert_eq(h.missing_columns, 0);
	}
	cr_assert_eq(source.stats.partial_frames, 0);
}

Test(frame_builder, duplicates_change_nothing)
{
	build_or_fail(8);
	push(0, 0);
	push(0, 0);
	push(0, 1);
	take_or_fail(0);
	cr_assert_eq(h.point_count, 64);
	cr_assert_eq(source.stats.late_packets, 0);
	push(0, 1);
	cr_assert_eq(source.stats.late_packets, 1);
}

Test(frame_builder, late_packets_are_counted_and_lost_ones_stay_lost)
{
	build_or_fail(8);
	push(0, 0);
	push_range(0, 2, 7);
	push(0, 1);
	cr_assert_eq(source.stats.late_packets, 1);
	cr_assert_eq(source.stats.lost_packets, 1);
	take_or_fail(0);
	cr_assert_eq(h.point_count, 32);
}

Test(frame_builder, a_stream_that_begins_in_the_middle_is_partial_but_lost_nothing)
{
	build_or_fail(8);
	push_range(0, 3, 8);
	push_range(1, 0, 8);
	take_or_fail(1);
	cr_assert_eq(h.missing_columns, 8);
	cr_assert(h.flags & LIDARD_SLICE_PARTIAL);
	cr_assert_eq(h.lost_packets, 0);
	take_or_fail(2);
	take_or_fail(3);
	cr_assert(h.flags & LIDARD_FRAME_PARTIAL);
	take_or_fail(0);
	cr_assert_eq(h.frame_id, 1);
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.partial_frames, 1);
}

Test(frame_builder, a_stream_that_ends_in_the_middle_is_partial_but_lost_nothing)
{
	build_or_fail(8);
	push_range(0, 0, 5);
	frame_builder_flush(b);
	take_or_fail(0);
	take_or_fail(1);
	take_or_fail(2);
	cr_assert_eq(h.missing_columns, 8);
	cr_assert_eq(h.lost_packets, 0);
	cr_assert_eq(h.flags & LIDARD_SLICE_LAST, 0);
	expect_none();
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.frames, 1);
	cr_assert_eq(source.stats.partial_frames, 1);
}

Test(frame_builder, slices_of_which_nothing_came_are_empty_and_come)
{
	build_or_fail(16);
	push_range(0, 0, 2);
	push_range(1, 7, 8);
	frame_builder_flush(b);
	for (uint32_t i = 0; i < 8; i++) {
		take_or_fail(i % 4);
		cr_assert_eq(h.frame_id, i / 4);
		cr_assert_eq(h.point_count, i == 0 ? 64 : i == 7 ? 32 : 0);
		if (i > 0 && i < 7)
			cr_assert_eq(h.flags & (LIDARD_SLICE_SENSOR_TIME_VALID |
						LIDARD_SLICE_FIRST_BYTE_VALID), 0);
	}
	cr_assert_eq(source.stats.lost_packets, 6 + 7);
	cr_assert_eq(source.stats.missing_columns, 13 * 8);
}

Test(frame_builder, whole_frames_that_are_missing_count_their_packets)
{
	build_or_fail(16);
	push_range(0, 0, 8);
	push_range(4, 0, 8);
	for (uint32_t i = 0; i < 8; i++) {
		take_or_fail(i % 4);
		cr_assert_eq(h.frame_id, i / 4 * 4);
		cr_assert_eq(h.lost_packets, 0);
	}
	cr_assert_eq(source.stats.lost_packets, 3 * 8);
	cr_assert_eq(source.stats.partial_frames, 0);
}

Test(frame_builder, absurd_jumps_count_nothing)
{
	build_or_fail(16);
	push_range(0, 0, 7);
	push_range(1000000, 2, 8);
	take_or_fail(0);
	take_or_fail(1);
	take_or_fail(2);
	take_or_fail(3);
	cr_assert_eq(h.missing_columns, 8);
	take_or_fail(1);
	cr_assert_eq(h.frame_id, 1000000);
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.frames, 2);
}

Test(frame_builder, a_sensor_that_begins_anew_is_followed_and_frames_go_on)
{
	uint64_t frame = 0;
	uint32_t taken = 0;

	build_or_fail(32);
	push_range(500, 0, 8);
	for (frame = 0; frame < 4; frame++)
		push_range(frame, 0, 8);
	frame = 0;
	while (frame_builder_take(b, &loan)) {
		cr_assert_geq(loan->header->frame_id, frame);
		frame = loan->header->frame_id;
		taken++;
	}
	cr_assert_geq(frame, 502);
	cr_assert_geq(taken, 4 * 4);
	cr_assert_leq(source.stats.late_packets, 8);
	cr_assert_eq(source.stats.lost_packets, 0);
}

Test(frame_builder, without_a_loan_a_slice_is_dropped_whole_and_counted_once)
{
	build_or_fail(1);
	push_range(0, 0, 4);
	take_or_fail(0);
	cr_assert_eq(h.seq, 0);
	cr_assert_eq(source.stats.dropped[SOURCE_DROP_NO_LOAN], 1);
	give_back();
	push_range(0, 4, 6);
	take_or_fail(2);
	cr_assert_eq(h.seq, 2);
	cr_assert_eq(h.lost_before, 1);
	cr_assert_eq(source.stats.produced, 3);
}

Test(frame_builder, a_loan_that_comes_in_the_middle_of_a_slice_serves_the_next)
{
	build_or_fail(1);
	push_range(0, 0, 3);
	take_or_fail(0);
	give_back();
	push(0, 3);
	expect_none();
	push_range(0, 4, 6);
	take_or_fail(2);
	cr_assert_eq(h.lost_before, 1);
	cr_assert_eq(h.point_count, 64);
}

Test(frame_builder, at_any_time_produced_is_taken_plus_dropped)
{
	uint64_t taken = 0;

	build_or_fail(3);
	for (uint64_t i = 0; i < 500; i++) {
		uint64_t dropped;

		if (i * 7 % 11 != 3)
			push(i / 8, (uint32_t)(i % 8));
		if (i % 13 == 0 && frame_builder_take(b, &loan)) {
			cr_assert_eq(loan->header->seq, source.stats.produced - 1 -
				     (source.next_seq - 1 - loan->header->seq));
			taken++;
			give_back();
		}
		dropped = source.stats.dropped[SOURCE_DROP_NO_LOAN];
		cr_assert_eq(source.stats.produced, taken + dropped);
		cr_assert_eq(source.stats.produced, source.next_seq);
	}
	frame_builder_reset(b);
	cr_assert_gt(source.stats.dropped[SOURCE_DROP_STOPPED], 0);
	cr_assert_eq(source.stats.produced, taken + source.stats.dropped[SOURCE_DROP_NO_LOAN] +
		     source.stats.dropped[SOURCE_DROP_STOPPED]);
}

Test(frame_builder, seq_and_lost_before_add_up)
{
	uint64_t next = 0;

	build_or_fail(2);
	for (uint64_t i = 0; i < 400; i++) {
		push(i / 8, (uint32_t)(i % 8));
		if (i % 7 == 0 && frame_builder_take(b, &loan)) {
			cr_assert_eq(loan->header->seq, next + loan->header->lost_before);
			next = loan->header->seq + 1;
			give_back();
		}
	}
	cr_assert_gt(source.stats.dropped[SOURCE_DROP_NO_LOAN], 0);
}

Test(frame_builder, reset_drops_what_is_half_done_and_forgets_all_loans)
{
	build_or_fail(8);
	push_range(0, 0, 5);
	frame_builder_reset(b);
	expect_none();
	cr_assert_eq(source.stats.dropped[SOURCE_DROP_STOPPED], 3);
	cr_assert_eq(source.stats.produced, 3);
	heap_loans_give_back_all(&loans);
	push_range(0, 0, 2);
	cr_assert(heap_loans_check(&loans));
	cr_assert_eq(source.stats.dropped[SOURCE_DROP_NO_LOAN], 1);
}

Test(frame_builder, after_a_restart_frames_and_time_go_on)
{
	uint64_t end_ns = 0;

	build_or_fail(32);
	for (uint64_t round = 0; round < 3; round++) {
		push_range(7, 0, 8);
		push_range(8, 0, 8);
		for (uint32_t i = 0; i < 8; i++) {
			take_or_fail(i % 4);
			cr_assert_eq(h.frame_id, 7 + 2 * round + i / 4);
			if (i == 0 && round)
				cr_assert_eq(h.sensor_time_ns, end_ns + 5000);
			cr_assert_gt(h.sensor_time_ns, end_ns);
			end_ns = h.sensor_end_time_ns;
			give_back();
		}
		frame_builder_restart(b, 5000);
	}
	cr_assert_eq(fake.restarts, 3);
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.frames, 6);
	cr_assert_eq(source.stats.partial_frames, 0);
}

Test(frame_builder, a_restart_in_the_middle_of_a_frame_ends_it)
{
	build_or_fail(32);
	push_range(7, 0, 5);
	frame_builder_restart(b, 5000);
	push_range(7, 3, 8);
	take_or_fail(0);
	take_or_fail(1);
	take_or_fail(2);
	take_or_fail(1);
	cr_assert_eq(h.frame_id, 8);
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.partial_frames, 2);
}

Test(frame_builder, a_packet_without_valid_columns_is_not_lost)
{
	build_or_fail(8);
	push(0, 0);
	push_packet((struct fake_packet){ .place = 1, .invalid = 0xff });
	push_range(0, 2, 8);
	take_or_fail(0);
	cr_assert_eq(h.missing_columns, 8);
	cr_assert_eq(h.lost_packets, 0);
	cr_assert_eq(source.stats.lost_packets, 0);
}

Test(frame_builder, a_column_window_that_ends_within_a_packet_is_whole)
{
	fake.base.geometry.frame_columns = 60;
	build_or_fail(8);
	push_range(0, 0, 8);
	push_range(1, 0, 1);
	for (uint32_t k = 0; k < 4; k++)
		take_or_fail(k);
	cr_assert_eq(h.column_count, 12);
	cr_assert_eq(h.missing_columns, 0);
	cr_assert_eq(source.stats.lost_packets, 0);
}

Test(frame_builder, a_column_window_with_a_hole_is_whole)
{
	fake.hole = true;
	fake.base.geometry.frame_columns = 54;
	build_or_fail(8);
	push_range(0, 0, 8);
	push_range(1, 0, 8);
	for (uint32_t i = 0; i < 8; i++) {
		take_or_fail(i % 4);
		cr_assert_eq(h.missing_columns, 0);
		cr_assert_eq(h.lost_packets, 0);
	}
	cr_assert_eq(source.stats.lost_packets, 0);
	push_range(2, 0, 5);
	push_range(2, 6, 8);
	push_range(3, 0, 8);
	cr_assert_eq(source.stats.lost_packets, 1);
	cr_assert_eq(source.stats.missing_columns, 8);
}

Test(frame_builder, crc_covers_the_payload)
{
	config.crc = true;
	build_or_fail(8);
	push_range(0, 0, 2);
	take_or_fail(0);
	cr_assert(h.flags & LIDARD_SLICE_CRC_VALID);
	cr_assert_eq(h.crc32c, crc32c(0, loan->data, h.payload_bytes));
	cr_assert_eq(crc32c(0, "123456789", 9), 0xe3069283);
}

Test(frame_builder, times_far_off_saturate_and_do_not_wrap)
{
	const struct lidard_point_xyzirt *p;

	build_or_fail(8);
	push(0, 0);
	push_packet((struct fake_packet){ .place = 1, .skew_ns = -900000 });
	take_or_fail(0);
	cr_assert_eq(h.sensor_time_ns, 1000000 + 8 * COLUMN_NS - 900000);
	p = loan->data;
	cr_assert_eq(h.sensor_time_ns + p[0].time_offset_ns, 1000000);

	push(0, 2);
	push_packet((struct fake_packet){ .place = 3, .skew_ns = -20000000000 });
	take_or_fail(1);
	cr_assert_eq(h.sensor_time_ns, 1000000 + 16 * COLUMN_NS);
	p = loan->data;
	cr_assert_eq(p[63].time_offset_ns, 0);

	push(0, 4);
	push_packet((struct fake_packet){ .place = 5, .skew_ns = 20000000000 });
	take_or_fail(2);
	p = loan->data;
	cr_assert_eq(h.sensor_end_time_ns, h.sensor_time_ns + 7 * COLUMN_NS);
	cr_assert_eq(p[63].time_offset_ns, INT32_MAX);
}

Test(frame_builder, a_sensor_without_a_clock_gives_no_time)
{
	fake.base.geometry.sensor_clock = LIDARD_CLOCK_NONE;
	build_or_fail(8);
	push_range(0, 0, 2);
	take_or_fail(0);
	cr_assert_eq(h.flags & LIDARD_SLICE_SENSOR_TIME_VALID, 0);
	cr_assert_eq(h.sensor_time_ns, 0);
}

Test(frame_builder, no_points_still_make_a_slice)
{
	fake.points = 0;
	build_or_fail(8);
	push_range(0, 0, 2);
	take_or_fail(0);
	cr_assert_eq(h.point_count, 0);
	cr_assert_eq(h.missing_columns, 0);
	cr_assert(h.flags & LIDARD_SLICE_SENSOR_TIME_VALID);
}

Test(frame_builder, other_and_damaged_packets_are_counted)
{
	build_or_fail(8);
	frame_builder_push(b, "x", 1, 0);
	frame_builder_push(b, "xy", 2, 0);
	push(0, 8);
	cr_assert_eq(source.stats.ignored_packets, 1);
	cr_assert_eq(source.stats.bad_packets, 2);
	cr_assert_eq(source.stats.packets, 0);
}

Test(frame_builder, frame_numbers_at_the_end_of_the_world_are_survived)
{
	static const uint64_t frames[] = { UINT64_MAX, UINT64_MAX / 2, 1ull << 44, 0, 3,
					   UINT64_MAX - 1 };

	build_or_fail(32);
	for (size_t i = 0; i < 200; i++)
		push(frames[i / 9 % 6], (uint32_t)(i % 8));
	frame_builder_flush(b);
	while (frame_builder_take(b, &loan))
		give_back();
	cr_assert_lt(source.stats.lost_packets, 200 * 1000 * 8);
}

Test(frame_builder, a_patient_push_waits_for_loans_and_loses_nothing)
{
	uint64_t next = 0;

	config.slice_bytes = 4 * POINT; /* each column is a slice */
	config.loans = 3;
	build_or_fail(3);
	for (uint32_t i = 0; i < 16; i++) {
		struct fake_packet p = { .frame = i / 8, .place = i % 8 };
		int done = frame_builder_push_patient(b, &p, sizeof(p), 1000);

		for (;;) {
			while (frame_builder_take(b, &loan)) {
				cr_assert_eq(loan->header->seq, next++);
				give_back();
			}
			if (done)
				break;
			done = frame_builder_resume(b);
		}
	}
	cr_assert_eq(next, 128);
	cr_assert_eq(source.stats.dropped[SOURCE_DROP_NO_LOAN], 0);
}

Test(frame_builder, a_patient_push_does_not_wait_for_loans_that_wait_for_columns)
{
	config.slice_bytes = 8 * 4 * POINT; /* each packet is a slice */
	config.loans = 2;
	build_or_fail(2);
	for (uint32_t i = 0; i < 16; i++) {
		struct fake_packet p = { .frame = i / 8, .place = i % 8 };
		int done;

		if (i % 3 == 1)
			continue;
		done = frame_builder_push_patient(b, &p, sizeof(p), 1000);
		for (unsigned int tries = 0; tries < 10; tries++) {
			while (frame_builder_take(b, &loan))
				give_back();
			if (done)
				break;
			done = frame_builder_resume(b);
		}
		cr_assert(done, "packet %u", i);
	}
	cr_assert_eq(source.stats.dropped[SOURCE_DROP_NO_LOAN], 0);
}

Test(frame_builder, the_last_slice_of_a_stream_that_ends_says_so)
{
	build_or_fail(8);
	frame_builder_end_with_flush(b);
	push_range(0, 0, 8);
	for (uint32_t k = 0; k < 3; k++) {
		take_or_fail(k);
		cr_assert_eq(h.flags & LIDARD_SLICE_END_OF_STREAM, 0);
	}
	expect_none();
	frame_builder_flush(b);
	take_or_fail(3);
	cr_assert(h.flags & LIDARD_SLICE_END_OF_STREAM);
}
