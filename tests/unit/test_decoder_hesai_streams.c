/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of made-up Hesai sensors through the decoder and the real builder:
 * whatever happens to packets on their way, what is lost is known exactly, and
 * every point that came is published once.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/frame_builder.h"
#include "decoder/decoder_hesai.h"
#include "tests/support/heap_loans.h"
#include "bench/packets/hesai_packet_maker.h"

#define PACKETS 2000u
#define ARRIVAL_STEP_NS 100000u

/* What becomes of packets on their way. */
struct fate {
	/** One in so many is lost, by lot; 0: none. */
	unsigned int lose;
	/** So many are lost from each 500th on. */
	unsigned int burst;
	/** Each 50th and the next change places. */
	bool swap;
	/** Each 70th comes twice. */
	bool twice;
};

static struct hesai_packet_maker maker;
static struct sensor_config config;
static struct source source;
static struct decoder *d;
static struct frame_builder *b;
static struct heap_loans loans;
static bool clock_steps;
static uint64_t points, lost, missing, flagged, frames, last_end_ns, last_id;

static void setup(void)
{
	memset(&source, 0, sizeof(source));
	memset(&config, 0, sizeof(config));
	strcpy(config.name, "front");
	config.slice_bytes = 384 << 10;
	config.loans = 16;
	clock_steps = false;
	points = lost = missing = flagged = frames = last_end_ns = last_id = 0;
}

static void lend_all(void)
{
	size_t wants;
	struct loan *l;

	while ((wants = frame_builder_wants(b)) && (l = heap_loans_take(&loans, wants)))
		frame_builder_lend(b, l);
}

static void open_stream(const struct hesai_model *m, unsigned int returns)
{
	char text[8192];
	struct problem problem = { "" };
	struct decoder_sensor sensor = { .name = "front", .model = "", .metadata_path = "" };

	setup();
	hesai_packet_maker_init(&maker, m, returns);
	sensor.calibration_bytes = hesai_packet_maker_correction(m, text, sizeof(text));
	sensor.calibration = text;
	cr_assert_eq(decoder_hesai.open(&sensor, &d, &problem), 0, "%s", problem.text);
	cr_assert_eq(frame_builder_new(&config, d, &source, 0, &b, &problem), 0, "%s", problem.text);
	heap_loans_init(&loans, 16, frame_builder_wants(b));
	lend_all();
}

static void close_stream(void)
{
	b = frame_builder_free(b);
	d = d->ops->free(d);
	cr_expect(heap_loans_check(&loans), "written where nothing may be written");
	heap_loans_deinit(&loans);
}

static void take_all(void)
{
	struct loan *l;

	while (frame_builder_take(b, &l)) {
		const struct lidard_slice_header *h = l->header;

		cr_assert(!frames || h->frame_id >= last_id);
		frames += !frames || h->frame_id != last_id;
		last_id = h->frame_id;
		points += h->point_count;
		lost += h->lost_packets;
		missing += h->missing_columns;
		flagged += (h->flags & LIDARD_SLICE_PARTIAL) != 0;
		cr_expect(!h->lost_packets || h->flags & LIDARD_SLICE_PARTIAL);
		if (h->flags & LIDARD_SLICE_SENSOR_TIME_VALID) {
			cr_expect(clock_steps || h->sensor_time_ns >= last_end_ns);
			last_end_ns = h->sensor_end_time_ns;
		}
		heap_loans_give_back(&loans, l);
	}
	lend_all();
}

static void push(uint64_t n)
{
	uint8_t data[HESAI_PACKET_BYTES_MAX];
	size_t bytes = hesai_packet_maker_fill(&maker, n, data);

	frame_builder_push(b, data, bytes, n * ARRIVAL_STEP_NS);
	take_all();
}

static uint64_t points_of_packet(uint64_t n)
{
	const unsigned int columns = hesai_packet_maker_columns(&maker);
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < columns; i++)
		sum += !hesai_packet_maker_is_empty(n * columns + i);
	return sum * maker.model->channels * maker.returns;
}

static bool is_lost(const struct fate *f, uint64_t n)
{
	/* the first and the last: nobody can know */
	if (n < 2 || n + 4 > PACKETS)
		return false;
	return (f->lose && rand() % f->lose == 0) || (n >= 500 && n % 500 < f->burst);
}

static void run(const struct hesai_model *m, unsigned int returns, bool sequence, const struct fate *f)
{
	static bool sent[PACKETS];
	uint64_t n, wanted_points = 0, wanted_lost = 0, repeated = 0;

	srand(7);
	open_stream(m, returns);
	maker.has_sequence = sequence;
	for (n = 0; n < PACKETS; n++) {
		sent[n] = !is_lost(f, n);
		wanted_lost += !sent[n];
		wanted_points += sent[n] ? points_of_packet(n) : 0;
	}
	for (n = 0; n < PACKETS; n++) {
		uint64_t at = n;

		if (f->swap && n >= 50 && n % 50 < 2 && n + 10 < PACKETS)
			at = n % 50 ? n - 1 : n + 1;
		if (!sent[at])
			continue;
		push(at);
		if (f->twice && n % 70 == 0) {
			push(at);
			repeated++;
		}
	}
	frame_builder_flush(b);
	take_all();
	cr_expect_eq(lost, wanted_lost, "%s, %u returns, sequence %d: %lu lost, not %lu", m->name, returns,
		     sequence, lost, wanted_lost);
	cr_expect_eq(source.stats.lost_packets, wanted_lost);
	cr_expect_eq(missing, wanted_lost * hesai_packet_maker_columns(&maker), "%s: %lu missing",
		     m->name, missing);
	cr_expect_eq(points, wanted_points, "%s, %u returns, sequence %d: %lu points, not %lu", m->name,
		     returns, sequence, points, wanted_points);
	/* the second of two may find its slice finished */
	cr_expect_leq(source.stats.late_packets, repeated);
	cr_expect_eq(source.stats.bad_packets + source.stats.ignored_packets, 0);
	cr_expect_eq(frames, (PACKETS * hesai_packet_maker_columns(&maker) - 1) / 900 + 1);
	close_stream();
}

static void run_all(const struct fate *f)
{
	unsigned int i, returns;

	for (i = 0; i < hesai_model_count; i++)
		for (returns = 1; returns <= 2; returns++) {
			run(&hesai_models[i], returns, true, f);
			run(&hesai_models[i], returns, false, f);
		}
}

Test(decoder_hesai_streams, whole_streams_lose_nothing)
{
	run_all(&(struct fate){ 0 });
}

Test(decoder_hesai_streams, one_percent_lost_is_counted_exactly)
{
	run_all(&(struct fate){ .lose = 100 });
}

Test(decoder_hesai_streams, bursts_are_counted_exactly)
{
	run_all(&(struct fate){ .burst = 90 });
}

Test(decoder_hesai_streams, packets_that_change_places_are_not_lost)
{
	run_all(&(struct fate){ .swap = true });
}

Test(decoder_hesai_streams, packets_that_come_twice_count_once)
{
	run_all(&(struct fate){ .twice = true });
}

Test(decoder_hesai_streams, all_of_it_at_once_is_counted_exactly)
{
	run_all(&(struct fate){ .lose = 30, .burst = 20, .swap = true, .twice = true });
}

/* --- what counts through --- */

Test(decoder_hesai_streams, sequence_numbers_wrap)
{
	uint64_t n;

	open_stream(hesai_model_find("XT32"), 2);
	maker.first_sequence = UINT32_MAX - 100;
	for (n = 0; n < 1000; n++)
		if (n < 98 || n > 104)
			push(n);
	frame_builder_flush(b);
	take_all();
	cr_expect_eq(lost, 7);
	cr_expect_eq(frames, 5);
	close_stream();
}

/* The packet at which the clock rolls over is itself lost, so that only time can tell. */
static void expect_rollover(const char *model, uint64_t midnight_s)
{
	uint64_t n;

	open_stream(hesai_model_find(model), 1);
	maker.has_sequence = false;
	maker.begin_ns = midnight_s * 1000000000 -
			 500 * hesai_packet_maker_columns(&maker) * (uint64_t)maker.column_ns;
	for (n = 0; n < 1000; n++)
		if (n != 500)
			push(n);
	frame_builder_flush(b);
	take_all();
	cr_expect_eq(lost, 1, "%s: %lu", model, lost);
	cr_expect_eq(source.stats.late_packets, 0);
	cr_expect_eq(last_end_ns / 1000000000 - midnight_s, 0);
	close_stream();
}

Test(decoder_hesai_streams, hours_days_and_years_roll_over)
{
	expect_rollover("XT32", 1700002800);	 /* an hour */
	expect_rollover("Pandar40P", 1700006400); /* a day */
	expect_rollover("Pandar64", 1709164800);  /* 29 February */
	expect_rollover("QT64", 1704067200);	 /* a year */
	expect_rollover("XT16", 946684800);	 /* 99 becomes 100 */
	expect_rollover("QT128", 4102444800);	 /* 199 becomes 200 */
}

Test(decoder_hesai_streams, another_mode_begins_another_frame)
{
	uint64_t n, before;

	open_stream(hesai_model_find("XT32"), 1);
	for (n = 0; n < 150; n++)
		push(n);
	before = points_of_packet(0) * 150;
	hesai_packet_maker_init(&maker, maker.model, 2);
	maker.begin_ns += 10000000000;
	for (n = 0; n < 150; n++)
		push(n);
	frame_builder_flush(b);
	take_all();
	cr_expect_eq(lost, 0);
	cr_expect_eq(points, before + 150 * 4 * 64 - 75 * 64);
	close_stream();
}

Test(decoder_hesai_streams, a_sensor_that_was_switched_off_and_on_goes_on)
{
	uint64_t n;

	open_stream(hesai_model_find("XT32"), 2);
	for (n = 0; n < 600; n++)
		push(n);
	/* its sequence and its clock begin anew */
	maker.first_sequence = 0;
	maker.begin_ns = 946684800000000000;
	clock_steps = true;
	for (n = 0; n < 600; n++)
		push(n);
	frame_builder_flush(b);
	take_all();
	cr_expect_eq(source.stats.lost_packets, 0);
	cr_expect_leq(source.stats.late_packets, 8);
	close_stream();
}
