/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor.h - one configured LIDAR: a source, a sink, and their supervision
 *
 * Loans go round here: the sink lends, the source fills, the sink publishes.
 * A source that fails is stopped and started again, after 100 ms at first, then
 * twice as long each time up to 5 s; every start is a new incarnation, in which
 * seq and publish_index begin at 0 again.  The sink stays as long as the
 * sensor, so subscribers stay connected.
 *
 * A source is supplied with loans when it starts and with every slice.  Where
 * there are none, because readers have all the memory, a timer goes on asking:
 * a device that has no memory to write into has no slices either that would.
 */
#ifndef DAEMON_SENSOR_H
#define DAEMON_SENSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/sink.h"
#include "daemon/source.h"

struct subscription;
struct udp_ports;
LIST_HEAD(subscription_list, subscription);

enum sensor_state {
	SENSOR_STOPPED,
	/** Started, no slice yet. */
	SENSOR_STARTING,
	SENSOR_STREAMING,
	/** Failed; will be started again. */
	SENSOR_BACKOFF,
	/** Its source has nothing more to give. */
	SENSOR_FINISHED,
};

struct sensor {
	LIST_ENTRY(sensor) link;
	struct loop *loop;
	struct sensor_config config;
	struct source *source;
	struct sink *sink;
	struct loop_watch source_watch;
	struct loop_timer retry_timer;
	uint64_t backoff_ns;
	/** Since when the source lacks loans that the sink does not have, 0: it lacks none. */
	uint64_t starved_since_ns;
	/** Asks again; runs a period longer than there is need, so that few slices set it. */
	struct loop_timer supply_timer;
	bool supply_timer_runs;
	/** Told that its source is silent. */
	bool silent;
	enum sensor_state state;
	/** The last failure, "" if none. */
	struct problem problem;

	/** This run of the source, and the publish_index of its next slice. */
	uint64_t incarnation;
	uint64_t next_publish_index;
	/** Since the sensor was configured, over all incarnations. */
	uint64_t published;
	uint64_t published_bytes;
	uint64_t restarts;
	/**
	 * CPU time spent on filled slices: published, and the next loan fetched; and
	 * how much of it inside the sink's publish(), where sleeping readers are woken.
	 * A slice that is measured stands for those since the last that was.
	 */
	uint64_t publish_cpu_ns;
	uint64_t transport_cpu_ns;
	uint32_t unmeasured_slices;
	uint32_t measure_stride;

	/**
	 * The stream of what its packets hold beside points, and whose such a stream this is; NULL:
	 * there is none, it is none. Set by sensor_connect().
	 */
	struct sensor *side;
	struct sensor *main;

	/** Who subscribes, and the slices set aside for them (sum of queue + held). */
	struct subscription_list subscriptions;
	uint32_t reserved_slices;
};

LIST_HEAD(sensor_list, sensor);

/**
 * sensor_new() - offer the sensor's service and start its source
 * @config: copied
 * @ports: borrowed; sockets that sensors share
 *
 * A source that cannot start is no error: the sensor tries again by itself.
 * Return: 0; negative errno with @problem set, which does not name the sensor.
 */
int sensor_new(struct loop *loop, const struct sensor_config *config, struct udp_ports *ports,
	       struct sensor **ret_sensor, struct problem *problem);
/** sensor_connect() - @side gets what @main's packets hold beside points; until one is freed */
void sensor_connect(struct sensor *main, struct sensor *side);
/** NULL is allowed; must have no subscriptions. Return: NULL. */
struct sensor *sensor_free(struct sensor *s);

/**
 * "starting", "streaming", "waiting", "backoff", "finished", "stopped"; "silent":
 * nothing comes from it; "starved": for a second and more there has been no memory to lend.
 */
const char *sensor_get_state_name(const struct sensor *s);

/** Is something wrong with it that somebody should look at? */
bool sensor_is_degraded(const struct sensor *s);

/** Does produced = published + sum(dropped) hold? */
bool sensor_check_account(const struct sensor *s);

#endif /* DAEMON_SENSOR_H */
