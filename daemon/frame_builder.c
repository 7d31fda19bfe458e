/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_builder.c - see frame_builder.h
 *
 * What a builder owns has files of its own: how slices lie in a frame
 * (frame_layout.c), where a packet stands to those before (packet_stream.c),
 * where frames end and what of them is lost (frame_cutter.h: frame_columns.c or
 * frame_turns.c), the loans (loan_stock.c), the slices that are open
 * (slice_window.c, open_slice.c).  Here a packet is judged, and taken in column by
 * column.
 */
#include "daemon/frame_builder.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/config.h"
#include "daemon/frame_columns.h"
#include "daemon/frame_turns.h"
#include "daemon/loan_stock.h"
#include "daemon/packet_stream.h"
#include "daemon/slice_window.h"
#include "daemon/source_side.h"

/**
 * Asking for the thread's CPU time is a system call, twice a packet: as dear as decoding a small
 * one.  One packet in so many stands for all; a prime, because those with which slices end
 * come at even distances.
 */
#define CPU_PACKETS 17u

struct frame_builder {
	const struct sensor_config *config;
	struct decoder *decoder;
	struct source *source;
	bool ends;

	struct frame_layout layout;
	struct packet_stream stream;
	struct frame_cutter *cutter;
	struct loan_stock loans;
	struct slice_window window;

	bool flushed;
	/** The next column's time is shifted so that it lies gap_ns after the last one. */
	bool time_follows;
	uint64_t gap_ns;
	/** The stream's first column, as the decoder has it. */
	uint64_t first_time_ns;

	/** The decoder's complaint was passed on. */
	bool complained;

	/* the packet being taken in */
	struct decoder_packet packet;
	bool packet_pending;
	bool packet_late;
	bool patient;
	bool stalled;
	unsigned int packet_at;
	uint64_t arrival_ns;
	/** Until one is measured again. */
	unsigned int unmeasured_packets;
};

/* --- life --- */

static int make_parts(struct frame_builder *b, uint32_t flags)
{
	const struct rotation *rotation = b->decoder->rotation;
	int err;

	err = rotation ? frame_turns_new(rotation, &b->layout, &b->stream, &b->cutter) :
			 frame_columns_new(&b->layout, &b->stream, &b->cutter);
	if (err < 0)
		return err;
	b->window = (struct slice_window){ .config = b->config, .source = b->source,
					   .layout = &b->layout, .cutter = b->cutter,
					   .stream = &b->stream, .loans = &b->loans,
					   .flags = flags };
	return slice_window_init(&b->window);
}

int frame_builder_new(const struct sensor_config *config, struct decoder *decoder,
		      struct source *source, uint32_t flags, struct frame_builder **ret_builder,
		      struct problem *problem)
{
	struct frame_builder *b;
	struct frame_layout layout;
	int err;

	err = frame_layout_init(&layout, config, decoder, problem);
	if (err == 0)
		err = sensor_clock_init(&source->clock, config->sensor_clock, &decoder->geometry,
					flags & LIDARD_SLICE_REPLAYED, problem);
	if (err < 0)
		return err;
	b = calloc(1, sizeof(*b));
	if (!b)
		return problem_set(problem, -ENOMEM, "out of memory");
	b->config = config;
	b->decoder = decoder;
	b->source = source;
	b->layout = layout;
	b->loans.max = config->loans < LOAN_STOCK_MAX ? config->loans : LOAN_STOCK_MAX;
	err = make_parts(b, flags);
	if (err < 0) {
		frame_builder_free(b);
		return problem_set(problem, err, "out of memory");
	}
	*ret_builder = b;
	return 0;
}

struct frame_builder *frame_builder_free(struct frame_builder *b)
{
	if (!b)
		return NULL;
	slice_window_deinit(&b->window);
	if (b->cutter)
		b->cutter->ops->free(b->cutter);
	free(b);
	return NULL;
}

void frame_builder_end_with_flush(struct frame_builder *b)
{
	b->ends = true;
}

/* --- loans --- */

size_t frame_builder_wants(const struct frame_builder *b)
{
	unsigned int held = b->loans.free_count + b->loans.filled_count +
			    slice_window_count_loans(&b->window);

	return held < b->loans.max ? b->layout.loan_bytes : 0;
}

void frame_builder_lend(struct frame_builder *b, struct loan *loan)
{
	assert(frame_builder_wants(b) && loan->capacity_bytes >= b->layout.loan_bytes);
	loan_stock_add(&b->loans, loan);
}

int frame_builder_take(struct frame_builder *b, struct loan **ret_loan)
{
	unsigned int waiting = b->loans.filled_count;

	if (!waiting)
		return 0;
	if (b->ends && waiting == 1 && !b->flushed && !b->stalled &&
	    !slice_window_count_loans(&b->window))
		return 0;
	*ret_loan = loan_stock_take(&b->loans, b->source);
	return 1;
}

bool frame_builder_has_filled(const struct frame_builder *b)
{
	return b->loans.filled_count > 0;
}

/* --- ends --- */

void frame_builder_flush(struct frame_builder *b)
{
	bool cut_off = slice_window_flush(&b->window);
	struct loan *newest;

	b->flushed = true;
	b->packet_pending = false;
	b->stalled = false;
	newest = loan_stock_get_newest(&b->loans);
	if (b->ends && newest)
		newest->header->flags |= LIDARD_SLICE_END_OF_STREAM |
					 (cut_off ? LIDARD_FRAME_PARTIAL : 0);
}

void frame_builder_restart(struct frame_builder *b, uint64_t gap_ns)
{
	frame_builder_flush(b);
	b->decoder->ops->restart(b->decoder);
	/* before the first packet (next_slice is 0) there is nothing to follow */
	packet_stream_restart(&b->stream, b->window.next_slice != 0);
	b->time_follows = b->window.next_slice != 0;
	b->gap_ns = gap_ns;
}

void frame_builder_reset(struct frame_builder *b)
{
	loan_stock_reset(&b->loans, b->source);
	slice_window_reset(&b->window);
	packet_stream_reset(&b->stream);
	b->packet_pending = false;
	b->stalled = false;
	b->first_time_ns = 0;
	b->time_follows = false;
}

/* --- taking in --- */

static void put_column(struct frame_builder *b, const struct decoder_column *column)
{
	uint64_t frame = column->frame + b->stream.frame_shift;
	struct open_slice *s = slice_window_find(&b->window, frame, column->place);
	struct lidard_point_xyzirt *points;
	uint32_t count = 0;

	if (!s) {
		b->packet_late = true;
		return;
	}
	if (!open_slice_add_column(s, column->place, b->arrival_ns))
		return;
	if (b->time_follows) {
		b->window.time_shift_ns = b->window.last_time_ns + b->gap_ns - column->time_ns;
		b->time_follows = false;
	}
	if (!b->first_time_ns)
		b->first_time_ns = column->time_ns;
	points = open_slice_next_point(s);
	if (points)
		count = b->decoder->ops->points(b->decoder, &b->packet, b->packet_at, points);
	assert(count <= b->layout.column_points);
	open_slice_add_points(s, count, column->time_ns + b->window.time_shift_ns);
	if (!open_slice_get_missing(s))
		slice_window_finish_due(&b->window);
}

/* The packet itself has come, whether its columns are valid or not. */
static void mark_packet(struct frame_builder *b)
{
	uint64_t frame = b->packet.frame + b->stream.frame_shift;
	uint32_t column = frame_layout_find_column(&b->layout, b->packet.place);
	struct open_slice *s = slice_window_find(&b->window, frame, column);

	if (s || slice_window_is_ahead(&b->window, frame, column))
		b->cutter->ops->mark_packet(b->cutter, &b->packet, s);
}

static bool advance(struct frame_builder *b, uint64_t frame, uint32_t column)
{
	return slice_window_advance(&b->window, frame + b->stream.frame_shift, column, b->patient);
}

static int take_in(struct frame_builder *b)
{
	const struct decoder_packet *p = &b->packet;

	slice_window_cut_short(&b->window);
	for (; b->packet_at < p->column_count; b->packet_at++) {
		const struct decoder_column *column = &p->columns[b->packet_at];

		if (!advance(b, column->frame, column->place))
			return 0;
		put_column(b, column);
	}
	if (p->column_count == 0 &&
	    !advance(b, p->frame, frame_layout_find_column(&b->layout, p->place)))
		return 0;
	if (b->cutter->ops->mark_packet)
		mark_packet(b);
	b->source->stats.late_packets += b->packet_late;
	b->packet_pending = false;
	return 1;
}

/* As take_in(), and count the CPU time. */
static int take_in_measured(struct frame_builder *b)
{
	uint64_t before_ns, begin_ns, ask_ns, took_ns;
	int done;

	if (b->unmeasured_packets) {
		b->unmeasured_packets--;
		return take_in(b);
	}
	b->unmeasured_packets = CPU_PACKETS - 1;
	/* what asking itself takes is not the packet's */
	before_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	begin_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	ask_ns = begin_ns - before_ns;
	done = take_in(b);
	took_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
	took_ns -= took_ns > ask_ns ? ask_ns : took_ns;
	b->source->stats.fill_cpu_ns += took_ns * CPU_PACKETS;
	return done;
}

int frame_builder_resume(struct frame_builder *b)
{
	if (!b->packet_pending)
		return 1;
	b->stalled = !take_in_measured(b);
	return !b->stalled;
}

/* What the packet's time says of the sensor's clock. */
static void observe_clock(struct frame_builder *b)
{
	const struct decoder_packet *p = &b->packet;
	struct source *s = b->source;
	uint64_t steps = s->clock.steps;

	if (!p->column_count)
		return;
	sensor_clock_observe(&s->clock, p->columns[p->column_count - 1].time_ns);
	s->stats.clock_steps += s->clock.steps - steps;
}

/* Numbers that would lead out of arrays: a decoder passes on what a packet says. */
static bool places_possible(const struct frame_builder *b, const struct decoder_packet *p)
{
	unsigned int i;

	if (p->place >= b->layout.frame_packets || p->column_count > DECODER_PACKET_COLUMNS_MAX)
		return false;
	for (i = 0; i < p->column_count; i++) {
		/* a packet may reach into a frame beside its own */
		if (p->columns[i].place >= b->layout.frame_columns ||
		    p->columns[i].frame + 1 - p->frame > 2)
			return false;
	}
	return true;
}

/* Which stream is the packet of? Return: false if it is too late for anything. */
static bool find_stream(struct frame_builder *b)
{
	const struct decoder_packet *p = &b->packet;

	switch (packet_stream_judge(&b->stream, p)) {
	case PACKET_GOES_ON:
		break;
	case PACKET_TOO_LATE:
		return false;
	case PACKET_BEGINS_ANEW:
		frame_builder_flush(b);
		break;
	}
	if (!b->stream.begun && b->window.next_slice)
		packet_stream_follow(&b->stream, p);
	return true;
}

/* What the decoder learnt from the packet, beside its points. */
static void learn(struct frame_builder *b)
{
	const struct decoder *d = b->decoder;
	struct source *s = b->source;

	if (d->geometry.model[0] && !s->model[0]) {
		memcpy(s->model, d->geometry.model, sizeof(s->model));
		source_facts_learn(&s->facts, d);
	}
	if (d->complaint.text[0] && !b->complained) {
		s->notice = d->complaint;
		b->complained = true;
	}
	sensor_clock_set_lock(&s->clock, d->geometry.clock_lock);
	/* one after the other */
	if (!s->notice.text[0])
		sensor_clock_take_notice(&s->clock, &s->notice);
}

static int look(struct frame_builder *b, const void *datagram, size_t bytes)
{
	int result = b->decoder->ops->look(b->decoder, datagram, bytes, &b->packet);

	learn(b);
	return result;
}

/* Before a new round's first column its shift is what it will be when the same one comes. */
static uint64_t get_time_shift(const struct frame_builder *b)
{
	const struct slice_window *w = &b->window;

	return b->time_follows ? w->last_time_ns + b->gap_ns - b->first_time_ns : w->time_shift_ns;
}

static void push_aside(struct frame_builder *b, const void *datagram, size_t bytes,
		       uint64_t arrival_ns)
{
	struct source *s = b->source;

	if (s->side && !s->side_waits)
		source_side_push(s->side, s, b->decoder, datagram, bytes, arrival_ns,
				 get_time_shift(b));
	else
		s->stats.ignored_packets++;
}

static int push(struct frame_builder *b, const void *datagram, size_t bytes, uint64_t arrival_ns)
{
	struct source_stats *stats = &b->source->stats;

	assert(!b->packet_pending);
	switch (look(b, datagram, bytes)) {
	case DECODER_IGNORED:
		stats->ignored_packets++;
		return 1;
	case DECODER_BAD:
		stats->bad_packets++;
		return 1;
	case DECODER_SIDE:
		push_aside(b, datagram, bytes, arrival_ns);
		return 1;
	}
	if (!places_possible(b, &b->packet)) {
		stats->bad_packets++;
		return 1;
	}
	if (!find_stream(b) || (b->cutter->ops->open_ended && !b->packet.column_count)) {
		stats->packets++;
		stats->late_packets++;
		return 1;
	}
	if (!packet_stream_frames_possible(&b->stream, &b->packet)) {
		stats->bad_packets++;
		return 1;
	}
	if (packet_stream_came_before(&b->stream, &b->packet, b->layout.frame_packets)) {
		stats->duplicate_packets++;
		return 1;
	}
	stats->packets++;
	observe_clock(b);
	if (b->cutter->ops->begin_packet)
		b->cutter->ops->begin_packet(b->cutter, &b->packet);
	b->flushed = false;
	b->arrival_ns = arrival_ns;
	b->packet_at = 0;
	b->packet_late = false;
	b->packet_pending = true;
	return frame_builder_resume(b);
}

void frame_builder_push(struct frame_builder *b, const void *datagram, size_t bytes,
			uint64_t arrival_ns)
{
	b->patient = false;
	push(b, datagram, bytes, arrival_ns);
}

int frame_builder_push_patient(struct frame_builder *b, const void *datagram, size_t bytes,
			       uint64_t arrival_ns)
{
	b->patient = true;
	return push(b, datagram, bytes, arrival_ns);
}
