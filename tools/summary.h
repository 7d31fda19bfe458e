/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary.h - a frame in figures
 *
 * Pure arithmetic over slice headers and points: no I/O, no library calls, so
 * it is tested alone.  Sums are kept in double: a frame has up to millions of
 * points, and a float would lose the mean's digits.
 *
 * points and the statistics beside it are those of first returns, as the
 * sensor makers' reference figures are; second returns are counted apart, and
 * "all" covers both.  Points without a range count nowhere.
 */
#ifndef TOOLS_SUMMARY_H
#define TOOLS_SUMMARY_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lidard/frame.h"

/** Smallest, largest and sum of one quantity; count is kept once for all of them. */
struct summary_span {
	double min;
	double max;
	double sum;
};

enum summary_quantity {
	SUMMARY_X,
	SUMMARY_Y,
	SUMMARY_Z,
	SUMMARY_RANGE,
	SUMMARY_INTENSITY,
	SUMMARY_QUANTITY_COUNT,
};

struct summary_statistics {
	uint64_t points;
	struct summary_span spans[SUMMARY_QUANTITY_COUNT];
};

struct frame_summary {
	uint64_t frame_id;
	uint64_t incarnation;
	struct summary_statistics first;
	struct summary_statistics all;
	uint64_t second_return_points;
	/** Slices there are; slices the frame has, 0 while unknown. */
	uint32_t slices;
	uint32_t slice_count;
	uint64_t bytes;
	/** Sensor's time of the first and the last column; 0 if it gives none. */
	uint64_t first_sensor_ns;
	uint64_t last_sensor_ns;
	uint64_t lost_packets;
	uint64_t missing_columns;
	/** Slices this reader missed in or before this frame; the caller counts them. */
	uint64_t skipped;
	/** Slices lost before publication. */
	uint64_t lost_upstream;
	/** Something is missing: columns, packets or slices. */
	bool partial;
	/** The last slice came. */
	bool ended;
};

/** Begin a frame with its first slice. */
void summary_init(struct frame_summary *s, const struct lidard_slice_header *header);

/**
 * summary_add() - one slice of the frame
 * @points: header->point_count of them; NULL if the format has none
 * @stride: look at every stride-th point only, from 1
 */
void summary_add(struct frame_summary *s, const struct lidard_slice_header *header,
		 const struct lidard_point_xyzirt *points, unsigned int stride);

/** No more slices will come: decide whether the frame is partial. */
void summary_finish(struct frame_summary *s);

/** Return: the mean, 0 without points. */
double summary_mean(const struct summary_statistics *s, enum summary_quantity quantity);
/** "x", "y", "z", "range", "intensity" */
const char *summary_quantity_name(enum summary_quantity quantity);

/** Does this slice begin another frame than the summary's? */
static inline bool summary_is_other(const struct frame_summary *s,
				    const struct lidard_slice_header *header)
{
	return header->frame_id != s->frame_id || header->incarnation != s->incarnation;
}

/** Longest line of summary_format_line(), its end included. */
#define SUMMARY_LINE_MAX 320

/** summary_format_line() - the frame in a line, without a newline */
void summary_format_line(const struct frame_summary *s, char *line, size_t size);

/** summary_to_json() - an object; free with json_object_put(); NULL: out of memory. */
struct json_object *summary_to_json(const struct frame_summary *s);

#endif /* TOOLS_SUMMARY_H */
