/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uring_zc.c - memory, sent by io_uring without a copy: its pages are lent
 *
 * An operation has two answers: it was sent; and later, the kernel is done with the
 * pages, which also tells whether it copied after all (Linux 6.2 and later).
 */
#include <sys/socket.h>

#include "bench/copies/uring.h"

/* newer than the headers may be */
#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE (1u << 3)
#endif
#ifndef IORING_NOTIF_USAGE_ZC_COPIED
#define IORING_NOTIF_USAGE_ZC_COPIED (1u << 31)
#endif

/* Answers of the second kind that are still to come. */
static uint64_t lent;

static void open_path(struct copies *c)
{
	c->own = uring_open(IORING_OP_SEND_ZC, "this kernel's io_uring has no zero-copy send");
}

/* Return: bytes sent; 0 for the second answer. */
static uint64_t note(struct copies *c, const struct io_uring_cqe *cqe)
{
	if (cqe->flags & IORING_CQE_F_NOTIF) {
		lent--;
		c->told++;
		if ((uint32_t)cqe->res & IORING_NOTIF_USAGE_ZC_COPIED)
			c->copied++;
		return 0;
	}
	if (cqe->res == -EOPNOTSUPP)
		copies_skip("this socket has no zero-copy send");
	if (cqe->res == -EINVAL)
		copies_skip("this kernel's io_uring does not tell whether it copied");
	if (cqe->res <= 0) {
		errno = -cqe->res;
		copies_give_up("zero-copy send by io_uring");
	}
	if (cqe->flags & IORING_CQE_F_MORE)
		lent++;
	return (uint64_t)cqe->res;
}

/* All answers there are. Return: bytes sent. */
static uint64_t hear(struct copies *c, struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	uint64_t sent = 0;

	while (io_uring_peek_cqe(ring, &cqe) == 0) {
		sent += note(c, cqe);
		io_uring_cqe_seen(ring, cqe);
	}
	return sent;
}

static void send_frame(struct copies *c, uint64_t index)
{
	const uint8_t *frame = c->memory + copies_get_offset(c, index);
	struct io_uring *ring = c->own;
	uint64_t at = 0, sent;

	while (at < c->bytes) {
		io_uring_prep_send_zc(io_uring_get_sqe(ring), c->socket, frame + at, c->bytes - at,
				      MSG_WAITALL, IORING_SEND_ZC_REPORT_USAGE);
		for (sent = 0; sent == 0;) {
			uring_submit(c, ring);
			sent = hear(c, ring);
		}
		at += sent;
	}
}

static void finish(struct copies *c)
{
	while (lent > 0) {
		uring_submit(c, c->own);
		hear(c, c->own);
	}
}

const struct copies_path copies_uring_zc_path = {
	.name = "uring-zc",
	.open = open_path,
	.send = send_frame,
	.finish = finish,
};
