/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/packets/hesai_packet_maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v & 0xffff);
	put16(p + 2, v >> 16);
}

void hesai_packet_maker_init(struct hesai_packet_maker *m, const struct hesai_model *model,
			     unsigned int returns)
{
	static const uint8_t modes[] = { 0x37, 0x39, 0x3d };

	memset(m, 0, sizeof(*m));
	m->model = model;
	m->returns = (uint8_t)returns;
	m->return_mode = modes[returns - 1];
	m->unit_mm = 4;
	m->has_sequence = true;
	m->first_sequence = 100;
	m->begin_ns = HESAI_MAKER_BEGIN_NS;
	m->column_ns = model->firing.column_ns ? (uint32_t)model->firing.column_ns : 111110;
	m->step_cdeg = 40;
}

static size_t put_header(const struct hesai_packet_maker *m, uint8_t *p)
{
	const struct hesai_model *model = m->model;

	if (model->header == HESAI_HEADER_NONE)
		return 0;
	p[0] = 0xee;
	p[1] = 0xff;
	if (model->header == HESAI_HEADER_SHORT) {
		p[2] = model->channels;
		p[3] = model->blocks;
		p[5] = m->unit_mm;
		return 8;
	}
	p[2] = 6;
	p[3] = 1;
	p[6] = model->channels;
	p[7] = model->blocks;
	p[9] = m->unit_mm;
	p[10] = m->returns;
	p[11] = m->has_sequence;
	return 12;
}

static size_t put_block(const struct hesai_packet_maker *m, uint64_t column, unsigned int back,
			uint8_t *p)
{
	const struct hesai_model *model = m->model;
	uint8_t *at = p;
	unsigned int i;

	if (model->header == HESAI_HEADER_NONE) {
		*at++ = 0xff;
		*at++ = 0xee;
	}
	put16(at, (unsigned int)(column * m->step_cdeg % 36000));
	at += 2;
	for (i = 0; i < model->channels; i++, at += model->channel_bytes) {
		bool empty = hesai_packet_maker_is_empty(column);

		put16(at, empty ? 0 : HESAI_MAKER_RANGE + 10 * i + 3 * back);
		at[2] = (uint8_t)(i + back);
	}
	return (size_t)(at - p);
}

void hesai_packet_maker_set_time(const struct hesai_packet_maker *m, uint8_t *data, uint64_t ns)
{
	const struct hesai_model *model = m->model;
	uint8_t *tail = data + hesai_tail_offset(model), *date = tail + model->tail->date;
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	date[0] = (uint8_t)(model->from_1900 ? tm.tm_year : tm.tm_year - 100);
	date[1] = (uint8_t)(tm.tm_mon + 1);
	date[2] = (uint8_t)tm.tm_mday;
	date[3] = (uint8_t)tm.tm_hour;
	date[4] = (uint8_t)tm.tm_min;
	date[5] = (uint8_t)tm.tm_sec;
	put32(tail + model->tail->time_us, (uint32_t)(ns % 1000000000 / 1000));
}

static size_t put_tail(const struct hesai_packet_maker *m, uint64_t n, uint8_t *tail)
{
	const struct hesai_tail *t = m->model->tail;

	tail[t->return_mode] = m->return_mode;
	put16(tail + t->motor, 600);
	if (m->has_sequence)
		put32(tail + t->sequence, (uint32_t)(m->first_sequence + n));
	return t->sequence + (m->has_sequence ? 4u : 0) + t->rest_bytes;
}

size_t hesai_packet_maker_fill(const struct hesai_packet_maker *m, uint64_t n, uint8_t *data)
{
	const unsigned int columns = hesai_packet_maker_columns(m);
	unsigned int i, back;
	uint8_t *at = data;

	memset(data, 0, HESAI_PACKET_BYTES_MAX);
	at += put_header(m, at);
	for (i = 0; i < columns; i++)
		for (back = 0; back < m->returns; back++)
			at += put_block(m, n * columns + i, back, at);
	at += put_tail(m, n, at);
	hesai_packet_maker_set_time(m, data, m->begin_ns + n * columns * m->column_ns);
	return (size_t)(at - data);
}

size_t hesai_packet_maker_correction(const struct hesai_model *model, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "Laser id,Elevation,Azimuth\n");
	unsigned int i;

	for (i = 0; i < model->channels && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%u,%.2f,%.1f\n", i + 1,
					 20 - 0.25 * i, i % 4 - 1.5);
	if (used >= size)
		abort();
	return used;
}
