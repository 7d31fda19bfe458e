/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo.c - lidarctl demo: the whole system at work, measured, on any machine
 *
 * Makes a sandbox (sandbox.c), starts RouDi and lidard in it (demo_stack.c),
 * forks subscriber processes (demo_crew.c), watches them by GetStatus
 * (demo_watch.c), ends everything in the reverse order and reports
 * (demo_report.c).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tools/command.h"
#include "tools/complain.h"
#include "tools/demo_crew.h"
#include "tools/demo_plan.h"
#include "tools/demo_report.h"
#include "tools/demo_stack.h"
#include "tools/demo_watch.h"
#include "tools/ring_file.h"
#include "tools/sandbox.h"
#include "tools/stop.h"

/** Memory the machine shall keep beside the pool. */
#define DEMO_SPARE_BYTES (512ull << 20)

struct demo_options {
	struct common_options common;
	double seconds;
	double rate;
	uint64_t slice_bytes;
	uint64_t subscribers;
	uint64_t record_bytes;
	const char *replay;
	const char *metadata;
	const char *calibration;
	const char *model;
	const char *device;
	const char *device_mode;
	bool once;
	bool json;
	bool no_hint;
};

static const struct option_row demo_rows[] = {
	OPTION_ROW_REAL(struct demo_options, seconds, "seconds", "N", "10", 0.1, 864000,
			"how long to stream"),
	OPTION_ROW_REAL(struct demo_options, rate, "rate", "MB/S", "500", 0.01, 100000,
			"synthetic sensor: megabytes per second"),
	OPTION_ROW_BYTES(struct demo_options, slice_bytes, "slice-bytes", "N", "1M",
			 LIDARD_SLICE_BYTES_MIN, LIDARD_SLICE_BYTES_MAX, "size of a slice"),
	OPTION_ROW_COUNT(struct demo_options, subscribers, "subscribers", "N", "3", 1,
			 DEMO_SUBSCRIBERS_MAX,
			 "processes: two perception clients, one recording, then plain readers"),
	OPTION_ROW_BYTES(struct demo_options, record_bytes, "record-bytes", "N", "2G", 8 << 20, 1e15,
			 "size of the recording client's file"),
	OPTION_ROW_TEXT(struct demo_options, replay, "replay", "FILE", NULL,
			"replay this capture instead of a synthetic scene"),
	OPTION_ROW_TEXT(struct demo_options, metadata, "metadata", "FILE", NULL,
			"the sensor's metadata for --replay"),
	OPTION_ROW_TEXT(struct demo_options, calibration, "calibration", "FILE", NULL,
			"the sensor's calibration for --replay"),
	OPTION_ROW_TEXT(struct demo_options, model, "model", "NAME", NULL,
			"the sensor's model for --replay (VLP-16), or its vendor: velodyne, ouster"),
	OPTION_ROW_TEXT(struct demo_options, device, "device", "FILE", NULL,
			"a LIDAR's device (/dev/lidar0) that delivers slices of --slice-bytes"),
	OPTION_ROW_TEXT(struct demo_options, device_mode, "device-mode", "MODE", "auto",
			"direct: its DMA writes what readers map; copy; auto"),
	OPTION_ROW_FLAG(struct demo_options, once, "once",
			"replay to the end, once, and describe every frame"),
	OPTION_ROW_FLAG(struct demo_options, json, "json",
			"last line of stdout: one JSON object; the rest goes to stderr"),
	OPTION_ROW_FLAG(struct demo_options, no_hint, "no-hint",
			"do not say how to look inside while it runs"),
	COMMAND_COMMON_ROWS(struct demo_options),
};

struct demo {
	const struct demo_options *options;
	struct demo_plan plan;
	char replay_path[PATH_MAX];
	char metadata_path[PATH_MAX];
	char calibration_path[PATH_MAX];
	/** Where lines for people go. */
	FILE *out;
	struct demo_stack stack;
	struct demo_crew crew;
	struct demo_watch watch;
	/** A process died or a time limit was reached. */
	bool failed;
};

/* ---- before the sandbox ---- */

static int resolve(const char *name, const char *option, char *path)
{
	if (!name)
		return 0;
	if (!realpath(name, path)) {
		complain("--%s: cannot open %s: %s", option, name, strerror(errno));
		return -ENOENT;
	}
	return 0;
}

static uint64_t read_available_bytes(void)
{
	CLEANUP(cleanup_file) FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			return kib << 10;
	return UINT64_MAX;
}

static int make_plan(struct demo *d)
{
	const struct demo_options *o = d->options;
	uint64_t available = read_available_bytes();

	if (demo_plan_make(o->slice_bytes, (uint32_t)o->subscribers,
			   available > DEMO_SPARE_BYTES ? available - DEMO_SPARE_BYTES : 0,
			   &d->plan) < 0) {
		complain("%llu subscribers and slices of %llu bytes need a pool of more than 4 GiB, "
			 "which iceoryx cannot address: fewer --subscribers or smaller --slice-bytes",
			 (unsigned long long)o->subscribers, (unsigned long long)o->slice_bytes);
		return -E2BIG;
	}
	if (d->plan.pool_bytes + DEMO_SPARE_BYTES > available) {
		complain("the demo needs %llu MiB of memory, %llu MiB are available: fewer "
			 "--subscribers or smaller --slice-bytes",
			 (unsigned long long)(d->plan.pool_bytes + DEMO_SPARE_BYTES) >> 20,
			 (unsigned long long)available >> 20);
		return -ENOMEM;
	}
	return 0;
}

/* The file lies outside the sandbox, whose /tmp is memory: open it before. */
static int prepare_recording(struct demo *d)
{
	const char *directory = getenv("TMPDIR");
	uint64_t rate = 0, stream = (uint64_t)(d->options->rate * 1e6);
	int fd;

	if (d->options->subscribers < 3)
		return 0;
	d->crew.record_bytes = d->options->record_bytes;
	if (!directory || !*directory)
		directory = "/var/tmp";
	fd = ring_file_create(directory, &d->crew.record_bytes, &rate);
	if (fd < 0) {
		complain("cannot make the recording client's file in %s: %s (TMPDIR= names another "
			 "place, --record-bytes a smaller size)", directory, strerror(-fd));
		return fd;
	}
	d->crew.record_fd = fd;
	/* half the disk's rate: the other half is everybody else's */
	d->crew.keep_every = d->options->replay || rate == 0 ? 1 : (2 * stream + rate - 1) / rate;
	if (d->crew.keep_every == 0)
		d->crew.keep_every = 1;
	fprintf(d->out, "recording 1 of %llu frames into a ring of %.0f MB in %s "
		"(disk %.0f MB/s)\n", (unsigned long long)d->crew.keep_every,
		(double)d->crew.record_bytes / 1e6, directory, (double)rate / 1e6);
	return 0;
}

static int prepare(struct demo *d)
{
	const struct demo_options *o = d->options;
	int r = sandbox_check();

	if (r == 0)
		r = resolve(o->replay, "replay", d->replay_path);
	if (r == 0)
		r = resolve(o->metadata, "metadata", d->metadata_path);
	if (r == 0)
		r = resolve(o->calibration, "calibration", d->calibration_path);
	if (r == 0)
		r = make_plan(d);
	if (r == 0)
		r = demo_stack_find(&d->stack);
	if (r == 0)
		r = prepare_recording(d);
	if (r < 0)
		return r;
	if (o->once) {
		d->crew.frames_fd = memfd_create("lidarctl-frames", MFD_CLOEXEC);
		if (d->crew.frames_fd < 0)
			return -errno;
	}
	return 0;
}

/* ---- inside ---- */

static int start(struct demo *d)
{
	struct demo_sensor sensor = {
		.name = DEMO_SENSOR,
		.plan = &d->plan,
		.rate = (uint64_t)(d->options->rate * 1e6),
		.replay_file = d->options->replay ? d->replay_path : NULL,
		.metadata = d->options->metadata ? d->metadata_path : NULL,
		.calibration = d->options->calibration ? d->calibration_path : NULL,
		.model = d->options->model,
		.device = d->options->device,
		.device_mode = d->options->device_mode,
		.once = d->options->once,
	};
	struct sandbox sandbox;
	int r;

	r = sandbox_enter(d->plan.shm_bytes, &sandbox);
	if (r < 0)
		return r;
	fprintf(d->out, "starting RouDi and lidard (%.1f GB of shared memory), %u subscribers, "
		"slices of %llu bytes, queue %u\n", (double)d->plan.pool_bytes / 1e9,
		d->plan.subscribers, (unsigned long long)d->plan.slice_bytes, d->plan.queue);
	r = demo_stack_start(&d->stack, &sensor, 1, &sandbox);
	if (r == 0)
		r = demo_crew_start(&d->crew, &d->plan, &d->stack.reader_user);
	return r;
}

/* For another terminal, whose directory and $PATH are not ours: nsenter begins in /. */
static void print_hint(FILE *out)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	fprintf(out, "to look inside, as root: nsenter -t %d -m -i %s top\n"
		"(there /tmp, /run and /dev/shm are the demo's own, and vanish with it: record "
		"elsewhere)\n", (int)getpid(), n > 0 ? self : "lidarctl");
}

static int watch(struct demo *d)
{
	int r = demo_watch_begin(&d->watch);

	if (r < 0)
		return r;
	fputs("streaming\n", d->out);
	if (!d->options->no_hint)
		print_hint(d->out);
	fflush(d->out);
	/* whatever failed, the account is worth seeing */
	if (demo_watch_run(&d->watch) < 0)
		d->failed = true;
	return demo_watch_end(&d->watch);
}

/* ---- the end ---- */

static char *read_frames(struct demo *d)
{
	struct child c = { .output_fd = d->crew.frames_fd };

	return c.output_fd < 0 ? NULL : child_read_output(&c);
}

static int report(struct demo *d)
{
	CLEANUP(cleanup_free) char *frames = read_frames(d);
	struct demo_report r = {
		.first = d->watch.first,
		.last = d->watch.last,
		.members = d->crew.members,
		.member_count = d->crew.count,
		.frames = frames,
		.failed = d->failed,
	};
	struct json_object *object;

	if (frames && !d->options->json)
		fprintf(d->out, "\n%s", frames);
	demo_report_print(&r, d->out);
	if (d->options->json) {
		object = demo_report_to_json(&r);
		fflush(d->out);
		puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
		json_object_put(object);
	}
	return demo_report_is_ok(&r) ? COMMAND_OK : COMMAND_FAILED;
}

static void deinit(struct demo *d)
{
	demo_crew_deinit(&d->crew);
	demo_watch_deinit(&d->watch);
	close_fd(d->crew.record_fd);
	close_fd(d->crew.frames_fd);
}

static int run(struct demo *d)
{
	int r = prepare(d);

	if (r == 0)
		r = start(d);
	if (r == 0)
		r = watch(d);
	if (!demo_crew_stop(&d->crew))
		d->failed = true;
	demo_stack_stop(&d->stack);
	if (r == 0)
		return report(d);
	if (d->options->json)
		puts("{\"ok\": false}");
	return COMMAND_FAILED;
}

static int check_options(const struct demo_options *o)
{
	if (!o->replay && (o->once || o->metadata || o->calibration || o->model)) {
		complain("demo: --once, --metadata, --calibration and --model go with --replay");
		return COMMAND_USAGE;
	}
	if (o->replay && o->device) {
		complain("demo: --replay and --device are two sensors; the demo has one");
		return COMMAND_USAGE;
	}
	return COMMAND_OK;
}

static int demo_run(const void *data, char **arguments)
{
	const struct demo_options *options = data;
	struct demo d = {
		.options = options,
		.out = options->json ? stderr : stdout,
		.stack = { .roudi = CHILD_NULL, .lidard = CHILD_NULL },
		.crew = {
			.record_fd = -1,
			.frames_fd = -1,
			.frames_as_json = options->json,
			.keep_every = 1,
		},
		.watch = {
			.stack = &d.stack,
			.crew = &d.crew,
			.duration_ns = (uint64_t)(options->seconds * 1e9),
			.once = options->once,
			.starts_at_once = !options->replay,
		},
	};
	int r = check_options(options);

	if (r != COMMAND_OK)
		return r;
	d.watch.out = d.out;
	stop_install();
	r = run(&d);
	deinit(&d);
	return r;
}

const struct command command_demo = {
	.name = "demo",
	.arguments = "",
	.summary = "run the whole system with a synthetic or recorded sensor, and measure it",
	.description =
		"Starts RouDi and lidard in a private mount namespace (root needed, nothing else on the\n"
		"machine is touched) with subscriber processes, prints a line a second, then a table and\n"
		"the account. Exit status 0 only if every account adds up and nothing was lost.\n",
	.options = { demo_rows, sizeof(demo_rows) / sizeof(demo_rows[0]) },
	.options_bytes = sizeof(struct demo_options),
	.run = demo_run,
};
