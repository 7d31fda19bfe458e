/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish_take.c - from publish to take, each way to wait, lidard and plain iceoryx in turns
 *
 *	publish-take ROUNDS SECONDS BYTES...
 *
 * A line of JSON for each turn, of SECONDS: for each size and way, ROUNDS of both
 * contenders, each round begun by the other.  What happens on the machine besides, and
 * which priority all of this has, is the caller's affair (bench/suite_latency.py).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/figures.h"
#include "bench/stage.h"
#include "common/clock.h"

#define HZ 1000u
#define ROUNDS_MAX 1000u
#define SECONDS_MAX 60.0
#define BYTES_MAX (64ull << 20)

static const char *const contender_names[CONTENDER_COUNT] = {
	[CONTENDER_ICEORYX] = "iceoryx",
	[CONTENDER_LIDARD] = "lidard",
};

static void print_turn(enum contender contender, enum way way, uint64_t bytes,
		       const struct stage_turn *turn)
{
	static struct lidard_histogram latency;
	uint32_t i;

	latency = (struct lidard_histogram){ 0 };
	for (i = 0; i < turn->sample_count; i++)
		histogram_add(&latency, turn->samples_ns[i]);
	printf("{\"contender\": \"%s\", \"way\": \"%s\", \"bytes\": %" PRIu64 ", \"hz\": %u, "
	       "\"published\": %" PRIu64 ", \"taken\": %" PRIu32 ", \"publisher_cpu_ns\": %" PRIu64
	       ", \"reader_cpu_ns\": %" PRIu64 ", ",
	       contender_names[contender], way_names[way], bytes, HZ, turn->slices,
	       turn->sample_count, turn->publisher_cpu_ns, turn->reader_cpu_ns);
	figures_print_histogram(&latency);
	puts("}");
	fflush(stdout);
}

static void play(struct stage *stage, unsigned int sensor, enum way way, unsigned int rounds,
		 uint64_t duration_ns)
{
	unsigned int round, c;

	stage_add_readers(stage, sensor, way, 1);
	for (round = 0; round < rounds; round++)
		for (c = 0; c < CONTENDER_COUNT; c++) {
			enum contender contender = (enum contender)((c + round) % CONTENDER_COUNT);
			struct stage_turn turn;

			stage_play(stage, contender, duration_ns, &turn);
			print_turn(contender, way, stage->plan.slice_bytes[sensor], &turn);
		}
	stage_end_readers(stage);
}

static double number(const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= min && value <= max)) {
		fprintf(stderr, "publish-take: %s: must be %g to %g\n", text, min, max);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	struct stage_plan plan = { .readers_max = 1, .queue = 4, .held = 1, .hz = HZ };
	static struct stage stage;
	uint64_t duration_ns;
	unsigned int rounds, sensor;
	int way;

	if (argc < 4 || argc > 3 + (int)STAGE_SENSORS_MAX) {
		fputs("usage: publish-take ROUNDS SECONDS BYTES...\n", stderr);
		return 2;
	}
	rounds = (unsigned int)number(argv[1], 1, ROUNDS_MAX);
	duration_ns = (uint64_t)(number(argv[2], 0.001, SECONDS_MAX) * 1e9);
	for (; (int)plan.sensor_count < argc - 3; plan.sensor_count++)
		plan.slice_bytes[plan.sensor_count] =
			(uint64_t)number(argv[3 + plan.sensor_count], 4096, BYTES_MAX);
	stage_open(&stage, &plan);
	for (sensor = 0; sensor < plan.sensor_count; sensor++)
		for (way = 0; way < WAY_COUNT; way++)
			play(&stage, sensor, (enum way)way, rounds, duration_ns);
	stage_close(&stage);
	return EXIT_SUCCESS;
}
