/* SPDX-License-Identifier: Apache-2.0 */
/* demo_plan.c - see demo_plan.h */
#include "tools/demo_plan.h"

#include <errno.h>

#include "lidard/frame.h"

#define MIB (1024ull * 1024ull)
/** A queue holds about this much, within its limits. */
#define QUEUE_BYTES (64 * MIB)
#define QUEUE_MAX 250u
#define QUEUE_MIN 2u
/** From here on slices are too large to be generous with. */
#define LARGE_SLICE_BYTES (16 * MIB)
/** Beside loans and reservations: what a pool needs for itself, at most. */
#define SPARE_SLICES 10u
/** What iceoryx adds to a slice: header page and its own header. */
#define SLICE_OVERHEAD 8192u
/** iceoryx's management segment, and room for the small pools. */
#define SHM_OVERHEAD (256 * MIB)
/** Readers a pool has room for beside the demo's own, for whoever wants to look while it runs... */
#define GUESTS 4u
/** ...as long as it does not grow beyond this. */
#define GUEST_POOL_BYTES (1024 * MIB)
#define FRAME_SLICES 64u
#define FRAME_BYTES (48 * MIB)

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static uint64_t pool_bytes(const struct demo_plan *p, uint32_t subscribers)
{
	uint64_t slices = (uint64_t)subscribers * (p->queue + p->held) + p->loans + SPARE_SLICES;

	return slices * (p->slice_bytes + SLICE_OVERHEAD);
}

int demo_plan_make(uint64_t slice_bytes, uint32_t subscribers, uint64_t memory_bytes,
		   struct demo_plan *ret_plan)
{
	uint64_t guest_pool_bytes = clamp(memory_bytes, 0, GUEST_POOL_BYTES);
	bool large = slice_bytes >= LARGE_SLICE_BYTES;
	struct demo_plan p = {
		.slice_bytes = slice_bytes,
		.subscribers = subscribers,
		.queue = (uint32_t)clamp(QUEUE_BYTES / slice_bytes, QUEUE_MIN, QUEUE_MAX),
		.held = large ? 1 : 2,
		.loans = large ? 4 : 8,
	};

	while (p.queue > 1 && pool_bytes(&p, subscribers) >= DEMO_POOL_BYTES_MAX)
		p.queue--;
	if (pool_bytes(&p, subscribers) >= DEMO_POOL_BYTES_MAX)
		return -E2BIG;
	while (p.guests < GUESTS &&
	       pool_bytes(&p, subscribers + p.guests + 1) <= guest_pool_bytes)
		p.guests++;
	subscribers += p.guests;
	p.pool_bytes = pool_bytes(&p, subscribers);
	p.subscriber_slices = subscribers * (p.queue + p.held);
	p.shm_bytes = p.pool_bytes + SHM_OVERHEAD;
	p.frame_bytes = FRAME_SLICES * slice_bytes;
	if (p.frame_bytes > FRAME_BYTES)
		p.frame_bytes = FRAME_BYTES;
	if (p.frame_bytes < slice_bytes)
		p.frame_bytes = slice_bytes;
	p.columns = (uint32_t)(p.frame_bytes / (DEMO_BEAMS * sizeof(struct lidard_point_xyzirt)));
	*ret_plan = p;
	return 0;
}
