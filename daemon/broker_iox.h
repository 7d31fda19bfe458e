/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker_iox.h - RouDi, as lidard sees it
 *
 * iceoryx's runtime is a process-wide singleton that aborts the process when
 * RouDi is missing, waits a minute when it hangs, and cannot be started twice.
 * So RouDi is looked at from outside before anything is asked of it: its
 * socket says whether it is there, common/broker_id.h which life of it this is, and a short-lived child (lidard --probe-roudi) whether
 * it still answers.  When RouDi dies or hangs, lidard ends and is started
 * again together with it; subscribers resume by themselves.
 *
 * One per process, one thread (iceoryx brings a keep-alive thread of its own).
 */
#ifndef DAEMON_BROKER_IOX_H
#define DAEMON_BROKER_IOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/problem.h"

#define BROKER_POOLS_MAX 32

/** One mempool of the payload segment, as RouDi reports it. */
struct broker_pool {
	/** size= of the pool in RouDi's configuration. */
	uint32_t size;
	uint32_t chunks;
	uint32_t used;
	/** Fewest chunks that were ever free. */
	uint32_t min_free;
};

/** Exit status, as sysexits.h's EX_TEMPFAIL: start RouDi and me again. */
#define BROKER_EXIT_LOST 75

struct broker;

/**
 * broker_probe() - is RouDi there? Never blocks, some 10 µs.
 *
 * Return: 0; -ECONNREFUSED nobody listens; -EACCES this user may not talk to it.
 * @problem says what to do.
 */
int broker_probe(struct problem *problem);

/**
 * broker_probe_registration() - register and leave again under another name
 *
 * For a process of its own (lidard --probe-roudi), which it may end: by SIGALRM
 * after @timeout_s seconds when RouDi hangs.  The process must then end by exit():
 * iceoryx takes leave of RouDi there, and the alarm still runs.
 * Return: 0; as broker_probe().
 */
int broker_probe_registration(unsigned int timeout_s, struct problem *problem);

/**
 * broker_open() - register with RouDi
 * @runtime_name: unique on this machine, at most 100 characters
 *
 * Waits for up to 3 s for a predecessor's children to let go of the name.
 * Return: 0; as broker_probe(); -EBUSY the name is taken; -ENAMETOOLONG; -ENOMEM.
 */
int broker_open(const char *runtime_name, struct broker **ret_broker, struct problem *problem);
/** NULL is allowed. Return: NULL. */
struct broker *broker_free(struct broker *b);

/** Identifies this life of RouDi (common/broker_id.h). */
const char *broker_get_id(const struct broker *b);

/**
 * broker_expect_answer() - the next calls wait for RouDi's answer, which takes milliseconds
 *
 * A RouDi that hangs may still answer the probe, and fall silent when asked to
 * free what a predecessor left locked.  Without an answer in 5 s the process
 * ends with BROKER_EXIT_LOST.  Ended by broker_have_answer(); does not nest.
 */
void broker_expect_answer(void);
void broker_have_answer(void);

/** broker_check() - is it still the RouDi we registered with?
 *
 * Return: 0; -ECONNREFUSED it is gone, or its memory has no name any more, so that nobody new can
 * come; -ESTALE it was restarted.
 */
int broker_check(const struct broker *b);

/**
 * broker_read_pools() - the payload pools, from RouDi's introspection
 *
 * RouDi publishes them about once a second; this is the newest sample.
 * Return: number of pools in the segment with most memory; 0 while none was received yet.
 */
size_t broker_read_pools(struct broker *b, struct broker_pool pools[BROKER_POOLS_MAX]);

#endif /* DAEMON_BROKER_IOX_H */
