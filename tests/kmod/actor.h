/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor.h - one who does to lidar_ring whatever comes to his mind
 *
 * An actor is a thread with files, mappings and a sequence of random numbers of
 * its own.  Each step is something a program could do to /dev/lidarN, well or
 * badly or with ill will: calls with right, nearly right and senseless
 * arguments, addresses that fault, entries and indices in the rings, mappings of
 * all kinds and what can be done to them, files passed on, duplicated and left
 * to children, what root can do to a simulated LIDAR while it streams.  What
 * comes of a step is not looked at: whoever runs the actors looks at those who
 * must not suffer from them.
 */
#ifndef TESTS_KMOD_ACTOR_H
#define TESTS_KMOD_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uapi/lidar_ring.h"

#define ACTOR_FILES 8u
#define ACTOR_MAPPINGS 8u
#define ACTOR_ACTIONS  40u
#define ACTOR_SIMS     5u

/**
 * struct actor_stage - what the actors have in common; shared memory
 * @devices: /dev/lidar0 and so on that they may look for
 * @sims: names of those that may be faulted and unplugged
 * @feed: the one of these that is fed
 * @mailbox: a pair of sockets, to pass files from actor to actor
 * @failing: the kernel can be made to fail (failing.h)
 * @over: the actors are to end
 */
struct actor_stage {
	unsigned int devices;
	char sims[ACTOR_SIMS][24];
	const char *feed;
	int mailbox[2];
	bool failing;
	volatile bool over;
};

/**
 * struct actor_place - where others see what an actor does; shared memory
 * @seed: of its random numbers
 * @steps: that it has made, and who was there before
 * @action: the one it is at, for actor_action()
 * @made: how often each was at it...
 * @worked: ...and a call of it worked, for those that are calls
 */
struct actor_place {
	uint64_t seed;
	volatile uint64_t steps;
	volatile unsigned int action;
	uint64_t made[ACTOR_ACTIONS];
	uint64_t worked[ACTOR_ACTIONS];
};

struct actor_mapping {
	uint8_t *at;
	size_t bytes;
	bool control;
};

struct actor {
	uint64_t random;
	const struct actor_stage *stage;
	struct actor_place *place;
	int files[ACTOR_FILES];
	struct actor_mapping mappings[ACTOR_MAPPINGS];
	int *ring; /* the file whose ring was set up last */
	struct lidar_ring_layout layout; /* of the last ring that told */
	bool user; /* ...and whether it takes the caller's memory */
	int nth;
	bool child;
};

/** The calling thread becomes an actor; returns when it is over. */
void actor_run(const struct actor_stage *stage, struct actor_place *place);
/** Before the first one, once a process. */
void actor_init(void);
/** Return: NULL if there are not so many. */
const char *actor_action(unsigned int action);

#endif
