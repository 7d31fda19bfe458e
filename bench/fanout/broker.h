/* SPDX-License-Identifier: Apache-2.0 */
/* broker.h - the RouDi that lidard and plain iceoryx use, with the same pools */
#ifndef BENCH_FANOUT_BROKER_H
#define BENCH_FANOUT_BROKER_H

#include "bench/fanout/fanout.h"
#include "bench/service.h"

/** Frames a subscriber has in its hands. */
#define BROKER_HELD 1u

static inline struct service_plan broker_get_plan(const struct fanout *f)
{
	static uint64_t slice_bytes[FANOUT_SUBSCRIBERS_MAX];
	unsigned int i;

	for (i = 0; i < f->sensors; i++)
		slice_bytes[i] = f->bytes;
	return (struct service_plan){
		.program = "bench-lidard-fanout",
		.slice_bytes = slice_bytes,
		.sensor_count = f->sensors,
		.loans = 4,
		.subscriber_slices = f->subscribers / f->sensors * (f->queue + BROKER_HELD),
		.queue = f->queue,
		.held = BROKER_HELD,
	};
}

/** A contender's setup(). */
static inline void broker_setup(struct fanout *f)
{
	struct service_plan plan = broker_get_plan(f);

	f->daemon = service_start_roudi(&plan);
}

#endif /* BENCH_FANOUT_BROKER_H */
