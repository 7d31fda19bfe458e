/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time_scale.h - TAI, UTC, GPS time, and dates: the one place that converts them
 *
 * All in nanoseconds or seconds since 1970-01-01 00:00:00 of the scale itself.
 * UTC is POSIX time: leap seconds are not counted, so TAI runs ahead of it by
 * 10 s in 1972 and by 37 s since 2017.  GPS time counts as TAI does and stays
 * 19 s behind it.
 *
 * The leap seconds are compiled in.  IERS announces them half a year ahead, so
 * the table knows of none after TIME_SCALE_EXPIRES_S; from then on the last
 * offset is taken to hold, and time_scale_is_announced() says no.  A kernel
 * whose TAI offset somebody has set (ntp_adjtime(3)) knows better: where it is 0
 * nobody has, and CLOCK_TAI shows UTC.
 *
 * Pure, but for time_scale_ask_kernel_s().
 */
#ifndef DECODER_TIME_SCALE_H
#define DECODER_TIME_SCALE_H

#include <stdbool.h>
#include <stdint.h>

/** TAI - GPS time, always. */
#define TIME_SCALE_GPS_S 19
/** 2026-06-28, POSIX: until then the table knows all leap seconds (IERS Bulletin C). */
#define TIME_SCALE_EXPIRES_S 1782604800ll
/** 1972-01-01, POSIX: before that TAI - UTC was not whole seconds. */
#define TIME_SCALE_BEGINS_S 63072000ll

/** What a sensor's clock is meant to be: sensor_clock = of lidard.conf. */
enum time_choice {
	/** What metadata and packets say. */
	TIME_CHOICE_AUTO,
	TIME_CHOICE_TAI,
	TIME_CHOICE_UTC,
	/** Follows a PTP master: TAI by the standard, but masters differ. */
	TIME_CHOICE_PTP,
	/** Follows the PPS and NMEA of a GPS receiver. */
	TIME_CHOICE_GPS,
	/** Since it was switched on, or any other epoch of its own. */
	TIME_CHOICE_BOOT,
	/** Of the hour. */
	TIME_CHOICE_HOUR,
	TIME_CHOICE_COUNT,
};

/** A set of choices. */
#define TIME_CHOICES(choice) (1u << (choice))
/** What a format with dates or seconds can carry: anything but the time of the hour. */
#define TIME_CHOICES_OF_DATES                                                \
	(TIME_CHOICES(TIME_CHOICE_TAI) | TIME_CHOICES(TIME_CHOICE_UTC) |     \
	 TIME_CHOICES(TIME_CHOICE_PTP) | TIME_CHOICES(TIME_CHOICE_GPS) |     \
	 TIME_CHOICES(TIME_CHOICE_BOOT))

/** "auto", "tai", "utc", "ptp", "gps", "boot", "hour", NULL: names of the choices, in order. */
extern const char *const time_choice_names[TIME_CHOICE_COUNT + 1];

/** "none", "boot", "tai", "utc", "phc", "monotonic", "hour": enum lidard_sensor_clock. */
const char *time_clock_name(unsigned int clock);

/** "unknown", "free running", "locked": enum lidard_clock_lock. */
const char *time_lock_name(unsigned int lock);

/** time_scale_leap_s() - TAI - UTC at this UTC, as the table has it. Return: 0 before 1972. */
int time_scale_leap_s(int64_t utc_s);

/** Does the table know all leap seconds up to this UTC? */
bool time_scale_is_announced(int64_t utc_s);

/**
 * time_scale_utc_to_tai() - also where the table has expired
 *
 * Of the two seconds that have the same POSIX time the second one is meant.
 * Return: 0; -ERANGE before 1972 or beyond the range.
 */
int time_scale_utc_to_tai(int64_t utc_ns, int64_t *ret_tai_ns);

/**
 * time_scale_tai_to_utc() - also where the table has expired
 *
 * Return: 0; 1 within a leap second, which repeats the POSIX time of the second
 * before it, as Linux does; -ERANGE before 1972.
 */
int time_scale_tai_to_utc(int64_t tai_ns, int64_t *ret_utc_ns);

/** time_scale_ask_kernel_s() - TAI - UTC by the kernel. Return: 0 if nobody told it. */
int time_scale_ask_kernel_s(void);

/** Days since 1970-01-01 of a date of the Gregorian calendar. */
int64_t time_days_of_date(int64_t year, unsigned int month, unsigned int day);
/** The date of so many days since 1970-01-01. */
void time_date_of_days(int64_t days, int64_t *ret_year, unsigned int *ret_month,
		       unsigned int *ret_day);

#endif /* DECODER_TIME_SCALE_H */
