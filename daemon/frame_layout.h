/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_layout.h - which columns of a frame make up which slice
 *
 * A part of frame_builder.c: plain numbers, fixed once the builder is made and
 * the same for every frame.  The first slice of a frame has as many columns as
 * fit into first_slice_bytes (if configured), the others as slice_bytes hold.
 * Of a sensor that turns as it likes, this is the longest frame there can be.
 */
#ifndef DAEMON_FRAME_LAYOUT_H
#define DAEMON_FRAME_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "common/problem.h"
#include "daemon/open_slice.h"
#include "decoder/decoder.h"

struct sensor_config;

struct frame_layout {
	uint32_t frame_columns;
	uint32_t column_points;
	uint32_t packet_columns;
	uint32_t frame_packets;
	uint32_t first_columns;
	uint32_t slice_columns;
	uint32_t slice_count;
	size_t loan_bytes;
};

/**
 * frame_layout_init() - lay out the frames of one sensor
 * @decoder: its geometry; where it does not know its model yet, frame_columns is lowered to what
 *     LIDARD_FRAME_SLICES_MAX slices hold
 *
 * Return: 0; -EINVAL with @problem set: a geometry that no sensor has, a slice that cannot hold
 * one column, or a frame of more than LIDARD_FRAME_SLICES_MAX slices.
 */
int frame_layout_init(struct frame_layout *l, const struct sensor_config *config,
		      struct decoder *decoder, struct problem *problem);

/** frame_layout_find_slice() - index of the slice that @column is in. Hot path. */
static inline uint32_t frame_layout_find_slice(const struct frame_layout *l, uint32_t column)
{
	if (column < l->first_columns)
		return 0;
	return 1 + (column - l->first_columns) / l->slice_columns;
}

/** frame_layout_find_column() - the nominal first column of a packet. Hot path. */
uint32_t frame_layout_find_column(const struct frame_layout *l, uint32_t packet);

/** frame_layout_place_slice() - where slice @index lies in a frame. Hot path. */
struct slice_place frame_layout_place_slice(const struct frame_layout *l, uint32_t index);

#endif /* DAEMON_FRAME_LAYOUT_H */
