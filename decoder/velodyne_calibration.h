/* SPDX-License-Identifier: Apache-2.0 */
/*
 * velodyne_calibration.h - where a Velodyne's lasers point
 *
 * A YAML file as ROS drivers use it:
 *
 *     lasers:
 *         - { laser_id: 0, rot_correction: -0.1, vert_correction: -0.2, ... }
 *         - ...
 *     num_lasers: 32
 *
 * Angles are radians.  The other members of a laser are zero for the models we
 * know and are not used, nor is distance_resolution, which is wrong in files
 * that are about: the model tells it.
 */
#ifndef DECODER_VELODYNE_CALIBRATION_H
#define DECODER_VELODYNE_CALIBRATION_H

#include <stddef.h>

#include "common/problem.h"
#include "decoder/velodyne_model.h"

struct velodyne_laser {
	/** Upwards. */
	double elevation_rad;
	/** Against the sense of rotation, seen from the block's azimuth. */
	double offset_rad;
};

struct velodyne_calibration {
	unsigned int count;
	struct velodyne_laser lasers[VELODYNE_LASERS_MAX];
};

/**
 * velodyne_calibration_parse() - of a file's contents
 * @name: for messages
 *
 * Return: 0; -EINVAL with @problem naming file, line, key and what would be right; -ENOMEM.
 */
int velodyne_calibration_parse(const char *name, const char *text, size_t bytes,
			       struct velodyne_calibration *ret_calibration,
			       struct problem *problem);

#endif /* DECODER_VELODYNE_CALIBRATION_H */
