/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crc32c.h"

#include <criterion/criterion.h>

/* Vectors of RFC 3720, B.4. */
Test(crc32c, known_vectors)
{
	uint8_t block[32];
	unsigned int i;

	cr_assert_eq(crc32c(0, "123456789", 9), 0xe3069283u);
	cr_assert_eq(crc32c(0, "", 0), 0);
	memset(block, 0, sizeof(block));
	cr_assert_eq(crc32c(0, block, sizeof(block)), 0x8a9136aau);
	memset(block, 0xff, sizeof(block));
	cr_assert_eq(crc32c(0, block, sizeof(block)), 0x62a8ab43u);
	for (i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)i;
	cr_assert_eq(crc32c(0, block, sizeof(block)), 0x46dd794eu);
}

Test(crc32c, known_vectors_by_table)
{
	cr_assert_eq(crc32c_by_table(0, "123456789", 9), 0xe3069283u);
}

static void fill(uint8_t *data, size_t bytes)
{
	uint32_t x = 1;
	size_t i;

	for (i = 0; i < bytes; i++) {
		x = x * 1664525u + 1013904223u;
		data[i] = (uint8_t)(x >> 24);
	}
}

Test(crc32c, processor_and_table_agree_at_every_length_and_alignment)
{
	uint8_t data[320];
	size_t at, bytes;

	fill(data, sizeof(data));
	for (at = 0; at < 16; at++) {
		for (bytes = 0; bytes < 300; bytes++)
			cr_assert_eq(crc32c(0, data + at, bytes),
				     crc32c_by_table(0, data + at, bytes), "at %zu, %zu bytes", at,
				     bytes);
	}
}

Test(crc32c, pieces_give_the_checksum_of_the_whole)
{
	uint8_t data[257];
	uint32_t whole;
	size_t cut;

	fill(data, sizeof(data));
	whole = crc32c(0, data, sizeof(data));
	for (cut = 0; cut <= sizeof(data); cut++) {
		uint32_t crc = crc32c(0, data, cut);

		cr_assert_eq(crc32c(crc, data + cut, sizeof(data) - cut), whole, "cut at %zu", cut);
	}
}
