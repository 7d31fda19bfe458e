/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_io.h - frames through a file descriptor for each subscriber
 *
 * Written one after the other, as a simple program does: whoever does not read
 * makes the others wait.
 */
#ifndef BENCH_FANOUT_FRAME_IO_H
#define BENCH_FANOUT_FRAME_IO_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/fanout/fanout.h"

/** What setup() makes: [0] is the subscriber's end, [1] the producer's. */
typedef int frame_io_pair[2];

struct frame_io_sender {
	const frame_io_pair *pairs;
	unsigned int count;
	uint64_t bytes;
};

struct frame_io_receiver {
	int fd;
	uint64_t bytes;
	uint8_t *buffer;
};

static inline _Noreturn void frame_io_give_up(const char *what)
{
	perror(what);
	_exit(EXIT_FAILURE);
}

static inline frame_io_pair *frame_io_new(const struct fanout *f)
{
	return fanout_alloc(f->subscribers * sizeof(frame_io_pair));
}

/** A contender's producer_open(). */
static inline void *frame_io_producer_open(const struct fanout *f, unsigned int sensor)
{
	struct frame_io_sender *s = fanout_alloc(sizeof(*s));

	s->pairs = f->shared;
	s->count = f->subscribers;
	s->bytes = f->bytes;
	return s;
}

/** A contender's subscriber_open(). */
static inline void *frame_io_subscriber_open(const struct fanout *f, unsigned int index)
{
	struct frame_io_receiver *r = fanout_alloc(sizeof(*r));

	r->fd = ((const frame_io_pair *)f->shared)[index][0];
	r->bytes = f->bytes;
	r->buffer = fanout_alloc(f->bytes);
	return r;
}

/** A contender's take(): read until the frame is there. */
static inline const void *frame_io_take(void *subscriber)
{
	struct frame_io_receiver *r = subscriber;
	uint64_t at = 0;
	ssize_t n;

	while (at < r->bytes) {
		n = read(r->fd, r->buffer + at, r->bytes - at);
		if (n <= 0)
			frame_io_give_up("read");
		at += (uint64_t)n;
	}
	return r->buffer;
}

/** A contender's publish(): write until the frame is with all. */
static inline void frame_io_publish(void *producer, void *frame)
{
	const struct frame_io_sender *s = producer;
	unsigned int i;
	uint64_t at;
	ssize_t n;

	for (i = 0; i < s->count; i++)
		for (at = 0; at < s->bytes; at += (uint64_t)n) {
			n = write(s->pairs[i][1], (const uint8_t *)frame + at, s->bytes - at);
			if (n <= 0)
				frame_io_give_up("write");
		}
}

#endif /* BENCH_FANOUT_FRAME_IO_H */
