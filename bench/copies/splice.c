/* SPDX-License-Identifier: Apache-2.0 */
/* splice.c - a file, splice() into a pipe and out of it: pages change hands */
#include <fcntl.h>

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
	off_t at = (off_t)copies_get_offset(c, index);
	uint64_t left;
	ssize_t n;

	for (left = c->bytes; left > 0; left -= (uint64_t)n) {
		n = splice(c->file, &at, ends[1], NULL, left, SPLICE_F_MOVE);
		if (n <= 0)
			copies_give_up("splice");
		c->calls++;
		copies_drain_pipe(c, ends[0], (uint64_t)n);
	}
}

const struct copies_path copies_splice_path = {
	.name = "splice",
	.open = open_path,
	.send = send_frame,
};
