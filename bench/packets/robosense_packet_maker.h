/* SPDX-License-Identifier: Apache-2.0 */
/*
 * robosense_packet_maker.h - a made-up Helios-16P and its packets
 *
 * The head turns clockwise by 0.4 degrees a block of one return, 0.2 of two.
 * Firing f, counted from packet 0, returns from ROBOSENSE_MAKER_RANGE + 10 * beam
 * units; its second return, if there are two, from 5 units more.  Every 7th
 * block returns nothing.
 */
#ifndef BENCH_PACKETS_ROBOSENSE_PACKET_MAKER_H
#define BENCH_PACKETS_ROBOSENSE_PACKET_MAKER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "decoder/decoder_robosense.h"

#define ROBOSENSE_MAKER_RANGE 2000u
#define ROBOSENSE_MAKER_BEAMS 16
#define ROBOSENSE_MAKER_FIRING_NS 55560u
#define ROBOSENSE_MAKER_BEGIN_NS 1700000000000000000ull

static inline uint32_t robosense_maker_block_ns(unsigned int returns)
{
	return returns == 2 ? ROBOSENSE_MAKER_FIRING_NS : 2 * ROBOSENSE_MAKER_FIRING_NS;
}

static inline uint32_t robosense_maker_step_cdeg(unsigned int returns)
{
	return returns == 2 ? 20 : 40;
}

static inline bool robosense_maker_is_empty(uint64_t block)
{
	return block % 7 == 6;
}

static inline void robosense_maker_put(uint8_t *p, uint64_t v, unsigned int bytes)
{
	while (bytes--) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

static inline void robosense_maker_set_time(uint8_t *data, uint64_t ns)
{
	robosense_maker_put(data + 20, ns / 1000000000, 6);
	robosense_maker_put(data + 26, ns % 1000000000 / 1000, 4);
}

/* Packet @n into ROBOSENSE_PACKET_BYTES bytes. */
static inline void robosense_maker_fill(unsigned int returns, uint64_t n, uint64_t begin_ns,
					uint8_t *data)
{
	const uint32_t block_ns = robosense_maker_block_ns(returns);
	unsigned int b, c;

	memset(data, 0, ROBOSENSE_PACKET_BYTES);
	robosense_maker_put(data, 0x55aa055a, 4);
	data[17] = 1;
	data[30] = 6;
	robosense_maker_set_time(data, begin_ns + n * ROBOSENSE_BLOCKS * block_ns);
	for (b = 0; b < ROBOSENSE_BLOCKS; b++) {
		const uint64_t block = n * ROBOSENSE_BLOCKS + b;
		uint8_t *at = data + 42 + b * 100;

		robosense_maker_put(at, 0xffee, 2);
		robosense_maker_put(at + 2, block * robosense_maker_step_cdeg(returns) % 36000, 2);
		for (c = 0; c < 32 && !robosense_maker_is_empty(block); c++) {
			unsigned int second = returns == 2 && c >= ROBOSENSE_MAKER_BEAMS ? 5 : 0;

			robosense_maker_put(at + 4 + c * 3,
					    ROBOSENSE_MAKER_RANGE + 10 * (c % 16) + second, 2);
			at[4 + c * 3 + 2] = (uint8_t)(c + 1);
		}
	}
	data[ROBOSENSE_PACKET_BYTES - 1] = 0xff;
}

/* The sensor tells of itself: 0 is two returns, 4 to 6 one. */
static inline void robosense_maker_fill_difop(uint8_t return_mode, uint8_t *data)
{
	memset(data, 0, ROBOSENSE_PACKET_BYTES);
	robosense_maker_put(data, 0xa5ff005a11115555, 8);
	data[300] = return_mode;
}

#endif /* BENCH_PACKETS_ROBOSENSE_PACKET_MAKER_H */
