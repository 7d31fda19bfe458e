/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo_watch.h - follow the demo by GetStatus, from the first slice to the last account
 *
 * lidard is a single thread, so the figures of one reply are of one moment;
 * every account of the demo is taken from one reply.
 */
#ifndef TOOLS_DEMO_WATCH_H
#define TOOLS_DEMO_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/demo_crew.h"
#include "tools/demo_stack.h"
#include "tools/snapshot.h"

struct demo_watch {
	/** Lent. */
	struct demo_stack *stack;
	struct demo_crew *crew;
	/** Where a line a second goes. */
	FILE *out;
	uint64_t duration_ns;
	/** The replay is to be followed to its end. */
	bool once;
	/** The sensor's failure has been complained of. */
	bool complained;
	/** Is there data before all subscribers are connected? */
	bool starts_at_once;
	struct lidard_client *client;
	/** All subscribers take part; the end. */
	struct snapshot *first;
	struct snapshot *last;
};

/** demo_watch_begin() - connect; wait until all subscribers take part; complains.
 *
 * Return: 0; negative errno; -EINTR a signal arrived.
 */
int demo_watch_begin(struct demo_watch *w);

/**
 * demo_watch_run() - until the time is over, the replay is, a signal arrives or something fails
 * Return: 0; negative errno (complained of).
 */
int demo_watch_run(struct demo_watch *w);

/**
 * demo_watch_end() - the last account: of a moment in which everything adds up and, if there is
 * one soon, nobody has anything waiting
 * Return: 0; negative errno (complained of).
 */
int demo_watch_end(struct demo_watch *w);

void demo_watch_deinit(struct demo_watch *w);

#endif /* TOOLS_DEMO_WATCH_H */
