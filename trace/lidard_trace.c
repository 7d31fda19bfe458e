/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidard_trace.c - lidard-trace: watch slices on their way, for lidarctl latency
 *
 * Loads and attaches (trace_loader.h), says what it does without, and then only
 * waits: everything else happens in the kernel, until it is told to end.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "trace/trace_loader.h"

#define NSEC_PER_MS 1000000.0
/* An hour: more is a slip of the finger. */
#define THRESHOLD_MAX_MS 3600000.0

enum {
	EXIT_USAGE = 2,
};

static const struct option long_options[] = {
	{ "daemon", required_argument, NULL, 'd' },
	{ "library", required_argument, NULL, 'l' },
	{ "pin-dir", required_argument, NULL, 'p' },
	{ "late", required_argument, NULL, 'L' },
	{ "hold", required_argument, NULL, 'H' },
	{ "fill", required_argument, NULL, 'F' },
	{ "no-scheduler", no_argument, NULL, 'S' },
	{ "clear", no_argument, NULL, 'c' },
	{ "debug", no_argument, NULL, 'D' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{},
};

static void print_usage(FILE *out)
{
	fputs("Usage: lidard-trace [OPTIONS]\n\n"
	      "Watch slices on their way from lidard to its readers, by BPF, until ended.\n"
	      "lidarctl latency shows what it finds.\n\n"
	      "  --late MS        a slice taken so long after it was filled is an outlier\n"
	      "                   (20; 0: never)\n"
	      "  --hold MS        so is one held for so long (200; 0: never)\n"
	      "  --fill MS        so is one that took so long to fill (0: never)\n"
	      "  --no-scheduler   do not watch wake-ups and run queues\n"
	      "  --clear          begin with empty histograms\n"
	      "  --daemon PATH    the program with lidard's probes\n"
	      "                   (" LIDARD_TRACE_DAEMON ")\n"
	      "  --library PATH   the library with the readers' probes\n"
	      "                   (" LIDARD_TRACE_LIBRARY ")\n"
	      "  --pin-dir DIR    where the maps are pinned (" LIDARD_TRACE_PIN_DIR ")\n"
	      "  --debug          show what libbpf and the kernel say\n"
	      "  --version        the version\n"
	      "  --help           this text\n\n"
	      "Exit status: 0 ended by a signal; 1 it cannot watch; 2 usage.\n", out);
}

/* Return: 0; -EINVAL (complained of). */
static int parse_ms(const char *option, const char *text, uint64_t *ret_ns)
{
	char *end;
	double ms = strtod(text, &end);

	if (end == text || *end || !(ms >= 0 && ms <= THRESHOLD_MAX_MS)) {
		fprintf(stderr, "lidard-trace: --%s: '%s' is not between 0 and %.0f ms\n", option, text,
			THRESHOLD_MAX_MS);
		return -EINVAL;
	}
	*ret_ns = (uint64_t)(ms * NSEC_PER_MS);
	return 0;
}

/* Return: -1: run; else the exit status. */
static int parse(int argc, char **argv, struct trace_loader_opts *o)
{
	int c, r = 0;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'd':
			o->daemon_path = optarg;
			break;
		case 'l':
			o->library_path = optarg;
			break;
		case 'p':
			o->pin_dir = optarg;
			break;
		case 'L':
			r = parse_ms("late", optarg, &o->settings.late_ns);
			break;
		case 'H':
			r = parse_ms("hold", optarg, &o->settings.hold_ns);
			break;
		case 'F':
			r = parse_ms("fill", optarg, &o->settings.fill_ns);
			break;
		case 'S':
			o->scheduler = false;
			break;
		case 'c':
			o->clear = true;
			break;
		case 'D':
			o->debug = true;
			break;
		case 'V':
			puts("lidard-trace " LIDARD_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			print_usage(stdout);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
		if (r < 0)
			return EXIT_USAGE;
	}
	if (optind < argc) {
		fprintf(stderr, "lidard-trace: unexpected '%s'\n", argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

static void note(const char *text)
{
	fprintf(stderr, "lidard-trace: %s\n", text);
}

int main(int argc, char **argv)
{
	struct trace_loader_opts opts = {
		.daemon_path = LIDARD_TRACE_DAEMON,
		.library_path = LIDARD_TRACE_LIBRARY,
		.pin_dir = LIDARD_TRACE_PIN_DIR,
		.scheduler = true,
		.settings = { .late_ns = 20000000, .hold_ns = 200000000 },
	};
	char problem[TRACE_LOADER_TEXT_MAX];
	struct trace_loader *loader;
	sigset_t signals;
	int status, number;

	status = parse(argc, argv, &opts);
	if (status >= 0)
		return status;
	/* before anything is attached, so that there is only one way out */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (trace_loader_new(&opts, note, &loader, problem) < 0) {
		fprintf(stderr, "lidard-trace: %s\n", problem);
		return EXIT_FAILURE;
	}
	fprintf(stderr, "lidard-trace: watching %s and %s, maps in %s\n", opts.daemon_path,
		opts.library_path, opts.pin_dir);
	sd_notify(0, "READY=1");
	sigwait(&signals, &number);
	sd_notify(0, "STOPPING=1");
	trace_loader_free(loader);
	return EXIT_SUCCESS;
}
