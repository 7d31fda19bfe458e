/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hesai_packet.h - the point packets of Hesai's rotating sensors, as tables
 *
 * A packet is a header (or none), blocks of one azimuth and all channels each,
 * and a tail with mode, time and, with most models, a sequence number.  What
 * differs between the models are numbers: one row of hesai_models each.
 *
 * With R returns, R blocks in a row are the returns of one firing.
 */
#ifndef DECODER_HESAI_PACKET_H
#define DECODER_HESAI_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <endian.h>

#define HESAI_BLOCKS_MAX 10
#define HESAI_CHANNELS_MAX 128
#define HESAI_RETURNS_MAX 3
#define HESAI_PACKET_BYTES_MAX 1280
/** Azimuths are 0 .. 36000; some sensors write a whole turn for none. */
#define HESAI_TURN_CDEG 36000

enum hesai_header {
	/** The packet begins with its first block; distances are in units of 4 mm. */
	HESAI_HEADER_NONE,
	/** EE FF, channels, blocks, unit; 8 bytes. */
	HESAI_HEADER_SHORT,
	/** EE FF, version, channels, blocks, unit, returns, flags; 12 bytes. */
	HESAI_HEADER_LONG,
};

/** Where things are in the tail, from its first byte. */
struct hesai_tail {
	uint8_t return_mode;
	uint8_t motor;
	uint8_t date;
	uint8_t time_us;
	/** Here a packet without sequence number ends, and the others go on. */
	uint8_t sequence;
	/** Bytes behind the sequence number. */
	uint8_t rest_bytes;
};

/**
 * When beams fire, from the packet's time.  Column i of n fires at base_ns + i * column_ns if
 * @from_first, else at base_ns - (n - 1 - i) * column_ns; a beam another first_ns + (its number %
 * beams_at_once) * beam_ns later.
 */
struct hesai_firing {
	int32_t base_ns;
	int32_t column_ns;
	bool from_first;
	uint16_t first_ns;
	uint16_t beam_ns;
	uint16_t beams_modulo;
};

struct hesai_model {
	const char *name;
	uint8_t header;
	uint8_t blocks;
	uint8_t channels;
	/** A channel: u16 distance, u8 reflectivity, and with 4 bytes one that is reserved. */
	uint8_t channel_bytes;
	/** The year counts from 1900 always; otherwise from 2000 unless it is 100 or more. */
	bool from_1900;
	const struct hesai_tail *tail;
	struct hesai_firing firing;
};

extern const struct hesai_model hesai_models[];
extern const unsigned int hesai_model_count;

/** What a packet says of itself. */
struct hesai_packet {
	/** Packet time: POSIX, ns. */
	uint64_t time_ns;
	/** As in the tail. */
	uint8_t return_mode;
	/** 1 .. HESAI_RETURNS_MAX; a divisor of the model's blocks. */
	uint8_t returns;
	/** Unit of distances, mm; not 0. */
	uint8_t unit_mm;
	bool has_sequence;
	uint32_t sequence;
	/** Turns a minute. */
	uint16_t motor_rpm;
};

/** hesai_model_find() - by name, however it is written, "Pandar" before it or not. Return: NULL: none is called so. */
const struct hesai_model *hesai_model_find(const char *name);

/** hesai_model_recognise() - whose packet is it? Return: NULL: no point packet of any. Hot path. */
const struct hesai_model *hesai_model_recognise(const void *datagram, size_t bytes);

/** hesai_model_matches() - can it be a packet of @m? Return: false also if it is too short. Hot path. */
bool hesai_model_matches(const struct hesai_model *m, const void *datagram, size_t bytes);

/**
 * hesai_packet_read() - header and tail of a packet that matches
 *
 * Return: false if something in it is impossible, thus damaged. Hot path.
 */
bool hesai_packet_read(const struct hesai_model *m, const void *datagram, size_t bytes,
		       struct hesai_packet *ret_packet);

/** Parts of the same. Hot path. */
uint8_t hesai_packet_get_unit_mm(const struct hesai_model *m, const uint8_t *data);
uint8_t hesai_packet_get_returns(const struct hesai_model *m, const uint8_t *data);

static inline uint32_t hesai_header_bytes(const struct hesai_model *m)
{
	return m->header == HESAI_HEADER_LONG ? 12 : m->header == HESAI_HEADER_SHORT ? 8 : 0;
}

/** Before a block's channels: its azimuth, and without a packet header FF EE before that. */
static inline uint32_t hesai_block_header_bytes(const struct hesai_model *m)
{
	return m->header == HESAI_HEADER_NONE ? 4 : 2;
}

static inline uint32_t hesai_block_bytes(const struct hesai_model *m)
{
	return hesai_block_header_bytes(m) + (uint32_t)m->channels * m->channel_bytes;
}

/** First byte of a block. */
static inline uint32_t hesai_block_offset(const struct hesai_model *m, unsigned int block)
{
	return hesai_header_bytes(m) + block * hesai_block_bytes(m);
}

static inline uint32_t hesai_tail_offset(const struct hesai_model *m)
{
	return hesai_block_offset(m, m->blocks);
}

/** Bytes of a packet with its sequence number; without it, four less. */
static inline uint32_t hesai_packet_bytes(const struct hesai_model *m)
{
	return hesai_tail_offset(m) + m->tail->sequence + 4u + m->tail->rest_bytes;
}

/** Azimuth of a block as it is written, 0.01 degrees. */
static inline uint16_t hesai_block_azimuth(const struct hesai_model *m, const uint8_t *data,
					   unsigned int block)
{
	uint16_t azimuth;

	memcpy(&azimuth, data + hesai_block_offset(m, block) + hesai_block_header_bytes(m) - 2,
	       sizeof(azimuth));
	return le16toh(azimuth);
}

/** When column @column of @columns fires its first beam, from the packet's time, ns. */
static inline int32_t hesai_column_time_ns(const struct hesai_model *m, unsigned int column,
					   unsigned int columns)
{
	const struct hesai_firing *f = &m->firing;
	int32_t count = f->from_first ? (int32_t)column : (int32_t)column - (int32_t)columns + 1;

	return f->base_ns + f->first_ns + count * f->column_ns;
}

/** When a beam fires, from its column's time, ns. */
static inline uint32_t hesai_beam_time_ns(const struct hesai_model *m, unsigned int channel)
{
	const struct hesai_firing *f = &m->firing;

	return (f->beams_modulo ? channel % f->beams_modulo : channel) * f->beam_ns;
}

#endif /* DECODER_HESAI_PACKET_H */
