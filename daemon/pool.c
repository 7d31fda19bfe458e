/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - see pool.h */
#include "daemon/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/broker_iox.h"
#include "daemon/config.h"

/* The management segment of Debian's iceoryx 2.0.3. */
#define ROUDI_MANAGEMENT_BYTES (66ull * 1024 * 1024)

uint32_t pool_publishers(const struct sensor_config *sensor)
{
	return (sensor->loans + POOL_PUBLISHER_LOANS - 1) / POOL_PUBLISHER_LOANS;
}

static struct pool_class *find_class(struct pool_plan *plan, uint64_t payload_bytes)
{
	size_t i, at = 0;

	for (i = 0; i < plan->count; i++) {
		if (plan->classes[i].payload_bytes == payload_bytes)
			return &plan->classes[i];
		if (plan->classes[i].payload_bytes < payload_bytes)
			at = i + 1;
	}
	if (plan->count == POOL_CLASSES_MAX)
		return NULL;
	memmove(&plan->classes[at + 1], &plan->classes[at],
		(plan->count - at) * sizeof(plan->classes[0]));
	plan->count++;
	plan->classes[at] = (struct pool_class){ .payload_bytes = payload_bytes };
	return &plan->classes[at];
}

static int add_class(struct pool_plan *plan, const struct sensor_config *sensor,
		     uint64_t slice_bytes, struct problem *problem)
{
	struct pool_class *c = find_class(plan, pool_payload_bytes(slice_bytes));
	uint64_t bytes;

	if (!c)
		return problem_set(problem, -E2BIG,
				   "sensor %s: slice_bytes = %" PRIu64
				   " would need a pool beyond RouDi's %d: let sensors share sizes",
				   sensor->name, slice_bytes, POOL_CLASSES_MAX);
	c->chunks += (uint64_t)sensor->subscriber_slices + sensor->loans +
		     pool_publishers(sensor) + 1;
	bytes = c->chunks * (c->payload_bytes + 8192);
	if (bytes > UINT32_MAX)
		return problem_set(problem, -E2BIG,
				   "sensor %s: the pool for slices of %" PRIu64 " bytes would have %" PRIu64
				   " chunks, %" PRIu64 " MiB; iceoryx 2.0.3 can only address 4 GiB in a "
				   "pool: lower subscriber_slices = %u, loans = %u or slice_bytes",
				   sensor->name, c->payload_bytes, c->chunks, bytes >> 20,
				   sensor->subscriber_slices, sensor->loans);
	return 0;
}

int pool_plan_make(const struct config *config, struct pool_plan *ret_plan,
		   struct problem *problem)
{
	struct pool_plan plan = { .count = 0 };
	const struct sensor_config *s;
	unsigned int i;
	int r;

	for (i = 0; i < config->sensor_count; i++) {
		s = &config->sensors[i];
		r = add_class(&plan, s, s->slice_bytes, problem);
		if (r == 0 && s->first_slice_bytes != 0 &&
		    pool_payload_bytes(s->first_slice_bytes) != pool_payload_bytes(s->slice_bytes))
			r = add_class(&plan, s, s->first_slice_bytes, problem);
		if (r < 0)
			return r;
	}
	*ret_plan = plan;
	return 0;
}

uint64_t pool_plan_bytes(const struct pool_plan *plan)
{
	uint64_t bytes = ROUDI_MANAGEMENT_BYTES;
	size_t i;

	for (i = 0; i < plan->count; i++)
		bytes += plan->classes[i].chunks * (plan->classes[i].payload_bytes + 8192);
	return bytes;
}

void pool_plan_print_roudi(const struct pool_plan *plan, const struct config *config, FILE *out)
{
	size_t i;

	fprintf(out, "# Pools for lidard, as lidard --print-roudi-config computed them.\n"
		     "[general]\nversion = 1\n\n[[segment]]\n");
	if (config->writer_group[0])
		fprintf(out, "writer = \"%s\"\n", config->writer_group);
	if (config->reader_group[0])
		fprintf(out, "reader = \"%s\"\n", config->reader_group);
	/* A segment must have a pool: without sensors, one of the smallest size. */
	if (plan->count == 0)
		fprintf(out, "\n[[segment.mempool]]\nsize = %" PRIu64 "\ncount = 1\n",
			pool_roudi_size(LIDARD_SLICE_BYTES_MIN));
	for (i = 0; i < plan->count; i++)
		fprintf(out, "\n[[segment.mempool]]\nsize = %" PRIu64 "\ncount = %" PRIu64 "\n",
			pool_roudi_size(plan->classes[i].payload_bytes), plan->classes[i].chunks);
}

int pool_plan_check(const struct pool_plan *plan, const struct broker_pool *pools,
		    size_t pool_count, struct problem *problem)
{
	const struct pool_class *c;
	size_t i, k;

	for (i = 0; i < plan->count; i++) {
		c = &plan->classes[i];
		for (k = 0; k < pool_count; k++)
			if (pools[k].size == pool_roudi_size(c->payload_bytes))
				break;
		if (k == pool_count)
			return problem_set(problem, -ENOSPC,
					   "RouDi has no pool of size = %" PRIu64 " (slices of %" PRIu64
					   " bytes): restart it with what lidard --print-roudi-config prints",
					   pool_roudi_size(c->payload_bytes), c->payload_bytes);
		if (pools[k].chunks < c->chunks)
			return problem_set(problem, -ENOSPC,
					   "RouDi's pool of size = %u has count = %u, needed are %" PRIu64
					   ": restart it with what lidard --print-roudi-config prints, or "
					   "lower subscriber_slices or loans",
					   pools[k].size, pools[k].chunks, c->chunks);
	}
	return 0;
}
