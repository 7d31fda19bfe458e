/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences that are right, and every way in which text can be something else. */
#include "decoder/nmea.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RMC "GPRMC,081802.25,A,3649.7478558,N,00224.4542928,W,10.0,212.5,210116,0.0,E,A"
#define GGA "GNGGA,081802.00,3649.7478558,S,00224.4542928,E,1,09,0.9,123.4,M,50.0,M,,"
#define UTC_NS 1453364282250000000ll

static struct lidard_position p;

/* "$", @text and its sum, in as much memory as it takes. */
static bool read(const char *text)
{
	struct nmea_sentence s;
	uint8_t sum = 0;
	const char *at;
	char *copy;
	bool found;
	int bytes;

	for (at = text; *at; at++)
		sum ^= (uint8_t)*at;
	bytes = asprintf(&copy, "$%s*%02X\r\n", text, sum);
	cr_assert_gt(bytes, 0);
	memset(&p, 0, sizeof(p));
	found = nmea_check(copy, (size_t)bytes, &s);
	if (found)
		nmea_read(&s, &p);
	free(copy);
	return found;
}

static void expect_no_place(const char *text)
{
	cr_expect(read(text), "%s", text);
	cr_expect(!(p.flags & LIDARD_POSITION_VALID), "%s", text);
	cr_expect_eq(p.latitude, 0);
	cr_expect_eq(p.longitude, 0);
}

static void expect_no_utc(const char *text)
{
	cr_expect(read(text), "%s", text);
	cr_expect(!(p.flags & LIDARD_POSITION_UTC_VALID), "%s", text);
	cr_expect_eq(p.utc_ns, 0);
}

Test(nmea, rmc_says_place_time_speed_and_course)
{
	cr_assert(read(RMC));
	cr_expect_eq(p.flags, LIDARD_POSITION_VALID | LIDARD_POSITION_SPEED_VALID |
				      LIDARD_POSITION_COURSE_VALID | LIDARD_POSITION_UTC_VALID |
				      LIDARD_POSITION_HAS_SENTENCE);
	cr_expect_float_eq(p.latitude, 36 + 49.7478558 / 60, 1e-10);
	cr_expect_float_eq(p.longitude, -(2 + 24.4542928 / 60), 1e-10);
	cr_expect_float_eq(p.speed, 5.144444, 1e-5);
	cr_expect_float_eq(p.course, 212.5, 1e-5);
	cr_expect_eq(p.utc_ns, UTC_NS);
}

Test(nmea, gga_says_place_altitude_and_satellites)
{
	cr_assert(read(GGA));
	cr_expect_eq(p.flags, LIDARD_POSITION_VALID | LIDARD_POSITION_ALTITUDE_VALID |
				      LIDARD_POSITION_HAS_SENTENCE);
	cr_expect_float_eq(p.latitude, -(36 + 49.7478558 / 60), 1e-10);
	cr_expect_float_eq(p.longitude, 2 + 24.4542928 / 60, 1e-10);
	cr_expect_float_eq(p.altitude, 123.4, 1e-9);
	cr_expect_eq(p.satellites, 9);
}

Test(nmea, without_a_fix_there_is_a_sentence_and_nothing_else)
{
	cr_assert(read("GPRMC,081802.00,V,3649.7,N,00224.4,W,1.0,2.0,210116,,"));
	cr_expect_eq(p.flags, LIDARD_POSITION_HAS_SENTENCE);
	cr_assert(read("GPGGA,081802.00,3649.7,N,00224.4,W,0,00,,,M,,M,,"));
	cr_expect_eq(p.flags, LIDARD_POSITION_HAS_SENTENCE);
	cr_assert(read("GPZDA,081802.00,21,01,2016,00,00"));
	cr_expect_eq(p.flags, LIDARD_POSITION_HAS_SENTENCE);
}

Test(nmea, impossible_places_are_none)
{
	expect_no_place("GPRMC,081802,A,9100.0,N,00224.4,W,,,210116,,");
	expect_no_place("GPRMC,081802,A,3660.0,N,00224.4,W,,,210116,,");
	expect_no_place("GPRMC,081802,A,3649.7,N,18100.0,W,,,210116,,");
	expect_no_place("GPRMC,081802,A,3649.7,E,00224.4,W,,,210116,,");
	expect_no_place("GPRMC,081802,A,3649.7,NN,00224.4,W,,,210116,,");
	expect_no_place("GPRMC,081802,A,-3649.7,N,00224.4,W,,,210116,,");
	expect_no_place("GPRMC,081802,A,36x9.7,N,00224.4,W,,,210116,,");
	expect_no_place("GPRMC,081802,A,36.49.7,N,00224.4,W,,,210116,,");
	expect_no_place("GPRMC,081802,A,1234567890123456,N,00224.4,W,,,210116,,");
	expect_no_place("GPRMC,081802,A,.,N,00224.4,W,,,210116,,");
	expect_no_place("GPRMC,081802,A,,,,,,,,,");
	expect_no_place("GPRMC,081802,A,3649.7,N");
	expect_no_place("RMC,081802,A,3649.7,N,00224.4,W,,,210116,,");
	expect_no_place("GPRMCX,081802,A,3649.7,N,00224.4,W,,,210116,,");
}

Test(nmea, impossible_times_are_none)
{
	expect_no_utc("GPRMC,240000,A,3649.7,N,00224.4,W,,,210116,,");
	expect_no_utc("GPRMC,236000,A,3649.7,N,00224.4,W,,,210116,,");
	expect_no_utc("GPRMC,235961,A,3649.7,N,00224.4,W,,,210116,,");
	expect_no_utc("GPRMC,2359,A,3649.7,N,00224.4,W,,,210116,,");
	expect_no_utc("GPRMC,081802,A,3649.7,N,00224.4,W,,,300216,,");
	expect_no_utc("GPRMC,081802,A,3649.7,N,00224.4,W,,,000116,,");
	expect_no_utc("GPRMC,081802,A,3649.7,N,00224.4,W,,,011316,,");
	expect_no_utc("GPRMC,081802,A,3649.7,N,00224.4,W,,,2101,,");
	expect_no_utc("GPRMC,0818-1,A,3649.7,N,00224.4,W,,,210116,,");
}

Test(nmea, text_that_is_cut_off_or_damaged_is_no_sentence)
{
	const char *whole = "$" RMC "*";
	struct nmea_sentence s;
	size_t bytes;

	cr_assert(!read("GPRMC,\x01,A,"));
	for (bytes = 0; bytes <= strlen(whole); bytes++) {
		char *copy = malloc(bytes ? bytes : 1); /* so that a sanitizer sees a read beyond it */

		memcpy(copy, whole, bytes);
		cr_expect(!nmea_check(copy, bytes, &s), "%zu", bytes);
		free(copy);
	}
	cr_expect(!nmea_check("GPRMC*00", 8, &s));
	cr_expect(!nmea_check("$A*42\r\n", 7, &s));
	cr_expect(nmea_check("$A*41\r\n", 7, &s));
}

Test(nmea, many_fields_are_as_good_as_some)
{
	char text[256] = "GPRMC,081802,A,3649.7,N,00224.4,W,1,2,210116";

	memset(text + strlen(text), ',', 100);
	cr_assert(read(text));
	cr_expect(p.flags & LIDARD_POSITION_VALID);
	memset(text, ',', 200);
	text[200] = 0;
	cr_assert(read(text));
	cr_expect_eq(p.flags, LIDARD_POSITION_HAS_SENTENCE);
}
