/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sensor_clock.c makes of sensors whose clocks are right, wrong, stepped or lost: packets of
 * a made-up one, a millisecond apart, that arrive half a millisecond after they were fired.
 */
#include "daemon/sensor_clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define NS 1000000000ll
#define MS 1000000ll
#define TRAVEL_NS (MS / 2)
#define HOUR_NS (3600 * NS)
/** 2023-11-14 22:13:20 UTC, and what the machine has been up by then. */
#define NOW_NS (1700000000 * NS)
#define UP_NS (5000 * NS)
/** 2017-01-01 00:00:00 UTC */
#define NEW_YEAR_NS (1483228800 * NS)

static struct sensor_clock c;
static struct decoder_geometry geometry;
static struct problem problem;
static struct lidard_slice_header h;
/** True UTC at the sensor, and CLOCK_MONOTONIC. */
static int64_t utc_ns, up_ns;
static unsigned int notices;
static char last_notice[PROBLEM_TEXT_MAX];

static void setup(void)
{
	memset(&c, 0, sizeof(c));
	memset(&geometry, 0, sizeof(geometry));
	geometry.sensor_clock = LIDARD_CLOCK_TAI;
	utc_ns = NOW_NS;
	up_ns = UP_NS;
	notices = 0;
}

TestSuite(sensor_clock, .init = setup);

static void begin(enum time_choice choice)
{
	cr_assert_eq(sensor_clock_init(&c, choice, &geometry, false, &problem), 0, "%s",
		     problem.text);
}

static void begin_as(uint8_t clock)
{
	geometry.sensor_clock = clock;
	begin(TIME_CHOICE_AUTO);
}

/* One packet, fired at @ahead_ns from UTC by the sensor's clock, and late by @late_ns. */
static void packet_late(int64_t ahead_ns, int64_t late_ns)
{
	struct problem notice;

	sensor_clock_arrive(&c, (uint64_t)(up_ns + TRAVEL_NS + late_ns),
			    utc_ns + TRAVEL_NS + late_ns);
	sensor_clock_observe(&c, (uint64_t)(utc_ns + ahead_ns));
	if (sensor_clock_take_notice(&c, &notice)) {
		strcpy(last_notice, notice.text);
		notices++;
	}
	utc_ns += MS;
	up_ns += MS;
}

static void packets(unsigned int count, int64_t ahead_ns)
{
	while (count--)
		packet_late(ahead_ns, 0);
}

static void describe(void)
{
	memset(&h, 0, sizeof(h));
	h.flags = LIDARD_SLICE_SENSOR_TIME_VALID;
	h.sensor_time_ns = (uint64_t)utc_ns;
	sensor_clock_describe(&c, 0, &h);
}

static void expect_slice(uint8_t clock, bool known, int64_t offset_ns)
{
	describe();
	cr_expect_eq(h.sensor_clock, clock, "clock %u", h.sensor_clock);
	cr_expect_eq(!!(h.flags & LIDARD_SLICE_CLOCK_OFFSET_VALID), known);
	cr_expect_eq(h.clock_offset_ns, known ? offset_ns : 0, "offset %ld", h.clock_offset_ns);
}

/* --- right ones --- */

Test(sensor_clock, tai_by_ptp_needs_no_offset_once_arrivals_confirm_it)
{
	begin_as(LIDARD_CLOCK_TAI);
	expect_slice(LIDARD_CLOCK_TAI, false, 0);
	packets(2000, 37 * NS);
	expect_slice(LIDARD_CLOCK_TAI, true, 0);
	cr_expect_eq(notices, 0, "%s", last_notice);
	cr_expect_eq(c.match, CLOCK_MATCH_TAI);
}

Test(sensor_clock, utc_is_37_s_behind_tai)
{
	begin_as(LIDARD_CLOCK_UTC);
	packets(2000, 0);
	expect_slice(LIDARD_CLOCK_UTC, true, 37 * NS);
	cr_expect_eq(notices, 0, "%s", last_notice);
	cr_expect_not(c.offset_measured);
}

Test(sensor_clock, of_a_clock_with_an_epoch_of_its_own_the_offset_is_measured)
{
	begin_as(LIDARD_CLOCK_SENSOR_BOOT);
	packets(2000, 100 * NS - NOW_NS);
	expect_slice(LIDARD_CLOCK_SENSOR_BOOT, true, NOW_NS - 100 * NS + 37 * NS + TRAVEL_NS);
	cr_expect(c.offset_measured);
	cr_expect_eq(notices, 0, "%s", last_notice);
}

Test(sensor_clock, packets_that_travel_long_do_not_make_the_offset_larger)
{
	unsigned int i;

	begin_as(LIDARD_CLOCK_SENSOR_BOOT);
	for (i = 0; i < 5000; i++)
		packet_late(100 * NS - NOW_NS, i % 100 ? 20 * MS : 0);
	expect_slice(LIDARD_CLOCK_SENSOR_BOOT, true, NOW_NS - 100 * NS + 37 * NS + TRAVEL_NS);
	cr_expect_eq(c.steps, 0);
}

Test(sensor_clock, a_packet_that_came_quickly_counts_for_the_second_after_too)
{
	unsigned int i;

	begin_as(LIDARD_CLOCK_SENSOR_BOOT);
	for (i = 0; i < 2100; i++)
		packet_late(100 * NS - NOW_NS, i == 500 ? 0 : 20 * MS);
	expect_slice(LIDARD_CLOCK_SENSOR_BOOT, true, NOW_NS - 100 * NS + 37 * NS + TRAVEL_NS);
	for (i = 0; i < 1000; i++)
		packet_late(100 * NS - NOW_NS, 20 * MS);
	expect_slice(LIDARD_CLOCK_SENSOR_BOOT, true,
		     NOW_NS - 100 * NS + 37 * NS + TRAVEL_NS + 20 * MS);
}

Test(sensor_clock, a_crystal_that_drifts_is_followed)
{
	int64_t ahead_ns = 100 * NS - NOW_NS;
	unsigned int i;

	begin_as(LIDARD_CLOCK_SENSOR_BOOT);
	for (i = 0; i < 100000; i++, ahead_ns -= 100)
		packet_late(ahead_ns, 0);
	describe();
	cr_expect_leq(llabs(h.clock_offset_ns - (37 * NS - ahead_ns)), MS);
	cr_expect_eq(c.steps, 0);
}

/* --- 37 s --- */

Test(sensor_clock, a_ptp_master_that_gives_utc_is_told_once_and_slices_say_utc)
{
	begin_as(LIDARD_CLOCK_TAI);
	packets(5000, 0);
	expect_slice(LIDARD_CLOCK_UTC, true, 37 * NS);
	cr_expect_eq(notices, 1);
	cr_expect(strstr(last_notice, "counts UTC") && strstr(last_notice, "tai"), "%s", last_notice);
	cr_expect_str_eq(c.problem.text, last_notice);
}

Test(sensor_clock, where_the_configuration_insists_on_tai_there_is_no_offset_then)
{
	begin(TIME_CHOICE_TAI);
	expect_slice(LIDARD_CLOCK_TAI, true, 0);
	packets(5000, 0);
	expect_slice(LIDARD_CLOCK_TAI, false, 0);
	cr_expect_eq(notices, 1);
	cr_expect(strstr(last_notice, "sensor_clock = tai"), "%s", last_notice);
	cr_expect_eq(c.match, CLOCK_MATCH_UTC);
}

Test(sensor_clock, leap_seconds_taken_for_utc_are_told)
{
	begin_as(LIDARD_CLOCK_UTC);
	packets(2000, 37 * NS);
	expect_slice(LIDARD_CLOCK_TAI, true, 0);
	cr_expect(strstr(last_notice, "counts TAI, 37 s ahead of UTC"), "%s", last_notice);
}

Test(sensor_clock, gps_time_is_18_s_ahead_of_utc_and_told)
{
	begin_as(LIDARD_CLOCK_UTC);
	packets(2000, 18 * NS);
	expect_slice(LIDARD_CLOCK_PHC, true, 19 * NS);
	cr_expect(strstr(last_notice, "GPS time, 18 s"), "%s", last_notice);
}

Test(sensor_clock, a_local_time_is_told)
{
	begin_as(LIDARD_CLOCK_UTC);
	packets(2000, 2 * HOUR_NS);
	cr_expect_eq(c.match, CLOCK_MATCH_ZONE);
	cr_expect(strstr(last_notice, "+2.00 hours"), "%s", last_notice);
	expect_slice(LIDARD_CLOCK_PHC, true, 37 * NS - 2 * HOUR_NS + TRAVEL_NS);
}

Test(sensor_clock, a_wrong_year_is_told)
{
	begin_as(LIDARD_CLOCK_UTC);
	/* 2019, the same day and time */
	packets(2000, -(4 * 365 + 1) * 86400 * NS);
	cr_expect_eq(c.match, CLOCK_MATCH_YEAR);
	cr_expect(strstr(last_notice, "but for the year"), "%s", last_notice);
}

Test(sensor_clock, a_wrong_year_is_wrong_at_the_turn_of_the_year_too)
{
	begin_as(LIDARD_CLOCK_UTC);
	utc_ns = NEW_YEAR_NS + NS / 5;
	/* 2011-12-31 23:59:59.8 for 2016-12-31 23:59:59.8, by a machine that is 0.4 s ahead */
	packets(100, -(5 * 365 + 2) * 86400 * NS - 4 * NS / 10);
	cr_expect_eq(c.match, CLOCK_MATCH_YEAR);
}

Test(sensor_clock, a_year_that_rolls_over_is_no_step_and_nothing_to_tell)
{
	begin_as(LIDARD_CLOCK_UTC);
	/* 2024-01-01; the sensor comes later to it than this machine */
	utc_ns = 1704067200 * NS - 2 * NS;
	packets(4000, -4 * NS / 10);
	expect_slice(LIDARD_CLOCK_UTC, true, 37 * NS);
	cr_expect_eq(c.steps, 0);
	cr_expect_eq(notices, 0, "%s", last_notice);
}

Test(sensor_clock, a_machine_that_was_never_told_the_time_judges_nobody)
{
	begin_as(LIDARD_CLOCK_UTC);
	utc_ns = 3600 * NS;
	packets(3000, NOW_NS);
	cr_expect_eq(c.match, CLOCK_MATCH_NONE);
	cr_expect_eq(notices, 0);
	expect_slice(LIDARD_CLOCK_UTC, false, 0);
}

Test(sensor_clock, a_mistake_put_right_is_forgotten)
{
	begin_as(LIDARD_CLOCK_TAI);
	packets(3000, 0);
	cr_expect(c.problem.text[0]);
	packets(3000, 37 * NS);
	cr_expect_str_eq(c.problem.text, "");
	cr_expect_eq(c.steps, 1);
	expect_slice(LIDARD_CLOCK_TAI, true, 0);
}

/* --- leap seconds --- */

Test(sensor_clock, through_the_leap_second_of_2016_utc_gets_36_s_then_37_s_and_no_step)
{
	utc_ns = NEW_YEAR_NS - 3 * NS;
	begin_as(LIDARD_CLOCK_UTC);
	packets(3000, 0);
	utc_ns--;
	expect_slice(LIDARD_CLOCK_UTC, true, 36 * NS);
	/* 23:59:60 is 23:59:59 once more, for the sensor and for this machine */
	utc_ns -= NS - 1;
	packets(3000, 0);
	expect_slice(LIDARD_CLOCK_UTC, true, 37 * NS);
	cr_expect_eq(c.steps, 0);
	cr_expect_eq(c.leap_seconds, 1);
	cr_expect_eq(notices, 0, "%s", last_notice);
}

Test(sensor_clock, tai_does_not_notice_a_leap_second)
{
	utc_ns = NEW_YEAR_NS - 3 * NS;
	begin_as(LIDARD_CLOCK_TAI);
	packets(3000, 36 * NS);
	expect_slice(LIDARD_CLOCK_TAI, true, 0);
	utc_ns -= NS;
	packets(3000, 37 * NS);
	expect_slice(LIDARD_CLOCK_TAI, true, 0);
	cr_expect_eq(c.steps + c.leap_seconds, 0);
	cr_expect_eq(notices, 0, "%s", last_notice);
}

Test(sensor_clock, a_step_of_a_second_on_any_other_day_is_a_step)
{
	begin_as(LIDARD_CLOCK_UTC);
	packets(3000, 0);
	packets(3000, -NS);
	cr_expect_eq(c.steps, 1);
	cr_expect_eq(c.leap_seconds, 0);
}

Test(sensor_clock, after_the_table_has_expired_the_kernel_knows_better)
{
	utc_ns = (TIME_SCALE_EXPIRES_S + 86400) * NS;
	begin_as(LIDARD_CLOCK_UTC);
	packets(2000, 0);
	expect_slice(LIDARD_CLOCK_UTC, true, 37 * NS);
	cr_expect_not(sensor_clock_knows_leaps(&c));
	sensor_clock_tell_kernel(&c, 38);
	packets(2000, 0);
	expect_slice(LIDARD_CLOCK_UTC, true, 38 * NS);
	cr_expect(sensor_clock_knows_leaps(&c));
}

/* --- the time of the hour --- */

/* Of the hour @past_ns past which it is now, counted on from the stream's begin. */
static int64_t hour_ahead_ns(int64_t past_ns)
{
	return past_ns - NOW_NS;
}

Test(sensor_clock, the_hour_is_found_and_its_offset_is_exact_where_the_clock_is_locked)
{
	geometry.clock_lock = LIDARD_CLOCK_LOCK_LOCKED;
	begin_as(LIDARD_CLOCK_HOUR);
	packets(2000, hour_ahead_ns(NOW_NS % HOUR_NS));
	expect_slice(LIDARD_CLOCK_HOUR, true, NOW_NS / HOUR_NS * HOUR_NS + 37 * NS);
	cr_expect_eq(notices, 0, "%s", last_notice);
	cr_expect_eq(h.clock_lock, LIDARD_CLOCK_LOCK_LOCKED);
}

Test(sensor_clock, an_hour_that_rolls_over_is_no_step_and_the_offset_stays)
{
	const int64_t begins_ns = NOW_NS / HOUR_NS * HOUR_NS;

	geometry.clock_lock = LIDARD_CLOCK_LOCK_LOCKED;
	begin_as(LIDARD_CLOCK_HOUR);
	utc_ns = begins_ns + HOUR_NS - 2 * NS;
	/* decoders count on: 3600 s and more */
	packets(4000, -begins_ns);
	expect_slice(LIDARD_CLOCK_HOUR, true, begins_ns + 37 * NS);
	cr_expect_eq(c.steps, 0);
	cr_expect_eq(notices, 0, "%s", last_notice);
}

Test(sensor_clock, around_the_hour_the_nearer_one_is_taken)
{
	const int64_t begins_ns = NOW_NS / HOUR_NS * HOUR_NS;

	geometry.clock_lock = LIDARD_CLOCK_LOCK_LOCKED;
	begin_as(LIDARD_CLOCK_HOUR);
	/* the sensor is 0.4 s behind this machine, for which the next hour has begun */
	utc_ns = begins_ns + NS / 5;
	packets(100, -begins_ns + HOUR_NS - 4 * NS / 10);
	expect_slice(LIDARD_CLOCK_HOUR, true, begins_ns - HOUR_NS + 37 * NS);
}

Test(sensor_clock, the_hour_of_a_sensor_that_runs_by_itself_is_measured)
{
	begin_as(LIDARD_CLOCK_HOUR);
	packets(2000, hour_ahead_ns(7 * NS));
	expect_slice(LIDARD_CLOCK_HOUR, true, NOW_NS - 7 * NS + 37 * NS + TRAVEL_NS);
	cr_expect(c.offset_measured);
	cr_expect_eq(notices, 0, "%s", last_notice);
}

Test(sensor_clock, leap_seconds_in_the_time_of_the_hour_are_told)
{
	geometry.clock_lock = LIDARD_CLOCK_LOCK_LOCKED;
	begin_as(LIDARD_CLOCK_HOUR);
	packets(2000, hour_ahead_ns(NOW_NS % HOUR_NS + 37 * NS));
	expect_slice(LIDARD_CLOCK_HOUR, true, NOW_NS / HOUR_NS * HOUR_NS);
	cr_expect(strstr(last_notice, "counts TAI"), "%s", last_notice);
}

Test(sensor_clock, gps_that_is_not_locked_gives_no_offset)
{
	geometry.sensor_clock = LIDARD_CLOCK_HOUR;
	geometry.clock_lock = LIDARD_CLOCK_LOCK_FREE_RUNNING;
	begin(TIME_CHOICE_GPS);
	packets(2000, hour_ahead_ns(NOW_NS % HOUR_NS));
	expect_slice(LIDARD_CLOCK_HOUR, false, 0);
	cr_expect(strstr(last_notice, "not locked"), "%s", last_notice);
}

/* --- steps --- */

Test(sensor_clock, a_step_is_counted_once_whichever_way_and_the_new_offset_taken)
{
	const int64_t ahead_ns = 100 * NS - NOW_NS;

	begin_as(LIDARD_CLOCK_SENSOR_BOOT);
	packets(3000, ahead_ns);
	packets(3000, ahead_ns + 150 * MS);
	cr_expect_eq(c.steps, 1);
	expect_slice(LIDARD_CLOCK_SENSOR_BOOT, true, 37 * NS - ahead_ns - 150 * MS + TRAVEL_NS);
	packets(3000, ahead_ns - 5 * NS);
	cr_expect_eq(c.steps, 2);
	expect_slice(LIDARD_CLOCK_SENSOR_BOOT, true, 37 * NS - ahead_ns + 5 * NS + TRAVEL_NS);
}

Test(sensor_clock, packets_that_are_late_or_damaged_are_no_step)
{
	const int64_t ahead_ns = 100 * NS - NOW_NS;
	unsigned int i;

	begin_as(LIDARD_CLOCK_SENSOR_BOOT);
	packets(3000, ahead_ns);
	for (i = 0; i < SENSOR_CLOCK_STRAYS - 1; i++)
		packet_late(ahead_ns, 300 * MS);
	packets(100, ahead_ns);
	for (i = 0; i < 100; i++)
		packet_late(ahead_ns + i * 1000 * NS, 0);
	packets(100, ahead_ns);
	cr_expect_eq(c.steps, 0);
	cr_expect_eq(notices, 0);
}

Test(sensor_clock, setting_this_machines_clock_is_no_step_of_the_sensors)
{
	begin_as(LIDARD_CLOCK_SENSOR_BOOT);
	packets(3000, 100 * NS - NOW_NS);
	utc_ns += 10 * NS;
	packets(3000, 100 * NS - NOW_NS - 10 * NS);
	cr_expect_eq(c.steps, 0);
	expect_slice(LIDARD_CLOCK_SENSOR_BOOT, true, NOW_NS - 90 * NS + 37 * NS + TRAVEL_NS);
}

Test(sensor_clock, after_an_hour_of_silence_drift_is_no_step_but_a_restart_is)
{
	const int64_t ahead_ns = 100 * NS - NOW_NS;

	begin_as(LIDARD_CLOCK_SENSOR_BOOT);
	packets(3000, ahead_ns);
	utc_ns += HOUR_NS;
	up_ns += HOUR_NS;
	packets(3000, ahead_ns + 360 * MS);
	cr_expect_eq(c.steps, 0);
	utc_ns += HOUR_NS;
	up_ns += HOUR_NS;
	packets(3000, 5 * NS - utc_ns);
	cr_expect_eq(c.steps, 1);
}

Test(sensor_clock, times_that_wrap_are_passed_over)
{
	unsigned int i;

	begin_as(LIDARD_CLOCK_SENSOR_BOOT);
	packets(100, 100 * NS - NOW_NS);
	for (i = 0; i < 2 * SENSOR_CLOCK_STRAYS; i++)
		sensor_clock_observe(&c, i % 2 ? UINT64_MAX : UINT64_MAX - 1);
	for (i = 0; i < 2 * SENSOR_CLOCK_STRAYS; i++)
		sensor_clock_observe(&c, 1ull << 63);
	sensor_clock_observe(&c, 0);
	packets(100, 100 * NS - NOW_NS);
	cr_expect_eq(c.steps, 0);
}

/* --- lock --- */

Test(sensor_clock, a_lost_lock_is_told_once_and_counted_and_slices_say_so)
{
	struct problem notice;

	begin_as(LIDARD_CLOCK_UTC);
	sensor_clock_set_lock(&c, LIDARD_CLOCK_LOCK_LOCKED);
	packets(100, 0);
	cr_expect_eq(notices, 0);
	sensor_clock_set_lock(&c, LIDARD_CLOCK_LOCK_FREE_RUNNING);
	sensor_clock_set_lock(&c, LIDARD_CLOCK_LOCK_FREE_RUNNING);
	cr_assert(sensor_clock_take_notice(&c, &notice));
	cr_expect(strstr(notice.text, "lost its lock: it is free running"), "%s", notice.text);
	cr_expect_not(sensor_clock_take_notice(&c, &notice));
	describe();
	cr_expect_eq(h.clock_lock, LIDARD_CLOCK_LOCK_FREE_RUNNING);
	cr_expect_eq(c.locks_lost, 1);
}

Test(sensor_clock, a_lock_that_comes_and_goes_does_not_fill_the_log)
{
	unsigned int i;

	begin_as(LIDARD_CLOCK_UTC);
	for (i = 0; i < 3000; i++) {
		sensor_clock_set_lock(&c, i % 2 ? LIDARD_CLOCK_LOCK_FREE_RUNNING :
						  LIDARD_CLOCK_LOCK_LOCKED);
		packets(10, 0);
	}
	cr_expect_eq(c.locks_lost, 1500);
	cr_expect_eq(notices, 3);
}

/* --- what is said --- */

Test(sensor_clock, contradictions_are_refused_with_what_is_possible)
{
	geometry.sensor_clock = LIDARD_CLOCK_HOUR;
	geometry.clocks = TIME_CHOICES(TIME_CHOICE_HOUR) | TIME_CHOICES(TIME_CHOICE_GPS);
	cr_expect_eq(sensor_clock_init(&c, TIME_CHOICE_TAI, &geometry, false, &problem), -EINVAL);
	cr_expect(strstr(problem.text, "sensor_clock = tai") && strstr(problem.text, "\"hour\"") &&
		  strstr(problem.text, "auto, gps, hour"), "%s", problem.text);
	cr_expect_eq(sensor_clock_init(&c, TIME_CHOICE_GPS, &geometry, false, &problem), 0);
	cr_expect_eq(sensor_clock_init(&c, TIME_CHOICE_AUTO, &geometry, false, &problem), 0);
}

Test(sensor_clock, ptp_may_turn_out_to_be_any_scale)
{
	begin(TIME_CHOICE_PTP);
	expect_slice(LIDARD_CLOCK_TAI, false, 0);
	packets(2000, 12345 * NS);
	expect_slice(LIDARD_CLOCK_PHC, true, 37 * NS - 12345 * NS + TRAVEL_NS);
	cr_expect_eq(notices, 1);
}

Test(sensor_clock, times_that_were_shifted_have_no_offset)
{
	begin_as(LIDARD_CLOCK_UTC);
	packets(2000, 0);
	memset(&h, 0, sizeof(h));
	h.flags = LIDARD_SLICE_SENSOR_TIME_VALID;
	sensor_clock_describe(&c, 1, &h);
	cr_expect_eq(h.flags & LIDARD_SLICE_CLOCK_OFFSET_VALID, 0);
	cr_expect_eq(h.clock_offset_ns, 0);
}

Test(sensor_clock, a_sensor_without_a_clock_has_no_times)
{
	begin_as(LIDARD_CLOCK_NONE);
	packets(2000, 0);
	describe();
	cr_expect_eq(h.flags, 0);
	cr_expect_eq(h.sensor_time_ns, 0);
}

Test(sensor_clock, counters_outlive_a_restart_of_the_stream)
{
	begin_as(LIDARD_CLOCK_UTC);
	packets(100, 0);
	packets(100, 5 * NS);
	sensor_clock_set_lock(&c, LIDARD_CLOCK_LOCK_LOCKED);
	sensor_clock_set_lock(&c, LIDARD_CLOCK_LOCK_UNKNOWN);
	begin_as(LIDARD_CLOCK_UTC);
	cr_expect_eq(c.steps, 1);
	cr_expect_eq(c.locks_lost, 1);
	cr_expect_eq(c.match, CLOCK_MATCH_NONE);
}
