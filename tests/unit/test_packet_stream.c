/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that come twice, sensors that begin anew, numbers that no sensor has. */
#include "daemon/packet_stream.h"

#include <criterion/criterion.h>

#include "tests/support/builder_fixture.h"

TestSuite(packet_stream, .init = setup, .fini = teardown);

Test(packet_stream, duplicates_change_nothing)
{
	build_or_fail(8);
	push(0, 0);
	push(0, 0);
	push(0, 1);
	take_or_fail(0);
	cr_assert_eq(h.point_count, 64);
	cr_assert_eq(source.stats.duplicate_packets, 1);
	/* its slice is finished, but it is not late: it was there */
	push(0, 1);
	cr_assert_eq(source.stats.duplicate_packets, 2);
	cr_assert_eq(source.stats.late_packets, 0);
	cr_assert_eq(source.stats.packets, 2);
	cr_assert_eq(source.stats.lost_packets, 0);
}

Test(packet_stream, absurd_jumps_count_nothing)
{
	build_or_fail(16);
	push_range(0, 0, 7);
	push_range(1000000, 2, 8);
	take_or_fail(0);
	take_or_fail(1);
	take_or_fail(2);
	take_or_fail(3);
	cr_assert_eq(h.missing_columns, 8);
	take_or_fail(1);
	cr_assert_eq(h.frame_id, 1000000);
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.frames, 2);
}

Test(packet_stream, a_sensor_that_begins_anew_is_followed_and_frames_go_on)
{
	uint64_t frame = 0;
	uint32_t taken = 0;

	build_or_fail(32);
	push_range(500, 0, 8);
	for (frame = 0; frame < 4; frame++)
		push_range(frame, 0, 8);
	frame = 0;
	while (frame_builder_take(b, &loan)) {
		cr_assert_geq(loan->header->frame_id, frame);
		frame = loan->header->frame_id;
		taken++;
	}
	cr_assert_geq(frame, 502);
	cr_assert_geq(taken, 4 * 4);
	cr_assert_leq(source.stats.late_packets, 8);
	cr_assert_eq(source.stats.lost_packets, 0);
}

Test(packet_stream, after_a_restart_frames_and_time_go_on)
{
	uint64_t end_ns = 0;

	build_or_fail(32);
	for (uint64_t round = 0; round < 3; round++) {
		push_range(7, 0, 8);
		push_range(8, 0, 8);
		for (uint32_t i = 0; i < 8; i++) {
			take_or_fail(i % 4);
			cr_assert_eq(h.frame_id, 7 + 2 * round + i / 4);
			if (i == 0 && round)
				cr_assert_eq(h.sensor_time_ns, end_ns + 5000);
			cr_assert_gt(h.sensor_time_ns, end_ns);
			end_ns = h.sensor_end_time_ns;
			give_back();
		}
		frame_builder_restart(b, 5000);
	}
	cr_assert_eq(fake.restarts, 3);
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.frames, 6);
	cr_assert_eq(source.stats.partial_frames, 0);
}

Test(packet_stream, a_restart_in_the_middle_of_a_frame_ends_it)
{
	build_or_fail(32);
	push_range(7, 0, 5);
	frame_builder_restart(b, 5000);
	push_range(7, 3, 8);
	take_or_fail(0);
	take_or_fail(1);
	take_or_fail(2);
	take_or_fail(1);
	cr_assert_eq(h.frame_id, 8);
	cr_assert_eq(source.stats.lost_packets, 0);
	cr_assert_eq(source.stats.partial_frames, 2);
}

Test(packet_stream, frame_numbers_at_the_end_of_the_world_are_survived)
{
	static const uint64_t frames[] = { UINT64_MAX, UINT64_MAX / 2, 1ull << 44, 0, 3,
					   UINT64_MAX - 1 };

	build_or_fail(32);
	for (size_t i = 0; i < 200; i++)
		push(frames[i / 9 % 6], (uint32_t)(i % 8));
	frame_builder_flush(b);
	while (frame_builder_take(b, &loan))
		give_back();
	cr_assert_lt(source.stats.lost_packets, 200 * 1000 * 8);
}
