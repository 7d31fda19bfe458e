/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe.c - a pipe for each subscriber: written to, or given the frame's pages
 *
 * Pipes hold 1 MiB, the most anybody may ask for.  With vmsplice() the kernel copies
 * once, out of the producer's pages: these are not written again before the pipe
 * has been read empty, since at least as many other frames have gone through.
 */
#include <fcntl.h>
#include <sys/uio.h>

#include "bench/fanout/frame_io.h"

#define PIPE_BYTES (1 << 20)

static void setup(struct fanout *f)
{
	frame_io_pair *pairs = frame_io_new(f);
	unsigned int i;

	for (i = 0; i < f->subscribers; i++)
		if (pipe(pairs[i]) < 0 || fcntl(pairs[i][1], F_SETPIPE_SZ, PIPE_BYTES) < 0)
			frame_io_give_up("pipe");
	f->shared = pairs;
}

static void splice_publish(void *producer, void *frame)
{
	const struct frame_io_sender *s = producer;
	struct iovec rest;
	unsigned int i;
	ssize_t n;

	for (i = 0; i < s->count; i++) {
		rest = (struct iovec){ .iov_base = frame, .iov_len = s->bytes };
		while (rest.iov_len > 0) {
			n = vmsplice(s->pairs[i][1], &rest, 1, 0);
			if (n <= 0)
				frame_io_give_up("vmsplice");
			rest.iov_base = (uint8_t *)rest.iov_base + n;
			rest.iov_len -= (size_t)n;
		}
	}
}

const struct fanout_ops fanout_pipe = {
	.name = "pipe",
	.setup = setup,
	.producer_open = frame_io_producer_open,
	.publish = frame_io_publish,
	.subscriber_open = frame_io_subscriber_open,
	.take = frame_io_take,
	.release = fanout_release_nothing,
};

const struct fanout_ops fanout_vmsplice = {
	.name = "vmsplice",
	.setup = setup,
	.producer_open = frame_io_producer_open,
	.publish = splice_publish,
	.subscriber_open = frame_io_subscriber_open,
	.take = frame_io_take,
	.release = fanout_release_nothing,
};
