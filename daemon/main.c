/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - lidard's command line
 *
 * The daemon ends by _exit(): iceoryx's exit handlers wait for RouDi, for ever if
 * it hangs.  A probe must run them, to take leave of RouDi, under an alarm.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <syslog.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/broker_iox.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/pool.h"

/* Exit status: also in lidard(8). */
#define EXIT_USAGE 2
/* As sysexits.h's EX_TEMPFAIL: start me again. */
#define EXIT_BROKER_LOST 75
/* As EX_CONFIG. */
#define EXIT_CONFIG 78

#define PROBE_TIMEOUT_S 3
#define WAIT_S 10
#define WAIT_S_MAX 86400
/* Ending takes milliseconds, unless RouDi hangs. */
#define STOP_TIMEOUT_S 5

static const char usage[] =
	"usage: lidard [OPTION]\n"
	"Publish the point clouds of the configured LIDARs in shared memory.\n"
	"\n"
	"  -c, --config FILE         read FILE and FILE.d/*.conf (" CONFIG_FILE_DEFAULT ")\n"
	"      --check               check the configuration and end\n"
	"      --print-defaults      print the default configuration\n"
	"      --print-roudi-config  print RouDi's configuration for this configuration\n"
	"      --wait-roudi[=S]      wait until RouDi answers, at most S seconds (10)\n"
	"      --probe-roudi         does RouDi answer? Ends by SIGALRM if it hangs\n"
	"  -h, --help                print this\n"
	"      --version             print the version\n"
	"\n"
	"SIGHUP reloads the configuration; sensors that did not change go on streaming.\n"
	"Exit status: 0 stopped, 1 failure, 2 usage, 75 RouDi was lost (start again),\n"
	"78 a mistake in the configuration.\n";

static void flush_and_exit(int status)
{
	fflush(stdout);
	fflush(stderr);
	_exit(status);
}

static int complain(const struct problem *problem)
{
	fprintf(stderr, "lidard: %s\n", problem->text);
	return 1;
}

/* Does shared memory have room for the pools? RouDi would die of SIGBUS. */
static void warn_of_small_shm(const struct pool_plan *plan)
{
	uint64_t needed = pool_plan_bytes(plan), size;
	struct statvfs fs;

	if (statvfs("/dev/shm", &fs) < 0)
		return;
	size = (uint64_t)fs.f_blocks * fs.f_frsize;
	if (size < needed)
		fprintf(stderr,
			"lidard: warning: /dev/shm has %llu MiB, the pools need %llu MiB: mount it "
			"larger (mount -o remount,size=...) or lower subscriber_slices, loans or "
			"slice_bytes\n",
			(unsigned long long)(size >> 20), (unsigned long long)(needed >> 20));
}

static int load_plan(const char *path, struct config **config, struct pool_plan *plan)
{
	struct problem problem;

	if (daemon_load_config(path, config, plan, &problem) < 0) {
		complain(&problem);
		return EXIT_CONFIG;
	}
	warn_of_small_shm(plan);
	return 0;
}

static int check(const char *path)
{
	struct config *config = NULL;
	struct pool_plan plan;
	int r = load_plan(path, &config, &plan);

	if (r == 0)
		printf("%s: ok, %u sensors, %llu MiB of shared memory\n", path,
		       config->sensor_count, (unsigned long long)(pool_plan_bytes(&plan) >> 20));
	config_free(config);
	return r;
}

static int print_roudi_config(const char *path)
{
	struct config *config = NULL;
	struct pool_plan plan;
	int r = load_plan(path, &config, &plan);

	if (r == 0)
		pool_plan_print_roudi(&plan, config, stdout);
	config_free(config);
	return r;
}

static bool parse_seconds(const char *text, unsigned int *ret_seconds)
{
	unsigned long value;
	char *end;

	/* strtoul() would take blanks and a sign */
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value < 1 || value > WAIT_S_MAX)
		return false;
	*ret_seconds = (unsigned int)value;
	return true;
}

static int wait_roudi(unsigned int timeout_s)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_s * NSEC_PER_SEC;
	struct timespec pause = clock_to_timespec(10 * NSEC_PER_MSEC);
	struct problem problem;

	while (broker_probe(&problem) < 0) {
		if (clock_now_ns() > deadline_ns)
			return complain(&problem);
		nanosleep(&pause, NULL);
	}
	return broker_probe_registration(timeout_s, &problem) < 0 ? complain(&problem) : 0;
}

static int probe_roudi(void)
{
	struct problem problem;

	return broker_probe_registration(PROBE_TIMEOUT_S, &problem) < 0 ? complain(&problem) : 0;
}

/* Exit status when the daemon could not begin. */
static int status_of(int error)
{
	switch (error) {
	case -EINVAL:
	case -E2BIG:
		return EXIT_CONFIG;
	case -ETIMEDOUT:
		/* a RouDi that hangs when we come is as lost as one that hangs later */
		return EXIT_BROKER_LOST;
	default:
		return 1;
	}
}

static int run(const char *path)
{
	static struct daemon daemon;
	static struct loop loop;
	struct problem problem;
	int r;

	log_init();
	r = loop_init(&loop);
	if (r < 0) {
		log_msg(LOG_CRIT, NULL, r, "cannot make the event loop");
		return 1;
	}
	r = daemon_init(&daemon, &loop, path, &problem);
	if (r < 0) {
		log_msg(LOG_CRIT, NULL, 0, "%s", problem.text);
		return status_of(r);
	}
	r = daemon_run(&daemon);
	if (r == DAEMON_BROKER_LOST)
		return EXIT_BROKER_LOST;
	notify_stopping();
	alarm(STOP_TIMEOUT_S);
	daemon_deinit(&daemon);
	loop_deinit(&loop);
	return r == DAEMON_STOPPED ? 0 : r == DAEMON_POOLS_TOO_SMALL ? EXIT_CONFIG : 1;
}

int main(int argc, char *argv[])
{
	enum { CHECK = 256, DEFAULTS, ROUDI_CONFIG, WAIT, PROBE, VERSION };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, CHECK },
		{ "print-defaults", no_argument, NULL, DEFAULTS },
		{ "print-roudi-config", no_argument, NULL, ROUDI_CONFIG },
		{ "wait-roudi", optional_argument, NULL, WAIT },
		{ "probe-roudi", no_argument, NULL, PROBE },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, VERSION },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = CONFIG_FILE_DEFAULT;
	unsigned int wait_s = WAIT_S;
	int option, action = 0;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'c') {
			path = optarg;
			continue;
		}
		if (option == '?') {
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
		action = option;
		if (option == WAIT && optarg && !parse_seconds(optarg, &wait_s)) {
			fprintf(stderr, "lidard: --wait-roudi: '%s' is not a number of seconds "
				"from 1 to %d\n", optarg, WAIT_S_MAX);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "lidard: unexpected argument '%s'\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	switch (action) {
	case CHECK:
		flush_and_exit(check(path));
		break;
	case DEFAULTS:
		config_print_defaults(stdout);
		break;
	case ROUDI_CONFIG:
		flush_and_exit(print_roudi_config(path));
		break;
	case WAIT:
		/* by exit(), or RouDi would keep a place for us, of which it has 300 */
		exit(wait_roudi(wait_s));
	case PROBE:
		exit(probe_roudi());
	case 'h':
		fputs(usage, stdout);
		break;
	case VERSION:
		puts("lidard " LIDARD_VERSION);
		break;
	default:
		flush_and_exit(run(path));
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
