/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - see client.h */
#include "daemon/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/journal_entry.h"
#include "daemon/log.h"

#define RECLAIM_POLL_NS (50 * NSEC_PER_MSEC)
/* After a failure of the helper. */
#define RECLAIM_RETRY_NS (2 * NSEC_PER_SEC)

extern char **environ;

static struct client *client_free(struct client *c)
{
	struct subscription *s;

	while ((s = LIST_FIRST(&c->subscriptions))) {
		LIST_REMOVE(s, of_client);
		subscription_free(s);
	}
	if (c->pidfd_watch.fd >= 0) {
		int fd = c->pidfd_watch.fd;

		loop_remove(c->registry->loop, &c->pidfd_watch);
		close(fd);
	}
	LIST_REMOVE(c, link);
	c->registry->count--;
	free(c);
	return NULL;
}

/* ---- reclaiming ---- */

static void spawn_helper(struct client_registry *r)
{
	char *argv[] = { r->reclaim_helper, r->state_dir, NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	int error;

	if (!r->reclaim_helper[0] || r->helper_pid > 0 || clock_now_ns() < r->helper_retry_ns)
		return;
	/* The daemon blocks its signals for signalfd; the helper must not inherit that. */
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	error = posix_spawn(&r->helper_pid, r->reclaim_helper, NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (error) {
		r->helper_pid = 0;
		r->helper_retry_ns = clock_now_ns() + RECLAIM_RETRY_NS;
		log_msg(LOG_ERR, NULL, -error,
			"cannot start %s; memory of dead clients stays taken, trying again in 2 s",
			r->reclaim_helper);
	}
}

void client_registry_child_exited(struct client_registry *r, pid_t pid, int status)
{
	if (pid != r->helper_pid)
		return;
	r->helper_pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		r->leftovers = false;
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == RECLAIM_EXIT_BROKER_HANGS)
		r->broker_hangs = true;
	r->helper_retry_ns = clock_now_ns() + RECLAIM_RETRY_NS;
	log_msg(LOG_ERR, NULL, 0, "%s failed (wait status 0x%x); trying again in 2 s",
		r->reclaim_helper, (unsigned int)status);
}

/* Return: 0 or -errno; -ENOENT it is marked already, or was reclaimed. */
static int mark_dead(struct client_registry *r, const char *name)
{
	return renameat(r->clients_dir_fd, name, r->dead_dir_fd, name) < 0 ? -errno : 0;
}

/* The helper removes an entry when the memory is free. */
static int reclaim_tick(struct loop_timer *timer)
{
	struct client_registry *r = container_of(timer, struct client_registry, reclaim_timer);
	struct client *c, *next;
	bool pending = r->leftovers;

	for (c = LIST_FIRST(&r->clients); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->state != CLIENT_RECLAIMING)
			continue;
		if (mark_dead(r, c->name) != -ENOENT ||
		    faccessat(r->dead_dir_fd, c->name, F_OK, 0) == 0) {
			pending = true;
			continue;
		}
		log_msg(LOG_INFO, NULL, 0, "memory of %s (pid %d) is free again", c->program,
			(int)c->pid);
		r->reclaimed++;
		client_free(c);
	}
	if (!pending)
		loop_timer_set(&r->reclaim_timer, 0, 0);
	else
		spawn_helper(r);
	return 0;
}

static void reclaim(struct client_registry *r)
{
	spawn_helper(r);
	loop_timer_set(&r->reclaim_timer, RECLAIM_POLL_NS, RECLAIM_POLL_NS);
}

static int client_died(struct loop_watch *watch, uint32_t events)
{
	struct client *c = container_of(watch, struct client, pidfd_watch);
	struct client_registry *r = c->registry;
	int fd = watch->fd, error;

	loop_remove(r->loop, watch);
	close(fd);
	c->state = CLIENT_RECLAIMING;
	if (!c->used_transport) {
		/* it only asked: RouDi never heard of it */
		unlinkat(r->clients_dir_fd, c->name, 0);
		if (r->on_death)
			r->on_death(r, c);
		client_free(c);
		return 0;
	}
	log_msg(LOG_INFO, NULL, 0, "client %s (pid %d) ended; freeing its memory", c->program,
		(int)c->pid);
	error = mark_dead(r, c->name);
	if (error < 0)
		log_msg(LOG_ERR, NULL, error, "cannot mark client %s dead in the journal; trying again",
			c->name);
	if (r->on_death)
		r->on_death(r, c);
	reclaim(r);
	return 0;
}

/* ---- journal ---- */

static int open_dir(const char *parent, const char *name, struct problem *problem)
{
	char path[PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return problem_set(problem, -errno, "cannot make %s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return problem_set(problem, -errno, "cannot open %s: %s", path, strerror(errno));
	return fd;
}

/* ---- clients ---- */

static void make_name(struct client *c)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint32_t)clock_now_ns();
	snprintf(c->name, sizeof(c->name), "lidard-client-%d-%08" PRIx32, (int)c->pid, random);
}

static int write_journal(struct client *c)
{
	struct journal_entry entry = {
		.pid = c->pid,
		.uid = c->uid,
		.gid = c->gid,
		.start_time = c->start_time,
	};

	return journal_entry_write(c->registry->clients_dir_fd, c->name, &entry);
}

static struct client *find_client(struct client_registry *r, const struct client *like,
				  const char *runtime_name)
{
	struct client *c;

	LIST_FOREACH(c, &r->clients, link)
		if (c->state == CLIENT_LIVE && c->pid == like->pid && c->uid == like->uid &&
		    c->start_time == like->start_time && strcmp(c->name, runtime_name) == 0)
			return c;
	return NULL;
}

/* Fill in who is at the other end, by the kernel's word. Return: its pidfd. */
static int identify(int socket_fd, struct client *c)
{
	struct ucred cred;
	socklen_t length = sizeof(cred);
	int fd;

	if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) < 0 || cred.pid <= 0)
		return -EPERM;
	c->pid = cred.pid;
	c->uid = cred.uid;
	c->gid = cred.gid;
	fd = pidfd_open(cred.pid, 0);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -errno : -EPERM;
	c->start_time = journal_entry_read_start_time(cred.pid);
	return fd;
}

/* Takes @pidfd on success. */
static int client_new(struct client_registry *r, const struct client *like, int pidfd,
		      struct client **ret_client)
{
	struct client *c;
	int error;

	if (r->count >= LIDARD_CLIENTS_MAX)
		return -EUSERS;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = *like;
	c->registry = r;
	c->pidfd_watch.fd = -1;
	LIST_INIT(&c->subscriptions);
	error = write_journal(c);
	if (error == 0)
		error = loop_add(r->loop, &c->pidfd_watch, pidfd, EPOLLIN, client_died);
	if (error < 0) {
		unlinkat(r->clients_dir_fd, c->name, 0);
		free(c);
		return error == -ENOMEM ? error : -EIO;
	}
	LIST_INSERT_HEAD(&r->clients, c, link);
	r->count++;
	*ret_client = c;
	return 0;
}

/* It goes into logs and into JSON, which has to be UTF-8. */
static void copy_printable(char *to, size_t size, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < size && from[i]; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = '\0';
}

int client_get(struct client_registry *r, int socket_fd, const char *program,
	       const char *runtime_name, struct client **ret_client)
{
	struct client like = { .registry = r }, *c;
	CLEANUP(cleanup_fd) int pidfd = identify(socket_fd, &like);
	int error;

	if (pidfd < 0)
		return pidfd;
	copy_printable(like.program, sizeof(like.program), program);
	c = find_client(r, &like, runtime_name);
	if (!c) {
		make_name(&like);
		error = client_new(r, &like, pidfd, &c);
		if (error < 0)
			return error;
		steal_fd(&pidfd);
	}
	memcpy(c->program, like.program, sizeof(c->program));
	*ret_client = c;
	return 0;
}

void client_put(struct client *c, uint64_t connection_id)
{
	struct subscription *s;

	/*
	 * What the connection subscribed and did not give back may still be in the
	 * process' hands: it stays reserved until the process is dead.
	 */
	LIST_FOREACH(s, &c->subscriptions, of_client)
		if (s->connection_id == connection_id)
			s->connection_id = 0;
}

/* ---- a predecessor's journal ---- */

/* A process that our predecessor knew and that is still there: watch it. */
static int adopt(struct client_registry *r, const char *name)
{
	struct client like = { .registry = r, .program = "(adopted)" }, *c;
	CLEANUP(cleanup_fd) int pidfd = -1;
	struct journal_entry entry;
	int error;

	error = journal_entry_read(r->clients_dir_fd, name, &entry);
	if (error < 0)
		return error;
	pidfd = pidfd_open(entry.pid, 0);
	if (pidfd < 0 && errno != ESRCH)
		return -errno;
	if (pidfd < 0 || !journal_entry_is_alive(&entry))
		return -ESRCH;
	snprintf(like.name, sizeof(like.name), "%.63s", name); /* a well-formed name fits */
	like.pid = entry.pid;
	like.uid = entry.uid;
	like.gid = entry.gid;
	like.start_time = entry.start_time;
	like.used_transport = true;
	error = client_new(r, &like, pidfd, &c);
	if (error == 0)
		steal_fd(&pidfd);
	return error;
}

static void sweep(struct client_registry *r)
{
	struct dirent *d;
	DIR *dir = fdopendir(fcntl(r->clients_dir_fd, F_DUPFD_CLOEXEC, 0));
	int error;

	if (!dir)
		return;
	while ((d = readdir(dir))) {
		/* whatever else lies there, the helper would not touch it either */
		if (!journal_entry_is_name(d->d_name))
			continue;
		error = adopt(r, d->d_name);
		if (error == -ESRCH || error == -EINVAL)
			mark_dead(r, d->d_name);
		else if (error < 0)
			log_msg(LOG_ERR, NULL, error,
				"cannot watch client %s; should it end, its memory stays taken until "
				"lidard is started again",
				d->d_name);
	}
	closedir(dir);
	r->leftovers = r->reclaim_helper[0] != '\0';
	reclaim(r);
}

int client_registry_init(struct client_registry *r, struct loop *loop, const char *state_dir,
			 const char *reclaim_helper, struct problem *problem)
{
	int error;

	memset(r, 0, sizeof(*r));
	r->loop = loop;
	r->clients_dir_fd = r->dead_dir_fd = -1;
	r->reclaim_timer.watch.fd = -1;
	LIST_INIT(&r->clients);
	snprintf(r->state_dir, sizeof(r->state_dir), "%s", state_dir);
	snprintf(r->reclaim_helper, sizeof(r->reclaim_helper), "%s", reclaim_helper);
	r->clients_dir_fd = open_dir(state_dir, "clients", problem);
	if (r->clients_dir_fd < 0)
		return r->clients_dir_fd;
	r->dead_dir_fd = open_dir(state_dir, "dead", problem);
	if (r->dead_dir_fd < 0)
		return r->dead_dir_fd;
	error = loop_timer_init(loop, &r->reclaim_timer, reclaim_tick);
	if (error < 0)
		return problem_set(problem, error, "cannot make a timer: %s", strerror(-error));
	sweep(r);
	return 0;
}

void client_registry_deinit(struct client_registry *r)
{
	struct client *c;

	while ((c = LIST_FIRST(&r->clients)))
		client_free(c);
	if (r->loop)
		loop_timer_deinit(r->loop, &r->reclaim_timer);
	r->clients_dir_fd = close_fd(r->clients_dir_fd);
	r->dead_dir_fd = close_fd(r->dead_dir_fd);
}
