/* SPDX-License-Identifier: Apache-2.0 */
#include "libclient/account.h"

#include <criterion/criterion.h>
#include <string.h>

#include "libclient/page.h"

static struct lidard_subscriber_page page;
static struct account account;

static void setup(void)
{
	memset(&page, 0, sizeof(page));
	page.page_bytes = sizeof(page);
	account = (struct account){ .page = &page, .slice_bytes = 1 << 20 };
}

TestSuite(client_account, .init = setup);

static struct lidard_slice_header header(uint64_t incarnation, uint64_t seq, uint64_t index)
{
	return (struct lidard_slice_header){
		.header_bytes = sizeof(struct lidard_slice_header),
		.flags = LIDARD_SLICE_FIRST_BYTE_VALID,
		.incarnation = incarnation,
		.seq = seq,
		.publish_index = index,
		.payload_bytes = 64,
		.point_count = 2,
		.point_step = 32,
		.format = LIDARD_FORMAT_XYZIRT,
		.first_byte_ns = 1000,
		.filled_ns = 1100,
		.ready_ns = 1300,
		.published_ns = 1600,
	};
}

static uint64_t take(uint64_t incarnation, uint64_t seq, uint64_t index)
{
	struct lidard_slice_header h = header(incarnation, seq, index);
	uint64_t missing;

	cr_assert(account_header_is_valid(&account, &h));
	missing = account_see(&account, &h);
	account_take(&account, &h, 2000);
	return missing;
}

/* Part of a frame, from its own or another incarnation. */
static struct lidard_slice_header collect(uint64_t incarnation, uint64_t seq, uint64_t index)
{
	struct lidard_slice_header h = header(incarnation, seq, index);

	cr_assert(account_header_is_valid(&account, &h));
	account_see(&account, &h);
	account_collect(&account);
	return h;
}

static void assert_balance(void)
{
	uint64_t skipped = 0;
	unsigned int i;

	for (i = 0; i < LIDARD_SKIP_COUNT; i++)
		skipped += page.skipped[i];
	cr_assert_eq(page.next_index - page.first_index, page.taken + skipped + page.collecting);
	cr_assert_eq(page.guard % 2, 0);
}

Test(client_account, counts_from_the_first_slice_it_sees)
{
	cr_assert_eq(take(7, 120, 100), 0);
	cr_assert_eq(take(7, 121, 101), 0);
	cr_assert_eq(page.first_index, 100);
	cr_assert_eq(page.next_index, 102);
	cr_assert_eq(page.taken, 2);
	cr_assert_eq(page.total_lost_upstream, 0);
	assert_balance();
}

Test(client_account, tells_its_own_loss_from_the_sensors)
{
	take(7, 10, 10);
	/* 3 overwritten in the queue, 2 never published */
	cr_assert_eq(take(7, 16, 14), 5);
	cr_assert_eq(page.skipped[LIDARD_SKIP_QUEUE_FULL], 3);
	cr_assert_eq(page.lost_upstream, 2);
	assert_balance();
	/* nothing published was missed */
	cr_assert_eq(take(7, 20, 15), 3);
	cr_assert_eq(page.skipped[LIDARD_SKIP_QUEUE_FULL], 3);
	cr_assert_eq(page.lost_upstream, 5);
	assert_balance();
}

Test(client_account, a_new_incarnation_starts_again_and_keeps_totals)
{
	take(7, 10, 10);
	take(7, 13, 12);
	cr_assert_eq(take(9, 4, 3), 0);
	cr_assert_eq(page.incarnation, 9);
	cr_assert_eq(page.first_index, 3);
	cr_assert_eq(page.taken, 1);
	cr_assert_eq(page.skipped[LIDARD_SKIP_QUEUE_FULL], 0);
	cr_assert_eq(page.lost_upstream, 0);
	cr_assert_eq(page.restarts, 1);
	cr_assert_eq(page.total_taken, 3);
	cr_assert_eq(page.total_skipped[LIDARD_SKIP_QUEUE_FULL], 1);
	cr_assert_eq(page.total_lost_upstream, 1);
	assert_balance();
}

Test(client_account, an_invalid_slice_is_not_counted_twice)
{
	take(7, 10, 10);
	account_pass(&account, LIDARD_SKIP_INVALID);
	assert_balance();
	cr_assert_eq(take(7, 12, 12), 0);
	cr_assert_eq(page.skipped[LIDARD_SKIP_INVALID], 1);
	cr_assert_eq(page.skipped[LIDARD_SKIP_QUEUE_FULL], 0);
	assert_balance();
}

Test(client_account, an_invalid_slice_before_the_first_only_counts_in_total)
{
	account_pass(&account, LIDARD_SKIP_INVALID);
	assert_balance();
	take(7, 12, 12);
	cr_assert_eq(page.skipped[LIDARD_SKIP_INVALID], 0);
	cr_assert_eq(page.total_skipped[LIDARD_SKIP_INVALID], 1);
	assert_balance();
}

Test(client_account, passing_over_by_policy_is_a_skip)
{
	struct lidard_slice_header h = header(7, 10, 10);

	account_see(&account, &h);
	account_pass(&account, LIDARD_SKIP_POLICY);
	cr_assert_eq(take(7, 11, 11), 0);
	cr_assert_eq(page.skipped[LIDARD_SKIP_POLICY], 1);
	cr_assert_eq(page.taken, 1);
	assert_balance();
}

Test(client_account, durations_go_to_their_stages)
{
	take(7, 10, 10);
	cr_assert_eq(page.stages[LIDARD_STAGE_FILL].sum_ns, 100);
	cr_assert_eq(page.stages[LIDARD_STAGE_READY].sum_ns, 200);
	cr_assert_eq(page.stages[LIDARD_STAGE_PUBLISH].sum_ns, 300);
	cr_assert_eq(page.stages[LIDARD_STAGE_TAKE].sum_ns, 400);
	cr_assert_eq(page.stages[LIDARD_STAGE_TOTAL].sum_ns, 1000);
	cr_assert_eq(account.lag_ns, 1000);
	cr_assert_eq(page.held, 1);
	account_release(&account, 50);
	cr_assert_eq(page.stages[LIDARD_STAGE_HOLD].sum_ns, 50);
	cr_assert_eq(page.held, 0);
}

Test(client_account, an_unknown_first_byte_is_not_invented)
{
	struct lidard_slice_header h = header(7, 10, 10);

	h.flags = 0;
	account_see(&account, &h);
	account_take(&account, &h, 2000);
	cr_assert_eq(page.stages[LIDARD_STAGE_FILL].count, 0);
	cr_assert_eq(page.stages[LIDARD_STAGE_TOTAL].count, 0);
	cr_assert_eq(page.stages[LIDARD_STAGE_TAKE].count, 1);
	cr_assert_eq(account.lag_ns, 0);
}

Test(client_account, a_negative_duration_is_zero)
{
	struct lidard_slice_header h = header(7, 10, 10);

	h.published_ns = 3000;
	account_see(&account, &h);
	account_take(&account, &h, 2000);
	cr_assert_eq(page.stages[LIDARD_STAGE_TAKE].count, 1);
	cr_assert_eq(page.stages[LIDARD_STAGE_TAKE].max_ns, 0);
}

#define REJECTS(name, change)                                      \
	Test(client_account, rejects_##name)                       \
	{                                                          \
		struct lidard_slice_header h = header(7, 11, 11);  \
                                                                   \
		take(7, 10, 10);                                   \
		cr_assert(account_header_is_valid(&account, &h));  \
		change;                                            \
		cr_assert_not(account_header_is_valid(&account, &h)); \
	}

REJECTS(a_short_header, h.header_bytes = sizeof(h) - 8)
REJECTS(no_format, h.format = LIDARD_FORMAT_NONE)
REJECTS(more_payload_than_a_slice, h.payload_bytes = (1 << 20) + 32; h.point_count = 32769)
REJECTS(points_that_do_not_fill_the_payload, h.point_count = 3)
REJECTS(a_product_that_wraps, h.point_count = UINT32_MAX)
REJECTS(a_point_of_another_size, h.point_step = 16; h.point_count = 4)
REJECTS(an_index_beyond_the_count, h.slice_count = 4; h.slice_index = 4)
REJECTS(too_many_slices, h.slice_count = LIDARD_FRAME_SLICES_MAX + 1)
REJECTS(a_last_slice_that_is_not, h.flags |= LIDARD_SLICE_LAST; h.slice_count = 4)
REJECTS(no_incarnation, h.incarnation = 0)
REJECTS(an_older_incarnation, h.incarnation = 6)
REJECTS(an_index_that_goes_back, h.publish_index = 10)
REJECTS(a_seq_that_goes_back, h.seq = 10; h.publish_index = 10)
REJECTS(more_published_than_produced, h.publish_index = 12)

Test(client_account, accepts_a_header_that_has_grown)
{
	struct lidard_slice_header h = header(7, 11, 11);

	h.header_bytes = sizeof(h) + 64;
	cr_assert(account_header_is_valid(&account, &h));
}

Test(client_account, accepts_raw_bytes)
{
	struct lidard_slice_header h = header(7, 11, 11);

	h.format = LIDARD_FORMAT_RAW;
	h.point_step = 0;
	h.point_count = 0;
	h.payload_bytes = 999;
	cr_assert(account_header_is_valid(&account, &h));
}

Test(client_account, a_slice_counts_as_taken_when_its_frame_is_handed_out)
{
	struct lidard_slice_header a = collect(7, 10, 10), b = collect(7, 11, 11);

	assert_balance();
	cr_assert_eq(page.collecting, 2);
	cr_assert_eq(page.taken, 0);
	cr_assert_eq(page.held, 2);
	account_hand_out(&account, &a, 2000);
	account_hand_out(&account, &b, 2000);
	assert_balance();
	cr_assert_eq(page.collecting, 0);
	cr_assert_eq(page.taken, 2);
	cr_assert_eq(page.total_taken, 2);
	cr_assert_eq(page.total_bytes, 128);
	cr_assert_eq(page.held, 2);
	cr_assert_eq(page.stages[LIDARD_STAGE_TAKE].count, 2);
}

Test(client_account, slices_of_a_frame_nobody_gets_are_skipped_by_policy)
{
	struct lidard_slice_header a = collect(7, 10, 10), b = collect(7, 13, 12);

	account_give_up(&account, &a);
	account_give_up(&account, &b);
	assert_balance();
	cr_assert_eq(page.collecting, 0);
	cr_assert_eq(page.taken, 0);
	cr_assert_eq(page.held, 0);
	cr_assert_eq(page.skipped[LIDARD_SKIP_POLICY], 2);
	cr_assert_eq(page.skipped[LIDARD_SKIP_QUEUE_FULL], 1);
	cr_assert_eq(page.total_skipped[LIDARD_SKIP_POLICY], 2);
	cr_assert_eq(page.stages[LIDARD_STAGE_TAKE].count, 0);
}

Test(client_account, a_frame_of_the_incarnation_before_only_counts_in_total)
{
	struct lidard_slice_header a = collect(7, 10, 10), b = collect(7, 11, 11);

	collect(9, 0, 0);
	assert_balance();
	cr_assert_eq(page.collecting, 1);
	account_hand_out(&account, &a, 2000);
	account_give_up(&account, &b);
	assert_balance();
	cr_assert_eq(page.collecting, 1);
	cr_assert_eq(page.taken, 0);
	cr_assert_eq(page.total_taken, 1);
	cr_assert_eq(page.total_skipped[LIDARD_SKIP_POLICY], 1);
	cr_assert_eq(page.held, 2);
}
