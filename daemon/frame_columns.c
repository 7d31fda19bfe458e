/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_columns.c - see frame_columns.h
 *
 * Packets are numbered through all frames: frame * packets of a frame + place.
 * A packet is lost if others came before and after it, whether its columns are
 * valid or not, so slices keep a map of packets beside that of columns.
 */
#include "daemon/frame_columns.h"

#include <errno.h>
#include <stdlib.h>

/** A column window with a hole lets packets run ahead of their nominal columns, by less than two. */
#define EARLY_PACKETS 4

struct frame_columns {
	struct frame_cutter base;
	uint64_t first_packet;
	uint64_t newest_packet;
	/** The one being taken in. */
	uint64_t packet_number;
	/** Packets that came before the slice they count as was begun, the latest few. */
	uint64_t early_packets[EARLY_PACKETS];
	unsigned int early_next;
};

static struct frame_cutter *frame_columns_free(struct frame_cutter *c)
{
	free(c);
	return NULL;
}

static uint64_t number_column(const struct frame_cutter *c, uint64_t frame, uint32_t column)
{
	return frame * c->layout->frame_columns + column;
}

static uint32_t count_columns(const struct frame_cutter *c, uint64_t frame)
{
	(void)frame;
	return c->layout->frame_columns;
}

static bool is_cut_off(const struct frame_cutter *c, uint64_t frame)
{
	(void)c;
	(void)frame;
	return false;
}

static uint32_t count_lost(const struct frame_cutter *c, const struct open_slice *s)
{
	const struct frame_columns *f = (const struct frame_columns *)c;
	uint32_t i, lost = 0;

	for (i = 0; i < s->place.packet_count; i++) {
		uint32_t packet = s->place.first_packet + i;
		uint64_t number = s->frame * c->layout->frame_packets + packet;

		if (number > f->first_packet && number < f->newest_packet &&
		    number != f->packet_number && !open_slice_has_packet(s, packet))
			lost++;
	}
	return lost;
}

static uint64_t count_passed(const struct frame_cutter *c, uint64_t next, uint64_t frame)
{
	return (frame - next) * c->layout->frame_packets;
}

static void begin_packet(struct frame_cutter *c, const struct decoder_packet *p)
{
	struct frame_columns *f = (struct frame_columns *)c;
	uint64_t frame = p->frame + c->stream->frame_shift;

	f->packet_number = frame * c->layout->frame_packets + p->place;
	if (!c->stream->begun) {
		f->first_packet = f->packet_number;
		f->newest_packet = f->packet_number;
	}
	if (f->packet_number > f->newest_packet)
		f->newest_packet = f->packet_number;
}

static void mark_packet(struct frame_cutter *c, const struct decoder_packet *p,
			struct open_slice *s)
{
	struct frame_columns *f = (struct frame_columns *)c;

	if (s)
		open_slice_add_packet(s, p->place);
	else
		f->early_packets[f->early_next++ % EARLY_PACKETS] = f->packet_number;
}

static void begin_slice(struct frame_cutter *c, struct open_slice *s)
{
	const struct frame_columns *f = (const struct frame_columns *)c;
	uint32_t packets = c->layout->frame_packets;
	unsigned int i;

	for (i = 0; i < EARLY_PACKETS; i++)
		if (f->early_packets[i] / packets == s->frame)
			open_slice_add_packet(s, (uint32_t)(f->early_packets[i] % packets));
}

static const struct frame_cutter_ops frame_columns_ops = {
	.free = frame_columns_free,
	.number_column = number_column,
	.count_columns = count_columns,
	.is_cut_off = is_cut_off,
	.count_lost = count_lost,
	.count_passed = count_passed,
	.begin_packet = begin_packet,
	.mark_packet = mark_packet,
	.begin_slice = begin_slice,
};

int frame_columns_new(const struct frame_layout *layout, const struct packet_stream *stream,
		      struct frame_cutter **ret_cutter)
{
	struct frame_columns *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->base = (struct frame_cutter){ .ops = &frame_columns_ops, .layout = layout,
					 .stream = stream };
	*ret_cutter = &f->base;
	return 0;
}
