/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - one decoder's turn: packets to points in loans, as fast as it goes
 *
 *	decode SECONDS made DECODER MODEL RETURNS
 *	decode SECONDS recorded DECODER MODEL CAPTURE FILE
 *
 * Decoder and frame builder as lidard runs them; loans are plain memory, and
 * nobody reads them.  In turns with that, memcpy of the same points into the same
 * loans.  What counts is this thread's CPU time: the machine may do something
 * else.  Prints one line of JSON.  SECONDS 0: each once, for somebody who counts
 * instructions.  Exit status 77, with a reason: there is no such recording.
 * bench/run calls it and adds up.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/decode/stream.h"
#include "bench/loan_pool.h"
#include "common/clock.h"
#include "daemon/config.h"
#include "daemon/frame_builder.h"

#define SECONDS_MAX 3600.0
/** As slice_bytes is by default. */
#define SLICE_BYTES (1u << 20)
#define LOANS 8
#define LOANS_SHARE 4
/** Between the last packet and the first, when the stream begins anew. */
#define GAP_NS NSEC_PER_MSEC

struct bench {
	struct stream stream;
	struct sensor_config config;
	struct source source;
	struct frame_builder *builder;
	struct loan_pool pool;
	/** The points of the stream, for memcpy; NULL until they are known. */
	uint8_t *reel;
	size_t reel_bytes;
	uint64_t points;
	uint64_t passes;
	uint64_t decode_ns;
	uint64_t memcpy_ns;
};

static void die(const char *text)
{
	fprintf(stderr, "decode: %s\n", text);
	exit(EXIT_FAILURE);
}

static uint64_t cpu_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* ---- Decoding ---------------------------------------------------------------- */

static void lend_all(struct bench *b)
{
	struct loan *loan;

	while (frame_builder_wants(b->builder) && (loan = loan_pool_take(&b->pool)))
		frame_builder_lend(b->builder, loan);
}

static void take_all(struct bench *b, uint8_t *reel)
{
	struct loan *loan;

	while (frame_builder_take(b->builder, &loan)) {
		if (reel)
			memcpy(reel + b->points * sizeof(struct lidard_point_xyzirt), loan->data,
			       loan->header->payload_bytes);
		b->points += loan->header->point_count;
		loan_pool_give_back(&b->pool, loan);
		lend_all(b);
	}
}

/* The stream once. */
static void push_all(struct bench *b, uint8_t *reel)
{
	const struct stream *s = &b->stream;
	size_t i;

	for (i = 0; i < s->count; i++) {
		const size_t at = stream_begin_of(s, i);

		frame_builder_push(b->builder, s->bytes + at, s->ends[i] - at, i);
		take_all(b, reel);
	}
	frame_builder_restart(b->builder, GAP_NS);
	take_all(b, reel);
}

/* Who counts instructions counts those of this function, so it stays one. */
static __attribute__((noinline)) void decode_stream(struct bench *b)
{
	push_all(b, NULL);
}

/* ---- The same bytes, copied -------------------------------------------------- */

static __attribute__((noinline)) void copy_points(struct bench *b)
{
	size_t at, n;

	for (at = 0; at < b->reel_bytes; at += n) {
		struct loan *loan = loan_pool_take(&b->pool);

		n = b->reel_bytes - at < SLICE_BYTES ? b->reel_bytes - at : SLICE_BYTES;
		memcpy(loan->data, b->reel + at, n);
		__asm__ volatile("" ::: "memory");
		loan_pool_give_back(&b->pool, loan);
	}
}

/* ---- A turn ------------------------------------------------------------------ */

/* Everything was decoded, and always to as much; otherwise there is nothing to measure. */
static void check(const struct bench *b)
{
	const struct source_stats *stats = &b->source.stats;

	if (!b->points)
		die("no points");
	if (stats->packets != b->stream.count * (b->passes + 1) || stats->lost_packets ||
	    stats->late_packets || stats->bad_packets || stats->ignored_packets)
		die("packets were lost or not understood");
	if (stats->dropped[SOURCE_DROP_NO_LOAN])
		die("a loan was missing");
	if (b->points != b->passes * b->reel_bytes / sizeof(struct lidard_point_xyzirt))
		die("not as many points each time");
}

static void set_up(struct bench *b)
{
	struct problem problem;
	size_t room;

	b->config = (struct sensor_config){
		.name = "bench",
		.slice_bytes = SLICE_BYTES,
		.loans = LOANS,
	};
	b->source.config = &b->config;
	if (frame_builder_new(&b->config, b->stream.decoder, &b->source, 0, &b->builder,
			      &problem) < 0)
		die(problem.text);
	/* some for memcpy to go round in, too */
	loan_pool_init(&b->pool, LOANS + LOANS_SHARE, SLICE_BYTES);
	lend_all(b);
	room = b->stream.count * b->stream.decoder->geometry.packet_columns *
	       b->stream.decoder->geometry.column_points * sizeof(struct lidard_point_xyzirt);
	b->reel = malloc(room);
	if (!b->reel)
		die("out of memory");
	/* warms up, too */
	push_all(b, b->reel);
	b->reel_bytes = b->points * sizeof(struct lidard_point_xyzirt);
	b->points = 0;
}

static void run(struct bench *b, double seconds)
{
	const uint64_t end_ns = clock_now_ns() + (uint64_t)(seconds * 1e9);

	do {
		uint64_t begin_ns = cpu_now_ns(), middle_ns;

		decode_stream(b);
		middle_ns = cpu_now_ns();
		b->decode_ns += middle_ns - begin_ns;
		copy_points(b);
		b->memcpy_ns += cpu_now_ns() - middle_ns;
		b->passes++;
	} while (clock_now_ns() < end_ns);
	check(b);
}

static void print(const struct bench *b)
{
	printf("{\"packets\": %zu, \"packet_bytes\": %zu, \"points\": %" PRIu64
	       ", \"span_ns\": %" PRIu64 ", \"passes\": %" PRIu64 ", \"decode_cpu_ns\": %" PRIu64
	       ", \"memcpy_cpu_ns\": %" PRIu64 "}\n",
	       b->stream.count, stream_get_bytes(&b->stream),
	       b->reel_bytes / sizeof(struct lidard_point_xyzirt), b->stream.span_ns, b->passes,
	       b->decode_ns, b->memcpy_ns);
}

static void tear_down(struct bench *b)
{
	b->builder = frame_builder_free(b->builder);
	loan_pool_deinit(&b->pool);
	stream_deinit(&b->stream);
	free(b->reel);
}

/* Return: as of stream_make() and stream_read(); 1: not understood. */
static int open_stream(int argc, char **argv, struct stream *ret, struct problem *problem)
{
	if (argc == 6 && strcmp(argv[2], "made") == 0 &&
	    (strcmp(argv[5], "1") == 0 || strcmp(argv[5], "2") == 0 || strcmp(argv[5], "3") == 0))
		return stream_make(argv[3], argv[4], (unsigned int)(argv[5][0] - '0'), ret, problem);
	if (argc == 7 && strcmp(argv[2], "recorded") == 0)
		return stream_read(argv[3], argv[4], argv[5], argv[6], ret, problem);
	return 1;
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct problem problem = { "" };
	double seconds = argc > 1 ? strtod(argv[1], NULL) : -1;
	int r = seconds >= 0 && seconds <= SECONDS_MAX ?
			open_stream(argc, argv, &b.stream, &problem) : 1;

	if (r > 0) {
		fputs("usage: decode SECONDS made DECODER MODEL RETURNS\n"
		      "       decode SECONDS recorded DECODER MODEL CAPTURE FILE\n", stderr);
		return 2;
	}
	if (r == -ENOENT) {
		printf("%s\n", problem.text);
		return 77;
	}
	if (r < 0)
		die(problem.text);
	set_up(&b);
	run(&b, seconds);
	print(&b);
	tear_down(&b);
	return EXIT_SUCCESS;
}
