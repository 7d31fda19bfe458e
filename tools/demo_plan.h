/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo_plan.h - what the demo asks of lidard: queues, memory, frame shape
 *
 * Pure arithmetic from the sizes asked for, so that it is tested alone.
 * Queues are as deep as memory and iceoryx allow: a reader that is late by
 * some milliseconds shall lose nothing.
 */
#ifndef TOOLS_DEMO_PLAN_H
#define TOOLS_DEMO_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#define DEMO_SUBSCRIBERS_MAX 32u
#define DEMO_BEAMS 128u
/** iceoryx computes addresses within a pool in 32 bits. */
#define DEMO_POOL_BYTES_MAX (4ull << 30)

struct demo_plan {
	uint64_t slice_bytes;
	uint32_t subscribers;
	/** Of each subscriber. */
	uint32_t queue;
	uint32_t held;
	/** Readers with the same queue that may come beside the subscribers, as memory allows. */
	uint32_t guests;
	/** For all of them. */
	uint32_t subscriber_slices;
	uint32_t loans;
	/** Shape of a synthetic frame. */
	uint32_t columns;
	uint64_t frame_bytes;
	/** Memory: slices for readers and the daemon; and all of /dev/shm. */
	uint64_t pool_bytes;
	uint64_t shm_bytes;
};

/**
 * demo_plan_make() - from sizes to a plan
 * @memory_bytes: what the machine has for the pool; does not bound what the subscribers need
 *
 * Return: 0; -E2BIG: the pool would exceed what iceoryx can address.
 */
int demo_plan_make(uint64_t slice_bytes, uint32_t subscribers, uint64_t memory_bytes,
		   struct demo_plan *ret_plan);

#endif /* TOOLS_DEMO_PLAN_H */
