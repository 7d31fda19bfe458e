/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc64.h - CRC-64/XZ, eight bytes at a time
 *
 * Reflected polynomial 0xC96C5795D7870F42, initial value and final xor all
 * ones: what Ouster sensors put at the end of a packet.  The tables take
 * 16 KiB and belong to whoever needs them, so that nothing is global and
 * nothing is computed for those who do not.
 */
#ifndef COMMON_CRC64_H
#define COMMON_CRC64_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CRC64_POLYNOMIAL 0xc96c5795d7870f42ull

struct crc64 {
	/** table[k][b]: what byte b does to the remainder k bytes later. */
	uint64_t table[8][256];
};

static inline void crc64_init(struct crc64 *c)
{
	unsigned int b, k;

	for (b = 0; b < 256; b++) {
		uint64_t r = b;

		for (k = 0; k < 8; k++)
			r = r & 1 ? (r >> 1) ^ CRC64_POLYNOMIAL : r >> 1;
		c->table[0][b] = r;
	}
	for (k = 1; k < 8; k++)
		for (b = 0; b < 256; b++) {
			uint64_t r = c->table[k - 1][b];

			c->table[k][b] = (r >> 8) ^ c->table[0][r & 0xff];
		}
}

/* hot path */
static inline uint64_t crc64_compute(const struct crc64 *c, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint64_t r = UINT64_MAX;

	for (; bytes >= 8; p += 8, bytes -= 8) {
		uint64_t word;

		memcpy(&word, p, sizeof(word));
		r ^= le64toh(word);
		r = c->table[7][r & 0xff] ^ c->table[6][r >> 8 & 0xff] ^
		    c->table[5][r >> 16 & 0xff] ^ c->table[4][r >> 24 & 0xff] ^
		    c->table[3][r >> 32 & 0xff] ^ c->table[2][r >> 40 & 0xff] ^
		    c->table[1][r >> 48 & 0xff] ^ c->table[0][r >> 56];
	}
	for (; bytes; p++, bytes--)
		r = (r >> 8) ^ c->table[0][(r ^ *p) & 0xff];
	return ~r;
}

#endif /* COMMON_CRC64_H */
