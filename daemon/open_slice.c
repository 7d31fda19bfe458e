/* SPDX-License-Identifier: Apache-2.0 */
/* open_slice.c - see open_slice.h */
#include "daemon/open_slice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/** Columns of a slice lie closer together than this; a time further off is a wrong one. */
#define SPAN_MAX_NS (1ll << 30)
/** So are the points of a column, with any sensor. */
#define POINTS_SPAN_MAX_NS (1u << 30)

static size_t bitmap_words(uint32_t bits)
{
	return ((size_t)bits + 63) / 64;
}

static bool bitmap_test(const uint64_t *bitmap, uint32_t bit)
{
	return bitmap[bit / 64] >> (bit % 64) & 1;
}

static void bitmap_set(uint64_t *bitmap, uint32_t bit)
{
	bitmap[bit / 64] |= 1ull << (bit % 64);
}

int open_slice_init(struct open_slice *s, uint32_t columns_max, uint32_t packets_max)
{
	memset(s, 0, sizeof(*s));
	s->columns = calloc(bitmap_words(columns_max) + 1, sizeof(*s->columns));
	s->packets = calloc(bitmap_words(packets_max) + 1, sizeof(*s->packets));
	return s->columns && s->packets ? 0 : -ENOMEM;
}

void open_slice_deinit(struct open_slice *s)
{
	free(s->columns);
	free(s->packets);
	memset(s, 0, sizeof(*s));
}

void open_slice_begin(struct open_slice *s, uint64_t frame, const struct slice_place *place,
		      struct loan *loan)
{
	s->loan = loan;
	s->frame = frame;
	s->place = *place;
	s->columns_received = 0;
	s->point_count = 0;
	s->earliest_ns = 0;
	s->latest_ns = 0;
	s->negative = false;
	memset(s->columns, 0, bitmap_words(place->column_count) * sizeof(*s->columns));
	memset(s->packets, 0, bitmap_words(place->packet_count) * sizeof(*s->packets));
}

bool open_slice_add_column(struct open_slice *s, uint32_t column, uint64_t arrival_ns)
{
	uint32_t bit = column - s->place.first_column;

	if (bitmap_test(s->columns, bit))
		return false;
	bitmap_set(s->columns, bit);
	if (s->columns_received++ == 0)
		s->first_arrival_ns = arrival_ns;
	return true;
}

void open_slice_add_packet(struct open_slice *s, uint32_t packet)
{
	uint32_t bit = packet - s->place.first_packet;

	if (packet >= s->place.first_packet && bit < s->place.packet_count)
		bitmap_set(s->packets, bit);
}

bool open_slice_has_column(const struct open_slice *s, uint32_t column)
{
	return bitmap_test(s->columns, column - s->place.first_column);
}

bool open_slice_has_packet(const struct open_slice *s, uint32_t packet)
{
	return bitmap_test(s->packets, packet - s->place.first_packet);
}

struct lidard_point_xyzirt *open_slice_next_point(const struct open_slice *s)
{
	if (!s->loan)
		return NULL;
	return (struct lidard_point_xyzirt *)s->loan->data + s->point_count;
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

/* Points of a column that may be any time away. */
static void shift_clamped(struct open_slice *s, struct lidard_point_xyzirt *points, uint32_t count,
			  int64_t delta)
{
	uint32_t i;

	delta = clamp(delta, INT32_MIN, INT32_MAX);
	for (i = 0; i < count; i++) {
		int64_t offset = clamp(delta + points[i].time_offset_ns, INT32_MIN, INT32_MAX);

		points[i].time_offset_ns = (uint32_t)offset;
		s->negative |= offset < 0;
	}
}

void open_slice_add_points(struct open_slice *s, uint32_t count, uint64_t time_ns)
{
	struct lidard_point_xyzirt *points = open_slice_next_point(s);
	uint32_t i, bits = 0;
	int64_t delta;

	/* called once for each column, the first of which sets the base */
	if (s->columns_received == 1)
		s->base_ns = time_ns;
	delta = (int64_t)(time_ns - s->base_ns);
	if (delta > s->latest_ns && delta <= SPAN_MAX_NS)
		s->latest_ns = delta;
	if (delta < s->earliest_ns && delta >= -SPAN_MAX_NS)
		s->earliest_ns = delta;

	for (i = 0; i < count; i++)
		bits |= points[i].time_offset_ns;
	if (delta >= 0 && delta < SPAN_MAX_NS && bits < POINTS_SPAN_MAX_NS)
		for (i = 0; i < count; i++)
			points[i].time_offset_ns += (uint32_t)delta;
	else
		shift_clamped(s, points, count, delta);
	s->point_count += count;
}

/* An earlier column came after the first: count from it. Rare. */
static void rebase(struct open_slice *s)
{
	struct lidard_point_xyzirt *points = s->loan->data;
	uint32_t i;

	for (i = 0; i < s->point_count; i++) {
		int64_t offset = (int32_t)points[i].time_offset_ns - s->earliest_ns;

		points[i].time_offset_ns = (uint32_t)clamp(offset, 0, UINT32_MAX);
	}
}

void open_slice_describe(struct open_slice *s)
{
	struct lidard_slice_header *h = s->loan->header;

	if (s->negative || s->earliest_ns < 0)
		rebase(s);
	h->header_bytes = sizeof(*h);
	h->frame_id = s->frame;
	h->slice_index = s->place.index;
	h->first_column = s->place.first_column;
	h->column_count = s->place.column_count;
	h->missing_columns = open_slice_get_missing(s);
	h->point_count = s->point_count;
	h->point_step = sizeof(struct lidard_point_xyzirt);
	h->format = LIDARD_FORMAT_XYZIRT;
	h->payload_bytes = (uint64_t)s->point_count * sizeof(struct lidard_point_xyzirt);
	if (h->missing_columns)
		h->flags |= LIDARD_SLICE_PARTIAL;
	if (!s->columns_received)
		return;
	h->first_byte_ns = s->first_arrival_ns;
	h->sensor_time_ns = s->base_ns + (uint64_t)s->earliest_ns;
	h->sensor_end_time_ns = s->base_ns + (uint64_t)s->latest_ns;
	h->flags |= LIDARD_SLICE_FIRST_BYTE_VALID | LIDARD_SLICE_SENSOR_TIME_VALID;
}
