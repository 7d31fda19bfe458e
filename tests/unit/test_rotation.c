/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns of a sensor that only says azimuth and time, cut into frames and
 * slices by the builder.  A datagram is a struct rotation_packet of 12 columns;
 * each column has one point, whose ring is the packet's number and whose signal
 * the column's azimuth.
 */
#include "decoder/rotation.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/config.h"
#include "daemon/frame_builder.h"
#include "tests/support/heap_loans.h"

#define COLUMNS 12
#define COLUMN_NS 100000u
#define PACKET_NS (COLUMNS * COLUMN_NS)
#define COLUMNS_MAX 2000
#define SLICE_COLUMNS 100
#define FRAMES_MAX 64

struct fake {
	struct decoder base;
	struct rotation rotation;
};

static int fake_look(struct decoder *d, const void *datagram, size_t bytes, struct decoder_packet *p)
{
	const struct rotation_packet *in = datagram;
	unsigned int i;

	p->data = datagram;
	p->bytes = bytes;
	for (i = 0; i < in->column_count; i++)
		p->columns[i].time_ns = in->time_ns + i * COLUMN_NS;
	return rotation_place(&((struct fake *)d)->rotation, in, p);
}

static uint32_t fake_points(const struct decoder *d, const struct decoder_packet *p,
			    unsigned int index, struct lidard_point_xyzirt *points)
{
	const struct rotation_packet *in = (const void *)p->data;

	memset(points, 0, sizeof(*points));
	points->signal = in->azimuth_cdeg[p->positions[index]];
	return 1;
}

static void fake_restart(struct decoder *d)
{
	rotation_restart(&((struct fake *)d)->rotation);
}

static const struct decoder_ops fake_ops = {
	.name = "fake", .look = fake_look, .points = fake_points, .restart = fake_restart,
};

/* What came of a frame. */
struct frame {
	uint64_t id;
	uint32_t points, slices, lost, missing;
	bool last, partial;
	uint16_t first_cdeg, last_cdeg;
};

static struct fake fake;
static struct sensor_config config;
static struct source source;
static struct frame_builder *b;
static struct heap_loans loans;
static struct frame frames[FRAMES_MAX];
static unsigned int frame_count;

/* The sensor: it turns on by step_cdeg a column, and is silent from gap_from to gap_to. */
static struct {
	uint64_t column;
	uint32_t step_cdeg;
	uint32_t start_cdeg;
	uint32_t gap_from, gap_to;
	uint32_t sequence;
} sensor;

static uint32_t azimuth_of(uint64_t column)
{
	return (uint32_t)((sensor.start_cdeg + column * sensor.step_cdeg) % ROTATION_TURN_CDEG);
}

static bool in_gap(uint32_t azimuth)
{
	return azimuth >= sensor.gap_from && azimuth < sensor.gap_to;
}

static struct rotation_packet next_packet(void)
{
	struct rotation_packet p = { .packet_ns = PACKET_NS, .column_count = COLUMNS };
	unsigned int i;

	for (i = 0; i < COLUMNS; i++) {
		while (in_gap(azimuth_of(sensor.column)))
			sensor.column++;
		if (i == 0)
			p.time_ns = 5 * NSEC_PER_SEC + sensor.column * COLUMN_NS;
		p.azimuth_cdeg[i] = (uint16_t)azimuth_of(sensor.column++);
	}
	p.sequence = sensor.sequence++;
	return p;
}

static void setup(void)
{
	memset(&sensor, 0, sizeof(sensor));
	sensor.step_cdeg = 40;
	memset(&fake, 0, sizeof(fake));
	memset(&source, 0, sizeof(source));
	frame_count = 0;
	fake.base.ops = &fake_ops;
	fake.base.rotation = &fake.rotation;
	fake.rotation.columns_max = COLUMNS_MAX;
	fake.base.geometry = (struct decoder_geometry){
		.frame_columns = COLUMNS_MAX, .column_points = 1, .packet_columns = COLUMNS,
		.frame_packets = COLUMNS_MAX / COLUMNS + 1, .sensor_clock = LIDARD_CLOCK_PHC };
	memset(&config, 0, sizeof(config));
	strcpy(config.name, "fake");
	config.slice_bytes = SLICE_COLUMNS * sizeof(struct lidard_point_xyzirt);
	config.loans = 32;
}

static void teardown(void)
{
	b = frame_builder_free(b);
	if (loans.count)
		cr_expect(heap_loans_check(&loans), "written where nothing may be written");
	heap_loans_deinit(&loans);
}

TestSuite(rotation, .init = setup, .fini = teardown);

static void lend_all(void)
{
	size_t wants;
	struct loan *l;

	while ((wants = frame_builder_wants(b)) && (l = heap_loans_take(&loans, wants)))
		frame_builder_lend(b, l);
}

static void begin(void)
{
	struct problem problem = { "" };

	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, 0, &b, &problem), 0, "%s",
		     problem.text);
	heap_loans_init(&loans, 32, frame_builder_wants(b));
	lend_all();
}

static void add_slice(const struct loan *l)
{
	const struct lidard_slice_header *h = l->header;
	const struct lidard_point_xyzirt *p = l->data;
	struct frame *f;

	if (frame_count == 0 || frames[frame_count - 1].id != h->frame_id) {
		cr_assert(frame_count == 0 || h->frame_id > frames[frame_count - 1].id);
		cr_assert_lt(frame_count, FRAMES_MAX);
		memset(&frames[frame_count], 0, sizeof(frames[0]));
		frames[frame_count++].id = h->frame_id;
	}
	f = &frames[frame_count - 1];
	cr_assert_not(f->last, "a slice after the last one");
	cr_assert_eq(h->slice_count, h->flags & LIDARD_SLICE_LAST ? h->slice_index + 1 : 0);
	cr_assert_leq(h->point_count, h->column_count);
	if (!f->points && h->point_count)
		f->first_cdeg = p[0].signal;
	if (h->point_count)
		f->last_cdeg = p[h->point_count - 1].signal;
	f->points += h->point_count;
	f->slices++;
	f->lost += h->lost_packets;
	f->missing += h->missing_columns;
	f->last = h->flags & LIDARD_SLICE_LAST;
	f->partial = h->flags & LIDARD_FRAME_PARTIAL;
}

static void take_all(void)
{
	struct loan *l;

	while (frame_builder_take(b, &l)) {
		add_slice(l);
		heap_loans_give_back(&loans, l);
	}
	lend_all();
}

static void push(const struct rotation_packet *p)
{
	frame_builder_push(b, p, sizeof(*p), 1);
	take_all();
}

static void push_packets(unsigned int count)
{
	struct rotation_packet p;

	while (count--) {
		p = next_packet();
		push(&p);
	}
}

static void lose_packets(unsigned int count)
{
	while (count--)
		next_packet();
}

static void end(void)
{
	frame_builder_flush(b);
	take_all();
}

static uint64_t sum_lost(void)
{
	uint64_t lost = 0;
	unsigned int i;

	for (i = 0; i < frame_count; i++)
		lost += frames[i].lost;
	return lost;
}

/* 900 columns a turn, from azimuth 0 on */
Test(rotation, frames_are_cut_where_the_azimuth_passes_zero)
{
	begin();
	push_packets(3 * 75 + 10);
	end();
	cr_assert_eq(frame_count, 4);
	for (unsigned int i = 0; i < 3; i++) {
		cr_expect_eq(frames[i].id, i);
		cr_expect_eq(frames[i].points, 900);
		cr_expect_eq(frames[i].slices, 9);
		cr_expect_eq(frames[i].first_cdeg, 0);
		cr_expect_eq(frames[i].last_cdeg, 35960);
		cr_expect(frames[i].last && !frames[i].partial && !frames[i].missing);
	}
	cr_expect_eq(frames[3].points, 120);
	cr_expect(frames[3].last && frames[3].partial);
	cr_expect_eq(source.stats.lost_packets, 0);
	cr_expect_eq(source.stats.frames, 4);
	cr_expect_eq(source.stats.partial_frames, 1);
}

Test(rotation, a_packet_is_cut_where_the_azimuth_passes_the_configured_angle)
{
	fake.rotation.cut_cdeg = 27050;
	sensor.step_cdeg = 41;
	begin();
	push_packets(250);
	end();
	cr_assert_eq(frame_count, 4);
	for (unsigned int i = 1; i < 3; i++) {
		cr_expect_geq(frames[i].first_cdeg, 27050);
		cr_expect_lt(frames[i].first_cdeg, 27050 + 41);
		cr_expect_lt(frames[i].last_cdeg, 27050);
		cr_expect_not(frames[i].partial);
	}
	cr_expect_eq(frames[0].points + frames[1].points + frames[2].points + frames[3].points, 3000);
}

Test(rotation, a_stream_that_begins_within_a_turn_has_a_partial_first_frame_without_loss)
{
	sensor.start_cdeg = 18000;
	begin();
	push_packets(75);
	end();
	cr_assert_eq(frame_count, 2);
	cr_expect_eq(frames[0].points, 450);
	cr_expect(frames[0].last && frames[0].partial);
	cr_expect_eq(frames[0].lost + source.stats.lost_packets, 0);
	cr_expect_eq(frames[1].points, 450);
	cr_expect(frames[1].partial);
}

Test(rotation, lost_packets_are_counted_exactly_wherever_they_are)
{
	unsigned int lost = 0, seed = 7;

	sensor.step_cdeg = 41;
	begin();
	push_packets(3);
	for (unsigned int i = 0; i < 2000; i++) {
		unsigned int burst = 1 + rand_r(&seed) % 9;

		if (rand_r(&seed) % 50 == 0) {
			lose_packets(burst);
			lost += burst;
		}
		push_packets(1);
		if (frame_count > FRAMES_MAX / 2)
			frame_count = 0;
	}
	end();
	cr_expect_gt(lost, 50);
	cr_expect_eq(source.stats.lost_packets, lost, "%u", (unsigned int)source.stats.lost_packets - lost);
	cr_expect_eq(source.stats.late_packets, 0);
}

Test(rotation, loss_marks_the_frames_it_touches_and_no_others)
{
	begin();
	push_packets(75 + 20);
	lose_packets(5);
	push_packets(75 * 2);
	end();
	cr_assert_eq(frame_count, 4);
	cr_expect(!frames[0].partial && frames[1].partial && !frames[2].partial);
	cr_expect_eq(frames[1].lost, 5);
	cr_expect_eq(frames[1].missing, 60);
	cr_expect_eq(frames[1].points, 840);
}

Test(rotation, the_cut_is_found_where_its_packets_are_lost)
{
	sensor.step_cdeg = 41;
	begin();
	push_packets(73);
	lose_packets(2); /* columns 876 .. 899; the turn ends behind column 878 */
	push_packets(140);
	end();
	cr_assert_eq(frame_count, 3);
	cr_expect_eq(frames[0].points, 876);
	cr_expect_eq(frames[0].missing, 3);
	cr_expect_eq(frames[0].missing + frames[1].missing, 24);
	cr_expect_eq(source.stats.lost_packets, 2);
	cr_expect_eq(sum_lost(), 2);
}

Test(rotation, whole_turns_that_are_lost_are_counted)
{
	begin();
	push_packets(75 * 2 + 30);
	lose_packets(75 * 5 + 40);
	push_packets(60);
	end();
	cr_assert_eq(frame_count, 5);
	cr_expect_eq(frames[2].id, 2);
	cr_expect_eq(frames[3].id, 7);
	cr_expect_eq(frames[2].points, 360);
	cr_expect_eq(frames[2].missing, 540);
	cr_expect_eq(source.stats.lost_packets, 75 * 5 + 40);
}

Test(rotation, packets_that_change_places_lose_nothing_even_at_the_cut)
{
	struct rotation_packet p, q;

	sensor.step_cdeg = 41;
	begin();
	push_packets(2);
	for (unsigned int i = 0; i < 400; i++) {
		p = next_packet();
		q = next_packet();
		push(&q);
		push(&p);
	}
	end();
	for (unsigned int i = 0; i + 1 < frame_count; i++)
		cr_expect(!frames[i].partial && frames[i].points >= 877 && frames[i].points <= 880,
			  "%u: %u", i, frames[i].points);
	cr_expect_eq(source.stats.lost_packets, 0);
	cr_expect_eq(source.stats.late_packets, 0);
	cr_expect_eq(source.stats.missing_columns, 0);
}

Test(rotation, packets_that_come_twice_are_published_once)
{
	struct rotation_packet p;

	begin();
	for (unsigned int i = 0; i < 150; i++) {
		p = next_packet();
		push(&p);
		push(&p);
	}
	end();
	cr_assert_eq(frame_count, 2);
	cr_expect_eq(frames[0].points, 900);
	cr_expect_eq(frames[1].points, 900);
	cr_expect_eq(source.stats.lost_packets, 0);
}

Test(rotation, a_packet_that_comes_much_too_late_is_counted)
{
	struct rotation_packet p;

	begin();
	push_packets(40);
	p = next_packet();
	push_packets(60);
	push(&p);
	end();
	cr_expect_eq(source.stats.lost_packets, 1);
	cr_expect_eq(source.stats.late_packets, 1);
}

Test(rotation, what_lies_outside_the_field_of_view_is_not_lost)
{
	sensor.gap_from = 9000;
	sensor.gap_to = 27000;
	begin();
	push_packets(400);
	end();
	cr_assert_gt(frame_count, 9);
	/* cut within the view: each frame holds both of its parts */
	for (unsigned int i = 0; i + 1 < frame_count; i++)
		cr_expect(frames[i].points == 450 && !frames[i].partial, "%u: %u", i,
			  frames[i].points);
	cr_expect_eq(source.stats.lost_packets, 0);
}

Test(rotation, loss_within_a_field_of_view_is_counted)
{
	unsigned int lost = 0;

	sensor.gap_from = 9000;
	sensor.gap_to = 27000;
	begin();
	push_packets(100);
	for (unsigned int i = 0; i < 40; i++) {
		lose_packets(1 + i % 7);
		lost += 1 + i % 7;
		push_packets(10 + i);
	}
	end();
	cr_expect_eq(source.stats.lost_packets, lost);
}

/* every turn ends with a packet: the gap is never seen within one */
Test(rotation, a_field_of_view_between_packets_is_learnt_at_the_second_turn)
{
	sensor.gap_from = 19200;
	sensor.gap_to = 36000;
	begin();
	push_packets(40 * 20);
	end();
	cr_expect_eq(frame_count, 20);
	/* the first time it could as well have been loss */
	cr_expect_eq(source.stats.lost_packets, 35);
	cr_expect_eq(frames[10].points, 480);
	cr_expect_not(frames[10].partial);
}

Test(rotation, a_sequence_number_counts_what_time_cannot)
{
	struct rotation_packet p;
	unsigned int i;

	sensor.sequence = UINT32_MAX - 20;
	begin();
	for (i = 0; i < 100; i++) {
		if (i == 50)
			lose_packets(7);
		p = next_packet();
		p.has_sequence = true;
		p.time_ns = 1 + i; /* a clock that does not run */
		push(&p);
	}
	end();
	cr_expect_eq(source.stats.lost_packets, 7);
}

Test(rotation, a_motor_that_stands_fills_frames_all_the_same)
{
	sensor.step_cdeg = 0;
	begin();
	push_packets(500);
	end();
	cr_assert_eq(frame_count, 3);
	cr_expect_eq(frames[0].points, COLUMNS_MAX);
	cr_expect_eq(frames[0].points + frames[1].points + frames[2].points, 6000);
	cr_expect(frames[0].partial);
	cr_expect_eq(source.stats.lost_packets, 0);
}

Test(rotation, a_clock_that_goes_back_begins_another_stream)
{
	begin();
	push_packets(100);
	sensor.column = 0;
	sensor.start_cdeg = 100;
	fake.rotation.time_ns += 10 * NSEC_PER_SEC; /* as if all that had been later */
	push_packets(100);
	end();
	cr_expect_eq(source.stats.late_packets, 7);
	cr_expect_eq(source.stats.lost_packets, 0);
	cr_assert_eq(frame_count, 4);
	cr_expect(frames[1].partial && frames[1].last && frames[2].partial);
	cr_expect_eq(frames[2].id, 2);
}

Test(rotation, other_modes_begin_another_stream)
{
	struct rotation_packet p;

	begin();
	push_packets(80);
	for (unsigned int i = 0; i < 20; i++) {
		p = next_packet();
		p.mode = 1;
		push(&p);
	}
	end();
	cr_assert_eq(frame_count, 3);
	cr_expect(frames[1].partial && frames[1].last);
	cr_expect_eq(frames[1].points, 60);
	cr_expect_eq(frames[2].points, 240);
	cr_expect_eq(source.stats.lost_packets, 0);
}

Test(rotation, a_restart_goes_on_with_the_next_frame)
{
	begin();
	push_packets(80);
	frame_builder_restart(b, COLUMN_NS);
	sensor.column = 0;
	push_packets(80);
	end();
	cr_assert_eq(frame_count, 4);
	cr_expect_eq(frames[3].id, 3);
	cr_expect_eq(frames[2].points, 900);
	cr_expect_eq(source.stats.lost_packets, 0);
}

Test(rotation, azimuths_that_no_motor_makes_are_bad)
{
	struct rotation_packet p;

	begin();
	push_packets(1);
	p = next_packet();
	p.azimuth_cdeg[3] = 36000;
	push(&p);
	p = next_packet();
	for (unsigned int i = 0; i < COLUMNS; i++)
		p.azimuth_cdeg[i] = i % 2 ? 100 : 20000;
	push(&p);
	cr_expect_eq(source.stats.bad_packets, 2);
}

Test(rotation, an_encoder_that_counts_back_a_little_cuts_no_frame)
{
	struct rotation_packet p;

	sensor.start_cdeg = 35960;
	begin();
	push_packets(75);
	p = next_packet();
	p.azimuth_cdeg[1] = 0;
	p.azimuth_cdeg[2] = 35999;
	p.azimuth_cdeg[3] = 1;
	push(&p);
	push_packets(10);
	end();
	cr_assert_eq(frame_count, 3);
	cr_expect_eq(frames[1].points, 900);
}
