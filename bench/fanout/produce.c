/* SPDX-License-Identifier: Apache-2.0 */
/*
 * produce.c - the producer's process, for contenders that have no program of their own
 *
 * One thread, however many sensors.  One alone is waited for in its timer; of several
 * each has a timer, and epoll tells whose turn it is: what one writes who wants frames
 * from all of them and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/fanout/due.h"
#include "bench/fanout/fanout.h"
#include "bench/fanout/ready.h"
#include "lidard/control.h"

/* Where the frames of one sensor come from, and where they go. */
struct sensor {
	void *producer;
	struct ready ready;
	struct due due;
};

static _Noreturn void give_up(const char *what)
{
	perror(what);
	_exit(EXIT_FAILURE);
}

static void sensor_init(struct sensor *s, const struct fanout *f, unsigned int index)
{
	s->producer = f->ops->producer_open(f, index);
	if (!f->ops->loan && !ready_init(&s->ready, f->bytes)) {
		fputs("no memory for frames\n", stderr);
		_exit(EXIT_FAILURE);
	}
	if (due_init(&s->due, f->page, index) < 0)
		give_up("timer");
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

/* A timer that was read does not tell again of the frames that wait for a late producer. */
static void send_all_due(const struct fanout *f, struct sensor *s)
{
	do {
		send_next(f, s);
	} while (s->due.backlog > 0);
}

static int watch(struct sensor *sensors, unsigned int count)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &sensors[i] };

		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, sensors[i].due.fd, &event) < 0)
			give_up("epoll");
	}
	return epoll_fd;
}

static _Noreturn void serve_several(const struct fanout *f, struct sensor *sensors)
{
	struct epoll_event events[LIDARD_SENSORS_MAX];
	int epoll_fd = watch(sensors, f->sensors), i, count;

	for (;;) {
		count = epoll_wait(epoll_fd, events, LIDARD_SENSORS_MAX, -1);
		for (i = 0; i < count; i++)
			send_all_due(f, events[i].data.ptr);
	}
}

_Noreturn void fanout_produce(const struct fanout *f)
{
	struct sensor *sensors = fanout_alloc(f->sensors * sizeof(*sensors));
	unsigned int i;

	for (i = 0; i < f->sensors; i++)
		sensor_init(&sensors[i], f, i);
	PAGE_SET(f->page->ready, 1);
	if (f->sensors > 1)
		serve_several(f, sensors);
	for (;;)
		send_next(f, &sensors[0]);
}
