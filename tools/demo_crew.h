/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo_crew.h - the demo's subscriber processes
 *
 * Owns the processes and the memory they leave their results in.  They are
 * forked before this process has a client of lidard, so that none of its
 * handles is inherited.
 */
#ifndef TOOLS_DEMO_CREW_H
#define TOOLS_DEMO_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/child.h"
#include "tools/demo_plan.h"
#include "tools/demo_reader.h"

/** One subscriber process. */
struct demo_member {
	struct demo_reader reader;
	int64_t pid;
	/** CPU time at the beginning and the end of the measured time. */
	uint64_t cpu_first_ns;
	uint64_t cpu_last_ns;
};

struct demo_crew {
	struct demo_member members[DEMO_SUBSCRIBERS_MAX];
	struct child children[DEMO_SUBSCRIBERS_MAX];
	unsigned int count;
	/** Shared with the children. */
	struct demo_result *results;
	unsigned int result_count;
	/** Recording: file, size, every how many frames one is kept; lent. */
	int record_fd;
	uint64_t record_bytes;
	uint64_t keep_every;
	/** Where the first perception client describes every frame, or -1; lent. */
	int frames_fd;
	/** As JSON, else as lines for people. */
	bool frames_as_json;
};

/** demo_crew_start() - fork plan->subscribers processes; complains. Return: 0; negative errno. */
int demo_crew_start(struct demo_crew *c, const struct demo_plan *plan,
		    const struct child_user *user);

/** demo_crew_has_failed() - has any ended before its time? Then says so, with its last lines. */
bool demo_crew_has_failed(struct demo_crew *c);

/** demo_crew_read_cpu() - note the CPU times, of the beginning or the end */
void demo_crew_read_cpu(struct demo_crew *c, bool first);

/** demo_crew_stop() - have them finish, then end them. Return: false if one did not finish well.
 *
 * Results stay readable until demo_crew_deinit(). Idempotent.
 */
bool demo_crew_stop(struct demo_crew *c);

void demo_crew_deinit(struct demo_crew *c);

#endif /* TOOLS_DEMO_CREW_H */
