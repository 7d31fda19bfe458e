/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_publish_take.c - from publish to take: lidard against plain iceoryx
 *
 * For each size and each way to wait, one reader of each contender; turns
 * alternate.  The clock starts where the publisher stamps the slice, just
 * before it hands it to iceoryx, and stops when take has returned.  A ratio is
 * taken in each round; its median is what counts, its spread says how far to
 * trust it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/figures.h"
#include "bench/stage.h"
#include "common/clock.h"

#define ROUNDS 9
#define SAMPLES_MAX (1u << 20)

static const struct stage_plan plan = {
	.slice_bytes = { 64u << 10, 1u << 20 },
	.sensor_count = 2,
	.readers_max = 1,
	.queue = 16,
	.held = 4,
	.hz = 1000,
};

struct score {
	double p50_ns[ROUNDS];
	/* of all rounds */
	uint32_t *samples_ns;
	size_t sample_count;
	uint64_t slices;
	uint64_t reader_cpu_ns;
};

static void play(struct stage *stage, enum contender contender, uint64_t round_ns, int round,
		 struct score *score)
{
	struct stage_turn turn;
	size_t n;

	stage_play(stage, contender, round_ns, &turn);
	n = turn.sample_count;
	if (n > SAMPLES_MAX - score->sample_count)
		n = SAMPLES_MAX - score->sample_count;
	memcpy(score->samples_ns + score->sample_count, turn.samples_ns, n * sizeof(uint32_t));
	score->p50_ns[round] = figures_quantile(score->samples_ns + score->sample_count, n, 0.5);
	score->sample_count += n;
	score->slices += turn.slices;
	score->reader_cpu_ns += turn.reader_cpu_ns;
}

static void print_row(unsigned int sensor, enum way way, struct score scores[CONTENDER_COUNT])
{
	struct score *iceoryx = &scores[CONTENDER_ICEORYX], *lidard = &scores[CONTENDER_LIDARD];
	double ratios[ROUNDS], ratio;
	int i;

	for (i = 0; i < ROUNDS; i++)
		ratios[i] = lidard->p50_ns[i] / iceoryx->p50_ns[i];
	ratio = figures_median(ratios, ROUNDS);
	printf("%7" PRIu64 "  %-5s  %8.2f %8.1f  %8.2f %8.1f  %5.2f  %4.2f-%-4.2f", 
	       plan.slice_bytes[sensor] >> 10, way_names[way],
	       figures_median(iceoryx->p50_ns, ROUNDS) / 1e3,
	       figures_quantile(iceoryx->samples_ns, iceoryx->sample_count, 0.99) / 1e3,
	       figures_median(lidard->p50_ns, ROUNDS) / 1e3,
	       figures_quantile(lidard->samples_ns, lidard->sample_count, 0.99) / 1e3, ratio,
	       ratios[0], ratios[ROUNDS - 1]);
	if (way == WAY_POLL)
		printf("        -        -\n");
	else
		printf("  %7.1f  %7.1f\n",
		       (double)iceoryx->reader_cpu_ns / (double)iceoryx->slices / 1e3,
		       (double)lidard->reader_cpu_ns / (double)lidard->slices / 1e3);
	fflush(stdout);
}

static void compare(struct stage *stage, unsigned int sensor, enum way way, uint64_t round_ns)
{
	struct score scores[CONTENDER_COUNT] = { 0 };
	int round, c;

	for (c = 0; c < CONTENDER_COUNT; c++) {
		scores[c].samples_ns = malloc(SAMPLES_MAX * sizeof(uint32_t));
		if (!scores[c].samples_ns)
			exit(EXIT_FAILURE);
	}
	stage_add_readers(stage, sensor, way, 1);
	for (round = 0; round < ROUNDS; round++)
		for (c = 0; c < CONTENDER_COUNT; c++) {
			/* who begins changes with the round */
			enum contender contender = (enum contender)((c + round) % CONTENDER_COUNT);

			play(stage, contender, round_ns, round, &scores[contender]);
		}
	stage_end_readers(stage);
	print_row(sensor, way, scores);
	for (c = 0; c < CONTENDER_COUNT; c++)
		free(scores[c].samples_ns);
}

int main(void)
{
	double seconds = figures_get_seconds(10);
	uint64_t round_ns = (uint64_t)(seconds * 1e9 / (plan.sensor_count * WAY_COUNT *
							 CONTENDER_COUNT * ROUNDS));
	static struct stage stage;
	unsigned int sensor;
	int way;

	stage_open(&stage, &plan);
	figures_print_machine();
	printf("# publish -> take, us; %u slices/s, payload untouched, %d rounds of %.0f ms each\n"
	       "#            ---- iceoryx ----  ----- lidard ----   lidard/iceoryx   reader CPU, us/slice\n"
	       "#   KiB  way        p50      p99       p50      p99    p50  spread     iceoryx   lidard\n",
	       plan.hz, ROUNDS, (double)round_ns / 1e6);
	for (sensor = 0; sensor < plan.sensor_count; sensor++)
		for (way = 0; way < WAY_COUNT; way++)
			compare(&stage, sensor, (enum way)way, round_ns);
	stage_close(&stage);
	return EXIT_SUCCESS;
}
