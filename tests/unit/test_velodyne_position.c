/* SPDX-License-Identifier: Apache-2.0 */
/* The lock that position packets tell, with sentences that are right, wrong and hostile. */
#include "decoder/velodyne_position.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lidard/frame.h"

#define VALID "GPRMC,081802.00,A,3649.7478558,N,00224.4542928,W,0.034,212.5,210116,0.0,E,A"

static uint8_t packet[VELODYNE_POSITION_BYTES];

static void setup(void)
{
	memset(packet, 0, sizeof(packet));
	packet[202] = 2;
}

TestSuite(velodyne_position, .init = setup);

/* "$", @text and its sum. */
static void set_sentence(const char *text)
{
	uint8_t sum = 0;
	const char *p;

	for (p = text; *p; p++)
		sum ^= (uint8_t)*p;
	snprintf((char *)packet + 206, sizeof(packet) - 206, "$%s*%02X\r\n", text, sum);
}

static uint8_t lock_of(const char *text)
{
	set_sentence(text);
	return velodyne_position_get_lock(packet);
}

Test(velodyne_position, a_pulse_and_a_valid_sentence_lock_the_clock)
{
	cr_expect_eq(lock_of(VALID), LIDARD_CLOCK_LOCK_LOCKED);
	cr_expect_eq(lock_of("GNRMC,,A,"), LIDARD_CLOCK_LOCK_LOCKED);
}

Test(velodyne_position, without_either_it_runs_by_itself)
{
	unsigned int pps;

	set_sentence(VALID);
	for (pps = 0; pps < 4; pps++) {
		packet[202] = (uint8_t)pps;
		cr_expect_eq(velodyne_position_get_lock(packet) == LIDARD_CLOCK_LOCK_LOCKED, pps == 2,
			     "PPS %u", pps);
	}
	packet[202] = 2;
	cr_expect_eq(lock_of("GPRMC,081802.00,V,,,,,,,210116,,"), LIDARD_CLOCK_LOCK_FREE_RUNNING);
	cr_expect_eq(lock_of("GPGGA,081802.00,A,"), LIDARD_CLOCK_LOCK_FREE_RUNNING);
	memset(packet + 206, 0, sizeof(packet) - 206);
	cr_expect_eq(velodyne_position_get_lock(packet), LIDARD_CLOCK_LOCK_FREE_RUNNING);
}

Test(velodyne_position, a_damaged_sentence_is_none)
{
	set_sentence(VALID);
	packet[206 + 20] ^= 1;
	cr_expect_eq(velodyne_position_get_lock(packet), LIDARD_CLOCK_LOCK_FREE_RUNNING);
	cr_expect_eq(lock_of("GPRMC,081802.00,A"), LIDARD_CLOCK_LOCK_FREE_RUNNING);
	cr_expect_eq(lock_of("GPRMC,0818"), LIDARD_CLOCK_LOCK_FREE_RUNNING);
	cr_expect_eq(lock_of("A"), LIDARD_CLOCK_LOCK_FREE_RUNNING);
	cr_expect_eq(lock_of(""), LIDARD_CLOCK_LOCK_FREE_RUNNING);
	/* without an end */
	memset(packet + 206, ',', sizeof(packet) - 206);
	packet[206] = '$';
	cr_expect_eq(velodyne_position_get_lock(packet), LIDARD_CLOCK_LOCK_FREE_RUNNING);
	packet[509] = '*';
	cr_expect_eq(velodyne_position_get_lock(packet), LIDARD_CLOCK_LOCK_FREE_RUNNING);
	packet[511] = '*';
	cr_expect_eq(velodyne_position_get_lock(packet), LIDARD_CLOCK_LOCK_FREE_RUNNING);
}

Test(velodyne_position, what_makes_no_sense_tells_nothing)
{
	set_sentence(VALID);
	packet[202] = 4;
	cr_expect_eq(velodyne_position_get_lock(packet), LIDARD_CLOCK_LOCK_UNKNOWN);
	packet[202] = 2;
	memset(packet + 198, 0xff, 4);
	cr_expect_eq(velodyne_position_get_lock(packet), LIDARD_CLOCK_LOCK_UNKNOWN);
}

Test(velodyne_position, a_packet_says_where_it_is_and_when)
{
	struct lidard_position p;
	uint32_t time_us;

	set_sentence(VALID);
	packet[198] = 1;
	packet[199] = 2;
	cr_assert_eq(velodyne_position_read(packet, &p, &time_us), 0);
	cr_expect_eq(time_us, 513);
	cr_expect_eq(p.pps, LIDARD_PPS_LOCKED);
	cr_expect_eq(p.utc_ns, 1453364282000000000ll);
	cr_expect_float_eq(p.latitude, 36.82913093, 1e-8);
	cr_expect_float_eq(p.longitude, -2.40757155, 1e-8);
	/* the pulse is told all the same */
	memset(packet + 206, 0xff, sizeof(packet) - 206);
	packet[202] = 0;
	cr_assert_eq(velodyne_position_read(packet, &p, &time_us), 0);
	cr_expect_eq(p.pps, LIDARD_PPS_ABSENT);
	cr_expect_eq(p.flags, 0);
}

Test(velodyne_position, an_impossible_packet_says_nothing)
{
	struct lidard_position p;
	uint32_t time_us;

	packet[202] = 4;
	cr_expect_eq(velodyne_position_read(packet, &p, &time_us), -EINVAL);
	packet[202] = 0;
	packet[201] = 0xff;
	cr_expect_eq(velodyne_position_read(packet, &p, &time_us), -EINVAL);
}
