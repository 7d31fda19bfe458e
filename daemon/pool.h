/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - how much shared memory a configuration needs
 *
 * Each size of slice has a pool of chunks.  A pool must carry, at the same
 * time, what subscribers may keep (the sum of queue + held they may reserve),
 * what the source has in hand (loans), what each publisher keeps of its last
 * publication (one), and one chunk that a full queue is about to give back:
 *
 *     chunks = subscriber_slices + loans + publishers + 1
 *
 * A chunk holds a payload of whole pages, aligned to a page, behind a page
 * with iceoryx's header and ours.  With a configured size of
 * payload + 8192 - 40 the stride of the pool is payload + 8192, a multiple of
 * the page, and the payload of chunk n lies at n * stride + 4096.
 */
#ifndef DAEMON_POOL_H
#define DAEMON_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/problem.h"

struct config;
struct broker_pool;
struct sensor_config;

/** Loans one iceoryx publisher can have out. */
#define POOL_PUBLISHER_LOANS 8u
/** Sizes of slices there can be: RouDi has 32 pools to a segment. */
#define POOL_CLASSES_MAX 32

struct pool_class {
	/** Payload: whole pages. */
	uint64_t payload_bytes;
	uint64_t chunks;
};

struct pool_plan {
	struct pool_class classes[POOL_CLASSES_MAX];
	size_t count;
};

/** Payload rounded up to whole pages. */
static inline uint64_t pool_payload_bytes(uint64_t slice_bytes)
{
	return (slice_bytes + 4095) & ~4095ull;
}

/** size= of RouDi's pool for a payload. */
static inline uint64_t pool_roudi_size(uint64_t payload_bytes)
{
	return payload_bytes + 8192 - 40;
}

/** The largest payload that fits a pool of this size=; 0 if none does. */
static inline uint64_t pool_payload_of_size(uint64_t roudi_size)
{
	return roudi_size + 40 > 8192 ? roudi_size + 40 - 8192 : 0;
}

/** Publishers of one service that a sensor's loans need. */
uint32_t pool_publishers(const struct sensor_config *sensor);

/**
 * pool_plan_make() - the pools a configuration needs, smallest first
 *
 * Return: 0; -E2BIG with @problem set: a pool over 4 GiB (iceoryx 2.0.3 computes
 * addresses in 32 bits: its chunks would overlap), or too many sizes.
 */
int pool_plan_make(const struct config *config, struct pool_plan *ret_plan,
		   struct problem *problem);

/** Bytes of shared memory the plan takes, RouDi's management included. */
uint64_t pool_plan_bytes(const struct pool_plan *plan);

/** RouDi's configuration file for the plan. */
void pool_plan_print_roudi(const struct pool_plan *plan, const struct config *config, FILE *out);

/**
 * pool_plan_check() - do RouDi's pools carry the plan?
 *
 * Return: 0; -ENOSPC with @problem naming the pool and what to change.
 */
int pool_plan_check(const struct pool_plan *plan, const struct broker_pool *pools,
		    size_t pool_count, struct problem *problem);

#endif /* DAEMON_POOL_H */
