/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency.c - lidarctl latency: where did every microsecond go
 *
 * Options and what they lead to; the figures are in latency_collect.c, how they
 * look in latency_show.c.
 */
#include "tools/latency.h"

#include <stdio.h>
#include <string.h>

#include "tools/complain.h"
#include "tools/stop.h"
#include "tools/terminal.h"

static const struct option_row latency_rows[] = {
	OPTION_ROW_TEXT(struct latency_options, sensor, "sensor", "NAME", NULL, "of this sensor only"),
	OPTION_ROW_TEXT(struct latency_options, client, "client", "NAME", NULL,
			"of this subscriber only"),
	OPTION_ROW_FLAG(struct latency_options, watch, "watch",
			"again and again, each time what came since the last"),
	OPTION_ROW_REAL(struct latency_options, interval, "interval", "S", "1", 0.05, 3600,
			"seconds between two pictures of --watch"),
	OPTION_ROW_COUNT(struct latency_options, count, "count", "N", "0", 0, 0,
			 "stop --watch after so many pictures; 0: never"),
	OPTION_ROW_FLAG(struct latency_options, histogram, "histogram", "draw each distribution"),
	OPTION_ROW_FLAG(struct latency_options, outliers, "outliers",
			"the last slices that took too long, and what is to blame"),
	OPTION_ROW_FLAG(struct latency_options, json, "json", "all of it as one JSON object"),
	OPTION_ROW_TEXT(struct latency_options, trace_export, "trace-export", "FILE", NULL,
			"receive slices and write their ways for Perfetto or chrome://tracing"),
	OPTION_ROW_REAL(struct latency_options, seconds, "seconds", "S", "2", 0.1, 600,
			"how long --trace-export receives"),
	OPTION_ROW_FLAG(struct latency_options, selftest, "selftest",
			"delay slices by a known time, and see it in the right stage only"),
	OPTION_ROW_REAL(struct latency_options, delay, "delay", "MS", "20", 1, 250,
			"that time, of --selftest"),
	OPTION_ROW_TEXT(struct latency_options, pin_dir, "pin-dir", "DIR", LIDARD_TRACE_PIN_DIR,
			"where lidard-trace pins its maps"),
	COMMAND_COMMON_ROWS(struct latency_options),
};

static int watch(const struct latency_options *options)
{
	struct latency_figures before = {}, now = {};
	struct terminal terminal = {};
	uint64_t pictures = 0;
	int r;

	r = latency_collect(options, &before);
	if (r < 0)
		return COMMAND_FAILED;
	stop_install();
	terminal_open(&terminal);
	while (!stop_requested()) {
		if (terminal_wait_key(&terminal, (uint64_t)(options->interval * 1e9)) == 'q' ||
		    stop_requested())
			break;
		r = latency_collect(options, &now);
		if (r < 0)
			break;
		terminal_begin(&terminal);
		latency_print_rows(options, &now, &before, terminal_eol(&terminal));
		terminal_end(&terminal);
		latency_figures_deinit(&before);
		before = now;
		if (options->count && ++pictures >= options->count)
			break;
	}
	terminal_close(&terminal);
	latency_figures_deinit(&before);
	return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static void print_json(const struct latency_options *options, const struct latency_figures *f)
{
	struct json_object *o = latency_to_json(options, f);

	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}

static int show(const struct latency_options *options)
{
	struct latency_figures f;

	if (latency_collect(options, &f) < 0)
		return COMMAND_FAILED;
	if (options->json)
		print_json(options, &f);
	else if (options->outliers)
		latency_print_outliers(options, &f);
	else if (options->histogram)
		latency_print_histograms(&f);
	else
		latency_print_rows(options, &f, NULL, "\n");
	latency_figures_deinit(&f);
	return COMMAND_OK;
}

static int latency_run(const void *data, char **arguments)
{
	const struct latency_options *options = data;

	if (options->trace_export)
		return latency_export(options);
	if (options->selftest)
		return latency_selftest(options);
	return options->watch ? watch(options) : show(options);
}

const struct command command_latency = {
	.name = "latency",
	.arguments = "",
	.summary = "where did every microsecond go, stage by stage",
	.description = "From BPF while lidard-trace runs and this user may read its maps, else from the\n"
		       "stamps of the subscribers, and says so. lidarctl(1) defines every stage.\n",
	.options = { latency_rows, sizeof(latency_rows) / sizeof(latency_rows[0]) },
	.options_bytes = sizeof(struct latency_options),
	.run = latency_run,
};
