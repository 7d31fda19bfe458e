/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nng.c - nng, pub and sub over ipc
 *
 * A message owns its memory, so a frame is copied into one.  The library's threads
 * are part of the processes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>

#include "bench/fanout/fanout.h"

#define ENDPOINT "ipc://" BENCH_DIR "/nng"

struct producer {
	nng_socket socket;
	uint64_t bytes;
};

struct subscriber {
	nng_socket socket;
	/* lent */
	nng_msg *message;
};

static void check(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "nng: %s: %s\n", what, nng_strerror(r));
	_exit(EXIT_FAILURE);
}

static void *producer_open(const struct fanout *f, unsigned int sensor)
{
	struct producer *p = fanout_alloc(sizeof(*p));

	p->bytes = f->bytes;
	check(nng_pub0_open(&p->socket), "socket");
	check(nng_socket_set_int(p->socket, NNG_OPT_SENDBUF, (int)f->queue), NNG_OPT_SENDBUF);
	check(nng_listen(p->socket, ENDPOINT, NULL, 0), ENDPOINT);
	return p;
}

static void publish(void *producer, void *frame)
{
	struct producer *p = producer;
	nng_msg *message;

	check(nng_msg_alloc(&message, p->bytes), "message");
	memcpy(nng_msg_body(message), frame, p->bytes);
	check(nng_sendmsg(p->socket, message, 0), "send");
}

static void *subscriber_open(const struct fanout *f, unsigned int index)
{
	struct subscriber *s = fanout_alloc(sizeof(*s));

	check(nng_sub0_open(&s->socket), "socket");
	check(nng_socket_set(s->socket, NNG_OPT_SUB_SUBSCRIBE, "", 0), NNG_OPT_SUB_SUBSCRIBE);
	check(nng_socket_set_int(s->socket, NNG_OPT_RECVBUF, (int)f->queue), NNG_OPT_RECVBUF);
	/* 0: as large as they come */
	check(nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ, 0), NNG_OPT_RECVMAXSZ);
	check(nng_dial(s->socket, ENDPOINT, NULL, 0), ENDPOINT);
	return s;
}

static const void *take(void *subscriber)
{
	struct subscriber *s = subscriber;

	check(nng_recvmsg(s->socket, &s->message, 0), "receive");
	return nng_msg_body(s->message);
}

static bool release(void *subscriber, const void *frame)
{
	struct subscriber *s = subscriber;

	nng_msg_free(s->message);
	return true;
}

const struct fanout_ops fanout_nng = {
	.name = "nng",
	.producer_open = producer_open,
	.publish = publish,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};
