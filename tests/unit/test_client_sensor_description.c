/* SPDX-License-Identifier: Apache-2.0 */
/* What lidard says of a sensor is believed as far as it makes sense. */
#include "libclient/sensor_description.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

static const char whole[] =
	"{\"sensor\": {\"name\": \"front\", \"source\": \"udp\", \"state\": \"silent\", \"error\": \"e\","
	" \"vendor\": \"Ouster\", \"model\": \"OS-1-128\", \"serial\": \"7\", \"firmware\": \"v2\","
	" \"decoder\": \"ouster\", \"metadata\": \"{}\", \"calibration\": \"\", \"problem\": \"p\","
	" \"format\": 2, \"beams\": 128, \"columns\": 1024, \"slice_bytes\": 4096, \"rate_hz\": 10,"
	" \"pose\": {\"translation_m\": [1, 2.5, -3], \"rotation_xyzw\": [0, 0, 0.6, 0.8]}}}";

static struct lidard_sensor_description *d;

/* whole, with this in place of a member's value; NULL: without the member. */
static int make(const char *key, const char *value)
{
	struct json_object *root = json_tokener_parse(whole), *sensor;
	int r;

	json_object_object_get_ex(root, "sensor", &sensor);
	if (key)
		json_object_object_del(sensor, key);
	if (key && value)
		json_object_object_add(sensor, key, json_tokener_parse(value));
	r = sensor_description_new(root, &d);
	json_object_put(root);
	return r;
}

Test(client_sensor_description, a_stream_beside_the_points_is_told)
{
	cr_assert_eq(make("side", "\"front/imu\""), 0);
	cr_assert_str_eq(d->side, "front/imu");
	lidard_sensor_description_free(d);
	/* of a lidard that has none, or worse */
	cr_assert_eq(make("side", "7"), 0);
	cr_assert_str_eq(d->side, "");
	lidard_sensor_description_free(d);
}

Test(client_sensor_description, everything_is_told_and_outlives_the_reply)
{
	cr_assert_eq(make(NULL, NULL), 0);
	cr_assert_str_eq(d->name, "front");
	cr_assert_str_eq(d->source, "udp");
	cr_assert_str_eq(d->state, "silent");
	cr_assert_str_eq(d->error, "e");
	cr_assert_str_eq(d->vendor, "Ouster");
	cr_assert_str_eq(d->model, "OS-1-128");
	cr_assert_str_eq(d->serial, "7");
	cr_assert_str_eq(d->firmware, "v2");
	cr_assert_str_eq(d->decoder, "ouster");
	cr_assert_str_eq(d->metadata, "{}");
	cr_assert_str_eq(d->calibration, "");
	cr_assert_str_eq(d->problem, "p");
	cr_assert_str_eq(d->side, "");
	cr_assert_eq(d->format, 2);
	cr_assert_eq(d->beams, 128);
	cr_assert_eq(d->columns, 1024);
	cr_assert_eq(d->slice_bytes, 4096);
	cr_assert_eq(d->rate_hz, 10);
	cr_assert_eq(d->has_pose, 1);
	cr_assert_eq(d->pose.translation_m[1], 2.5);
	cr_assert_eq(d->pose.rotation[3], 0.8);
	cr_assert_null(lidard_sensor_description_free(d));
	cr_assert_null(lidard_sensor_description_free(NULL));
}

Test(client_sensor_description, without_a_pose_there_is_none)
{
	cr_assert_eq(make("pose", "null"), 0);
	cr_assert_eq(d->has_pose, 0);
	lidard_sensor_description_free(d);
}

Test(client_sensor_description, what_makes_no_sense_is_refused)
{
	static const struct {
		const char *key, *value;
	} cases[] = {
		{ "name", NULL }, { "problem", NULL }, { "vendor", "7" }, { "metadata", "{}" },
		{ "format", "-1" }, { "format", "65536" }, { "beams", "\"128\"" },
		{ "columns", "4294967296" }, { "slice_bytes", "67108865" }, { "rate_hz", "-1" },
		{ "rate_hz", "NaN" }, { "rate_hz", "\"10\"" }, { "pose", NULL }, { "pose", "[]" },
		{ "pose", "{}" },
		{ "pose", "{\"translation_m\": [1, 2], \"rotation_xyzw\": [0, 0, 0, 1]}" },
		{ "pose", "{\"translation_m\": [1, 2, \"3\"], \"rotation_xyzw\": [0, 0, 0, 1]}" },
		{ "pose", "{\"translation_m\": [1, 2, Infinity], \"rotation_xyzw\": [0, 0, 0, 1]}" },
		{ "pose", "{\"translation_m\": [1, 2, 3], \"rotation_xyzw\": [0, 0, 1, 1]}" },
		{ "pose", "{\"translation_m\": [1, 2, 3], \"rotation_xyzw\": [0, 0, 0, NaN]}" },
		{ "pose", "{\"translation_m\": [1, 2, 3], \"rotation_xyzw\": 1}" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(make(cases[i].key, cases[i].value), -EPROTO, "%s = %s", cases[i].key,
			     cases[i].value ? cases[i].value : "(absent)");
}
