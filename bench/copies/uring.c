/* SPDX-License-Identifier: Apache-2.0 */
/* uring.c - memory, sent by io_uring: a frame is one operation and one system call */
#include <sys/socket.h>

#include "bench/copies/uring.h"

static void open_path(struct copies *c)
{
	c->own = uring_open(IORING_OP_SEND, "this kernel's io_uring cannot send");
}

static void send_frame(struct copies *c, uint64_t index)
{
	const uint8_t *frame = c->memory + copies_get_offset(c, index);
	struct io_uring *ring = c->own;
	struct io_uring_cqe *cqe;
	uint64_t at = 0;

	while (at < c->bytes) {
		io_uring_prep_send(io_uring_get_sqe(ring), c->socket, frame + at, c->bytes - at,
				   MSG_WAITALL);
		cqe = uring_submit(c, ring);
		if (cqe->res <= 0) {
			errno = -cqe->res;
			copies_give_up("send by io_uring");
		}
		at += (uint64_t)cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
}

const struct copies_path copies_uring_path = {
	.name = "uring",
	.open = open_path,
	.send = send_frame,
};
