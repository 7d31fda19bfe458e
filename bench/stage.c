/* SPDX-License-Identifier: Apache-2.0 */
/* stage.c - see stage.h */
#include "bench/stage.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/service.h"
#include "bench/shared_page.h"
#include "common/clock.h"

/* A turn begins with so many slices that do not count. */
#define WARM_UP_SLICES 20u
#define LOANS 4u

static void check_all_alive(const struct stage *s)
{
	unsigned int c, i;

	child_check(s->roudi, "RouDi");
	child_check(s->publishers[CONTENDER_LIDARD], "bench-lidard");
	child_check(s->publishers[CONTENDER_ICEORYX], "the iceoryx publisher");
	for (c = 0; c < CONTENDER_COUNT; c++)
		for (i = 0; i < s->reader_count; i++)
			child_check(s->readers[c][i], "a reader");
}

/* ---- Building up ------------------------------------------------------------- */

static struct bench_page *make_page(uint32_t hz)
{
	struct bench_page *page = shared_page_make(sizeof(*page));

	if (!page)
		bench_die("cannot make the shared page: %s", strerror(errno));
	page->hz = hz;
	return page;
}

static void choose_cpus(struct stage *s)
{
	cpu_set_t set;
	int cpu, found = 0;

	s->publisher_cpu = -1;
	s->reader_cpu = -1;
	if (sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) < 2)
		return;
	for (cpu = 0; found < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			*(found++ == 0 ? &s->publisher_cpu : &s->reader_cpu) = cpu;
}

static void start_publishers(struct stage *s, const struct service_plan *plan)
{
	struct publishing publishing = {
		.page = s->page,
		.slice_bytes = s->plan.slice_bytes,
		.sensor_count = s->plan.sensor_count,
	};
	pid_t pid;

	s->publishers[CONTENDER_LIDARD] = service_start_lidard(plan, s->publisher_cpu);
	pid = child_start(s->publisher_cpu);
	if (pid == 0)
		_exit(iceoryx_publish(&publishing));
	s->publishers[CONTENDER_ICEORYX] = pid;
	service_wait(plan, s->publishers[CONTENDER_LIDARD]);
}

void stage_open(struct stage *s, const struct stage_plan *plan)
{
	struct service_plan service = {
		.program = "bench-lidard",
		.slice_bytes = plan->slice_bytes,
		.sensor_count = plan->sensor_count,
		.loans = LOANS,
		/* one contender's readers at a time, and what both publishers keep at hand */
		.subscriber_slices = plan->readers_max * (plan->queue + plan->held) + LOANS,
		.queue = plan->queue,
		.held = plan->held,
	};

	*s = (struct stage){ .plan = *plan };
	bench_begin();
	choose_cpus(s);
	s->page = make_page(plan->hz);
	s->roudi = service_start_roudi(&service);
	start_publishers(s, &service);
}

void stage_close(struct stage *s)
{
	stage_end_readers(s);
	child_kill(s->publishers[CONTENDER_LIDARD]);
	child_kill(s->publishers[CONTENDER_ICEORYX]);
	child_kill(s->roudi);
}

/* ---- Readers ----------------------------------------------------------------- */

static pid_t start_reader(const struct stage *s, enum contender contender, unsigned int index,
			  enum way way)
{
	struct reading reading = {
		.page = s->page,
		.me = &s->page->readers[contender][index],
		.turn = TURN(contender, s->sensor),
		.records = index == 0,
		.way = way,
		.sensor = s->sensor,
		.queue = s->plan.queue,
		.held = s->plan.held,
	};
	pid_t pid = child_start(s->reader_cpu);

	if (pid > 0)
		return pid;
	/* exit(), not _exit(): iceoryx takes leave of RouDi there */
	exit(contender == CONTENDER_LIDARD ? lidard_read(&reading) : iceoryx_read(&reading));
}

void stage_add_readers(struct stage *s, unsigned int sensor, enum way way, unsigned int count)
{
	uint64_t deadline_ns = clock_now_ns() + BENCH_PATIENCE_NS;
	unsigned int c, i, first = s->reader_count;

	s->sensor = sensor;
	for (i = first; i < count; i++)
		for (c = 0; c < CONTENDER_COUNT; c++) {
			memset(&s->page->readers[c][i], 0, sizeof(s->page->readers[c][i]));
			s->readers[c][i] = start_reader(s, c, i, way);
		}
	s->reader_count = count;
	for (i = first; i < count; i++)
		for (c = 0; c < CONTENDER_COUNT; c++)
			while (!PAGE_GET(s->page->readers[c][i].connected)) {
				check_all_alive(s);
				if (clock_now_ns() > deadline_ns)
					bench_die("a reader does not connect");
				bench_nap();
			}
}

void stage_end_readers(struct stage *s)
{
	unsigned int c, i;

	PAGE_SET(s->page->ended, 1);
	for (i = 0; i < s->reader_count; i++)
		for (c = 0; c < CONTENDER_COUNT; c++)
			waitpid(s->readers[c][i], NULL, 0);
	PAGE_SET(s->page->ended, 0);
	s->reader_count = 0;
}

/* ---- Turns ------------------------------------------------------------------- */

static uint64_t cpu_of_readers(const struct stage *s, enum contender contender)
{
	uint64_t ns = 0;
	unsigned int i;

	for (i = 0; i < s->reader_count; i++)
		ns += child_cpu_ns(s->readers[contender][i]);
	return ns;
}

static void warm_up(struct stage *s, enum contender contender)
{
	uint64_t deadline_ns = clock_now_ns() + BENCH_PATIENCE_NS;
	uint64_t taken[BENCH_READERS_MAX];
	unsigned int i;

	for (i = 0; i < s->reader_count; i++)
		taken[i] = PAGE_GET(s->page->readers[contender][i].taken);
	PAGE_SET(s->page->turn, TURN(contender, s->sensor));
	for (i = 0; i < s->reader_count; i++)
		while (PAGE_GET(s->page->readers[contender][i].taken) < taken[i] + WARM_UP_SLICES) {
			check_all_alive(s);
			if (clock_now_ns() > deadline_ns)
				bench_die("reader %u of %s gets no slices", i,
				    contender == CONTENDER_LIDARD ? "lidard" : "iceoryx");
			bench_nap();
		}
}

/* A busy machine may not have come to a single slice when the time is over. */
static void record(struct stage *s, enum contender contender, uint64_t slices_before,
		   uint64_t duration_ns)
{
	struct timespec duration = clock_to_timespec(duration_ns);
	uint64_t deadline_ns = clock_now_ns() + duration_ns + BENCH_PATIENCE_NS;

	nanosleep(&duration, NULL);
	while ((PAGE_GET(s->page->published[contender].slices) == slices_before ||
		__atomic_load_n(&s->page->sample_count, __ATOMIC_RELAXED) == 0) &&
	       clock_now_ns() < deadline_ns)
		bench_nap();
}

void stage_play(struct stage *s, enum contender contender, uint64_t duration_ns,
		struct stage_turn *ret_turn)
{
	struct bench_page *page = s->page;
	struct stage_turn t;

	page->sample_count = 0;
	warm_up(s, contender);
	t.slices = PAGE_GET(page->published[contender].slices);
	t.publisher_cpu_ns = child_cpu_ns(s->publishers[contender]);
	t.reader_cpu_ns = cpu_of_readers(s, contender);
	PAGE_SET(page->recording, 1);
	record(s, contender, t.slices, duration_ns);
	PAGE_SET(page->recording, 0);
	t.slices = PAGE_GET(page->published[contender].slices) - t.slices;
	t.publisher_cpu_ns = child_cpu_ns(s->publishers[contender]) - t.publisher_cpu_ns;
	t.reader_cpu_ns = cpu_of_readers(s, contender) - t.reader_cpu_ns;
	PAGE_SET(page->turn, TURN_NONE);
	/* the publisher sees that at its next tick, the readers sleep again soon after */
	bench_nap();
	bench_nap();
	t.samples_ns = page->samples;
	/* pairs with page_note() */
	t.sample_count = __atomic_load_n(&page->sample_count, __ATOMIC_ACQUIRE);
	check_all_alive(s);
	if (t.slices == 0 || t.sample_count == 0)
		bench_die("nothing was published in %.0f ms", (double)duration_ns / 1e6);
	*ret_turn = t;
}
