/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zmq.c - ZeroMQ, PUB and SUB over ipc
 *
 * Messages point to the producer's frames, so that the library copies nothing on the
 * way to the socket; a frame is used again when the library lets go of it.  Its I/O
 * threads are part of the processes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <zmq.h>

#include "bench/fanout/fanout.h"
#include "bench/fanout/ready.h"

#define ENDPOINT "ipc://" BENCH_DIR "/zmq"

struct producer {
	void *socket;
	struct ready ready;
	/* for each frame: the library's */
	uint32_t *lent;
};

struct subscriber {
	void *socket;
	zmq_msg_t message;
};

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "zmq: %s: %s\n", what, zmq_strerror(zmq_errno()));
	_exit(EXIT_FAILURE);
}

static void *open_socket(int type, int limit_option, uint32_t queue)
{
	void *context = zmq_ctx_new();
	void *socket = context ? zmq_socket(context, type) : NULL;
	int limit = (int)queue;

	if (!socket || zmq_setsockopt(socket, limit_option, &limit, sizeof(limit)) < 0)
		give_up("socket");
	return socket;
}

static void *producer_open(const struct fanout *f, unsigned int sensor)
{
	struct producer *p = fanout_alloc(sizeof(*p));

	if (!ready_init(&p->ready, f->bytes))
		give_up("frames");
	p->lent = fanout_alloc(p->ready.count * sizeof(*p->lent));
	/* it may keep all there are: with few it drops many at a time */
	p->socket = open_socket(ZMQ_PUB, ZMQ_SNDHWM, (uint32_t)p->ready.count);
	if (zmq_bind(p->socket, ENDPOINT) < 0)
		give_up(ENDPOINT);
	return p;
}

static uint32_t *get_lent(struct producer *p, const void *frame)
{
	return &p->lent[(uint64_t)((const uint8_t *)frame - p->ready.memory) / p->ready.bytes];
}

static void *loan(void *producer)
{
	struct producer *p = producer;
	uint64_t i;
	void *frame;

	for (i = 0; i < p->ready.count; i++) {
		frame = ready_next(&p->ready);
		/* pairs with give_back() */
		if (!__atomic_load_n(get_lent(p, frame), __ATOMIC_ACQUIRE))
			return frame;
	}
	return NULL;
}

/* In a thread of the library. */
static void give_back(void *frame, void *lent)
{
	__atomic_store_n((uint32_t *)lent, 0, __ATOMIC_RELEASE);
}

static void publish(void *producer, void *frame)
{
	struct producer *p = producer;
	uint32_t *lent = get_lent(p, frame);
	zmq_msg_t message;

	__atomic_store_n(lent, 1, __ATOMIC_RELAXED);
	if (zmq_msg_init_data(&message, frame, p->ready.bytes, give_back, lent) < 0 ||
	    zmq_msg_send(&message, p->socket, 0) < 0)
		give_up("send");
}

static void *subscriber_open(const struct fanout *f, unsigned int index)
{
	struct subscriber *s = fanout_alloc(sizeof(*s));

	s->socket = open_socket(ZMQ_SUB, ZMQ_RCVHWM, f->queue);
	if (zmq_setsockopt(s->socket, ZMQ_SUBSCRIBE, "", 0) < 0 ||
	    zmq_connect(s->socket, ENDPOINT) < 0)
		give_up(ENDPOINT);
	zmq_msg_init(&s->message);
	return s;
}

static const void *take(void *subscriber)
{
	struct subscriber *s = subscriber;

	if (zmq_msg_recv(&s->message, s->socket, 0) < 0)
		give_up("receive");
	return zmq_msg_data(&s->message);
}

static bool release(void *subscriber, const void *frame)
{
	struct subscriber *s = subscriber;

	zmq_msg_close(&s->message);
	zmq_msg_init(&s->message);
	return true;
}

const struct fanout_ops fanout_zmq = {
	.name = "zmq",
	.producer_open = producer_open,
	.loan = loan,
	.publish = publish,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};
