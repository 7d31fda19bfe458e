/* SPDX-License-Identifier: Apache-2.0 */
/* status.h - what lidard knows of itself, as JSON (docs/control.md) */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include <json-c/json.h>
#include <stddef.h>

struct daemon;
struct sensor;

/** What ListSensors, GetStatus and GetSensor say of a sensor; the caller owns it. */
json_object *status_describe_sensor(const struct sensor *s);
/** The array of ListSensors; the caller owns it. */
json_object *status_list_sensors(const struct daemon *d);
/** The object of GetStatus; the caller owns it. */
json_object *status_get(const struct daemon *d);
/** One line for a person: systemd's STATUS. */
void status_get_text(const struct daemon *d, char *text, size_t size);

#endif /* DAEMON_STATUS_H */
