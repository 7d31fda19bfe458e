/* SPDX-License-Identifier: Apache-2.0 */
#include "common/histogram.h"

#include <criterion/criterion.h>
#include <string.h>

Test(histogram, every_bucket_floor_falls_into_its_bucket)
{
	unsigned int i;

	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++)
		cr_assert_eq(histogram_bucket(histogram_bucket_floor_ns(i)), i, "bucket %u", i);
}

Test(histogram, a_value_just_below_a_floor_belongs_to_the_bucket_before)
{
	unsigned int i;

	for (i = 1; i < LIDARD_HISTOGRAM_BUCKETS; i++)
		cr_assert_eq(histogram_bucket(histogram_bucket_floor_ns(i) - 1), i - 1);
}

Test(histogram, values_beyond_the_limit_fall_into_the_last_bucket)
{
	cr_assert_eq(histogram_bucket(LIDARD_HISTOGRAM_LIMIT_NS), LIDARD_HISTOGRAM_BUCKETS - 1);
	cr_assert_eq(histogram_bucket(UINT64_MAX), LIDARD_HISTOGRAM_BUCKETS - 1);
}

Test(histogram, quantiles_are_within_a_bucket_of_the_true_value)
{
	static struct lidard_histogram h;
	uint64_t v;

	for (v = 1; v <= 100000; v++)
		histogram_add(&h, v);
	cr_assert_eq(h.count, 100000);
	cr_assert_eq(h.max_ns, 100000);
	v = histogram_quantile_ns(&h, 0.5);
	cr_assert(v >= 50000 && v <= 50000 * 17 / 16, "median %lu", v);
	v = histogram_quantile_ns(&h, 0.99);
	cr_assert(v >= 99000 && v <= 100000, "p99 %lu", v);
	cr_assert_eq(histogram_quantile_ns(&h, 1.0), 100000);
}

Test(histogram, an_empty_one_has_quantile_zero)
{
	static struct lidard_histogram h;

	cr_assert_eq(histogram_quantile_ns(&h, 0.99), 0);
}
