/* SPDX-License-Identifier: Apache-2.0 */
#include "kmod/ring.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#define MIB (1u << 20)

Test(ring, indices_count_across_the_wrap)
{
	cr_assert_eq(ring_count(5, 5), 0);
	cr_assert_eq(ring_count(3, UINT32_MAX - 1), 5);
}

Test(ring, a_producer_is_possible_up_to_a_full_ring)
{
	cr_assert(ring_producer_possible(100, 100, 8));
	cr_assert(ring_producer_possible(108, 100, 8));
	cr_assert(ring_producer_possible(3, UINT32_MAX - 4, 8));
}

Test(ring, a_producer_that_overfills_the_ring_is_impossible)
{
	cr_assert_not(ring_producer_possible(109, 100, 8));
	cr_assert_not(ring_producer_possible(4, UINT32_MAX - 4, 8));
}

Test(ring, a_producer_that_runs_backwards_is_impossible)
{
	cr_assert_not(ring_producer_possible(99, 100, 8));
	cr_assert_not(ring_producer_possible(100 + (1u << 31), 100, LIDAR_RING_SLOTS_MAX));
}

Test(ring, a_consumer_may_move_up_to_the_producer)
{
	cr_assert(ring_consumer_possible(10, 10, 13));
	cr_assert(ring_consumer_possible(13, 10, 13));
	cr_assert(ring_consumer_possible(1, UINT32_MAX, 1));
}

Test(ring, a_consumer_beyond_the_producer_is_impossible)
{
	cr_assert_not(ring_consumer_possible(14, 10, 13));
	cr_assert_not(ring_consumer_possible(2, UINT32_MAX, 1));
}

Test(ring, a_consumer_that_runs_backwards_is_impossible)
{
	cr_assert_not(ring_consumer_possible(9, 10, 13));
	cr_assert_not(ring_consumer_possible(UINT32_MAX, 0, 3));
}

Test(ring, entries_are_the_next_power_of_two)
{
	cr_assert_eq(ring_entries(1), 1);
	cr_assert_eq(ring_entries(2), 2);
	cr_assert_eq(ring_entries(3), 4);
	cr_assert_eq(ring_entries(LIDAR_RING_SLOTS_MAX - 1), LIDAR_RING_SLOTS_MAX);
	cr_assert_eq(ring_entries(LIDAR_RING_SLOTS_MAX), LIDAR_RING_SLOTS_MAX);
}

Test(ring, only_offsets_where_a_slot_begins_name_one)
{
	const uint64_t first = 4096, stride = 3 * 4096;
	uint64_t offset;
	uint32_t index, found = 0;

	for (offset = 0; offset < first + 10 * stride; offset += 8)
		if (ring_slot_at(offset, first, stride, 5, &index)) {
			cr_assert_eq(offset, first + index * stride);
			cr_assert_eq(index, found++);
		}
	cr_assert_eq(found, 5);
}

Test(ring, hostile_offsets_name_no_slot)
{
	const uint64_t hostile[] = {
		UINT64_MAX, UINT64_MAX - 4095, 1ull << 63, (1ull << 32) * MIB, 8ull * MIB,
		0ull - MIB, 1, MIB - 1, MIB + 1,
	};
	uint32_t index = 77;
	size_t i;

	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		cr_assert_not(ring_slot_at(hostile[i], 0, MIB, 8, &index), "%llx",
			      (unsigned long long)hostile[i]);
	cr_assert_eq(index, 77, "the result is written only on success");
}

Test(ring, an_index_beyond_32_bits_is_not_cut_off)
{
	uint32_t index;

	/* slot 2^32 would be slot 0 if it were */
	cr_assert_not(ring_slot_at((1ull << 32) * 4096, 0, 4096, 8, &index));
	cr_assert_not(ring_slot_at((1ull << 32) * 4096 + 4096, 4096, 4096, 8, &index));
}

Test(ring, slots_fit_up_to_the_last_byte)
{
	cr_assert(ring_slots_fit(8ull * MIB, 0, MIB, MIB, 8, 4096));
	cr_assert(ring_slots_fit(4096 + 7 * (MIB + 4096ull) + MIB, 4096, MIB + 4096, MIB, 8, 4096));
}

Test(ring, slots_a_byte_too_many_do_not_fit)
{
	cr_assert_not(ring_slots_fit(8ull * MIB - 1, 0, MIB, MIB, 8, 4096));
	cr_assert_not(ring_slots_fit(8ull * MIB, 4096, MIB, MIB, 8, 4096));
	cr_assert_not(ring_slots_fit(8ull * MIB, 0, MIB, MIB, 9, 4096));
	cr_assert_not(ring_slots_fit(MIB - 1, 0, MIB, MIB, 1, 4096));
}

Test(ring, a_stride_shorter_than_a_slot_is_refused)
{
	cr_assert_not(ring_slots_fit(8ull * MIB, 0, MIB - 4096, MIB, 2, 4096));
	cr_assert_not(ring_slots_fit(8ull * MIB, 0, 0, MIB, 1, 4096));
}

Test(ring, what_is_not_aligned_is_refused)
{
	cr_assert_not(ring_slots_fit(8ull * MIB, 2048, MIB, MIB, 1, 4096));
	cr_assert_not(ring_slots_fit(8ull * MIB, 0, MIB + 512, MIB, 1, 4096));
	cr_assert_not(ring_slots_fit(8ull * MIB, 0, MIB, MIB - 1, 1, 4096));
}

Test(ring, products_that_overflow_do_not_make_slots_fit)
{
	/* 4095 * 2^52 wraps to a small number */
	cr_assert_not(ring_slots_fit(8ull * MIB, 0, 1ull << 52, MIB, 4096, 4096));
	cr_assert_not(ring_slots_fit(8ull * MIB, 0, ~4095ull, MIB, 2, 4096));
	cr_assert_not(ring_slots_fit(8ull * MIB, ~4095ull, MIB, MIB, 1, 4096));
	cr_assert_not(ring_slots_fit(UINT64_MAX, 0, 1ull << 63, MIB, 3, 4096));
}

static void check_layout(uint32_t slot_count)
{
	struct lidar_ring_layout l;
	const uint32_t lines[] = {0, 64, 128, 192, 256};

	memset(&l, 0xff, sizeof(l));
	ring_layout_init(&l, MIB, slot_count, 4096);
	cr_assert_eq(l.fill_producer, lines[0]);
	cr_assert_eq(l.fill_consumer, lines[1]);
	cr_assert_eq(l.fill_flags, lines[2]);
	cr_assert_eq(l.ready_producer, lines[3]);
	cr_assert_eq(l.ready_consumer, lines[4]);
	cr_assert_geq(l.slot_states, 320);
	cr_assert_geq(l.fill_ring, l.slot_states + slot_count);
	cr_assert_geq(l.ready_ring, l.fill_ring + l.entries * 8);
	cr_assert_geq(l.control_bytes, l.ready_ring + l.entries * sizeof(struct lidar_ring_desc));
	cr_assert_eq(l.control_bytes % 4096, 0);
	cr_assert_eq(l.fill_ring % 64 + l.ready_ring % 64, 0);
	cr_assert_eq(l.data_bytes + l.data_offset + l.reserved[0], 0);
}

Test(ring, nothing_in_the_control_page_overlaps)
{
	uint32_t slot_count;

	for (slot_count = 1; slot_count <= LIDAR_RING_SLOTS_MAX; slot_count++)
		check_layout(slot_count);
}

Test(ring, a_descriptor_is_a_cache_line)
{
	cr_assert_eq(sizeof(struct lidar_ring_desc), 64);
}
