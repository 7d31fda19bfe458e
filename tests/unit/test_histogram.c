/* SPDX-License-Identifier: Apache-2.0 */
#include "common/histogram.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "common/splitmix64.h"

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

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Durations of every size: a random number of random bits. */
static void fill(uint64_t *values, size_t count, struct lidard_histogram *h)
{
	uint64_t random = 1;
	size_t i;

	for (i = 0; i < count; i++) {
		values[i] = splitmix64_next(&random) >> (28 + splitmix64_next(&random) % 36);
		histogram_add(h, values[i]);
	}
	qsort(values, count, sizeof(values[0]), compare);
}

Test(histogram, quantiles_are_within_1_6_percent_of_those_of_the_sorted_values)
{
	static struct lidard_histogram h;
	static uint64_t values[100000];
	const size_t count = sizeof(values) / sizeof(values[0]);
	size_t i;

	fill(values, count, &h);
	for (i = 0; i < 1000; i++) {
		double exact = (double)values[i * count / 1000];
		double found = (double)histogram_quantile_ns(&h, (double)i / 1000);

		cr_assert(fabs(found - exact) <= exact / 64, "quantile %zu/1000: %g, exact %g", i,
			  found, exact);
	}
	cr_assert_eq(histogram_quantile_ns(&h, 1.0), values[count - 1]);
	cr_assert_eq(h.max_ns, values[count - 1]);
	cr_assert_eq(h.count, count);
}

Test(histogram, a_quantile_is_never_more_than_the_largest_value)
{
	static struct lidard_histogram h;

	histogram_add(&h, 1000000);
	/* its bucket's middle is 1007615 */
	cr_assert_eq(histogram_quantile_ns(&h, 0.5), 1000000);
}

Test(histogram, an_empty_one_has_quantile_zero)
{
	static struct lidard_histogram h;

	cr_assert_eq(histogram_quantile_ns(&h, 0.99), 0);
}

Test(histogram, what_is_merged_adds_up_even_while_the_writer_is_at_it)
{
	static struct lidard_histogram h, sum;
	uint64_t in_buckets = 0;
	unsigned int i;

	histogram_add(&h, 100);
	histogram_add(&h, 5000);
	h.buckets[histogram_bucket(7000)]++; /* the next: not yet in the count */
	histogram_merge(&sum, &h);
	histogram_merge(&sum, &h);
	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++)
		in_buckets += sum.buckets[i];
	cr_assert_eq(in_buckets, 6);
	cr_assert_eq(sum.count, in_buckets);
	cr_assert_eq(sum.sum_ns, 2 * 5100);
	cr_assert_eq(sum.max_ns, 5000);
}
