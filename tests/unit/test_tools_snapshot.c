/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/snapshot.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "common/histogram.h"

static const char reply_text[] =
	"{\"status\": {\"version\": \"1\", \"now_ns\": 5, \"pools\": [],"
	" \"sensors\": [{\"name\": \"front\", \"state\": \"streaming\", \"produced\": 10,"
	"  \"published\": 9, \"dropped\": {\"no_loan\": 1, \"overrun\": 0},"
	"  \"accounting\": \"ok\"}],"
	" \"subscribers\": [{\"id\": 3, \"pid\": 2, \"sensor\": \"front\", \"queue\": 4,"
	"  \"published\": 8, \"received\": 4, \"skipped\": {\"queue_full\": 1}, \"unseen\": 1,"
	"  \"waiting\": 2, \"accounting\": \"ok\","
	"  \"stages\": {\"take\": {\"count\": 3, \"sum_ns\": 30, \"max_ns\": 12,"
	"   \"buckets\": [[8, 1], [12, 2], [9999, 7], \"x\"]}}}]}}";

static struct snapshot *read_or_fail(const char *text)
{
	struct json_object *reply = json_tokener_parse(text);
	struct snapshot *s = NULL;

	cr_assert(reply);
	cr_assert_eq(snapshot_parse(reply, &s), 0);
	json_object_put(reply);
	return s;
}

Test(snapshot, reads_sensors_subscribers_and_histograms)
{
	struct snapshot *s = read_or_fail(reply_text);

	cr_assert_eq(s->sensor_count, 1);
	cr_assert_str_eq(s->sensors[0].name, "front");
	cr_assert_eq(snapshot_causes_sum(&s->sensors[0].dropped), 1);
	cr_assert_eq(s->subscriber_count, 1);
	cr_assert_eq(s->subscribers[0].stages[LIDARD_STAGE_TAKE].buckets[12], 2);
	cr_assert_eq(snapshot_find_subscriber(s, 3), &s->subscribers[0]);
	cr_assert_eq(snapshot_find_subscriber(s, 4), NULL);
	cr_assert(snapshot_adds_up(s));
	snapshot_free(s);
}

Test(snapshot, a_cause_has_its_count_and_an_unknown_one_none)
{
	struct snapshot *s = read_or_fail(reply_text);

	cr_assert_eq(snapshot_causes_get(&s->sensors[0].dropped, "no_loan"), 1);
	cr_assert_eq(snapshot_causes_get(&s->sensors[0].dropped, "overrun"), 0);
	cr_assert_eq(snapshot_causes_get(&s->sensors[0].dropped, "weather"), 0);
	snapshot_free(s);
}

Test(snapshot, does_not_take_ok_on_trust)
{
	struct snapshot *s = read_or_fail(reply_text);

	s->sensors[0].produced++;
	cr_assert_not(snapshot_adds_up(s));
	s->sensors[0].produced--;
	s->subscribers[0].received--;
	cr_assert_not(snapshot_adds_up(s));
	s->subscribers[0].received++;
	cr_assert(snapshot_adds_up(s));
	s->sensors[0].accounting_ok = false;
	cr_assert_not(snapshot_adds_up(s));
	snapshot_free(s);
}

Test(snapshot, more_waiting_than_the_queue_holds_is_no_account)
{
	struct snapshot *s = read_or_fail(reply_text);

	s->subscribers[0].waiting = 5;
	s->subscribers[0].published += 3;
	cr_assert_not(snapshot_subscriber_adds_up(&s->subscribers[0]));
	s->subscribers[0].waiting = -1;
	s->subscribers[0].published -= 6;
	cr_assert_not(snapshot_subscriber_adds_up(&s->subscribers[0]));
	snapshot_free(s);
}

Test(snapshot, what_is_no_status_is_refused)
{
	static const char *const texts[] = { "{}", "{\"status\": 1}", "{\"status\": {}}",
					     "{\"status\": {\"pools\": {}}}" };
	struct snapshot *s;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_object *reply = json_tokener_parse(texts[i]);

		cr_assert_eq(snapshot_parse(reply, &s), -EPROTO, "%s", texts[i]);
		json_object_put(reply);
	}
}

Test(snapshot, the_difference_of_histograms_is_the_interval)
{
	static struct lidard_histogram before, now, d;

	histogram_add(&before, 1000000);
	now = before;
	histogram_add(&now, 100);
	histogram_add(&now, 100);
	snapshot_histogram_difference(&now, &before, &d);
	cr_assert_eq(d.count, 2);
	cr_assert_lt(histogram_quantile_ns(&d, 0.99), 110);
	cr_assert_eq(d.sum_ns, 200);
}

Test(snapshot, a_histogram_that_began_anew_is_all_new)
{
	static struct lidard_histogram before, now, d;

	histogram_add(&before, 100);
	histogram_add(&before, 100);
	histogram_add(&now, 100);
	snapshot_histogram_difference(&now, &before, &d);
	cr_assert_eq(d.count, 1);
}
