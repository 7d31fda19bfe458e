/* SPDX-License-Identifier: Apache-2.0 */
#include "common/raw_packets.h"

#include <criterion/criterion.h>

static uint8_t payload[64] __attribute__((aligned(8)));
static struct raw_packets packets;
static const uint8_t *packet;
static size_t bytes;

static void put(size_t at, uint32_t length)
{
	memcpy(payload + at, &length, sizeof(length));
}

Test(raw_packets, come_one_by_one_behind_their_padding)
{
	put(0, 5);
	put(16, 4);
	put(24, 12);
	packets = raw_packets_of(payload, 40);
	cr_assert_eq(raw_packets_next(&packets, &packet, &bytes), 1);
	cr_assert(packet == payload + 4 && bytes == 5);
	cr_assert_eq(raw_packets_next(&packets, &packet, &bytes), 1);
	cr_assert(packet == payload + 20 && bytes == 4);
	cr_assert_eq(raw_packets_next(&packets, &packet, &bytes), 1);
	cr_assert(packet == payload + 28 && bytes == 12);
	cr_assert_eq(raw_packets_next(&packets, &packet, &bytes), 0);
	cr_assert_eq(raw_packets_next(&packets, &packet, &bytes), 0);
}

Test(raw_packets, the_last_ones_padding_may_be_missing)
{
	put(0, 5);
	packets = raw_packets_of(payload, 9);
	cr_assert_eq(raw_packets_next(&packets, &packet, &bytes), 1);
	cr_assert_eq(raw_packets_next(&packets, &packet, &bytes), 0);
}

Test(raw_packets, an_empty_payload_has_none)
{
	packets = raw_packets_of(payload, 0);
	cr_assert_eq(raw_packets_next(&packets, &packet, &bytes), 0);
}

static void refuse(uint32_t length, size_t payload_bytes)
{
	put(0, length);
	packets = raw_packets_of(payload, payload_bytes);
	cr_assert_eq(raw_packets_next(&packets, &packet, &bytes), -EBADMSG, "%u in %zu", length,
		     payload_bytes);
	cr_assert_eq(raw_packets_next(&packets, &packet, &bytes), 0);
}

Test(raw_packets, what_does_not_fit_is_refused_once_and_ends_it)
{
	refuse(61, 64);
	refuse(UINT32_MAX, 64);
	refuse(UINT32_MAX - 3, 64);
	refuse(0x80000000, 64);
	refuse(0, 64);
	refuse(1, 3);
	refuse(1, 4);
}
