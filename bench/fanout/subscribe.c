/* SPDX-License-Identifier: Apache-2.0 */
/* subscribe.c - a subscriber's process */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/fanout/due.h"
#include "bench/fanout/fanout.h"
#include "bench/fanout/frame.h"

bool fanout_release_nothing(void *subscriber, const void *frame)
{
	return true;
}

void *fanout_alloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p) {
		fputs("out of memory\n", stderr);
		_exit(EXIT_FAILURE);
	}
	return p;
}

struct viewer {
	const struct fanout *f;
	struct fanout_subscriber *me;
	void *subscriber;
};

static void look_at(void *with, const void *frame)
{
	const struct viewer *v = with;
	uint64_t now_ns = clock_now_ns();
	const struct frame_head *head = frame;
	uint64_t stamp_ns = head->stamp_ns, seq = head->seq;
	bool whole = frame_is_whole(frame, v->f->bytes);
	struct fanout_subscriber *me = v->me;

	/* overwritten meanwhile: what was read says nothing, and the frame is lost */
	if (!v->f->ops->release(v->subscriber, frame))
		return;
	if (!whole || now_ns < stamp_ns) {
		PAGE_SET(me->bad, me->bad + 1);
		return;
	}
	PAGE_SET(me->taken, me->taken + 1);
	if (PAGE_GET(v->f->page->recording))
		histogram_add(&me->latency, now_ns - stamp_ns);
	PAGE_SET(me->next_seq, seq + 1);
	due_give_credit(v->f->page, seq + 1);
}

_Noreturn void fanout_subscribe(const struct fanout *f, unsigned int index)
{
	struct viewer v = {
		.f = f,
		.me = &f->page->subscribers[index],
		.subscriber = f->ops->subscriber_open(f, index),
	};
	const void *frame;

	PAGE_SET(v.me->connected, 1);
	if (f->ops->listen)
		f->ops->listen(v.subscriber, look_at, &v);
	for (;;) {
		frame = f->ops->take(v.subscriber);
		if (frame)
			look_at(&v, frame);
	}
}
