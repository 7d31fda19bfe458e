/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ouster_metadata.c - find, check and copy what the decoder needs
 *
 * A struct reader walks the parsed file; each read_*() finds one key, checks
 * it and says what is wrong with it.  Numbers in messages come from the file
 * as JSON text, so that nothing unprintable reaches a log.  Used while a
 * sensor is opened; nothing is kept but the result.
 */
#include "decoder/ouster_metadata.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/cleanup.h"
#include "decoder/decoder.h"
#include "decoder/metadata_file.h"
#include "decoder/time_scale.h"

#define JSON_DEPTH_MAX 32
/** As much of a wrong value as a message shows. */
#define SHOWN_MAX 60
/** An optical centre further from the housing than this is a mistake. */
#define OFFSET_MM_MAX 10000.0
#define SERIAL_BITS 40
#define RATE_HZ_MAX 100

struct reader {
	const char *file;
	struct json_object *root;
	struct problem *problem;
};

/** A key that was found. */
struct value {
	const char *section;
	const char *key;
	struct json_object *json;
};

/* Where keys stand, in the order they are believed: what the sensor sends before what it was
 * asked for, and the oldest, flat form last.
 */
static const char *const sections[] = {
	"lidar_data_format", "data_format",   "beam_intrinsics", "lidar_intrinsics",
	"sensor_info",	     "config_params", NULL,
};

static bool find_in(struct json_object *object, const char *key, struct value *ret)
{
	if (!json_object_object_get_ex(object, key, &ret->json))
		return false;
	/* null is how some tools write "not given" */
	return ret->json != NULL;
}

static bool find(const struct reader *r, const char *key, struct value *ret)
{
	unsigned int i;

	ret->key = key;
	for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		struct json_object *section = r->root;

		ret->section = sections[i];
		if (ret->section && !json_object_object_get_ex(r->root, ret->section, &section))
			continue;
		if (json_object_is_type(section, json_type_object) && find_in(section, key, ret))
			return true;
	}
	return false;
}

/* "FILE: section.key is VALUE: " and what would be right */
static int __attribute__((format(printf, 3, 4)))
wrong(const struct reader *r, const struct value *v, const char *right_format, ...)
{
	const char *shown = json_object_to_json_string_ext(v->json, JSON_C_TO_STRING_PLAIN);
	char right[160];
	va_list args;

	va_start(args, right_format);
	vsnprintf(right, sizeof(right), right_format, args);
	va_end(args);
	if (!shown)
		shown = "?";
	return problem_set(r->problem, -EINVAL, "%.200s: %s%s%s is %.*s%s: %s", r->file,
			   v->section ? v->section : "", v->section ? "." : "", v->key, SHOWN_MAX,
			   shown, strlen(shown) > SHOWN_MAX ? "..." : "", right);
}

static int missing(const struct reader *r, const char *what, const char *right)
{
	return problem_set(r->problem, -EINVAL, "%.200s: %s is missing: %s", r->file, what, right);
}

/* Return: 1 if the key is there, 0 if not. */
static int read_count(const struct reader *r, const char *key, uint32_t min, uint32_t max,
		      uint32_t *ret)
{
	struct value v;
	int64_t n;

	if (!find(r, key, &v))
		return 0;
	n = json_object_get_int64(v.json);
	if (!json_object_is_type(v.json, json_type_int) || n < min || n > max)
		return wrong(r, &v, "a whole number from %u to %u is wanted", min, max);
	*ret = (uint32_t)n;
	return 1;
}

/* Return: 1 if the key is there and not "", 0 if not: then *ret is "". */
static int read_text(const struct reader *r, const char *key, size_t size, char *ret)
{
	const char *text;
	struct value v;
	size_t i, length;

	ret[0] = '\0';
	if (!find(r, key, &v))
		return 0;
	if (!json_object_is_type(v.json, json_type_string))
		return wrong(r, &v, "a text is wanted");
	text = json_object_get_string(v.json);
	length = (size_t)json_object_get_string_len(v.json);
	if (length >= size)
		return wrong(r, &v, "a text of at most %zu characters is wanted", size - 1);
	for (i = 0; i < length; i++)
		if (!isprint((unsigned char)text[i]))
			return wrong(r, &v, "printable ASCII is wanted");
	memcpy(ret, text, length + 1);
	return length > 0;
}

static int number_at(const struct reader *r, const struct value *v, size_t index, double limit,
		     double *ret)
{
	struct json_object *item = json_object_array_get_idx(v->json, index);
	double n = json_object_get_double(item);

	if (!json_object_is_type(item, json_type_double) &&
	    !json_object_is_type(item, json_type_int))
		return wrong(r, v, "element %zu is not a number", index);
	if (!isfinite(n) || fabs(n) > limit)
		return wrong(r, v, "element %zu must be from %g to %g", index, -limit, limit);
	*ret = n;
	return 0;
}

/* Return: how many angles there are, 1 to OUSTER_PIXELS_MAX. */
static int read_angles(const struct reader *r, const char *key, double limit_deg, double *ret)
{
	struct value v;
	size_t i, count;

	if (!find(r, key, &v))
		return missing(r, key, "one angle in degrees for each beam is wanted");
	if (!json_object_is_type(v.json, json_type_array))
		return wrong(r, &v, "an array of angles in degrees is wanted");
	count = json_object_array_length(v.json);
	if (count < 1 || count > OUSTER_PIXELS_MAX)
		return wrong(r, &v, "it has %zu elements, 1 to %u are possible", count,
			     OUSTER_PIXELS_MAX);
	for (i = 0; i < count; i++) {
		int e = number_at(r, &v, i, limit_deg, &ret[i]);

		if (e < 0)
			return e;
	}
	return (int)count;
}

/* Is it a rotation (not a mirror) and a shift? */
static bool is_rigid(const double m[16])
{
	double det = m[0] * (m[5] * m[10] - m[6] * m[9]) - m[1] * (m[4] * m[10] - m[6] * m[8]) +
		     m[2] * (m[4] * m[9] - m[5] * m[8]);
	unsigned int i, j, k;

	for (i = 0; i < 3; i++)
		for (j = 0; j < 3; j++) {
			double dot = 0;

			for (k = 0; k < 3; k++)
				dot += m[i * 4 + k] * m[j * 4 + k];
			if (fabs(dot - (i == j)) > 0.01)
				return false;
		}
	return det > 0 && fabs(m[12]) < 1e-6 && fabs(m[13]) < 1e-6 && fabs(m[14]) < 1e-6 &&
	       fabs(m[15] - 1) < 1e-6;
}

/* Return: 1 if the key is there, 0 if not. */
static int read_transform(const struct reader *r, const char *key, double ret[16])
{
	double m[16];
	struct value v;
	size_t i;

	if (!find(r, key, &v))
		return 0;
	if (!json_object_is_type(v.json, json_type_array) ||
	    json_object_array_length(v.json) != 16)
		return wrong(r, &v, "an array of 16 numbers (4x4, row by row, mm) is wanted");
	for (i = 0; i < 16; i++) {
		int e = number_at(r, &v, i, OFFSET_MM_MAX, &m[i]);

		if (e < 0)
			return e;
	}
	if (!is_rigid(m))
		return wrong(r, &v, "a rotation and a shift in mm are wanted");
	memcpy(ret, m, sizeof(m));
	return 1;
}

static int read_profile(const struct reader *r, struct ouster_metadata *m)
{
	char name[64];
	struct value v;
	int e = read_text(r, "udp_profile_lidar", sizeof(name), name);

	if (e < 0)
		return e;
	/* firmware up to 2.1 knows no other and does not say so */
	m->profile = ouster_profile_find(e ? name : "LEGACY");
	if (!m->profile && find(r, "udp_profile_lidar", &v))
		return wrong(r, &v,
			     "known are LEGACY, RNG19_RFL8_SIG16_NIR16, RNG15_RFL8_NIR8, each also "
			     "_DUAL, and FUSA_RNG15_RFL8_NIR8_DUAL");
	return 0;
}

static int read_lidar_mode(const struct reader *r, struct ouster_metadata *m)
{
	unsigned int columns, hz;
	char mode[16], end;
	struct value v;
	int e = read_text(r, "lidar_mode", sizeof(mode), mode);

	if (e < 0)
		return e;
	if (!e)
		return missing(r, "columns_per_frame", "it, or lidar_mode, is needed");
	if (sscanf(mode, "%4ux%4u%c", &columns, &hz, &end) != 2 || columns < 1 ||
	    columns > OUSTER_COLUMNS_MAX) {
		find(r, "lidar_mode", &v);
		return wrong(r, &v, "COLUMNSxHZ is wanted, with 1 to %u columns",
			     OUSTER_COLUMNS_MAX);
	}
	m->columns_per_frame = columns;
	return 0;
}

/* Only told: what is not "COLUMNSxHZ" is left alone. */
static void read_rate(const struct reader *r, struct ouster_metadata *m)
{
	unsigned int columns, hz;
	struct value v;
	char end;

	if (find(r, "lidar_mode", &v) && json_object_is_type(v.json, json_type_string) &&
	    sscanf(json_object_get_string(v.json), "%5ux%3u%c", &columns, &hz, &end) == 2 &&
	    hz <= RATE_HZ_MAX)
		m->rate_hz = hz;
}

static int read_window(const struct reader *r, struct ouster_metadata *m)
{
	const double limit = m->columns_per_frame - 1;
	double end[2];
	struct value v;
	int i, e;

	m->window_first = 0;
	m->window_last = m->columns_per_frame - 1;
	if (!find(r, "column_window", &v))
		return 0;
	if (!json_object_is_type(v.json, json_type_array) || json_object_array_length(v.json) != 2)
		return wrong(r, &v, "the first and the last column sent are wanted");
	for (i = 0; i < 2; i++) {
		e = number_at(r, &v, (size_t)i, limit, &end[i]);
		if (e < 0)
			return e;
		if (end[i] < 0 || end[i] != floor(end[i]))
			return wrong(r, &v, "columns are whole numbers from 0 to %g", limit);
	}
	m->window_first = (uint32_t)end[0];
	m->window_last = (uint32_t)end[1];
	return 0;
}

static int read_beams(const struct reader *r, struct ouster_metadata *m)
{
	int altitudes = read_angles(r, "beam_altitude_angles", 90, m->altitude_deg);
	int azimuths, e;

	if (altitudes < 0)
		return altitudes;
	azimuths = read_angles(r, "beam_azimuth_angles", 360, m->azimuth_deg);
	if (azimuths < 0)
		return azimuths;
	m->pixels_per_column = (uint32_t)altitudes;
	e = read_count(r, "pixels_per_column", 1, OUSTER_PIXELS_MAX, &m->pixels_per_column);
	if (e < 0)
		return e;
	if (altitudes != azimuths || m->pixels_per_column != (uint32_t)altitudes)
		return problem_set(r->problem, -EINVAL,
				   "%.200s: pixels_per_column is %u, but there are %d "
				   "beam_altitude_angles and %d beam_azimuth_angles: all three must "
				   "be equal",
				   r->file, m->pixels_per_column, altitudes, azimuths);
	return 0;
}

static int read_format(const struct reader *r, struct ouster_metadata *m)
{
	struct ouster_layout layout;
	int e = read_count(r, "columns_per_frame", 1, OUSTER_COLUMNS_MAX, &m->columns_per_frame);

	if (e == 0)
		e = read_lidar_mode(r, m);
	if (e < 0)
		return e;
	m->columns_per_packet = 16;
	e = read_count(r, "columns_per_packet", 1, DECODER_PACKET_COLUMNS_MAX,
		       &m->columns_per_packet);
	if (e < 0)
		return e;
	if (m->columns_per_packet > m->columns_per_frame)
		return problem_set(r->problem, -EINVAL,
				   "%.200s: columns_per_packet is %u: at most columns_per_frame (%u) "
				   "is possible",
				   r->file, m->columns_per_packet, m->columns_per_frame);
	ouster_layout_init(&layout, m->profile, m->columns_per_packet, m->pixels_per_column);
	if (layout.packet_bytes > OUSTER_PACKET_BYTES_MAX)
		return problem_set(r->problem, -EINVAL,
				   "%.200s: columns_per_packet is %u: with %u pixels of %s a packet "
				   "has %u bytes, at most %u fit a datagram",
				   r->file, m->columns_per_packet, m->pixels_per_column,
				   m->profile->name, layout.packet_bytes, OUSTER_PACKET_BYTES_MAX);
	return read_window(r, m);
}

/* The radius the beams leave the head at, for files that do not say. */
static double default_beam_origin_mm(const char *model)
{
	static const struct {
		const char *prefix;
		double mm;
	} known[] = {
		{ "OS-0-", 27.67 },
		{ "OS-1-", 15.806 },
		{ "OS-2-", 13.762 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(model, known[i].prefix, strlen(known[i].prefix)) == 0)
			return known[i].mm;
	return 12.163; /* generation 1 */
}

static int read_beam_origin(const struct reader *r, struct ouster_metadata *m)
{
	double beam_to_lidar[16], n;
	struct value v;
	int e = read_transform(r, "beam_to_lidar_transform", beam_to_lidar);

	if (e < 0)
		return e;
	if (e) {
		m->beam_origin_x_mm = beam_to_lidar[3];
		m->beam_origin_z_mm = beam_to_lidar[11];
		return 0;
	}
	m->beam_origin_x_mm = default_beam_origin_mm(m->model);
	m->beam_origin_z_mm = 0;
	if (!find(r, "lidar_origin_to_beam_origin_mm", &v))
		return 0;
	n = json_object_get_double(v.json);
	if ((!json_object_is_type(v.json, json_type_double) &&
	     !json_object_is_type(v.json, json_type_int)) ||
	    !isfinite(n) || fabs(n) > OFFSET_MM_MAX)
		return wrong(r, &v, "a number from %g to %g is wanted", -OFFSET_MM_MAX,
			     OFFSET_MM_MAX);
	m->beam_origin_x_mm = n;
	return 0;
}

static int read_geometry(const struct reader *r, struct ouster_metadata *m)
{
	static const double turned_and_raised[16] = {
		-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 36.18, 0, 0, 0, 1,
	};
	/* of all generations, as files have it that say so */
	static const double straight[16] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
	int e = read_beam_origin(r, m);

	if (e < 0)
		return e;
	memcpy(m->lidar_to_sensor, turned_and_raised, sizeof(turned_and_raised));
	e = read_transform(r, "lidar_to_sensor_transform", m->lidar_to_sensor);
	if (e < 0)
		return e;
	memcpy(m->imu_to_sensor, straight, sizeof(straight));
	e = read_transform(r, "imu_to_sensor_transform", m->imu_to_sensor);
	return e < 0 ? e : 0;
}

static int read_clock(const struct reader *r, struct ouster_metadata *m)
{
	static const struct {
		const char *mode;
		uint8_t clock;
		uint8_t lock;
		uint16_t clocks;
	} modes[] = {
		{ "TIME_FROM_INTERNAL_OSC", LIDARD_CLOCK_SENSOR_BOOT,
		  LIDARD_CLOCK_LOCK_FREE_RUNNING, TIME_CHOICES(TIME_CHOICE_BOOT) },
		/* asked to follow a master; whether there is one the file cannot know */
		{ "TIME_FROM_PTP_1588", LIDARD_CLOCK_TAI, LIDARD_CLOCK_LOCK_UNKNOWN,
		  TIME_CHOICES(TIME_CHOICE_PTP) | TIME_CHOICES(TIME_CHOICE_TAI) |
		  TIME_CHOICES(TIME_CHOICE_UTC) },
		/* TAI if it was told to add the leap seconds */
		{ "TIME_FROM_SYNC_PULSE_IN", LIDARD_CLOCK_UTC, LIDARD_CLOCK_LOCK_UNKNOWN,
		  TIME_CHOICES(TIME_CHOICE_GPS) | TIME_CHOICES(TIME_CHOICE_UTC) |
		  TIME_CHOICES(TIME_CHOICE_TAI) },
	};
	char mode[32];
	struct value v;
	unsigned int i;
	int e = read_text(r, "timestamp_mode", sizeof(mode), mode);

	if (e < 0)
		return e;
	m->sensor_clock = LIDARD_CLOCK_SENSOR_BOOT;
	m->clock_lock = LIDARD_CLOCK_LOCK_UNKNOWN;
	m->clocks = TIME_CHOICES_OF_DATES;
	if (!e)
		return 0;
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(mode, modes[i].mode) == 0) {
			m->sensor_clock = modes[i].clock;
			m->clock_lock = modes[i].lock;
			m->clocks = modes[i].clocks;
			return 0;
		}
	find(r, "timestamp_mode", &v);
	return wrong(r, &v,
		     "TIME_FROM_INTERNAL_OSC, TIME_FROM_PTP_1588 or TIME_FROM_SYNC_PULSE_IN is "
		     "wanted");
}

static int read_identity(const struct reader *r, const char *model, struct ouster_metadata *m)
{
	struct value v;
	size_t digits;
	int e = read_text(r, "prod_line", sizeof(m->model), m->model);

	if (e < 0)
		return e;
	if (!e)
		snprintf(m->model, sizeof(m->model), "%s", model);
	e = read_text(r, "prod_sn", sizeof(m->serial), m->serial);
	if (e <= 0)
		return e;
	digits = strspn(m->serial, "0123456789");
	/* thirteen digits cannot overflow, and hold all 40 bits */
	m->serial_number = digits <= 13 ? strtoull(m->serial, NULL, 10) : UINT64_MAX;
	if (m->serial[digits] || m->serial_number >> SERIAL_BITS) {
		find(r, "prod_sn", &v);
		return wrong(r, &v, "a decimal number below 2^%d is wanted", SERIAL_BITS);
	}
	return 0;
}

/* "v2.3.0", or "name-v2.3.0+rest". Return: 2003 for 2.3; -1 if there is no version. */
static int firmware_version(const char *text)
{
	unsigned int major, minor;

	for (; *text; text++)
		if (sscanf(text, "v%3u.%3u", &major, &minor) == 2)
			return (int)(major * 1000 + minor);
	return -1;
}

/* Firmware older than 2.5 has a constant where the checksum will be. */
static int read_crc(const struct reader *r, struct ouster_metadata *m)
{
	static const char *const keys[] = { "image_rev", "build_rev" };
	int e, version = -1;
	unsigned int i;
	char text[256];

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && version < 0; i++) {
		e = read_text(r, keys[i], sizeof(text), text);
		if (e < 0)
			return e;
		version = firmware_version(text);
		if (e)
			snprintf(m->firmware, sizeof(m->firmware), "%.63s", text);
	}
	if (!m->profile->has_crc || (version >= 0 && version < 2005))
		m->crc = OUSTER_CRC_NONE;
	else
		m->crc = version < 0 ? OUSTER_CRC_UNKNOWN : OUSTER_CRC_PRESENT;
	return 0;
}

static int read_all(const struct reader *r, const char *model, struct ouster_metadata *m)
{
	int e = read_profile(r, m);

	if (e >= 0)
		e = read_identity(r, model, m);
	if (e >= 0)
		e = read_beams(r, m);
	if (e >= 0)
		e = read_format(r, m);
	if (e >= 0)
		e = read_geometry(r, m);
	if (e >= 0)
		e = read_clock(r, m);
	if (e >= 0)
		e = read_crc(r, m);
	if (e >= 0)
		read_rate(r, m);
	return e;
}

static void cleanup_tokener(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

static void cleanup_json(struct json_object **o)
{
	json_object_put(*o);
}

int ouster_metadata_parse(const char *name, const char *text, size_t bytes, const char *model,
			  struct ouster_metadata *ret, struct problem *problem)
{
	CLEANUP(cleanup_tokener) struct json_tokener *tokener = NULL;
	CLEANUP(cleanup_json) struct json_object *root = NULL;
	struct ouster_metadata m = { 0 };
	struct reader r = { .file = name, .problem = problem };
	int e;

	if (bytes > OUSTER_METADATA_BYTES_MAX)
		return problem_set(problem, -EFBIG, "%.200s: %zu bytes: at most %u are possible",
				   name, bytes, OUSTER_METADATA_BYTES_MAX);
	tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (!tokener)
		return problem_set(problem, -ENOMEM, "%.200s: no memory", name);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	root = json_tokener_parse_ex(tokener, text, (int)bytes);
	if (json_tokener_get_error(tokener) != json_tokener_success)
		return problem_set(problem, -EINVAL, "%.200s: not JSON at byte %zu: %s", name,
				   json_tokener_get_parse_end(tokener),
				   json_tokener_error_desc(json_tokener_get_error(tokener)));
	if (!json_object_is_type(root, json_type_object))
		return problem_set(problem, -EINVAL, "%.200s: a JSON object is wanted", name);
	r.root = root;
	e = read_all(&r, model, &m);
	if (e < 0)
		return e;
	*ret = m;
	return 0;
}

int ouster_metadata_read(const char *path, const char *model, struct ouster_metadata *ret,
			 struct problem *problem)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t bytes;
	int e;

	e = metadata_file_read(path, OUSTER_METADATA_BYTES_MAX, &text, &bytes, problem);
	return e < 0 ? e : ouster_metadata_parse(path, text, bytes, model, ret, problem);
}
