/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "daemon/config.h"
#include "daemon/scene.h"
#include "daemon/sim_layout.h"
#include "daemon/source.h"
#include "bench/loan_pool.h"

#define WAIT_MS 5000

/* A source, loans for it, and what it gave. */
struct rig {
	struct sensor_config config;
	struct source *source;
	struct loan_pool pool;
	/** Copies of what was handed out. */
	struct lidard_slice_header headers[512];
	uint8_t *bytes;
	uint64_t bytes_at[512];
	unsigned int count;
	/** Do not lend: as if readers had all. */
	bool stingy;
};

/* Small and quick: 16 beams, 64 columns, 32 KiB a frame, 1000 frames a second. */
static struct sensor_config quick_config(void)
{
	return (struct sensor_config){
		.name = "test",
		.source = SOURCE_KIND_SIM,
		.slice_bytes = 8192,
		.loans = 8,
		.sim_beams = 16,
		.sim_columns = 64,
		.sim_returns = 1,
		.sim_hz = 1000,
		.sim_noise_mm = 10,
		.sim_seed = 1,
	};
}

static void rig_init(struct rig *rig, const struct sensor_config *config, unsigned int loans)
{
	uint64_t most = config->first_slice_bytes > config->slice_bytes ? config->first_slice_bytes
									: config->slice_bytes;
	struct problem problem = {""};

	memset(rig, 0, sizeof(*rig));
	rig->config = *config;
	cr_assert_eq(source_sim_new(&rig->config, &rig->source, &problem), 0, "%s", problem.text);
	cr_assert_eq(rig->source->ops->start(rig->source, &problem), 0, "%s", problem.text);
	loan_pool_init(&rig->pool, loans, most);
	rig->bytes = malloc(256u << 20);
}

static void rig_deinit(struct rig *rig)
{
	rig->source = rig->source->ops->free(rig->source);
	cr_assert_null(rig->source);
	loan_pool_deinit(&rig->pool);
	free(rig->bytes);
}

static void lend_all(struct rig *rig)
{
	struct loan *loan;
	size_t bytes;

	while ((bytes = rig->source->ops->wants(rig->source)) > 0) {
		loan = loan_pool_take(&rig->pool);
		if (!loan)
			return;
		cr_assert(bytes <= loan->capacity_bytes);
		rig->source->ops->lend(rig->source, loan);
	}
}

static void keep(struct rig *rig, struct loan *loan)
{
	uint64_t at = rig->count ? rig->bytes_at[rig->count - 1] +
					   rig->headers[rig->count - 1].payload_bytes
				 : 0;

	cr_assert(loan->header->payload_bytes <= loan->capacity_bytes);
	rig->headers[rig->count] = *loan->header;
	rig->bytes_at[rig->count] = at;
	memcpy(rig->bytes + at, loan->data, loan->header->payload_bytes);
	rig->count++;
}

/* Lend what is wanted, and call next(), once the fd says so. */
static int step(struct rig *rig)
{
	struct pollfd p = {.fd = rig->source->ops->get_fd(rig->source), .events = POLLIN};
	struct problem problem = {""};
	struct loan *loan = NULL;
	int r;

	cr_assert_eq(poll(&p, 1, WAIT_MS), 1, "the fd stays silent");
	if (!rig->stingy)
		lend_all(rig);
	r = rig->source->ops->next(rig->source, &loan, &problem);
	if (r == SOURCE_FILLED) {
		keep(rig, loan);
		loan_pool_give_back(&rig->pool, loan);
	}
	return r;
}

static void take_slices(struct rig *rig, unsigned int count)
{
	while (rig->count < count)
		cr_assert_geq(step(rig), 0);
}

static const struct lidard_point_xyzirt *points(const struct rig *rig, unsigned int slice)
{
	return (const void *)(rig->bytes + rig->bytes_at[slice]);
}

static uint64_t all_bytes(const struct rig *rig)
{
	return rig->bytes_at[rig->count - 1] + rig->headers[rig->count - 1].payload_bytes;
}

/* Two sources give the same @count slices. Return: false if they differ. */
static bool same_stream(const struct sensor_config *a, const struct sensor_config *b,
			unsigned int count)
{
	static struct rig ra, rb;
	bool same;

	rig_init(&ra, a, 4);
	rig_init(&rb, b, 4);
	take_slices(&ra, count);
	take_slices(&rb, count);
	same = all_bytes(&ra) == all_bytes(&rb) && !memcmp(ra.bytes, rb.bytes, all_bytes(&ra));
	rig_deinit(&ra);
	rig_deinit(&rb);
	return same;
}

Test(source_sim, a_seed_decides_every_byte)
{
	struct sensor_config a = quick_config(), b = quick_config();

	cr_assert(same_stream(&a, &b, 12));
	b.sim_seed = 2;
	cr_assert_not(same_stream(&a, &b, 12));
}

Test(source_sim, rendered_live_or_in_advance_the_points_are_the_same)
{
	struct sensor_config live = quick_config(), reel = quick_config();

	/* 32 KiB a frame, 1000 frames a second */
	reel.sim_rate = 16 * 64 * 32 * 1000;
	cr_assert(same_stream(&live, &reel, 12));
}

Test(source_sim, a_restart_gives_the_same_stream_again)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	struct problem problem;
	uint64_t half;

	rig_init(&rig, &config, 4);
	take_slices(&rig, 8);
	rig.source->ops->stop(rig.source);
	rig.source->ops->stop(rig.source);
	loan_pool_deinit(&rig.pool);
	loan_pool_init(&rig.pool, 4, config.slice_bytes);
	cr_assert_eq(rig.source->ops->start(rig.source, &problem), 0);
	half = all_bytes(&rig);
	take_slices(&rig, 16);
	cr_assert_eq(rig.headers[8].seq, 0);
	cr_assert_eq(rig.headers[8].frame_id, 0);
	cr_assert_eq(all_bytes(&rig), 2 * half);
	cr_assert_eq(memcmp(rig.bytes, rig.bytes + half, half), 0);
	rig_deinit(&rig);
}

Test(source_sim, slices_are_described_as_they_are)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	unsigned int i;

	rig_init(&rig, &config, 4);
	take_slices(&rig, 20);
	for (i = 0; i < 20; i++) {
		const struct lidard_slice_header *h = &rig.headers[i];

		cr_assert_eq(h->header_bytes, sizeof(*h));
		cr_assert_eq(h->seq, i);
		cr_assert_eq(h->lost_before, 0);
		cr_assert_eq(h->frame_id, i / 4);
		cr_assert_eq(h->slice_index, i % 4);
		cr_assert_eq(h->slice_count, 4);
		cr_assert_eq(h->first_column, i % 4 * 16);
		cr_assert_eq(h->column_count, 16);
		cr_assert_eq(h->payload_bytes, 8192);
		cr_assert_eq(h->point_count, 256);
		cr_assert_eq(h->point_step, 32);
		cr_assert_eq(h->format, LIDARD_FORMAT_XYZIRT);
		cr_assert_eq(h->sensor_clock, LIDARD_CLOCK_MONOTONIC);
		cr_assert(h->flags & LIDARD_SLICE_SYNTHETIC);
		cr_assert(h->flags & LIDARD_SLICE_FIRST_BYTE_VALID);
		cr_assert(h->flags & LIDARD_SLICE_SENSOR_TIME_VALID);
		cr_assert_eq(!!(h->flags & LIDARD_SLICE_LAST), i % 4 == 3);
		cr_assert_not(h->flags & LIDARD_SLICE_CRC_VALID);
		cr_assert(h->sensor_time_ns <= h->sensor_end_time_ns);
		cr_assert(h->sensor_end_time_ns <= h->filled_ns);
		cr_assert(h->first_byte_ns <= h->filled_ns);
		cr_assert(h->filled_ns <= clock_now_ns());
	}
	cr_assert_eq(rig.source->stats.produced, 20);
	cr_assert_eq(rig.source->stats.frames, 5);
	cr_assert(rig.source->stats.fill_cpu_ns > 0);
	rig_deinit(&rig);
}

Test(source_sim, points_lie_where_their_range_says)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	unsigned int i, on_ground = 0;

	config.sim_noise_mm = 0;
	config.slice_bytes = 32768;
	rig_init(&rig, &config, 2);
	take_slices(&rig, 1);
	for (i = 0; i < rig.headers[0].point_count; i++) {
		const struct lidard_point_xyzirt *p = &points(&rig, 0)[i];
		double elevation = 15 - 40.0 * p->ring / 15;

		cr_assert_float_eq(sqrt(p->x * p->x + p->y * p->y + p->z * p->z), p->range, 1e-3);
		cr_assert_float_eq(asin(p->z / p->range) * 180 / M_PI, elevation, 1e-2);
		cr_assert(p->range > 0.5f && p->range <= SCENE_RANGE_MAX_M);
		cr_assert(p->z > -SCENE_SENSOR_HEIGHT_M - 1e-3f);
		cr_assert(p->intensity > 0 && p->intensity <= 255);
		cr_assert_eq(p->ring, i % 16);
		cr_assert_eq(p->return_number, 1);
		cr_assert_eq(p->flags, 0);
		on_ground += fabsf(p->z + SCENE_SENSOR_HEIGHT_M) < 1e-3f;
	}
	cr_assert(on_ground > 100, "%u points on the ground", on_ground);
	rig_deinit(&rig);
}

Test(source_sim, noise_has_the_size_asked_for)
{
	static struct rig exact, noisy;
	struct sensor_config config = quick_config();
	double sum = 0, squares = 0;
	unsigned int i, n;

	config.slice_bytes = 32768;
	config.sim_noise_mm = 0;
	rig_init(&exact, &config, 2);
	config.sim_noise_mm = 25;
	rig_init(&noisy, &config, 2);
	take_slices(&exact, 4);
	take_slices(&noisy, 4);
	n = (unsigned int)(all_bytes(&exact) / 32);
	for (i = 0; i < n; i++) {
		double d = points(&noisy, 0)[i].range - points(&exact, 0)[i].range;

		sum += d;
		squares += d * d;
	}
	cr_assert_float_eq(sum / n, 0, 0.002);
	cr_assert_float_eq(sqrt(squares / n), 0.025, 0.002);
	rig_deinit(&exact);
	rig_deinit(&noisy);
}

Test(source_sim, times_of_points_increase_and_end_at_the_last_column)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	unsigned int s, i;

	rig_init(&rig, &config, 4);
	take_slices(&rig, 4);
	for (s = 0; s < 4; s++) {
		const struct lidard_slice_header *h = &rig.headers[s];
		const struct lidard_point_xyzirt *p = points(&rig, s);
		uint64_t length = h->sensor_end_time_ns - h->sensor_time_ns;

		cr_assert_eq(p[0].time_offset_ns, 0);
		for (i = 1; i < h->point_count; i++) {
			cr_assert(p[i].time_offset_ns >= p[i - 1].time_offset_ns);
			cr_assert_eq(p[i].time_offset_ns > p[i - 1].time_offset_ns, p[i].ring == 0);
		}
		/* rounding to nanoseconds, twice */
		cr_assert_float_eq((double)p[h->point_count - 1].time_offset_ns, (double)length, 2);
	}
	rig_deinit(&rig);
}

Test(source_sim, two_returns_are_first_and_last)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	unsigned int i, farther = 0;

	config.sim_returns = 2;
	config.sim_noise_mm = 0;
	config.sim_columns = 256;
	config.slice_bytes = 256 * 16 * 64;
	rig_init(&rig, &config, 2);
	take_slices(&rig, 1);
	cr_assert_eq(rig.headers[0].point_count, 256 * 16 * 2);
	for (i = 0; i < rig.headers[0].point_count; i += 2) {
		const struct lidard_point_xyzirt *p = &points(&rig, 0)[i];

		cr_assert_eq(p[0].return_number, 1);
		cr_assert_eq(p[1].return_number, 2);
		cr_assert_eq(p[0].ring, p[1].ring);
		cr_assert(p[0].range <= p[1].range);
		farther += p[0].range < p[1].range;
	}
	cr_assert(farther > 20, "%u", farther);
	rig_deinit(&rig);
}

Test(source_sim, cars_move_from_revolution_to_revolution)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	unsigned int i, moved = 0;

	config.sim_noise_mm = 0;
	config.sim_hz = 20;
	config.sim_columns = 256;
	config.slice_bytes = 256 * 16 * 32;
	rig_init(&rig, &config, 2);
	take_slices(&rig, 4);
	for (i = 0; i < rig.headers[0].point_count; i++)
		moved += fabsf(points(&rig, 0)[i].range - points(&rig, 3)[i].range) > 0.1f;
	cr_assert(moved > 5 && moved < 256 * 4, "%u points moved", moved);
	rig_deinit(&rig);
}

Test(source_sim, the_first_slice_may_be_smaller)
{
	static struct rig rig;
	struct sensor_config config = quick_config();

	config.first_slice_bytes = 4096;
	rig_init(&rig, &config, 4);
	take_slices(&rig, 5);
	/* 4 + 8 + 8 + 8 + 4 KiB */
	cr_assert_eq(rig.headers[0].slice_count, 5);
	cr_assert_eq(rig.headers[0].payload_bytes, 4096);
	cr_assert_eq(rig.headers[1].payload_bytes, 8192);
	cr_assert_eq(rig.headers[1].first_column, 8);
	cr_assert_eq(rig.headers[4].payload_bytes, 4096);
	cr_assert(rig.headers[4].flags & LIDARD_SLICE_LAST);
	cr_assert_eq(all_bytes(&rig), 32768);
	rig_deinit(&rig);
}

Test(source_sim, slices_smaller_than_a_column_are_cut_within_it)
{
	static struct rig rig;
	struct sensor_config config = quick_config();

	config.sim_beams = 1024;
	config.sim_columns = 4;
	config.slice_bytes = 4096;
	rig_init(&rig, &config, 4);
	take_slices(&rig, 32);
	cr_assert_eq(rig.headers[0].slice_count, 32);
	cr_assert_eq(rig.headers[9].first_column, 1);
	cr_assert_eq(rig.headers[9].column_count, 1);
	cr_assert_eq(points(&rig, 9)[0].ring, 128);
	cr_assert_eq(points(&rig, 9)[127].time_offset_ns, 0);
	rig_deinit(&rig);
}

Test(source_sim, a_slice_of_64_mib_fills_gradually, .timeout = 60)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	const struct lidard_slice_header *h = &rig.headers[1];
	unsigned int parts = 0;

	config.slice_bytes = LIDARD_SLICE_BYTES_MAX;
	config.sim_beams = 128;
	config.sim_columns = 16384;
	config.sim_rate = 500000000;
	rig_init(&rig, &config, 2);
	/* with the first, all that is rendered in advance is done */
	take_slices(&rig, 1);
	while (rig.count < 2)
		parts += step(&rig) == SOURCE_NONE;
	cr_assert_eq(h->payload_bytes, LIDARD_SLICE_BYTES_MAX);
	cr_assert_eq(h->slice_count, 1);
	/* the loop looks at its other sources after a fraction of a millisecond's writing */
	cr_assert_geq(parts, 100, "%u", parts);
	rig_deinit(&rig);
}

Test(source_sim, a_rate_in_bytes_is_kept)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	uint64_t took_ns;

	config.slice_bytes = 65536;
	config.sim_beams = 128;
	config.sim_columns = 256;
	config.sim_rate = 100000000;
	rig_init(&rig, &config, 4);
	take_slices(&rig, 161);
	took_ns = rig.headers[160].sensor_time_ns - rig.headers[0].sensor_time_ns;
	cr_assert_float_eq(160 * 65536 * 1e9 / (double)took_ns, 1e8, 1e5);
	/* and not only on paper, as far as a busy machine lets us */
	took_ns = rig.headers[160].filled_ns - rig.headers[0].filled_ns;
	cr_assert_float_eq(160 * 65536 * 1e9 / (double)took_ns, 1e8, 5e7);
	rig_deinit(&rig);
}

Test(source_sim, tiny_slices_do_not_wake_the_loop_one_by_one)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	unsigned int idle = 0;
	uint64_t begin_ns, ticks;

	/* a slice every 8 us */
	config.slice_bytes = 4096;
	config.sim_rate = 500000000;
	rig_init(&rig, &config, 4);
	take_slices(&rig, 1);
	begin_ns = clock_now_ns();
	while (rig.count < 500)
		idle += step(&rig) == SOURCE_NONE;
	ticks = (clock_now_ns() - begin_ns) / (100 * NSEC_PER_USEC);
	cr_assert(idle <= ticks + 2, "%u times nothing to do in %" PRIu64 " ticks", idle, ticks);
	rig_deinit(&rig);
}

Test(source_sim, slices_come_when_their_columns_were_fired)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	unsigned int i;

	config.sim_hz = 10;
	rig_init(&rig, &config, 4);
	take_slices(&rig, 6);
	for (i = 1; i < 6; i++) {
		/* 25 ms a slice; the machine may be late, never early */
		cr_assert(rig.headers[i].filled_ns >=
			  rig.headers[0].sensor_time_ns + (i + 1) * 25 * NSEC_PER_MSEC - 10);
	}
	rig_deinit(&rig);
}

Test(source_sim, without_a_loan_the_slice_is_lost_and_counted)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	struct source_stats *stats;
	uint64_t lost;

	rig_init(&rig, &config, 4);
	stats = &rig.source->stats;
	take_slices(&rig, 3);
	rig.stingy = true;
	while (stats->dropped[SOURCE_DROP_NO_LOAN] < 5)
		cr_assert_geq(step(&rig), 0);
	cr_assert_eq(rig.count, 3);
	rig.stingy = false;
	take_slices(&rig, rig.count + 1);
	lost = stats->dropped[SOURCE_DROP_NO_LOAN];
	cr_assert_eq(rig.headers[rig.count - 1].lost_before, lost);
	cr_assert_eq(rig.headers[rig.count - 1].seq, rig.count - 1 + lost);
	cr_assert_eq(rig.headers[rig.count - 1].slice_index, rig.headers[rig.count - 1].seq % 4);
	cr_assert_eq(stats->produced, rig.count + lost);
	rig_deinit(&rig);
}

Test(source_sim, a_second_behind_whole_revolutions_are_skipped_and_counted)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	struct timespec nap = clock_to_timespec(1100 * NSEC_PER_MSEC);
	const struct lidard_slice_header *h;
	uint64_t overrun;

	rig_init(&rig, &config, 4);
	take_slices(&rig, 3);
	nanosleep(&nap, NULL);
	take_slices(&rig, 4);
	overrun = rig.source->stats.dropped[SOURCE_DROP_OVERRUN];
	h = &rig.headers[3];
	cr_assert(overrun > 4000, "%" PRIu64, overrun);
	cr_assert_eq(overrun % 4, 0);
	cr_assert_eq(h->seq, 3 + overrun);
	cr_assert_eq(h->lost_before, overrun);
	cr_assert_eq(h->slice_index, 3);
	cr_assert_eq(rig.source->stats.produced, 4 + overrun);
	rig_deinit(&rig);
}

static void begin_filling(struct rig *rig)
{
	while (rig->source->stats.fill_cpu_ns == 0)
		cr_assert_eq(step(rig), SOURCE_NONE);
}

Test(source_sim, a_slice_half_filled_at_stop_is_counted)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	struct source *s;

	/* steps of 2 ms, slices of 250 ms */
	config.sim_hz = 1;
	rig_init(&rig, &config, 4);
	s = rig.source;
	begin_filling(&rig);
	s->ops->stop(s);
	cr_assert_eq(s->stats.dropped[SOURCE_DROP_STOPPED], 1);
	cr_assert_eq(s->stats.produced, 1);
	rig_deinit(&rig);
}

/* Fill and hand-over of each of ten slices, ns. Return: how long the sensor took for nine. */
static uint64_t time_slices(const struct sensor_config *config, uint64_t *fill_ns,
			    uint64_t *ready_ns)
{
	static struct rig rig;
	unsigned int i;

	rig_init(&rig, config, 4);
	for (i = 0; i < 10; i++) {
		take_slices(&rig, i + 1);
		fill_ns[i] = rig.headers[i].filled_ns - rig.headers[i].first_byte_ns;
		ready_ns[i] = clock_now_ns() - rig.headers[i].filled_ns;
		cr_assert(rig.headers[i].sensor_end_time_ns <= rig.headers[i].filled_ns);
		cr_assert_eq(rig.headers[i].lost_before, 0);
	}
	rig_deinit(&rig);
	return rig.headers[9].sensor_time_ns - rig.headers[0].sensor_time_ns;
}

static uint64_t least(const uint64_t *values)
{
	uint64_t least = values[0];
	unsigned int i;

	for (i = 1; i < 10; i++)
		least = values[i] < least ? values[i] : least;
	return least;
}

/* At least the delay in all slices, and little more in the one that met a quiet moment. */
static void expect_delay(const uint64_t *values, uint64_t delay_ns)
{
	cr_assert_geq(least(values), delay_ns);
	cr_assert_lt(least(values), delay_ns + 5 * NSEC_PER_MSEC);
}

Test(source_sim, a_delay_of_the_fill_is_in_the_fill_of_each_slice_and_nowhere_else)
{
	struct sensor_config config = quick_config();
	uint64_t fill_ns[10], ready_ns[10], took_ns;

	config.sim_fill_delay_us = 10000;
	took_ns = time_slices(&config, fill_ns, ready_ns);
	expect_delay(fill_ns, 10 * NSEC_PER_MSEC);
	expect_delay(ready_ns, 0);
	/* by the sensor's own time: the pauses and 250 us a slice */
	cr_assert_float_eq((double)took_ns, 9 * 10.25e6, 10);
}

Test(source_sim, a_delay_of_the_hand_over_is_behind_the_fill_of_each_slice)
{
	struct sensor_config config = quick_config();
	uint64_t fill_ns[10], ready_ns[10], took_ns;

	config.sim_ready_delay_us = 10000;
	took_ns = time_slices(&config, fill_ns, ready_ns);
	expect_delay(fill_ns, 0);
	expect_delay(ready_ns, 10 * NSEC_PER_MSEC);
	cr_assert_float_eq((double)took_ns, 9 * 10.25e6, 10);
}

Test(source_sim, a_slice_that_is_delayed_at_stop_is_counted_once)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	struct source *s;
	int faults;

	for (faults = 1; faults < 4; faults++) {
		config.sim_fill_delay_us = faults & 1 ? 1000000 : 0;
		config.sim_ready_delay_us = faults & 2 ? 1000000 : 0;
		rig_init(&rig, &config, 4);
		s = rig.source;
		begin_filling(&rig);
		s->ops->stop(s);
		cr_assert_eq(s->stats.dropped[SOURCE_DROP_STOPPED], 1);
		cr_assert_eq(s->stats.produced, 1);
		rig_deinit(&rig);
	}
}

Test(source_sim, a_loan_is_wanted_once_its_slice_is_due)
{
	static struct rig rig;
	struct sensor_config config = quick_config();
	struct pollfd p = { .events = POLLIN };
	uint64_t begin_ns;
	size_t wants;

	/* steps of 2 ms */
	config.sim_hz = 1;
	rig_init(&rig, &config, 16);
	p.fd = rig.source->ops->get_fd(rig.source);
	cr_assert_eq(rig.source->ops->wants(rig.source), 0, "before it has begun");
	begin_ns = clock_now_ns();
	cr_assert_eq(step(&rig), SOURCE_NONE);
	wants = rig.source->ops->wants(rig.source);
	cr_assert(wants == 0 || clock_now_ns() >= begin_ns + 2 * NSEC_PER_MSEC,
		  "before a step is due");
	cr_assert_eq(poll(&p, 1, WAIT_MS), 1);
	lend_all(&rig);
	cr_assert_eq(rig.pool.free_count, 15, "one, and that at once");
	cr_assert_eq(step(&rig), SOURCE_NONE);
	cr_assert_eq(poll(&p, 1, WAIT_MS), 1);
	lend_all(&rig);
	cr_assert_eq(rig.pool.free_count, 15, "it is being filled");
	rig_deinit(&rig);
}

static void check_crcs(const struct sensor_config *config)
{
	static struct rig rig;
	unsigned int i;

	rig_init(&rig, config, 4);
	/* once around the reel and on */
	take_slices(&rig, 48);
	for (i = 0; i < rig.count; i++) {
		cr_assert(rig.headers[i].flags & LIDARD_SLICE_CRC_VALID);
		cr_assert_eq(rig.headers[i].crc32c,
			     crc32c(0, points(&rig, i), rig.headers[i].payload_bytes));
	}
	rig_deinit(&rig);
}

Test(source_sim, the_checksum_is_the_payloads)
{
	struct sensor_config config = quick_config();

	config.crc = true;
	/* odd sizes: slices of 255 firings, steps shorter than them */
	config.sim_beams = 51;
	config.sim_columns = 25;
	check_crcs(&config);
	config.sim_rate = 16 * 64 * 32 * 1000;
	check_crcs(&config);
}

static void expect_refusal(const struct sensor_config *config, const char *key, const char *value)
{
	struct problem problem = {""};
	struct source *source = NULL;

	cr_assert_eq(source_sim_new(config, &source, &problem), -EINVAL);
	cr_assert_null(source);
	cr_assert(strstr(problem.text, key), "%s", problem.text);
	cr_assert(strstr(problem.text, value), "%s", problem.text);
}

Test(source_sim, a_frame_of_more_than_100_slices_is_refused)
{
	struct sensor_config config = quick_config();

	config.slice_bytes = 4096;
	config.sim_columns = 801;
	expect_refusal(&config, "sim_columns = 801", "101");
}

Test(source_sim, a_slice_longer_than_a_points_time_is_refused)
{
	struct sensor_config config = quick_config();

	config.slice_bytes = 32768;
	config.sim_hz = 0.1;
	expect_refusal(&config, "sim_hz = 0.1", "10.0 s");
	config.sim_rate = 1000;
	expect_refusal(&config, "sim_rate = 1000", "32.8 s");
}

Test(source_sim, a_frame_too_large_to_render_in_advance_is_refused)
{
	struct sensor_config config = quick_config();

	config.slice_bytes = LIDARD_SLICE_BYTES_MAX;
	config.sim_beams = 128;
	config.sim_columns = 65536 + 1;
	config.sim_rate = 500000000;
	expect_refusal(&config, "sim_rate", "268439552");
}
