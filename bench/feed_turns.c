/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_turns.c - slices for bench_publish_take and bench_publish_cost
 *
 * One each tick of its turn, its payload untouched.  Sensor sN is the one whose
 * turn is TURN(CONTENDER_LIDARD, N).
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench/feed.h"
#include "bench/pace.h"
#include "bench/page.h"
#include "bench/shared_page.h"
#include "common/cleanup.h"

struct feed {
	struct bench_page *page;
	struct pace pace;
	uint32_t turn;
	/* this tick is over: do not look at the timer again before the loop does */
	bool handed_out;
};

struct feed *feed_new(const char *sensor, uint64_t slice_bytes)
{
	CLEANUP(cleanup_free) struct feed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->page = shared_page_open(sizeof(*f->page));
	if (!f->page)
		return NULL;
	f->pace.fd = -1;
	f->turn = TURN(CONTENDER_LIDARD, strtoul(sensor + 1, NULL, 10));
	return STEAL(f);
}

struct feed *feed_free(struct feed *f)
{
	if (f) {
		feed_stop(f);
		munmap(f->page, sizeof(*f->page));
	}
	free(f);
	return NULL;
}

int feed_start(struct feed *f)
{
	f->handed_out = false;
	return pace_init(&f->pace, TFD_NONBLOCK) < 0 ? -errno : f->pace.fd;
}

void feed_stop(struct feed *f)
{
	f->pace.fd = close_fd(f->pace.fd);
}

bool feed_lends_ahead(const struct feed *f)
{
	return true;
}

bool feed_is_due(struct feed *f)
{
	f->handed_out = !f->handed_out &&
			pace_tick(&f->pace, f->page, PAGE_GET(f->page->turn) == f->turn);
	return f->handed_out;
}

void feed_describe(struct feed *f, struct lidard_slice_header *header)
{
}

void feed_fill(struct feed *f, void *data)
{
}

void feed_count(struct feed *f)
{
	PAGE_SET(f->page->published[CONTENDER_LIDARD].slices,
		 f->page->published[CONTENDER_LIDARD].slices + 1);
}
