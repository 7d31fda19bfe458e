/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h - lidard and its RouDi, as a benchmark runs them
 *
 * lidard is a program beside the benchmark, which is lidard's own main with a
 * source that costs nothing; sensor N is called sN.  RouDi's pools are those
 * lidard asks for, also where only plain iceoryx uses them.
 */
#ifndef BENCH_SERVICE_H
#define BENCH_SERVICE_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/child.h"

/** lidard's control socket. */
#define BENCH_SOCKET BENCH_DIR "/control"

struct service_plan {
	/** lidard's name, in the folder of this program. */
	const char *program;
	/** A sensor for each size. */
	const uint64_t *slice_bytes;
	unsigned int sensor_count;
	/** What a sensor keeps at hand, and what its subscribers may keep: together, each. */
	unsigned int loans;
	unsigned int subscriber_slices;
	uint32_t queue;
	uint32_t held;
};

/** Configure both and start RouDi. Return: its pid; it answers. */
pid_t service_start_roudi(const struct service_plan *plan);

/** Start lidard on a CPU, or on any: -1. Return: its pid, for service_wait(). */
pid_t service_start_lidard(const struct service_plan *plan, int cpu);

/** Until lidard serves. */
void service_wait(const struct service_plan *plan, pid_t lidard);

#endif /* BENCH_SERVICE_H */
