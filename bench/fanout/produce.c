/* SPDX-License-Identifier: Apache-2.0 */
/* produce.c - the producer's process, for contenders that have no program of their own */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/fanout/due.h"
#include "bench/fanout/fanout.h"
#include "bench/fanout/ready.h"

static void *get_frame(const struct fanout_ops *ops, void *producer, struct ready *ready)
{
	return ops->loan ? ops->loan(producer) : ready_next(ready);
}

static void send(const struct fanout *f, void *producer, void *frame, uint64_t seq)
{
	struct fanout_page *page = f->page;

	ready_fill(page, frame);
	frame_stamp(frame, f->bytes, seq, clock_now_ns());
	f->ops->publish(producer, frame);
	PAGE_SET(page->sent, page->sent + 1);
}

_Noreturn void fanout_produce(const struct fanout *f)
{
	void *producer = f->ops->producer_open(f), *frame;
	struct ready ready = { 0 };
	struct due due;
	uint64_t seq;

	if (!f->ops->loan && !ready_init(&ready, f->bytes)) {
		fputs("no memory for frames\n", stderr);
		_exit(EXIT_FAILURE);
	}
	if (due_init(&due, f->page, 0) < 0) {
		perror("timer");
		_exit(EXIT_FAILURE);
	}
	PAGE_SET(f->page->ready, 1);
	for (;;) {
		if (!due_next(&due, &seq))
			continue;
		frame = get_frame(f->ops, producer, &ready);
		if (frame)
			send(f, producer, frame, seq);
	}
}
