/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder against packets made here, and the builder against streams of them. */
#include "decoder/decoder_robosense.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/frame_builder.h"
#include "tests/support/heap_loans.h"
#include "bench/packets/robosense_packet_maker.h"

#define LENS_M 0.03498

static const uint32_t beam_ns[16] = { 0,     3150,  6300,  9450,  13260, 17080, 20560, 23710,
				      26530, 27770, 31490, 32730, 36460, 38940, 41420, 43910 };

static struct beam_table beams;
static struct decoder *d;
static struct decoder_packet packet;
static struct problem problem;
static uint8_t data[ROBOSENSE_PACKET_BYTES];
static struct lidard_point_xyzirt points[32];

static void setup(void)
{
	unsigned int i;

	memset(&beams, 0, sizeof(beams));
	beams.beams = 16;
	for (i = 0; i < 16; i++) {
		beams.elevation_deg[i] = 15 - 2.0 * i;
		beams.azimuth_deg[i] = i % 2 ? 3.6 : -4;
	}
	cr_assert_eq(decoder_robosense_new("", &beams, 0, &d, &problem), 0, "%s", problem.text);
}

static void teardown(void)
{
	d = d ? d->ops->free(d) : NULL;
}

TestSuite(decoder_robosense, .init = setup, .fini = teardown);

static int look(void)
{
	return d->ops->look(d, data, sizeof(data), &packet);
}

static int look_at(unsigned int returns, uint64_t n)
{
	robosense_maker_fill(returns, n, ROBOSENSE_MAKER_BEGIN_NS, data);
	return look();
}

/* --- the clock --- */

static void expect_lock(uint8_t sync, uint8_t lock)
{
	robosense_maker_fill_difop(4, data);
	data[302] = sync;
	cr_expect_eq(look(), DECODER_IGNORED);
	cr_expect_eq(d->geometry.clock_lock, lock, "synchronisation %u", sync);
}

Test(decoder_robosense, difop_packets_say_whether_the_clock_is_locked)
{
	cr_expect_eq(d->geometry.clock_lock, LIDARD_CLOCK_LOCK_UNKNOWN);
	expect_lock(1, LIDARD_CLOCK_LOCK_LOCKED);
	expect_lock(0, LIDARD_CLOCK_LOCK_FREE_RUNNING);
	expect_lock(2, LIDARD_CLOCK_LOCK_LOCKED);
	expect_lock(3, LIDARD_CLOCK_LOCK_UNKNOWN);
}

/* --- points --- */

static void expect_point(const struct lidard_point_xyzirt *p, unsigned int returns, uint64_t block,
			 unsigned int channel)
{
	const unsigned int beam = channel % 16, half = channel / 16;
	const uint32_t ns = beam_ns[beam] + (returns == 1 ? half * ROBOSENSE_MAKER_FIRING_NS : 0);
	const double step = robosense_maker_step_cdeg(returns) / 100.0;
	const double azimuth = block * step + step * ns / robosense_maker_block_ns(returns);
	const double a = azimuth * M_PI / 180, e = beams.elevation_deg[beam] * M_PI / 180;
	const double ao = a + beams.azimuth_deg[beam] * M_PI / 180;
	const double r = (ROBOSENSE_MAKER_RANGE + 10 * beam + (returns == 2 ? 5 * half : 0)) * 0.0025;

	cr_expect_eq(p->ring, beam);
	cr_expect_eq(p->return_number, returns == 2 ? half + 1 : 1);
	cr_expect_eq(p->time_offset_ns, ns);
	cr_expect_float_eq(p->range, r, 1e-5);
	cr_expect_float_eq(p->x, r * cos(e) * cos(ao) + LENS_M * cos(a), 2e-5, "x %f", p->x);
	cr_expect_float_eq(p->y, -(r * cos(e) * sin(ao) + LENS_M * sin(a)), 2e-5, "y %f", p->y);
	cr_expect_float_eq(p->z, r * sin(e), 1e-5, "z %f", p->z);
	cr_expect_eq(p->intensity, channel + 1);
}

static void expect_packet(unsigned int returns, uint64_t n)
{
	unsigned int b, c;

	cr_assert_eq(look_at(returns, n), DECODER_POINTS);
	cr_assert_eq(packet.column_count, ROBOSENSE_BLOCKS);
	for (b = 0; b < ROBOSENSE_BLOCKS; b++) {
		uint64_t block = n * ROBOSENSE_BLOCKS + b;
		uint32_t count = d->ops->points(d, &packet, b, points);

		cr_assert_eq(count, robosense_maker_is_empty(block) ? 0 : 32);
		for (c = 0; c < count; c++)
			expect_point(&points[c], returns, block, c);
	}
}

Test(decoder_robosense, one_return_is_two_firings_a_block)
{
	uint64_t n;

	for (n = 0; n < 80; n++)
		expect_packet(1, n);
	cr_expect_eq(packet.columns[1].time_ns - packet.columns[0].time_ns, 111120);
	cr_expect_gt(packet.frame, 0);
}

Test(decoder_robosense, packets_that_come_twice_as_often_have_two_returns)
{
	uint64_t n;

	/* until then they could be those of another sensor */
	for (n = 0; n < 101; n++)
		look_at(2, n);
	for (; n < 260; n++)
		expect_packet(2, n);
	cr_expect_eq(packet.columns[1].time_ns - packet.columns[0].time_ns, 55560);
}

Test(decoder_robosense, packets_that_come_twice_as_often_with_another_half_have_one_return)
{
	unsigned int n, b, c;

	for (n = 0; n < 160; n++) {
		robosense_maker_fill(2, n, ROBOSENSE_MAKER_BEGIN_NS, data);
		for (b = 0; b < ROBOSENSE_BLOCKS; b++)
			for (c = 16; c < 32 && !robosense_maker_is_empty(n * ROBOSENSE_BLOCKS + b); c++)
				robosense_maker_put(data + 42 + b * 100 + 4 + c * 3, 9000 + c, 2);
		cr_assert_eq(look(), DECODER_POINTS);
		if (d->ops->points(d, &packet, 0, points) == 0)
			continue;
		cr_assert_eq(points[16].return_number, 1);
	}
}

Test(decoder_robosense, what_the_sensor_says_of_itself_counts_from_the_first_packet)
{
	robosense_maker_fill_difop(0, data);
	cr_expect_eq(look(), DECODER_IGNORED);
	expect_packet(2, 0);
	robosense_maker_fill_difop(5, data);
	cr_expect_eq(look(), DECODER_IGNORED);
	expect_packet(1, 100);
	robosense_maker_fill_difop(77, data);
	cr_expect_eq(look(), DECODER_IGNORED);
	expect_packet(1, 101);
}

Test(decoder_robosense, the_unit_of_distances_is_the_packets)
{
	robosense_maker_fill(1, 0, ROBOSENSE_MAKER_BEGIN_NS, data);
	data[17] = 0;
	cr_assert_eq(look(), DECODER_POINTS);
	cr_assert_eq(d->ops->points(d, &packet, 0, points), 32);
	cr_expect_float_eq(points[0].range, ROBOSENSE_MAKER_RANGE * 0.005, 1e-5);
}

/* --- whose packets, and damage --- */

Test(decoder_robosense, other_datagrams_are_ignored)
{
	robosense_maker_fill(1, 0, ROBOSENSE_MAKER_BEGIN_NS, data);
	cr_expect_eq(d->ops->look(d, data, sizeof(data) - 1, &packet), DECODER_IGNORED);
	data[0] = 0x54;
	cr_expect_eq(look(), DECODER_IGNORED);
}

Test(decoder_robosense, impossible_fields_are_damage)
{
	robosense_maker_fill(1, 0, ROBOSENSE_MAKER_BEGIN_NS, data);
	data[42 + 5 * 100] = 0xfe;
	cr_expect_eq(look(), DECODER_BAD, "a block without its mark");
	robosense_maker_fill(1, 0, ROBOSENSE_MAKER_BEGIN_NS, data);
	robosense_maker_put(data + 42 + 7 * 100 + 2, 36001, 2);
	cr_expect_eq(look(), DECODER_BAD, "an azimuth beyond the turn");
	robosense_maker_fill(1, 0, ROBOSENSE_MAKER_BEGIN_NS, data);
	robosense_maker_put(data + 26, 1000000, 4);
	cr_expect_eq(look(), DECODER_BAD, "a second too long");
	robosense_maker_fill(1, 0, ROBOSENSE_MAKER_BEGIN_NS, data);
	data[20] = 1;
	cr_expect_eq(look(), DECODER_BAD, "a time in a million years");
}

Test(decoder_robosense, garbage_of_the_right_form_does_no_harm)
{
	unsigned int k, column;
	size_t at;

	srand(1);
	for (k = 0; k < 20000; k++) {
		robosense_maker_fill(1 + k / 10000, k, ROBOSENSE_MAKER_BEGIN_NS, data);
		for (at = 0; at < sizeof(data); at++)
			if (rand() % 512 == 0)
				data[at] = (uint8_t)rand();
		if (look() != DECODER_POINTS)
			continue;
		memset(data + 42, rand(), 1200);
		for (column = 0; column < packet.column_count; column++) {
			cr_assert_lt(packet.columns[column].place, d->geometry.frame_columns);
			cr_assert_leq(d->ops->points(d, &packet, column, points), 32);
		}
	}
}

/* --- streams --- */

static struct sensor_config config;
static struct source source;
static struct frame_builder *b;
static struct heap_loans loans;
static uint64_t point_count, lost;

static void lend_all(void)
{
	size_t wants;
	struct loan *l;

	while ((wants = frame_builder_wants(b)) && (l = heap_loans_take(&loans, wants)))
		frame_builder_lend(b, l);
}

static void take_all(void)
{
	struct loan *l;

	while (frame_builder_take(b, &l)) {
		point_count += l->header->point_count;
		lost += l->header->lost_packets;
		cr_expect(!l->header->lost_packets || l->header->flags & LIDARD_SLICE_PARTIAL);
		heap_loans_give_back(&loans, l);
	}
	lend_all();
}

static void run(unsigned int returns)
{
	uint64_t n, block, wanted = 0, dropped = 0;

	memset(&config, 0, sizeof(config));
	memset(&source, 0, sizeof(source));
	strcpy(config.name, "front");
	config.slice_bytes = 256 << 10;
	config.loans = 16;
	point_count = lost = 0;
	cr_assert_eq(frame_builder_new(&config, d, &source, 0, &b, &problem), 0, "%s", problem.text);
	heap_loans_init(&loans, 16, frame_builder_wants(b));
	lend_all();
	robosense_maker_fill_difop(returns == 2 ? 0 : 4, data);
	frame_builder_push(b, data, sizeof(data), 1);
	srand(3);
	for (n = 0; n < 1500; n++) {
		if (n > 2 && n < 1495 && (rand() % 100 == 0 || n % 300 > 280)) {
			dropped++;
			continue;
		}
		robosense_maker_fill(returns, n, ROBOSENSE_MAKER_BEGIN_NS, data);
		frame_builder_push(b, data, sizeof(data), n);
		for (block = n * 12; block < n * 12 + 12; block++)
			wanted += robosense_maker_is_empty(block) ? 0 : 32;
		take_all();
	}
	frame_builder_flush(b);
	take_all();
	cr_expect_eq(lost, dropped, "%u returns: %lu lost, not %lu", returns, lost, dropped);
	cr_expect_eq(point_count, wanted);
	cr_expect_eq(source.stats.late_packets + source.stats.bad_packets, 0);
	b = frame_builder_free(b);
	cr_expect(heap_loans_check(&loans));
	heap_loans_deinit(&loans);
}

Test(decoder_robosense, losses_are_counted_exactly_by_time)
{
	run(1);
	run(2);
}

/* --- opening --- */

static int open_sensor(const char *model, const char *calibration)
{
	struct decoder_sensor sensor = {
		.name = "front", .model = model, .metadata_path = "", .calibration = calibration,
		.calibration_bytes = calibration ? strlen(calibration) : 0,
	};
	struct decoder *other = NULL;
	int err = decoder_robosense.open(&sensor, &other, &problem);

	decoder_robosense.free(other);
	return err;
}

static void expect_problem(int err, const char *what)
{
	cr_expect_eq(err, -EINVAL, "%d", err);
	cr_expect(strstr(problem.text, what), "\"%s\" does not say \"%s\"", problem.text, what);
}

Test(decoder_robosense, opening_needs_angles_of_16_beams)
{
	static const char helios[] = "14.94,-4.05\t\n13.03,3.61\t\n10.92,-4.00\t\n8.90,3.58\t\n"
				     "6.96,-3.97\t\n5.46,3.56\t\n3.98,-3.96\t\n2.67,3.55\t\n"
				     "1.33,-3.95\t\n0,3.55\t\n-1.33,-3.95\t\n-2.67,3.55\t\n"
				     "-3.96,-3.96\t\n-5.23,3.56\t\n-6.63,-3.97\t\n-8.01,3.57";

	cr_expect_eq(open_sensor("", helios), 0, "%s", problem.text);
	cr_expect_eq(open_sensor("helios-16p", helios), 0, "%s", problem.text);
	expect_problem(open_sensor("", NULL), "decoder = robosense needs calibration = FILE");
	expect_problem(open_sensor("", "1,2\n"), "Helios-16P has 16 channels, the calibration file 1");
	expect_problem(open_sensor("M1", helios), "model = M1: ");
}
