/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne_position.c - see velodyne_position.h */
#include "decoder/velodyne_position.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "decoder/nmea.h"

#define TIME_AT 198
#define PPS_AT 202
#define NMEA_AT 206
#define NMEA_BYTES (VELODYNE_POSITION_BYTES - NMEA_AT)
/** An hour and a leap second. */
#define TIME_MAX_US 3601000000u

enum {
	PPS_LOCKED = 2,
	PPS_ERROR = 3,
};

static uint32_t get_time_us(const uint8_t *packet)
{
	uint32_t time_us;

	memcpy(&time_us, packet + TIME_AT, sizeof(time_us));
	return le32toh(time_us);
}

static bool is_possible(const uint8_t *packet)
{
	return get_time_us(packet) < TIME_MAX_US && packet[PPS_AT] <= PPS_ERROR;
}

uint8_t velodyne_position_get_lock(const uint8_t *packet)
{
	struct nmea_sentence sentence;

	if (!is_possible(packet))
		return LIDARD_CLOCK_LOCK_UNKNOWN;
	return packet[PPS_AT] == PPS_LOCKED &&
			       nmea_check((const char *)packet + NMEA_AT, NMEA_BYTES, &sentence) &&
			       nmea_is_valid_rmc(&sentence) ?
		       LIDARD_CLOCK_LOCK_LOCKED : LIDARD_CLOCK_LOCK_FREE_RUNNING;
}

int velodyne_position_read(const uint8_t *packet, struct lidard_position *ret_position,
			   uint32_t *ret_time_us)
{
	static const uint8_t states[] = { LIDARD_PPS_ABSENT, LIDARD_PPS_SYNCHRONISING,
					  LIDARD_PPS_LOCKED, LIDARD_PPS_ERROR };
	struct nmea_sentence sentence;

	if (!is_possible(packet))
		return -EINVAL;
	*ret_time_us = get_time_us(packet);
	*ret_position = (struct lidard_position){ .pps = states[packet[PPS_AT]] };
	if (nmea_check((const char *)packet + NMEA_AT, NMEA_BYTES, &sentence))
		nmea_read(&sentence, ret_position);
	return 0;
}
