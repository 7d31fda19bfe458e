/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/trace_blame.h"

#include <criterion/criterion.h>
#include <string.h>

#define MS 1000000ull

/* Everything on its way took 1 ms; tests make one stage late. */
static struct lidard_trace_outlier usual(void)
{
	return (struct lidard_trace_outlier){
		.first_byte_ns = 100 * MS,
		.filled_ns = 110 * MS,
		.ready_ns = 111 * MS,
		.published_ns = 112 * MS,
		.taken_ns = 115 * MS,
		.wake_ns = 1 * MS,
		.run_ns = 1 * MS,
	};
}

static void expect(const struct lidard_trace_outlier *o, enum trace_blame blame, uint64_t ns)
{
	struct trace_breakdown b = trace_blame_find(o, 0);

	cr_assert_eq(b.blame, blame, "%s", trace_blame_name(b.blame));
	cr_assert_eq(b.parts_ns[blame], ns, "%lu", b.parts_ns[blame]);
}

Test(trace_blame, the_parts_are_the_whole)
{
	struct lidard_trace_outlier o = usual();
	struct trace_breakdown b;
	uint64_t sum = 0;
	int i;

	o.stopped_ns = MS / 2;
	b = trace_blame_find(&o, 0);
	for (i = 0; i < TRACE_BLAME_COUNT; i++)
		sum += b.parts_ns[i];
	cr_assert_eq(sum, o.taken_ns - o.first_byte_ns);
}

Test(trace_blame, a_slice_may_take_its_time_to_fill_unless_somebody_says_how_long)
{
	struct lidard_trace_outlier o = usual();

	o.taken_ns += MS;
	expect(&o, TRACE_BLAME_CODE, 2 * MS);
	cr_assert_eq(trace_blame_find(&o, 20 * MS).blame, TRACE_BLAME_CODE);
	cr_assert_eq(trace_blame_find(&o, 5 * MS).blame, TRACE_BLAME_DEVICE);
}

Test(trace_blame, a_late_interrupt_is_no_fault_of_lidards)
{
	struct lidard_trace_outlier o = usual();

	o.filled_ns -= 9 * MS;
	o.interrupt_ns = 6 * MS;
	expect(&o, TRACE_BLAME_INTERRUPT, 6 * MS);
	cr_assert_eq(trace_blame_find(&o, 0).parts_ns[TRACE_BLAME_DAEMON], 4 * MS);
	o.interrupt_ns = 3 * MS;
	expect(&o, TRACE_BLAME_DAEMON, 7 * MS);
	/* of maps from elsewhere */
	o.interrupt_ns = UINT32_MAX;
	expect(&o, TRACE_BLAME_INTERRUPT, 10 * MS);
	cr_assert_eq(trace_blame_find(&o, 0).parts_ns[TRACE_BLAME_DAEMON], 0);
}

Test(trace_blame, lidard_that_learns_of_it_late_is_to_blame_and_who_ran_instead)
{
	struct lidard_trace_outlier o = usual();

	o.filled_ns -= 5 * MS;
	expect(&o, TRACE_BLAME_DAEMON, 6 * MS);
	o.daemon.longest_ns = 5 * MS;
	cr_assert_null(trace_blame_find(&o, 0).instead);
	strcpy(o.daemon.comm, "hog");
	cr_assert_eq(trace_blame_find(&o, 0).instead, &o.daemon);
}

Test(trace_blame, a_publication_that_takes_long)
{
	struct lidard_trace_outlier o = usual();

	o.ready_ns = o.filled_ns;
	expect(&o, TRACE_BLAME_PUBLISH, 2 * MS);
}

Test(trace_blame, a_wake_up_that_comes_late)
{
	struct lidard_trace_outlier o = usual();

	o.wake_ns += 5 * MS;
	o.taken_ns += 5 * MS;
	expect(&o, TRACE_BLAME_WAKE, 6 * MS);
}

Test(trace_blame, a_thread_without_a_cpu_and_who_had_it)
{
	struct lidard_trace_outlier o = usual();

	o.run_ns += 5 * MS;
	o.taken_ns += 5 * MS;
	o.subscriber.longest_ns = 5 * MS;
	strcpy(o.subscriber.comm, "hog");
	expect(&o, TRACE_BLAME_RUN_QUEUE, 6 * MS);
	cr_assert_eq(trace_blame_find(&o, 0).instead, &o.subscriber);
}

Test(trace_blame, stopped_is_neither_asleep_nor_busy)
{
	struct lidard_trace_outlier o = usual();

	o.wake_ns += 50 * MS;
	o.stopped_ns = 50 * MS;
	o.taken_ns += 50 * MS;
	expect(&o, TRACE_BLAME_STOPPED, 50 * MS);
	cr_assert_eq(trace_blame_find(&o, 0).parts_ns[TRACE_BLAME_WAKE], MS);

	o.wake_ns = 0;
	expect(&o, TRACE_BLAME_STOPPED, 50 * MS);
	cr_assert_eq(trace_blame_find(&o, 0).parts_ns[TRACE_BLAME_CODE], 2 * MS);
}

Test(trace_blame, a_slice_that_was_kept_is_about_nothing_else)
{
	struct lidard_trace_outlier o = usual();

	o.wake_ns = 0;
	o.run_ns = 3 * MS;
	o.released_ns = o.taken_ns + 300 * MS;
	expect(&o, TRACE_BLAME_HOLD, 297 * MS);
	cr_assert_eq(trace_blame_find(&o, 5 * MS).parts_ns[TRACE_BLAME_DEVICE], 0);
	o.stopped_ns = 250 * MS;
	expect(&o, TRACE_BLAME_STOPPED, 250 * MS);
}

Test(trace_blame, figures_that_make_no_sense_do_not_wrap_around)
{
	struct lidard_trace_outlier o = usual();
	struct trace_breakdown b;
	int i;

	o.wake_ns = UINT64_MAX;
	o.run_ns = UINT64_MAX;
	o.stopped_ns = UINT64_MAX;
	o.ready_ns = o.filled_ns - 1;
	b = trace_blame_find(&o, 0);
	for (i = 0; i < TRACE_BLAME_COUNT; i++)
		cr_assert_leq(b.parts_ns[i], o.taken_ns - o.first_byte_ns);
}

Test(trace_blame, every_stage_has_a_name_of_its_own)
{
	int i, j;

	for (i = 0; i < LIDARD_TRACE_STAGES; i++)
		for (j = 0; j < i; j++)
			cr_assert_str_neq(trace_stage_name(i), trace_stage_name(j));
	cr_assert_str_eq(trace_stage_name(LIDARD_TRACE_STAGES), "");
}
