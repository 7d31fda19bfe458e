/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ouster_imu.h - an Ouster's IMU packets (profile LEGACY)
 *
 * 48 bytes, little-endian, 100 a second, sent to a port of their own (7503) or where the
 * points go: three times of 8 bytes (since the sensor was switched on; when the acceleration
 * and when the angular velocity was read, in the clock of the columns), then six floats:
 * acceleration in g and angular velocity in degrees per second.  Nothing says whose packet it
 * is, or that it is one, but its length.
 */
#ifndef DECODER_OUSTER_IMU_H
#define DECODER_OUSTER_IMU_H

#include <stdint.h>

#include "lidard/frame.h"

#define OUSTER_IMU_BYTES 48

/**
 * ouster_imu_read() - what a packet of OUSTER_IMU_BYTES says
 * @imu_to_sensor: rotation from the unit's axes to the sensor's, row major
 *
 * Return: 0; -EINVAL: no numbers that a sensor can measure.
 */
int ouster_imu_read(const uint8_t *packet, const float imu_to_sensor[9],
		    struct lidard_imu *ret_imu);

#endif /* DECODER_OUSTER_IMU_H */
