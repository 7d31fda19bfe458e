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
	case SOURCE_KIND_UDP:
		return source_udp_new(config, ret_source, problem);
	case SOURCE_KIND_SIDE:
		return source_side_new(config, ret_source, problem);
	}
	return problem_set(problem, -EINVAL, "unknown source %d",
			   (int)config->source);
}

static int check_kind(const struct sensor_config *config, struct problem *problem)
{
	struct sim_layout layout;

	switch (config->source) {
	case SOURCE_KIND_SIM:
		return sim_layout_init(&layout, config, problem);
	case SOURCE_KIND_REPLAY:
		return source_replay_check(config, problem);
	case SOURCE_KIND_UDP:
		return source_udp_check(config, problem);
	case SOURCE_KIND_DEVICE:
	case SOURCE_KIND_SIDE:
		break;
	}
	return 0;
}

int source_check(const struct sensor_config *config, struct problem *problem)
{
	int r = check_kind(config, problem);

	return r == 0 && config->imu ? source_side_check(config, problem) : r;
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
