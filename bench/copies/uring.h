/* SPDX-License-Identifier: Apache-2.0 */
/* uring.h - what both ways to send by io_uring begin with */
#ifndef BENCH_COPIES_URING_H
#define BENCH_COPIES_URING_H

#include <errno.h>

#include <liburing.h>

#include "bench/copies/copies.h"

#define URING_ENTRIES 64u

/** Make the ring, if this kernel has the operation and lets us. */
static inline struct io_uring *uring_open(int operation, const char *missing)
{
	static struct io_uring ring;
	struct io_uring_probe *probe;
	int r = io_uring_queue_init(URING_ENTRIES, &ring, 0);

	if (r < 0)
		copies_skip(r == -EPERM ? "io_uring is not permitted here" :
					  "this kernel has no io_uring");
	probe = io_uring_get_probe_ring(&ring);
	if (!probe || !io_uring_opcode_supported(probe, operation))
		copies_skip(missing);
	io_uring_free_probe(probe);
	return &ring;
}

/** One system call: hand over what was prepared, and sleep until there is an answer. */
static inline struct io_uring_cqe *uring_submit(struct copies *c, struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int r = io_uring_submit_and_wait(ring, 1);

	c->calls++;
	if (r < 0 || io_uring_peek_cqe(ring, &cqe) < 0) {
		errno = r < 0 ? -r : EIO;
		copies_give_up("io_uring");
	}
	return cqe;
}

#endif /* BENCH_COPIES_URING_H */
