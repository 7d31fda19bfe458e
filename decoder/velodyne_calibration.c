/* SPDX-License-Identifier: Apache-2.0 */
/*
 * velodyne_calibration.c - see velodyne_calibration.h
 *
 * libyaml makes a document of nodes, in which aliases are not expanded, so it
 * is never larger than the text; this file looks at the few nodes it needs.
 */
#include "decoder/velodyne_calibration.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/cleanup.h"
#include "common/number_text.h"

/** Elevations lie within a quarter turn, offsets within a half. */
#define ELEVATION_MAX_RAD (M_PI / 2)
#define OFFSET_MAX_RAD M_PI

struct reader {
	const char *name;
	yaml_document_t *document;
	struct velodyne_calibration *calibration;
	bool seen[VELODYNE_LASERS_MAX];
	struct problem *problem;
};

static unsigned int line_of(const yaml_node_t *node)
{
	return (unsigned int)node->start_mark.line + 1;
}

static bool is_key(const yaml_node_t *node, const char *key)
{
	return node && node->type == YAML_SCALAR_NODE && node->data.scalar.length == strlen(key) &&
	       memcmp(node->data.scalar.value, key, strlen(key)) == 0;
}

/* Return: the value of @key, or NULL. */
static yaml_node_t *member(const struct reader *r, const yaml_node_t *mapping, const char *key)
{
	const yaml_node_pair_t *p;

	if (mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; p++)
		if (is_key(yaml_document_get_node(r->document, p->key), key))
			return yaml_document_get_node(r->document, p->value);
	return NULL;
}

static int read_number(const struct reader *r, const yaml_node_t *laser, const char *key, double max,
		       double *ret_value)
{
	const yaml_node_t *node = member(r, laser, key);
	double value;

	if (!node)
		return problem_set(r->problem, -EINVAL, "%.200s:%u: this laser has no %s", r->name,
				   line_of(laser), key);
	/* libyaml ends scalars with a NUL */
	if (node->type != YAML_SCALAR_NODE ||
	    !number_text_read((const char *)node->data.scalar.value, &value) || fabs(value) > max)
		return problem_set(r->problem, -EINVAL,
				   "%.200s:%u: %s must be a number, at most %g either way", r->name,
				   line_of(node), key, max);
	*ret_value = value;
	return 0;
}

static int read_laser(struct reader *r, const yaml_node_t *node)
{
	struct velodyne_laser laser;
	double id;
	int e;

	e = read_number(r, node, "laser_id", VELODYNE_LASERS_MAX - 1, &id);
	if (e < 0)
		return e;
	if (id < 0 || id != floor(id))
		return problem_set(r->problem, -EINVAL, "%.200s:%u: laser_id must count from 0",
				   r->name, line_of(node));
	if (r->seen[(int)id])
		return problem_set(r->problem, -EINVAL, "%.200s:%u: laser_id %d is there twice",
				   r->name, line_of(node), (int)id);
	r->seen[(int)id] = true;
	e = read_number(r, node, "vert_correction", ELEVATION_MAX_RAD, &laser.elevation_rad);
	if (e == 0)
		e = read_number(r, node, "rot_correction", OFFSET_MAX_RAD, &laser.offset_rad);
	if (e < 0)
		return e;
	r->calibration->lasers[(int)id] = laser;
	r->calibration->count++;
	return 0;
}

static int check_count(const struct reader *r, const yaml_node_t *root)
{
	const yaml_node_t *node = member(r, root, "num_lasers");
	unsigned int i, count = r->calibration->count;
	double wanted = count;

	if (node && (node->type != YAML_SCALAR_NODE ||
		     !number_text_read((const char *)node->data.scalar.value, &wanted)))
		return problem_set(r->problem, -EINVAL, "%.200s:%u: num_lasers must be a number",
				   r->name, line_of(node));
	if (!count || wanted != count)
		return problem_set(r->problem, -EINVAL, "%.200s: num_lasers is %g, lasers has %u",
				   r->name, wanted, count);
	for (i = 0; i < count; i++)
		if (!r->seen[i])
			return problem_set(r->problem, -EINVAL, "%.200s: there is no laser_id %u",
					   r->name, i);
	return 0;
}

static int read_document(struct reader *r)
{
	const yaml_node_t *root = yaml_document_get_root_node(r->document);
	const yaml_node_t *lasers = root ? member(r, root, "lasers") : NULL;
	const yaml_node_item_t *item;
	int e;

	if (!lasers || lasers->type != YAML_SEQUENCE_NODE)
		return problem_set(r->problem, -EINVAL,
				   "%.200s: no list \"lasers\"; this must be a Velodyne's calibration "
				   "as YAML", r->name);
	for (item = lasers->data.sequence.items.start; item < lasers->data.sequence.items.top; item++) {
		e = read_laser(r, yaml_document_get_node(r->document, *item));
		if (e < 0)
			return e;
	}
	return check_count(r, root);
}

static void cleanup_parser(yaml_parser_t *parser)
{
	yaml_parser_delete(parser);
}

static void cleanup_document(yaml_document_t *document)
{
	yaml_document_delete(document);
}

int velodyne_calibration_parse(const char *name, const char *text, size_t bytes,
			       struct velodyne_calibration *ret_calibration,
			       struct problem *problem)
{
	CLEANUP(cleanup_parser) yaml_parser_t parser;
	CLEANUP(cleanup_document) yaml_document_t document = { 0 };
	struct velodyne_calibration calibration = { 0 };
	struct reader r = { .name = name, .document = &document, .calibration = &calibration,
			    .problem = problem };
	int e;

	if (!yaml_parser_initialize(&parser)) {
		memset(&parser, 0, sizeof(parser));
		return problem_set(problem, -ENOMEM, "%.200s: no memory", name);
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	if (!yaml_parser_load(&parser, &document)) {
		/* deleting it twice would free what is gone */
		memset(&document, 0, sizeof(document));
		return problem_set(problem, parser.error == YAML_MEMORY_ERROR ? -ENOMEM : -EINVAL,
				   "%.200s:%zu: no YAML: %s", name, parser.problem_mark.line + 1,
				   parser.problem ? parser.problem : "damaged");
	}
	e = read_document(&r);
	if (e < 0)
		return e;
	*ret_calibration = calibration;
	return 0;
}
