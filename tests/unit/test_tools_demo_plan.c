/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/demo_plan.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "lidard/control.h"
#include "lidard/frame.h"

static const uint64_t sizes[] = { 4096, 65536, 1u << 20, 4u << 20, 16u << 20, 64u << 20 };

#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))

Test(demo_plan, small_slices_get_deep_queues_and_large_ones_shallow)
{
	struct demo_plan p;

	cr_assert_eq(demo_plan_make(65536, 8, UINT64_MAX, &p), 0);
	cr_assert_eq(p.queue, 250);
	cr_assert_eq(demo_plan_make(1 << 20, 8, UINT64_MAX, &p), 0);
	cr_assert_eq(p.queue, 64);
	cr_assert_eq(demo_plan_make(64 << 20, 8, UINT64_MAX, &p), 0);
	cr_assert_eq(p.queue, 2);
}

Test(demo_plan, eight_subscribers_fit_iceoryx_whatever_the_slice)
{
	struct demo_plan p;
	size_t i;

	for (i = 0; i < SIZE_COUNT; i++) {
		cr_assert_eq(demo_plan_make(sizes[i], 8, UINT64_MAX, &p), 0, "%zu", i);
		cr_assert_lt(p.pool_bytes, DEMO_POOL_BYTES_MAX);
		cr_assert_geq(p.shm_bytes, p.pool_bytes);
		cr_assert_geq(p.subscriber_slices, 8 * (p.queue + p.held));
		cr_assert_leq(p.queue, LIDARD_QUEUE_MAX);
		cr_assert_leq(p.held, LIDARD_HELD_MAX);
	}
}

Test(demo_plan, a_frame_fits_the_limits_of_the_wire)
{
	struct demo_plan p;
	size_t i;

	for (i = 0; i < SIZE_COUNT; i++) {
		cr_assert_eq(demo_plan_make(sizes[i], 1, UINT64_MAX, &p), 0);
		cr_assert_geq(p.frame_bytes, sizes[i]);
		cr_assert_leq(p.frame_bytes, LIDARD_FRAME_SLICES_MAX * sizes[i]);
		cr_assert_eq(p.columns, p.frame_bytes / (DEMO_BEAMS * 32));
	}
}

Test(demo_plan, what_iceoryx_cannot_address_is_refused)
{
	struct demo_plan p;

	cr_assert_eq(demo_plan_make(64 << 20, 32, UINT64_MAX, &p), -E2BIG);
}

Test(demo_plan, there_is_room_for_four_guests_with_a_queue_each)
{
	struct demo_plan p;
	uint32_t subscribers;

	for (subscribers = 1; subscribers <= 8; subscribers++) {
		cr_assert_eq(demo_plan_make(1 << 20, subscribers, UINT64_MAX, &p), 0);
		cr_assert_eq(p.guests, 4);
		cr_assert_eq(p.subscriber_slices, (subscribers + 4) * (p.queue + p.held));
	}
}

Test(demo_plan, guests_are_given_up_where_memory_is_scarce_and_subscribers_are_not)
{
	struct demo_plan all, some, none;

	cr_assert_eq(demo_plan_make(1 << 20, 3, UINT64_MAX, &all), 0);
	cr_assert_eq(demo_plan_make(1 << 20, 3, all.pool_bytes - 1, &some), 0);
	cr_assert_eq(some.guests, 3);
	cr_assert_lt(some.pool_bytes, all.pool_bytes);
	cr_assert_eq(demo_plan_make(1 << 20, 3, 0, &none), 0);
	cr_assert_eq(none.guests, 0);
	cr_assert_eq(none.subscriber_slices, 3 * (none.queue + none.held));
	cr_assert_eq(demo_plan_make(64 << 20, 3, UINT64_MAX, &none), 0);
	cr_assert_eq(none.guests, 0);
}
