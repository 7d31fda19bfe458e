/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - memory, write() */
#include "bench/copies/copies.h"

static void send_frame(struct copies *c, uint64_t index)
{
	copies_write(c, c->memory + copies_get_offset(c, index), c->bytes);
}

const struct copies_path copies_write_path = {
	.name = "write",
	.send = send_frame,
};
