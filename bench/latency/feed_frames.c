/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_frames.c - slices as a device hands them out that fills them at a rate
 *
 * Each is due when the device has written its last byte, and says when it wrote its
 * first; one frame follows the other.  The device does not wait: who is late finds
 * several slices due.  Nothing is written.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

#include "bench/feed.h"
#include "bench/latency/frames.h"
#include "bench/shared_page.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "lidard/frame.h"

struct slice {
	uint64_t frame;
	uint32_t index;
	/* in the frame */
	uint64_t at;
	uint64_t bytes;
	uint64_t begin_ns;
	uint64_t end_ns;
};

struct feed {
	struct frames_page *page;
	int fd;
	uint64_t started_ns;
	/* the one the device is filling, and the one that was handed out last */
	struct slice filling;
	struct slice due;
};

/* When the device has written so many bytes since it was started. */
static uint64_t time_of(const struct feed *f, uint64_t frame, uint64_t at)
{
	double bytes = (double)frame * (double)f->page->frame_bytes + (double)at;

	return f->started_ns + (uint64_t)(bytes * 1e9 / (double)f->page->bytes_per_s);
}

static void begin_slice(struct feed *f, uint64_t frame, uint32_t index, uint64_t at)
{
	uint64_t left = f->page->frame_bytes - at;
	uint64_t bytes = index == 0 ? f->page->first_bytes : f->page->slice_bytes;

	f->filling = (struct slice){
		.frame = frame,
		.index = index,
		.at = at,
		.bytes = bytes < left ? bytes : left,
		.begin_ns = time_of(f, frame, at),
	};
	f->filling.end_ns = time_of(f, frame, at + f->filling.bytes);
}

static bool is_last(const struct feed *f, const struct slice *s)
{
	return s->at + s->bytes == f->page->frame_bytes;
}

struct feed *feed_new(const char *sensor, uint64_t slice_bytes)
{
	CLEANUP(cleanup_free) struct feed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->page = shared_page_open(sizeof(*f->page));
	if (!f->page)
		return NULL;
	f->fd = -1;
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

static void sleep_until(struct feed *f, uint64_t ns)
{
	struct itimerspec spec = { .it_value = clock_to_timespec(ns) };

	timerfd_settime(f->fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

int feed_start(struct feed *f)
{
	f->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (f->fd < 0)
		return -errno;
	f->started_ns = clock_now_ns();
	begin_slice(f, 0, 0, 0);
	sleep_until(f, f->filling.end_ns);
	return f->fd;
}

void feed_stop(struct feed *f)
{
	f->fd = close_fd(f->fd);
}

bool feed_lends_ahead(const struct feed *f)
{
	return true;
}

bool feed_is_due(struct feed *f)
{
	const struct slice *s = &f->filling;

	if (clock_now_ns() < s->end_ns) {
		/* this also makes the fd unreadable */
		sleep_until(f, s->end_ns);
		return false;
	}
	f->due = *s;
	if (is_last(f, &f->due))
		begin_slice(f, f->due.frame + 1, 0, 0);
	else
		begin_slice(f, f->due.frame, f->due.index + 1, f->due.at + f->due.bytes);
	return true;
}

void feed_describe(struct feed *f, struct lidard_slice_header *header)
{
	header->frame_id = f->due.frame;
	header->slice_index = f->due.index;
	header->slice_count = frames_slice_count(f->page);
	header->payload_bytes = f->due.bytes;
	header->first_byte_ns = f->due.begin_ns;
	header->filled_ns = f->due.end_ns;
	if (!is_last(f, &f->due))
		header->flags &= ~(uint32_t)LIDARD_SLICE_LAST;
}

void feed_fill(struct feed *f, void *data)
{
}

void feed_count(struct feed *f)
{
	PAGE_SET(f->page->slices, f->page->slices + 1);
}
