/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_info.c - see sensor_info.h */
#include "daemon/sensor_info.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json_add.h"
#include "daemon/sensor.h"
#include "daemon/status.h"
#include "decoder/decoder.h"
#include "decoder/metadata_file.h"
#include "lidard/control.h"

/* The sensor's files, "" where there is none. */
struct texts {
	char *metadata;
	char *calibration;
};

static void cleanup_texts(struct texts *t)
{
	free(t->metadata);
	free(t->calibration);
}

static int read_text(const char *path, char **ret_text, struct problem *problem)
{
	size_t bytes;

	if (path[0])
		return metadata_file_read(path, LIDARD_METADATA_BYTES_MAX, ret_text, &bytes, problem);
	*ret_text = strdup("");
	return *ret_text ? 0 : problem_set(problem, -ENOMEM, "out of memory");
}

static int read_texts(const struct sensor_config *s, struct texts *t, struct problem *problem)
{
	int r = read_text(s->metadata, &t->metadata, problem);

	return r < 0 ? r : read_text(s->calibration, &t->calibration, problem);
}

int sensor_info_get_decoder(const struct sensor *s, json_object **ret_object,
			    struct problem *problem)
{
	CLEANUP(cleanup_texts) struct texts t = { NULL, NULL };
	json_object *o;
	int r = read_texts(&s->config, &t, problem);

	if (r < 0)
		return r;
	o = json_object_new_object();
	json_add_text(o, "decoder", s->config.decoder);
	json_add_text(o, "model", s->config.model);
	json_add_text(o, "metadata", t.metadata);
	json_add_text(o, "calibration", t.calibration);
	*ret_object = o;
	return 0;
}

/* ---- GetSensor ---- */

/* lidard does not decode it, but can say who would. */
static void add_packet_facts(json_object *o, const struct sensor_config *config,
			     struct source_facts *facts)
{
	struct decoder_sensor sensor = sensor_config_decoder(config);
	const struct decoder_ops *ops;
	struct decoder *decoder;

	if (decoder_choose(config->decoder, &sensor, &ops, NULL) < 0 ||
	    ops->open(&sensor, &decoder, NULL) < 0)
		return;
	source_facts_learn(facts, decoder);
	if (decoder->geometry.model[0])
		json_add_text(o, "model", decoder->geometry.model);
	if (decoder->geometry.serial[0])
		json_add_text(o, "serial", decoder->geometry.serial);
	ops->free(decoder);
}

static void add_facts(json_object *o, const struct sensor *s)
{
	struct source_facts facts = s->source->facts;

	if (s->source->format == LIDARD_FORMAT_RAW)
		add_packet_facts(o, &s->config, &facts);
	json_add_text(o, "decoder", facts.decoder ? facts.decoder : "");
	json_add_text(o, "vendor", facts.vendor ? facts.vendor : "");
	json_add_text(o, "firmware", facts.firmware);
	json_add_uint(o, "beams", facts.beams);
	json_add_uint(o, "columns", facts.columns);
	json_add_real(o, "rate_hz", facts.rate_hz);
}

static json_object *get_numbers(const double *numbers, size_t count)
{
	json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < count; i++)
		json_object_array_add(array, json_object_new_double(numbers[i]));
	return array;
}

static void add_pose(json_object *o, const struct pose *p)
{
	json_object *pose = NULL;

	if (p->known) {
		pose = json_object_new_object();
		json_object_object_add(pose, "translation_m", get_numbers(p->translation_m, 3));
		json_object_object_add(pose, "rotation_xyzw", get_numbers(p->rotation, 4));
	}
	json_object_object_add(o, "pose", pose);
}

/* What is known is told though a file is not to be read, which is told, too. */
static void add_texts(json_object *o, const struct sensor_config *config)
{
	CLEANUP(cleanup_texts) struct texts t = { NULL, NULL };
	struct problem problem = { "" };

	read_texts(config, &t, &problem);
	json_add_text(o, "metadata", t.metadata ? t.metadata : "");
	json_add_text(o, "calibration", t.calibration ? t.calibration : "");
	json_add_text(o, "problem", problem.text);
}

json_object *sensor_info_get(const struct sensor *s)
{
	json_object *o = status_describe_sensor(s);

	json_add_text(o, "side", s->side ? s->side->config.name : "");
	add_facts(o, s);
	add_pose(o, &s->config.pose);
	add_texts(o, &s->config);
	return o;
}
