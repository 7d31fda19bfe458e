/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/summary.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static struct lidard_slice_header make_header(uint32_t index, uint32_t points)
{
	struct lidard_slice_header h = {
		.header_bytes = sizeof(h),
		.frame_id = 7,
		.incarnation = 1,
		.slice_index = index,
		.point_count = points,
		.point_step = sizeof(struct lidard_point_xyzirt),
		.payload_bytes = points * sizeof(struct lidard_point_xyzirt),
		.format = LIDARD_FORMAT_XYZIRT,
	};

	return h;
}

static struct lidard_point_xyzirt make_point(float x, float range, uint8_t return_number)
{
	struct lidard_point_xyzirt p = { .x = x, .y = -x, .z = 1, .range = range,
					 .intensity = 10, .return_number = return_number };

	return p;
}

Test(summary, adds_over_slices)
{
	const struct lidard_point_xyzirt a[] = { make_point(1, 5, 1), make_point(3, 6, 1) };
	const struct lidard_point_xyzirt b[] = { make_point(-4, 7, 1) };
	struct lidard_slice_header h = make_header(0, 2);
	struct frame_summary s;

	summary_init(&s, &h);
	summary_add(&s, &h, a, 1);
	h = make_header(1, 1);
	h.flags = LIDARD_SLICE_LAST;
	summary_add(&s, &h, b, 1);
	summary_finish(&s);
	cr_assert_eq(s.first.points, 3);
	cr_assert_eq(s.first.spans[SUMMARY_X].min, -4);
	cr_assert_eq(s.first.spans[SUMMARY_X].max, 3);
	cr_assert_eq(summary_mean(&s.first, SUMMARY_X), 0);
	cr_assert_eq(summary_mean(&s.first, SUMMARY_RANGE), 6);
	cr_assert_eq(s.slices, 2);
	cr_assert_not(s.partial);
}

Test(summary, counts_second_returns_apart)
{
	const struct lidard_point_xyzirt p[] = { make_point(1, 5, 1), make_point(9, 9, 2) };
	struct lidard_slice_header h = make_header(0, 2);
	struct frame_summary s;

	summary_init(&s, &h);
	summary_add(&s, &h, p, 1);
	cr_assert_eq(s.first.points, 1);
	cr_assert_eq(s.second_return_points, 1);
	cr_assert_eq(s.first.spans[SUMMARY_X].max, 1);
	cr_assert_eq(s.all.points, 2);
	cr_assert_eq(s.all.spans[SUMMARY_X].max, 9);
	cr_assert_eq(summary_mean(&s.all, SUMMARY_X), 5);
}

Test(summary, points_without_a_range_count_nowhere)
{
	const struct lidard_point_xyzirt p[] = { make_point(100, 0, 1), make_point(1, 5, 1),
						 make_point(200, NAN, 1) };
	struct lidard_slice_header h = make_header(0, 3);
	struct frame_summary s;

	summary_init(&s, &h);
	summary_add(&s, &h, p, 1);
	cr_assert_eq(s.all.points, 1);
	cr_assert_eq(s.all.spans[SUMMARY_X].max, 1);
}

Test(summary, the_mean_of_a_million_equal_values_is_exact)
{
	uint32_t count = 1000000, i;
	struct lidard_point_xyzirt *p = calloc(count, sizeof(*p));
	struct lidard_slice_header h = make_header(0, count);
	struct frame_summary s;

	for (i = 0; i < count; i++)
		p[i] = make_point(123.456f, 5, 1);
	summary_init(&s, &h);
	summary_add(&s, &h, p, 1);
	cr_assert_lt(fabs(summary_mean(&s.first, SUMMARY_X) - (double)123.456f), 1e-9);
	free(p);
}

Test(summary, a_frame_without_its_last_slice_is_partial)
{
	struct lidard_slice_header h = make_header(0, 0);
	struct frame_summary s;

	summary_init(&s, &h);
	summary_add(&s, &h, NULL, 1);
	summary_finish(&s);
	cr_assert(s.partial);
}

Test(summary, a_frame_that_lacks_a_slice_is_partial)
{
	struct lidard_slice_header h = make_header(2, 0);
	struct frame_summary s;

	h.flags = LIDARD_SLICE_LAST;
	h.slice_count = 3;
	summary_init(&s, &h);
	summary_add(&s, &h, NULL, 1);
	summary_finish(&s);
	cr_assert(s.partial);
}

Test(summary, time_spans_the_slices)
{
	struct lidard_slice_header h = make_header(0, 0);
	struct frame_summary s;

	h.flags = LIDARD_SLICE_SENSOR_TIME_VALID;
	h.sensor_time_ns = 1000;
	h.sensor_end_time_ns = 1900;
	summary_init(&s, &h);
	summary_add(&s, &h, NULL, 1);
	h.sensor_time_ns = 2000;
	h.sensor_end_time_ns = 2900;
	summary_add(&s, &h, NULL, 1);
	cr_assert_eq(s.first_sensor_ns, 1000);
	cr_assert_eq(s.last_sensor_ns, 2900);
}

Test(summary, losses_add_up)
{
	struct lidard_slice_header h = make_header(0, 0);
	struct frame_summary s;

	h.lost_packets = 2;
	h.missing_columns = 32;
	h.lost_before = 1;
	summary_init(&s, &h);
	summary_add(&s, &h, NULL, 1);
	summary_add(&s, &h, NULL, 1);
	cr_assert_eq(s.lost_packets, 4);
	cr_assert_eq(s.missing_columns, 64);
	cr_assert_eq(s.lost_upstream, 2);
}
