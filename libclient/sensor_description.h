/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_description.h - what lidard says of a sensor, checked */
#ifndef LIBCLIENT_SENSOR_DESCRIPTION_H
#define LIBCLIENT_SENSOR_DESCRIPTION_H

#include "lidard/lidard.h"

struct json_object;

/**
 * sensor_description_new() - of GetSensor's reply
 * @parameters: borrowed; what is kept of it is shared
 *
 * Return: 0; -EPROTO; -ENOMEM.
 */
int sensor_description_new(struct json_object *parameters,
			   struct lidard_sensor_description **ret_description);

#endif /* LIBCLIENT_SENSOR_DESCRIPTION_H */
