/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open_slice.h - one slice while its columns come in
 *
 * A part of frame_builder.c: knows which columns and packets are there, where
 * the next point goes and what time the points count from.  It may stand for
 * a slice that found no loan: then it only keeps the books.
 *
 * Times: a point counts its offset from the slice's earliest column, which is
 * not known before the last packet came (they may change places on the way).
 * So offsets are kept signed and relative to the first column received, and
 * put right at the end if an earlier one came.
 */
#ifndef DAEMON_OPEN_SLICE_H
#define DAEMON_OPEN_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "decoder/decoder.h"
#include "daemon/loan.h"

/** A slice's place in its frame; the same for every frame. */
struct slice_place {
	uint32_t index;
	uint32_t first_column;
	uint32_t column_count;
	/** Packets that count as this slice's: those whose nominal first column it covers. */
	uint32_t first_packet;
	uint32_t packet_count;
};

struct open_slice {
	/** NULL: no loan was at hand. */
	struct loan *loan;
	uint64_t frame;
	struct slice_place place;
	uint32_t columns_received;
	uint32_t point_count;
	/** Arrival of its first packet; only if columns_received. */
	uint64_t first_arrival_ns;
	/** Time of the first column received; the others' earliest and latest relative to it. */
	uint64_t base_ns;
	int64_t earliest_ns;
	int64_t latest_ns;
	/** Some point's offset is negative at the moment. */
	bool negative;
	/** Bitmaps, relative to first_column and first_packet. */
	uint64_t *columns;
	uint64_t *packets;
};

/** Return: 0 or -ENOMEM. */
int open_slice_init(struct open_slice *s, uint32_t columns_max, uint32_t packets_max);
void open_slice_deinit(struct open_slice *s);

/** open_slice_begin() - empty, for @frame; takes @loan, which may be NULL. Hot path. */
void open_slice_begin(struct open_slice *s, uint64_t frame, const struct slice_place *place,
		      struct loan *loan);

/** open_slice_add_column() - @column of the frame is here. Return: false if it was before. Hot path. */
bool open_slice_add_column(struct open_slice *s, uint32_t column, uint64_t arrival_ns);

/** open_slice_add_packet() - @packet of the frame is here; others' packets are not marked. Hot path. */
void open_slice_add_packet(struct open_slice *s, uint32_t packet);

bool open_slice_has_column(const struct open_slice *s, uint32_t column);
bool open_slice_has_packet(const struct open_slice *s, uint32_t packet);

/** Where the next column's points go; NULL without a loan. */
struct lidard_point_xyzirt *open_slice_next_point(const struct open_slice *s);

/** open_slice_add_points() - @count points, fired at @time_ns, lie at next_point. Hot path. */
void open_slice_add_points(struct open_slice *s, uint32_t count, uint64_t time_ns);

/** open_slice_describe() - put times right and fill in the loan's header as far as it is known here */
void open_slice_describe(struct open_slice *s);

static inline uint32_t open_slice_get_missing(const struct open_slice *s)
{
	return s->place.column_count - s->columns_received;
}

#endif /* DAEMON_OPEN_SLICE_H */
