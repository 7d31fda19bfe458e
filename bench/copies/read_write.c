/* SPDX-License-Identifier: Apache-2.0 */
/* read_write.c - a file, read() into a buffer, write() out of it */
#include <unistd.h>

#include "bench/copies/copies.h"

static void open_path(struct copies *c)
{
	c->own = copies_alloc(c->bytes);
}

static void send_frame(struct copies *c, uint64_t index)
{
	uint8_t *buffer = c->own;
	uint64_t at;
	ssize_t n;

	for (at = 0; at < c->bytes; at += (uint64_t)n) {
		n = pread(c->file, buffer + at, c->bytes - at,
			  (off_t)(copies_get_offset(c, index) + at));
		if (n <= 0)
			copies_give_up("read");
		c->calls++;
	}
	copies_write(c, buffer, c->bytes);
}

const struct copies_path copies_read_write_path = {
	.name = "read-write",
	.open = open_path,
	.send = send_frame,
};
