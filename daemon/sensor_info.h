/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_info.h - what clients are told of a sensor: GetSensor and GetDecoder (docs/control.md)
 *
 * Its files are read when somebody asks, so what is told is what they hold now.
 */
#ifndef DAEMON_SENSOR_INFO_H
#define DAEMON_SENSOR_INFO_H

#include <json-c/json.h>

#include "common/problem.h"

struct sensor;

/** sensor_info_get() - the object of GetSensor; the caller owns it */
json_object *sensor_info_get(const struct sensor *s);

/**
 * sensor_info_get_decoder() - what a reader needs to decode the sensor's packets
 * @ret_object: GetDecoder's reply; the caller owns it
 *
 * Return: 0; negative errno with @problem set: a file cannot be read.
 */
int sensor_info_get_decoder(const struct sensor *s, json_object **ret_object,
			    struct problem *problem);

#endif /* DAEMON_SENSOR_INFO_H */
