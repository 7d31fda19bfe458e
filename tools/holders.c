/* SPDX-License-Identifier: Apache-2.0 */
/* holders.c - see holders.h */
#include "tools/holders.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void holders_print(const struct snapshot *snapshot, const struct snapshot_sensor *sensor,
		   const char *eol)
{
	const struct snapshot_subscriber *s;
	size_t i;

	if (sensor->loans_exhausted == 0)
		return;
	printf("who has the memory of %s:%s  %-24s %8" PRIu64 " slices being filled%s", sensor->name,
	       eol, "lidard", sensor->loans_lent, eol);
	for (i = 0; i < snapshot->subscriber_count; i++) {
		s = &snapshot->subscribers[i];
		if (strcmp(s->sensor, sensor->name) == 0)
			printf("  %-24s %8" PRIu64 " slices held, %" PRId64 " waiting (pid %" PRId64 ")%s",
			       s->name, s->held, s->waiting, s->pid, eol);
	}
}
