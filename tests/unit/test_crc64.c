/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crc64.h"

#include <criterion/criterion.h>
#include <string.h>

static struct crc64 crc;

static void init(void)
{
	crc64_init(&crc);
}

/* Bit by bit, as the polynomial says. */
static uint64_t slow(const uint8_t *p, size_t bytes)
{
	uint64_t r = UINT64_MAX;
	unsigned int k;

	for (; bytes; p++, bytes--) {
		r ^= *p;
		for (k = 0; k < 8; k++)
			r = r & 1 ? (r >> 1) ^ CRC64_POLYNOMIAL : r >> 1;
	}
	return ~r;
}

Test(crc64, digits_give_the_catalogued_check_value, .init = init)
{
	cr_assert_eq(crc64_compute(&crc, "123456789", 9), 0x995dc9bbdf1939faull);
}

Test(crc64, nothing_gives_zero, .init = init)
{
	cr_assert_eq(crc64_compute(&crc, "", 0), 0);
}

Test(crc64, every_length_and_alignment_agrees_with_bit_by_bit, .init = init)
{
	uint8_t text[64];
	size_t i, n;

	for (i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 37 + 11);
	for (i = 0; i < 8; i++)
		for (n = 0; n <= sizeof(text) - i; n++)
			cr_assert_eq(crc64_compute(&crc, text + i, n), slow(text + i, n),
				     "%zu bytes from %zu", n, i);
}
