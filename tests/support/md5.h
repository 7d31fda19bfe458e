/* SPDX-License-Identifier: Apache-2.0 */
/* md5.h - MD5 (RFC 1321), for digests that come with recordings; not for secrets */
#ifndef TESTS_SUPPORT_MD5_H
#define TESTS_SUPPORT_MD5_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct md5 {
	uint32_t state[4];
	uint64_t bytes;
	uint8_t block[64];
};

static inline void md5_init(struct md5 *m)
{
	static const uint32_t start[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };

	memcpy(m->state, start, sizeof(start));
	m->bytes = 0;
}

static inline uint32_t md5_round(unsigned int i, const uint32_t s[4])
{
	switch (i / 16) {
	case 0:
		return (s[1] & s[2]) | (~s[1] & s[3]);
	case 1:
		return (s[3] & s[1]) | (~s[3] & s[2]);
	case 2:
		return s[1] ^ s[2] ^ s[3];
	default:
		return s[2] ^ (s[1] | ~s[3]);
	}
}

static inline void md5_block(struct md5 *m)
{
	static const uint8_t shift[4][4] = {
		{ 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 }
	};
	static const uint8_t step[4][2] = { { 1, 0 }, { 5, 1 }, { 3, 5 }, { 7, 0 } };
	static uint32_t sines[64];
	uint32_t s[4];
	unsigned int i;

	if (!sines[0])
		for (i = 0; i < 64; i++)
			sines[i] = (uint32_t)(int64_t)floor(fabs(sin(i + 1)) * 4294967296.0);
	memcpy(s, m->state, sizeof(s));
	for (i = 0; i < 64; i++) {
		const uint8_t *w = m->block + 4 * ((step[i / 16][0] * i + step[i / 16][1]) % 16);
		uint32_t word = w[0] | w[1] << 8 | w[2] << 16 | (uint32_t)w[3] << 24;
		uint32_t f = md5_round(i, s) + s[0] + sines[i] + word;
		unsigned int by = shift[i / 16][i % 4];

		s[0] = s[3];
		s[3] = s[2];
		s[2] = s[1];
		s[1] += f << by | f >> (32 - by);
	}
	for (i = 0; i < 4; i++)
		m->state[i] += s[i];
}

static inline void md5_add(struct md5 *m, const void *data, size_t bytes)
{
	const uint8_t *p = data;

	while (bytes) {
		size_t at = m->bytes % 64;
		size_t n = bytes < 64 - at ? bytes : 64 - at;

		memcpy(m->block + at, p, n);
		m->bytes += n;
		p += n;
		bytes -= n;
		if (m->bytes % 64 == 0)
			md5_block(m);
	}
}

static inline void md5_finish(struct md5 *m, char ret_hex[33])
{
	const uint64_t bits = m->bytes * 8;
	uint8_t end[8];
	unsigned int i;

	md5_add(m, "\x80", 1);
	while (m->bytes % 64 != 56)
		md5_add(m, "", 1);
	for (i = 0; i < 8; i++)
		end[i] = (uint8_t)(bits >> (8 * i));
	md5_add(m, end, 8);
	for (i = 0; i < 16; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", m->state[i / 4] >> (8 * (i % 4)) & 0xff);
}

#endif /* TESTS_SUPPORT_MD5_H */
