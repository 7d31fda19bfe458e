/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c - see summary.h */
#include "tools/summary.h"
#include "common/json_add.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/stream.h"

const char *summary_quantity_name(enum summary_quantity quantity)
{
	static const char *const names[SUMMARY_QUANTITY_COUNT] = { "x", "y", "z", "range",
								   "intensity" };

	return names[quantity];
}

void summary_init(struct frame_summary *s, const struct lidard_slice_header *header)
{
	memset(s, 0, sizeof(*s));
	s->frame_id = header->frame_id;
	s->incarnation = header->incarnation;
}

static inline void add_value(struct summary_span *span, double value, bool is_first)
{
	if (is_first || value < span->min)
		span->min = value;
	if (is_first || value > span->max)
		span->max = value;
	span->sum += value;
}

static inline void add_point(struct summary_statistics *s, const struct lidard_point_xyzirt *p)
{
	bool is_first = s->points++ == 0;

	add_value(&s->spans[SUMMARY_X], p->x, is_first);
	add_value(&s->spans[SUMMARY_Y], p->y, is_first);
	add_value(&s->spans[SUMMARY_Z], p->z, is_first);
	add_value(&s->spans[SUMMARY_RANGE], p->range, is_first);
	add_value(&s->spans[SUMMARY_INTENSITY], p->intensity, is_first);
}

static void merge(struct summary_statistics *into, const struct summary_statistics *from)
{
	unsigned int i;

	if (from->points == 0)
		return;
	for (i = 0; i < SUMMARY_QUANTITY_COUNT; i++) {
		struct summary_span *a = &into->spans[i];
		const struct summary_span *b = &from->spans[i];

		if (into->points == 0 || b->min < a->min)
			a->min = b->min;
		if (into->points == 0 || b->max > a->max)
			a->max = b->max;
		a->sum += b->sum;
	}
	into->points += from->points;
}

static void add_points(struct frame_summary *s, const struct lidard_point_xyzirt *points,
		       uint32_t count, unsigned int stride)
{
	struct summary_statistics second = {};
	struct summary_statistics first = {};
	uint32_t i;

	for (i = 0; i < count; i += stride) {
		const struct lidard_point_xyzirt *p = &points[i];

		if (!(p->range > 0))
			continue;
		if (p->return_number < 2)
			add_point(&first, p);
		else
			add_point(&second, p);
	}
	s->second_return_points += second.points;
	merge(&s->first, &first);
	merge(&s->all, &first);
	merge(&s->all, &second);
}

void summary_add(struct frame_summary *s, const struct lidard_slice_header *header,
		 const struct lidard_point_xyzirt *points, unsigned int stride)
{
	s->slices++;
	s->bytes += header->payload_bytes;
	if (header->slice_count)
		s->slice_count = header->slice_count;
	s->lost_packets += header->lost_packets;
	s->missing_columns += header->missing_columns;
	s->lost_upstream += header->lost_before;
	if (header->flags & (LIDARD_SLICE_PARTIAL | LIDARD_FRAME_PARTIAL))
		s->partial = true;
	if (stream_ends_frame(header)) {
		s->ended = true;
		if (!s->slice_count)
			s->slice_count = header->slice_index + 1;
	}
	if (header->flags & LIDARD_SLICE_SENSOR_TIME_VALID) {
		if (s->first_sensor_ns == 0 || header->sensor_time_ns < s->first_sensor_ns)
			s->first_sensor_ns = header->sensor_time_ns;
		if (header->sensor_end_time_ns > s->last_sensor_ns)
			s->last_sensor_ns = header->sensor_end_time_ns;
	}
	if (points)
		add_points(s, points, header->point_count, stride);
}

void summary_finish(struct frame_summary *s)
{
	if (!s->ended || s->slices != s->slice_count)
		s->partial = true;
}

void summary_format_line(const struct frame_summary *s, char *line, size_t size)
{
	int n = snprintf(line, size,
			 "frame %" PRIu64 ": %" PRIu64 " points + %" PRIu64 " second returns, "
			 "%u of %u slices, %.3f ms%s", s->frame_id, s->first.points,
			 s->second_return_points, s->slices, s->slice_count,
			 (double)(s->last_sensor_ns - s->first_sensor_ns) / 1e6,
			 s->partial ? ", PARTIAL" : "");

	if (n < 0 || (size_t)n >= size)
		return;
	if (s->lost_packets || s->missing_columns || s->skipped || s->lost_upstream)
		snprintf(line + n, size - (size_t)n, " (lost: %" PRIu64 " packets, %" PRIu64
			 " columns; slices: %" PRIu64 " skipped, %" PRIu64 " upstream)",
			 s->lost_packets, s->missing_columns, s->skipped, s->lost_upstream);
}

double summary_mean(const struct summary_statistics *s, enum summary_quantity quantity)
{
	return s->points ? s->spans[quantity].sum / (double)s->points : 0;
}

static void add_statistics(struct json_object *object, const struct summary_statistics *s)
{
	unsigned int i;

	for (i = 0; i < SUMMARY_QUANTITY_COUNT; i++) {
		struct json_object *span = json_object_new_object();

		json_object_object_add(span, "min", json_object_new_double(s->spans[i].min));
		json_object_object_add(span, "max", json_object_new_double(s->spans[i].max));
		json_object_object_add(span, "mean", json_object_new_double(summary_mean(s, i)));
		json_object_object_add(object, summary_quantity_name(i), span);
	}
}

struct json_object *summary_to_json(const struct frame_summary *s)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		return NULL;
	json_add_uint(object, "frame_id", s->frame_id);
	json_add_uint(object, "points", s->first.points);
	json_add_uint(object, "second_return_points", s->second_return_points);
	add_statistics(object, &s->first);
	if (s->second_return_points) {
		struct json_object *all = json_object_new_object();

		json_add_uint(all, "points", s->all.points);
		add_statistics(all, &s->all);
		json_object_object_add(object, "all_returns", all);
	}
	json_add_uint(object, "first_sensor_ns", s->first_sensor_ns);
	json_add_uint(object, "last_sensor_ns", s->last_sensor_ns);
	json_add_uint(object, "slices", s->slices);
	json_add_uint(object, "slice_count", s->slice_count);
	json_add_uint(object, "bytes", s->bytes);
	json_add_uint(object, "lost_packets", s->lost_packets);
	json_add_uint(object, "missing_columns", s->missing_columns);
	json_add_uint(object, "skipped", s->skipped);
	json_add_uint(object, "lost_upstream", s->lost_upstream);
	json_add_bool(object, "partial", s->partial);
	return object;
}
