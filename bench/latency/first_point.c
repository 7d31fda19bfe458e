/* SPDX-License-Identifier: Apache-2.0 */
/*
 * first_point.c - one turn: how soon a reader has a frame's first points, and all of it
 *
 *	first-point slices|whole SECONDS
 *
 * A device fills frames of 64 MiB at 500 MB/s.  lidard publishes a slice as soon as it
 * is filled, the first of 64 KiB, the others of 1 MiB; or the whole frame as one.  A
 * reader that sleeps takes each slice.  Prints two lines of JSON: from the frame's
 * first byte to having the first slice, and to having the last.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/figures.h"
#include "bench/latency/frames.h"
#include "bench/service.h"
#include "bench/shared_page.h"
#include "common/clock.h"
#include "lidard/lidard.h"

#define FRAME_BYTES (64ull << 20)
#define BYTES_PER_S 500000000ull
#define SLICE_BYTES (1ull << 20)
#define FIRST_BYTES (64ull << 10)
#define WARM_UP_NS (300 * NSEC_PER_MSEC)
#define SECONDS_MAX 3600.0
#define QUEUE 4u
#define HELD 1u

/* ---- The reader --------------------------------------------------------------- */

struct frame {
	uint64_t id;
	uint64_t begin_ns;
	/* its first slice was taken, while recording */
	bool counts;
	/* of the slice after the last that was taken, of whatever frame */
	uint64_t next_seq;
};

static void note(struct frames_page *page, struct frame *frame, const struct lidard_slice *slice,
		 uint64_t now_ns)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);

	/* by their numbers: lost_before does not know of those this reader was too slow for */
	if (PAGE_GET(page->connected))
		PAGE_SET(page->lost, page->lost + h->seq - frame->next_seq);
	frame->next_seq = h->seq + 1;
	PAGE_SET(page->connected, 1);
	if (h->slice_index == 0) {
		frame->id = h->frame_id;
		frame->begin_ns = h->first_byte_ns;
		frame->counts = PAGE_GET(page->recording);
		if (frame->counts)
			histogram_add(&page->first_point, now_ns - frame->begin_ns);
	}
	if (h->flags & LIDARD_SLICE_LAST && frame->counts && frame->id == h->frame_id)
		histogram_add(&page->whole_frame, now_ns - frame->begin_ns);
}

static _Noreturn void give_up(struct lidard_client *client)
{
	fprintf(stderr, "liblidard: %s\n", client ? lidard_client_get_error(client) : "no client");
	exit(EXIT_FAILURE);
}

static _Noreturn void read_frames(struct frames_page *page)
{
	struct lidard_client_opts client_opts = {
		.size = sizeof(client_opts),
		.socket_path = BENCH_SOCKET,
		.timeout_ns = 10 * NSEC_PER_SEC,
	};
	struct lidard_subscribe_opts opts = {
		.size = sizeof(opts),
		.queue = QUEUE,
		.held = HELD,
		.wait_mode = LIDARD_WAIT_BLOCK,
	};
	struct lidard_client *client;
	struct lidard_subscription *sub;
	struct lidard_slice *slice;
	struct frame frame = { 0 };

	if (lidard_client_new(&client_opts, &client) < 0)
		give_up(NULL);
	if (lidard_subscribe(client, "s0", &opts, &sub) < 0)
		give_up(client);
	for (;;) {
		if (lidard_subscription_wait(sub, -1) < 0)
			give_up(client);
		while (lidard_subscription_take(sub, &slice) == 1) {
			note(page, &frame, slice, clock_now_ns());
			lidard_slice_release(slice);
		}
	}
}

/* ---- The driver --------------------------------------------------------------- */

static struct frames_page *make_page(bool whole)
{
	struct frames_page *page = shared_page_make(sizeof(*page));

	if (!page)
		bench_die("cannot make the shared page: %s", strerror(errno));
	page->frame_bytes = FRAME_BYTES;
	page->slice_bytes = whole ? FRAME_BYTES : SLICE_BYTES;
	page->first_bytes = whole ? FRAME_BYTES : FIRST_BYTES;
	page->bytes_per_s = BYTES_PER_S;
	return page;
}

static void sleep_and_check(pid_t lidard, pid_t reader, uint64_t duration_ns)
{
	uint64_t end_ns = clock_now_ns() + duration_ns;

	while (clock_now_ns() < end_ns) {
		child_check(lidard, "bench-lidard-frames");
		child_check(reader, "the reader");
		bench_nap();
	}
}

static void print_line(const char *contender, const char *way, const struct frames_page *page,
		       const uint64_t counts[4], const struct lidard_histogram *latency)
{
	printf("{\"contender\": \"%s\", \"way\": \"%s\", \"bytes\": %" PRIu64 ", \"hz\": %.2f, "
	       "\"published\": %" PRIu64 ", \"taken\": %" PRIu64 ", \"publisher_cpu_ns\": %" PRIu64
	       ", \"reader_cpu_ns\": %" PRIu64 ", \"lost\": %" PRIu64 ", ",
	       contender, way, page->frame_bytes, (double)BYTES_PER_S / FRAME_BYTES, counts[0],
	       latency->count, counts[1], counts[2], counts[3]);
	figures_print_histogram(latency);
	puts("}");
}

static void measure(struct frames_page *page, pid_t lidard, pid_t reader, uint64_t duration_ns)
{
	const char *name = page->first_bytes == page->frame_bytes ? "lidard-whole" : "lidard-slices";
	uint64_t counts[4];

	sleep_and_check(lidard, reader, WARM_UP_NS);
	counts[0] = PAGE_GET(page->slices);
	counts[1] = child_cpu_ns(lidard);
	counts[2] = child_cpu_ns(reader);
	counts[3] = PAGE_GET(page->lost);
	PAGE_SET(page->recording, 1);
	sleep_and_check(lidard, reader, duration_ns);
	PAGE_SET(page->recording, 0);
	counts[0] = PAGE_GET(page->slices) - counts[0];
	counts[1] = child_cpu_ns(lidard) - counts[1];
	counts[2] = child_cpu_ns(reader) - counts[2];
	counts[3] = PAGE_GET(page->lost) - counts[3];
	/* frames that were begun are taken to their end */
	sleep_and_check(lidard, reader, 2 * FRAME_BYTES * NSEC_PER_SEC / BYTES_PER_S);
	if (page->first_point.count == 0)
		bench_die("nobody got a first point");
	print_line(name, "first-point", page, counts, &page->first_point);
	print_line(name, "whole-frame", page, counts, &page->whole_frame);
}

static void run(bool whole, uint64_t duration_ns)
{
	struct frames_page *page;
	struct service_plan plan = {
		.program = "bench-lidard-frames",
		.sensor_count = 1,
		.loans = 4,
		.subscriber_slices = QUEUE + HELD,
		.queue = QUEUE,
		.held = HELD,
	};
	uint64_t deadline_ns;
	pid_t lidard, reader;

	bench_begin();
	page = make_page(whole);
	plan.slice_bytes = &page->slice_bytes;
	service_start_roudi(&plan);
	lidard = service_start_lidard(&plan, -1);
	service_wait(&plan, lidard);
	reader = child_start(-1);
	if (reader == 0)
		read_frames(page);
	deadline_ns = clock_now_ns() + BENCH_PATIENCE_NS;
	while (!PAGE_GET(page->connected)) {
		child_check(reader, "the reader");
		if (clock_now_ns() > deadline_ns)
			bench_die("the reader does not connect");
		bench_nap();
	}
	measure(page, lidard, reader, duration_ns);
}

int main(int argc, char **argv)
{
	double seconds = argc == 3 ? strtod(argv[2], NULL) : 0;
	bool whole = argc == 3 && strcmp(argv[1], "whole") == 0;

	if (!(seconds > 0 && seconds <= SECONDS_MAX) || (!whole && strcmp(argv[1], "slices") != 0)) {
		fputs("usage: first-point slices|whole SECONDS\n", stderr);
		return 2;
	}
	run(whole, (uint64_t)(seconds * 1e9));
	/* the others end with this process */
	return EXIT_SUCCESS;
}
