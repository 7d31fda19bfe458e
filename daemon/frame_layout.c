/* SPDX-License-Identifier: Apache-2.0 */
/* frame_layout.c - see frame_layout.h */
#include "daemon/frame_layout.h"

#include <errno.h>

#include "daemon/config.h"
#include "lidard/frame.h"

static int check_geometry(const struct decoder_geometry *g, struct problem *problem)
{
	if (g->frame_columns && g->frame_columns <= DECODER_COLUMNS_MAX && g->column_points &&
	    g->column_points <= DECODER_COLUMN_POINTS_MAX && g->packet_columns &&
	    g->packet_columns <= DECODER_PACKET_COLUMNS_MAX && g->frame_packets &&
	    g->frame_packets <= DECODER_COLUMNS_MAX)
		return 0;
	return problem_set(problem, -EINVAL,
			   "impossible sensor: %u columns of %u points, %u packets of %u "
			   "columns", g->frame_columns, g->column_points,
			   g->frame_packets, g->packet_columns);
}

static int cut_frames(struct frame_layout *l, const struct sensor_config *config,
		      struct decoder *decoder, struct problem *problem)
{
	uint64_t column_bytes = (uint64_t)l->column_points * sizeof(struct lidard_point_xyzirt);
	uint64_t slice = config->slice_bytes / column_bytes;
	uint64_t first = config->first_slice_bytes ? config->first_slice_bytes / column_bytes : slice;

	if (!slice || !first)
		return problem_set(problem, -EINVAL,
				   "%s = %llu cannot hold one column of %u points; it takes "
				   "at least %llu",
				   slice ? "first_slice_bytes" : "slice_bytes",
				   (unsigned long long)(slice ? config->first_slice_bytes :
								config->slice_bytes),
				   l->column_points, (unsigned long long)column_bytes);
	if (first > slice)
		first = slice;
	if (slice > l->frame_columns)
		slice = l->frame_columns;
	if (first > l->frame_columns)
		first = l->frame_columns;
	if (decoder->rotation && !decoder->geometry.model[0] &&
	    l->frame_columns > first + (LIDARD_FRAME_SLICES_MAX - 1) * slice) {
		l->frame_columns = (uint32_t)(first + (LIDARD_FRAME_SLICES_MAX - 1) * slice);
		decoder->geometry.frame_columns = l->frame_columns;
	}
	l->first_columns = (uint32_t)first;
	l->slice_columns = (uint32_t)slice;
	l->slice_count = 1 + (uint32_t)((l->frame_columns - first + slice - 1) / slice);
	if (l->slice_count > LIDARD_FRAME_SLICES_MAX)
		return problem_set(problem, -EINVAL,
				   "a frame of %u columns of %u points would have %u slices, "
				   "at most %u are possible; slice_bytes = %llu is enough",
				   l->frame_columns, l->column_points, l->slice_count,
				   LIDARD_FRAME_SLICES_MAX,
				   (unsigned long long)((l->frame_columns - first +
							 LIDARD_FRAME_SLICES_MAX - 2) /
							(LIDARD_FRAME_SLICES_MAX - 1) * column_bytes));
	l->loan_bytes = (size_t)(slice * column_bytes);
	return 0;
}

int frame_layout_init(struct frame_layout *l, const struct sensor_config *config,
		      struct decoder *decoder, struct problem *problem)
{
	const struct decoder_geometry *g = &decoder->geometry;
	int err = check_geometry(g, problem);

	if (err < 0)
		return err;
	l->frame_columns = g->frame_columns;
	l->column_points = g->column_points;
	l->packet_columns = g->packet_columns;
	l->frame_packets = g->frame_packets;
	return cut_frames(l, config, decoder, problem);
}

/* A column window may begin within the packet. */
uint32_t frame_layout_find_column(const struct frame_layout *l, uint32_t packet)
{
	uint64_t column = (uint64_t)packet * l->packet_columns;

	return column < l->frame_columns ? (uint32_t)column : l->frame_columns - 1;
}

/* Packets before the one whose nominal first column is @column or later. */
static uint32_t packets_before(const struct frame_layout *l, uint32_t column)
{
	uint32_t packet = (column + l->packet_columns - 1) / l->packet_columns;

	if (column >= l->frame_columns || packet > l->frame_packets)
		return l->frame_packets;
	return packet;
}

struct slice_place frame_layout_place_slice(const struct frame_layout *l, uint32_t index)
{
	struct slice_place p = { .index = index, .column_count = l->first_columns };

	if (index) {
		p.first_column = l->first_columns + (index - 1) * l->slice_columns;
		p.column_count = l->slice_columns;
	}
	if (p.column_count > l->frame_columns - p.first_column)
		p.column_count = l->frame_columns - p.first_column;
	p.first_packet = packets_before(l, p.first_column);
	p.packet_count = packets_before(l, p.first_column + p.column_count) - p.first_packet;
	return p;
}
