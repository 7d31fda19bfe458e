/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_description.c - all that is known of one sensor
 *
 * The description owns lidard's reply, into which its texts point, so it
 * outlives its client.  What lidard said is checked: a rotation that a program
 * applies is a rotation.  Belongs to one thread at a time.
 */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libclient/client.h"
#include "libclient/export.h"
#include "libclient/sensor_description.h"
#include "lidard/control.h"

#define NORM_SLACK 1e-6

struct owned_description {
	struct lidard_sensor_description public;
	struct json_object *message;
};

static int read_numbers(struct json_object *object, const char *key, double *numbers, size_t count)
{
	struct json_object *array, *item;
	size_t i;

	if (!json_object_object_get_ex(object, key, &array) ||
	    !json_object_is_type(array, json_type_array) || json_object_array_length(array) != count)
		return -EPROTO;
	for (i = 0; i < count; i++) {
		item = json_object_array_get_idx(array, i);
		numbers[i] = json_object_get_double(item);
		if ((!json_object_is_type(item, json_type_double) &&
		     !json_object_is_type(item, json_type_int)) || !isfinite(numbers[i]))
			return -EPROTO;
	}
	return 0;
}

/* null: there is none. */
static int read_pose(struct json_object *object, struct lidard_sensor_description *d)
{
	struct lidard_pose pose;
	const double *q = pose.rotation;
	struct json_object *o;

	if (!json_object_object_get_ex(object, "pose", &o))
		return -EPROTO;
	if (!o)
		return 0;
	if (read_numbers(o, "translation_m", pose.translation_m, 3) < 0 ||
	    read_numbers(o, "rotation_xyzw", pose.rotation, 4) < 0)
		return -EPROTO;
	if (!(fabs(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3] - 1) <= NORM_SLACK))
		return -EPROTO;
	d->pose = pose;
	d->has_pose = 1;
	return 0;
}

static int read_texts(struct json_object *object, struct lidard_sensor_description *d)
{
	const struct {
		const char *key;
		const char **text;
	} texts[] = {
		{ "name", &d->name }, { "source", &d->source }, { "state", &d->state },
		{ "error", &d->error }, { "vendor", &d->vendor }, { "model", &d->model },
		{ "serial", &d->serial }, { "firmware", &d->firmware },
		{ "decoder", &d->decoder }, { "metadata", &d->metadata },
		{ "calibration", &d->calibration }, { "problem", &d->problem },
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		*texts[i].text = varlink_get_string(object, texts[i].key);
		if (!*texts[i].text)
			return -EPROTO;
	}
	return 0;
}

static int read_counts(struct json_object *object, struct lidard_sensor_description *d)
{
	uint64_t format, beams, columns;
	struct json_object *rate;

	if (varlink_get_u64(object, "format", UINT16_MAX, &format) < 0 ||
	    varlink_get_u64(object, "beams", UINT32_MAX, &beams) < 0 ||
	    varlink_get_u64(object, "columns", UINT32_MAX, &columns) < 0 ||
	    varlink_get_u64(object, "slice_bytes", LIDARD_SLICE_BYTES_MAX, &d->slice_bytes) < 0)
		return -EPROTO;
	if (!json_object_object_get_ex(object, "rate_hz", &rate) ||
	    (!json_object_is_type(rate, json_type_double) && !json_object_is_type(rate, json_type_int)))
		return -EPROTO;
	d->rate_hz = json_object_get_double(rate);
	d->format = (uint32_t)format;
	d->beams = (uint32_t)beams;
	d->columns = (uint32_t)columns;
	return isfinite(d->rate_hz) && d->rate_hz >= 0 ? 0 : -EPROTO;
}

int sensor_description_new(struct json_object *parameters,
			   struct lidard_sensor_description **ret_description)
{
	struct owned_description *d;
	struct json_object *object;
	int r;

	if (!json_object_object_get_ex(parameters, "sensor", &object) ||
	    !json_object_is_type(object, json_type_object))
		return -EPROTO;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	r = read_texts(object, &d->public);
	if (r == 0)
		r = read_counts(object, &d->public);
	if (r == 0)
		r = read_pose(object, &d->public);
	if (r < 0) {
		free(d);
		return r;
	}
	d->public.side = varlink_get_string(object, "side");
	if (!d->public.side)
		d->public.side = "";
	d->message = json_object_get(object);
	*ret_description = &d->public;
	return 0;
}

LIDARD_EXPORT int
lidard_client_describe_sensor(struct lidard_client *client, const char *sensor,
			      struct lidard_sensor_description **ret_description)
{
	struct varlink_reply reply;
	struct json_object *p;
	int r;

	if (fork_guard_is_foreign(client->generation))
		return -ECHILD;
	p = json_object_new_object();
	if (!p)
		return -ENOMEM;
	json_object_object_add(p, "sensor", json_object_new_string(sensor));
	r = client_request(client, LIDARD_METHOD_GET_SENSOR, p, &reply);
	json_object_put(p);
	if (r < 0)
		return r;
	r = sensor_description_new(reply.parameters, ret_description);
	varlink_reply_deinit(&reply);
	if (r == -EPROTO)
		client_fail(client, r, "%s: the answer made no sense", LIDARD_METHOD_GET_SENSOR);
	return r;
}

LIDARD_EXPORT struct lidard_sensor_description *
lidard_sensor_description_free(struct lidard_sensor_description *description)
{
	struct owned_description *d = (struct owned_description *)description;

	if (d)
		json_object_put(d->message);
	free(d);
	return NULL;
}
