/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions between TAI and UTC, at the borders where they differ, and dates. */
#include "decoder/time_scale.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <time.h>

#define NS 1000000000ll
/** 2017-01-01 00:00:00 UTC, right after the leap second of 2016-12-31. */
#define AFTER_S 1483228800ll

static int64_t to_tai(int64_t utc_ns)
{
	int64_t tai_ns = 0;

	cr_assert_eq(time_scale_utc_to_tai(utc_ns, &tai_ns), 0);
	return tai_ns;
}

static int64_t to_utc(int64_t tai_ns, int wanted)
{
	int64_t utc_ns = 0;

	cr_expect_eq(time_scale_tai_to_utc(tai_ns, &utc_ns), wanted, "at %ld", tai_ns);
	return utc_ns;
}

Test(time_scale, tai_is_37_s_ahead_since_2017_and_36_s_before)
{
	cr_expect_eq(time_scale_leap_s(AFTER_S - 1), 36);
	cr_expect_eq(time_scale_leap_s(AFTER_S), 37);
	cr_expect_eq(time_scale_leap_s(1700000000), 37);
	cr_expect_eq(to_tai(1700000000 * NS + 5), 1700000037 * NS + 5);
}

Test(time_scale, the_leap_second_of_2016_is_a_second_of_tai_and_repeats_one_of_utc)
{
	const int64_t before = to_tai((AFTER_S - 1) * NS), after = to_tai(AFTER_S * NS);

	cr_expect_eq(after - before, 2 * NS);
	cr_expect_eq(to_utc(before + NS / 2, 0), (AFTER_S - 1) * NS + NS / 2);
	cr_expect_eq(to_utc(before + NS, 1), (AFTER_S - 1) * NS);
	cr_expect_eq(to_utc(after - 1, 1), AFTER_S * NS - 1);
	cr_expect_eq(to_utc(after, 0), AFTER_S * NS);
}

Test(time_scale, there_and_back_is_the_same_at_every_leap_second)
{
	int64_t utc_s, last = 10;
	unsigned int changes = 0;

	for (utc_s = TIME_SCALE_BEGINS_S; utc_s < TIME_SCALE_EXPIRES_S; utc_s += 86400) {
		cr_expect_eq(to_utc(to_tai(utc_s * NS), 0), utc_s * NS);
		cr_expect_eq(to_utc(to_tai(utc_s * NS + NS - 1), 0), utc_s * NS + NS - 1);
		cr_expect(utc_s == TIME_SCALE_BEGINS_S ||
			  to_utc(to_tai(utc_s * NS - 1), 0) == utc_s * NS - 1);
		changes += time_scale_leap_s(utc_s) != last;
		last = time_scale_leap_s(utc_s);
	}
	cr_expect_eq(changes, 27);
	cr_expect_eq(last, 37);
}

Test(time_scale, what_lies_before_1972_or_beyond_the_range_is_refused)
{
	int64_t ns = 7;

	cr_expect_eq(time_scale_utc_to_tai(TIME_SCALE_BEGINS_S * NS - 1, &ns), -ERANGE);
	cr_expect_eq(time_scale_utc_to_tai(INT64_MAX, &ns), -ERANGE);
	cr_expect_eq(time_scale_tai_to_utc((TIME_SCALE_BEGINS_S + 10) * NS - 1, &ns), -ERANGE);
	cr_expect_eq(time_scale_tai_to_utc(-1, &ns), -ERANGE);
	cr_expect_eq(time_scale_leap_s(TIME_SCALE_BEGINS_S - 1), 0);
	cr_expect_eq(time_scale_utc_to_tai(TIME_SCALE_BEGINS_S * NS, &ns), 0);
	cr_expect_eq(ns, (TIME_SCALE_BEGINS_S + 10) * NS);
}

Test(time_scale, the_table_says_until_when_it_knows)
{
	cr_expect(time_scale_is_announced(TIME_SCALE_EXPIRES_S - 1));
	cr_expect_not(time_scale_is_announced(TIME_SCALE_EXPIRES_S));
	cr_expect_not(time_scale_is_announced(0));
	cr_expect_eq(time_scale_leap_s(TIME_SCALE_EXPIRES_S + 1), 37);
}

Test(time_scale, the_kernel_is_believed_only_if_somebody_told_it)
{
	struct timespec tai, utc;
	int leap_s = time_scale_ask_kernel_s();

	clock_gettime(CLOCK_TAI, &tai);
	clock_gettime(CLOCK_REALTIME, &utc);
	if (tai.tv_sec - utc.tv_sec < 9)
		cr_expect_eq(leap_s, 0);
	else
		cr_expect_leq(labs(tai.tv_sec - utc.tv_sec - leap_s), 1);
}

Test(time_scale, dates_are_those_of_the_calendar)
{
	int64_t days, year;
	unsigned int month, day;
	struct tm tm;
	time_t t;

	for (days = -25000; days < 60000; days++) {
		t = days * 86400;
		gmtime_r(&t, &tm);
		time_date_of_days(days, &year, &month, &day);
		cr_assert_eq(year, tm.tm_year + 1900, "day %ld", days);
		cr_assert_eq(month, tm.tm_mon + 1u);
		cr_assert_eq(day, (unsigned int)tm.tm_mday);
		cr_assert_eq(time_days_of_date(year, month, day), days);
	}
}
