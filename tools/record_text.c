/* SPDX-License-Identifier: Apache-2.0 */
/* record_text.c - see record_text.h */
#include "tools/record_text.h"

#include <inttypes.h>

#include "common/json_add.h"

bool record_text_knows(unsigned int format)
{
	return format == LIDARD_FORMAT_IMU || format == LIDARD_FORMAT_POSITION;
}

static const char *pps_name(unsigned int pps)
{
	static const char *const names[] = {
		[LIDARD_PPS_UNKNOWN] = "unknown",
		[LIDARD_PPS_ABSENT] = "absent",
		[LIDARD_PPS_SYNCHRONISING] = "synchronising",
		[LIDARD_PPS_LOCKED] = "locked",
		[LIDARD_PPS_ERROR] = "error",
	};

	return pps < sizeof(names) / sizeof(names[0]) ? names[pps] : "unknown";
}

/* ---- words ---- */

static void print_imu(const struct lidard_imu *r, FILE *out)
{
	const float *a = r->acceleration, *w = r->angular_velocity;

	fprintf(out, "imu %" PRIu64 " ns:", r->time_ns);
	if (r->flags & LIDARD_IMU_ACCELERATION_VALID)
		fprintf(out, " acceleration %.4f %.4f %.4f m/s^2", (double)a[0], (double)a[1],
			(double)a[2]);
	if (r->flags & LIDARD_IMU_ANGULAR_VELOCITY_VALID)
		fprintf(out, " angular velocity %.5f %.5f %.5f rad/s", (double)w[0], (double)w[1],
			(double)w[2]);
	if (r->flags & LIDARD_IMU_TEMPERATURE_VALID)
		fprintf(out, " %.1f degrees C", (double)r->temperature);
	fputc('\n', out);
}

static void print_position(const struct lidard_position *r, FILE *out)
{
	fprintf(out, "position %" PRIu64 " ns:", r->time_ns);
	if (r->flags & LIDARD_POSITION_VALID)
		fprintf(out, " latitude %.7f longitude %.7f", r->latitude, r->longitude);
	else
		fputs(" no fix", out);
	if (r->flags & LIDARD_POSITION_ALTITUDE_VALID)
		fprintf(out, " altitude %.1f m", r->altitude);
	if (r->flags & LIDARD_POSITION_SPEED_VALID)
		fprintf(out, " %.2f m/s", (double)r->speed);
	if (r->flags & LIDARD_POSITION_COURSE_VALID)
		fprintf(out, " course %.1f", (double)r->course);
	if (r->flags & LIDARD_POSITION_UTC_VALID)
		fprintf(out, " utc %.3f", (double)r->utc_ns / 1e9);
	fprintf(out, " pps %s\n", pps_name(r->pps));
}

/* ---- JSON: what is not valid is not there ---- */

static void add_vector(struct json_object *o, const char *key, const float v[3])
{
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < 3; i++)
		json_object_array_add(array, json_object_new_double((double)v[i]));
	json_object_object_add(o, key, array);
}

static void describe_imu(const struct lidard_imu *r, struct json_object *o)
{
	json_add_text(o, "record", "imu");
	json_add_uint(o, "time_ns", r->time_ns);
	json_add_uint(o, "angular_time_ns", r->angular_time_ns);
	if (r->flags & LIDARD_IMU_BOOT_TIME_VALID)
		json_add_uint(o, "boot_time_ns", r->boot_time_ns);
	if (r->flags & LIDARD_IMU_ACCELERATION_VALID)
		add_vector(o, "acceleration", r->acceleration);
	if (r->flags & LIDARD_IMU_ANGULAR_VELOCITY_VALID)
		add_vector(o, "angular_velocity", r->angular_velocity);
	if (r->flags & LIDARD_IMU_TEMPERATURE_VALID)
		json_add_real(o, "temperature", (double)r->temperature);
}

static void describe_position(const struct lidard_position *r, struct json_object *o)
{
	json_add_text(o, "record", "position");
	if (r->flags & LIDARD_POSITION_TIME_VALID)
		json_add_uint(o, "time_ns", r->time_ns);
	json_add_bool(o, "valid", r->flags & LIDARD_POSITION_VALID);
	if (r->flags & LIDARD_POSITION_VALID) {
		json_add_real(o, "latitude", r->latitude);
		json_add_real(o, "longitude", r->longitude);
	}
	if (r->flags & LIDARD_POSITION_ALTITUDE_VALID)
		json_add_real(o, "altitude", r->altitude);
	if (r->flags & LIDARD_POSITION_SPEED_VALID)
		json_add_real(o, "speed", (double)r->speed);
	if (r->flags & LIDARD_POSITION_COURSE_VALID)
		json_add_real(o, "course", (double)r->course);
	if (r->flags & LIDARD_POSITION_UTC_VALID)
		json_object_object_add(o, "utc_ns", json_object_new_int64(r->utc_ns));
	json_add_text(o, "pps", pps_name(r->pps));
	if (r->satellites)
		json_add_uint(o, "satellites", r->satellites);
}

static void print_json(const struct lidard_slice_header *h, const void *record, FILE *out)
{
	struct json_object *o = json_object_new_object();

	json_add_uint(o, "frame_id", h->frame_id);
	if (h->format == LIDARD_FORMAT_IMU)
		describe_imu(record, o);
	else
		describe_position(record, o);
	fprintf(out, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}

void record_text_print(const struct lidard_slice_header *h, const void *payload, bool json,
		       FILE *out)
{
	const char *record = payload;
	uint32_t i;

	for (i = 0; i < h->point_count; i++, record += h->point_step) {
		if (json)
			print_json(h, record, out);
		else if (h->format == LIDARD_FORMAT_IMU)
			print_imu((const void *)record, out);
		else
			print_position((const void *)record, out);
	}
}
