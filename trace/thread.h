/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * thread.h - what the BPF programs know of a thread that takes or publishes slices
 *
 * Made by the programs of the probes, kept up to date by those of the scheduler.
 * For them alone: this map is not pinned.
 */
#ifndef TRACE_THREAD_H
#define TRACE_THREAD_H

#include "trace/trace.h"

/* Times are 0 while they do not apply. */
struct thread {
	/* able to run, without a CPU, since */
	__u64 runnable_ns;
	__u64 woken_ns;
	__u64 running_ns;
	__u64 stopped_since_ns;
	__u64 stopped_until_ns;
	__u64 take_ns;
	__u64 release_ns;
	/* since the last slice */
	struct lidard_trace_instead instead;
	/* the last wait for a CPU that was worth the name: slices behind the first one suffer, too */
	__u64 wait_from_ns;
	__u64 wait_until_ns;
	struct lidard_trace_instead wait;
};

/* What a scheduler does anyway is less. */
#define LONG_WAIT_NS 500000

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LIDARD_TRACE_THREADS_MAX);
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

static inline __u64 span(__u64 from_ns, __u64 to_ns)
{
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

#endif /* TRACE_THREAD_H */
