/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.h - CRC-32C (Castagnoli), the checksum of a slice's payload
 *
 *	crc = crc32c(0, a, a_bytes);
 *	crc = crc32c(crc, b, b_bytes);		the checksum of a followed by b
 *
 * The value is final after every call: no inversion before or after.  x86 with
 * SSE 4.2 uses the processor's instruction, one for 8 bytes and 3 cycles;
 * whether it is there is asked at run time, so one binary runs everywhere.
 * Everything else goes byte by byte through a table.
 */
#ifndef COMMON_CRC32C_H
#define COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The table is linear: an entry is the sum (exclusive or) of the entries of
 * its bits, which are the polynomial 0x82f63b78 shifted bit by bit.
 */
#define CRC32C_ENTRY(n)                                                        \
	((((n)&0x01) ? 0xf26b8303u : 0) ^ (((n)&0x02) ? 0xe13b70f7u : 0) ^     \
	 (((n)&0x04) ? 0xc79a971fu : 0) ^ (((n)&0x08) ? 0x8ad958cfu : 0) ^     \
	 (((n)&0x10) ? 0x105ec76fu : 0) ^ (((n)&0x20) ? 0x20bd8edeu : 0) ^     \
	 (((n)&0x40) ? 0x417b1dbcu : 0) ^ (((n)&0x80) ? 0x82f63b78u : 0))
#define CRC32C_4(n) CRC32C_ENTRY(n), CRC32C_ENTRY((n) + 1), CRC32C_ENTRY((n) + 2), \
		    CRC32C_ENTRY((n) + 3)
#define CRC32C_16(n) CRC32C_4(n), CRC32C_4((n) + 4), CRC32C_4((n) + 8), CRC32C_4((n) + 12)
#define CRC32C_64(n) CRC32C_16(n), CRC32C_16((n) + 16), CRC32C_16((n) + 32), CRC32C_16((n) + 48)

static inline uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t bytes)
{
	static const uint32_t table[256] = {CRC32C_64(0), CRC32C_64(64), CRC32C_64(128),
					    CRC32C_64(192)};
	const uint8_t *p = data;

	crc = ~crc;
	while (bytes--)
		crc = (crc >> 8) ^ table[(uint8_t)crc ^ *p++];
	return ~crc;
}

#undef CRC32C_ENTRY
#undef CRC32C_4
#undef CRC32C_16
#undef CRC32C_64

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static inline uint32_t
crc32c_by_sse42(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint64_t c = ~crc & UINT32_MAX, word;

	for (; bytes >= 8; bytes -= 8, p += 8) {
		memcpy(&word, p, 8);
		c = __builtin_ia32_crc32di(c, word);
	}
	while (bytes--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return ~(uint32_t)c;
}

static inline uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_by_sse42(crc, data, bytes);
	return crc32c_by_table(crc, data, bytes);
}
#else
static inline uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	return crc32c_by_table(crc, data, bytes);
}
#endif

#endif /* COMMON_CRC32C_H */
