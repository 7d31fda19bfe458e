/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_publish_cost.c - what a slice costs the publisher: lidard against plain iceoryx
 *
 * For each size and number of subscribers, which all sleep and must be woken,
 * the CPU time of the publishing process in its turns, divided by the slices
 * it published.  lidard is the whole daemon but for the source, which writes
 * nothing; the baseline is a timer, a loan, a stamp and a publish.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/figures.h"
#include "bench/stage.h"
#include "common/clock.h"

#define ROUNDS 7

static const struct stage_plan plan = {
	.slice_bytes = { 64u << 10, 1u << 20, 64u << 20 },
	.sensor_count = 3,
	.readers_max = 8,
	.queue = 1,
	.held = 1,
	.hz = 1000,
};

static const unsigned int counts[] = { 1, 2, 4, 8 };
#define COUNTS (sizeof(counts) / sizeof(counts[0]))

/* Medians of rounds: CPU us per slice of each, and lidard's share. */
struct cost {
	double us[CONTENDER_COUNT];
	double ratio, ratio_min, ratio_max;
};

static struct cost measure(struct stage *stage, uint64_t round_ns)
{
	double us[CONTENDER_COUNT][ROUNDS], ratios[ROUNDS];
	struct stage_turn turn;
	struct cost cost;
	int round, c, contender;

	for (round = 0; round < ROUNDS; round++) {
		for (c = 0; c < CONTENDER_COUNT; c++) {
			/* who begins changes with the round */
			contender = (c + round) % CONTENDER_COUNT;
			stage_play(stage, (enum contender)contender, round_ns, &turn);
			us[contender][round] =
				(double)turn.publisher_cpu_ns / (double)turn.slices / 1e3;
		}
		ratios[round] = us[CONTENDER_LIDARD][round] / us[CONTENDER_ICEORYX][round];
	}
	cost.ratio = figures_median(ratios, ROUNDS);
	cost.ratio_min = ratios[0];
	cost.ratio_max = ratios[ROUNDS - 1];
	for (c = 0; c < CONTENDER_COUNT; c++)
		cost.us[c] = figures_median(us[c], ROUNDS);
	return cost;
}

/* Least squares: what each further subscriber adds. */
static double growth(const struct cost costs[COUNTS], enum contender contender)
{
	double n = COUNTS, x = 0, y = 0, xx = 0, xy = 0;
	size_t i;

	for (i = 0; i < COUNTS; i++) {
		x += counts[i];
		y += costs[i].us[contender];
		xx += (double)counts[i] * counts[i];
		xy += counts[i] * costs[i].us[contender];
	}
	return (n * xy - x * y) / (n * xx - x * x);
}

static void compare(struct stage *stage, unsigned int sensor, uint64_t round_ns)
{
	struct cost costs[COUNTS];
	double iceoryx, lidard;
	size_t i;

	for (i = 0; i < COUNTS; i++) {
		stage_add_readers(stage, sensor, WAY_BLOCK, counts[i]);
		costs[i] = measure(stage, round_ns);
		printf("%7" PRIu64 "  %11u  %8.2f  %8.2f  %5.2f  %4.2f-%-4.2f\n",
		       plan.slice_bytes[sensor] >> 10, counts[i], costs[i].us[CONTENDER_ICEORYX],
		       costs[i].us[CONTENDER_LIDARD], costs[i].ratio, costs[i].ratio_min,
		       costs[i].ratio_max);
		fflush(stdout);
	}
	stage_end_readers(stage);
	iceoryx = growth(costs, CONTENDER_ICEORYX);
	lidard = growth(costs, CONTENDER_LIDARD);
	printf("%7" PRIu64 "  each further %7.2f  %8.2f  %5.2f\n", plan.slice_bytes[sensor] >> 10,
	       iceoryx, lidard, lidard / iceoryx);
}

int main(void)
{
	double seconds = figures_get_seconds(10);
	uint64_t round_ns = (uint64_t)(seconds * 1e9 / (double)(plan.sensor_count * COUNTS *
								 CONTENDER_COUNT * ROUNDS));
	static struct stage stage;
	unsigned int sensor;

	stage_open(&stage, &plan);
	figures_print_machine();
	printf("# publisher's CPU time, us/slice; %u slices/s, payload untouched, subscribers sleep; "
	       "%d rounds of %.0f ms each\n"
	       "#   KiB  subscribers   iceoryx    lidard  ratio  spread\n", plan.hz, ROUNDS,
	       (double)round_ns / 1e6);
	for (sensor = 0; sensor < plan.sensor_count; sensor++)
		compare(&stage, sensor, round_ns);
	stage_close(&stage);
	return EXIT_SUCCESS;
}
