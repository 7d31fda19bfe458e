/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice_window.h - the slices whose columns come in just now
 *
 * A part of frame_builder.c, which embeds one.  Several slices are open at a
 * time, because packets change places on the way.  A column beyond them has
 * those up to its own begun (one that gets no column in the end is published
 * empty); a column before them is late.  Frames of which nothing came are
 * passed over, and so are the slices of a frame that ended before the longest
 * would.  A slice that is finished is described and goes, with its loan, among
 * the filled ones; without a loan it is a drop.
 */
#ifndef DAEMON_SLICE_WINDOW_H
#define DAEMON_SLICE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/frame_cutter.h"
#include "daemon/frame_layout.h"
#include "daemon/loan_stock.h"
#include "daemon/open_slice.h"
#include "daemon/packet_stream.h"

/** Slices open at once: where a slice is as small as a packet, reordering spans several. */
#define SLICE_WINDOW_MAX 4

struct slice_window {
	/* borrowed; set before slice_window_init() */
	const struct sensor_config *config;
	struct source *source;
	const struct frame_layout *layout;
	struct frame_cutter *cutter;
	struct packet_stream *stream;
	struct loan_stock *loans;
	/** LIDARD_SLICE_* flags that every slice gets. */
	uint32_t flags;

	/** Added to the decoder's times; the builder's to change. */
	uint64_t time_shift_ns;
	/** Of the last column of the slice that was finished last. */
	uint64_t last_time_ns;
	/** Number of the slice to begin next; 0: none was ever begun. */
	uint64_t next_slice;

	/* for slice_window.c alone */
	struct open_slice open[SLICE_WINDOW_MAX];
	unsigned int open_first;
	unsigned int open_count;
	/** The frame being finished. */
	bool frame_begun;
	bool frame_partial;
};

/** Return: 0 or -ENOMEM. */
int slice_window_init(struct slice_window *w);
void slice_window_deinit(struct slice_window *w);

/** slice_window_count_loans() - loans in open slices. Hot path. */
unsigned int slice_window_count_loans(const struct slice_window *w);

/** slice_window_cut_short() - frames may have ended since slices of theirs were begun. Hot path. */
void slice_window_cut_short(struct slice_window *w);

/**
 * slice_window_advance() - begin slices up to the one of this column
 * @patient: wait for a loan where one can come
 *
 * Return: false: lend a loan, then advance again. Hot path.
 */
bool slice_window_advance(struct slice_window *w, uint64_t frame, uint32_t column, bool patient);

/** slice_window_find() - the open slice of this column, NULL if it is not open. Hot path. */
struct open_slice *slice_window_find(struct slice_window *w, uint64_t frame, uint32_t column);

/** slice_window_is_ahead() - is the slice of this column still to be begun? Hot path. */
bool slice_window_is_ahead(const struct slice_window *w, uint64_t frame, uint32_t column);

/** slice_window_finish_due() - finish what is whole, and what has waited long enough. Hot path. */
void slice_window_finish_due(struct slice_window *w);

/** slice_window_flush() - the stream ends here: finish all. Return: true if that cut a frame off. */
bool slice_window_flush(struct slice_window *w);

/** slice_window_reset() - drop what is half done (SOURCE_DROP_STOPPED) and forget its loans */
void slice_window_reset(struct slice_window *w);

#endif /* DAEMON_SLICE_WINDOW_H */
