/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_text.h - a sensor's description, for a person */
#ifndef TOOLS_SENSOR_TEXT_H
#define TOOLS_SENSOR_TEXT_H

#include <stdio.h>

#include "lidard/lidard.h"

/** sensor_text_print() - a line for each thing there is to know */
void sensor_text_print(const struct lidard_sensor_description *d, FILE *out);

/**
 * sensor_text_get_angles() - a pose's rotation as lidard.conf has it
 * @degrees: roll, pitch, yaw; where pitch is 90 or -90 degrees, roll and yaw are one turn: roll is 0
 */
void sensor_text_get_angles(const struct lidard_pose *pose, double degrees[3]);

#endif /* TOOLS_SENSOR_TEXT_H */
