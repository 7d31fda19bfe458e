/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - a process that reads, and what happens to its memory when it dies
 *
 * A client is one process in one life of RouDi; it has a runtime name, given
 * here and unique per incarnation of the process, under which it registers
 * with RouDi.  RouDi runs without monitoring (it would remove a process that
 * was merely stopped), so nobody but lidard notices a death: by pidfd, not by
 * hang-up, because a forked child or a slow core dump may keep the socket open
 * or the memory in use.
 *
 * Every name is journalled under STATE_DIR/clients/. When the process is dead
 * its entry moves to STATE_DIR/dead/, where lidard-reclaim finds it, registers
 * the name once more under the dead process' uid, which makes RouDi free its
 * chunks, and removes the entry.  Until then the client's subscriptions keep
 * their reservation.  A successor of lidard sweeps the journal at start.
 */
#ifndef DAEMON_CLIENT_H
#define DAEMON_CLIENT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "common/problem.h"
#include "daemon/loop.h"
#include "daemon/subscription.h"

#define CLIENT_NAME_MAX 64
#define CLIENT_PROGRAM_MAX 64

enum client_state {
	CLIENT_LIVE,
	/** Dead; its memory is being freed. */
	CLIENT_RECLAIMING,
};

struct client_registry;

struct client {
	LIST_ENTRY(client) link;
	struct client_registry *registry;
	enum client_state state;
	/** Runtime name, and the name it gave itself. */
	char name[CLIENT_NAME_MAX];
	char program[CLIENT_PROGRAM_MAX];
	pid_t pid;
	uid_t uid;
	gid_t gid;
	uint64_t start_time;
	struct loop_watch pidfd_watch;
	/** Subscribed at least once, so that RouDi may know it. */
	bool used_transport;
	LIST_HEAD(, subscription) subscriptions;
};

struct client_registry {
	struct loop *loop;
	/**
	 * Somebody to tell that a client's process has ended: its connections, which
	 * a forked child may keep open, must be closed before the client is freed.
	 * NULL if there are none.
	 */
	void (*on_death)(struct client_registry *r, struct client *c);
	/** STATE_DIR/clients and STATE_DIR/dead. */
	int clients_dir_fd;
	int dead_dir_fd;
	char state_dir[PATH_MAX];
	/** Program that frees a dead client's memory; "": a service unit watches dead/. */
	char reclaim_helper[PATH_MAX];
	pid_t helper_pid;
	/** Not to be started again before that, since it failed. */
	uint64_t helper_retry_ns;
	/** dead/ may hold entries of clients that only our predecessor knew. */
	bool leftovers;
	/** The helper failed as it does when RouDi hangs. */
	bool broker_hangs;
	struct loop_timer reclaim_timer;
	LIST_HEAD(, client) clients;
	unsigned int count;
	/** Dead clients whose memory was freed. */
	uint64_t reclaimed;
};

/**
 * client_registry_init() - open the journal and sweep it
 *
 * Entries of processes that are dead move to dead/; living ones are watched:
 * they will say Hello again, or die.
 * Return: 0; negative errno with @problem set.
 */
int client_registry_init(struct client_registry *r, struct loop *loop, const char *state_dir,
			 const char *reclaim_helper, struct problem *problem);
void client_registry_deinit(struct client_registry *r);

/** client_registry_child_exited() - the helper ended (SIGCHLD) */
void client_registry_child_exited(struct client_registry *r, pid_t pid, int status);

/**
 * client_get() - the client a process is
 * @socket_fd: connection to it
 * @runtime_name: the name it says it has; "" or an unknown one: it gets a new one
 *
 * It stays until its process is dead; on_death comes before it is freed.
 * Return: 0; -EUSERS too many clients; -EPERM its process cannot be watched
 * (another PID namespace); -EIO the journal; -ENOMEM.
 */
int client_get(struct client_registry *r, int socket_fd, const char *program,
	       const char *runtime_name, struct client **ret_client);
/** A connection of the client is closed. */
void client_put(struct client *c, uint64_t connection_id);

#endif /* DAEMON_CLIENT_H */
