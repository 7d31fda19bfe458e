/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_imu.c - see ouster_imu.h */
#include "decoder/ouster_imu.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define BOOT_TIME_AT 0
#define ACCELERATION_TIME_AT 8
#define ANGULAR_TIME_AT 16
#define ACCELERATION_AT 24
#define ANGULAR_AT 36

/** Standard gravity. */
#define G_TO_M_S2 9.80665f
#define DEG_TO_RAD ((float)(M_PI / 180))
/** Far more than the unit can measure; what is beyond is no measurement. */
#define ACCELERATION_MAX_G 1000
#define ANGULAR_MAX_DEG_S 100000
/** Later than this a clock that counts from 1970 or later cannot be. */
#define TIME_MAX_NS (UINT64_MAX / 2)

static uint64_t get_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static float get_f32(const uint8_t *p)
{
	uint32_t bits;
	float v;

	memcpy(&bits, p, sizeof(bits));
	bits = le32toh(bits);
	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* Return: false if it is beyond @limit, or no number. */
static bool get_vector(const uint8_t *p, float limit, float scale, const float rotation[9],
		       float ret[3])
{
	float v[3];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		v[i] = get_f32(p + 4 * i);
		/* false for what is no number, too */
		if (!(fabsf(v[i]) <= limit))
			return false;
		v[i] *= scale;
	}
	for (i = 0; i < 3; i++)
		ret[i] = rotation[3 * i] * v[0] + rotation[3 * i + 1] * v[1] +
			 rotation[3 * i + 2] * v[2];
	return true;
}

int ouster_imu_read(const uint8_t *packet, const float imu_to_sensor[9],
		    struct lidard_imu *ret_imu)
{
	struct lidard_imu imu = {
		.time_ns = get_u64(packet + ACCELERATION_TIME_AT),
		.angular_time_ns = get_u64(packet + ANGULAR_TIME_AT),
		.boot_time_ns = get_u64(packet + BOOT_TIME_AT),
		.flags = LIDARD_IMU_ACCELERATION_VALID | LIDARD_IMU_ANGULAR_VELOCITY_VALID |
			 LIDARD_IMU_BOOT_TIME_VALID,
	};

	if (imu.time_ns > TIME_MAX_NS || imu.angular_time_ns > TIME_MAX_NS ||
	    imu.boot_time_ns > TIME_MAX_NS)
		return -EINVAL;
	if (!get_vector(packet + ACCELERATION_AT, ACCELERATION_MAX_G, G_TO_M_S2, imu_to_sensor,
			imu.acceleration) ||
	    !get_vector(packet + ANGULAR_AT, ANGULAR_MAX_DEG_S, DEG_TO_RAD, imu_to_sensor,
			imu.angular_velocity))
		return -EINVAL;
	*ret_imu = imu;
	return 0;
}
