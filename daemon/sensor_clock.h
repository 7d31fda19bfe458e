/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_clock.h - what clock a sensor's time is of, and how far that is from TAI
 *
 * The configuration, the sensor's metadata and the format of its packets say
 * what its clock should be.  Whether that is so shows when packets arrive: the
 * time in a packet is compared with the time at which it came, by this
 * machine's clock or, in a replay, by the capture's.  A clock that turns out to
 * be another is told once, and slices say what was found, or, where the
 * configuration insists, no offset.
 *
 * Time that passed is compared with a clock that is never set (CLOCK_MONOTONIC;
 * for a capture there is only one), so that setting this machine's clock is no
 * step of the sensor's.  A packet can be late but never early, and the least
 * late of the last one to two seconds is taken.
 *
 * Bounds.  A step is a jump of more than SENSOR_CLOCK_STEP_NS (and a
 * thousandth of the time that nothing came) that SENSOR_CLOCK_STRAYS packets in a
 * row agree on.  A clock counts UTC, TAI or GPS
 * time if it is within SENSOR_CLOCK_TOLERANCE_NS of it: scales are far enough
 * apart, and machines' clocks seldom better.
 *
 * Embedded in a source; written by its frame builder. All zero is a clock of
 * which nothing is known. One thread, no allocation, no system call.
 */
#ifndef DAEMON_SENSOR_CLOCK_H
#define DAEMON_SENSOR_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/problem.h"
#include "decoder/decoder.h"
#include "decoder/time_scale.h"
#include "lidard/frame.h"

#define SENSOR_CLOCK_STEP_NS 100000000ll
#define SENSOR_CLOCK_STRAYS 16u
#define SENSOR_CLOCK_TOLERANCE_NS 2000000000ll
#define SENSOR_CLOCK_WINDOW_NS 1000000000ull

/** What arrival times say that the clock counts. */
enum clock_match {
	/** Too early to say, or there is nothing to compare with. */
	CLOCK_MATCH_NONE,
	CLOCK_MATCH_UTC,
	CLOCK_MATCH_TAI,
	CLOCK_MATCH_GPS,
	/** UTC but for hours and quarters: a local time. */
	CLOCK_MATCH_ZONE,
	/** UTC but for the year. */
	CLOCK_MATCH_YEAR,
	/** An epoch of its own. */
	CLOCK_MATCH_OTHER,
	CLOCK_MATCH_COUNT,
};

struct sensor_clock {
	/** As configured, and what follows from it or from the decoder: enum lidard_sensor_clock. */
	enum time_choice choice;
	uint8_t expected;
	/** What slices say: enum lidard_sensor_clock, enum lidard_clock_lock. */
	uint8_t clock;
	uint8_t lock;
	/** TAI - the sensor's time; exact or, if measured, up to a packet's travel too large. */
	bool offset_known;
	bool offset_measured;
	int64_t offset_ns;
	enum clock_match match;
	/** Why the offset cannot be what the configuration or the metadata say; "": it can. */
	struct problem problem;
	/** Since the source was made. */
	uint64_t steps;
	uint64_t leap_seconds;
	uint64_t locks_lost;

	/* what was compared; not for others */
	bool from_capture;
	/** TAI - UTC by the kernel, 0 if it does not know. */
	int kernel_leap_s;
	bool has_arrival;
	uint64_t elapsed_ns;
	int64_t utc_ns;
	/** elapsed - sensor's time: the least of this window and of the one before. */
	int64_t window_ns;
	int64_t before_ns;
	uint64_t window_begin_ns;
	uint32_t window_packets;
	bool has_before;
	/** The newest packet that was compared. */
	uint64_t seen_ns;
	uint32_t strays;
	int64_t stray_ns;
	/** Bits, enum clock_match: problems that were told; and when a lost lock was. */
	uint32_t told;
	bool lock_told;
	uint64_t lock_told_ns;
	struct problem notice;
};

/**
 * sensor_clock_init() - a stream begins
 * @geometry: of the decoder: what the sensor can be
 * @from_capture: the arrivals are of a capture
 *
 * Counters go on. Return: 0; -EINVAL with @problem set: @choice and what the sensor says
 * contradict each other.
 */
int sensor_clock_init(struct sensor_clock *c, enum time_choice choice,
		      const struct decoder_geometry *geometry, bool from_capture,
		      struct problem *problem);

/** sensor_clock_tell_kernel() - TAI - UTC as the kernel knows it now, 0: it does not */
static inline void sensor_clock_tell_kernel(struct sensor_clock *c, int leap_s)
{
	c->kernel_leap_s = leap_s;
}

/**
 * sensor_clock_arrive() - the datagram that is looked at next arrived then
 * @elapsed_ns: by a clock that is not set, CLOCK_MONOTONIC
 * @utc_ns: POSIX time
 *
 * Hot path.
 */
static inline void sensor_clock_arrive(struct sensor_clock *c, uint64_t elapsed_ns, int64_t utc_ns)
{
	c->has_arrival = true;
	c->elapsed_ns = elapsed_ns;
	c->utc_ns = utc_ns;
}

/** sensor_clock_observe() - it has columns, the last of which was fired then. Hot path. */
void sensor_clock_observe(struct sensor_clock *c, uint64_t sensor_ns);

/** sensor_clock_set_lock() - what the sensor says of its lock (enum lidard_clock_lock). Hot path. */
void sensor_clock_set_lock(struct sensor_clock *c, uint8_t lock);

/**
 * sensor_clock_describe() - fill in clock, lock and offset of a slice
 * @shift_ns: what was added to the slice's times: then no offset leads to TAI
 *
 * Hot path.
 */
void sensor_clock_describe(const struct sensor_clock *c, uint64_t shift_ns,
			   struct lidard_slice_header *h);

/** sensor_clock_take_notice() - what the log should say. Return: false: nothing. Hot path. */
bool sensor_clock_take_notice(struct sensor_clock *c, struct problem *ret_notice);

/** "", "utc", "tai", "gps", "local", "year", "other" */
const char *clock_match_name(enum clock_match match);

/** TAI - the clock now; if it is known. */
int64_t sensor_clock_get_offset(const struct sensor_clock *c);

/** Are the leap seconds up to now known, to the table or to the kernel? */
bool sensor_clock_knows_leaps(const struct sensor_clock *c);

#endif /* DAEMON_SENSOR_CLOCK_H */
