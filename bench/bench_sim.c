/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_sim.c - the rate the simulator reaches flat out, against memcpy
 *
 * For each slice size, in turns: the sim source at a rate it cannot reach,
 * into loans on the heap; and a memcpy from and to as much memory in the same
 * steps.  What the source does besides copying is the difference.  One line
 * for each size: medians of RUNS, and the ratio; then rendering and checksum.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "daemon/config.h"
#include "daemon/sim_layout.h"
#include "daemon/sim_renderer.h"
#include "daemon/source.h"
#include "bench/loan_pool.h"

#define RUNS            5
#define RUN_NS          (100 * NSEC_PER_MSEC)
#define POOL_LOANS      4u
#define COPY_STEP_BYTES (256u * 1024u)

static void die(const char *text)
{
	fprintf(stderr, "bench_sim: %s\n", text);
	exit(EXIT_FAILURE);
}

/* A frame of at least one slice and at most 64 of them, 4 MiB where that fits. */
static struct sensor_config config_for(uint64_t slice_bytes)
{
	uint64_t frame_bytes = 4u << 20;

	if (frame_bytes < slice_bytes)
		frame_bytes = slice_bytes;
	if (frame_bytes > 64 * slice_bytes)
		frame_bytes = 64 * slice_bytes;
	return (struct sensor_config){
		.name = "bench",
		.source = SOURCE_KIND_SIM,
		.slice_bytes = slice_bytes,
		.loans = 8,
		.sim_beams = 128,
		.sim_columns = (uint32_t)(frame_bytes / (128 * 32)),
		.sim_returns = 1,
		.sim_hz = 10,
		.sim_noise_mm = 10,
		.sim_seed = 1,
		/* beyond any memory: never ahead of time, never waiting */
		.sim_rate = 1000000000000ull,
	};
}

static void lend_all(struct source *s, struct loan_pool *pool)
{
	struct loan *loan;

	while (s->ops->wants(s) > 0 && (loan = loan_pool_take(pool)))
		s->ops->lend(s, loan);
}

static uint64_t take_slice(struct source *s, struct loan_pool *pool)
{
	struct problem problem = {""};
	struct loan *loan = NULL;
	uint64_t bytes;

	lend_all(s, pool);
	switch (s->ops->next(s, &loan, &problem)) {
	case SOURCE_NONE:
		return 0;
	case SOURCE_FILLED:
		break;
	default:
		die(problem.text);
	}
	bytes = loan->header->payload_bytes;
	loan_pool_give_back(pool, loan);
	return bytes;
}

static double sim_rate(struct source *s, struct loan_pool *pool)
{
	uint64_t begin_ns = clock_now_ns(), now_ns, bytes = 0;

	do {
		bytes += take_slice(s, pool);
		now_ns = clock_now_ns();
	} while (now_ns < begin_ns + RUN_NS);
	return (double)bytes * 1e9 / (double)(now_ns - begin_ns);
}

static double copy_rate(uint8_t *reel, uint64_t reel_bytes, struct loan_pool *pool,
			uint64_t slice_bytes)
{
	uint64_t begin_ns = clock_now_ns(), now_ns, bytes = 0, from = 0, at, n;
	struct loan *loan;

	do {
		loan = loan_pool_take(pool);
		for (at = 0; at < slice_bytes; at += n, from += n) {
			n = slice_bytes - at < COPY_STEP_BYTES ? slice_bytes - at : COPY_STEP_BYTES;
			if (from + n > reel_bytes)
				from = 0;
			memcpy((uint8_t *)loan->data + at, reel + from, n);
			__asm__ volatile("" ::: "memory");
		}
		loan_pool_give_back(pool, loan);
		bytes += slice_bytes;
		now_ns = clock_now_ns();
	} while (now_ns < begin_ns + RUN_NS);
	return (double)bytes * 1e9 / (double)(now_ns - begin_ns);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double values[RUNS])
{
	qsort(values, RUNS, sizeof(*values), by_value);
	return values[RUNS / 2];
}

static struct source *start(const struct sensor_config *config, struct loan_pool *pool)
{
	struct problem problem = {""};
	struct source *s;

	if (source_sim_new(config, &s, &problem) < 0 || s->ops->start(s, &problem) < 0)
		die(problem.text);
	/* until all is rendered */
	while (take_slice(s, pool) == 0)
		;
	return s;
}

static void compare(uint64_t slice_bytes)
{
	struct sensor_config config = config_for(slice_bytes);
	struct loan_pool pool, copy_pool;
	double sim[RUNS], copy[RUNS];
	struct sim_layout layout;
	uint64_t reel_bytes, cpu_ns, sent = 0;
	struct source *s;
	uint8_t *reel;
	int run;

	if (sim_layout_init(&layout, &config, NULL) < 0)
		die("no such layout");
	reel_bytes = layout.frame_bytes * layout.reel_revolutions;
	reel = aligned_alloc(LIDARD_PAYLOAD_ALIGN, reel_bytes);
	if (!reel)
		die("out of memory");
	memset(reel, 1, reel_bytes);
	loan_pool_init(&pool, POOL_LOANS, slice_bytes);
	/* as many loans go round in both: the source is given one back while it holds the rest */
	loan_pool_init(&copy_pool, 1, slice_bytes);
	s = start(&config, &pool);
	cpu_ns = s->stats.fill_cpu_ns;
	for (run = 0; run < RUNS; run++) {
		sim[run] = sim_rate(s, &pool);
		sent += (uint64_t)(sim[run] * RUN_NS / 1e9);
		copy[run] = copy_rate(reel, reel_bytes, &copy_pool, slice_bytes);
	}
	cpu_ns = s->stats.fill_cpu_ns - cpu_ns;
	printf("sim slice_bytes=%" PRIu64 " reel_bytes=%" PRIu64
	       " sim_mb_s=%.0f memcpy_mb_s=%.0f ratio=%.2f fill_cpu_ns_per_kb=%.0f\n",
	       slice_bytes, reel_bytes, median(sim) / 1e6, median(copy) / 1e6,
	       median(sim) / median(copy), (double)cpu_ns * 1024 / (double)sent);
	fflush(stdout);
	s->ops->free(s);
	loan_pool_deinit(&pool);
	loan_pool_deinit(&copy_pool);
	free(reel);
}

static void measure_rendering(uint32_t beams, uint32_t returns)
{
	struct sensor_config config = config_for(1u << 20);
	struct lidard_point_xyzirt *points;
	struct sim_renderer *renderer;
	struct sim_layout layout;
	uint64_t begin_ns, ray_ns[RUNS];
	double ns[RUNS];
	int run;

	config.sim_beams = beams;
	config.sim_columns = 131072 / beams;
	config.sim_returns = returns;
	if (sim_layout_init(&layout, &config, NULL) < 0)
		die("no such layout");
	renderer = sim_renderer_new(&layout, 1, 10);
	points = malloc(layout.frame_bytes);
	if (!renderer || !points)
		die("out of memory");
	for (run = 0; run < RUNS; run++) {
		begin_ns = clock_now_ns();
		sim_renderer_draw(renderer, (uint64_t)run, 0, layout.firings, 0, points);
		ray_ns[run] = clock_now_ns() - begin_ns;
		ns[run] = (double)ray_ns[run] / layout.firings;
	}
	printf("render beams=%" PRIu32 " returns=%" PRIu32 " ns_per_ray=%.0f\n", beams, returns,
	       median(ns));
	sim_renderer_free(renderer);
	free(points);
}

static void measure_crc(void)
{
	enum { BYTES = 1 << 20, TIMES = 256 };
	uint8_t *data = calloc(1, BYTES);
	uint32_t crc = 0;
	double rate[RUNS];
	int run, i;

	if (!data)
		die("out of memory");
	for (run = 0; run < RUNS; run++) {
		uint64_t begin_ns = clock_now_ns();

		for (i = 0; i < TIMES; i++)
			crc = crc32c(crc, data, BYTES);
		rate[run] = (double)BYTES * TIMES * 1e9 / (double)(clock_now_ns() - begin_ns);
	}
	printf("crc32c mb_s=%.0f value=%08" PRIx32 "\n", median(rate) / 1e6, crc);
	free(data);
}

int main(void)
{
	uint64_t slice_bytes;

	for (slice_bytes = LIDARD_SLICE_BYTES_MIN; slice_bytes <= LIDARD_SLICE_BYTES_MAX;
	     slice_bytes *= 4)
		compare(slice_bytes);
	measure_rendering(128, 1);
	measure_rendering(128, 2);
	measure_rendering(16, 1);
	measure_rendering(1, 1);
	measure_crc();
	return EXIT_SUCCESS;
}
