/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_clock.c - see sensor_clock.h */
#include "daemon/sensor_clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define NS ((int64_t)NSEC_PER_SEC)
#define HOUR_NS (3600 * NS)
#define S_PER_DAY 86400
/** 2000-01-01: a machine that says it is earlier was not told the time. */
#define UTC_MIN_NS (946684800 * NS)
/** Local times are up to so far from UTC, in steps of a quarter of an hour. */
#define ZONE_MAX_NS (14 * HOUR_NS)
#define ZONE_STEP_NS (HOUR_NS / 4)
/** Packets before the first judgement. */
#define FIRST_PACKETS 16
/** A leap second shows within so many seconds of its time. */
#define LEAP_NEAR_S 5

/** A lock that comes and goes is told so often at most. */
#define LOCK_TOLD_NS (10 * NSEC_PER_SEC)
/** Clocks drift apart by less than one part in so many. */
#define DRIFT 1000

const char *clock_match_name(enum clock_match match)
{
	static const char *const names[CLOCK_MATCH_COUNT] = {
		[CLOCK_MATCH_NONE] = "",      [CLOCK_MATCH_UTC] = "utc",
		[CLOCK_MATCH_TAI] = "tai",    [CLOCK_MATCH_GPS] = "gps",
		[CLOCK_MATCH_ZONE] = "local", [CLOCK_MATCH_YEAR] = "year",
		[CLOCK_MATCH_OTHER] = "other",
	};

	return match < CLOCK_MATCH_COUNT ? names[match] : "";
}

/* --- what it should be --- */

static int refuse(enum time_choice choice, const struct decoder_geometry *g, struct problem *problem)
{
	char names[64] = "";
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < TIME_CHOICE_COUNT; i++)
		if ((g->clocks >> i & 1) && used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, ", %s",
						 time_choice_names[i]);
	return problem_set(problem, -EINVAL,
			   "sensor_clock = %s, but by its packets and metadata this sensor's clock is "
			   "\"%s\"; possible here: auto%s", time_choice_names[choice],
			   time_clock_name(g->sensor_clock), names);
}

static uint8_t clock_of_choice(enum time_choice choice, uint8_t said)
{
	switch (choice) {
	case TIME_CHOICE_TAI:
	case TIME_CHOICE_PTP:
		return LIDARD_CLOCK_TAI;
	case TIME_CHOICE_UTC:
		return LIDARD_CLOCK_UTC;
	case TIME_CHOICE_GPS:
		return said == LIDARD_CLOCK_HOUR ? LIDARD_CLOCK_HOUR : LIDARD_CLOCK_UTC;
	case TIME_CHOICE_BOOT:
		return LIDARD_CLOCK_SENSOR_BOOT;
	case TIME_CHOICE_HOUR:
		return LIDARD_CLOCK_HOUR;
	default:
		return said;
	}
}

/* Does the configuration name the very scale? PTP masters and sensors left to themselves vary. */
static bool insists(const struct sensor_clock *c)
{
	return c->choice == TIME_CHOICE_TAI || c->choice == TIME_CHOICE_UTC ||
	       c->choice == TIME_CHOICE_GPS;
}

int sensor_clock_init(struct sensor_clock *c, enum time_choice choice,
		      const struct decoder_geometry *geometry, bool from_capture,
		      struct problem *problem)
{
	const struct sensor_clock before = *c;

	if (choice != TIME_CHOICE_AUTO && geometry->clocks &&
	    !(geometry->clocks & TIME_CHOICES(choice)))
		return refuse(choice, geometry, problem);
	memset(c, 0, sizeof(*c));
	c->steps = before.steps;
	c->leap_seconds = before.leap_seconds;
	c->locks_lost = before.locks_lost;
	c->kernel_leap_s = before.kernel_leap_s;
	c->choice = choice;
	c->expected = clock_of_choice(choice, geometry->sensor_clock);
	c->clock = c->expected;
	c->lock = geometry->clock_lock;
	c->from_capture = from_capture;
	/* what is insisted on holds until arrivals say otherwise; an hour has to be found first */
	c->offset_known = insists(c) && c->clock != LIDARD_CLOCK_HOUR;
	return 0;
}

/* --- what it is --- */

/* The table knows the past better than the kernel, which knows only now. */
static int leap_s(const struct sensor_clock *c, int64_t utc_s)
{
	if (c->kernel_leap_s && utc_s >= TIME_SCALE_EXPIRES_S)
		return c->kernel_leap_s;
	return time_scale_leap_s(utc_s);
}

bool sensor_clock_knows_leaps(const struct sensor_clock *c)
{
	return c->kernel_leap_s || time_scale_is_announced(c->utc_ns / NS);
}

static bool is_near(int64_t ns, int64_t wanted_ns)
{
	return llabs(ns - wanted_ns) <= SENSOR_CLOCK_TOLERANCE_NS;
}

static int64_t round_to(int64_t ns, int64_t step_ns)
{
	return (ns + (ns < 0 ? -step_ns : step_ns) / 2) / step_ns * step_ns;
}

static bool differs_by_years(int64_t sensor_ns, int64_t utc_ns)
{
	int64_t sensor_year, year, y, days;
	unsigned int month, day;

	time_date_of_days(utc_ns / NS / S_PER_DAY, &year, &month, &day);
	time_date_of_days(sensor_ns / NS / S_PER_DAY, &sensor_year, &month, &day);
	/* at a turn of the year one of the two may be over it */
	for (y = year - 1; y <= year + 1; y++) {
		days = time_days_of_date(y, month, day) - time_days_of_date(sensor_year, month, day);
		if (y != sensor_year && is_near(utc_ns, sensor_ns + days * S_PER_DAY * NS))
			return true;
	}
	return false;
}

/*
 * What it counts that is @behind_ns behind UTC at @utc_ns; of the time of the hour, the hours
 * do not matter.
 */
static enum clock_match find_match(const struct sensor_clock *c, int64_t behind_ns, int64_t utc_ns)
{
	const bool hour = c->expected == LIDARD_CLOCK_HOUR;
	const int64_t rest_ns = hour ? behind_ns - round_to(behind_ns, HOUR_NS) : behind_ns;
	const int64_t leap_ns = leap_s(c, utc_ns / NS) * NS;

	if (is_near(rest_ns, 0))
		return CLOCK_MATCH_UTC;
	if (is_near(rest_ns, -leap_ns))
		return CLOCK_MATCH_TAI;
	if (is_near(rest_ns, TIME_SCALE_GPS_S * NS - leap_ns))
		return CLOCK_MATCH_GPS;
	if (hour)
		return CLOCK_MATCH_OTHER;
	if (llabs(rest_ns) <= ZONE_MAX_NS && is_near(rest_ns, round_to(rest_ns, ZONE_STEP_NS)))
		return CLOCK_MATCH_ZONE;
	if (utc_ns - behind_ns > TIME_SCALE_BEGINS_S * NS &&
	    differs_by_years(utc_ns - behind_ns, utc_ns))
		return CLOCK_MATCH_YEAR;
	return CLOCK_MATCH_OTHER;
}

/* TAI - a clock that counts what was found; not for those of an epoch of their own. */
static int64_t exact_offset_ns(const struct sensor_clock *c, int64_t behind_ns, int64_t utc_ns)
{
	const int64_t leap_ns = leap_s(c, utc_ns / NS) * NS;
	const int64_t tai_ns = c->match == CLOCK_MATCH_TAI ? 0 :
			       c->match == CLOCK_MATCH_GPS ? TIME_SCALE_GPS_S * NS : leap_ns;

	if (c->expected != LIDARD_CLOCK_HOUR)
		return tai_ns;
	return tai_ns + round_to(behind_ns + leap_ns - tai_ns, HOUR_NS);
}

/* --- telling --- */

static void describe_match(const struct sensor_clock *c, int64_t behind_ns, char *text, size_t size)
{
	const char *whose = c->from_capture ? "the capture's time stamps" : "this machine's clock";
	const double ahead_s = -(double)behind_ns / 1e9;

	switch (c->match) {
	case CLOCK_MATCH_UTC:
		snprintf(text, size, "counts UTC");
		return;
	case CLOCK_MATCH_TAI:
		snprintf(text, size, "counts TAI, %d s ahead of UTC", leap_s(c, c->utc_ns / NS));
		return;
	case CLOCK_MATCH_GPS:
		snprintf(text, size, "counts GPS time, %d s ahead of UTC",
			 leap_s(c, c->utc_ns / NS) - TIME_SCALE_GPS_S);
		return;
	case CLOCK_MATCH_ZONE:
		snprintf(text, size, "is %+.2f hours from UTC, as a local time is", ahead_s / 3600);
		return;
	case CLOCK_MATCH_YEAR:
		snprintf(text, size, "is right but for the year, %+.0f days from %s",
			 ahead_s / S_PER_DAY, whose);
		return;
	default:
		snprintf(text, size, "is %+.3f s from %s", ahead_s, whose);
	}
}

static void complain(struct sensor_clock *c, int64_t behind_ns)
{
	char what[128], who[48];

	if (c->choice == TIME_CHOICE_GPS && c->lock == LIDARD_CLOCK_LOCK_FREE_RUNNING)
		snprintf(what, sizeof(what), "is not locked to PPS and NMEA");
	else
		describe_match(c, behind_ns, what, sizeof(what));
	if (c->choice == TIME_CHOICE_AUTO)
		snprintf(who, sizeof(who), "by its packets or metadata it is");
	else
		snprintf(who, sizeof(who), "sensor_clock = %s:", time_choice_names[c->choice]);
	problem_set(&c->problem, 0, "the sensor's clock %s; %s %s%s; %s", what, who,
		    time_clock_name(c->expected), c->expected == LIDARD_CLOCK_HOUR ? " of UTC" : "",
		    c->offset_known ? "slices say what was found" : "slices give no offset to TAI");
	if (!(c->told & 1u << c->match))
		c->notice = c->problem;
	c->told |= 1u << c->match;
}

/* --- judging --- */

static bool counts_a_scale(const struct sensor_clock *c)
{
	return c->match == CLOCK_MATCH_UTC || c->match == CLOCK_MATCH_TAI ||
	       c->match == CLOCK_MATCH_GPS;
}

/* Return: is it what it should be? */
static bool judge_hour(struct sensor_clock *c)
{
	const bool disciplined = c->lock == LIDARD_CLOCK_LOCK_LOCKED ||
				 c->choice == TIME_CHOICE_GPS;

	/* one that runs by itself can be near by chance */
	if (!disciplined || c->lock == LIDARD_CLOCK_LOCK_FREE_RUNNING) {
		c->offset_measured = true;
		c->offset_known = c->choice != TIME_CHOICE_GPS;
		return c->offset_known;
	}
	c->offset_measured = !counts_a_scale(c);
	c->offset_known = c->choice != TIME_CHOICE_GPS || c->match == CLOCK_MATCH_UTC;
	return c->match == CLOCK_MATCH_UTC;
}

static bool judge_date(struct sensor_clock *c)
{
	c->clock = c->match == CLOCK_MATCH_UTC ? LIDARD_CLOCK_UTC :
		   c->match == CLOCK_MATCH_TAI ? LIDARD_CLOCK_TAI : LIDARD_CLOCK_PHC;
	c->offset_measured = !counts_a_scale(c);
	c->offset_known = true;
	if (c->clock == c->expected)
		return true;
	if (insists(c)) {
		c->clock = c->expected;
		c->offset_known = false;
	}
	return false;
}

static bool judge_boot(struct sensor_clock *c)
{
	/* what was said may have been said of another day's configuration */
	if (c->choice == TIME_CHOICE_AUTO &&
	    (c->match == CLOCK_MATCH_UTC || c->match == CLOCK_MATCH_TAI))
		return judge_date(c);
	c->clock = LIDARD_CLOCK_SENSOR_BOOT;
	c->offset_measured = true;
	c->offset_known = true;
	return true;
}

static void judge(struct sensor_clock *c, int64_t behind_ns)
{
	bool right;

	if (c->utc_ns < UTC_MIN_NS || c->expected == LIDARD_CLOCK_NONE)
		return;
	c->match = find_match(c, behind_ns, c->utc_ns);
	if (c->expected == LIDARD_CLOCK_HOUR)
		right = judge_hour(c);
	else if (c->expected == LIDARD_CLOCK_SENSOR_BOOT)
		right = judge_boot(c);
	else
		right = judge_date(c);
	c->offset_ns = c->offset_measured ? behind_ns + leap_s(c, c->utc_ns / NS) * NS :
					    exact_offset_ns(c, behind_ns, c->utc_ns);
	if (right)
		c->problem.text[0] = '\0';
	else
		complain(c, behind_ns);
}

/* --- comparing --- */

static int64_t least_ns(const struct sensor_clock *c)
{
	if (!c->window_packets)
		return c->before_ns;
	return c->has_before && c->before_ns < c->window_ns ? c->before_ns : c->window_ns;
}

static void begin_window(struct sensor_clock *c)
{
	c->window_packets = 0;
	c->window_begin_ns = c->elapsed_ns;
}

static void close_window(struct sensor_clock *c)
{
	/* how far its time is behind UTC, had the packet not travelled */
	judge(c, least_ns(c) + (c->utc_ns - (int64_t)c->elapsed_ns));
	if (c->elapsed_ns - c->window_begin_ns < SENSOR_CLOCK_WINDOW_NS)
		return;
	c->before_ns = c->window_ns;
	c->has_before = true;
	begin_window(c);
}

/* UTC repeats a second; that is no fault of the sensor's. */
static bool is_leap_second(const struct sensor_clock *c, int64_t step_ns)
{
	const int64_t utc_s = c->utc_ns / NS;
	const int change_s = leap_s(c, utc_s + LEAP_NEAR_S) - leap_s(c, utc_s - LEAP_NEAR_S);

	return (c->clock == LIDARD_CLOCK_UTC || c->clock == LIDARD_CLOCK_HOUR) && change_s &&
	       llabs(step_ns - change_s * NS) <= SENSOR_CLOCK_STEP_NS;
}

static void step(struct sensor_clock *c, int64_t step_ns)
{
	if (is_leap_second(c, step_ns))
		c->leap_seconds++;
	else
		c->steps++;
	c->strays = 0;
	c->has_before = false;
	c->seen_ns = c->elapsed_ns;
	begin_window(c);
	c->window_ns = c->stray_ns;
	c->window_packets = 1;
	close_window(c);
}

/* Return: false: nobody knows yet what to make of it. */
static bool is_plausible(struct sensor_clock *c, int64_t behind_ns)
{
	const int64_t off_ns = behind_ns - least_ns(c);
	const uint64_t silent_ns = c->elapsed_ns > c->seen_ns ? c->elapsed_ns - c->seen_ns : 0;

	if (llabs(off_ns) <= SENSOR_CLOCK_STEP_NS + (int64_t)(silent_ns / DRIFT)) {
		c->strays = 0;
		return true;
	}
	/* one that is late alone, or a mistake, is none */
	if (!c->strays || llabs(behind_ns - c->stray_ns) > SENSOR_CLOCK_STEP_NS) {
		c->strays = 1;
		c->stray_ns = behind_ns;
		return false;
	}
	if (behind_ns < c->stray_ns)
		c->stray_ns = behind_ns;
	if (++c->strays >= SENSOR_CLOCK_STRAYS)
		step(c, c->stray_ns - least_ns(c));
	return false;
}

void sensor_clock_observe(struct sensor_clock *c, uint64_t sensor_ns)
{
	const int64_t behind_ns = (int64_t)(c->elapsed_ns - sensor_ns);

	/* times that wrap are not of this millennium */
	if (!c->has_arrival || sensor_ns > INT64_MAX / 2 || c->elapsed_ns > INT64_MAX / 2)
		return;
	if (!c->window_packets && !c->has_before)
		begin_window(c);
	else if (!is_plausible(c, behind_ns))
		return;
	if (!c->window_packets || behind_ns < c->window_ns)
		c->window_ns = behind_ns;
	c->window_packets++;
	c->seen_ns = c->elapsed_ns;
	/* a capture may go back, as it does where it begins again */
	if (c->elapsed_ns < c->window_begin_ns)
		c->window_begin_ns = c->elapsed_ns;
	if (c->elapsed_ns - c->window_begin_ns >= SENSOR_CLOCK_WINDOW_NS ||
	    (c->match == CLOCK_MATCH_NONE && c->window_packets == FIRST_PACKETS))
		close_window(c);
}

/* --- lock --- */

void sensor_clock_set_lock(struct sensor_clock *c, uint8_t lock)
{
	const bool lost = c->lock == LIDARD_CLOCK_LOCK_LOCKED && lock != c->lock;

	if (lock == c->lock)
		return;
	c->lock = lock;
	if (!lost)
		return;
	c->locks_lost++;
	if (c->lock_told && c->elapsed_ns - c->lock_told_ns < LOCK_TOLD_NS)
		return;
	c->lock_told = true;
	c->lock_told_ns = c->elapsed_ns;
	problem_set(&c->notice, 0, "the sensor's clock has lost its lock: it is %s now",
		    time_lock_name(lock));
}

/* --- saying --- */

void sensor_clock_describe(const struct sensor_clock *c, uint64_t shift_ns,
			   struct lidard_slice_header *h)
{
	h->sensor_clock = c->clock;
	h->clock_lock = c->lock;
	h->clock_offset_ns = 0;
	if (c->clock == LIDARD_CLOCK_NONE) {
		h->flags &= ~(uint32_t)LIDARD_SLICE_SENSOR_TIME_VALID;
		h->sensor_time_ns = 0;
		h->sensor_end_time_ns = 0;
	}
	if (!c->offset_known || shift_ns || !(h->flags & LIDARD_SLICE_SENSOR_TIME_VALID))
		return;
	h->flags |= LIDARD_SLICE_CLOCK_OFFSET_VALID;
	/* before a leap second and after it, whenever that is noticed */
	h->clock_offset_ns = c->clock == LIDARD_CLOCK_UTC ?
				     leap_s(c, (int64_t)(h->sensor_time_ns / NSEC_PER_SEC)) * NS :
				     c->offset_ns;
}

int64_t sensor_clock_get_offset(const struct sensor_clock *c)
{
	/* one that is taken on trust was not compared with anything */
	if (c->clock == LIDARD_CLOCK_UTC && c->has_arrival)
		return leap_s(c, c->utc_ns / NS) * NS;
	return c->offset_ns;
}

bool sensor_clock_take_notice(struct sensor_clock *c, struct problem *ret_notice)
{
	if (!c->notice.text[0])
		return false;
	*ret_notice = c->notice;
	c->notice.text[0] = '\0';
	return true;
}
