/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * trace.h - what lies in the maps pinned under /sys/fs/bpf/lidard/
 *
 * The contract between the BPF programs, who write, and lidarctl, bpftool and
 * whoever else reads (docs/latency.md).  Compiled for both.  Texts are padded
 * with zeros, all padding is zero, times are CLOCK_MONOTONIC nanoseconds.
 *
 *	latency		per-CPU hash: lidard_trace_key -> lidard_histogram
 *	drops		hash: lidard_trace_drop_key -> lidard_trace_drops
 *	outliers	array of LIDARD_TRACE_OUTLIERS lidard_trace_outlier, used as a ring
 *	outlier_count	array of one uint64_t, how many outliers there were
 *	settings	array of one lidard_trace_settings, may be changed at any time
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <stdint.h>

#include "lidard/probes.h"

#define LIDARD_TRACE_PIN_DIR "/sys/fs/bpf/lidard"

/** Most histograms: sensors and subscribers times stages. */
#define LIDARD_TRACE_KEYS_MAX 4096u
#define LIDARD_TRACE_DROPS_MAX 1024u
/** Threads that take or publish slices and are watched by the scheduler's tracepoints. */
#define LIDARD_TRACE_THREADS_MAX 4096u
#define LIDARD_TRACE_SENSORS_MAX LIDARD_SENSORS_MAX
#define LIDARD_TRACE_OUTLIERS 256u
#define LIDARD_TRACE_COMM_MAX 16u

/** What a duration was spent on; the first are those of enum lidard_stage. */
enum lidard_trace_stage {
	/** First byte -> filled. */
	LIDARD_TRACE_FILL = 0,
	/** Filled -> the daemon knows. */
	LIDARD_TRACE_READY = 1,
	/** The daemon knows -> handed to the transport. */
	LIDARD_TRACE_PUBLISH = 2,
	/** Handed to the transport -> taken; the sum of wake, run and code. */
	LIDARD_TRACE_TAKE = 3,
	/** Taken -> released. */
	LIDARD_TRACE_HOLD = 4,
	/** First byte -> taken. */
	LIDARD_TRACE_TOTAL = 5,
	/** Handed to the transport -> the subscriber's thread can run. */
	LIDARD_TRACE_WAKE = 6,
	/** It can run -> it runs: on the run queue. */
	LIDARD_TRACE_RUN = 7,
	/** It runs -> it takes the slice: the program's own doing. */
	LIDARD_TRACE_CODE = 8,
	/** Filled -> the device's interrupt (module lidar_ring; sensor is "lidarN"). */
	LIDARD_TRACE_INTERRUPT = 9,
	LIDARD_TRACE_STAGES = 10,
};

/** Sensor and stage; client is "" for what happens once, before anybody takes it. */
struct lidard_trace_key {
	struct lidard_probe_reader reader;
	/** enum lidard_trace_stage. */
	uint32_t stage;
	/** Zero. */
	uint32_t pad;
};

/** Why slices are missing; the first are those of enum lidard_skip_cause. */
enum lidard_trace_cause {
	LIDARD_TRACE_QUEUE_FULL = 0,
	LIDARD_TRACE_POLICY = 1,
	LIDARD_TRACE_INVALID = 2,
	/** Slices lost before publication, for any cause, as the next one says. */
	LIDARD_TRACE_LOST_BEFORE = 16,
	/** Times the source wanted memory and there was none: readers have it all. */
	LIDARD_TRACE_NO_LOAN = 17,
	/** Durations (not slices) in no histogram: the kernel had no memory for a new one. */
	LIDARD_TRACE_NOT_COUNTED = 18,
	/** Slices the device lost: 32 + enum lidar_cause (module lidar_ring). */
	LIDARD_TRACE_DEVICE = 32,
};

struct lidard_trace_drop_key {
	struct lidard_probe_reader reader;
	/** enum lidard_trace_cause. */
	uint32_t cause;
	/** Zero. */
	uint32_t pad;
};

struct lidard_trace_drops {
	uint64_t count;
	/** When the last came. */
	uint64_t last_ns;
};

/** Above which a slice is an outlier; 0: never. */
struct lidard_trace_settings {
	/** Filled -> taken. */
	uint64_t late_ns;
	/** Taken -> released. */
	uint64_t hold_ns;
	/** First byte -> filled. */
	uint64_t fill_ns;
	uint64_t reserved;
};

/** A thread that waited for a CPU, and who had it. */
struct lidard_trace_instead {
	/** On the run queue since it became able to run, or since the last slice. */
	uint64_t run_queue_ns;
	/** Of it, the longest time at once... */
	uint64_t longest_ns;
	/** ...and who ran longest meanwhile, on that CPU; pid 0: it was idle, or, with no
	    name, the wait was under 50 µs, or nobody ran for 20 µs. */
	uint32_t pid;
	uint32_t cpu;
	char comm[LIDARD_TRACE_COMM_MAX];
};

/** A slice that took long; what is not known is 0. */
struct lidard_trace_outlier {
	/** Counts outliers from 1; 0 while this one is being written. */
	uint64_t number;
	struct lidard_probe_reader reader;
	uint64_t incarnation;
	uint64_t seq;
	uint64_t frame_id;
	/** The stamps of the slice. */
	uint64_t first_byte_ns;
	uint64_t filled_ns;
	uint64_t ready_ns;
	uint64_t published_ns;
	/** The subscriber's thread was woken, got a CPU, took the slice. */
	uint64_t woken_ns;
	uint64_t running_ns;
	uint64_t taken_ns;
	/** It gave the slice back; 0: this was written when it took it. */
	uint64_t released_ns;
	/** Parts of published -> taken, or of taken -> released: asleep for want of it... */
	uint64_t wake_ns;
	/** ...on a run queue... */
	uint64_t run_ns;
	/** ...and, of either or of what is left, stopped by a signal or a debugger. */
	uint64_t stopped_ns;
	/** Slices lost before this one. */
	uint64_t lost_before;
	uint32_t pid;
	uint32_t tid;
	uint32_t cpu;
	/** Part of filled -> ready: the device's interrupt was late; UINT32_MAX: by so much or more. */
	uint32_t interrupt_ns;
	char comm[LIDARD_TRACE_COMM_MAX];
	struct lidard_trace_instead subscriber;
	/** lidard's thread before it learned of this slice. */
	struct lidard_trace_instead daemon;
};

LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_trace_key) == 72);
LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_trace_drop_key) == 72);
LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_trace_instead) == 40);
LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_trace_outlier) == 304);
LIDARD_ASSERT_LAYOUT((LIDARD_HISTOGRAM_BUCKETS & (LIDARD_HISTOGRAM_BUCKETS - 1)) == 0);
LIDARD_ASSERT_LAYOUT((LIDARD_TRACE_OUTLIERS & (LIDARD_TRACE_OUTLIERS - 1)) == 0);

#endif /* TRACE_TRACE_H */
