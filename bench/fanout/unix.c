/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unix.c - a Unix socket for each subscriber: a stream, or datagrams
 *
 * Buffers are as the system gives them.  A datagram must fit into one, so frames go
 * in pieces; who sends waits while the receiver's queue is full, so none is lost.
 */
#include <sys/socket.h>

#include "bench/fanout/frame_io.h"

#define PIECE_BYTES (64u << 10)

static void make_pairs(struct fanout *f, int type)
{
	frame_io_pair *pairs = frame_io_new(f);
	unsigned int i;

	for (i = 0; i < f->subscribers; i++)
		if (socketpair(AF_UNIX, type, 0, pairs[i]) < 0)
			frame_io_give_up("socketpair");
	f->shared = pairs;
}

static void stream_setup(struct fanout *f)
{
	make_pairs(f, SOCK_STREAM);
}

static void dgram_setup(struct fanout *f)
{
	make_pairs(f, SOCK_DGRAM);
}

static void dgram_publish(void *producer, void *frame)
{
	const struct frame_io_sender *s = producer;
	unsigned int i;
	uint64_t at, n;

	for (i = 0; i < s->count; i++)
		for (at = 0; at < s->bytes; at += n) {
			n = s->bytes - at < PIECE_BYTES ? s->bytes - at : PIECE_BYTES;
			if (send(s->pairs[i][1], (const uint8_t *)frame + at, n, 0) != (ssize_t)n)
				frame_io_give_up("send");
		}
}

const struct fanout_ops fanout_unix_stream = {
	.name = "unix-stream",
	.setup = stream_setup,
	.producer_open = frame_io_producer_open,
	.publish = frame_io_publish,
	.subscriber_open = frame_io_subscriber_open,
	.take = frame_io_take,
	.release = fanout_release_nothing,
};

const struct fanout_ops fanout_unix_dgram = {
	.name = "unix-dgram",
	.setup = dgram_setup,
	.producer_open = frame_io_producer_open,
	.publish = dgram_publish,
	.subscriber_open = frame_io_subscriber_open,
	.take = frame_io_take,
	.release = fanout_release_nothing,
};
