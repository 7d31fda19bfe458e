/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - see daemon.h */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/broker_iox.h"
#include "daemon/control.h"
#include "daemon/device.h"
#include "daemon/lock_file.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/status.h"

#define RUNTIME_NAME "lidard"
/*
 * Between two looks at RouDi. Each is a wake-up, which a sensor of 10 revolutions a second shows in
 * its CPU time; and where a service manager runs both, that sees RouDi die at once.
 */
#define HEALTH_INTERVAL_NS NSEC_PER_SEC
/* RouDi's introspection speaks once a second; this is between two looks if it has. */
#define POOLS_INTERVAL_NS (250 * NSEC_PER_MSEC)
#define POOLS_TIMEOUT_NS (10 * NSEC_PER_SEC)
/* A probe is a fork, an exec and a registration: some 10 ms. */
#define PROBE_INTERVAL_NS (10 * NSEC_PER_SEC)
/* A predecessor that is dying stops its device within milliseconds. */
#define DEVICE_BUSY_TIMEOUT_NS (2 * NSEC_PER_SEC)

extern char **environ;

struct sensor *daemon_find_sensor(struct daemon *d, const char *name)
{
	struct sensor *s;

	LIST_FOREACH(s, &d->sensors, link)
		if (strcmp(s->config.name, name) == 0)
			return s;
	return NULL;
}

/* ---- RouDi's health ---- */

static int start_probe(struct daemon *d)
{
	static char name[] = "lidard", option[] = "--probe-roudi";
	char *argv[] = { name, option, NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	int error;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	error = posix_spawn(&d->probe_pid, "/proc/self/exe", NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	d->probe_started_ns = clock_now_ns();
	if (error)
		d->probe_pid = 0;
	return -error;
}

static bool probe_says_hung(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
}

/* Before we register: iceoryx would wait a minute for a RouDi that hangs, then abort us. */
static int check_roudi_answers(struct daemon *d, struct problem *problem)
{
	int status, r;

	r = broker_probe(problem);
	if (r < 0)
		return r;
	r = start_probe(d);
	if (r < 0)
		return problem_set(problem, r, "cannot start lidard --probe-roudi: %s", strerror(-r));
	while (waitpid(d->probe_pid, &status, 0) < 0)
		if (errno != EINTR)
			return problem_set(problem, -errno, "cannot wait for the probe of RouDi: %s",
					   strerror(errno));
	d->probe_pid = 0;
	if (probe_says_hung(status))
		return problem_set(problem, -ETIMEDOUT,
				   "RouDi is there but does not answer; it must be killed (SIGKILL) and "
				   "started again: systemctl restart lidard-roudi");
	if (status != 0)
		return problem_set(problem, -EACCES,
				   "cannot register with RouDi (the probe ended with wait status 0x%x)",
				   (unsigned int)status);
	return 0;
}

static int lose_broker(struct daemon *d, const char *how)
{
	log_msg(LOG_CRIT, NULL, 0, "RouDi %s; ending, to be started again together with it", how);
	return DAEMON_BROKER_LOST;
}

static void set_health_interval(struct daemon *d)
{
	uint64_t interval_ns = HEALTH_INTERVAL_NS;
	uint64_t watchdog_ns = notify_watchdog_interval_ns() / 4;

	if (watchdog_ns && watchdog_ns < interval_ns)
		interval_ns = watchdog_ns;
	loop_timer_set(&d->health_timer, interval_ns, interval_ns);
}

static int check_pools(struct daemon *d)
{
	struct broker_pool pools[BROKER_POOLS_MAX];
	struct problem problem;
	size_t count = broker_read_pools(d->broker, pools);

	if (count == 0)
		return clock_now_ns() - d->started_ns < POOLS_TIMEOUT_NS ?
			       0 :
			       lose_broker(d, "does not say which pools it has");
	if (pool_plan_check(&d->plan, pools, count, &problem) < 0) {
		log_msg(LOG_CRIT, NULL, 0, "%s", problem.text);
		return DAEMON_POOLS_TOO_SMALL;
	}
	d->ready = true;
	set_health_interval(d);
	notify_ready("accepting subscriptions");
	log_msg(LOG_INFO, NULL, 0, "ready: accepting subscriptions at %s", d->config->socket);
	return 0;
}

static int health_tick(struct loop_timer *timer)
{
	struct daemon *d = container_of(timer, struct daemon, health_timer);
	char status[256];
	int r;

	r = broker_check(d->broker);
	if (r == -ESTALE)
		return lose_broker(d, "was replaced by another one");
	if (r < 0)
		return lose_broker(d, "is gone");
	if (d->clients.broker_hangs)
		return lose_broker(d, "does not answer");
	if (!d->ready)
		return check_pools(d);
	if (!d->probe_pid && clock_now_ns() - d->probe_started_ns > PROBE_INTERVAL_NS)
		start_probe(d);
	status_get_text(d, status, sizeof(status));
	notify_status("%s", status);
	notify_watchdog();
	return 0;
}

/* ---- configuration ---- */

static int name_sensor(struct problem *problem, int error, const struct sensor_config *config,
		       const struct problem *what)
{
	return problem_set(problem, error, "sensor %s: %s", config->name, what->text);
}

/* The streams NAME/imu belong to those of NAME, which come before them. */
static void connect_sides(struct daemon *d)
{
	char name[LIDARD_SENSOR_NAME_MAX + sizeof(CONFIG_SIDE_SUFFIX)];
	struct sensor *s, *side;

	LIST_FOREACH(s, &d->sensors, link) {
		if (!s->config.imu)
			continue;
		snprintf(name, sizeof(name), "%s" CONFIG_SIDE_SUFFIX, s->config.name);
		side = daemon_find_sensor(d, name);
		if (side)
			sensor_connect(s, side);
	}
}

/* Return: 0, or what the first of those said that cannot be offered; the others are. */
static int add_sensors(struct daemon *d, struct problem *problem)
{
	struct sensor *s, *last = NULL;
	struct problem trouble;
	unsigned int i;
	int r, error = 0;

	for (i = 0; i < d->config->sensor_count; i++) {
		s = daemon_find_sensor(d, d->config->sensors[i].name);
		if (!s) {
			r = sensor_new(d->loop, &d->config->sensors[i], &d->ports, &s, &trouble);
			if (r < 0 && error == 0)
				error = name_sensor(problem, r, &d->config->sensors[i], &trouble);
			if (r < 0)
				continue;
			log_msg(LOG_INFO, s->config.name, 0, "offered (source %s)",
				s->source->ops->name);
		} else {
			LIST_REMOVE(s, link);
			if (sensor_config_follow(&s->config, &d->config->sensors[i]))
				log_msg(LOG_INFO, s->config.name, 0,
					"has another pose; its stream goes on");
		}
		if (last)
			LIST_INSERT_AFTER(last, s, link);
		else
			LIST_INSERT_HEAD(&d->sensors, s, link);
		last = s;
	}
	connect_sides(d);
	return error;
}

static const struct sensor_config *find_config(const struct config *config, const char *name)
{
	unsigned int i;

	for (i = 0; i < config->sensor_count; i++)
		if (strcmp(config->sensors[i].name, name) == 0)
			return &config->sensors[i];
	return NULL;
}

/* Stop the sensors that are no longer configured as they are. */
static void drop_sensors(struct daemon *d, const struct config *config)
{
	const struct sensor_config *wanted;
	struct sensor *s, *next;

	for (s = LIST_FIRST(&d->sensors); s; s = next) {
		next = LIST_NEXT(s, link);
		wanted = config ? find_config(config, s->config.name) : NULL;
		/* a side stream goes with the one it belongs to, which comes before it */
		if (wanted && sensor_config_equal(wanted, &s->config) &&
		    (s->config.source != SOURCE_KIND_SIDE || s->main))
			continue;
		log_msg(LOG_INFO, s->config.name, 0,
			wanted ? "configured anew" : config ? "removed" : "stopped");
		control_drop_sensor(d->control, s);
		LIST_REMOVE(s, link);
		sensor_free(s);
	}
}

int daemon_load_config(const char *path, struct config **ret_config, struct pool_plan *ret_plan,
		       struct problem *problem)
{
	struct config *config;
	struct problem trouble;
	unsigned int i;
	int r;

	r = config_load(path, &config, problem);
	if (r < 0)
		return r;
	r = pool_plan_make(config, ret_plan, problem);
	for (i = 0; r == 0 && i < config->sensor_count; i++) {
		r = source_check(&config->sensors[i], &trouble);
		if (r < 0)
			name_sensor(problem, r, &config->sensors[i], &trouble);
	}
	if (r < 0) {
		config_free(config);
		return r;
	}
	*ret_config = config;
	return 0;
}

static int load_reloadable(struct daemon *d, struct config **ret_config, struct pool_plan *ret_plan,
			   struct problem *problem)
{
	struct broker_pool pools[BROKER_POOLS_MAX];
	struct config *config;
	int r;

	r = daemon_load_config(d->config_path, &config, ret_plan, problem);
	if (r < 0)
		return r;
	if (d->ready) /* else check_pools() will see whether it fits */
		r = pool_plan_check(ret_plan, pools, broker_read_pools(d->broker, pools), problem);
	if (r < 0) {
		config_free(config);
		return r;
	}
	*ret_config = config;
	return 0;
}

static bool needs_restart(const struct config *a, const struct config *b)
{
	return strcmp(a->socket, b->socket) != 0 || strcmp(a->state_dir, b->state_dir) != 0 ||
	       strcmp(a->reclaim_helper, b->reclaim_helper) != 0 ||
	       strcmp(a->writer_group, b->writer_group) != 0 ||
	       strcmp(a->reader_group, b->reader_group) != 0;
}

static void reload(struct daemon *d)
{
	struct pool_plan plan;
	struct problem problem;
	struct config *config;

	/* Before the first READY there is none to take back, nor to give by this. */
	if (d->ready)
		notify_reloading();
	if (load_reloadable(d, &config, &plan, &problem) < 0) {
		log_msg(LOG_ERR, NULL, 0, "%s; the configuration stays as it was", problem.text);
	} else {
		if (needs_restart(config, d->config))
			log_msg(LOG_WARNING, NULL, 0,
				"sections [lidard] and [roudi] changed; that takes a restart");
		drop_sensors(d, config);
		config_free(d->config);
		d->config = config;
		d->plan = plan;
		if (add_sensors(d, &problem) < 0)
			log_msg(LOG_ERR, NULL, 0, "%s", problem.text);
		else
			log_msg(LOG_INFO, NULL, 0, "configuration loaded");
	}
	if (d->ready)
		notify_ready("configuration loaded");
}

/* ---- signals ---- */

static int reap(struct daemon *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		client_registry_child_exited(&d->clients, pid, status);
		if (pid != d->probe_pid)
			continue;
		d->probe_pid = 0;
		if (probe_says_hung(status))
			return lose_broker(d, "does not answer");
	}
	return 0;
}

static int signal_ready(struct loop_watch *watch, uint32_t events)
{
	struct daemon *d = container_of(watch, struct daemon, signal_watch);
	struct signalfd_siginfo info;

	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(d);
		else if (info.ssi_signo == SIGCHLD && reap(d))
			return DAEMON_BROKER_LOST;
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			return DAEMON_STOPPED;
	}
	return 0;
}

static int watch_signals(struct daemon *d, struct problem *problem)
{
	CLEANUP(cleanup_fd) int fd = -1;
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	r = fd < 0 ? -errno : loop_add(d->loop, &d->signal_watch, fd, EPOLLIN, signal_ready);
	if (r < 0)
		return problem_set(problem, r, "cannot watch signals: %s", strerror(-r));
	steal_fd(&fd);
	return 0;
}

/* ---- life ---- */

/* One lidard: two would publish the same services, and readers would see both. */
static int lock_state_dir(struct daemon *d, struct problem *problem)
{
	char path[PATH_MAX + 8], pid[16] = "";
	CLEANUP(cleanup_fd) int fd = -1;
	int r;

	if (mkdir(d->config->state_dir, 0755) < 0 && errno != EEXIST)
		return problem_set(problem, -errno, "cannot make state_dir = %s: %s",
				   d->config->state_dir, strerror(errno));
	snprintf(path, sizeof(path), "%s/lock", d->config->state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return problem_set(problem, -errno, "cannot open %s: %s", path, strerror(errno));
	r = lock_file_take(fd);
	if (r < 0 && r != -EWOULDBLOCK)
		return problem_set(problem, r, "cannot lock %s: %s", path, strerror(-r));
	if (r < 0) {
		if (read(fd, pid, sizeof(pid) - 1) < 0)
			pid[0] = '\0';
		return problem_set(problem, -EBUSY, "another lidard is running (pid %.10s holds %s)", pid,
				   path);
	}
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
		return problem_set(problem, -errno, "cannot write %s: %s", path, strerror(errno));
	d->lock_fd = steal_fd(&fd);
	return 0;
}

/*
 * Once we register with RouDi, it gives the chunks of a lidard that died under
 * our name to others: no device may write into them any more.  That one holds
 * our lock until its memory is gone, also while it dumps core, and the kernel
 * stops the device before that; so who keeps a device for longer than this is
 * somebody else, and the sensor will say so each time it cannot start.
 */
static void wait_for_devices(struct daemon *d)
{
	const struct sensor_config *s;
	struct problem problem;
	unsigned int i;

	for (i = 0; i < d->config->sensor_count; i++) {
		s = &d->config->sensors[i];
		if (s->source == SOURCE_KIND_DEVICE &&
		    device_wait_until_free(s->device, DEVICE_BUSY_TIMEOUT_NS, &problem) < 0)
			log_msg(LOG_WARNING, s->name, 0, "%s; going on without it", problem.text);
	}
}

/* Of the service manager: lidard itself may have no right to the network. */
static void inherit_socket(void *data, int fd, const char *name)
{
	struct daemon *d = data;
	char address[UDP_ADDRESS_TEXT_MAX];
	struct problem problem;

	if (udp_ports_inherit(&d->ports, fd, name, &problem) < 0) {
		log_msg(LOG_WARNING, NULL, 0, "%s; it is not used", problem.text);
		return;
	}
	udp_address_format(&d->ports.inherited[d->ports.inherited_count - 1].address, address);
	log_msg(LOG_INFO, NULL, 0, "the service manager handed over a socket for %s, named \"%s\"",
		address, name);
}

static int daemon_open(struct daemon *d, struct problem *problem)
{
	int r;

	r = daemon_load_config(d->config_path, &d->config, &d->plan, problem);
	if (r == 0)
		r = lock_state_dir(d, problem);
	if (r == 0)
		wait_for_devices(d);
	if (r == 0)
		r = check_roudi_answers(d, problem);
	if (r == 0)
		r = watch_signals(d, problem); /* before iceoryx starts its thread */
	if (r == 0)
		r = broker_open(RUNTIME_NAME, &d->broker, problem);
	if (r == 0)
		d->broker_id = broker_get_id(d->broker);
	if (r == 0)
		r = memory_access_init(&d->access, d->config, problem);
	if (r == 0)
		r = client_registry_init(&d->clients, d->loop, d->config->state_dir,
					 d->config->reclaim_helper, problem);
	if (r == 0)
		r = control_new(d, d->config->socket, d->config->reader_group, &d->control, problem);
	if (r == 0) {
		notify_take_sockets(inherit_socket, d);
		r = add_sensors(d, problem);
	}
	if (r < 0)
		return r;
	r = loop_timer_init(d->loop, &d->health_timer, health_tick);
	if (r < 0)
		return problem_set(problem, r, "cannot make a timer: %s", strerror(-r));
	loop_timer_set(&d->health_timer, POOLS_INTERVAL_NS / 10, POOLS_INTERVAL_NS);
	return 0;
}

int daemon_init(struct daemon *d, struct loop *loop, const char *config_path,
		struct problem *problem)
{
	int r;

	memset(d, 0, sizeof(*d));
	d->loop = loop;
	d->config_path = config_path;
	d->lock_fd = -1;
	d->signal_watch.fd = -1;
	d->health_timer.watch.fd = -1;
	d->started_ns = clock_now_ns();
	LIST_INIT(&d->sensors);
	d->clients.clients_dir_fd = d->clients.dead_dir_fd = -1;
	r = daemon_open(d, problem);
	if (r < 0)
		daemon_deinit(d);
	return r;
}

void daemon_deinit(struct daemon *d)
{
	int fd;

	loop_timer_deinit(d->loop, &d->health_timer);
	if (d->control)
		drop_sensors(d, NULL);
	d->control = control_free(d->control);
	if (d->clients.loop)
		client_registry_deinit(&d->clients);
	udp_ports_deinit(&d->ports);
	d->broker = broker_free(d->broker);
	fd = d->signal_watch.fd;
	loop_remove(d->loop, &d->signal_watch);
	close_fd(fd);
	d->lock_fd = close_fd(d->lock_fd);
	d->config = config_free(d->config);
}

int daemon_run(struct daemon *d)
{
	return loop_run(d->loop);
}
