/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency.h - figures of stages, from whichever source has them
 *
 * BPF maps while lidard-trace watches (trace/trace_reader.h), else the pages of
 * the subscribers, which lidard shows in its status.  Everything below works on
 * a struct latency_figures and does not care.
 */
#ifndef TOOLS_LATENCY_H
#define TOOLS_LATENCY_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "lidard/control.h"
#include "lidard/lidard.h"
#include "tools/command.h"
#include "tools/snapshot.h"
#include "trace/trace_blame.h"
#include "trace/trace_reader.h"

struct latency_options {
	struct common_options common;
	const char *sensor;
	const char *client;
	const char *pin_dir;
	bool watch;
	double interval;
	uint64_t count;
	bool histogram;
	bool outliers;
	bool json;
	const char *trace_export;
	double seconds;
	bool selftest;
	/** ms */
	double delay;
};

struct latency_row {
	char sensor[LIDARD_SENSOR_NAME_MAX];
	/** "" for what happens once, before anybody takes a slice. */
	char client[LIDARD_PROBE_CLIENT_MAX];
	/** enum lidard_trace_stage. */
	unsigned int stage;
	struct lidard_histogram histogram;
};

struct latency_figures {
	/** Owned; NULL: of stamps alone. */
	struct trace_picture *picture;
	/** Owned: lidard's status, of stamps alone or when a sensor found no memory; or NULL. */
	struct snapshot *snapshot;
	/** Why of stamps alone, or what else is to be said; "" if nothing. */
	char note[256];
	/** In the order in which they are shown. */
	struct latency_row *rows;
	size_t count;
};

/**
 * latency_collect() - take a picture; complains on failure
 * Return: 0; negative errno.
 */
int latency_collect(const struct latency_options *options, struct latency_figures *f);
/** Twice is fine. */
void latency_figures_deinit(struct latency_figures *f);
/** latency_since() - a row less what it was in @before */
void latency_since(const struct latency_row *now, const struct latency_figures *before,
		   struct latency_row *ret_row);

/** latency_selects() - do --sensor and --client ask for it? A client of "" passes. */
bool latency_selects(const struct latency_options *o, const char *sensor, const char *client);

/** latency_print_rows() - @before: show what came since; NULL: all */
void latency_print_rows(const struct latency_options *o, const struct latency_figures *f,
			const struct latency_figures *before, const char *eol);
void latency_print_histograms(const struct latency_figures *f);
void latency_print_outliers(const struct latency_options *o, const struct latency_figures *f);
/** latency_to_json() - free with json_object_put() */
struct json_object *latency_to_json(const struct latency_options *o,
				    const struct latency_figures *f);

/** --trace-export. Return: an exit code. */
int latency_export(const struct latency_options *o);
/** --selftest. Return: an exit code. */
int latency_selftest(const struct latency_options *o);

#endif /* TOOLS_LATENCY_H */
