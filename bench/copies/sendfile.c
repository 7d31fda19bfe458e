/* SPDX-License-Identifier: Apache-2.0 */
/* sendfile.c - a file, sendfile(): the socket is given the cache's pages */
#include <sys/sendfile.h>

#include "bench/copies/copies.h"

static void send_frame(struct copies *c, uint64_t index)
{
	off_t at = (off_t)copies_get_offset(c, index);
	uint64_t left;
	ssize_t n;

	for (left = c->bytes; left > 0; left -= (uint64_t)n) {
		n = sendfile(c->socket, c->file, &at, left);
		if (n <= 0)
			copies_give_up("sendfile");
		c->calls++;
	}
}

const struct copies_path copies_sendfile_path = {
	.name = "sendfile",
	.send = send_frame,
};
