/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_reader.h - the pinned maps, read
 *
 * A picture is a copy of everything in them at one moment, the histograms of all
 * CPUs added up; it owns everything in it and does not change.  Needs no more
 * than permission to open the pinned files, and no lidard-trace that runs.
 */
#ifndef TRACE_TRACE_READER_H
#define TRACE_TRACE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

struct trace_latency {
	struct lidard_trace_key key;
	struct lidard_histogram histogram;
};

struct trace_drop {
	struct lidard_trace_drop_key key;
	struct lidard_trace_drops drops;
};

struct trace_picture {
	/** Does a lidard-trace watch at this moment? */
	bool watching;
	/** Sorted by sensor, client and stage. */
	struct trace_latency *latencies;
	size_t latency_count;
	struct trace_drop *drops;
	size_t drop_count;
	/** The last ones, oldest first. */
	struct lidard_trace_outlier *outliers;
	size_t outlier_count;
	struct lidard_trace_settings settings;
};

/**
 * trace_reader_read() - take a picture
 * @pin_dir: where the maps are pinned
 * @ret_picture: free with trace_picture_free()
 *
 * Return: 0; -ENOENT there are none; -EACCES or -EPERM not for this user; -EPROTO
 * another version's; -ENOTSUP built without; -ENOMEM; other negative errno.
 */
int trace_reader_read(const char *pin_dir, struct trace_picture **ret_picture);

/** NULL is allowed. Return: NULL. */
struct trace_picture *trace_picture_free(struct trace_picture *p);

static inline void cleanup_trace_picture(struct trace_picture **p)
{
	*p = trace_picture_free(*p);
}

#endif /* TRACE_TRACE_READER_H */
