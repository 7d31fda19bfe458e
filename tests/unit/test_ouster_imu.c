/* SPDX-License-Identifier: Apache-2.0 */
#include "decoder/ouster_imu.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench/packets/ouster_packet.h"
#include "decoder/decoder_ouster.h"

static const float straight[9] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 };
static const uint64_t times[3] = { 5, 1000000000007, 1000000000009 };
static const float acceleration[3] = { 0.5f, -1, 2 };
static const float angular_velocity[3] = { 180, -90, 1 };

static uint8_t packet[OUSTER_IMU_BYTES];
static struct lidard_imu imu;

static void setup(void)
{
	ouster_packet_imu(packet, times, acceleration, angular_velocity);
}

TestSuite(ouster_imu, .init = setup);

static void put_float(size_t at, float value)
{
	memcpy(packet + at, &value, sizeof(value));
}

static void expect_bad(void)
{
	cr_expect_eq(ouster_imu_read(packet, straight, &imu), -EINVAL);
	setup();
}

Test(ouster_imu, units_are_metres_radians_and_seconds)
{
	cr_assert_eq(ouster_imu_read(packet, straight, &imu), 0);
	cr_expect_eq(imu.boot_time_ns, 5);
	cr_expect_eq(imu.time_ns, 1000000000007);
	cr_expect_eq(imu.angular_time_ns, 1000000000009);
	cr_expect_float_eq(imu.acceleration[0], 4.903325, 1e-6);
	cr_expect_float_eq(imu.acceleration[1], -9.80665, 1e-6);
	cr_expect_float_eq(imu.acceleration[2], 19.6133, 1e-5);
	cr_expect_float_eq(imu.angular_velocity[0], M_PI, 1e-6);
	cr_expect_float_eq(imu.angular_velocity[1], -M_PI / 2, 1e-6);
	cr_expect_float_eq(imu.angular_velocity[2], M_PI / 180, 1e-8);
	cr_expect_eq(imu.reserved, 0);
	cr_expect_eq(imu.temperature, 0);
}

Test(ouster_imu, its_axes_are_turned_to_those_of_the_sensor)
{
	/* a quarter about z: x becomes y */
	static const float turned[9] = { 0, -1, 0, 1, 0, 0, 0, 0, 1 };

	cr_assert_eq(ouster_imu_read(packet, turned, &imu), 0);
	cr_expect_float_eq(imu.acceleration[0], 9.80665, 1e-5);
	cr_expect_float_eq(imu.acceleration[1], 4.903325, 1e-5);
	cr_expect_float_eq(imu.acceleration[2], 19.6133, 1e-5);
	cr_expect_float_eq(imu.angular_velocity[1], M_PI, 1e-6);
}

Test(ouster_imu, what_no_sensor_measures_is_refused)
{
	size_t at;

	for (at = 24; at < OUSTER_IMU_BYTES; at += 4) {
		put_float(at, NAN);
		expect_bad();
		put_float(at, INFINITY);
		expect_bad();
		put_float(at, -INFINITY);
		expect_bad();
		put_float(at, 1e6f);
		expect_bad();
	}
	for (at = 0; at < 24; at += 8) {
		packet[at + 7] = 0x80;
		expect_bad();
	}
}

Test(ouster_imu, the_decoder_tells_it_by_its_length_and_turns_it_as_the_metadata_say)
{
	static struct ouster_metadata m;
	static struct decoder_packet p;
	struct decoder_side side;
	struct decoder *d;

	ouster_packet_sensor(&m, ouster_profile_find("RNG15_RFL8_NIR8"));
	/* half a turn about z */
	m.imu_to_sensor[0] = m.imu_to_sensor[5] = -1;
	cr_assert_eq(decoder_ouster_new(&m, &d, NULL), 0);
	cr_expect_eq(d->ops->side_format, LIDARD_FORMAT_IMU);
	cr_expect_eq(d->ops->look(d, packet, sizeof(packet), &p), DECODER_SIDE);
	cr_expect_eq(d->ops->side(d, packet, sizeof(packet), &side), DECODER_SIDE);
	cr_expect(side.has_imu && !side.has_position);
	cr_expect_float_eq(side.imu.acceleration[1], 9.80665, 1e-5);
	cr_expect_float_eq(side.imu.angular_velocity[0], -M_PI, 1e-6);
	put_float(24, NAN);
	cr_expect_eq(d->ops->side(d, packet, sizeof(packet), &side), DECODER_BAD);
	/* whatever look() was shown */
	cr_expect_eq(d->ops->side(d, packet, sizeof(packet) - 1, &side), DECODER_IGNORED);
	d->ops->free(d);
}
