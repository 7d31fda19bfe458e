/* SPDX-License-Identifier: Apache-2.0 */
/* frame_turns.c - see frame_turns.h */
#include "daemon/frame_turns.h"

#include <errno.h>
#include <stdlib.h>

struct frame_turns {
	struct frame_cutter base;
	const struct rotation *rotation;
};

static const struct rotation_turn *find_turn(const struct frame_cutter *c, uint64_t frame)
{
	const struct frame_turns *f = (const struct frame_turns *)c;

	return rotation_find_turn(f->rotation, frame - c->stream->frame_shift);
}

/* The stream ends, and the turn goes on. */
static bool is_broken_off(const struct frame_cutter *c, const struct rotation_turn *turn)
{
	return c->stream->ending && c->stream->newest_column < turn->end;
}

static struct frame_cutter *frame_turns_free(struct frame_cutter *c)
{
	free(c);
	return NULL;
}

static uint64_t number_column(const struct frame_cutter *c, uint64_t frame, uint32_t column)
{
	const struct rotation_turn *turn = find_turn(c, frame);

	return turn ? turn->begin + column : 0;
}

static uint32_t count_columns(const struct frame_cutter *c, uint64_t frame)
{
	const struct rotation_turn *turn = find_turn(c, frame);
	uint64_t end;

	if (!turn)
		return 0;
	end = is_broken_off(c, turn) ? c->stream->newest_column + 1 : turn->end;
	if (end <= turn->begin)
		return 0;
	return end - turn->begin < c->layout->frame_columns ? (uint32_t)(end - turn->begin) :
							      c->layout->frame_columns;
}

/* A turn that did not go through to the cut angle. */
static bool is_cut_off(const struct frame_cutter *c, uint64_t frame)
{
	const struct rotation_turn *turn = find_turn(c, frame);

	return turn && (turn->cut_off || is_broken_off(c, turn));
}

static uint32_t count_lost(const struct frame_cutter *c, const struct open_slice *s)
{
	const struct rotation_turn *turn = find_turn(c, s->frame);
	uint64_t number, begin, end;
	uint32_t lost = 0;

	if (!turn)
		return 0;
	begin = turn->begin + s->place.first_column;
	end = begin + s->place.column_count;
	begin = rotation_next_packet(turn, begin > turn->heard ? begin : turn->heard);
	for (number = begin; number < end && number < c->stream->newest_column;
	     number += turn->packet_columns)
		lost += !open_slice_has_column(s, (uint32_t)(number - turn->begin));
	return lost;
}

static uint64_t count_passed(const struct frame_cutter *c, uint64_t next, uint64_t frame)
{
	const struct rotation_turn *before = find_turn(c, next - 1), *after = find_turn(c, frame);

	/* where a stream began anew, nothing lies between */
	return before && after && after->heard <= after->begin ?
		       rotation_count_packets(after, before->end, after->begin) : 0;
}

static const struct frame_cutter_ops frame_turns_ops = {
	.open_ended = true,
	.free = frame_turns_free,
	.number_column = number_column,
	.count_columns = count_columns,
	.is_cut_off = is_cut_off,
	.count_lost = count_lost,
	.count_passed = count_passed,
};

int frame_turns_new(const struct rotation *rotation, const struct frame_layout *layout,
		    const struct packet_stream *stream, struct frame_cutter **ret_cutter)
{
	struct frame_turns *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->base = (struct frame_cutter){ .ops = &frame_turns_ops, .layout = layout,
					 .stream = stream };
	f->rotation = rotation;
	*ret_cutter = &f->base;
	return 0;
}
