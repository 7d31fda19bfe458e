/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - lidarctl list: the sensors lidard serves, one a line */
#include <stdio.h>

#include "common/cleanup.h"
#include "lidard/control.h"
#include "tools/command.h"
#include "tools/connect.h"

struct list_options {
	struct common_options common;
	bool json;
};

static const struct option_row list_rows[] = {
	OPTION_ROW_FLAG(struct list_options, json, "json", "print lidard's reply as it is"),
	COMMAND_COMMON_ROWS(struct list_options),
};

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;
	const char *text = NULL;

	if (json_object_object_get_ex(object, key, &value))
		text = json_object_get_string(value);
	return text && *text ? text : "-";
}

static void print_list(struct json_object *reply)
{
	struct json_object *sensors = NULL;
	size_t i, count = 0;

	if (json_object_object_get_ex(reply, "sensors", &sensors))
		count = json_object_array_length(sensors);
	printf("%-16s %-8s %-10s %-20s %-14s %s\n", "SENSOR", "SOURCE", "STATE", "MODEL", "SERIAL",
	       "ERROR");
	for (i = 0; i < count; i++) {
		struct json_object *s = json_object_array_get_idx(sensors, i);

		printf("%-16s %-8s %-10s %-20s %-14s %s\n", text_of(s, "name"),
		       text_of(s, "source"), text_of(s, "state"), text_of(s, "model"),
		       text_of(s, "serial"), text_of(s, "error"));
	}
}

static int list_run(const void *data, char **arguments)
{
	const struct list_options *options = data;
	struct lidard_client *client;
	struct json_object *reply;
	int r;

	if (connect_lidard(options->common.socket, "lidarctl", &client) < 0)
		return COMMAND_FAILED;
	r = connect_call_or_complain(client, LIDARD_METHOD_LIST_SENSORS, &reply);
	lidard_client_free(client);
	if (r < 0)
		return COMMAND_FAILED;
	if (options->json)
		puts(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PRETTY));
	else
		print_list(reply);
	json_object_put(reply);
	return COMMAND_OK;
}

const struct command command_list = {
	.name = "list",
	.arguments = "",
	.summary = "the sensors lidard serves",
	.options = { list_rows, sizeof(list_rows) / sizeof(list_rows[0]) },
	.options_bytes = sizeof(struct list_options),
	.run = list_run,
};
