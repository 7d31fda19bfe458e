/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loan_memory.h"

#include <criterion/criterion.h>

#define PAGE 4096ull

static char base[1];

Test(loan_memory, every_place_a_stride_from_the_known_one_is_found)
{
	/* chunks of 3 pages, payloads of 1 in the second page */
	struct loan_memory m = loan_memory_around(base, 12 * PAGE, 7 * PAGE, 3 * PAGE, PAGE);
	uint32_t index = 99;

	cr_assert_eq(m.first, PAGE);
	cr_assert_eq(m.count, 4);
	cr_assert(loan_memory_find(&m, PAGE, &index) && index == 0);
	cr_assert(loan_memory_find(&m, 10 * PAGE, &index) && index == 3);
}

Test(loan_memory, offsets_that_begin_no_place_are_not_found)
{
	struct loan_memory m = loan_memory_around(base, 12 * PAGE, 7 * PAGE, 3 * PAGE, PAGE);
	static const uint64_t wrong[] = { 0, PAGE - 1, PAGE + 1, 2 * PAGE, 13 * PAGE,
					  UINT64_MAX, UINT64_MAX - 3 * PAGE + 1 };
	uint32_t index = 99;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not(loan_memory_find(&m, wrong[i], &index), "%lu", wrong[i]);
	cr_assert_eq(index, 99);
}

Test(loan_memory, a_payload_that_would_stick_out_at_the_end_is_no_place)
{
	cr_assert_eq(loan_memory_around(base, 11 * PAGE, PAGE, 3 * PAGE, PAGE).count, 4);
	cr_assert_eq(loan_memory_around(base, 11 * PAGE - 1, PAGE, 3 * PAGE, PAGE).count, 3);
	cr_assert_eq(loan_memory_around(base, PAGE, PAGE, 3 * PAGE, PAGE).count, 0);
}
