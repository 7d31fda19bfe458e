/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of slices, and of their numbers, where loans are short. */
#include "daemon/loan_stock.h"

#include <criterion/criterion.h>

#include "tests/support/builder_fixture.h"

TestSuite(loan_stock, .init = setup, .fini = teardown);

Test(loan_stock, without_a_loan_a_slice_is_dropped_whole_and_counted_once)
{
	build_or_fail(1);
	push_range(0, 0, 4);
	take_or_fail(0);
	cr_assert_eq(h.seq, 0);
	cr_assert_eq(source.stats.dropped[SOURCE_DROP_NO_LOAN], 1);
	give_back();
	push_range(0, 4, 6);
	take_or_fail(2);
	cr_assert_eq(h.seq, 2);
	cr_assert_eq(h.lost_before, 1);
	cr_assert_eq(source.stats.produced, 3);
}

Test(loan_stock, a_loan_that_comes_in_the_middle_of_a_slice_serves_the_next)
{
	build_or_fail(1);
	push_range(0, 0, 3);
	take_or_fail(0);
	give_back();
	push(0, 3);
	expect_none();
	push_range(0, 4, 6);
	take_or_fail(2);
	cr_assert_eq(h.lost_before, 1);
	cr_assert_eq(h.point_count, 64);
}

Test(loan_stock, at_any_time_produced_is_taken_plus_dropped)
{
	uint64_t taken = 0;

	build_or_fail(3);
	for (uint64_t i = 0; i < 500; i++) {
		uint64_t dropped;

		if (i * 7 % 11 != 3)
			push(i / 8, (uint32_t)(i % 8));
		if (i % 13 == 0 && frame_builder_take(b, &loan)) {
			cr_assert_eq(loan->header->seq, source.stats.produced - 1 -
				     (source.next_seq - 1 - loan->header->seq));
			taken++;
			give_back();
		}
		dropped = source.stats.dropped[SOURCE_DROP_NO_LOAN];
		cr_assert_eq(source.stats.produced, taken + dropped);
		cr_assert_eq(source.stats.produced, source.next_seq);
	}
	frame_builder_reset(b);
	cr_assert_gt(source.stats.dropped[SOURCE_DROP_STOPPED], 0);
	cr_assert_eq(source.stats.produced, taken + source.stats.dropped[SOURCE_DROP_NO_LOAN] +
		     source.stats.dropped[SOURCE_DROP_STOPPED]);
}

Test(loan_stock, seq_and_lost_before_add_up)
{
	uint64_t next = 0;

	build_or_fail(2);
	for (uint64_t i = 0; i < 400; i++) {
		push(i / 8, (uint32_t)(i % 8));
		if (i % 7 == 0 && frame_builder_take(b, &loan)) {
			cr_assert_eq(loan->header->seq, next + loan->header->lost_before);
			next = loan->header->seq + 1;
			give_back();
		}
	}
	cr_assert_gt(source.stats.dropped[SOURCE_DROP_NO_LOAN], 0);
}

Test(loan_stock, reset_drops_what_is_half_done_and_forgets_all_loans)
{
	build_or_fail(8);
	push_range(0, 0, 5);
	frame_builder_reset(b);
	expect_none();
	cr_assert_eq(source.stats.dropped[SOURCE_DROP_STOPPED], 3);
	cr_assert_eq(source.stats.produced, 3);
	heap_loans_give_back_all(&loans);
	push_range(0, 0, 2);
	cr_assert(heap_loans_check(&loans));
	cr_assert_eq(source.stats.dropped[SOURCE_DROP_NO_LOAN], 1);
}

Test(loan_stock, a_patient_push_waits_for_loans_and_loses_nothing)
{
	uint64_t next = 0;

	config.slice_bytes = 4 * POINT; /* each column is a slice */
	config.loans = 3;
	build_or_fail(3);
	for (uint32_t i = 0; i < 16; i++) {
		struct fake_packet p = { .frame = i / 8, .place = i % 8 };
		int done = frame_builder_push_patient(b, &p, sizeof(p), 1000);

		for (;;) {
			while (frame_builder_take(b, &loan)) {
				cr_assert_eq(loan->header->seq, next++);
				give_back();
			}
			if (done)
				break;
			done = frame_builder_resume(b);
		}
	}
	cr_assert_eq(next, 128);
	cr_assert_eq(source.stats.dropped[SOURCE_DROP_NO_LOAN], 0);
}

Test(loan_stock, a_patient_push_does_not_wait_for_loans_that_wait_for_columns)
{
	config.slice_bytes = 8 * 4 * POINT; /* each packet is a slice */
	config.loans = 2;
	build_or_fail(2);
	for (uint32_t i = 0; i < 16; i++) {
		struct fake_packet p = { .frame = i / 8, .place = i % 8 };
		int done;

		if (i % 3 == 1)
			continue;
		done = frame_builder_push_patient(b, &p, sizeof(p), 1000);
		for (unsigned int tries = 0; tries < 10; tries++) {
			while (frame_builder_take(b, &loan))
				give_back();
			if (done)
				break;
			done = frame_builder_resume(b);
		}
		cr_assert(done, "packet %u", i);
	}
	cr_assert_eq(source.stats.dropped[SOURCE_DROP_NO_LOAN], 0);
}

Test(loan_stock, the_last_slice_of_a_stream_that_ends_says_so)
{
	build_or_fail(8);
	frame_builder_end_with_flush(b);
	push_range(0, 0, 8);
	for (uint32_t k = 0; k < 3; k++) {
		take_or_fail(k);
		cr_assert_eq(h.flags & LIDARD_SLICE_END_OF_STREAM, 0);
	}
	expect_none();
	frame_builder_flush(b);
	take_or_fail(3);
	cr_assert(h.flags & LIDARD_SLICE_END_OF_STREAM);
}
