/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon.h - lidard, assembled
 *
 * Owns the loop, the registration with RouDi, the sensors, the clients and the
 * control socket; makes them in this order and frees them in reverse.
 *
 * When RouDi dies, hangs or is replaced, nothing of iceoryx works in this
 * process any more and nothing of it may be called: daemon_run() returns
 * DAEMON_BROKER_LOST and the process ends at once, to be started again together
 * with RouDi.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/client.h"
#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/memory_access.h"
#include "daemon/pool.h"
#include "daemon/sensor.h"
#include "daemon/udp_port.h"

struct broker;
struct control;

/** Outcomes of daemon_run(). */
enum {
	/** SIGTERM or SIGINT. */
	DAEMON_STOPPED = 1,
	/** RouDi is gone, hangs, or was replaced. */
	DAEMON_BROKER_LOST = 2,
	/** RouDi's pools do not carry the configuration; logged. */
	DAEMON_POOLS_TOO_SMALL = 3,
};

struct daemon {
	struct loop *loop;
	const char *config_path;
	struct config *config;
	struct pool_plan plan;
	int lock_fd;
	struct broker *broker;
	/** Which life of RouDi: clients compare it with the one they know. */
	const char *broker_id;
	struct memory_access access;
	struct client_registry clients;
	/** Where sensors on the network are listened to. */
	struct udp_ports ports;
	struct sensor_list sensors;
	struct control *control;
	struct loop_watch signal_watch;
	struct loop_timer health_timer;
	uint64_t started_ns;
	/** Pools were seen and carry the plan; READY was sent. */
	bool ready;
	/** lidard --probe-roudi, and when the last one was started. */
	pid_t probe_pid;
	uint64_t probe_started_ns;
};

/**
 * daemon_load_config() - the configuration and its pools, checked as far as can be without sensors
 *
 * Return: 0; negative errno with @problem set.
 */
int daemon_load_config(const char *path, struct config **ret_config, struct pool_plan *ret_plan,
		       struct problem *problem);

/**
 * daemon_init() - everything up to a running loop
 * @config_path: borrowed
 *
 * Blocks SIGTERM, SIGINT, SIGHUP and SIGCHLD for the process.
 * Return: 0; negative errno with @problem set.
 */
int daemon_init(struct daemon *d, struct loop *loop, const char *config_path,
		struct problem *problem);
/** Not after DAEMON_BROKER_LOST. */
void daemon_deinit(struct daemon *d);

/** Return: DAEMON_*, or negative errno. */
int daemon_run(struct daemon *d);

/** NULL if there is none of that name. */
struct sensor *daemon_find_sensor(struct daemon *d, const char *name);

#endif /* DAEMON_DAEMON_H */
