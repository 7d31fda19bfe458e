/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed.c - the frames of a fan-out as slices of lidard, in place or by one copy
 *
 * Several sensors are one producer all the same: numbers and counts are those of all.
 */
#include "bench/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench/fanout/due.h"
#include "bench/fanout/ready.h"
#include "bench/shared_page.h"
#include "common/cleanup.h"

struct feed {
	struct fanout_page *page;
	struct due due;
	struct ready ready;
	unsigned int sensor;
	uint64_t seq;
	bool had_one;
};

struct feed *feed_new(const char *sensor, uint64_t slice_bytes)
{
	CLEANUP(cleanup_free) struct feed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->page = shared_page_open(sizeof(*f->page));
	if (!f->page)
		return NULL;
	if (f->page->copies && !ready_init(&f->ready, slice_bytes))
		return NULL;
	f->sensor = (unsigned int)strtoul(sensor + 1, NULL, 10);
	f->due.fd = -1;
	return STEAL(f);
}

struct feed *feed_free(struct feed *f)
{
	if (f) {
		feed_stop(f);
		free(f->ready.memory);
		munmap(f->page, sizeof(*f->page));
	}
	free(f);
	return NULL;
}

int feed_start(struct feed *f)
{
	if (due_init(&f->due, f->page, f->sensor) < 0 || fcntl(f->due.fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	PAGE_SET(f->page->ready, 1);
	return f->due.fd;
}

void feed_stop(struct feed *f)
{
	if (f->page->hz)
		f->due.fd = close_fd(f->due.fd);
}

bool feed_lends_ahead(const struct feed *f)
{
	return f->page->ahead;
}

bool feed_is_due(struct feed *f)
{
	/*
	 * The loop asks again after each slice, which costs a device's source a look at
	 * memory.  Here it would be a system call; but the timer's fd is readable if
	 * there is more, so the loop comes back.
	 */
	if (f->had_one && f->page->hz && f->due.backlog == 0) {
		f->had_one = false;
		return false;
	}
	f->had_one = due_next(&f->due, &f->seq);
	return f->had_one;
}

void feed_describe(struct feed *f, struct lidard_slice_header *header)
{
}

void feed_fill(struct feed *f, void *data)
{
	uint64_t bytes = f->page->bytes;
	void *frame = f->page->copies ? ready_next(&f->ready) : data;

	ready_fill(f->page, frame);
	frame_stamp(frame, bytes, f->seq, clock_now_ns());
	if (frame != data)
		memcpy(data, frame, bytes);
}

void feed_count(struct feed *f)
{
	PAGE_SET(f->page->sent, f->page->sent + 1);
}
