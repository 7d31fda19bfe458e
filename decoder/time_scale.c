/* SPDX-License-Identifier: Apache-2.0 */
/* time_scale.c - see time_scale.h */
#include "decoder/time_scale.h"

#include <errno.h>
#include <stddef.h>

#include "common/clock.h"
#include "lidard/frame.h"

#define NS ((int64_t)NSEC_PER_SEC)
/** What a kernel may claim TAI - UTC to be. */
#define LEAP_MIN_S 10
#define LEAP_MAX_S 100

/** From utc_s on, TAI - UTC is tai_utc_s. */
static const struct {
	int64_t utc_s;
	int tai_utc_s;
} leaps[] = {
	{ TIME_SCALE_BEGINS_S, 10 },
	{ 78796800, 11 },    /* 1972-07-01 */
	{ 94694400, 12 },    /* 1973-01-01 */
	{ 126230400, 13 },   /* 1974-01-01 */
	{ 157766400, 14 },   /* 1975-01-01 */
	{ 189302400, 15 },   /* 1976-01-01 */
	{ 220924800, 16 },   /* 1977-01-01 */
	{ 252460800, 17 },   /* 1978-01-01 */
	{ 283996800, 18 },   /* 1979-01-01 */
	{ 315532800, 19 },   /* 1980-01-01 */
	{ 362793600, 20 },   /* 1981-07-01 */
	{ 394329600, 21 },   /* 1982-07-01 */
	{ 425865600, 22 },   /* 1983-07-01 */
	{ 489024000, 23 },   /* 1985-07-01 */
	{ 567993600, 24 },   /* 1988-01-01 */
	{ 631152000, 25 },   /* 1990-01-01 */
	{ 662688000, 26 },   /* 1991-01-01 */
	{ 709948800, 27 },   /* 1992-07-01 */
	{ 741484800, 28 },   /* 1993-07-01 */
	{ 773020800, 29 },   /* 1994-07-01 */
	{ 820454400, 30 },   /* 1996-01-01 */
	{ 867715200, 31 },   /* 1997-07-01 */
	{ 915148800, 32 },   /* 1999-01-01 */
	{ 1136073600, 33 },  /* 2006-01-01 */
	{ 1230768000, 34 },  /* 2009-01-01 */
	{ 1341100800, 35 },  /* 2012-07-01 */
	{ 1435708800, 36 },  /* 2015-07-01 */
	{ 1483228800, 37 },  /* 2017-01-01 */
};

#define LEAPS (sizeof(leaps) / sizeof(leaps[0]))

const char *const time_choice_names[TIME_CHOICE_COUNT + 1] = {
	[TIME_CHOICE_AUTO] = "auto", [TIME_CHOICE_TAI] = "tai",	    [TIME_CHOICE_UTC] = "utc",
	[TIME_CHOICE_PTP] = "ptp",   [TIME_CHOICE_GPS] = "gps",	    [TIME_CHOICE_BOOT] = "boot",
	[TIME_CHOICE_HOUR] = "hour", [TIME_CHOICE_COUNT] = NULL,
};

const char *time_clock_name(unsigned int clock)
{
	static const char *const names[] = {
		[LIDARD_CLOCK_NONE] = "none", [LIDARD_CLOCK_SENSOR_BOOT] = "boot",
		[LIDARD_CLOCK_TAI] = "tai",   [LIDARD_CLOCK_UTC] = "utc",
		[LIDARD_CLOCK_PHC] = "phc",   [LIDARD_CLOCK_MONOTONIC] = "monotonic",
		[LIDARD_CLOCK_HOUR] = "hour",
	};

	return clock < sizeof(names) / sizeof(names[0]) ? names[clock] : "";
}

const char *time_lock_name(unsigned int lock)
{
	static const char *const names[] = {
		[LIDARD_CLOCK_LOCK_UNKNOWN] = "unknown",
		[LIDARD_CLOCK_LOCK_FREE_RUNNING] = "free running",
		[LIDARD_CLOCK_LOCK_LOCKED] = "locked",
	};

	return lock < sizeof(names) / sizeof(names[0]) ? names[lock] : "";
}

/* --- leap seconds --- */

int time_scale_leap_s(int64_t utc_s)
{
	size_t i = LEAPS;

	while (i > 0 && utc_s < leaps[i - 1].utc_s)
		i--;
	return i > 0 ? leaps[i - 1].tai_utc_s : 0;
}

bool time_scale_is_announced(int64_t utc_s)
{
	return utc_s >= TIME_SCALE_BEGINS_S && utc_s < TIME_SCALE_EXPIRES_S;
}

int time_scale_utc_to_tai(int64_t utc_ns, int64_t *ret_tai_ns)
{
	if (utc_ns < TIME_SCALE_BEGINS_S * NS)
		return -ERANGE;
	if (__builtin_add_overflow(utc_ns, time_scale_leap_s(utc_ns / NS) * NS, ret_tai_ns))
		return -ERANGE;
	return 0;
}

int time_scale_tai_to_utc(int64_t tai_ns, int64_t *ret_utc_ns)
{
	const int64_t tai_s = tai_ns / NS;
	size_t i = LEAPS;

	while (i > 0 && tai_s < leaps[i - 1].utc_s + leaps[i - 1].tai_utc_s)
		i--;
	if (tai_ns < 0 || i == 0)
		return -ERANGE;
	*ret_utc_ns = tai_ns - leaps[i - 1].tai_utc_s * NS;
	/* the second that was inserted: the old offset leads into the new one's time */
	if (i < LEAPS && *ret_utc_ns >= leaps[i].utc_s * NS) {
		*ret_utc_ns -= NS;
		return 1;
	}
	return 0;
}

/* Neither call enters the kernel, so a service that may not touch clocks can ask, too. */
int time_scale_ask_kernel_s(void)
{
	const int64_t tai_ns = (int64_t)clock_read_ns(CLOCK_TAI);
	const int64_t ahead_ns = tai_ns - (int64_t)clock_read_ns(CLOCK_REALTIME);

	/* UTC was read a little later */
	if (ahead_ns < (LEAP_MIN_S - 1) * NS || ahead_ns > LEAP_MAX_S * NS)
		return 0;
	return (int)((ahead_ns + NS / 2) / NS);
}

/* --- dates --- */

/* A year counted from March has its odd day last. */
int64_t time_days_of_date(int64_t year, unsigned int month, unsigned int day)
{
	const int64_t y = month > 2 ? year : year - 1;
	const unsigned int from_march = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * from_march + 2) / 5 + day - 1 - 719468;
}

void time_date_of_days(int64_t days, int64_t *ret_year, unsigned int *ret_month,
		       unsigned int *ret_day)
{
	/* not too late: years are shorter than 366 days after 1970, and longer than 365 before */
	int64_t year = 1970 + (days < 0 ? days / 365 - 1 : days / 366);
	unsigned int month = 12;

	while (time_days_of_date(year + 1, 1, 1) <= days)
		year++;
	while (month > 1 && time_days_of_date(year, month, 1) > days)
		month--;
	*ret_year = year;
	*ret_month = month;
	*ret_day = (unsigned int)(days - time_days_of_date(year, month, 1)) + 1;
}
