/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.h - where slices go
 *
 * A sink lends memory that its readers can see, and publishes it when it is
 * filled.  It never waits for a reader.  One sink for each sensor.
 * tests/conformance/test_sink.c holds every sink to this:
 *
 * - loan() yields memory nobody else reads or writes, its header zeroed, or
 *   NULL when there is none: then the pool is exhausted, and exhausted grows.
 * - publish() hands the loan to all readers in the order of the calls; from then
 *   on the daemon must not touch it.
 * - cancel() takes every loan back unseen: the source was stopped.
 */
#ifndef DAEMON_SINK_H
#define DAEMON_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/loan.h"
#include "daemon/loan_memory.h"

struct sink;

struct sink_ops {
	/** "iceoryx", ... */
	const char *name;
	/** Hot path. */
	struct loan *(*loan)(struct sink *s, size_t bytes);
	/** Hot path. */
	void (*publish)(struct sink *s, struct loan *loan);
	/** Idempotent. */
	void (*cancel)(struct sink *s);
	/**
	 * Where loans of that size can lie, now and as long as the sink lives. Call it while
	 * nothing is lent.
	 * Return: 0; -EAGAIN all memory is with the readers at the moment; other negative errno.
	 */
	int (*get_memory)(struct sink *s, size_t bytes, struct loan_memory *ret_memory);
	/** Cancels first. Return: NULL. */
	struct sink *(*free)(struct sink *s);
};

/** Embedded as the first member of every sink. */
struct sink {
	const struct sink_ops *ops;
	/** loan() found no memory. */
	uint64_t exhausted;
	/** Loans out at this moment. */
	uint32_t lent;
};

#endif /* DAEMON_SINK_H */
