/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hesai_packet_maker.h - a made-up Hesai sensor of any model, and its packets
 *
 * The head turns clockwise by step_cdeg a column, from azimuth 0 at packet 0.
 * Return r of channel k in column c, counted from packet 0, is from
 * HESAI_MAKER_RANGE + 10 * k + 3 * r units, reflectivity k + r; every 8th
 * column returns nothing.  Packets come in the time the model's columns take.
 */
#ifndef BENCH_PACKETS_HESAI_PACKET_MAKER_H
#define BENCH_PACKETS_HESAI_PACKET_MAKER_H

#include "decoder/hesai_packet.h"

#define HESAI_MAKER_RANGE 1000u
/** 2023-11-14 22:13:20 UTC. */
#define HESAI_MAKER_BEGIN_NS 1700000000000000000ull

struct hesai_packet_maker {
	const struct hesai_model *model;
	uint8_t return_mode;
	uint8_t returns;
	uint8_t unit_mm;
	bool has_sequence;
	/** Of packet 0. */
	uint32_t first_sequence;
	uint64_t begin_ns;
	uint32_t column_ns;
	uint32_t step_cdeg;
};

/** A sensor of that model with that many returns (1 to 3), 4 mm, sequence numbers from 100. */
void hesai_packet_maker_init(struct hesai_packet_maker *m, const struct hesai_model *model,
			     unsigned int returns);

/** Columns of one packet. */
static inline unsigned int hesai_packet_maker_columns(const struct hesai_packet_maker *m)
{
	return m->model->blocks / m->returns;
}

static inline bool hesai_packet_maker_is_empty(uint64_t column)
{
	return column % 8 == 7;
}

/** Packet @n, from 0, into HESAI_PACKET_BYTES_MAX bytes. Return: its bytes. */
size_t hesai_packet_maker_fill(const struct hesai_packet_maker *m, uint64_t n, uint8_t *ret_data);

/** Write a packet's date and time; @ns is POSIX time. */
void hesai_packet_maker_set_time(const struct hesai_packet_maker *m, uint8_t *data, uint64_t ns);

/** A correction file for the model: beam k, from 0, at 20 - k / 4 degrees, offset (k % 4 - 1.5). */
size_t hesai_packet_maker_correction(const struct hesai_model *model, char *ret_text, size_t size);

#endif /* BENCH_PACKETS_HESAI_PACKET_MAKER_H */
