/* SPDX-License-Identifier: Apache-2.0 */
/* info.c - lidarctl info: what is known of one sensor */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "lidard/control.h"
#include "tools/command.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/sensor_text.h"

struct info_options {
	struct common_options common;
	bool json;
	bool metadata;
	bool calibration;
};

static const struct option_row info_rows[] = {
	OPTION_ROW_FLAG(struct info_options, json, "json", "print lidard's reply as it is"),
	OPTION_ROW_FLAG(struct info_options, metadata, "metadata",
			"print the sensor's metadata file as it is"),
	OPTION_ROW_FLAG(struct info_options, calibration, "calibration",
			"print its calibration file as it is"),
	COMMAND_COMMON_ROWS(struct info_options),
};

/* connect_call() has no parameters. Return: 0; negative errno. */
static int print_json(struct lidard_client *client, const char *sensor)
{
	struct json_object *parameters = json_object_new_object(), *reply = NULL, *object;
	CLEANUP(cleanup_free) char *text = NULL;
	int r;

	json_object_object_add(parameters, "sensor", json_object_new_string(sensor));
	r = lidard_client_call(client, LIDARD_METHOD_GET_SENSOR,
			       json_object_to_json_string(parameters), &text);
	json_object_put(parameters);
	if (r == 0)
		reply = json_tokener_parse(text);
	if (r == 0 && json_object_object_get_ex(reply, "sensor", &object))
		puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
						    JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (r == 0)
		r = -EPROTO;
	json_object_put(reply);
	return r;
}

static int print_file(const struct lidard_sensor_description *d, const char *text, const char *key)
{
	if (text[0]) {
		fputs(text, stdout);
		return COMMAND_OK;
	}
	if (d->problem[0])
		complain("sensor %s: %s", d->name, d->problem);
	else
		complain("sensor %s has no %s file (%s in lidard.conf)", d->name, key, key);
	return COMMAND_FAILED;
}

static int print_description(struct lidard_client *client, const struct info_options *options,
			     const char *sensor, int *ret_status)
{
	struct lidard_sensor_description *d;
	int r = lidard_client_describe_sensor(client, sensor, &d);

	if (r < 0)
		return r;
	*ret_status = COMMAND_OK;
	if (options->metadata)
		*ret_status = print_file(d, d->metadata, "metadata");
	else if (options->calibration)
		*ret_status = print_file(d, d->calibration, "calibration");
	else
		sensor_text_print(d, stdout);
	lidard_sensor_description_free(d);
	return 0;
}

static int info_run(const void *data, char **arguments)
{
	const struct info_options *options = data;
	struct lidard_client *client;
	int r, status = COMMAND_OK;
	const char *why;

	if (options->json + options->metadata + options->calibration > 1) {
		complain("info: --json, --metadata and --calibration exclude each other");
		return COMMAND_USAGE;
	}
	if (connect_lidard(options->common.socket, "lidarctl", &client) < 0)
		return COMMAND_FAILED;
	r = options->json ? print_json(client, arguments[0]) :
			    print_description(client, options, arguments[0], &status);
	if (r < 0) {
		why = lidard_client_get_error(client);
		complain("%s", why[0] ? why : strerror(-r));
		status = COMMAND_FAILED;
	}
	lidard_client_free(client);
	return status;
}

const struct command command_info = {
	.name = "info",
	.arguments = "SENSOR",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "what is known of a sensor: model, geometry, mounting pose, files",
	.options = { info_rows, sizeof(info_rows) / sizeof(info_rows[0]) },
	.options_bytes = sizeof(struct info_options),
	.run = info_run,
};
