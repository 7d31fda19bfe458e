/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_layout.h - how a simulated revolution is cut into slices and when
 *
 * A revolution is a sequence of firings: column by column, and within a column
 * beam by beam.  Every firing gives exactly `returns` points (sim_renderer.h
 * says why that is honest), so sizes and times follow from the configuration
 * alone: firing i is over i + 1 parts of `firings` into the revolution.
 *
 * Slices are cut between columns; where a slice holds less than eight columns,
 * between firings, so that little of it stays empty.
 */
#ifndef DAEMON_SIM_LAYOUT_H
#define DAEMON_SIM_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/problem.h"

struct sensor_config;

/** Most memory for revolutions rendered in advance, bytes, and most of them. */
#define SIM_REEL_BYTES_MAX       (256ull * 1024 * 1024)
#define SIM_REEL_REVOLUTIONS_MAX 8u
/** Up to so many points a second are rendered as they are sent. */
#define SIM_LIVE_POINTS_PER_SECOND 2e6

struct sim_layout {
	uint32_t beams;
	uint32_t columns;
	uint32_t returns;
	/** Firings in a revolution. */
	uint32_t firings;
	/** Bytes of one firing's points. */
	uint32_t firing_bytes;
	uint64_t frame_bytes;
	uint32_t slice_count;
	/** Time of one revolution. */
	double period_ns;
	/** Revolutions to render in advance; 0: each is rendered as it is sent. */
	uint32_t reel_revolutions;
	/** Firings in the first slice, and in those after it. */
	uint32_t first_slice_firings;
	uint32_t slice_firings;
};

/**
 * sim_layout_init() - from the sim_ and slice_ keys
 *
 * Return: 0; -EINVAL with @problem set: too many slices in a frame, a slice that
 * lasts longer than a point's time can say, more to render in advance than memory
 * is meant for.
 */
int sim_layout_init(struct sim_layout *layout, const struct sensor_config *config,
		    struct problem *problem);

/** First firing of a slice; slice_count is allowed and gives the end. */
static inline uint32_t sim_layout_slice_begin(const struct sim_layout *l, uint32_t slice)
{
	uint64_t at =
		slice == 0 ? 0 : l->first_slice_firings + (uint64_t)(slice - 1) * l->slice_firings;

	return at < l->firings ? (uint32_t)at : l->firings;
}

static inline uint32_t sim_layout_slice_end(const struct sim_layout *l, uint32_t slice)
{
	return sim_layout_slice_begin(l, slice + 1);
}

static inline size_t sim_layout_slice_bytes(const struct sim_layout *l, uint32_t slice)
{
	return (size_t)(sim_layout_slice_end(l, slice) - sim_layout_slice_begin(l, slice)) *
	       l->firing_bytes;
}

/** Time of a column, from the beginning of its revolution. */
static inline uint64_t sim_layout_column_ns(const struct sim_layout *l, uint32_t column)
{
	return (uint64_t)(l->period_ns * column / l->columns);
}

#endif /* DAEMON_SIM_LAYOUT_H */
