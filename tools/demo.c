/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo.c - lidarctl demo: the whole system at work, measured, on any machine
 *
 * Makes a sandbox, starts RouDi and lidard in it, forks subscriber processes,
 * watches them by GetStatus, and ends everything in the reverse order.  The
 * final account is one GetStatus reply taken while all of them are still
 * there: lidard is a single thread, so its figures are of one moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lidard/control.h"
#include "lidard/lidard.h"
#include "tools/command.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/cpu.h"
#include "tools/demo_plan.h"
#include "tools/demo_reader.h"
#include "tools/demo_report.h"
#include "tools/demo_stack.h"
#include "tools/ring_file.h"
#include "tools/stop.h"

/** Every so many points a perception client looks at one: eight lines of a page. */
#define DEMO_STRIDE 16u
#define DEMO_CONNECT_NS (30 * NSEC_PER_SEC)
#define DEMO_SETTLE_NS (3 * NSEC_PER_SEC)
#define DEMO_STOP_NS (10 * NSEC_PER_SEC)
/** A replay that is to be seen to its end may take this long. */
#define DEMO_ONCE_NS (600 * NSEC_PER_SEC)
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
	bool once;
	bool json;
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
			"decoder for --replay: ouster, ..."),
	OPTION_ROW_FLAG(struct demo_options, once, "once",
			"replay to the end, once, and describe every frame"),
	OPTION_ROW_FLAG(struct demo_options, json, "json",
			"last line of stdout: one JSON object; the rest goes to stderr"),
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
	struct demo_member members[DEMO_SUBSCRIBERS_MAX];
	struct child children[DEMO_SUBSCRIBERS_MAX];
	unsigned int member_count;
	struct demo_result *results;
	int record_fd;
	uint64_t record_bytes;
	uint64_t keep_every;
	int frames_fd;
	struct lidard_client *client;
	struct snapshot *first;
	struct snapshot *last;
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

	if (demo_plan_make(o->slice_bytes, (uint32_t)o->subscribers, &d->plan) < 0) {
		complain("%llu subscribers and slices of %llu bytes need a pool of more than 4 GiB, "
			 "which iceoryx cannot address: fewer --subscribers or smaller --slice-bytes",
			 (unsigned long long)o->subscribers, (unsigned long long)o->slice_bytes);
		return -E2BIG;
	}
	if (d->plan.pool_bytes + DEMO_SPARE_BYTES > read_available_bytes()) {
		complain("the demo needs %llu MiB of memory, %llu MiB are available: fewer "
			 "--subscribers or smaller --slice-bytes",
			 (unsigned long long)(d->plan.pool_bytes + DEMO_SPARE_BYTES) >> 20,
			 (unsigned long long)read_available_bytes() >> 20);
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
	d->record_bytes = d->options->record_bytes;
	if (!directory || !*directory)
		directory = "/var/tmp";
	fd = ring_file_create(directory, &d->record_bytes, &rate);
	if (fd < 0) {
		complain("cannot make the recording client's file in %s: %s (TMPDIR= names another "
			 "place, --record-bytes a smaller size)", directory, strerror(-fd));
		return fd;
	}
	d->record_fd = fd;
	/* half the disk's rate: the other half is everybody else's */
	d->keep_every = d->options->replay || rate == 0 ? 1 : (2 * stream + rate - 1) / rate;
	if (d->keep_every == 0)
		d->keep_every = 1;
	fprintf(d->out, "recording into %.0f MB in %s (disk %.0f MB/s): keeps 1 of %llu frames\n",
		(double)d->record_bytes / 1e6, directory, (double)rate / 1e6,
		(unsigned long long)d->keep_every);
	return 0;
}

static int prepare(struct demo *d)
{
	const struct demo_options *o = d->options;
	int r;

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
	if (o->once)
		d->frames_fd = memfd_create("lidarctl-frames", MFD_CLOEXEC);
	d->results = mmap(NULL, o->subscribers * sizeof(*d->results), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return d->results == MAP_FAILED || (o->once && d->frames_fd < 0) ? -errno : 0;
}

/* ---- subscriber processes ---- */

static enum demo_role role_of(unsigned int index)
{
	return index < 2 ? DEMO_PERCEPTION : index == 2 ? DEMO_RECORDING : DEMO_PLAIN;
}

static int start_member(struct demo *d, unsigned int i)
{
	struct demo_member *m = &d->members[i];
	int r;

	m->reader = (struct demo_reader){
		.role = role_of(i),
		.socket = DEMO_SOCKET,
		.sensor = DEMO_SENSOR,
		.queue = d->plan.queue,
		.held = d->plan.held,
		.frame_bytes = d->plan.frame_bytes,
		.stride = DEMO_STRIDE,
		.frames_fd = i == 0 ? d->frames_fd : -1,
		.record_fd = d->record_fd,
		.record_bytes = d->record_bytes,
		.keep_every = d->keep_every,
		.result = &d->results[i],
	};
	snprintf(m->reader.name, sizeof(m->reader.name), "%s%.0u", demo_role_name(m->reader.role),
		 i == 2 ? 0 : i < 2 ? i + 1 : i - 2);
	r = child_call(&d->children[i], m->reader.name, &d->stack.reader_user, demo_reader_run,
		       &m->reader);
	if (r < 0) {
		complain("cannot start %s: %s", m->reader.name, strerror(-r));
		return r;
	}
	m->pid = d->children[i].pid;
	d->member_count++;
	return 0;
}

/* Has any process ended that should be there? Says so. */
static bool somebody_died(struct demo *d)
{
	unsigned int i;

	if (demo_stack_has_failed(&d->stack))
		return true;
	for (i = 0; i < d->member_count; i++) {
		struct child *c = &d->children[i];

		if (!child_has_ended(c))
			continue;
		complain("%s ended unexpectedly (%s %d):", c->name,
			 WIFSIGNALED(c->status) ? "signal" : "exit status",
			 WIFSIGNALED(c->status) ? WTERMSIG(c->status) : WEXITSTATUS(c->status));
		child_print_output(c);
		return true;
	}
	return false;
}

static int look(struct demo *d, struct snapshot **ret_snapshot)
{
	struct json_object *reply;
	int r;

	r = connect_call_or_complain(d->client, LIDARD_METHOD_GET_STATUS, &reply);
	if (r < 0)
		return r;
	r = snapshot_parse(reply, ret_snapshot);
	json_object_put(reply);
	return r;
}

/* Connected; and, unless the replay waits for them all, with data: a scene takes time to draw. */
static bool all_take_part(const struct demo *d, const struct snapshot *s)
{
	unsigned int count = 0;
	size_t i;

	for (i = 0; i < s->subscriber_count; i++)
		count += s->subscribers[i].connected &&
			 (d->options->replay || s->subscribers[i].received > 0);
	return count >= d->options->subscribers;
}

static void pause_ns(uint64_t ns)
{
	struct timespec ts = clock_to_timespec(ns);

	nanosleep(&ts, NULL);
}

static int start_members(struct demo *d)
{
	uint64_t end_ns = clock_now_ns() + DEMO_CONNECT_NS;
	unsigned int i;
	int r;

	/* before this process has a client: none of its handles shall be inherited */
	for (i = 0; i < d->options->subscribers; i++) {
		r = start_member(d, i);
		if (r < 0)
			return r;
	}
	r = connect_lidard(DEMO_SOCKET, "lidarctl demo", &d->client);
	while (r == 0) {
		r = look(d, &d->first);
		if (r < 0 || all_take_part(d, d->first))
			break;
		d->first = snapshot_free(d->first);
		if (stop_requested())
			return -EINTR;
		if (somebody_died(d))
			return -ECHILD;
		if (clock_now_ns() > end_ns) {
			complain("the subscribers did not get data");
			return -ETIMEDOUT;
		}
		pause_ns(20 * NSEC_PER_MSEC);
	}
	return r;
}

static void read_cpu(struct demo *d, bool first)
{
	unsigned int i;

	for (i = 0; i < d->member_count; i++)
		*(first ? &d->members[i].cpu_first_ns : &d->members[i].cpu_last_ns) =
			cpu_read_ns(d->children[i].pid);
}

/* ---- while it runs ---- */

static bool is_finished(const struct snapshot *s)
{
	size_t i;

	for (i = 0; i < s->sensor_count; i++)
		if (strcmp(s->sensors[i].state, "finished") != 0)
			return false;
	return true;
}

static bool is_drained(const struct snapshot *s)
{
	size_t i;

	for (i = 0; i < s->subscriber_count; i++)
		if (s->subscribers[i].waiting != 0 || s->subscribers[i].unseen != 0)
			return false;
	return true;
}

static bool nothing_held(const struct snapshot *s)
{
	size_t i;

	for (i = 0; i < s->subscriber_count; i++)
		if (s->subscribers[i].held != 0)
			return false;
	return true;
}

/* Stream until the time is over, the replay is, or something failed. */
static int stream_along(struct demo *d)
{
	uint64_t start_ns = clock_now_ns(), next_ns = start_ns + NSEC_PER_SEC;
	uint64_t limit_ns = d->options->once ? DEMO_ONCE_NS : (uint64_t)(d->options->seconds * 1e9);
	struct snapshot *before = NULL, *now = NULL;
	int r = 0;

	while (!stop_requested()) {
		pause_ns(50 * NSEC_PER_MSEC);
		if (somebody_died(d)) {
			r = -ECHILD;
			break;
		}
		if (!d->options->once && clock_now_ns() - start_ns >= limit_ns)
			break;
		if (!d->options->once && clock_now_ns() < next_ns)
			continue;
		r = look(d, &now);
		if (r < 0)
			break;
		if (d->options->once && is_finished(now) && is_drained(now) && nothing_held(now))
			break;
		if (clock_now_ns() - start_ns >= limit_ns) {
			complain("the replay did not come to its end in time");
			r = -ETIMEDOUT;
			break;
		}
		if (clock_now_ns() >= next_ns) {
			demo_report_live(d->out, before ? before : d->first, now);
			next_ns += NSEC_PER_SEC;
			snapshot_free(before);
			before = STEAL(now);
		}
		now = snapshot_free(now);
	}
	snapshot_free(now);
	snapshot_free(before);
	return r;
}

/* A moment in which everything adds up and, if there is one soon, nobody has anything waiting. */
static int take_last_picture(struct demo *d)
{
	uint64_t end_ns = clock_now_ns() + DEMO_SETTLE_NS;
	int r;

	for (;;) {
		d->last = snapshot_free(d->last);
		r = look(d, &d->last);
		if (r < 0 || (snapshot_adds_up(d->last) && is_drained(d->last)) ||
		    clock_now_ns() > end_ns)
			break;
		pause_ns(2 * NSEC_PER_MSEC);
	}
	read_cpu(d, false);
	return r;
}

/* ---- the end ---- */

static void stop_members(struct demo *d)
{
	unsigned int i;

	for (i = 0; i < d->member_count; i++)
		__atomic_store_n(&d->results[i].stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < d->member_count; i++) {
		if (!child_wait(&d->children[i], DEMO_STOP_NS) || d->children[i].status != 0) {
			d->failed = true;
			child_print_output(&d->children[i]);
		}
		child_end(&d->children[i], SIGKILL, NSEC_PER_SEC);
	}
}

static char *read_frames(struct demo *d)
{
	struct child c = { .output_fd = d->frames_fd };

	return d->frames_fd < 0 ? NULL : child_read_output(&c);
}

static int report(struct demo *d)
{
	CLEANUP(cleanup_free) char *frames = read_frames(d);
	struct demo_report r = {
		.first = d->first,
		.last = d->last,
		.members = d->members,
		.member_count = d->member_count,
		.frames = frames,
		.failed = d->failed,
	};
	struct json_object *object;

	demo_report_print(&r, d->out);
	if (d->options->json) {
		object = demo_report_to_json(&r);
		fflush(d->out);
		puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
		json_object_put(object);
	}
	return demo_report_is_ok(&r) ? COMMAND_OK : COMMAND_FAILED;
}

static int run(struct demo *d)
{
	struct demo_sensor sensor = {
		.plan = &d->plan,
		.rate = (uint64_t)(d->options->rate * 1e6),
		.replay_file = d->options->replay ? d->replay_path : NULL,
		.metadata = d->options->metadata ? d->metadata_path : NULL,
		.calibration = d->options->calibration ? d->calibration_path : NULL,
		.decoder = d->options->model,
		.once = d->options->once,
	};
	struct sandbox sandbox;
	int r;

	r = sandbox_enter(d->plan.shm_bytes, &sandbox);
	if (r < 0)
		return r;
	fprintf(d->out, "starting RouDi and lidard (%.1f GB of shared memory), %llu subscribers, "
		"slices of %llu bytes, queue %u\n", (double)d->plan.pool_bytes / 1e9,
		(unsigned long long)d->options->subscribers,
		(unsigned long long)d->plan.slice_bytes, d->plan.queue);
	r = demo_stack_start(&d->stack, &sensor, &sandbox);
	if (r == 0)
		r = start_members(d);
	if (r < 0)
		return r;
	fprintf(d->out, "streaming; to look inside: nsenter -t %d -m -i lidarctl top\n", (int)getpid());
	read_cpu(d, true);
	if (stream_along(d) < 0)
		d->failed = true;
	return take_last_picture(d);
}

static void stop_all(struct demo *d)
{
	unsigned int i;

	stop_members(d);
	d->client = lidard_client_free(d->client);
	for (i = 0; i < d->member_count; i++)
		child_end(&d->children[i], SIGKILL, NSEC_PER_SEC);
	demo_stack_stop(&d->stack);
}

static int check_options(const struct demo_options *o)
{
	if (!o->replay && (o->once || o->metadata || o->calibration || o->model)) {
		complain("demo: --once, --metadata, --calibration and --model go with --replay");
		return COMMAND_USAGE;
	}
	return COMMAND_OK;
}

static int demo_run(const void *data, char **arguments)
{
	struct demo d = {
		.options = data,
		.record_fd = -1,
		.frames_fd = -1,
		.keep_every = 1,
		.stack = { .roudi = CHILD_NULL, .lidard = CHILD_NULL },
	};
	int r = check_options(d.options);

	if (r != COMMAND_OK)
		return r;
	d.out = d.options->json ? stderr : stdout;
	stop_install();
	r = prepare(&d);
	if (r == 0)
		r = run(&d);
	stop_all(&d);
	r = r == 0 && d.first && d.last ? report(&d) : COMMAND_FAILED;
	snapshot_free(d.first);
	snapshot_free(d.last);
	close_fd(d.record_fd);
	close_fd(d.frames_fd);
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
