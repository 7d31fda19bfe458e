/* SPDX-License-Identifier: Apache-2.0 */
/* decoder.c - which decoders there are */
#include "decoder/decoder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "decoder/model_name.h"

static const struct decoder_ops *const decoders[] = {
	&decoder_ouster,
	&decoder_velodyne,
	&decoder_hesai,
	&decoder_robosense,
};

#define COUNT (sizeof(decoders) / sizeof(decoders[0]))

static const char *list_names(char *text, size_t size)
{
	size_t i, used = 0;

	for (i = 0; i < COUNT && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
					 decoders[i]->name);
	return text;
}

static const struct decoder_ops *find(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT; i++)
		if (model_name_equal(decoders[i]->name, name))
			return decoders[i];
	return NULL;
}

static const struct decoder_ops *find_model(const char *model)
{
	size_t i;

	for (i = 0; i < COUNT; i++)
		if (decoders[i]->knows(model))
			return decoders[i];
	return NULL;
}

static int choose_by_model(const struct decoder_sensor *sensor, const struct decoder_ops **ret_ops,
			   struct problem *problem)
{
	char names[128];

	list_names(names, sizeof(names));
	*ret_ops = find_model(sensor->model);
	if (*ret_ops)
		return 0;
	/* which belong to Ouster's sensors alone */
	if (sensor->metadata || sensor->metadata_path[0]) {
		*ret_ops = &decoder_ouster;
		return 0;
	}
	if (!sensor->model[0])
		return problem_set(problem, -EINVAL,
				   "whose packets are these? An Ouster needs metadata = FILE, the "
				   "sensor's metadata as JSON; others are named by model = NAME, a "
				   "model or one of: %s", names);
	return problem_set(problem, -EINVAL,
			   "model = %s: no decoder knows it; name its vendor with decoder =, which is "
			   "one of: %s", sensor->model, names);
}

int decoder_choose(const char *name, struct decoder_sensor *sensor,
		   const struct decoder_ops **ret_ops, struct problem *problem)
{
	const struct decoder_ops *vendor = find(sensor->model);
	const struct decoder_ops *ops = find(name);
	char names[128];

	if (strcmp(name, "auto") != 0 && !ops)
		return problem_set(problem, -EINVAL, "there is no decoder \"%s\"; there is: %s", name,
				   list_names(names, sizeof(names)));
	if (!ops)
		ops = vendor;
	if (!ops) {
		int r = choose_by_model(sensor, &ops, problem);

		if (r < 0)
			return r;
	}
	if (ops == vendor)
		sensor->model = "";
	*ret_ops = ops;
	return 0;
}
