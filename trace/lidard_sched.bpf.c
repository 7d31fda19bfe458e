// SPDX-License-Identifier: GPL-2.0
/*
 * lidard_sched.bpf.c - when threads that take or publish slices wait for a CPU
 *
 * sched_switch and sched_wakeup see every thread of the machine, so all they do
 * for most of them is to note who ran, and a look-up.  What part of the way to a subscriber was the
 * wake-up, what the run queue, and who had the CPU: lidard_trace.bpf.c reads it
 * off when the thread takes its next slice.
 */
#include <linux/bpf.h>

#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "trace/kernel.h"
#include "trace/thread.h"

char LICENSE[] SEC("license") = "GPL";

/* Who ran last on each CPU, and for how long. */
#define RUNS 16
/* Only runs that a late slice could be blamed on; it is also what most switches are spared. */
#define RUN_MIN_NS 20000
/* Nor is anybody looked for who is behind less than this. */
#define BLAME_MIN_NS 50000

struct run {
	__u64 end_ns;
	__u64 ran_ns;
	__u32 pid;
	char comm[LIDARD_TRACE_COMM_MAX];
};

struct runs {
	__u64 switch_ns;
	__u32 next;
	struct run list[RUNS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct runs);
} runs SEC(".maps");

static __always_inline void remember_run(struct runs *r, struct task_struct *prev, __u64 now_ns)
{
	__u64 ran_ns = span(r->switch_ns, now_ns);
	struct run *run;

	r->switch_ns = now_ns;
	if (ran_ns < RUN_MIN_NS)
		return;
	run = &r->list[r->next++ & (RUNS - 1)];
	run->end_ns = now_ns;
	run->ran_ns = ran_ns;
	run->pid = prev->tgid;
	bpf_probe_read_kernel(run->comm, sizeof(run->comm), prev->comm);
}

/* Of those who ran while it waited, the one that ran longest. */
static __always_inline void find_culprit(const struct runs *r, __u64 since_ns,
					 struct lidard_trace_instead *i)
{
	__u64 longest_ns = 0, ran_ns, within_ns;
	int n;

	i->pid = 0;
	i->comm[0] = '\0';
	for (n = 0; n < RUNS; n++) {
		within_ns = span(since_ns, r->list[n].end_ns);
		ran_ns = r->list[n].ran_ns < within_ns ? r->list[n].ran_ns : within_ns;
		if (ran_ns <= longest_ns)
			continue;
		longest_ns = ran_ns;
		i->pid = r->list[n].pid;
		__builtin_memcpy(i->comm, r->list[n].comm, sizeof(i->comm));
	}
}

/* It got a CPU: for how long had it waited, and who ran before it there? */
static __always_inline void end_waiting(struct thread *t, const struct runs *r, __u64 now_ns)
{
	__u64 waited_ns = span(t->runnable_ns, now_ns);

	t->instead.run_queue_ns += waited_ns;
	if (waited_ns < t->instead.longest_ns)
		return;
	t->instead.longest_ns = waited_ns;
	t->instead.cpu = bpf_get_smp_processor_id();
	if (waited_ns < BLAME_MIN_NS)
		return;
	find_culprit(r, t->runnable_ns, &t->instead);
	if (waited_ns < LONG_WAIT_NS)
		return;
	t->wait_from_ns = t->runnable_ns;
	t->wait_until_ns = now_ns;
	t->wait = t->instead;
}

static __always_inline unsigned long state_of(struct task_struct *p)
{
	if (bpf_core_field_exists(p->__state))
		return p->__state;
	return BPF_CORE_READ((struct task_struct___old *)p, state);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 prev_tid = prev->pid, next_tid = next->pid;
	__u64 now_ns = bpf_ktime_get_ns();
	__u32 zero = 0;
	struct runs *r;
	struct thread *t;

	r = bpf_map_lookup_elem(&runs, &zero);
	if (!r)
		return 0;
	remember_run(r, prev, now_ns);
	t = bpf_map_lookup_elem(&threads, &prev_tid);
	if (t) {
		unsigned long state = preempt ? TASK_STATE_RUNNING : state_of(prev);

		t->runnable_ns = state == TASK_STATE_RUNNING ? now_ns : 0;
		if (state & TASK_STATE_STOPPED)
			t->stopped_since_ns = now_ns;
	}
	t = bpf_map_lookup_elem(&threads, &next_tid);
	if (t) {
		if (t->runnable_ns)
			end_waiting(t, r, now_ns);
		t->runnable_ns = 0;
		t->running_ns = now_ns;
	}
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *p)
{
	__u32 tid = p->pid;
	struct thread *t = bpf_map_lookup_elem(&threads, &tid);

	/* one that has not left its CPU yet, or is able to run already, does not wait anew */
	if (!t || t->runnable_ns)
		return 0;
	t->woken_ns = bpf_ktime_get_ns();
	t->runnable_ns = t->woken_ns;
	if (t->stopped_since_ns > t->stopped_until_ns)
		t->stopped_until_ns = t->woken_ns;
	return 0;
}
