/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive.c - the receiver: read() every byte into a buffer, check the frame
 *
 * Nothing else is done with it, so this is the least that a receiver costs.  The
 * frames' numbers run in a circle; one that is not next, or not whole, ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/copies/copies.h"
#include "bench/fanout/frame.h"
#include "bench/page.h"

static uint64_t receive(int socket, uint8_t *buffer, uint64_t bytes)
{
	uint64_t at, calls = 0;
	ssize_t n;

	for (at = 0; at < bytes; at += (uint64_t)n) {
		n = read(socket, buffer + at, bytes - at);
		if (n <= 0)
			copies_give_up("read of the socket");
		calls++;
	}
	return calls;
}

_Noreturn void copies_receive(const struct copies *c, int socket)
{
	uint8_t *buffer = copies_alloc(c->bytes);
	const struct frame_head *head = (const struct frame_head *)buffer;
	uint64_t number, calls = 0;

	for (number = 0;; number++) {
		if (number == COPIES_WARM_UP)
			c->page->begin = copies_get_usage(calls);
		calls += receive(socket, buffer, c->bytes);
		if (!frame_is_whole(buffer, c->bytes) || head->seq != number % c->count) {
			fprintf(stderr, "frame %llu is not as it was sent\n",
				(unsigned long long)number);
			_exit(EXIT_FAILURE);
		}
		/* set before this frame was sent: what came by the socket comes after it */
		if (number == PAGE_GET(c->page->last)) {
			c->page->end = copies_get_usage(calls);
			_exit(EXIT_SUCCESS);
		}
	}
}
