/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_builder.c - see frame_builder.h
 *
 * Columns and slices are numbered through all frames: column number = frame *
 * columns per frame + place, slice number alike.  next_slice is the first not
 * yet begun; up to OPEN_MAX slices before it are open, oldest first, and they
 * are finished in that order.  A column beyond the open slices has those up to
 * its own begun (one that gets no column in the end is published empty); a
 * column before them is late.  Frames of which nothing came are passed over.
 *
 * Drops and filled slices are numbered in the order in which they are handed
 * out: a drop that comes after a slice that still waits to be taken is noted
 * with that slice.
 */
#include "daemon/frame_builder.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "daemon/config.h"
#include "daemon/open_slice.h"

/** Slices open at once: where a slice is as small as a packet, reordering spans several. */
#define OPEN_MAX 4
/** A slice waits for its columns until others come that lie so many packets beyond it. */
#define REORDER_PACKETS 2
/** Loans in the builder's hands, at most; config.h limits loans to as many. */
#define LOANS_MAX 256
/** A column window with a hole lets packets run ahead of their nominal columns, by less than two. */
#define EARLY_PACKETS 4
/** A jump of more frames forward is another recording or a restarted sensor, not loss. */
#define JUMP_FRAMES_MAX 1000
/** So many packets in a row, all more than this many frames back: the sensor began anew. */
#define BEHIND_PACKETS_MAX 8
#define BEHIND_FRAMES 2
/** Frame numbers beyond this are nonsense; below it, column numbers cannot overflow. */
#define FRAME_MAX (1ull << 44)

/** A loan that waits to be taken. */
struct filled {
	struct loan *loan;
	/** Slices dropped for want of a loan after this one. */
	uint64_t drops_after;
};

struct frame_builder {
	const struct sensor_config *config;
	struct decoder *decoder;
	struct source *source;
	uint32_t flags;
	bool ends;

	/* how frames are cut; fixed */
	uint32_t frame_columns;
	uint32_t column_points;
	uint32_t packet_columns;
	uint32_t frame_packets;
	uint32_t first_columns;
	uint32_t slice_columns;
	uint32_t slice_count;
	size_t loan_bytes;
	unsigned int loans_max;

	/* loans: free ones, and filled ones as a ring */
	struct loan *free[LOANS_MAX];
	unsigned int free_count;
	struct filled filled[LOANS_MAX];
	unsigned int filled_first;
	unsigned int filled_count;

	struct open_slice open[OPEN_MAX];
	unsigned int open_first;
	unsigned int open_count;

	/* the stream so far */
	bool begun;
	bool flushed;
	uint64_t next_slice;
	uint64_t newest_column;
	uint64_t first_packet;
	uint64_t newest_packet;
	uint64_t last_frame;
	uint64_t last_time_ns;
	unsigned int behind;
	/* the frame being finished */
	bool frame_begun;
	bool frame_partial;

	/* added to the decoder's numbers, so that they go on where a stream began anew */
	uint64_t frame_shift;
	uint64_t time_shift_ns;
	bool frame_follows;
	bool time_follows;
	uint64_t gap_ns;

	/* the packet being taken in */
	struct decoder_packet packet;
	bool packet_pending;
	bool packet_late;
	bool patient;
	bool stalled;
	unsigned int packet_at;
	uint64_t packet_number;
	uint64_t arrival_ns;
	/** Packets that came before the slice they count as was begun, the latest few. */
	uint64_t early_packets[EARLY_PACKETS];
	unsigned int early_next;
};

/* --- how frames are cut --- */

static int cut_frames(struct frame_builder *b, struct problem *problem)
{
	const struct sensor_config *config = b->config;
	uint64_t column_bytes = (uint64_t)b->column_points * sizeof(struct lidard_point_xyzirt);
	uint64_t slice = config->slice_bytes / column_bytes;
	uint64_t first = config->first_slice_bytes ? config->first_slice_bytes / column_bytes : slice;

	if (!slice || !first)
		return problem_set(problem, -EINVAL,
				   "sensor %s: %s = %llu cannot hold one column of %u points; it takes "
				   "at least %llu", config->name,
				   slice ? "first_slice_bytes" : "slice_bytes",
				   (unsigned long long)(slice ? config->first_slice_bytes :
								config->slice_bytes),
				   b->column_points, (unsigned long long)column_bytes);
	if (first > slice)
		first = slice;
	if (slice > b->frame_columns)
		slice = b->frame_columns;
	if (first > b->frame_columns)
		first = b->frame_columns;
	b->first_columns = (uint32_t)first;
	b->slice_columns = (uint32_t)slice;
	b->slice_count = 1 + (uint32_t)((b->frame_columns - first + slice - 1) / slice);
	if (b->slice_count > LIDARD_FRAME_SLICES_MAX)
		return problem_set(problem, -EINVAL,
				   "sensor %s: a frame of %u columns of %u points would have %u slices, "
				   "at most %u are possible; slice_bytes = %llu is enough", config->name,
				   b->frame_columns, b->column_points, b->slice_count,
				   LIDARD_FRAME_SLICES_MAX,
				   (unsigned long long)((b->frame_columns - first +
							 LIDARD_FRAME_SLICES_MAX - 2) /
							(LIDARD_FRAME_SLICES_MAX - 1) * column_bytes));
	b->loan_bytes = (size_t)(slice * column_bytes);
	return 0;
}

static uint32_t slice_of_column(const struct frame_builder *b, uint32_t column)
{
	if (column < b->first_columns)
		return 0;
	return 1 + (column - b->first_columns) / b->slice_columns;
}

/* Packets before the one whose nominal first column is @column or later. */
static uint32_t packets_before(const struct frame_builder *b, uint32_t column)
{
	uint32_t packet = (column + b->packet_columns - 1) / b->packet_columns;

	if (column >= b->frame_columns || packet > b->frame_packets)
		return b->frame_packets;
	return packet;
}

static struct slice_place place_of_slice(const struct frame_builder *b, uint32_t index)
{
	struct slice_place p = { .index = index, .column_count = b->first_columns };

	if (index) {
		p.first_column = b->first_columns + (index - 1) * b->slice_columns;
		p.column_count = b->slice_columns;
	}
	if (p.column_count > b->frame_columns - p.first_column)
		p.column_count = b->frame_columns - p.first_column;
	p.first_packet = packets_before(b, p.first_column);
	p.packet_count = packets_before(b, p.first_column + p.column_count) - p.first_packet;
	return p;
}

/* Nominal first column of a packet; a column window may begin within the packet. */
static uint32_t column_of_packet(const struct frame_builder *b, uint32_t packet)
{
	uint64_t column = (uint64_t)packet * b->packet_columns;

	return column < b->frame_columns ? (uint32_t)column : b->frame_columns - 1;
}

static int check_geometry(const struct sensor_config *config, const struct decoder_geometry *g,
			  struct problem *problem)
{
	if (g->frame_columns && g->frame_columns <= DECODER_COLUMNS_MAX && g->column_points &&
	    g->column_points <= DECODER_COLUMN_POINTS_MAX && g->packet_columns &&
	    g->packet_columns <= DECODER_PACKET_COLUMNS_MAX && g->frame_packets &&
	    g->frame_packets <= DECODER_COLUMNS_MAX)
		return 0;
	return problem_set(problem, -EINVAL,
			   "sensor %s: impossible sensor: %u columns of %u points, %u packets of %u "
			   "columns", config->name, g->frame_columns, g->column_points,
			   g->frame_packets, g->packet_columns);
}

int frame_builder_new(const struct sensor_config *config, struct decoder *decoder,
		      struct source *source, uint32_t flags, struct frame_builder **ret_builder,
		      struct problem *problem)
{
	const struct decoder_geometry *g = &decoder->geometry;
	struct frame_builder *b;
	unsigned int i;
	int err;

	err = check_geometry(config, g, problem);
	if (err < 0)
		return err;
	b = calloc(1, sizeof(*b));
	if (!b)
		return problem_set(problem, -ENOMEM, "sensor %s: out of memory", config->name);
	b->config = config;
	b->decoder = decoder;
	b->source = source;
	b->flags = flags;
	b->loans_max = config->loans < LOANS_MAX ? config->loans : LOANS_MAX;
	b->frame_columns = g->frame_columns;
	b->column_points = g->column_points;
	b->packet_columns = g->packet_columns;
	b->frame_packets = g->frame_packets;
	err = cut_frames(b, problem);
	for (i = 0; i < OPEN_MAX && err == 0; i++)
		if (open_slice_init(&b->open[i], b->slice_columns, b->frame_packets) < 0)
			err = problem_set(problem, -ENOMEM, "sensor %s: out of memory", config->name);
	if (err < 0) {
		frame_builder_free(b);
		return err;
	}
	*ret_builder = b;
	return 0;
}

struct frame_builder *frame_builder_free(struct frame_builder *b)
{
	unsigned int i;

	if (!b)
		return NULL;
	for (i = 0; i < OPEN_MAX; i++)
		open_slice_deinit(&b->open[i]);
	free(b);
	return NULL;
}

void frame_builder_end_with_flush(struct frame_builder *b)
{
	b->ends = true;
}

/* --- loans --- */

static struct open_slice *open_at(const struct frame_builder *b, unsigned int i)
{
	return (struct open_slice *)&b->open[(b->open_first + i) % OPEN_MAX];
}

static unsigned int open_loans(const struct frame_builder *b)
{
	unsigned int i, count = 0;

	for (i = 0; i < b->open_count; i++)
		count += open_at(b, i)->loan != NULL;
	return count;
}

size_t frame_builder_wants(const struct frame_builder *b)
{
	unsigned int held = b->free_count + b->filled_count + open_loans(b);

	return held < b->loans_max ? b->loan_bytes : 0;
}

void frame_builder_lend(struct frame_builder *b, struct loan *loan)
{
	assert(frame_builder_wants(b) && loan->capacity_bytes >= b->loan_bytes);
	b->free[b->free_count++] = loan;
}

static struct filled *filled_at(struct frame_builder *b, unsigned int i)
{
	return &b->filled[(b->filled_first + i) % LOANS_MAX];
}

static void fill(struct frame_builder *b, struct loan *loan)
{
	struct filled *f = filled_at(b, b->filled_count++);

	f->loan = loan;
	f->drops_after = 0;
}

static void drop(struct frame_builder *b)
{
	if (b->filled_count)
		filled_at(b, b->filled_count - 1)->drops_after++;
	else
		source_drop(b->source, SOURCE_DROP_NO_LOAN, 1);
}

int frame_builder_take(struct frame_builder *b, struct loan **ret_loan)
{
	struct filled *f = filled_at(b, 0);

	if (!b->filled_count)
		return 0;
	if (b->ends && b->filled_count == 1 && !b->flushed && !b->stalled && !open_loans(b))
		return 0;
	source_number(b->source, f->loan->header);
	if (f->drops_after)
		source_drop(b->source, SOURCE_DROP_NO_LOAN, f->drops_after);
	*ret_loan = f->loan;
	b->filled_first = (b->filled_first + 1) % LOANS_MAX;
	b->filled_count--;
	return 1;
}

/* --- finishing --- */

/* Packets of this slice that others came before and after of, but not they. */
static uint32_t count_lost(const struct frame_builder *b, const struct open_slice *s)
{
	uint32_t i, lost = 0;

	for (i = 0; i < s->place.packet_count; i++) {
		uint32_t packet = s->place.first_packet + i;
		uint64_t number = s->frame * b->frame_packets + packet;

		if (number > b->first_packet && number < b->newest_packet &&
		    number != b->packet_number && !open_slice_has_packet(s, packet))
			lost++;
	}
	return lost;
}

static void end_frame(struct frame_builder *b)
{
	b->source->stats.frames++;
	b->source->stats.partial_frames += b->frame_partial;
	b->frame_begun = false;
}

static void describe(struct frame_builder *b, struct open_slice *s, uint32_t lost, bool last)
{
	struct lidard_slice_header *h = s->loan->header;

	h->flags = b->flags;
	open_slice_describe(s);
	h->slice_count = b->slice_count;
	h->lost_packets = lost;
	h->sensor_clock = b->decoder->geometry.sensor_clock;
	h->clock_lock = b->decoder->geometry.clock_lock;
	if (h->sensor_clock == LIDARD_CLOCK_NONE) {
		h->flags &= ~(uint32_t)LIDARD_SLICE_SENSOR_TIME_VALID;
		h->sensor_time_ns = 0;
		h->sensor_end_time_ns = 0;
	}
	if (last)
		h->flags |= LIDARD_SLICE_LAST | (b->frame_partial ? LIDARD_FRAME_PARTIAL : 0);
	if (b->config->crc) {
		h->crc32c = crc32c(0, s->loan->data, h->payload_bytes);
		h->flags |= LIDARD_SLICE_CRC_VALID;
	}
	h->filled_ns = clock_now_ns();
}

/* The oldest open slice gets no more columns. */
static void finish(struct frame_builder *b)
{
	struct open_slice *s = open_at(b, 0);
	struct source_stats *stats = &b->source->stats;
	bool last = s->place.index == b->slice_count - 1;
	uint32_t lost = count_lost(b, s);
	uint32_t missing = open_slice_get_missing(s);

	if (!b->frame_begun)
		b->frame_partial = s->place.index != 0;
	b->frame_begun = true;
	b->frame_partial |= missing != 0;
	stats->lost_packets += lost;
	stats->missing_columns += missing;
	if (s->columns_received)
		b->last_time_ns = s->base_ns + (uint64_t)s->latest_ns;
	if (s->loan) {
		describe(b, s, lost, last);
		fill(b, s->loan);
		s->loan = NULL;
	} else {
		drop(b);
	}
	if (last)
		end_frame(b);
	b->open_first = (b->open_first + 1) % OPEN_MAX;
	b->open_count--;
}

/* Finish what is whole, and what has waited long enough. */
static void finish_due(struct frame_builder *b)
{
	while (b->open_count) {
		const struct open_slice *s = open_at(b, 0);
		uint64_t end = s->frame * b->frame_columns + s->place.first_column +
			       s->place.column_count;

		if (open_slice_get_missing(s) &&
		    b->newest_column < end + (uint64_t)REORDER_PACKETS * b->packet_columns)
			return;
		finish(b);
	}
}

void frame_builder_flush(struct frame_builder *b)
{
	bool cut_off;

	while (b->open_count)
		finish(b);
	/* the frame's other slices were never begun */
	cut_off = b->frame_begun;
	if (cut_off) {
		b->frame_partial = true;
		end_frame(b);
	}
	b->begun = false;
	b->flushed = true;
	b->packet_pending = false;
	b->stalled = false;
	if (b->ends && b->filled_count)
		filled_at(b, b->filled_count - 1)->loan->header->flags |=
			LIDARD_SLICE_END_OF_STREAM | (cut_off ? LIDARD_FRAME_PARTIAL : 0);
}

void frame_builder_restart(struct frame_builder *b, uint64_t gap_ns)
{
	frame_builder_flush(b);
	b->decoder->ops->restart(b->decoder);
	b->behind = 0;
	/* before the first packet (next_slice is 0) there is nothing to follow */
	b->frame_follows = b->next_slice != 0;
	b->time_follows = b->next_slice != 0;
	b->gap_ns = gap_ns;
}

void frame_builder_reset(struct frame_builder *b)
{
	unsigned int i;

	for (i = 0; i < b->filled_count; i++) {
		source_drop(b->source, SOURCE_DROP_STOPPED, 1);
		source_drop(b->source, SOURCE_DROP_NO_LOAN, filled_at(b, i)->drops_after);
	}
	source_drop(b->source, SOURCE_DROP_STOPPED, b->open_count);
	for (i = 0; i < OPEN_MAX; i++)
		b->open[i].loan = NULL;
	b->free_count = 0;
	b->filled_count = 0;
	b->open_count = 0;
	b->begun = false;
	b->frame_begun = false;
	b->packet_pending = false;
	b->stalled = false;
	b->behind = 0;
	b->next_slice = 0;
	b->frame_shift = 0;
	b->time_shift_ns = 0;
	b->frame_follows = false;
	b->time_follows = false;
}

/* --- taking in --- */

static void begin_slice(struct frame_builder *b)
{
	struct slice_place place = place_of_slice(b, (uint32_t)(b->next_slice % b->slice_count));
	struct loan *loan = b->free_count ? b->free[--b->free_count] : NULL;
	struct open_slice *s = open_at(b, b->open_count++);
	unsigned int i;

	b->last_frame = b->next_slice / b->slice_count;
	open_slice_begin(s, b->last_frame, &place, loan);
	for (i = 0; i < EARLY_PACKETS; i++)
		if (b->early_packets[i] / b->frame_packets == b->last_frame)
			open_slice_add_packet(s, (uint32_t)(b->early_packets[i] % b->frame_packets));
	b->next_slice++;
}

/* Nothing came of the frames before @frame that were not even begun. */
static void pass_over_frames(struct frame_builder *b, uint64_t frame)
{
	uint64_t next = b->next_slice / b->slice_count;

	if (b->next_slice % b->slice_count != 0 || frame <= next)
		return;
	b->source->stats.lost_packets += (frame - next) * b->frame_packets;
	b->next_slice = frame * b->slice_count;
}

/* Begin slices up to the one of this column. Return: false if that needs a loan to wait for. */
static bool advance(struct frame_builder *b, uint64_t frame, uint32_t column)
{
	uint64_t target = frame * b->slice_count + slice_of_column(b, column);
	uint64_t number = frame * b->frame_columns + column;

	if (!b->begun) {
		b->begun = true;
		b->next_slice = target;
		b->newest_column = number;
	}
	if (number > b->newest_column)
		b->newest_column = number;
	for (;;) {
		finish_due(b);
		pass_over_frames(b, frame);
		if (b->next_slice > target)
			return true;
		if (b->patient && !b->free_count && open_loans(b) < b->loans_max)
			return false;
		/* nor can it wait where all loans are in slices that wait for columns */
		if (b->open_count == OPEN_MAX || (b->patient && !b->free_count)) {
			finish(b);
			continue;
		}
		begin_slice(b);
	}
}

static struct open_slice *find_slice(struct frame_builder *b, uint64_t frame, uint32_t column)
{
	uint32_t index = slice_of_column(b, column);
	unsigned int i;

	for (i = 0; i < b->open_count; i++) {
		struct open_slice *s = open_at(b, i);

		if (s->frame == frame && s->place.index == index)
			return s;
	}
	return NULL;
}

static void put_column(struct frame_builder *b, const struct decoder_column *column)
{
	struct open_slice *s = find_slice(b, column->frame + b->frame_shift, column->place);
	struct lidard_point_xyzirt *points;
	uint32_t count = 0;

	if (!s) {
		b->packet_late = true;
		return;
	}
	if (!open_slice_add_column(s, column->place, b->arrival_ns))
		return;
	if (b->time_follows) {
		b->time_shift_ns = b->last_time_ns + b->gap_ns - column->time_ns;
		b->time_follows = false;
	}
	points = open_slice_next_point(s);
	if (points)
		count = b->decoder->ops->points(b->decoder, &b->packet, b->packet_at, points);
	assert(count <= b->column_points);
	open_slice_add_points(s, count, column->time_ns + b->time_shift_ns);
	if (!open_slice_get_missing(s))
		finish_due(b);
}

/* The packet itself has come, whether its columns are valid or not. */
static void mark_packet(struct frame_builder *b)
{
	uint64_t frame = b->packet.frame + b->frame_shift;
	uint32_t column = column_of_packet(b, b->packet.place);
	struct open_slice *s = find_slice(b, frame, column);

	if (s)
		open_slice_add_packet(s, b->packet.place);
	else if (frame * b->slice_count + slice_of_column(b, column) >= b->next_slice)
		b->early_packets[b->early_next++ % EARLY_PACKETS] = b->packet_number;
	b->source->stats.late_packets += b->packet_late;
}

static int take_in(struct frame_builder *b)
{
	const struct decoder_packet *p = &b->packet;

	for (; b->packet_at < p->column_count; b->packet_at++) {
		const struct decoder_column *column = &p->columns[b->packet_at];

		if (!advance(b, column->frame + b->frame_shift, column->place))
			return 0;
		put_column(b, column);
	}
	if (p->column_count == 0 &&
	    !advance(b, p->frame + b->frame_shift, column_of_packet(b, p->place)))
		return 0;
	mark_packet(b);
	b->packet_pending = false;
	return 1;
}

int frame_builder_resume(struct frame_builder *b)
{
	uint64_t start_ns;

	if (!b->packet_pending)
		return 1;
	start_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	b->stalled = !take_in(b);
	b->source->stats.fill_cpu_ns += clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
	return !b->stalled;
}

/* Numbers that would lead out of arrays: a decoder passes on what a packet says. */
static bool places_possible(const struct frame_builder *b, const struct decoder_packet *p)
{
	unsigned int i;

	if (p->place >= b->frame_packets || p->column_count > DECODER_PACKET_COLUMNS_MAX)
		return false;
	for (i = 0; i < p->column_count; i++) {
		/* a packet may reach into a frame beside its own */
		if (p->columns[i].place >= b->frame_columns ||
		    p->columns[i].frame + 1 - p->frame > 2)
			return false;
	}
	return true;
}

/* Numbers that would wrap. */
static bool frames_possible(const struct frame_builder *b, const struct decoder_packet *p)
{
	unsigned int i;

	for (i = 0; i < p->column_count; i++)
		if (p->columns[i].frame + b->frame_shift >= FRAME_MAX)
			return false;
	return p->frame + b->frame_shift < FRAME_MAX;
}

/*
 * Where does the packet stand to those before? Far ahead or again and again far
 * behind, it begins another stream; what lies between was not lost.
 * Return: false if it is too late for anything.
 */
static bool find_stream(struct frame_builder *b)
{
	const struct decoder_packet *p = &b->packet;
	/* the first frame this packet speaks of */
	uint64_t first = p->column_count ? p->columns[0].frame : p->frame;
	int64_t ahead = (int64_t)(first + b->frame_shift - b->last_frame);

	if (b->begun && ahead < -BEHIND_FRAMES) {
		if (++b->behind < BEHIND_PACKETS_MAX)
			return false;
		frame_builder_flush(b);
	} else if (b->begun && ahead > JUMP_FRAMES_MAX) {
		frame_builder_flush(b);
	}
	b->behind = 0;
	if (b->begun || !b->next_slice)
		return true;
	/* frame numbers never go back, nor so far forward that they could wrap */
	if (b->frame_follows || ahead <= 0 || first + b->frame_shift >= FRAME_MAX)
		b->frame_shift += b->last_frame + 1 - (first + b->frame_shift);
	b->frame_follows = false;
	return true;
}

static void number_packet(struct frame_builder *b)
{
	uint64_t frame = b->packet.frame + b->frame_shift;

	b->packet_number = frame * b->frame_packets + b->packet.place;
	if (!b->begun) {
		b->first_packet = b->packet_number;
		b->newest_packet = b->packet_number;
	}
	if (b->packet_number > b->newest_packet)
		b->newest_packet = b->packet_number;
}

static int push(struct frame_builder *b, const void *datagram, size_t bytes, uint64_t arrival_ns)
{
	struct source_stats *stats = &b->source->stats;

	assert(!b->packet_pending);
	switch (b->decoder->ops->look(b->decoder, datagram, bytes, &b->packet)) {
	case DECODER_IGNORED:
		stats->ignored_packets++;
		return 1;
	case DECODER_BAD:
		stats->bad_packets++;
		return 1;
	}
	if (!places_possible(b, &b->packet)) {
		stats->bad_packets++;
		return 1;
	}
	if (!find_stream(b)) {
		stats->packets++;
		stats->late_packets++;
		return 1;
	}
	if (!frames_possible(b, &b->packet)) {
		stats->bad_packets++;
		return 1;
	}
	stats->packets++;
	number_packet(b);
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
