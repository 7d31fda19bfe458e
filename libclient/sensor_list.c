/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_list.c - a snapshot of the sensors lidard has
 *
 * The list owns a copy of every string, so it outlives its client.  Belongs to
 * one thread at a time.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "libclient/client.h"
#include "libclient/export.h"
#include "lidard/control.h"

struct lidard_sensor_info {
	/* lent by the list's message */
	const char *name;
	const char *source;
	const char *model;
	const char *serial;
	const char *state;
	unsigned int format;
	uint64_t slice_bytes;
};

struct lidard_sensor_list {
	/* lidard's reply, which owns the strings */
	struct json_object *message;
	size_t count;
	struct lidard_sensor_info sensors[LIDARD_SENSORS_MAX];
};

static int read_sensor(struct json_object *object, struct lidard_sensor_info *info)
{
	uint64_t format;

	if (!json_object_is_type(object, json_type_object))
		return -EPROTO;
	info->name = varlink_get_string(object, "name");
	info->source = varlink_get_string(object, "source");
	info->model = varlink_get_string(object, "model");
	info->serial = varlink_get_string(object, "serial");
	info->state = varlink_get_string(object, "state");
	if (!info->name || !info->source || !info->model || !info->serial || !info->state)
		return -EPROTO;
	if (varlink_get_u64(object, "format", UINT16_MAX, &format) < 0 ||
	    varlink_get_u64(object, "slice_bytes", LIDARD_SLICE_BYTES_MAX, &info->slice_bytes) < 0)
		return -EPROTO;
	info->format = (unsigned int)format;
	return 0;
}

static int read_list(struct json_object *parameters, struct lidard_sensor_list *list)
{
	struct json_object *sensors;
	size_t i, count;
	int r;

	if (!json_object_object_get_ex(parameters, "sensors", &sensors) ||
	    !json_object_is_type(sensors, json_type_array))
		return -EPROTO;
	count = json_object_array_length(sensors);
	if (count > LIDARD_SENSORS_MAX)
		return -EPROTO;
	for (i = 0; i < count; i++) {
		r = read_sensor(json_object_array_get_idx(sensors, i), &list->sensors[i]);
		if (r < 0)
			return r;
	}
	list->count = count;
	return 0;
}

LIDARD_EXPORT int lidard_client_list_sensors(struct lidard_client *client,
					     struct lidard_sensor_list **ret_list)
{
	struct lidard_sensor_list *list;
	struct varlink_reply reply;
	int r;

	if (fork_guard_is_foreign(client->generation))
		return -ECHILD;
	list = calloc(1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	r = client_request(client, LIDARD_METHOD_LIST_SENSORS, NULL, &reply);
	if (r == 0) {
		list->message = json_object_get(reply.message);
		r = read_list(reply.parameters, list);
		if (r < 0)
			client_fail(client, r, "%s: the answer made no sense",
				    LIDARD_METHOD_LIST_SENSORS);
		varlink_reply_deinit(&reply);
	}
	if (r < 0) {
		lidard_sensor_list_free(list);
		return r;
	}
	*ret_list = list;
	return 0;
}

LIDARD_EXPORT struct lidard_sensor_list *lidard_sensor_list_free(struct lidard_sensor_list *list)
{
	if (list)
		json_object_put(list->message);
	free(list);
	return NULL;
}

LIDARD_EXPORT size_t lidard_sensor_list_get_count(const struct lidard_sensor_list *list)
{
	return list->count;
}

LIDARD_EXPORT const struct lidard_sensor_info *
lidard_sensor_list_get(const struct lidard_sensor_list *list, size_t index)
{
	return index < list->count ? &list->sensors[index] : NULL;
}

LIDARD_EXPORT const char *lidard_sensor_info_get_name(const struct lidard_sensor_info *info)
{
	return info->name;
}

LIDARD_EXPORT const char *lidard_sensor_info_get_source(const struct lidard_sensor_info *info)
{
	return info->source;
}

LIDARD_EXPORT const char *lidard_sensor_info_get_model(const struct lidard_sensor_info *info)
{
	return info->model;
}

LIDARD_EXPORT const char *lidard_sensor_info_get_serial(const struct lidard_sensor_info *info)
{
	return info->serial;
}

LIDARD_EXPORT const char *lidard_sensor_info_get_state(const struct lidard_sensor_info *info)
{
	return info->state;
}

LIDARD_EXPORT unsigned int lidard_sensor_info_get_format(const struct lidard_sensor_info *info)
{
	return info->format;
}

LIDARD_EXPORT uint64_t lidard_sensor_info_get_slice_bytes(const struct lidard_sensor_info *info)
{
	return info->slice_bytes;
}
