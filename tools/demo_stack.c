/* SPDX-License-Identifier: Apache-2.0 */
/* demo_stack.c - see demo_stack.h */
#include "tools/demo_stack.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lidard/lidard.h"
#include "tools/complain.h"
#include "tools/stop.h"

/* As in a vehicle: the sensor path before everything else on the machine. */
#define STACK_LIDARD_NICE (-15)
#define STACK_READER_NICE (-10)
#define STACK_CONFIG SANDBOX_DIR "/lidard.conf"
#define STACK_DEVICES SANDBOX_DIR "/dev"
#define STACK_DEVICE STACK_DEVICES "/lidar"
#define STACK_ROUDI_CONFIG SANDBOX_DIR "/roudi.toml"
/** RouDi writes all of its memory once: a second for 1.3 GiB on a quiet machine. */
#define STACK_ROUDI_TIMEOUT_NS (90 * NSEC_PER_SEC)
#define STACK_LIDARD_TIMEOUT_NS (30 * NSEC_PER_SEC)
#define STACK_END_NS (5 * NSEC_PER_SEC)
#define STACK_LOOK_NS (20 * NSEC_PER_MSEC)

static bool try_path(char *path, const char *directory, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX &&
	       access(path, X_OK) == 0;
}

static bool find_in_path(char *path, const char *name)
{
	const char *list = getenv("PATH");
	char copy[4096], *directory, *next;

	snprintf(copy, sizeof(copy), "%s", list ? list : "/usr/local/bin:/usr/bin:/bin");
	for (directory = strtok_r(copy, ":", &next); directory;
	     directory = strtok_r(NULL, ":", &next))
		if (try_path(path, directory, name))
			return true;
	return false;
}

static int find_own(char *path, const char *here, const char *name)
{
	/* the build tree; an installed prefix; where the package put it */
	static const char *const places[] = { "../daemon", ".", "../libexec/lidard",
					      "../sbin" };
	char directory[PATH_MAX + 32];
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(directory, sizeof(directory), "%s/%s", here, places[i]);
		if (try_path(path, directory, name))
			return 0;
	}
	return find_in_path(path, name) || try_path(path, LIDARD_LIBEXECDIR, name) ? 0 : -ENOENT;
}

int demo_stack_find(struct demo_stack *s)
{
	char here[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", here, sizeof(here) - 1);

	here[n > 0 ? n : 0] = '\0';
	slash = strrchr(here, '/');
	if (slash)
		*slash = '\0';
	if (find_own(s->lidard_path, here, "lidard") < 0) {
		complain("cannot find lidard beside %s or in $PATH", here);
		return -ENOENT;
	}
	/* without it a dead reader's memory stays taken: no reason not to start */
	if (find_own(s->reclaim_path, here, "lidard-reclaim") < 0)
		s->reclaim_path[0] = '\0';
	if (!find_in_path(s->roudi_path, "iox-roudi")) {
		complain("cannot find iox-roudi in $PATH (apt-get install iceoryx)");
		return -ENOENT;
	}
	return 0;
}

static void write_sensor(FILE *f, const struct demo_sensor *d)
{
	const struct demo_plan *p = d->plan;

	fprintf(f, "\n[sensor %s]\nslice_bytes = %" PRIu64 "\nloans = %u\n"
		   "subscriber_slices = %u\nqueue = %u\nheld = %u\n",
		d->name, p->slice_bytes, p->loans, p->subscriber_slices, p->queue, p->held);
	if (d->device) {
		fprintf(f, "source = device\ndevice = " STACK_DEVICE "\ndevice_mode = %s\n",
			d->device_mode);
		return;
	}
	if (!d->replay_file) {
		fprintf(f, "source = sim\nsim_beams = %u\nsim_columns = %u\nsim_rate = %" PRIu64 "\n"
			   "sim_fill_delay_us = %u\nsim_ready_delay_us = %u\n",
			DEMO_BEAMS, p->columns, d->rate, d->fill_delay_us, d->ready_delay_us);
		return;
	}
	fprintf(f, "source = replay\nreplay_file = %s\nreplay_loop = %s\nreplay_subscribers = %u\n",
		d->replay_file, d->once ? "no" : "yes", p->subscribers);
	if (d->model)
		fprintf(f, "model = %s\n", d->model);
	if (d->metadata)
		fprintf(f, "metadata = %s\n", d->metadata);
	if (d->calibration)
		fprintf(f, "calibration = %s\n", d->calibration);
}

static int write_config(const struct demo_stack *s, const struct demo_sensor *sensors,
			unsigned int count)
{
	CLEANUP(cleanup_file) FILE *f = fopen(STACK_CONFIG, "we");
	unsigned int i;

	if (!f)
		return -errno;
	fprintf(f, "[lidard]\nsocket = " DEMO_SOCKET "\nstate_dir = /run/lidard/state\n"
		   "reclaim_helper = %s\n\n[roudi]\nwriter_group = %s\nreader_group = %s\n",
		s->reclaim_path, s->lidard_user.uid ? SANDBOX_GROUP_LIDARD : "",
		s->lidard_user.uid ? SANDBOX_GROUP_READER : "");
	for (i = 0; i < count; i++)
		write_sensor(f, &sensors[i]);
	return fflush(f) == 0 ? 0 : -errno;
}

/* lidard computes RouDi's pools from its own configuration. */
static int write_roudi_config(struct demo_stack *s)
{
	char *argv[] = { s->lidard_path, (char *)"--config", (char *)STACK_CONFIG,
			 (char *)"--print-roudi-config", NULL };
	CLEANUP(cleanup_file) FILE *f = fopen(STACK_ROUDI_CONFIG, "we");
	CLEANUP(cleanup_free) char *text = NULL;
	struct child c = CHILD_NULL;
	int r;

	if (!f)
		return -errno;
	r = child_exec(&c, "lidard", NULL, argv);
	if (r < 0)
		return r;
	if (!child_wait(&c, STACK_LIDARD_TIMEOUT_NS) || c.status != 0) {
		/* it speaks of keys, which is not what the user wrote */
		complain("lidard refuses our configuration (--metadata, --calibration and --model are "
			 "keys of it):");
		child_print_output(&c);
		child_end(&c, SIGKILL, 0);
		return -EINVAL;
	}
	text = child_read_output(&c);
	child_end(&c, SIGKILL, 0);
	return text && fputs(text, f) >= 0 && fflush(f) == 0 ? 0 : -EIO;
}

/* Wait until ready() says yes, a child ends, a signal comes or the time is over. */
static int wait_until(struct demo_stack *s, bool (*ready)(void *data), void *data,
		      uint64_t timeout_ns, const char *what)
{
	struct timespec pause = clock_to_timespec(STACK_LOOK_NS);
	uint64_t end_ns = clock_now_ns() + timeout_ns;

	while (!ready(data)) {
		if (stop_requested())
			return -EINTR;
		if (demo_stack_has_failed(s))
			return -ECHILD;
		if (clock_now_ns() >= end_ns) {
			complain("%s does not answer", what);
			child_print_output(&s->roudi);
			child_print_output(&s->lidard);
			return -ETIMEDOUT;
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

static bool waiter_has_ended(void *data)
{
	return child_has_ended(data);
}

static int start_roudi(struct demo_stack *s)
{
	char *argv[] = { s->roudi_path, (char *)"-m", (char *)"off", (char *)"-c",
			 (char *)STACK_ROUDI_CONFIG, NULL };
	char *wait_argv[] = { s->lidard_path, (char *)"--wait-roudi=80", NULL };
	/* root, to reach every reader's socket; of the readers' group, which owns what it makes */
	struct child_user user = { .uid = 0, .gid = s->reader_user.gid };
	struct child waiter = CHILD_NULL;
	int r;

	r = child_exec(&s->roudi, "iox-roudi", &user, argv);
	if (r == 0)
		r = child_exec(&waiter, "lidard --wait-roudi", &s->lidard_user, wait_argv);
	if (r < 0) {
		complain("cannot start RouDi: %s", strerror(-r));
		return r;
	}
	r = wait_until(s, waiter_has_ended, &waiter, STACK_ROUDI_TIMEOUT_NS, "RouDi");
	if (r == 0 && waiter.status != 0) {
		complain("RouDi does not come up:");
		child_print_output(&waiter);
		child_print_output(&s->roudi);
		r = -ECONNREFUSED;
	}
	child_end(&waiter, SIGKILL, 0);
	return r;
}

static bool lidard_answers(void *data)
{
	struct lidard_client_opts opts = {
		.size = sizeof(opts),
		.socket_path = DEMO_SOCKET,
		.name = "lidarctl",
	};
	struct lidard_client *client;

	if (lidard_client_new(&opts, &client) < 0)
		return false;
	lidard_client_free(client);
	return true;
}

/*
 * A node of our own: lidard is nobody special here, and /dev is everybody's.
 * Devices work nowhere else in the sandbox.
 */
static int make_device(const struct demo_stack *s, const char *path)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISCHR(st.st_mode))
		return errno ? -errno : -ENODEV;
	if (mkdir(STACK_DEVICES, 0755) < 0 ||
	    mount("lidard-demo", STACK_DEVICES, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755") < 0)
		return -errno;
	if (mknod(STACK_DEVICE, S_IFCHR | 0600, st.st_rdev) < 0 ||
	    chown(STACK_DEVICE, s->lidard_user.uid, s->lidard_user.gid) < 0)
		return -errno;
	/* the pool is pinned for the device */
	return setrlimit(RLIMIT_MEMLOCK, &unlimited) < 0 ? -errno : 0;
}

static int start_lidard(struct demo_stack *s)
{
	char *argv[] = { s->lidard_path, (char *)"--config", (char *)STACK_CONFIG, NULL };
	int r;

	if (mkdir("/run/lidard", 0755) < 0 && errno != EEXIST)
		return -errno;
	if (mkdir("/run/lidard/state", 0700) < 0 && errno != EEXIST)
		return -errno;
	if (chown("/run/lidard", s->lidard_user.uid, s->lidard_user.gid) < 0 ||
	    chown("/run/lidard/state", s->lidard_user.uid, s->lidard_user.gid) < 0)
		return -errno;
	r = child_exec(&s->lidard, "lidard", &s->lidard_user, argv);
	if (r < 0) {
		complain("cannot start lidard: %s", strerror(-r));
		return r;
	}
	return wait_until(s, lidard_answers, NULL, STACK_LIDARD_TIMEOUT_NS, "lidard");
}

/* May everybody read this file, and pass all directories above it? */
static bool is_public(const char *path)
{
	char part[PATH_MAX], *slash;
	struct stat st;

	if (!path)
		return true;
	snprintf(part, sizeof(part), "%s", path);
	if (stat(part, &st) < 0 || !(st.st_mode & S_IROTH))
		return false;
	while ((slash = strrchr(part, '/')) && slash != part) {
		*slash = '\0';
		if (stat(part, &st) < 0 || !(st.st_mode & S_IXOTH))
			return false;
	}
	return true;
}

/* The first file that only we may read; NULL: none. */
static const char *find_secret(const struct demo_stack *s, const struct demo_sensor *sensors,
			       unsigned int count)
{
	unsigned int i;

	if (!is_public(s->lidard_path))
		return s->lidard_path;
	for (i = 0; i < count; i++)
		if (!is_public(sensors[i].replay_file) || !is_public(sensors[i].metadata) ||
		    !is_public(sensors[i].calibration))
			return "the recording";
	return NULL;
}

/* As on an installed system where that can be: lidard and its readers are nobody special. */
static void choose_users(struct demo_stack *s, const char *secret, const struct sandbox *sandbox)
{
	s->lidard_user = (struct child_user){ .uid = 0, .niceness = STACK_LIDARD_NICE };
	s->reader_user = (struct child_user){ .uid = 0, .niceness = STACK_READER_NICE };
	if (secret) {
		complain("note: lidard and the subscribers run as root, since others may not read %s",
			 secret);
		return;
	}
	s->lidard_user = (struct child_user){
		.uid = sandbox->lidard_uid,
		.gid = sandbox->reader_gid,
		.groups = { sandbox->lidard_gid, sandbox->reader_gid },
		.group_count = 2,
		.niceness = STACK_LIDARD_NICE,
	};
	s->reader_user = (struct child_user){
		.uid = sandbox->reader_uid,
		.gid = sandbox->reader_gid,
		.groups = { sandbox->reader_gid },
		.group_count = 1,
		.niceness = STACK_READER_NICE,
	};
}

static int make_devices(const struct demo_stack *s, const struct demo_sensor *sensors,
			unsigned int count)
{
	unsigned int i;
	int r;

	for (i = 0; i < count; i++) {
		r = sensors[i].device ? make_device(s, sensors[i].device) : 0;
		if (r < 0) {
			complain("--device: cannot use %s: %s", sensors[i].device, strerror(-r));
			return r;
		}
	}
	return 0;
}

int demo_stack_start(struct demo_stack *s, const struct demo_sensor *sensors, unsigned int count,
		     const struct sandbox *sandbox)
{
	int r;

	choose_users(s, find_secret(s, sensors, count), sandbox);
	r = make_devices(s, sensors, count);
	if (r < 0)
		return r;
	r = write_config(s, sensors, count);
	if (r < 0)
		complain("cannot write " STACK_CONFIG ": %s", strerror(-r));
	if (r == 0)
		r = write_roudi_config(s);
	if (r == 0)
		r = start_roudi(s);
	if (r == 0)
		r = start_lidard(s);
	return r;
}

bool demo_stack_has_failed(struct demo_stack *s)
{
	return child_has_failed(&s->roudi) || child_has_failed(&s->lidard);
}

void demo_stack_stop(struct demo_stack *s)
{
	child_end(&s->lidard, SIGTERM, STACK_END_NS);
	/* its SIGTERM signals every pid it ever knew, by numbers that may be others' by now */
	child_end(&s->roudi, SIGKILL, STACK_END_NS);
}
