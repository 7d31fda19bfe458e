/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h - one reply to GetStatus, read into structs
 *
 * What status, top and demo compute with.  The accounts are checked here once
 * more, by the tool itself, so that "ok" in the reply is not taken on trust.
 * A snapshot owns everything in it and never changes.  docs/control.md says
 * what each figure means; members missing from the reply are zero or "".
 */
#ifndef TOOLS_SNAPSHOT_H
#define TOOLS_SNAPSHOT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lidard/control.h"

#define SNAPSHOT_TEXT_MAX 128
#define SNAPSHOT_CAUSES_MAX 16

/** Losses by cause, as many as lidard names. */
struct snapshot_cause {
	char name[32];
	uint64_t count;
};

struct snapshot_causes {
	struct snapshot_cause list[SNAPSHOT_CAUSES_MAX];
	unsigned int count;
};

struct snapshot_pool {
	uint64_t payload_bytes;
	uint64_t chunks;
	uint64_t used;
	uint64_t min_free;
};

/** The sensor's clock; "" and 0 where lidard says nothing of it. */
struct snapshot_clock {
	char scale[16];
	char configured[16];
	char found[16];
	char lock[16];
	/** "exact", "measured" or "unknown"; TAI - the sensor's time. */
	char offset[16];
	int64_t offset_ns;
	uint64_t locks_lost;
	char problem[512];
};

struct snapshot_sensor {
	char name[LIDARD_SENSOR_NAME_MAX];
	char source[32];
	char model[SNAPSHOT_TEXT_MAX];
	char serial[SNAPSHOT_TEXT_MAX];
	char state[32];
	char error[512];
	uint64_t slice_bytes;
	uint64_t incarnation;
	uint64_t restarts;
	uint64_t produced;
	uint64_t published;
	uint64_t bytes;
	uint64_t copied_bytes;
	struct snapshot_causes dropped;
	bool accounting_ok;
	uint64_t frames;
	uint64_t partial_frames;
	uint64_t clock_steps;
	struct snapshot_clock clock;
	uint64_t packets;
	uint64_t lost_packets;
	uint64_t ignored_packets;
	uint64_t bad_packets;
	uint64_t late_packets;
	uint64_t duplicate_packets;
	uint64_t overflow_packets;
	uint64_t missing_columns;
	uint64_t fill_cpu_ns;
	uint64_t publish_cpu_ns;
	uint64_t transport_cpu_ns;
	uint64_t loans_configured;
	uint64_t loans_lent;
	uint64_t loans_exhausted;
	uint64_t reserved_slices;
	uint64_t subscriber_slices;
};

struct snapshot_subscriber {
	uint64_t id;
	char name[SNAPSHOT_TEXT_MAX];
	int64_t pid;
	int64_t uid;
	char sensor[LIDARD_SENSOR_NAME_MAX];
	uint64_t policy;
	uint64_t queue;
	uint64_t held_limit;
	bool connected;
	char state[32];
	uint64_t incarnation;
	uint64_t published;
	uint64_t received;
	struct snapshot_causes skipped;
	uint64_t unseen;
	/** Of a frame that is not whole yet. */
	uint64_t collecting;
	int64_t waiting;
	uint64_t held;
	uint64_t lost_upstream;
	uint64_t bytes;
	uint64_t last_take_ns;
	uint64_t restarts;
	uint64_t total_received;
	struct snapshot_causes total_skipped;
	bool accounting_ok;
	struct lidard_histogram stages[LIDARD_STAGE_COUNT];
};

struct snapshot {
	char version[32];
	int64_t pid;
	uint64_t now_ns;
	uint64_t started_ns;
	bool degraded;
	char status[256];
	uint64_t cpu_ns;
	char transport[32];
	char transport_state[SNAPSHOT_TEXT_MAX];
	struct snapshot_pool *pools;
	size_t pool_count;
	struct snapshot_sensor *sensors;
	size_t sensor_count;
	struct snapshot_subscriber *subscribers;
	size_t subscriber_count;
};

/**
 * snapshot_parse() - read the reply's parameters
 * @reply: {"status": {…}}
 * @ret_snapshot: free with snapshot_free()
 *
 * Return: 0; -EPROTO it is not a status; -ENOMEM.
 */
int snapshot_parse(struct json_object *reply, struct snapshot **ret_snapshot);

/** NULL is allowed. Return: NULL. */
struct snapshot *snapshot_free(struct snapshot *snapshot);

static inline void cleanup_snapshot(struct snapshot **s)
{
	*s = snapshot_free(*s);
}

uint64_t snapshot_causes_sum(const struct snapshot_causes *causes);
/** snapshot_causes_get() - what was lost by this cause; 0 if lidard does not name it */
uint64_t snapshot_causes_get(const struct snapshot_causes *causes, const char *name);

/** Do the sensor's figures add up, whatever lidard says? */
bool snapshot_sensor_adds_up(const struct snapshot_sensor *sensor);
bool snapshot_subscriber_adds_up(const struct snapshot_subscriber *subscriber);
/** Does everything add up, by lidard's account and by ours? */
bool snapshot_adds_up(const struct snapshot *snapshot);

const struct snapshot_subscriber *snapshot_find_subscriber(const struct snapshot *snapshot,
							   uint64_t id);
const struct snapshot_sensor *snapshot_find_sensor(const struct snapshot *snapshot,
						   const char *name);

/** snapshot_stage_name() - "fill", "ready", "publish", "take", "hold", "total" */
const char *snapshot_stage_name(unsigned int stage);

/**
 * snapshot_histogram_difference() - what came between two snapshots
 *
 * max_ns of the difference is not known; it is the upper end of the highest
 * bucket that grew, at most @now's.
 */
void snapshot_histogram_difference(const struct lidard_histogram *now,
				   const struct lidard_histogram *before,
				   struct lidard_histogram *ret_difference);

#endif /* TOOLS_SNAPSHOT_H */
