/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_device_ring.c - the two rings of a control page; the test is the kernel
 */
#include "daemon/device_ring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define ENTRIES 4

struct page {
	uint32_t fill_producer, fill_consumer, fill_flags, ready_producer, ready_consumer, pad;
	uint64_t fill[ENTRIES];
	struct lidar_ring_desc ready[ENTRIES];
};

static struct page page;
static struct device_ring ring;
static struct problem problem;

static struct lidar_ring_layout layout(void)
{
	return (struct lidar_ring_layout){
		.control_bytes = sizeof(page),
		.slot_count = 3,
		.entries = ENTRIES,
		.fill_producer = offsetof(struct page, fill_producer),
		.fill_consumer = offsetof(struct page, fill_consumer),
		.fill_flags = offsetof(struct page, fill_flags),
		.ready_producer = offsetof(struct page, ready_producer),
		.ready_consumer = offsetof(struct page, ready_consumer),
		.fill_ring = offsetof(struct page, fill),
		.ready_ring = offsetof(struct page, ready),
	};
}

static void begin_at(uint32_t index)
{
	struct lidar_ring_layout l = layout();

	memset(&page, 0, sizeof(page));
	page.fill_producer = page.fill_consumer = index;
	page.ready_producer = page.ready_consumer = index;
	cr_assert_eq(device_ring_init(&ring, &l, &page, &problem), 0, "%s", problem.text);
}

static void begin(void)
{
	begin_at(0);
}

TestSuite(device_ring, .init = begin);

Test(device_ring, pushed_offsets_reach_the_kernel_in_order)
{
	cr_assert(device_ring_push(&ring, 4096));
	cr_assert(device_ring_push(&ring, 8192));
	cr_assert_eq(page.fill_producer, 2);
	cr_assert_eq(page.fill[0], 4096);
	cr_assert_eq(page.fill[1], 8192);
}

Test(device_ring, a_full_fill_ring_refuses_until_the_kernel_has_read)
{
	int i;

	for (i = 0; i < ENTRIES; i++)
		cr_assert(device_ring_push(&ring, 0));
	cr_assert_not(device_ring_push(&ring, 1));
	cr_assert_eq(page.fill_producer, ENTRIES);
	page.fill_consumer = 1;
	cr_assert(device_ring_push(&ring, 5));
	cr_assert_eq(page.fill[0], 5);
}

Test(device_ring, indices_wrap)
{
	struct lidar_ring_desc desc;

	begin_at(UINT32_MAX);
	cr_assert(device_ring_push(&ring, 1));
	cr_assert(device_ring_push(&ring, 2));
	cr_assert_eq(page.fill[ENTRIES - 1], 1);
	cr_assert_eq(page.fill[0], 2);
	cr_assert_eq(page.fill_producer, 1);
	page.ready[ENTRIES - 1].seq = 7;
	page.ready[0].seq = 8;
	page.ready_producer = 1;
	cr_assert_eq(device_ring_pop(&ring, &desc), 1);
	cr_assert_eq(desc.seq, 7);
	cr_assert_eq(device_ring_pop(&ring, &desc), 1);
	cr_assert_eq(desc.seq, 8);
	cr_assert_eq(device_ring_pop(&ring, &desc), 0);
	cr_assert_eq(page.ready_consumer, 1);
}

Test(device_ring, the_kernel_is_kicked_only_when_it_asks_for_it)
{
	cr_assert_not(device_ring_needs_wakeup(&ring));
	page.fill_flags = ~LIDAR_RING_NEED_WAKEUP;
	cr_assert_not(device_ring_needs_wakeup(&ring));
	page.fill_flags = LIDAR_RING_NEED_WAKEUP;
	cr_assert(device_ring_needs_wakeup(&ring));
}

Test(device_ring, what_the_device_can_have_at_once_is_what_the_kernel_has_seen)
{
	struct lidar_ring_desc desc;

	cr_assert_eq(device_ring_count_spare(&ring, 0), 0);
	device_ring_push(&ring, 1);
	device_ring_push(&ring, 2);
	device_ring_push(&ring, 3);
	cr_assert_eq(device_ring_count_spare(&ring, 3), 0);
	page.fill_consumer = 2;
	cr_assert_eq(device_ring_count_spare(&ring, 3), 2);
	page.ready_producer = 1;
	cr_assert_eq(device_ring_count_spare(&ring, 3), 1);
	cr_assert_eq(device_ring_pop(&ring, &desc), 1);
	cr_assert_eq(device_ring_count_spare(&ring, 2), 1);
	/* nonsense is no slots */
	page.ready_producer = 100;
	cr_assert_eq(device_ring_count_spare(&ring, 2), 0);
}

Test(device_ring, a_ready_ring_fuller_than_it_is_long_is_impossible)
{
	struct lidar_ring_desc desc;

	page.ready_producer = ENTRIES + 1;
	cr_assert_eq(device_ring_pop(&ring, &desc), -EPROTO);
	page.ready_producer = UINT32_MAX;
	cr_assert_eq(device_ring_pop(&ring, &desc), -EPROTO);
	cr_assert_eq(page.ready_consumer, 0);
}

Test(device_ring, our_own_indices_in_the_page_are_not_believed)
{
	struct lidar_ring_desc desc;

	cr_assert(device_ring_push(&ring, 1));
	page.fill_producer = 77;
	page.ready_consumer = 99;
	cr_assert(device_ring_push(&ring, 2));
	cr_assert_eq(page.fill_producer, 2);
	cr_assert_eq(device_ring_pop(&ring, &desc), 0);
}

Test(device_ring, a_layout_beyond_its_page_is_refused)
{
	static const size_t members[] = {
		offsetof(struct lidar_ring_layout, fill_producer),
		offsetof(struct lidar_ring_layout, fill_consumer),
		offsetof(struct lidar_ring_layout, fill_flags),
		offsetof(struct lidar_ring_layout, fill_ring),
		offsetof(struct lidar_ring_layout, ready_producer),
		offsetof(struct lidar_ring_layout, ready_consumer),
		offsetof(struct lidar_ring_layout, ready_ring),
	};
	static const uint32_t wrong[] = { sizeof(page), sizeof(page) - 2, 0xfffffff8, 2, 8 * 1024 };
	size_t i, k;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		for (k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
			struct lidar_ring_layout l = layout();

			memcpy((char *)&l + members[i], &wrong[k], sizeof(wrong[k]));
			cr_assert_eq(device_ring_init(&ring, &l, &page, &problem), -EPROTO,
				     "member at %zu = %u", members[i], wrong[k]);
		}
}

Test(device_ring, entries_must_be_a_power_of_two_that_holds_every_slot)
{
	static const uint32_t wrong[] = { 0, 3, 2, 0x80000000 };
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct lidar_ring_layout l = layout();

		l.entries = wrong[i];
		cr_assert_eq(device_ring_init(&ring, &l, &page, &problem), -EPROTO, "%u", wrong[i]);
	}
}
