/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/device_desc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define SLOT_BYTES 65536
#define POINT      ((uint32_t)sizeof(struct lidard_point_xyzirt))

static struct device_stream stream;
static struct lidard_point_xyzirt points[SLOT_BYTES / sizeof(struct lidard_point_xyzirt)];
static struct lidard_slice_header header;
static struct problem problem;

static void begin(void)
{
	device_stream_init(&stream, SLOT_BYTES, LIDARD_FORMAT_XYZIRT, 1000000000);
}

TestSuite(device_desc, .init = begin);

static struct lidar_ring_desc slice(uint64_t seq, uint32_t frame, uint16_t index, uint16_t count)
{
	return (struct lidar_ring_desc){
		.bytes = 10 * POINT,
		.flags = LIDAR_RING_DESC_FRAME | LIDAR_RING_DESC_LAST_NS,
		.seq = seq,
		.last_byte_ns = 1000 + seq,
		.frame_id = frame,
		.slice_index = index,
		.slice_count = count,
	};
}

static int accept(const struct lidar_ring_desc *d)
{
	memset(&header, 0, sizeof(header));
	problem.text[0] = '\0';
	return device_stream_accept(&stream, d, points, &header, &problem);
}

static void accept_or_fail(struct lidar_ring_desc d)
{
	cr_assert_eq(accept(&d), 0, "%s", problem.text);
}

static void refuse(struct lidar_ring_desc d, const char *why)
{
	cr_assert_eq(accept(&d), -EPROTO);
	cr_assert(strstr(problem.text, why), "\"%s\" is not in: %s", why, problem.text);
}

Test(device_desc, a_slice_of_points_is_described)
{
	struct lidar_ring_desc d = slice(0, 7, 1, 4);

	d.flags |= LIDAR_RING_DESC_FIRST_NS | LIDAR_RING_DESC_TICKS | LIDAR_RING_DESC_CRC;
	d.first_byte_ns = 900;
	d.device_ticks = 5000;
	d.crc32c = 0x12345678;
	points[9].time_offset_ns = 70;
	accept_or_fail(d);
	cr_assert_eq(header.header_bytes, sizeof(header));
	cr_assert_eq(header.format, LIDARD_FORMAT_XYZIRT);
	cr_assert_eq(header.point_count, 10);
	cr_assert_eq(header.point_step, POINT);
	cr_assert_eq(header.payload_bytes, 10 * POINT);
	cr_assert_eq(header.frame_id, 7);
	cr_assert_eq(header.slice_index, 1);
	cr_assert_eq(header.slice_count, 4);
	cr_assert_eq(header.first_byte_ns, 900);
	cr_assert_eq(header.filled_ns, 1000);
	cr_assert_eq(header.crc32c, 0x12345678);
	cr_assert_eq(header.sensor_clock, LIDARD_CLOCK_SENSOR_BOOT);
	cr_assert_eq(header.sensor_time_ns, 5000);
	cr_assert_eq(header.sensor_end_time_ns, 5070);
	cr_assert_eq(header.flags, LIDARD_SLICE_FIRST_BYTE_VALID | LIDARD_SLICE_CRC_VALID |
					   LIDARD_SLICE_SENSOR_TIME_VALID);
}

Test(device_desc, packets_are_bytes)
{
	struct lidar_ring_desc d = slice(0, 0, 0, 4);

	device_stream_init(&stream, SLOT_BYTES, LIDARD_FORMAT_RAW, 0);
	d.bytes = 4711;
	accept_or_fail(d);
	cr_assert_eq(header.format, LIDARD_FORMAT_RAW);
	cr_assert_eq(header.payload_bytes, 4711);
	cr_assert_eq(header.point_count, 0);
	cr_assert_eq(header.point_step, 0);
	cr_assert_eq(header.flags, 0);
}

Test(device_desc, what_the_device_does_not_know_stays_unknown)
{
	struct lidar_ring_desc d = slice(0, 0, 0, 4);

	d.flags = LIDAR_RING_DESC_FRAME;
	d.first_byte_ns = d.last_byte_ns = d.device_ticks = d.crc32c = 99;
	accept_or_fail(d);
	cr_assert_eq(header.flags, 0);
	cr_assert_eq(header.first_byte_ns, 0);
	cr_assert_eq(header.filled_ns, 0);
	cr_assert_eq(header.sensor_time_ns, 0);
	cr_assert_eq(header.crc32c, 0);
}

Test(device_desc, a_device_without_a_clock_gives_no_sensor_time)
{
	struct lidar_ring_desc d = slice(0, 0, 0, 4);

	device_stream_init(&stream, SLOT_BYTES, LIDARD_FORMAT_XYZIRT, 0);
	d.flags |= LIDAR_RING_DESC_TICKS;
	d.device_ticks = 99;
	accept_or_fail(d);
	cr_assert_eq(header.sensor_clock, LIDARD_CLOCK_NONE);
	cr_assert_eq(header.sensor_time_ns, 0);
}

Test(device_desc, a_step_of_its_clock_is_counted)
{
	struct lidar_ring_desc d = slice(0, 0, 0, 4);

	d.flags |= LIDAR_RING_DESC_TICKS;
	accept_or_fail(d);
	cr_assert_eq(stream.clock_steps, 0);
	d = slice(1, 0, 1, 4);
	d.flags |= LIDAR_RING_DESC_TICKS | LIDAR_RING_DESC_CLOCK_STEP;
	accept_or_fail(d);
	cr_assert_eq(stream.clock_steps, 1);
}

Test(device_desc, ticks_become_nanoseconds_without_overflow)
{
	struct lidar_ring_desc d = slice(0, 0, 0, 4);

	device_stream_init(&stream, SLOT_BYTES, LIDARD_FORMAT_XYZIRT, 100000000);
	d.flags |= LIDAR_RING_DESC_TICKS;
	d.device_ticks = 1000000000000000000;
	accept_or_fail(d);
	cr_assert_eq(header.sensor_time_ns, 10000000000000000000ull);
	d.seq = 1;
	d.slice_index = 1;
	d.device_ticks = UINT64_MAX;
	accept_or_fail(d);
	cr_assert_eq(header.flags & LIDARD_SLICE_SENSOR_TIME_VALID, 0);
	cr_assert_eq(header.sensor_time_ns, 0);
}

Test(device_desc, a_first_byte_after_the_last_is_not_believed)
{
	struct lidar_ring_desc d = slice(0, 0, 0, 4);

	d.flags |= LIDAR_RING_DESC_FIRST_NS;
	d.first_byte_ns = d.last_byte_ns + 1;
	accept_or_fail(d);
	cr_assert_eq(header.flags & LIDARD_SLICE_FIRST_BYTE_VALID, 0);
	cr_assert_eq(header.first_byte_ns, 0);
}

Test(device_desc, half_a_point_at_the_end_is_left_out_and_the_checksum_with_it)
{
	struct lidar_ring_desc d = slice(0, 0, 0, 4);

	d.bytes = 3 * POINT + 5;
	d.flags |= LIDAR_RING_DESC_CRC;
	d.crc32c = 1;
	accept_or_fail(d);
	cr_assert_eq(header.point_count, 3);
	cr_assert_eq(header.payload_bytes, 3 * POINT);
	cr_assert_eq(header.flags, LIDARD_SLICE_PARTIAL);
	cr_assert_eq(header.crc32c, 0);
}

Test(device_desc, a_slice_may_be_empty)
{
	struct lidar_ring_desc d = slice(0, 0, 0, 4);

	d.bytes = 0;
	d.flags |= LIDAR_RING_DESC_TICKS;
	accept_or_fail(d);
	cr_assert_eq(header.point_count, 0);
	cr_assert_eq(header.sensor_end_time_ns, header.sensor_time_ns);
}

Test(device_desc, more_bytes_than_the_slot_has_are_refused)
{
	struct lidar_ring_desc d = slice(0, 0, 0, 4);

	d.bytes = SLOT_BYTES;
	accept_or_fail(d);
	d.seq = 1;
	d.slice_index = 1;
	d.bytes = SLOT_BYTES + 1;
	refuse(d, "65537 bytes");
	d.bytes = UINT32_MAX;
	refuse(d, "bytes");
}

Test(device_desc, a_gap_is_a_loss_and_its_size_is_known)
{
	accept_or_fail(slice(2, 0, 2, 4));
	cr_assert_eq(header.seq, 2);
	cr_assert_eq(header.lost_before, 2);
	accept_or_fail(slice(3, 0, 3, 4));
	cr_assert_eq(header.lost_before, 0);
	accept_or_fail(slice(1000003, 5, 0, 4));
	cr_assert_eq(header.lost_before, 999999);
}

Test(device_desc, what_the_descriptor_says_of_losses_does_not_count_the_numbers_do)
{
	struct lidar_ring_desc d = slice(3, 0, 0, 4);

	d.lost_before = 77;
	accept_or_fail(d);
	cr_assert_eq(header.lost_before, 3);
}

Test(device_desc, a_dropped_slice_shows_in_the_next_one)
{
	accept_or_fail(slice(0, 0, 0, 4));
	accept_or_fail(slice(2, 0, 2, 4));
	device_stream_drop(&stream, &header);
	accept_or_fail(slice(3, 0, 3, 4));
	cr_assert_eq(header.lost_before, 2);
	cr_assert(header.flags & LIDARD_FRAME_PARTIAL);
	accept_or_fail(slice(4, 1, 0, 4));
	cr_assert_eq(header.lost_before, 0);
}

Test(device_desc, a_number_that_goes_back_or_has_none_after_it_is_refused)
{
	accept_or_fail(slice(5, 0, 0, 4));
	refuse(slice(5, 0, 1, 4), "slice 5 came where 6");
	refuse(slice(0, 0, 1, 4), "slice 0 came");
	refuse(slice(UINT64_MAX, 0, 1, 4), "impossible");
	accept_or_fail(slice(6, 0, 1, 4));
}

Test(device_desc, the_last_slice_is_flagged_however_the_device_says_so)
{
	struct lidar_ring_desc d = slice(0, 0, 3, 4);

	accept_or_fail(d);
	cr_assert(header.flags & LIDARD_SLICE_LAST);
	d = slice(1, 1, 1, 0);
	accept_or_fail(d);
	cr_assert_not(header.flags & LIDARD_SLICE_LAST);
	cr_assert_eq(header.slice_count, 0);
	d = slice(2, 1, 2, 0);
	d.flags |= LIDAR_RING_DESC_LAST;
	accept_or_fail(d);
	cr_assert(header.flags & LIDARD_SLICE_LAST);
	cr_assert_eq(header.slice_count, 3);
}

Test(device_desc, frames_are_counted_and_those_that_lack_slices_too)
{
	accept_or_fail(slice(0, 0, 0, 2));
	accept_or_fail(slice(1, 0, 1, 2));
	cr_assert_not(header.flags & LIDARD_FRAME_PARTIAL);
	cr_assert_eq(stream.frames, 1);
	cr_assert_eq(stream.partial_frames, 0);
	/* lacks its first */
	accept_or_fail(slice(3, 1, 1, 2));
	cr_assert(header.flags & LIDARD_FRAME_PARTIAL);
	cr_assert_eq(stream.frames, 2);
	cr_assert_eq(stream.partial_frames, 1);
	/* lacks its last */
	accept_or_fail(slice(4, 2, 0, 2));
	accept_or_fail(slice(6, 3, 0, 2));
	cr_assert_eq(stream.frames, 3);
	cr_assert_eq(stream.partial_frames, 2);
	accept_or_fail(slice(7, 3, 1, 2));
	cr_assert_not(header.flags & LIDARD_FRAME_PARTIAL);
	cr_assert_eq(stream.frames, 4);
	cr_assert_eq(stream.partial_frames, 2);
	/* whole, but its last is not handed out */
	accept_or_fail(slice(8, 4, 0, 2));
	accept_or_fail(slice(9, 4, 1, 2));
	device_stream_drop(&stream, &header);
	cr_assert_eq(stream.partial_frames, 3);
}

Test(device_desc, a_short_slice_makes_slice_and_frame_partial)
{
	struct lidar_ring_desc d = slice(0, 0, 0, 2);

	d.flags |= LIDAR_RING_DESC_SHORT;
	accept_or_fail(d);
	cr_assert(header.flags & LIDARD_SLICE_PARTIAL);
	accept_or_fail(slice(1, 0, 1, 2));
	cr_assert_not(header.flags & LIDARD_SLICE_PARTIAL);
	cr_assert(header.flags & LIDARD_FRAME_PARTIAL);
}

Test(device_desc, frame_numbers_wrap_in_the_descriptor_only)
{
	accept_or_fail(slice(0, UINT32_MAX, 0, 1));
	cr_assert_eq(header.frame_id, UINT32_MAX);
	accept_or_fail(slice(1, 0, 0, 1));
	cr_assert_eq(header.frame_id, 0x100000000ull);
	accept_or_fail(slice(2, 5, 0, 1));
	cr_assert_eq(header.frame_id, 0x100000005ull);
}

Test(device_desc, frames_and_slices_that_go_back_are_refused)
{
	accept_or_fail(slice(0, 10, 2, 4));
	refuse(slice(1, 9, 3, 4), "frame 9 came after frame 10");
	refuse(slice(1, 10, 2, 4), "slice 2 of frame 10 came after");
	refuse(slice(1, 10, 0, 4), "slice 0 of frame 10 came after");
	accept_or_fail(slice(1, 10, 3, 4));
}

Test(device_desc, a_frame_is_over_with_its_last_slice)
{
	accept_or_fail(slice(0, 10, 0, 1));
	refuse(slice(1, 10, 1, 4), "slice 1 of frame 10 came after its last, 0");
	/* nor do its books suffer if it were dropped */
	accept_or_fail(slice(1, 11, 0, 4));
	device_stream_drop(&stream, &header);
	cr_assert_eq(stream.frames, 1);
	cr_assert_eq(stream.partial_frames, 0);
}

Test(device_desc, impossible_places_are_refused)
{
	struct lidar_ring_desc d = slice(0, 0, 1, 4);

	refuse(slice(0, 0, 4, 4), "slice 4 of a frame of 4");
	refuse(slice(0, 0, LIDARD_FRAME_SLICES_MAX, 0), "slice_bytes");
	refuse(slice(0, 0, 0, LIDARD_FRAME_SLICES_MAX + 1), "slice_bytes");
	d.flags |= LIDAR_RING_DESC_LAST;
	refuse(d, "slice 1 of 4 the last");
	accept_or_fail(slice(0, 0, LIDARD_FRAME_SLICES_MAX - 1, LIDARD_FRAME_SLICES_MAX));
}

Test(device_desc, without_frame_numbers_each_slice_is_a_frame)
{
	struct lidar_ring_desc d = slice(0, 77, 66, 55);

	d.flags &= ~LIDAR_RING_DESC_FRAME;
	accept_or_fail(d);
	cr_assert_eq(header.frame_id, 0);
	cr_assert_eq(header.slice_index, 0);
	cr_assert_eq(header.slice_count, 1);
	cr_assert_eq(header.flags, LIDARD_SLICE_LAST);
	d.seq = 3;
	accept_or_fail(d);
	cr_assert_eq(header.frame_id, 3);
	cr_assert_eq(header.lost_before, 2);
	cr_assert_eq(header.flags, LIDARD_SLICE_LAST);
	cr_assert_eq(stream.frames, 2);
}

Test(device_desc, a_device_either_numbers_frames_or_does_not)
{
	struct lidar_ring_desc d = slice(1, 0, 1, 4);

	accept_or_fail(slice(0, 0, 0, 4));
	d.flags &= ~LIDAR_RING_DESC_FRAME;
	refuse(d, "does not say which frame");
	begin();
	d.seq = 0;
	accept_or_fail(d);
	refuse(slice(1, 0, 0, 4), "says which frame");
}

Test(device_desc, what_is_refused_changes_nothing)
{
	struct device_stream before;

	accept_or_fail(slice(0, 1, 0, 4));
	before = stream;
	refuse(slice(1, 0, 0, 4), "frame 0");
	cr_assert_eq(memcmp(&before, &stream, sizeof(stream)), 0);
}
