// SPDX-License-Identifier: GPL-2.0
/*
 * lidard_trace.bpf.c - stage latencies, drops and outliers, in the kernel
 *
 * Two kinds of programs fill the maps of trace.h:
 *
 *	USDT probes	publish, take and release: all stages up to publish are read from
 *			the slice's header, so three probes see everything.  loan_exhausted
 *			and skip fire only when something is lost.
 *	module		lidar:slice_done and slice_dropped.
 *
 * What the scheduler did to the threads concerned they find in the map threads,
 * where lidard_sched.bpf.c leaves it.  That is another object: it needs to know
 * the kernel's types, and these here run on kernels that do not tell.
 *
 * Several tasks of a CPU may be in a program of it at the same time, one having
 * preempted the other, hence atomic additions also in per-CPU maps.
 */
#include <linux/bpf.h>

#include <linux/ptrace.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/usdt.bpf.h>

#include "common/histogram.h"
#include "trace/thread.h"
#include "trace/trace.h"

char LICENSE[] SEC("license") = "GPL";

/* ---- Maps ---- */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, LIDARD_TRACE_KEYS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lidard_trace_key);
	__type(value, struct lidard_histogram);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} latency SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LIDARD_TRACE_DROPS_MAX);
	__type(key, struct lidard_trace_drop_key);
	__type(value, struct lidard_trace_drops);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIDARD_TRACE_OUTLIERS);
	__type(key, __u32);
	__type(value, struct lidard_trace_outlier);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} outliers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lidard_trace_settings);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} settings SEC(".maps");

/* how many outliers there were; it goes on where the ring goes on */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} outlier_count SEC(".maps");

/* What happened to lidard's thread before a sensor's last slices. */
struct publication {
	__u64 seq;
	struct lidard_trace_instead instead;
};

struct publication_key {
	char sensor[LIDARD_SENSOR_NAME_MAX];
	__u64 slot;
};

/* subscribers lag behind: so many of the last late slices are remembered */
#define PUBLICATIONS 64

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LIDARD_TRACE_SENSORS_MAX * PUBLICATIONS);
	__type(key, struct publication_key);
	__type(value, struct publication);
} publications SEC(".maps");

/*
 * Slices whose interrupt came late: when they were filled, and by how much.
 * Readers know a slice by the sensor's name, the module by its ring; the time
 * is the same for both, and no two slices of a machine share it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LIDARD_TRACE_SENSORS_MAX * PUBLICATIONS);
	__type(key, __u64);
	__type(value, __u64);
} late_interrupts SEC(".maps");

/* What is later than this is remembered. Rare, or it would be an update of a map for every slice. */
#define REMEMBERED_NS 200000

/* Not on the stack: with what a call needs it is 512 bytes, and older kernels count strictly. */
static const struct lidard_histogram empty_histogram;
static const struct thread empty_thread;
static const struct lidard_trace_drops no_drops;

/* ---- Histograms and counters ---- */

static __always_inline void drop(struct lidard_trace_drop_key *key, __u64 count)
{
	struct lidard_trace_drops *d;

	d = bpf_map_lookup_elem(&drops, key);
	if (!d) {
		bpf_map_update_elem(&drops, key, &no_drops, BPF_NOEXIST);
		d = bpf_map_lookup_elem(&drops, key);
		if (!d)
			return;
	}
	__sync_fetch_and_add(&d->count, count);
	d->last_ns = bpf_ktime_get_ns();
}

/*
 * A histogram for each CPU is much to ask for where nothing may sleep: the first values for a new
 * one may find none.  Stacks are small: the key becomes the one it is as long as.
 */
_Static_assert(sizeof(struct lidard_trace_key) == sizeof(struct lidard_trace_drop_key) &&
		       offsetof(struct lidard_trace_key, stage) ==
			       offsetof(struct lidard_trace_drop_key, cause),
	       "keys of the same layout");

static __always_inline void not_counted(struct lidard_trace_key *key)
{
	key->stage = LIDARD_TRACE_NOT_COUNTED;
	drop((struct lidard_trace_drop_key *)key, 1);
}

static __always_inline void add(struct lidard_trace_key *key, enum lidard_trace_stage stage,
				__u64 value_ns)
{
	struct lidard_histogram *h;

	key->stage = stage;
	h = bpf_map_lookup_elem(&latency, key);
	if (!h) {
		bpf_map_update_elem(&latency, key, &empty_histogram, BPF_NOEXIST);
		h = bpf_map_lookup_elem(&latency, key);
		if (!h) {
			not_counted(key);
			return;
		}
	}
	__sync_fetch_and_add(&h->buckets[histogram_bucket(value_ns) &
					 (LIDARD_HISTOGRAM_BUCKETS - 1)], 1);
	__sync_fetch_and_add(&h->count, 1);
	__sync_fetch_and_add(&h->sum_ns, value_ns);
	/* of two at the same time the smaller one may win, once in a blue moon */
	if (value_ns > h->max_ns)
		h->max_ns = value_ns;
}

/* As the library does: of stamps that are not known there is no stage. */
static __always_inline void add_between(struct lidard_trace_key *key,
					enum lidard_trace_stage stage, __u64 from_ns, __u64 to_ns)
{
	if (from_ns && to_ns)
		add(key, stage, span(from_ns, to_ns));
}

/* A thread becomes interesting with its first slice; lidard_sched.bpf.c then follows it. */
static __always_inline struct thread *this_thread(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread *t;

	t = bpf_map_lookup_elem(&threads, &tid);
	if (t)
		return t;
	bpf_map_update_elem(&threads, &tid, &empty_thread, BPF_NOEXIST);
	return bpf_map_lookup_elem(&threads, &tid);
}

/* ---- Outliers ---- */

static __always_inline struct lidard_trace_outlier *begin_outlier(__u64 *ret_number)
{
	struct lidard_trace_outlier *o;
	__u64 *count, number;
	__u32 zero = 0, index;

	count = bpf_map_lookup_elem(&outlier_count, &zero);
	if (!count)
		return NULL;
	number = __sync_fetch_and_add(count, 1) + 1;
	index = number & (LIDARD_TRACE_OUTLIERS - 1);
	o = bpf_map_lookup_elem(&outliers, &index);
	if (!o)
		return NULL;
	/* a reader that finds another number before and after has read two (reader.c) */
	__sync_lock_test_and_set(&o->number, 0);
	__builtin_memset(o, 0, sizeof(*o));
	*ret_number = number;
	return o;
}

static __always_inline void describe(struct lidard_trace_outlier *o,
				     const struct lidard_trace_key *key,
				     const struct lidard_slice_header *h)
{
	__u64 id = bpf_get_current_pid_tgid();

	o->reader = key->reader;
	o->incarnation = h->incarnation;
	o->seq = h->seq;
	o->frame_id = h->frame_id;
	o->first_byte_ns = h->flags & LIDARD_SLICE_FIRST_BYTE_VALID ? h->first_byte_ns : 0;
	o->filled_ns = h->filled_ns;
	o->ready_ns = h->ready_ns;
	o->published_ns = h->published_ns;
	o->lost_before = h->lost_before;
	o->pid = id >> 32;
	o->tid = (__u32)id;
	o->cpu = bpf_get_smp_processor_id();
	bpf_get_current_comm(o->comm, sizeof(o->comm));
}

static __always_inline struct publication_key publication_key(const char *sensor, __u64 seq)
{
	struct publication_key key = { .slot = seq & (PUBLICATIONS - 1) };

	__builtin_memcpy(key.sensor, sensor, sizeof(key.sensor));
	return key;
}

/* Was lidard late with this one, and who ran meanwhile? */
static __always_inline void describe_daemon(struct lidard_trace_outlier *o)
{
	struct publication_key key = publication_key(o->reader.sensor, o->seq);
	struct publication *p = bpf_map_lookup_elem(&publications, &key);

	if (p && p->seq == o->seq)
		o->daemon = p->instead;
}

static __always_inline void describe_interrupt(struct lidard_trace_outlier *o)
{
	__u64 filled_ns = o->filled_ns;
	__u64 *late_ns = bpf_map_lookup_elem(&late_interrupts, &filled_ns);

	if (late_ns)
		o->interrupt_ns = *late_ns < UINT32_MAX ? *late_ns : UINT32_MAX;
}

/* ---- What the daemon does ---- */

/* Only a little of it: what comes later is not needed here. */
#define HEADER_BYTES offsetof(struct lidard_slice_header, sensor_time_ns)

static __always_inline long read_header(struct lidard_slice_header *h, const void *at)
{
	return bpf_probe_read_user(h, HEADER_BYTES, at);
}

SEC("usdt")
int BPF_USDT(on_publish, const char *sensor, const void *header)
{
	struct lidard_trace_key key = {};
	struct lidard_slice_header h = {};
	struct publication_key at;
	struct publication p = {};
	struct thread *t;

	if (bpf_probe_read_user_str(key.reader.sensor, sizeof(key.reader.sensor), sensor) < 0 ||
	    read_header(&h, header) < 0)
		return 0;
	if (h.flags & LIDARD_SLICE_FIRST_BYTE_VALID)
		add_between(&key, LIDARD_TRACE_FILL, h.first_byte_ns, h.filled_ns);
	add_between(&key, LIDARD_TRACE_READY, h.filled_ns, h.ready_ns);
	add_between(&key, LIDARD_TRACE_PUBLISH, h.ready_ns, h.published_ns);
	if (h.lost_before) {
		struct lidard_trace_drop_key lost = { .cause = LIDARD_TRACE_LOST_BEFORE };

		lost.reader = key.reader;
		drop(&lost, h.lost_before);
	}
	t = this_thread();
	if (!t)
		return 0;
	if (t->instead.run_queue_ns > REMEMBERED_NS) {
		at = publication_key(key.reader.sensor, h.seq);
		p.seq = h.seq;
		p.instead = t->instead;
		bpf_map_update_elem(&publications, &at, &p, BPF_ANY);
	}
	__builtin_memset(&t->instead, 0, sizeof(t->instead));
	return 0;
}

SEC("usdt")
int BPF_USDT(on_loan_exhausted, const char *sensor)
{
	struct lidard_trace_drop_key key = { .cause = LIDARD_TRACE_NO_LOAN };

	if (bpf_probe_read_user_str(key.reader.sensor, sizeof(key.reader.sensor), sensor) >= 0)
		drop(&key, 1);
	return 0;
}

/* ---- What a subscriber does ---- */

struct way {
	__u64 wake_ns;
	__u64 run_ns;
	__u64 code_ns;
};

/* How much of a time did its last long wait for a CPU take? */
static __always_inline __u64 find_wait(const struct thread *t, __u64 from_ns, __u64 to_ns)
{
	__u64 since_ns = t->wait_from_ns > from_ns ? t->wait_from_ns : from_ns;
	__u64 until_ns = t->wait_until_ns < to_ns ? t->wait_until_ns : to_ns;

	return span(since_ns, until_ns);
}

/* How much of a time was it stopped for, by SIGSTOP or a debugger? */
static __always_inline __u64 find_stopped(const struct thread *t, __u64 from_ns, __u64 to_ns)
{
	__u64 since_ns = t->stopped_since_ns > from_ns ? t->stopped_since_ns : from_ns;
	__u64 until_ns = t->stopped_until_ns < to_ns ? t->stopped_until_ns : to_ns;

	return span(since_ns, until_ns);
}

/*
 * From publication to take.  A thread that took or gave back another slice
 * after this one was published did not sleep for want of it: the time is its
 * own.  Otherwise what came before it was woken is the wake-up.  What it spent
 * on run queues since the last slice is known, and so is the last long wait,
 * which made those wait that were published meanwhile; the rest it ran.
 */
static __always_inline struct way find_way(const struct thread *t, __u64 published_ns,
					   __u64 taken_ns)
{
	__u64 busy_ns = t->take_ns > t->release_ns ? t->take_ns : t->release_ns;
	__u64 whole_ns = span(published_ns, taken_ns), left_ns, waited_ns;
	struct way w = {};

	if (busy_ns <= published_ns)
		w.wake_ns = span(published_ns, t->woken_ns);
	if (w.wake_ns > whole_ns)
		w.wake_ns = whole_ns;
	left_ns = whole_ns - w.wake_ns;
	w.run_ns = t->instead.run_queue_ns;
	waited_ns = find_wait(t, published_ns, taken_ns);
	if (waited_ns > w.run_ns)
		w.run_ns = waited_ns;
	if (w.run_ns > left_ns)
		w.run_ns = left_ns;
	w.code_ns = left_ns - w.run_ns;
	return w;
}

static __always_inline bool is_late(const struct lidard_slice_header *h, __u64 taken_ns)
{
	struct lidard_trace_settings *s;
	__u32 zero = 0;

	s = bpf_map_lookup_elem(&settings, &zero);
	if (!s)
		return false;
	if (s->late_ns && h->filled_ns && span(h->filled_ns, taken_ns) > s->late_ns)
		return true;
	return s->fill_ns && (h->flags & LIDARD_SLICE_FIRST_BYTE_VALID) &&
	       span(h->first_byte_ns, h->filled_ns) > s->fill_ns;
}

static __always_inline void report_take(const struct lidard_trace_key *key,
					const struct lidard_slice_header *h, const struct thread *t,
					const struct way *w, __u64 taken_ns)
{
	struct lidard_trace_outlier *o;
	__u64 number;

	o = begin_outlier(&number);
	if (!o)
		return;
	describe(o, key, h);
	describe_daemon(o);
	describe_interrupt(o);
	o->taken_ns = taken_ns;
	o->woken_ns = t->woken_ns;
	o->running_ns = t->running_ns;
	o->wake_ns = w->wake_ns;
	o->run_ns = w->run_ns;
	o->stopped_ns = find_stopped(t, h->published_ns, taken_ns);
	o->subscriber = t->instead;
	if (find_wait(t, h->published_ns, taken_ns) > t->instead.longest_ns)
		o->subscriber = t->wait;
	__sync_lock_test_and_set(&o->number, number);
}

SEC("usdt")
int BPF_USDT(on_take, const void *reader, const void *header, __u64 taken_ns)
{
	struct lidard_trace_key key = {};
	struct lidard_slice_header h = {};
	struct thread *t;
	struct way w;

	if (bpf_probe_read_user(&key.reader, sizeof(key.reader), reader) < 0 ||
	    read_header(&h, header) < 0)
		return 0;
	add_between(&key, LIDARD_TRACE_TAKE, h.published_ns, taken_ns);
	if (h.flags & LIDARD_SLICE_FIRST_BYTE_VALID)
		add_between(&key, LIDARD_TRACE_TOTAL, h.first_byte_ns, taken_ns);
	t = this_thread();
	if (!t)
		return 0;
	/* of what was taken for a frame and is handed out later, its own doing is all we know */
	w = find_way(t, h.published_ns, taken_ns);
	/*
	 * Never switched to: nobody tells of the scheduler, or it is this thread's first slice.
	 * Switched to since: the slice was taken for a frame, which is handed out only now.
	 */
	if (t->running_ns && t->running_ns <= taken_ns) {
		add(&key, LIDARD_TRACE_WAKE, w.wake_ns);
		add(&key, LIDARD_TRACE_RUN, w.run_ns);
		add(&key, LIDARD_TRACE_CODE, w.code_ns);
	}
	if (is_late(&h, taken_ns))
		report_take(&key, &h, t, &w, taken_ns);
	t->take_ns = taken_ns;
	__builtin_memset(&t->instead, 0, sizeof(t->instead));
	return 0;
}

SEC("usdt")
int BPF_USDT(on_release, const void *reader, const void *header, __u64 taken_ns, __u64 hold_ns)
{
	struct lidard_trace_settings *s;
	struct lidard_trace_key key = {};
	struct lidard_trace_outlier *o;
	struct lidard_slice_header h = {};
	struct thread *t;
	__u32 zero = 0;
	__u64 number;

	if (bpf_probe_read_user(&key.reader, sizeof(key.reader), reader) < 0)
		return 0;
	add(&key, LIDARD_TRACE_HOLD, hold_ns);
	t = this_thread();
	if (t)
		t->release_ns = taken_ns + hold_ns;
	s = bpf_map_lookup_elem(&settings, &zero);
	if (!s || !s->hold_ns || hold_ns <= s->hold_ns || read_header(&h, header) < 0)
		return 0;
	o = begin_outlier(&number);
	if (!o)
		return 0;
	describe(o, &key, &h);
	o->taken_ns = taken_ns;
	o->released_ns = taken_ns + hold_ns;
	if (t) {
		o->stopped_ns = find_stopped(t, taken_ns, o->released_ns);
		o->run_ns = t->instead.run_queue_ns;
		o->subscriber = t->instead;
	}
	__sync_lock_test_and_set(&o->number, number);
	return 0;
}

SEC("usdt")
int BPF_USDT(on_skip, const void *reader, __u32 cause, __u64 count)
{
	struct lidard_trace_drop_key key = { .cause = cause };

	if (bpf_probe_read_user(&key.reader, sizeof(key.reader), reader) == 0)
		drop(&key, count);
	return 0;
}

/* ---- What the module does ---- */

/* As lidar_trace.h documents the tracepoints, behind their 8 common bytes. */
struct slice_done {
	__u64 common;
	int ring;
	__u32 slot;
	__u64 offset;
	__u64 seq;
	__u64 first_ns;
	__u64 last_ns;
	__u64 done_ns;
	__u32 bytes;
	__u32 frame;
};

struct slice_dropped {
	__u64 common;
	int ring;
	int cause;
	__u64 count;
	__u64 seq;
};

/* "lidar7": there is no printf with which all kernels would agree */
static __always_inline void name_ring(char *name, unsigned int ring)
{
	__builtin_memcpy(name, "lidar", 5);
	if (ring < 10) {
		name[5] = '0' + ring;
	} else {
		name[5] = '0' + ring / 10 % 10;
		name[6] = '0' + ring % 10;
	}
}

SEC("tp/lidar/slice_done")
int on_slice_done(struct slice_done *ctx)
{
	struct lidard_trace_key key = {};
	__u64 filled_ns = ctx->last_ns, late_ns = span(filled_ns, ctx->done_ns);

	if (filled_ns && late_ns > REMEMBERED_NS)
		bpf_map_update_elem(&late_interrupts, &filled_ns, &late_ns, BPF_ANY);
	name_ring(key.reader.sensor, ctx->ring);
	add_between(&key, LIDARD_TRACE_FILL, ctx->first_ns, ctx->last_ns);
	add_between(&key, LIDARD_TRACE_INTERRUPT, ctx->last_ns, ctx->done_ns);
	return 0;
}

SEC("tp/lidar/slice_dropped")
int on_slice_dropped(struct slice_dropped *ctx)
{
	struct lidard_trace_drop_key key = { .cause = LIDARD_TRACE_DEVICE + ctx->cause };

	name_ring(key.reader.sensor, ctx->ring);
	drop(&key, ctx->count);
	return 0;
}
