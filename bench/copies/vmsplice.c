/* SPDX-License-Identifier: Apache-2.0 */
/* vmsplice.c - memory, vmsplice() into a pipe, splice() out of it: its pages are lent */
#include <fcntl.h>
#include <sys/uio.h>

#include "bench/copies/copies.h"

static void open_path(struct copies *c)
{
	static int ends[2];

	copies_make_pipe(ends);
	c->own = ends;
}

static void send_frame(struct copies *c, uint64_t index)
{
	const int *ends = c->own;
	struct iovec rest = {
		.iov_base = c->memory + copies_get_offset(c, index),
		.iov_len = c->bytes,
	};
	ssize_t n;

	while (rest.iov_len > 0) {
		/* not to wait when the pipe is full: it is emptied here */
		n = vmsplice(ends[1], &rest, 1, SPLICE_F_NONBLOCK);
		if (n <= 0)
			copies_give_up("vmsplice");
		c->calls++;
		copies_drain_pipe(c, ends[0], (uint64_t)n);
		rest.iov_base = (uint8_t *)rest.iov_base + n;
		rest.iov_len -= (size_t)n;
	}
}

const struct copies_path copies_vmsplice_path = {
	.name = "vmsplice",
	.open = open_path,
	.send = send_frame,
};
