/* SPDX-License-Identifier: Apache-2.0 */
/* Slices of a frame and what they carry. */
#include "daemon/frame_builder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/crc32c.h"
#include "tests/support/builder_fixture.h"

TestSuite(frame_builder, .init = setup, .fini = teardown);

Test(frame_builder, slices_carry_what_arrivals_say_of_the_clock)
{
	const int64_t ahead_ns = 1700000000000000000;
	uint64_t frame;
	uint32_t k;

	fake.base.geometry.sensor_clock = LIDARD_CLOCK_SENSOR_BOOT;
	build_or_fail(32);
	for (frame = 0; frame < 3; frame++)
		for (k = 0; k < 8; k++) {
			/* right after the packet's last column */
			int64_t at_ns = 1000000 + (int64_t)(frame * 64 + k * 8 + 7) * COLUMN_NS;

			sensor_clock_arrive(&source.clock, (uint64_t)at_ns, at_ns + ahead_ns);
			push(frame, k);
		}
	take_or_fail(0);
	cr_expect_eq(h.flags & LIDARD_SLICE_CLOCK_OFFSET_VALID, 0, "nothing to go by yet");
	for (k = 1; k < 12; k++)
		take_or_fail(k % 4);
	cr_expect(h.flags & LIDARD_SLICE_CLOCK_OFFSET_VALID);
	cr_expect_eq(h.clock_offset_ns, ahead_ns + 37000000000);
	cr_expect_eq(h.sensor_clock, LIDARD_CLOCK_SENSOR_BOOT);
	/* a lock that the decoder learns of is the next slice's */
	fake.base.geometry.clock_lock = LIDARD_CLOCK_LOCK_FREE_RUNNING;
	push_range(3, 0, 2);
	take_or_fail(0);
	cr_expect_eq(h.clock_lock, LIDARD_CLOCK_LOCK_FREE_RUNNING);
	cr_expect(strstr(source.notice.text, "lost its lock"), "%s", source.notice.text);
}

Test(frame_builder, a_jump_of_the_sensors_time_is_counted)
{
	uint64_t frame;

	fake.base.geometry.sensor_clock = LIDARD_CLOCK_SENSOR_BOOT;
	build_or_fail(32);
	for (frame = 0; frame < 6; frame++) {
		uint32_t k;

		for (k = 0; k < 8; k++) {
			sensor_clock_arrive(&source.clock, 5000000000 + frame, 5000000000);
			push_packet((struct fake_packet){ .frame = frame, .place = k,
							  .skew_ns = frame < 3 ? 0 : 200000000 });
		}
		while (frame_builder_take(b, &loan))
			give_back();
	}
	cr_expect_eq(source.stats.clock_steps, 1);
}

Test(frame_builder, a_frame_becomes_slices_of_fixed_columns)
{
	uint32_t k;

	build_or_fail(8);
	push_range(5, 0, 8);
	for (k = 0; k < 4; k++) {
		take_or_fail(k);
		cr_assert_eq(h.header_bytes, sizeof(h));
		cr_assert_eq(h.frame_id, 5);
		cr_assert_eq(h.slice_count, 4);
		cr_assert_eq(h.first_column, 16 * k);
		cr_assert_eq(h.column_count, 16);
		cr_assert_eq(h.point_count, 64);
		cr_assert_eq(h.point_step, POINT);
		cr_assert_eq(h.format, LIDARD_FORMAT_XYZIRT);
		cr_assert_eq(h.seq, k);
		cr_assert_eq(h.lost_before, 0);
		cr_assert_eq(h.missing_columns, 0);
		cr_assert_eq(h.lost_packets, 0);
		cr_assert_eq(h.flags, LIDARD_SLICE_REPLAYED | LIDARD_SLICE_FIRST_BYTE_VALID |
			     LIDARD_SLICE_SENSOR_TIME_VALID | (k == 3 ? LIDARD_SLICE_LAST : 0));
		cr_assert_eq(h.sensor_clock, LIDARD_CLOCK_TAI);
		cr_assert_eq(h.clock_lock, LIDARD_CLOCK_LOCK_LOCKED);
		cr_assert_eq(h.sensor_time_ns, 1000000 + (5 * 64 + 16 * k) * COLUMN_NS);
		cr_assert_eq(h.sensor_end_time_ns, h.sensor_time_ns + 15 * COLUMN_NS);
		cr_assert_gt(h.filled_ns, h.first_byte_ns);
		expect_times(5);
	}
	expect_none();
	cr_assert_eq(source.stats.frames, 1);
	cr_assert_eq(source.stats.partial_frames, 0);
	cr_assert_eq(source.stats.packets, 8);
	cr_assert_eq(source.stats.produced, 4);
}

Test(frame_builder, a_slice_is_handed_out_with_its_last_column)
{
	build_or_fail(8);
	push(0, 0);
	expect_none();
	push(0, 1);
	take_or_fail(0);
	expect_none();
}

Test(frame_builder, the_first_slice_may_be_smaller)
{
	config.first_slice_bytes = 4 * 4 * POINT + 7;
	build_or_fail(8);
	push_range(0, 0, 8);
	take_or_fail(0);
	cr_assert_eq(h.column_count, 4);
	cr_assert_eq(h.slice_count, 5);
	take_or_fail(1);
	cr_assert_eq(h.first_column, 4);
	cr_assert_eq(h.column_count, 16);
	take_or_fail(2);
	take_or_fail(3);
	take_or_fail(4);
	cr_assert_eq(h.column_count, 12);
	cr_assert_eq(h.first_column + h.column_count, 64);
	cr_assert(h.flags & LIDARD_SLICE_LAST);
}

Test(frame_builder, a_frame_may_be_one_slice_and_a_column_too)
{
	config.slice_bytes = 1 << 20;
	build_or_fail(4);
	push_range(0, 0, 8);
	take_or_fail(0);
	cr_assert_eq(h.slice_count, 1);
	cr_assert_eq(h.point_count, 256);
	cr_assert(h.flags & LIDARD_SLICE_LAST);
	teardown();

	config.slice_bytes = 4 * POINT;
	config.loans = 100;
	build_or_fail(100);
	push_range(0, 0, 8);
	for (uint32_t k = 0; k < 64; k++) {
		take_or_fail(k);
		cr_assert_eq(h.point_count, 4);
	}
	expect_none();
}

Test(frame_builder, dual_returns_need_twice_the_room)
{
	fake.base.geometry.column_points = 8;
	fake.points = 8;
	build_or_fail(10);
	cr_assert_eq(loans.capacity_bytes, 8 * 8 * POINT);
	push_range(0, 0, 8);
	for (uint32_t k = 0; k < 8; k++) {
		take_or_fail(k);
		cr_assert_eq(h.slice_count, 8);
		cr_assert_eq(h.payload_bytes, loan->capacity_bytes);
	}
}

Test(frame_builder, slices_that_cannot_be_are_refused_with_a_sentence)
{
	config.slice_bytes = 4 * POINT - 1;
	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, 0, &b, &problem), -EINVAL);
	cr_assert(strstr(problem.text, "slice_bytes = 127") && strstr(problem.text, "128"), "%s",
		  problem.text);
	config.slice_bytes = 1 << 20;
	config.first_slice_bytes = 5;
	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, 0, &b, &problem), -EINVAL);
	cr_assert(strstr(problem.text, "first_slice_bytes = 5"), "%s", problem.text);
	config.first_slice_bytes = 0;
	config.slice_bytes = 4 * POINT;
	fake.base.geometry.frame_columns = 101;
	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, 0, &b, &problem), -EINVAL);
	cr_assert(strstr(problem.text, "101 slices") && strstr(problem.text, "slice_bytes = 256"),
		  "%s", problem.text);
	fake.base.geometry.frame_columns = 100;
	fake.base.geometry.frame_packets = 13;
	cr_assert_eq(frame_builder_new(&config, &fake.base, &source, 0, &b, &problem), 0);
}

Test(frame_builder, crc_covers_the_payload)
{
	config.crc = true;
	build_or_fail(8);
	push_range(0, 0, 2);
	take_or_fail(0);
	cr_assert(h.flags & LIDARD_SLICE_CRC_VALID);
	cr_assert_eq(h.crc32c, crc32c(0, loan->data, h.payload_bytes));
	cr_assert_eq(crc32c(0, "123456789", 9), 0xe3069283);
}

Test(frame_builder, times_far_off_saturate_and_do_not_wrap)
{
	const struct lidard_point_xyzirt *p;

	build_or_fail(8);
	push(0, 0);
	push_packet((struct fake_packet){ .place = 1, .skew_ns = -900000 });
	take_or_fail(0);
	cr_assert_eq(h.sensor_time_ns, 1000000 + 8 * COLUMN_NS - 900000);
	p = loan->data;
	cr_assert_eq(h.sensor_time_ns + p[0].time_offset_ns, 1000000);

	push(0, 2);
	push_packet((struct fake_packet){ .place = 3, .skew_ns = -20000000000 });
	take_or_fail(1);
	cr_assert_eq(h.sensor_time_ns, 1000000 + 16 * COLUMN_NS);
	p = loan->data;
	cr_assert_eq(p[63].time_offset_ns, 0);

	push(0, 4);
	push_packet((struct fake_packet){ .place = 5, .skew_ns = 20000000000 });
	take_or_fail(2);
	p = loan->data;
	cr_assert_eq(h.sensor_end_time_ns, h.sensor_time_ns + 7 * COLUMN_NS);
	cr_assert_eq(p[63].time_offset_ns, INT32_MAX);
}

Test(frame_builder, a_sensor_without_a_clock_gives_no_time)
{
	fake.base.geometry.sensor_clock = LIDARD_CLOCK_NONE;
	build_or_fail(8);
	push_range(0, 0, 2);
	take_or_fail(0);
	cr_assert_eq(h.flags & LIDARD_SLICE_SENSOR_TIME_VALID, 0);
	cr_assert_eq(h.sensor_time_ns, 0);
}

Test(frame_builder, no_points_still_make_a_slice)
{
	fake.points = 0;
	build_or_fail(8);
	push_range(0, 0, 2);
	take_or_fail(0);
	cr_assert_eq(h.point_count, 0);
	cr_assert_eq(h.missing_columns, 0);
	cr_assert(h.flags & LIDARD_SLICE_SENSOR_TIME_VALID);
}

Test(frame_builder, other_and_damaged_packets_are_counted)
{
	build_or_fail(8);
	frame_builder_push(b, "x", 1, 0);
	frame_builder_push(b, "xy", 2, 0);
	push(0, 8);
	cr_assert_eq(source.stats.ignored_packets, 1);
	cr_assert_eq(source.stats.bad_packets, 2);
	cr_assert_eq(source.stats.packets, 0);
}
