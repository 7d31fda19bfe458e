/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_cutter.h - where frames end, and what of them is lost
 *
 * A part of frame_builder.c, which holds one of two: frame_columns.c for a
 * sensor whose frames are all alike, every packet having its place in them, and
 * frame_turns.c for one that turns, whose frames end where the azimuth passes an
 * angle.  A cutter only answers; what is open, finished and handed out is
 * the builder's affair.
 *
 * Frames are those handed out: the decoder's, shifted (packet_stream.h).  Columns
 * are numbered through all frames.
 */
#ifndef DAEMON_FRAME_CUTTER_H
#define DAEMON_FRAME_CUTTER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/frame_layout.h"
#include "daemon/open_slice.h"
#include "daemon/packet_stream.h"

struct frame_cutter;

struct frame_cutter_ops {
	/**
	 * Frames end when they do: the layout is that of the longest, a slice that is whole
	 * waits for the next column, which says whether it was the last, and a packet without
	 * columns has no place.
	 */
	bool open_ended;
	/** Return: NULL. NULL is allowed. */
	struct frame_cutter *(*free)(struct frame_cutter *c);

	/** The number of @column of @frame; 0 if that is forgotten. Hot path. */
	uint64_t (*number_column)(const struct frame_cutter *c, uint64_t frame, uint32_t column);
	/** Columns of @frame, as far as they are known; of one that is forgotten, none. Hot path. */
	uint32_t (*count_columns)(const struct frame_cutter *c, uint64_t frame);
	/** Did @frame end before it was complete, by no fault of its packets? Hot path. */
	bool (*is_cut_off)(const struct frame_cutter *c, uint64_t frame);
	/** Packets of @s that others came before and after of, but not they. Hot path. */
	uint32_t (*count_lost)(const struct frame_cutter *c, const struct open_slice *s);
	/** Packets of the frames @next .. @frame - 1, of which nothing came. Hot path. */
	uint64_t (*count_passed)(const struct frame_cutter *c, uint64_t next, uint64_t frame);

	/* Of packets that have a place of their own in a frame; NULL where they have none. */

	/** @p is about to be taken in. Hot path. */
	void (*begin_packet)(struct frame_cutter *c, const struct decoder_packet *p);
	/** @p has come; @s is the slice it counts as, NULL: not begun. Hot path. */
	void (*mark_packet)(struct frame_cutter *c, const struct decoder_packet *p,
			    struct open_slice *s);
	/** @s was begun. Hot path. */
	void (*begin_slice)(struct frame_cutter *c, struct open_slice *s);
};

/** Embedded as the first member of every cutter. */
struct frame_cutter {
	const struct frame_cutter_ops *ops;
	/** Borrowed from the builder, which keeps the stream up to date. */
	const struct frame_layout *layout;
	const struct packet_stream *stream;
};

#endif /* DAEMON_FRAME_CUTTER_H */
