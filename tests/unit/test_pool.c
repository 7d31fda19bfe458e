/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "daemon/broker_iox.h"
#include "daemon/config.h"

static struct config *parse(const char *text)
{
	struct problem problem;
	struct config *config;

	cr_assert_eq(config_parse("test", text, strlen(text), &config, &problem), 0, "%s", problem.text);
	return config;
}

static struct pool_plan plan_of(const char *text)
{
	struct config *config = parse(text);
	struct problem problem;
	struct pool_plan plan;

	cr_assert_eq(pool_plan_make(config, &plan, &problem), 0, "%s", problem.text);
	config_free(config);
	return plan;
}

Test(pool, holds_what_subscribers_source_and_publishers_keep)
{
	struct pool_plan plan = plan_of("[sensor a]\nsource = sim\nslice_bytes = 64K\nloans = 20\n"
					"subscriber_slices = 100\n");

	cr_assert_eq(plan.count, 1);
	cr_assert_eq(plan.classes[0].payload_bytes, 65536);
	/* 100 + 20 + 3 publishers of 8 loans + 1 */
	cr_assert_eq(plan.classes[0].chunks, 124);
}

Test(pool, sensors_with_slices_of_one_size_share_a_pool)
{
	struct pool_plan plan = plan_of("[sensor a]\nsource = sim\nslice_bytes = 1M\n"
					"[sensor b]\nsource = sim\nslice_bytes = 64K\n"
					"[sensor c]\nsource = sim\nslice_bytes = 1M\nfirst_slice_bytes = 64K\n");

	cr_assert_eq(plan.count, 2);
	cr_assert_lt(plan.classes[0].payload_bytes, plan.classes[1].payload_bytes);
	cr_assert_eq(plan.classes[0].chunks, plan.classes[1].chunks);
}

Test(pool, an_imu_takes_a_pool_of_pages_and_only_if_it_is_wanted)
{
	struct pool_plan plain = plan_of("[sensor a]\nsource = replay\nreplay_file = /c\n");
	struct pool_plan plan = plan_of("[sensor a]\nsource = replay\nreplay_file = /c\nimu = yes\n");

	cr_assert_eq(plain.count, 1);
	cr_assert_eq(plan.count, 2);
	cr_assert_eq(plan.classes[0].payload_bytes, 4096);
	/* 512 + 32 + 4 publishers of 8 loans + 1 */
	cr_assert_eq(plan.classes[0].chunks, 549);
	cr_assert_eq(plan.classes[1].chunks, plain.classes[0].chunks);
	cr_assert_lt(pool_plan_bytes(&plan) - pool_plan_bytes(&plain), 7 << 20);
}

Test(pool, payloads_are_whole_pages_and_strides_too)
{
	cr_assert_eq(pool_payload_bytes(4097), 8192);
	/* iceoryx adds 40 bytes to the configured size */
	cr_assert_eq((pool_roudi_size(65536) + 40) % 4096, 0);
	cr_assert_eq(pool_roudi_size(64 << 20), 67117016);
}

Test(pool, a_pool_over_4_gib_is_refused)
{
	struct config *config = parse("[sensor a]\nsource = sim\nslice_bytes = 64M\n"
				      "subscriber_slices = 64\n");
	struct problem problem;
	struct pool_plan plan;

	cr_assert_eq(pool_plan_make(config, &plan, &problem), -E2BIG);
	cr_assert(strstr(problem.text, "subscriber_slices = 64"), "%s", problem.text);
	config_free(config);
}

Test(pool, a_roudi_whose_pools_are_too_small_is_refused_with_what_to_change)
{
	struct pool_plan plan = plan_of("[sensor a]\nsource = sim\nslice_bytes = 64K\n"
					"subscriber_slices = 100\n");
	struct broker_pool pools[2] = { { .size = 4096, .chunks = 1000 },
					{ .size = 73688, .chunks = 109 } };
	struct problem problem;

	cr_assert_eq(pool_plan_check(&plan, pools, 1, &problem), -ENOSPC);
	cr_assert(strstr(problem.text, "size = 73688"), "%s", problem.text);
	cr_assert_eq(pool_plan_check(&plan, pools, 2, &problem), -ENOSPC);
	cr_assert(strstr(problem.text, "needed are 110"), "%s", problem.text);
	pools[1].chunks = 110;
	cr_assert_eq(pool_plan_check(&plan, pools, 2, &problem), 0);
}

Test(pool, a_size_tells_its_payload_and_one_too_small_for_any_tells_none)
{
	cr_assert_eq(pool_payload_of_size(pool_roudi_size(65536)), 65536);
	cr_assert_eq(pool_payload_of_size(128), 0);
}
