/* SPDX-License-Identifier: Apache-2.0 */
/* contender.c - what readers of both contenders have in common: see contender.h */
#include "bench/contender.h"

#include <time.h>

#include "common/clock.h"

const char *const way_names[WAY_COUNT] = {
	[WAY_POLL] = "poll",
	[WAY_SPIN] = "spin",
	[WAY_BLOCK] = "block",
	[WAY_FD] = "fd",
};

bool reading_goes_on(const struct reading *r)
{
	struct timespec pause = clock_to_timespec(NSEC_PER_MSEC);

	while (!PAGE_GET(r->page->ended)) {
		if ((r->way != WAY_POLL && r->way != WAY_SPIN) || PAGE_GET(r->page->turn) == r->turn)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

void reading_note(const struct reading *r, uint64_t published_ns, uint64_t taken_ns)
{
	PAGE_SET(r->me->taken, r->me->taken + 1);
	if (r->records)
		page_note(r->page, published_ns, taken_ns);
}
