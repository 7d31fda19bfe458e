/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo_stack.h - RouDi and lidard, started for the demo or a self-test and ended after it
 *
 * Both run inside the sandbox.  Programs are found in the build tree lidarctl
 * runs from, else where they are installed.
 */
#ifndef TOOLS_DEMO_STACK_H
#define TOOLS_DEMO_STACK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tools/child.h"
#include "tools/demo_plan.h"
#include "tools/sandbox.h"

#define DEMO_SENSOR "demo"
#define DEMO_SOCKET "/run/lidard/control"

/** What a sensor is to be. */
struct demo_sensor {
	const char *name;
	const struct demo_plan *plan;
	/** Synthetic: bytes/s, and faults. */
	uint64_t rate;
	uint32_t fill_delay_us;
	uint32_t ready_delay_us;
	/** Replay: absolute path of the capture; NULL: synthetic. */
	const char *replay_file;
	const char *metadata;
	const char *calibration;
	/** The sensor's model or vendor; NULL: its metadata tell. */
	const char *model;
	/** A LIDAR's device node; NULL: none. At most one sensor has one. */
	const char *device;
	/** direct, copy, auto. */
	const char *device_mode;
	bool once;
};

struct demo_stack {
	char lidard_path[PATH_MAX];
	char reclaim_path[PATH_MAX];
	char roudi_path[PATH_MAX];
	struct child roudi;
	struct child lidard;
	struct child_user lidard_user;
	struct child_user reader_user;
};

/** demo_stack_find() - find the programs; complains. Return: 0; -ENOENT. */
int demo_stack_find(struct demo_stack *s);

/**
 * demo_stack_start() - write the configuration, start RouDi and lidard
 *
 * Inside the sandbox. Complains, and shows what a failing program wrote.
 * Return: 0 lidard answers; negative errno; -EINTR a signal arrived.
 */
int demo_stack_start(struct demo_stack *s, const struct demo_sensor *sensors, unsigned int count,
		     const struct sandbox *sandbox);

/** demo_stack_has_failed() - has RouDi or lidard ended? Then says so, with its last lines. */
bool demo_stack_has_failed(struct demo_stack *s);

/** demo_stack_stop() - lidard, then RouDi. Idempotent. */
void demo_stack_stop(struct demo_stack *s);

#endif /* TOOLS_DEMO_STACK_H */
