/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ready.h - frames that a producer holds in its memory, as a device left them there
 *
 * Together more than caches hold, so that who copies reads memory, not caches.
 */
#ifndef BENCH_FANOUT_READY_H
#define BENCH_FANOUT_READY_H

#include <stdlib.h>

#include "bench/fanout/frame.h"
#include "bench/fanout/page.h"
#include "common/clock.h"

#define READY_BYTES (128ull << 20)
#define READY_FRAMES_MIN 6u

struct ready {
	uint8_t *memory;
	uint64_t bytes;
	uint64_t count;
	uint64_t next;
};

/** Memory that was no frame yet becomes one; what a device would do is not the producer's cost. */
static inline void ready_fill(struct fanout_page *page, void *frame)
{
	uint64_t begin_ns;

	if (frame_is_filled(frame, page->bytes))
		return;
	begin_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	frame_fill(frame, page->bytes);
	PAGE_SET(page->filled, page->filled + 1);
	PAGE_SET(page->fill_cpu_ns, page->fill_cpu_ns + clock_read_ns(CLOCK_THREAD_CPUTIME_ID) -
					    begin_ns);
}

static inline bool ready_init(struct ready *r, uint64_t bytes)
{
	uint64_t i;

	r->bytes = bytes;
	r->count = READY_BYTES / bytes > READY_FRAMES_MIN ? READY_BYTES / bytes : READY_FRAMES_MIN;
	r->next = 0;
	r->memory = aligned_alloc(FRAME_STEP, bytes * r->count);
	for (i = 0; r->memory && i < r->count; i++)
		frame_fill(r->memory + i * bytes, bytes);
	return r->memory;
}

static inline void *ready_next(struct ready *r)
{
	return r->memory + r->next++ % r->count * r->bytes;
}

#endif /* BENCH_FANOUT_READY_H */
