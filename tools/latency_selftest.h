/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency_selftest.h - what the parts of lidarctl latency --selftest share
 *
 * A trial delays one stage by a known time.  Whoever delays judges what is
 * shown of it, stage by stage; every verdict is a line of the one table.
 */
#ifndef TOOLS_LATENCY_SELFTEST_H
#define TOOLS_LATENCY_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "tools/latency.h"

#define SELFTEST_CLIENT_NAME "lidarctl-selftest"
/** How much of the delay a stage may be wrong by. */
#define SELFTEST_TOLERANCE 0.05
/** How long a slice is waited for. */
#define SELFTEST_WAIT_NS (5 * (int64_t)NSEC_PER_SEC)

struct selftest {
	const struct latency_options *options;
	struct lidard_client *client;
	uint64_t delay_ns;
	/** Does lidard-trace watch? */
	bool watched;
	/** The sensor's stages are the same for all slices, but for a delay. */
	bool steady;
	/** A verdict was that something is wrong. */
	bool failed;
};

/** What a stage must show more of than without delay, and by how much it may be wrong. */
struct selftest_expectation {
	unsigned int stage;
	double ns;
	double tolerance_ns;
	/** Less is no mistake. */
	bool may_shrink;
};

/** selftest_judge() - print a verdict and remember it. @more_ns: as the expectation's ns */
void selftest_judge(struct selftest *t, const char *trial, const char *by,
		    const struct selftest_expectation *e, double more_ns);

/**
 * selftest_delay_reader() - delay slices before they are taken, and before they are released
 * Complains on failure. Return: 0; -EINTR; -EBUSY the machine is; other negative errno.
 */
int selftest_delay_reader(struct selftest *t, const char *sensor);

/** Medians of each stage, ns, and of how many slices. */
struct selftest_view {
	struct {
		uint64_t count;
		double median_ns;
	} page[LIDARD_STAGE_COUNT], bpf[LIDARD_TRACE_STAGES];
};

/**
 * selftest_look() - watch some slices of a sensor; complains on failure
 * @ring: the device's name in the maps (lidar0), or ""
 *
 * Return: 0; -EINTR; other negative errno.
 */
int selftest_look(struct selftest *t, const char *sensor, const char *ring,
		  struct selftest_view *ret_view);

/** selftest_compare() - judge what a delay changed; of stages not in @expected, nothing is said */
void selftest_compare(struct selftest *t, const char *trial, const struct selftest_view *with,
		      const struct selftest_view *without,
		      const struct selftest_expectation *expected, unsigned int count);

/**
 * selftest_delay_device() - if the sensor is a device of lidar_sim, delay its interrupts
 * Puts back what was set before. Complains on failure. Return: 0; -EINTR; other negative errno.
 */
int selftest_delay_device(struct selftest *t, const char *sensor);

/** selftest_run_stack() - all trials with a RouDi and a lidard of our own. Return: as above. */
int selftest_run_stack(struct selftest *t);

/** selftest_connect() - to @socket, and see who watches. Complains. Return: 0; negative errno. */
int selftest_connect(struct selftest *t, const char *socket);

#endif /* TOOLS_LATENCY_SELFTEST_H */
