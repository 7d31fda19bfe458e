/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - one contender's turn in a fan-out
 *
 *	fanout --list
 *	fanout CONTENDER BYTES HZ SUBSCRIBERS SECONDS [SENSORS]
 *
 * Starts everything anew, lets it run a while that does not count, then for SECONDS,
 * and prints what was counted as one line of JSON; HZ 0 is as fast as it goes.  HZ is of
 * each sensor, and each has as many of the subscribers.
 * CPU time is looked at while nobody has anything to do.  bench/run calls it, in a
 * sandbox, and adds up.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench/fanout/due.h"
#include "bench/fanout/fanout.h"
#include "bench/fanout/frame.h"
#include "bench/figures.h"
#include "bench/shared_page.h"
#include "common/clock.h"
#include "lidard/control.h"

#define BYTES_MAX (64ull << 20)
#define HZ_MAX 100000u
#define SECONDS_MAX 3600.0
#define WARM_UP_NS (200 * NSEC_PER_MSEC)
#define WARM_UP_FRAMES 4u
/* Frames that may wait for a subscriber: as many as make 16 MiB, within these. */
#define QUEUE_BYTES (16ull << 20)
#define QUEUE_MIN 2u
#define QUEUE_MAX 64u
#define WINDOW_MAX 8u
/* A subscriber that has had no frame is waited for so long: some connect behind one's back. */
#define REACH_NS (5 * NSEC_PER_SEC)
/* Nothing more comes when for so long nothing has come, and no more CPU time was used. */
#define QUIET_NS (80 * NSEC_PER_MSEC)
#define QUIET_CPU_NS (8 * NSEC_PER_MSEC)
/* A producer without a rate that waits for frames nobody will take. */
#define FORGIVE_NS (200 * NSEC_PER_MSEC)

/* What was counted, by all of a kind together. */
struct count {
	uint64_t now_ns;
	uint64_t due;
	uint64_t sent;
	uint64_t taken;
	uint64_t filled;
	uint64_t producer_cpu_ns;
	uint64_t daemon_cpu_ns;
	uint64_t subscriber_cpu_ns;
};

static uint64_t count_taken(const struct fanout *f)
{
	uint64_t taken = 0;
	unsigned int i;

	for (i = 0; i < f->subscribers; i++)
		taken += PAGE_GET(f->page->subscribers[i].taken);
	return taken;
}

static struct count count(const struct fanout *f)
{
	struct count c = {
		.now_ns = clock_now_ns(),
		.due = PAGE_GET(f->page->next_seq),
		.sent = PAGE_GET(f->page->sent),
		.taken = count_taken(f),
		.filled = PAGE_GET(f->page->filled),
		.producer_cpu_ns = child_cpu_ns(f->producer) - PAGE_GET(f->page->fill_cpu_ns),
		.daemon_cpu_ns = f->daemon ? child_cpu_ns(f->daemon) : 0,
	};
	unsigned int i;

	for (i = 0; i < f->subscribers; i++)
		c.subscriber_cpu_ns += child_cpu_ns(f->children[i]);
	return c;
}

static void check_all(const struct fanout *f)
{
	unsigned int i;

	if (f->daemon)
		child_check(f->daemon, "the daemon");
	child_check(f->producer, "the producer");
	for (i = 0; i < f->subscribers && f->children[i]; i++) {
		child_check(f->children[i], "a subscriber");
		if (PAGE_GET(f->page->subscribers[i].bad))
			bench_die("%s: subscriber %u got a frame that is not as it was sent",
				  f->ops->name, i);
	}
}

static void wait_for(const struct fanout *f, const uint32_t *word, const char *what)
{
	uint64_t deadline_ns = clock_now_ns() + BENCH_PATIENCE_NS;

	while (!PAGE_GET(*word)) {
		check_all(f);
		if (clock_now_ns() > deadline_ns)
			bench_die("%s: %s does not come up", f->ops->name, what);
		bench_nap();
	}
}

static void make_page(struct fanout *f)
{
	struct fanout_page *page = shared_page_make(sizeof(*page));

	if (!page)
		bench_die("cannot make the shared page: %s", strerror(errno));
	page->bytes = f->bytes;
	page->hz = f->hz;
	page->window = f->queue < WINDOW_MAX ? f->queue : WINDOW_MAX;
	page->backlog = f->queue;
	page->subscriber_count = f->subscribers;
	page->sensor_count = f->sensors;
	/* bench-lidard inherits it */
	page->credit_fd = eventfd(0, 0);
	if (page->credit_fd < 0)
		bench_die("eventfd: %s", strerror(errno));
	f->page = page;
}

static void start(struct fanout *f)
{
	unsigned int i;

	if (f->ops->setup)
		f->ops->setup(f);
	f->producer = f->ops->start_producer ? f->ops->start_producer(f) : child_start(-1);
	if (f->producer == 0)
		fanout_produce(f);
	wait_for(f, &f->page->ready, "the producer");
	for (i = 0; i < f->subscribers; i++) {
		f->children[i] = child_start(-1);
		if (f->children[i] == 0)
			fanout_subscribe(f, i);
	}
	for (i = 0; i < f->subscribers; i++)
		wait_for(f, &f->page->subscribers[i].connected, "a subscriber");
}

/* A frame that is lost will not be taken: the producer is not to wait for it for ever. */
static void nudge(struct fanout *f, uint64_t *sent, uint64_t *since_ns)
{
	uint64_t now_ns = clock_now_ns(), sent_now = PAGE_GET(f->page->sent);

	if (sent_now != *sent) {
		*sent = sent_now;
		*since_ns = now_ns;
	} else if (f->hz == 0 && now_ns - *since_ns > FORGIVE_NS) {
		PAGE_SET(f->page->forgiven, PAGE_GET(f->page->next_seq));
		due_wake(f->page);
	}
}

static bool all_are_reached(const struct fanout *f)
{
	unsigned int i;

	for (i = 0; i < f->subscribers; i++)
		if (PAGE_GET(f->page->subscribers[i].taken) == 0)
			return false;
	return true;
}

static bool goes_on(const struct fanout *f, uint64_t ran_ns, uint64_t duration_ns, uint64_t sent,
		    uint64_t frames)
{
	return ran_ns < duration_ns || sent < frames || (ran_ns < REACH_NS && !all_are_reached(f));
}

/* Return: how long frames were produced. */
static uint64_t run(struct fanout *f, uint64_t duration_ns, uint64_t frames)
{
	uint64_t begin_ns = clock_now_ns(), sent = PAGE_GET(f->page->sent), since_ns = begin_ns;
	uint64_t first = sent, deadline_ns = begin_ns + duration_ns + BENCH_PATIENCE_NS;

	PAGE_SET(f->page->running, 1);
	eventfd_write(f->page->credit_fd, 1);
	do {
		bench_nap();
		check_all(f);
		nudge(f, &sent, &since_ns);
		if (clock_now_ns() > deadline_ns)
			bench_die("%s: no frames come", f->ops->name);
	} while (goes_on(f, clock_now_ns() - begin_ns, duration_ns, sent - first, frames));
	PAGE_SET(f->page->stopped_ns, clock_now_ns());
	PAGE_SET(f->page->running, 0);
	return f->page->stopped_ns - begin_ns;
}

/* Until nobody does anything: a large frame may take long from one count to the next. */
static void drain(struct fanout *f)
{
	uint64_t since_ns = clock_now_ns(), cpu_ns;
	struct count before = count(f), now;

	while (clock_now_ns() - since_ns < QUIET_NS) {
		bench_nap();
		check_all(f);
		now = count(f);
		cpu_ns = now.producer_cpu_ns + now.subscriber_cpu_ns - before.producer_cpu_ns -
			 before.subscriber_cpu_ns;
		if (now.sent == before.sent && now.taken == before.taken && cpu_ns < QUIET_CPU_NS)
			continue;
		since_ns = now.now_ns;
		before = now;
	}
}

static void print_latencies(const struct fanout *f)
{
	struct lidard_histogram sum = { 0 };
	unsigned int i;

	for (i = 0; i < f->subscribers; i++)
		histogram_merge(&sum, &f->page->subscribers[i].latency);
	figures_print_histogram(&sum);
}

static void print_result(const struct fanout *f, const struct count *a, const struct count *b,
			 uint64_t duration_ns)
{
	printf("{\"contender\": \"%s\", \"bytes\": %" PRIu64 ", \"hz\": %" PRIu32
	       ", \"subscribers\": %u, \"sensors\": %u, \"queue\": %" PRIu32 ", \"duration_ns\": %" PRIu64
	       ", \"due\": %" PRIu64 ", \"sent\": %" PRIu64 ", \"taken\": %" PRIu64
	       ", \"filled\": %" PRIu64 ", \"producer_cpu_ns\": %" PRIu64
	       ", \"has_daemon\": %s, \"daemon_cpu_ns\": %" PRIu64
	       ", \"subscriber_cpu_ns\": %" PRIu64 ", ",
	       f->ops->name, f->bytes, f->hz, f->subscribers, f->sensors, f->queue, duration_ns,
	       b->due - a->due, b->sent - a->sent, b->taken - a->taken, b->filled - a->filled,
	       b->producer_cpu_ns - a->producer_cpu_ns, f->daemon ? "true" : "false",
	       b->daemon_cpu_ns - a->daemon_cpu_ns, b->subscriber_cpu_ns - a->subscriber_cpu_ns);
	print_latencies(f);
	puts("}");
}

static void measure(struct fanout *f, uint64_t seconds_ns)
{
	struct count before, after;
	uint64_t duration_ns;

	run(f, WARM_UP_NS, WARM_UP_FRAMES);
	drain(f);
	before = count(f);
	PAGE_SET(f->page->recording, 1);
	duration_ns = run(f, seconds_ns, 1);
	drain(f);
	after = count(f);
	/* one of them may have had no luck, but if it is all, nothing was measured */
	if (after.taken == 0 && !f->ops->may_lose_all)
		bench_die("%s: nobody got a frame", f->ops->name);
	print_result(f, &before, &after, duration_ns);
}

static int list(void)
{
	unsigned int i;

	for (i = 0; fanout_contenders[i]; i++)
		puts(fanout_contenders[i]->name);
	return EXIT_SUCCESS;
}

static _Noreturn void refuse(const char *what, const char *value, const char *right)
{
	fprintf(stderr, "fanout: %s %s: %s\n", what, value, right);
	exit(2);
}

static double number(const char *what, const char *text, double min, double max, const char *right)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= min && value <= max))
		refuse(what, text, right);
	return value;
}

static void parse_sensors(const char *text, struct fanout *f)
{
	f->sensors = (unsigned int)number("SENSORS", text, 1, LIDARD_SENSORS_MAX, "must be 1 to 32");
	if (f->subscribers % f->sensors)
		refuse("SENSORS", text, "must divide SUBSCRIBERS");
	if (f->sensors > 1 && !f->ops->has_sensors)
		refuse("SENSORS", text, "this contender has only one");
	if (f->sensors > 1 && f->hz == 0)
		refuse("SENSORS", text, "more than one need a rate");
}

static void parse(char **argv, struct fanout *f, uint64_t *ret_seconds_ns)
{
	unsigned int i;

	for (i = 0; fanout_contenders[i] && strcmp(fanout_contenders[i]->name, argv[1]) != 0; i++)
		;
	f->ops = fanout_contenders[i];
	if (!f->ops)
		refuse("contender", argv[1], "not among those of --list");
	f->bytes = (uint64_t)number("BYTES", argv[2], FRAME_STEP, BYTES_MAX,
				    "must be 4096 to 67108864, in steps of 4096");
	if (f->bytes % FRAME_STEP)
		refuse("BYTES", argv[2], "must be 4096 to 67108864, in steps of 4096");
	f->hz = (uint32_t)number("HZ", argv[3], 0, HZ_MAX, "must be 0 to 100000");
	f->subscribers = (unsigned int)number("SUBSCRIBERS", argv[4], 1, FANOUT_SUBSCRIBERS_MAX,
					      "must be 1 to 64");
	*ret_seconds_ns = (uint64_t)(number("SECONDS", argv[5], 0.001, SECONDS_MAX,
					    "must be 0.001 to 3600") * 1e9);
	parse_sensors(argv[6] ? argv[6] : "1", f);
	f->queue = (uint32_t)(QUEUE_BYTES / f->bytes);
	f->queue = f->queue < QUEUE_MIN ? QUEUE_MIN : f->queue > QUEUE_MAX ? QUEUE_MAX : f->queue;
}

int main(int argc, char **argv)
{
	static struct fanout f;
	uint64_t seconds_ns;

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc != 6 && argc != 7) {
		fputs("usage: fanout CONTENDER BYTES HZ SUBSCRIBERS SECONDS [SENSORS]\n"
		      "       fanout --list\n", stderr);
		return 2;
	}
	parse(argv, &f, &seconds_ns);
	bench_begin();
	make_page(&f);
	start(&f);
	measure(&f, seconds_ns);
	/* the others end with this process */
	return EXIT_SUCCESS;
}
