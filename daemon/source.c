/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - which sources there are */
#include "daemon/source.h"

#include <errno.h>

#include "daemon/config.h"
#include "daemon/sim_layout.h"

int source_new(const struct sensor_config *config, struct source **ret_source,
	       struct problem *problem)
{
	switch (config->source) {
	case SOURCE_KIND_SIM:
		return source_sim_new(config, ret_source, problem);
	case SOURCE_KIND_REPLAY:
		return source_replay_new(config, ret_source, problem);
	case SOURCE_KIND_DEVICE:
		return source_device_new(config, ret_source, problem);
	}
	return problem_set(problem, -EINVAL, "sensor %s: unknown source %d", config->name,
			   (int)config->source);
}

int source_check(const struct sensor_config *config, struct problem *problem)
{
	struct sim_layout layout;

	if (config->source == SOURCE_KIND_SIM)
		return sim_layout_init(&layout, config, problem);
	return 0;
}

const char *source_drop_name(enum source_drop cause)
{
	static const char *const names[SOURCE_DROP_COUNT] = {
		[SOURCE_DROP_NO_LOAN] = "no_loan",
		[SOURCE_DROP_OVERRUN] = "overrun",
		[SOURCE_DROP_STOPPED] = "stopped",
		[SOURCE_DROP_DEVICE] = "device",
	};

	return cause < SOURCE_DROP_COUNT ? names[cause] : "unknown";
}
