/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pose.h - where a sensor is mounted
 *
 * From the sensor's frame to the base frame (of the vehicle, the robot):
 * p_base = rotation * p_sensor + translation.  What is configured is six numbers,
 * "x y z roll pitch yaw", as URDF and static transform publishers have them:
 * metres; degrees about the base frame's fixed axes, first roll about x, then
 * pitch about y, then yaw about z (Rz * Ry * Rx).  Or seven, the last four
 * a unit quaternion "x y z w".
 */
#ifndef DAEMON_POSE_H
#define DAEMON_POSE_H

#include <stdint.h>

/** Limits of what may be configured. */
#define POSE_METRES_MAX 10000.0
#define POSE_DEGREES_MAX 360.0
/** Longest text of a pose, the NUL included. */
#define POSE_TEXT_MAX 256

struct pose {
	/** 1, or 0: nothing is known and the rest is zero. Not a bool: poses are compared by bytes. */
	uint64_t known;
	double translation_m[3];
	/** Unit quaternion: x, y, z, w. */
	double rotation[4];
};

/**
 * pose_read() - six numbers, seven, or none
 * @ret_pose: written on success only; no padding, so equal poses have equal bytes
 *
 * Return: 0; -EINVAL.
 */
int pose_read(const char *text, struct pose *ret_pose);

#endif /* DAEMON_POSE_H */
