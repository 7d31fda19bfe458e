/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_blame.h - where the time of a slice went, and what is to blame
 *
 * Pure arithmetic over one outlier of the maps.
 */
#ifndef TRACE_TRACE_BLAME_H
#define TRACE_TRACE_BLAME_H

#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

enum trace_blame {
	/** The device, or lidard's source, took long from first to last byte. */
	TRACE_BLAME_DEVICE,
	/** Filled -> the device's interrupt, where the module lidar_ring tells and it was late. */
	TRACE_BLAME_INTERRUPT,
	/** From then on until the daemon knows: lidard waiting for a CPU. */
	TRACE_BLAME_DAEMON,
	TRACE_BLAME_PUBLISH,
	/** The subscriber slept and was not woken; or it slept elsewhere than in the library. */
	TRACE_BLAME_WAKE,
	/** It was stopped, by SIGSTOP or a debugger. */
	TRACE_BLAME_STOPPED,
	/** It could run and had no CPU. */
	TRACE_BLAME_RUN_QUEUE,
	/** It ran, or was busy with slices before this one. */
	TRACE_BLAME_CODE,
	/** It took the slice and kept it. */
	TRACE_BLAME_HOLD,
	TRACE_BLAME_COUNT,
};

struct trace_breakdown {
	uint64_t parts_ns[TRACE_BLAME_COUNT];
	/** What took longest of what an outlier is made for. */
	enum trace_blame blame;
	/** Who had the CPU, where that is known and to blame; else NULL. */
	const struct lidard_trace_instead *instead;
};

/** trace_blame_find() - @fill_ns: threshold above which filling counts, 0: never */
struct trace_breakdown trace_blame_find(const struct lidard_trace_outlier *o, uint64_t fill_ns);

/** "device", "interrupt", "daemon", "publish", "wake", "stopped", "run-queue", "code", "hold" */
const char *trace_blame_name(enum trace_blame blame);

/** trace_stage_name() - of enum lidard_trace_stage: "fill", ...; "" if there is no such */
const char *trace_stage_name(unsigned int stage);

/** trace_cause_name() - of enum lidard_trace_cause: "queue_full", ... */
const char *trace_cause_name(unsigned int cause);

#endif /* TRACE_TRACE_BLAME_H */
