/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of packets, loans and calls, to the frame builder.
 *
 * Input: bytes that choose geometry and slices, then one operation after the
 * other (enum operation).  The decoder is made up here and hands the packet
 * on as it stands in the input, possible or not, so the builder has nobody to
 * rely on.  Loans are exactly as large as was asked for: the sanitizer sees
 * a point too many.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/frame_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOANS 8

enum operation {
	PUSH,
	PUSH_PATIENT,
	LEND,
	TAKE,
	FLUSH,
	RESTART,
	/* a packet that lies next to the last one: what sensors mostly send */
	PUSH_NEXT,
	PUSH_NEXT_TOO,
	OPERATIONS,
};

struct input {
	const uint8_t *at;
	size_t left;
};

struct bench {
	struct frame_builder *builder;
	struct decoder decoder;
	struct sensor_config config;
	struct source source;
	struct loan loans[LOANS];
	struct lidard_slice_header headers[LOANS];
	bool lent[LOANS];
	/** Of the packet that is on its way. */
	struct decoder_packet packet;
	bool stalled;
	uint64_t frame;
	uint32_t place;
	uint64_t taken;
	uint64_t next_seq;
};

static volatile uint32_t sink;

static void check(bool promise)
{
	if (!promise)
		abort();
}

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

/* Mostly small, sometimes at an edge. */
static uint64_t number(struct input *in)
{
	uint8_t b = byte(in);

	switch (b >> 5) {
	case 7:
		return UINT64_MAX - (b & 31);
	case 6:
		return (1ull << (44 + (b & 15))) - 1;
	case 5:
		return (uint64_t)(b & 31) << 8 | byte(in);
	}
	return b;
}

static int fake_look(struct decoder *d, const void *datagram, size_t bytes, struct decoder_packet *ret)
{
	*ret = *(const struct decoder_packet *)datagram;
	return DECODER_POINTS;
}

static uint32_t fake_points(const struct decoder *d, const struct decoder_packet *p,
			    unsigned int index, struct lidard_point_xyzirt *points)
{
	uint32_t count = p->columns[index].number % (d->geometry.column_points + 1);
	uint32_t i;

	memset(points, 0, count * sizeof(*points));
	for (i = 0; i < count; i++)
		points[i].time_offset_ns = p->columns[index].number * i;
	return count;
}

static void fake_restart(struct decoder *d)
{
}

static const struct decoder_ops fake_ops = {
	.name = "fake", .look = fake_look, .points = fake_points, .restart = fake_restart,
};

/* --- operations --- */

static void make_packet(struct bench *t, struct input *in)
{
	struct decoder_packet *p = &t->packet;
	unsigned int i;

	p->frame = number(in);
	p->place = (uint32_t)number(in);
	p->column_count = byte(in) % 20;
	for (i = 0; i < p->column_count; i++) {
		p->columns[i].frame = p->frame + (byte(in) & 1 ? number(in) : 0);
		p->columns[i].place = (uint32_t)number(in);
		p->columns[i].number = byte(in);
		p->columns[i].time_ns = number(in) << (byte(in) % 40);
	}
	t->frame = p->frame;
	t->place = p->place;
}

static void make_next_packet(struct bench *t, struct input *in)
{
	const struct decoder_geometry *g = &t->decoder.geometry;
	struct decoder_packet *p = &t->packet;
	uint8_t skip = byte(in);
	unsigned int i;

	t->place = t->place % g->frame_packets + 1 + (skip > 200 ? skip - 200 : 0);
	t->frame += t->place / g->frame_packets;
	t->place %= g->frame_packets;
	p->frame = t->frame;
	p->place = t->place;
	p->column_count = 0;
	for (i = 0; i < g->packet_columns; i++) {
		struct decoder_column *c = &p->columns[p->column_count];

		c->frame = p->frame;
		c->place = p->place * g->packet_columns + i;
		c->number = c->place;
		c->time_ns = 1000 * (p->frame * g->frame_columns + c->place);
		p->column_count += c->place < g->frame_columns;
	}
}

static void push(struct bench *t, struct input *in, bool patient, bool next)
{
	if (t->stalled) {
		t->stalled = !frame_builder_resume(t->builder);
		return;
	}
	if (next)
		make_next_packet(t, in);
	else
		make_packet(t, in);
	if (patient)
		t->stalled = !frame_builder_push_patient(t->builder, &t->packet, sizeof(t->packet), 1);
	else
		frame_builder_push(t->builder, &t->packet, sizeof(t->packet), 1);
}

static void lend(struct bench *t)
{
	size_t wants = frame_builder_wants(t->builder);
	int i;

	for (i = 0; i < LOANS && wants; i++) {
		if (t->lent[i])
			continue;
		t->lent[i] = true;
		memset(&t->headers[i], 0, sizeof(t->headers[i]));
		t->loans[i].header = &t->headers[i];
		t->loans[i].data = malloc(wants);
		t->loans[i].capacity_bytes = wants;
		check(t->loans[i].data);
		frame_builder_lend(t->builder, &t->loans[i]);
		return;
	}
}

static void check_slice(struct bench *t, const struct loan *loan)
{
	const struct lidard_slice_header *h = loan->header;
	const struct lidard_point_xyzirt *p = loan->data;
	uint32_t i;

	check(h->seq == t->next_seq + h->lost_before);
	t->next_seq = h->seq + 1;
	check(h->payload_bytes == (uint64_t)h->point_count * h->point_step);
	check(h->payload_bytes <= loan->capacity_bytes);
	check(h->slice_index < h->slice_count && h->slice_count <= LIDARD_FRAME_SLICES_MAX);
	check(h->missing_columns <= h->column_count);
	check(h->first_column + h->column_count <= t->decoder.geometry.frame_columns);
	check(!(h->flags & LIDARD_SLICE_LAST) == (h->slice_index + 1 < h->slice_count));
	for (i = 0; i < h->point_count; i++)
		sink += p[i].time_offset_ns;
}

static void take(struct bench *t)
{
	struct loan *loan;
	long i;

	if (!frame_builder_take(t->builder, &loan))
		return;
	t->taken++;
	check_slice(t, loan);
	i = loan - t->loans;
	check(i >= 0 && i < LOANS && t->lent[i]);
	t->lent[i] = false;
	free(loan->data);
}

static void operate(struct bench *t, struct input *in)
{
	switch (byte(in) % OPERATIONS) {
	case PUSH:
		push(t, in, false, false);
		break;
	case PUSH_PATIENT:
		push(t, in, true, false);
		break;
	case PUSH_NEXT:
		push(t, in, false, true);
		break;
	case PUSH_NEXT_TOO:
		push(t, in, true, true);
		break;
	case LEND:
		lend(t);
		break;
	case TAKE:
		take(t);
		break;
	case FLUSH:
		frame_builder_flush(t->builder);
		t->stalled = false;
		break;
	case RESTART:
		frame_builder_restart(t->builder, number(in));
		t->stalled = false;
		break;
	}
}

static void check_books(const struct bench *t)
{
	const struct source_stats *s = &t->source.stats;

	check(s->produced == t->taken + s->dropped[SOURCE_DROP_NO_LOAN] +
	      s->dropped[SOURCE_DROP_STOPPED]);
	check(s->produced == t->source.next_seq);
	check(s->partial_frames <= s->frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	static struct bench t;
	int i;

	memset(&t, 0, sizeof(t));
	t.decoder.ops = &fake_ops;
	t.decoder.geometry.frame_columns = 1 + byte(&in);
	t.decoder.geometry.column_points = 1 + byte(&in) % 8;
	t.decoder.geometry.packet_columns = 1 + byte(&in) % 20;
	t.decoder.geometry.frame_packets = 1 + byte(&in) % 64;
	t.decoder.geometry.sensor_clock = byte(&in) % 6;
	t.config.slice_bytes = (1 + byte(&in)) * 64u;
	t.config.first_slice_bytes = byte(&in) * 16u;
	t.config.loans = 2 + byte(&in) % (LOANS - 1);
	t.config.crc = byte(&in) & 1;
	if (frame_builder_new(&t.config, &t.decoder, &t.source, 0, &t.builder, NULL) < 0)
		return 0;
	if (byte(&in) & 1)
		frame_builder_end_with_flush(t.builder);
	while (in.left) {
		operate(&t, &in);
		check_books(&t);
	}
	frame_builder_reset(t.builder);
	check_books(&t);
	frame_builder_free(t.builder);
	for (i = 0; i < LOANS; i++)
		if (t.lent[i])
			free(t.loans[i].data);
	return 0;
}
