/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of numbered columns, whole and not: what counts as lost, as late, as missing. */
#include "daemon/frame_columns.h"

#include <criterion/criterion.h>

#include "tests/support/builder_fixture.h"

TestSuite(frame_columns, .init = setup, .fini = teardown);

Test(frame_columns, a_lost_packet_makes_slice_and_frame_partial)
{
	build_or_fail(8);
	push_range(0, 0, 2);
	push_range(0, 3, 8);
	take_or_fail(0);
	cr_assert_eq(h.flags & LIDARD_SLICE_PARTIAL, 0);
	take_or_fail(1);
	cr_assert(h.flags & LIDARD_SLICE_PARTIAL);
	cr_assert_eq(h.missing_columns, 8);
	cr_assert_eq(h.lost_packets, 1);
	cr_assert_eq(h.point_count, 32);
	take_or_fail(2);
	take_or_fail(3);
	cr_assert_eq(h.flags & (LIDARD_SLICE_PARTIAL | LIDARD_FRAME_PARTIAL | LIDARD_SLICE_LAST),
		     LIDARD_FRAME_PARTIAL | LIDARD_SLICE_LAST);
	cr_assert_eq(source.stats.lost_packets, 1);
	cr_assert_eq(source.stats.missing_columns, 8);
	cr_assert_eq(source.stats.partial_frames, 1);
}

Test(frame_columns, a_partial_slice_waits_two_packets_beyond_its_end)
{
	build_or_fail(8);
	push(0, 0);
	push(0, 2);
	push(0, 3);
	expect_none();
	push(0, 4); /* slice 0 ends with packet 1, packets 2 and 3 have gone by */
	take_or_fail(0);
	cr_assert_eq(h.missing_columns, 8);
}

Test(frame_columns, reordered_packets_land_where_they_belong)
{
	static const uint32_t order[] = { 1, 0, 3, 4, 2, 6, 5, 7 };

	build_or_fail(8);
	for (size_t i = 0; i < 8; i++)
		push(0, order[i]);
	push(1, 0);
	for (uint32_t k = 0; k < 4; k++) {
		take_or_fail(k);
		cr_assert_eq(h.missing_columns, 0);
		cr_assert_eq(h.sensor_time_ns, 1000000 + 16 * k * COLUMN_NS);
		cr_assert_eq(h.sensor_end_time_ns, h.sensor_time_ns + 15 * COLUMN_NS);
		expect_times(0);
	}
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.late_packets, 0);
}

Test(frame_columns, reordering_across_frames_is_reordering_too)
{
	build_or_fail(8);
	push_range(0, 0, 7);
	push(1, 0);
	push(0, 7);
	push_range(1, 1, 8);
	for (uint32_t i = 0; i < 8; i++) {
		take_or_fail(i % 4);
		cr_assert_eq(h.frame_id, i / 4);
		cr_assert_eq(h.missing_columns, 0);
	}
	cr_assert_eq(source.stats.partial_frames, 0);
}

Test(frame_columns, late_packets_are_counted_and_lost_ones_stay_lost)
{
	build_or_fail(8);
	push(0, 0);
	push_range(0, 2, 7);
	push(0, 1);
	cr_assert_eq(source.stats.late_packets, 1);
	cr_assert_eq(source.stats.lost_packets, 1);
	take_or_fail(0);
	cr_assert_eq(h.point_count, 32);
}

Test(frame_columns, a_stream_that_begins_in_the_middle_is_partial_but_lost_nothing)
{
	build_or_fail(8);
	push_range(0, 3, 8);
	push_range(1, 0, 8);
	take_or_fail(1);
	cr_assert_eq(h.missing_columns, 8);
	cr_assert(h.flags & LIDARD_SLICE_PARTIAL);
	cr_assert_eq(h.lost_packets, 0);
	take_or_fail(2);
	take_or_fail(3);
	cr_assert(h.flags & LIDARD_FRAME_PARTIAL);
	take_or_fail(0);
	cr_assert_eq(h.frame_id, 1);
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.partial_frames, 1);
}

Test(frame_columns, a_stream_that_ends_in_the_middle_is_partial_but_lost_nothing)
{
	build_or_fail(8);
	push_range(0, 0, 5);
	frame_builder_flush(b);
	take_or_fail(0);
	take_or_fail(1);
	take_or_fail(2);
	cr_assert_eq(h.missing_columns, 8);
	cr_assert_eq(h.lost_packets, 0);
	cr_assert_eq(h.flags & LIDARD_SLICE_LAST, 0);
	expect_none();
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.frames, 1);
	cr_assert_eq(source.stats.partial_frames, 1);
}

Test(frame_columns, slices_of_which_nothing_came_are_empty_and_come)
{
	build_or_fail(16);
	push_range(0, 0, 2);
	push_range(1, 7, 8);
	frame_builder_flush(b);
	for (uint32_t i = 0; i < 8; i++) {
		take_or_fail(i % 4);
		cr_assert_eq(h.frame_id, i / 4);
		cr_assert_eq(h.point_count, i == 0 ? 64 : i == 7 ? 32 : 0);
		if (i > 0 && i < 7)
			cr_assert_eq(h.flags & (LIDARD_SLICE_SENSOR_TIME_VALID |
						LIDARD_SLICE_FIRST_BYTE_VALID), 0);
	}
	cr_assert_eq(source.stats.lost_packets, 6 + 7);
	cr_assert_eq(source.stats.missing_columns, 13 * 8);
}

Test(frame_columns, whole_frames_that_are_missing_count_their_packets)
{
	build_or_fail(16);
	push_range(0, 0, 8);
	push_range(4, 0, 8);
	for (uint32_t i = 0; i < 8; i++) {
		take_or_fail(i % 4);
		cr_assert_eq(h.frame_id, i / 4 * 4);
		cr_assert_eq(h.lost_packets, 0);
	}
	cr_assert_eq(source.stats.lost_packets, 3 * 8);
	cr_assert_eq(source.stats.partial_frames, 0);
}

Test(frame_columns, a_packet_without_valid_columns_is_not_lost)
{
	build_or_fail(8);
	push(0, 0);
	push_packet((struct fake_packet){ .place = 1, .invalid = 0xff });
	push_range(0, 2, 8);
	take_or_fail(0);
	cr_assert_eq(h.missing_columns, 8);
	cr_assert_eq(h.lost_packets, 0);
	cr_assert_eq(source.stats.lost_packets, 0);
}

Test(frame_columns, a_column_window_that_ends_within_a_packet_is_whole)
{
	fake.base.geometry.frame_columns = 60;
	build_or_fail(8);
	push_range(0, 0, 8);
	push_range(1, 0, 1);
	for (uint32_t k = 0; k < 4; k++)
		take_or_fail(k);
	cr_assert_eq(h.column_count, 12);
	cr_assert_eq(h.missing_columns, 0);
	cr_assert_eq(source.stats.lost_packets, 0);
}

Test(frame_columns, a_column_window_with_a_hole_is_whole)
{
	fake.hole = true;
	fake.base.geometry.frame_columns = 54;
	build_or_fail(8);
	push_range(0, 0, 8);
	push_range(1, 0, 8);
	for (uint32_t i = 0; i < 8; i++) {
		take_or_fail(i % 4);
		cr_assert_eq(h.missing_columns, 0);
		cr_assert_eq(h.lost_packets, 0);
	}
	cr_assert_eq(source.stats.lost_packets, 0);
	push_range(2, 0, 5);
	push_range(2, 6, 8);
	push_range(3, 0, 8);
	cr_assert_eq(source.stats.lost_packets, 1);
	cr_assert_eq(source.stats.missing_columns, 8);
}
