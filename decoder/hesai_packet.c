/* SPDX-License-Identifier: Apache-2.0 */
/* hesai_packet.c - see hesai_packet.h */
#include "decoder/hesai_packet.h"

#include "decoder/model_name.h"
#include "decoder/time_scale.h"

#define UNIT_DEFAULT_MM 4

#define FLAG_SEQUENCE 0x01

#define NS_PER_S 1000000000ull
#define US_PER_S 1000000u
#define S_PER_DAY 86400

static const struct hesai_tail tail_40p = {
	.motor = 8, .time_us = 10, .return_mode = 14, .date = 16, .sequence = 22,
};

static const struct hesai_tail tail_qt64 = {
	.motor = 10, .time_us = 12, .return_mode = 16, .date = 18, .sequence = 24,
};

static const struct hesai_tail tail_xt = {
	.return_mode = 10, .motor = 11, .date = 13, .time_us = 19, .sequence = 24,
};

/* a checksum and functional safety come before, a checksum and a signature after */
static const struct hesai_tail tail_qt128 = {
	.return_mode = 33, .motor = 34, .date = 36, .time_us = 42, .sequence = 47, .rest_bytes = 36,
};

/*
 * Beams of the models without first_ns and beam_ns fire in an order that only their manuals
 * tell; all points of a column carry the column's time.  For QT128 not even the columns' times
 * are known: the first counts as fired at the packet's.
 */
const struct hesai_model hesai_models[] = {
	{ "Pandar40P", HESAI_HEADER_NONE, 10, 40, 3, false, &tail_40p,
	  { .base_ns = -28580, .column_ns = 55560 } },
	{ "Pandar64", HESAI_HEADER_SHORT, 6, 64, 3, false, &tail_40p,
	  { .base_ns = -42580, .column_ns = 55560 } },
	{ "PandarQT64", HESAI_HEADER_LONG, 4, 64, 4, true, &tail_qt64,
	  { .base_ns = 25710, .column_ns = 166670, .from_first = true } },
	{ "PandarXT16", HESAI_HEADER_LONG, 8, 16, 4, true, &tail_xt,
	  { .base_ns = 5632, .column_ns = 50000, .first_ns = 368, .beam_ns = 3024 } },
	{ "PandarXT32", HESAI_HEADER_LONG, 8, 32, 4, true, &tail_xt,
	  { .base_ns = 5632, .column_ns = 50000, .first_ns = 368, .beam_ns = 1512 } },
	{ "PandarXT32M", HESAI_HEADER_LONG, 6, 32, 4, true, &tail_xt,
	  { .base_ns = 5632, .column_ns = 50000, .first_ns = 368, .beam_ns = 2888,
	    .beams_modulo = 16 } },
	{ "PandarQT128", HESAI_HEADER_LONG, 2, 128, 4, true, &tail_qt128,
	  { .column_ns = 111110, .from_first = true } },
};

const unsigned int hesai_model_count = sizeof(hesai_models) / sizeof(hesai_models[0]);

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/* --- which model --- */

const struct hesai_model *hesai_model_find(const char *name)
{
	static const char maker[] = "Pandar";
	const size_t length = sizeof(maker) - 1;
	unsigned int i;

	for (i = 0; i < hesai_model_count; i++)
		if (model_name_equal(hesai_models[i].name, name) ||
		    model_name_equal(hesai_models[i].name + length, name))
			return &hesai_models[i];
	return NULL;
}

static bool header_matches(const struct hesai_model *m, const uint8_t *p)
{
	switch (m->header) {
	case HESAI_HEADER_LONG:
		return p[0] == 0xee && p[1] == 0xff && p[6] == m->channels && p[7] == m->blocks;
	case HESAI_HEADER_SHORT:
		return p[0] == 0xee && p[1] == 0xff && p[2] == m->channels && p[3] == m->blocks;
	default:
		return p[0] == 0xff && p[1] == 0xee;
	}
}

bool hesai_model_matches(const struct hesai_model *m, const void *datagram, size_t bytes)
{
	const uint32_t whole = hesai_packet_bytes(m);

	return (bytes == whole || bytes == whole - 4) && header_matches(m, datagram);
}

const struct hesai_model *hesai_model_recognise(const void *datagram, size_t bytes)
{
	unsigned int i;

	for (i = 0; i < hesai_model_count; i++)
		if (hesai_model_matches(&hesai_models[i], datagram, bytes))
			return &hesai_models[i];
	return NULL;
}

/* --- time --- */

static unsigned int year_of(const struct hesai_model *m, uint8_t written)
{
	/* 1900 with a number below 70 would be before any of the clock's times */
	if (written >= 100 || (m->from_1900 && written >= 70))
		return 1900u + written;
	return 2000u + written;
}

/* A clock that was never set has month and day 0: it counts from the first. */
static bool read_time(const struct hesai_model *m, const uint8_t *date, uint32_t time_us,
		      uint64_t *ret_ns)
{
	const unsigned int month = date[1] ? date[1] : 1, day = date[2] ? date[2] : 1;
	uint64_t seconds;

	if (month > 12 || day > 31 || date[3] > 23 || date[4] > 59 || date[5] > 60 ||
	    time_us >= US_PER_S)
		return false;
	seconds = (uint64_t)time_days_of_date(year_of(m, date[0]), month, day) * S_PER_DAY +
		  date[3] * 3600u + date[4] * 60u + date[5];
	*ret_ns = seconds * NS_PER_S + time_us * 1000ull;
	return true;
}

/* --- what a packet says --- */

static uint8_t returns_of_mode(uint8_t mode)
{
	switch (mode) {
	case 0x33: /* first */
	case 0x34: /* second */
	case 0x37: /* strongest */
	case 0x38: /* last */
		return 1;
	case 0x39: /* last and strongest */
	case 0x3a: /* first and second */
	case 0x3b: /* first and last */
	case 0x3c: /* first and strongest */
	case 0x3e: /* strongest and second strongest */
		return 2;
	case 0x3d:
		return 3;
	}
	return 0;
}

/* Blocks of one firing share its azimuth; the next firing's is another. */
static uint8_t returns_of_azimuths(const struct hesai_model *m, const uint8_t *data)
{
	const uint16_t first = hesai_block_azimuth(m, data, 0);
	unsigned int n = 1;

	while (n < m->blocks && hesai_block_azimuth(m, data, n) == first)
		n++;
	return n <= HESAI_RETURNS_MAX ? (uint8_t)n : 1;
}

uint8_t hesai_packet_get_returns(const struct hesai_model *m, const uint8_t *data)
{
	uint8_t n = returns_of_mode(data[hesai_tail_offset(m) + m->tail->return_mode]);

	return n ? n : returns_of_azimuths(m, data);
}

static bool azimuths_possible(const struct hesai_model *m, const uint8_t *data)
{
	unsigned int i;

	for (i = 0; i < m->blocks; i++)
		if (hesai_block_azimuth(m, data, i) > HESAI_TURN_CDEG)
			return false;
	return true;
}

/* Without a packet header each block has a mark of its own. */
static bool marks_there(const struct hesai_model *m, const uint8_t *data)
{
	unsigned int i;

	for (i = 0; i < m->blocks && m->header == HESAI_HEADER_NONE; i++) {
		const uint8_t *block = data + hesai_block_offset(m, i);

		if (block[0] != 0xff || block[1] != 0xee)
			return false;
	}
	return true;
}

uint8_t hesai_packet_get_unit_mm(const struct hesai_model *m, const uint8_t *data)
{
	switch (m->header) {
	case HESAI_HEADER_LONG:
		return data[9];
	case HESAI_HEADER_SHORT:
		return data[5];
	default:
		return UNIT_DEFAULT_MM;
	}
}

static void read_sequence(const struct hesai_model *m, const uint8_t *data, size_t bytes,
			  struct hesai_packet *p)
{
	p->has_sequence = bytes == hesai_packet_bytes(m) &&
			  (m->header != HESAI_HEADER_LONG || data[11] & FLAG_SEQUENCE);
	p->sequence = 0;
	if (p->has_sequence)
		p->sequence = get32(data + hesai_tail_offset(m) + m->tail->sequence);
}

bool hesai_packet_read(const struct hesai_model *m, const void *datagram, size_t bytes,
		       struct hesai_packet *p)
{
	const uint8_t *data = datagram, *tail = data + hesai_tail_offset(m);

	p->return_mode = tail[m->tail->return_mode];
	p->returns = hesai_packet_get_returns(m, data);
	p->unit_mm = hesai_packet_get_unit_mm(m, data);
	p->motor_rpm = get16(tail + m->tail->motor);
	read_sequence(m, data, bytes, p);
	return p->unit_mm && m->blocks % p->returns == 0 && marks_there(m, data) &&
	       azimuths_possible(m, data) &&
	       read_time(m, tail + m->tail->date, get32(tail + m->tail->time_us), &p->time_ns);
}
