/* SPDX-License-Identifier: Apache-2.0 */
/* produce.c - the producer's process, for contenders that have no program of their own */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/fanout/due.h"
#include "bench/fanout/fanout.h"
#include "bench/fanout/ready.h"

/* Where the frames of one sensor come from, and where they go. */
struct sensor {
	void *producer;
	struct ready ready;
	struct due due;
};

static void sensor_init(struct sensor *s, const struct fanout *f, unsigned int index)
{
	s->producer = f->ops->producer_open(f, index);
	if (!f->ops->loan && !ready_init(&s->ready, f->bytes)) {
		fputs("no memory for frames\n", stderr);
		_exit(EXIT_FAILURE);
	}
	if (due_init(&s->due, f->page, index) < 0) {
		perror("timer");
		_exit(EXIT_FAILURE);
	}
}

static void *get_frame(const struct fanout_ops *ops, struct sensor *s)
{
	return ops->loan ? ops->loan(s->producer) : ready_next(&s->ready);
}

static void send(const struct fanout *f, void *producer, void *frame, uint64_t seq)
{
	struct fanout_page *page = f->page;

	ready_fill(page, frame);
	frame_stamp(frame, f->bytes, seq, clock_now_ns());
	f->ops->publish(producer, frame);
	PAGE_SET(page->sent, page->sent + 1);
}

/* Sleeps until a frame may be due. */
static void send_next(const struct fanout *f, struct sensor *s)
{
	uint64_t seq;
	void *frame;

	if (!due_next(&s->due, &seq))
		return;
	frame = get_frame(f->ops, s);
	if (frame)
		send(f, s->producer, frame, seq);
}

_Noreturn void fanout_produce(const struct fanout *f)
{
	struct sensor *sensors = fanout_alloc(f->sensors * sizeof(*sensors));
	unsigned int i;

	for (i = 0; i < f->sensors; i++)
		sensor_init(&sensors[i], f, i);
	PAGE_SET(f->page->ready, 1);
	for (;;)
		send_next(f, &sensors[0]);
}
