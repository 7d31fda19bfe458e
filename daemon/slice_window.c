/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice_window.c - see slice_window.h
 *
 * Slices are numbered through all frames: frame * slices of the longest frame
 * + index.  next_slice is the first not yet begun; up to SLICE_WINDOW_MAX slices
 * before it are open, oldest first, and they are finished in that order.
 */
#include "daemon/slice_window.h"

#include <errno.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "daemon/config.h"
#include "daemon/source.h"
#include "lidard/probes.h"

/** A slice waits for its columns until others come that lie so many packets beyond it. */
#define REORDER_PACKETS 2

int slice_window_init(struct slice_window *w)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < SLICE_WINDOW_MAX && err == 0; i++)
		err = open_slice_init(&w->open[i], w->layout->slice_columns,
				      w->layout->frame_packets);
	return err;
}

void slice_window_deinit(struct slice_window *w)
{
	unsigned int i;

	for (i = 0; i < SLICE_WINDOW_MAX; i++)
		open_slice_deinit(&w->open[i]);
}

static struct open_slice *open_at(const struct slice_window *w, unsigned int i)
{
	return (struct open_slice *)&w->open[(w->open_first + i) % SLICE_WINDOW_MAX];
}

unsigned int slice_window_count_loans(const struct slice_window *w)
{
	unsigned int i, count = 0;

	for (i = 0; i < w->open_count; i++)
		count += open_at(w, i)->loan != NULL;
	return count;
}

/* Does the frame end with this slice? */
static bool is_last(const struct slice_window *w, const struct open_slice *s)
{
	uint32_t end = s->place.first_column + s->place.column_count;

	return end >= w->cutter->ops->count_columns(w->cutter, s->frame);
}

static bool is_cut_off(const struct slice_window *w, uint64_t frame)
{
	return w->cutter->ops->is_cut_off(w->cutter, frame);
}

static void cut_short(const struct slice_window *w, uint64_t frame, struct slice_place *p)
{
	uint32_t columns = w->cutter->ops->count_columns(w->cutter, frame);

	if (p->first_column + p->column_count > columns)
		p->column_count = columns > p->first_column ? columns - p->first_column : 0;
}

static void end_frame(struct slice_window *w)
{
	w->source->stats.frames++;
	w->source->stats.partial_frames += w->frame_partial;
	w->frame_begun = false;
}

static void describe(struct slice_window *w, struct open_slice *s, uint32_t lost, bool last)
{
	struct lidard_slice_header *h = s->loan->header;

	h->flags = w->flags;
	open_slice_describe(s);
	h->slice_count = !w->cutter->ops->open_ended ? w->layout->slice_count :
			 last ? s->place.index + 1 : 0;
	h->lost_packets = lost;
	sensor_clock_describe(&w->source->clock, w->time_shift_ns, h);
	if (last)
		h->flags |= LIDARD_SLICE_LAST | (w->frame_partial ? LIDARD_FRAME_PARTIAL : 0) |
			    (is_cut_off(w, s->frame) ? LIDARD_SLICE_PARTIAL : 0);
	if (w->config->crc) {
		h->crc32c = crc32c(0, s->loan->data, h->payload_bytes);
		h->flags |= LIDARD_SLICE_CRC_VALID;
	}
	h->filled_ns = clock_now_ns();
	LIDARD_PROBE2(filled, w->config->name, h);
}

/* The oldest open slice gets no more columns. */
static void finish(struct slice_window *w)
{
	struct open_slice *s = open_at(w, 0);
	struct source_stats *stats = &w->source->stats;
	bool last = is_last(w, s);
	uint32_t lost = w->cutter->ops->count_lost(w->cutter, s);
	uint32_t missing = open_slice_get_missing(s);

	if (!w->frame_begun)
		w->frame_partial = s->place.index != 0;
	w->frame_begun = true;
	w->frame_partial |= missing || (last && is_cut_off(w, s->frame));
	stats->lost_packets += lost;
	stats->missing_columns += missing;
	if (s->columns_received)
		w->last_time_ns = s->base_ns + (uint64_t)s->latest_ns;
	if (s->loan) {
		describe(w, s, lost, last);
		loan_stock_fill(w->loans, s->loan);
		s->loan = NULL;
	} else {
		loan_stock_drop(w->loans, w->source);
	}
	if (last)
		end_frame(w);
	w->open_first = (w->open_first + 1) % SLICE_WINDOW_MAX;
	w->open_count--;
}

static uint64_t number_column(const struct slice_window *w, uint64_t frame, uint32_t column)
{
	return w->cutter->ops->number_column(w->cutter, frame, column);
}

void slice_window_finish_due(struct slice_window *w)
{
	while (w->open_count) {
		const struct open_slice *s = open_at(w, 0);
		uint64_t end = number_column(w, s->frame,
					     s->place.first_column + s->place.column_count);

		if (open_slice_get_missing(s) && w->stream->newest_column <
		    end + (uint64_t)REORDER_PACKETS * w->layout->packet_columns)
			return;
		if (w->cutter->ops->open_ended && w->stream->newest_column < end)
			return;
		finish(w);
	}
}

void slice_window_cut_short(struct slice_window *w)
{
	unsigned int i;

	for (i = 0; w->cutter->ops->open_ended && i < w->open_count; i++) {
		struct open_slice *s = open_at(w, i);
		uint32_t columns = s->place.column_count;

		cut_short(w, s->frame, &s->place);
		/* its frame is forgotten: what came is there, and what did not is missing */
		if (s->place.column_count < s->columns_received)
			s->place.column_count = columns;
	}
}

static void begin_slice(struct slice_window *w)
{
	uint64_t frame = w->next_slice / w->layout->slice_count;
	uint32_t index = (uint32_t)(w->next_slice % w->layout->slice_count);
	struct slice_place place = frame_layout_place_slice(w->layout, index);
	struct open_slice *s = open_at(w, w->open_count++);

	w->stream->last_frame = frame;
	cut_short(w, frame, &place);
	open_slice_begin(s, frame, &place, loan_stock_pick(w->loans));
	if (w->cutter->ops->begin_slice)
		w->cutter->ops->begin_slice(w->cutter, s);
	w->next_slice++;
}

/* Nothing came of the frames before @frame that were not even begun. */
static void pass_over_frames(struct slice_window *w, uint64_t frame)
{
	uint64_t next = w->next_slice / w->layout->slice_count;

	if (w->next_slice % w->layout->slice_count != 0 || frame <= next)
		return;
	w->source->stats.lost_packets += w->cutter->ops->count_passed(w->cutter, next, frame);
	w->next_slice = frame * w->layout->slice_count;
}

/* The frame that slices were begun of last has ended: the next one is another frame's. */
static void pass_over_slices(struct slice_window *w)
{
	uint64_t frame = w->next_slice / w->layout->slice_count;
	uint32_t index = (uint32_t)(w->next_slice % w->layout->slice_count);

	if (w->cutter->ops->open_ended && index &&
	    frame_layout_place_slice(w->layout, index).first_column >=
	    w->cutter->ops->count_columns(w->cutter, frame))
		w->next_slice = (frame + 1) * w->layout->slice_count;
}

static uint64_t number_slice(const struct slice_window *w, uint64_t frame, uint32_t column)
{
	return frame * w->layout->slice_count + frame_layout_find_slice(w->layout, column);
}

bool slice_window_advance(struct slice_window *w, uint64_t frame, uint32_t column, bool patient)
{
	uint64_t target = number_slice(w, frame, column);
	uint64_t number = number_column(w, frame, column);

	if (!w->stream->begun) {
		w->stream->begun = true;
		w->next_slice = target;
		w->stream->newest_column = number;
	}
	if (number > w->stream->newest_column)
		w->stream->newest_column = number;
	for (;;) {
		slice_window_finish_due(w);
		if (w->next_slice <= target) {
			pass_over_slices(w);
			pass_over_frames(w, frame);
		}
		if (w->next_slice > target)
			return true;
		if (patient && !w->loans->free_count &&
		    slice_window_count_loans(w) < w->loans->max)
			return false;
		/* nor can it wait where all loans are in slices that wait for columns */
		if (w->open_count == SLICE_WINDOW_MAX || (patient && !w->loans->free_count)) {
			finish(w);
			continue;
		}
		begin_slice(w);
	}
}

struct open_slice *slice_window_find(struct slice_window *w, uint64_t frame, uint32_t column)
{
	uint32_t index = frame_layout_find_slice(w->layout, column);
	unsigned int i;

	for (i = 0; i < w->open_count; i++) {
		struct open_slice *s = open_at(w, i);

		if (s->frame == frame && s->place.index == index)
			return s;
	}
	return NULL;
}

bool slice_window_is_ahead(const struct slice_window *w, uint64_t frame, uint32_t column)
{
	return number_slice(w, frame, column) >= w->next_slice;
}

bool slice_window_flush(struct slice_window *w)
{
	bool cut_off;

	w->stream->ending = true;
	slice_window_cut_short(w);
	while (w->open_count)
		finish(w);
	w->stream->ending = false;
	/* the frame's other slices were never begun */
	cut_off = w->frame_begun;
	if (cut_off) {
		w->frame_partial = true;
		end_frame(w);
	}
	w->stream->begun = false;
	return cut_off;
}

void slice_window_reset(struct slice_window *w)
{
	unsigned int i;

	source_drop(w->source, SOURCE_DROP_STOPPED, w->open_count);
	for (i = 0; i < SLICE_WINDOW_MAX; i++)
		w->open[i].loan = NULL;
	w->open_count = 0;
	w->frame_begun = false;
	w->next_slice = 0;
	w->time_shift_ns = 0;
}
