/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of daemon/sink.h, for the sink there is: sink_iox, with a RouDi.
 *
 * in-sandbox starts RouDi with the pools of sink.conf.  The reader is a plain
 * iceoryx subscriber in the same process: what it sees, any process would.
 */
#include "daemon/sink.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <iceoryx_binding_c/api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/broker_iox.h"
#include "daemon/config.h"
#include "daemon/pool.h"
#include "daemon/sink_iox.h"

#define PATIENCE_NS (20 * NSEC_PER_SEC)
#define LARGE (64u << 10)
#define SMALL (8u << 10)
/** loans in sink.conf: those of three publishers. */
#define LOANS 20u
#define PUBLISHERS 3u
#define QUEUE 32

static struct config *config;
static struct broker *broker;
static struct sink *sink;
static struct loan *loans[LOANS];

static iox_sub_storage_t reader_storage;
static iox_sub_t reader;

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

static void load_config_or_fail(void)
{
	char path[4096], text[4096];
	struct problem problem = { "" };
	size_t length;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/conformance/sink.conf", getenv("LIDARD_SOURCE_ROOT"));
	f = fopen(path, "re");
	cr_assert(f, "%s", path);
	length = fread(text, 1, sizeof(text), f);
	fclose(f);
	cr_assert_eq(config_parse("sink.conf", text, length, &config, &problem), 0, "%s", problem.text);
	cr_assert_eq(config->sensors[0].loans, LOANS);
	cr_assert_eq(pool_publishers(&config->sensors[0]), PUBLISHERS);
}

static void begin(void)
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
	struct problem problem = { "" };
	char name[64];

	load_config_or_fail();
	while (broker_probe(&problem) < 0 && clock_now_ns() < end_ns)
		nap();
	snprintf(name, sizeof(name), "test-sink-%d", (int)getpid());
	cr_assert_eq(broker_open(name, &broker, &problem), 0, "%s", problem.text);
	cr_assert_eq(sink_iox_new(&config->sensors[0], &sink, &problem), 0, "%s", problem.text);
}

static void end(void)
{
	if (reader)
		iox_sub_deinit(reader);
	if (sink)
		sink->ops->free(sink);
	broker_free(broker);
	config_free(config);
}

TestSuite(sink, .init = begin, .fini = end, .timeout = 100);

/* ---- The sink ---------------------------------------------------------------- */

static struct loan *loan_or_fail(size_t bytes)
{
	struct loan *l = sink->ops->loan(sink, bytes);

	cr_assert(l, "no loan, %u are out", sink->lent);
	return l;
}

static void loan_all(size_t bytes)
{
	unsigned int i;

	for (i = 0; i < LOANS; i++) {
		loans[i] = loan_or_fail(bytes);
		loans[i]->header->seq = i;
	}
}

static void publish_number(uint64_t seq)
{
	struct loan *l = loan_or_fail(LARGE);

	l->header->seq = seq;
	sink->ops->publish(sink, l);
}

/* ---- The reader -------------------------------------------------------------- */

/* Return: the payload, NULL if there is none. */
static const void *take(uint64_t *ret_seq)
{
	const struct lidard_slice_header *header;
	const void *payload;

	if (iox_sub_take_chunk(reader, &payload) != ChunkReceiveResult_SUCCESS)
		return NULL;
	header = iox_chunk_header_to_user_header_const(
		iox_chunk_header_from_user_payload_const(payload));
	*ret_seq = header->seq;
	return payload;
}

static unsigned int drain(void)
{
	unsigned int count = 0;
	const void *payload;
	uint64_t seq;

	while ((payload = take(&seq))) {
		iox_sub_release_chunk(reader, payload);
		count++;
	}
	return count;
}

/* RouDi brings each publisher and the reader together some time after they are made. */
static void connect_reader(uint64_t queue)
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
	unsigned int i, want = queue < LOANS ? (unsigned int)queue : LOANS;
	iox_sub_options_t options;

	iox_sub_options_init(&options);
	options.queueCapacity = queue;
	options.historyRequest = 0;
	options.queueFullPolicy = QueueFullPolicy_DISCARD_OLDEST_DATA;
	reader = iox_sub_init(&reader_storage, SINK_IOX_SERVICE, "test", SINK_IOX_EVENT, &options);
	do {
		cr_assert_lt(clock_now_ns(), end_ns, "the reader is not connected");
		nap();
		loan_all(LARGE);
		for (i = 0; i < LOANS; i++)
			sink->ops->publish(sink, loans[i]);
	} while (drain() < want);
}

/* ---- RouDi's pools ----------------------------------------------------------- */

static uint32_t used_of(size_t bytes)
{
	struct broker_pool pools[BROKER_POOLS_MAX];
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
	size_t i, count;

	while ((count = broker_read_pools(broker, pools)) == 0 && clock_now_ns() < end_ns)
		nap();
	for (i = 0; i < count; i++)
		if (pools[i].size == pool_roudi_size(bytes))
			return pools[i].used;
	cr_assert_fail("RouDi has no pool for %zu bytes", bytes);
	return 0;
}

/* RouDi says about once a second how it stands. */
static void expect_used(size_t bytes, uint32_t least, uint32_t most)
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
	uint32_t used;

	do {
		used = used_of(bytes);
		if (used >= least && used <= most)
			return;
		nap();
	} while (clock_now_ns() < end_ns);
	cr_assert_fail("%u chunks of %zu bytes are in use, not %u to %u", used, bytes, least, most);
}

/* A process that ended a moment ago still counts for a while. */
static void expect_nothing_used(void)
{
	expect_used(LARGE, 0, 0);
	expect_used(SMALL, 0, 0);
}

/* ---- The rules --------------------------------------------------------------- */

Test(sink, says_its_name_and_begins_with_nothing_out)
{
	cr_assert_str_eq(sink->ops->name, "iceoryx");
	cr_assert_eq(sink->lent, 0);
	cr_assert_eq(sink->exhausted, 0);
}

Test(sink, a_loan_is_whole_pages)
{
	unsigned int i;

	loan_all(LARGE);
	for (i = 0; i < LOANS; i++) {
		cr_assert_eq((uintptr_t)loans[i]->data % LIDARD_PAYLOAD_ALIGN, 0);
		cr_assert_eq(loans[i]->capacity_bytes, LARGE);
	}
	sink->ops->cancel(sink);
	cr_assert_eq(loan_or_fail(LARGE - 4095)->capacity_bytes, LARGE);
}

Test(sink, a_header_is_zeroed_whatever_was_there_before)
{
	static const struct lidard_slice_header zero;
	struct loan *l;
	unsigned int i, k;

	for (k = 0; k < 2 * PUBLISHERS; k++) {
		for (i = 0; i < LOANS; i++) {
			l = loan_or_fail(LARGE);
			cr_assert_eq(memcmp(l->header, &zero, sizeof(zero)), 0);
			memset(l->header, 0xff, sizeof(*l->header));
		}
		sink->ops->cancel(sink);
	}
}

Test(sink, loans_do_not_overlap)
{
	unsigned int i;
	size_t k;

	for (i = 0; i < LOANS; i++) {
		loans[i] = loan_or_fail(i % 2 ? SMALL : LARGE);
		memset(loans[i]->data, (int)i + 1, loans[i]->capacity_bytes);
		memset(loans[i]->header, (int)i + 1, sizeof(*loans[i]->header));
	}
	for (i = 0; i < LOANS; i++) {
		for (k = 0; k < loans[i]->capacity_bytes; k++)
			cr_assert(((uint8_t *)loans[i]->data)[k] == i + 1);
		for (k = 0; k < sizeof(*loans[i]->header); k++)
			cr_assert(((uint8_t *)loans[i]->header)[k] == i + 1);
	}
}

Test(sink, payloads_of_a_pool_lie_a_stride_of_pages_apart)
{
	uintptr_t first;
	unsigned int i;

	loan_all(LARGE);
	first = (uintptr_t)loans[0]->data;
	for (i = 1; i < LOANS; i++) {
		uintptr_t at = (uintptr_t)loans[i]->data;

		cr_assert_eq((at > first ? at - first : first - at) % (LARGE + 8192), 0);
	}
}

static void expect_known(const struct loan_memory *m, size_t bytes)
{
	uint32_t index, others;
	unsigned int i, k;

	loan_all(bytes);
	for (i = 0; i < LOANS; i++) {
		uintptr_t at = (uintptr_t)loans[i]->data - (uintptr_t)m->base;

		cr_assert(loan_memory_find(m, at, &index), "%p of %p", loans[i]->data, m->base);
		cr_assert_leq(at + loans[i]->capacity_bytes, m->bytes);
		for (k = 0; k < i; k++)
			cr_assert(loan_memory_find(m, (uintptr_t)loans[k]->data - (uintptr_t)m->base,
						   &others) &&
				  others != index);
	}
	sink->ops->cancel(sink);
}

Test(sink, it_says_where_every_loan_can_lie)
{
	static const size_t sizes[] = { LARGE, SMALL };
	struct loan_memory m;
	size_t i;

	for (i = 0; i < 2; i++) {
		cr_assert_eq(sink->ops->get_memory(sink, sizes[i], &m), 0);
		cr_assert_eq(sink->lent, 0);
		cr_assert_eq(m.payload_bytes, sizes[i]);
		cr_assert_eq((uintptr_t)m.base % LIDARD_PAYLOAD_ALIGN, 0);
		/* what readers may hold, and what the source may, at least */
		cr_assert_geq(m.count, 40 + LOANS);
		expect_known(&m, sizes[i]);
	}
	cr_assert_eq(sink->exhausted, 0);
}

Test(sink, it_does_not_know_where_while_readers_hold_everything)
{
	struct loan_memory m = { .count = 77 };
	const void *held[256];
	unsigned int count = 0;
	struct loan *l;
	uint64_t seq;

	connect_reader(QUEUE);
	while ((l = sink->ops->loan(sink, LARGE))) {
		sink->ops->publish(sink, l);
		cr_assert_lt(count, 256);
		held[count] = take(&seq);
		cr_assert(held[count++]);
	}
	cr_assert_eq(sink->ops->get_memory(sink, LARGE, &m), -EAGAIN);
	cr_assert_eq(m.count, 77);
	cr_assert_eq(sink->exhausted, 1);
	while (count--)
		iox_sub_release_chunk(reader, held[count]);
	cr_assert_eq(sink->ops->get_memory(sink, LARGE, &m), 0);
}

Test(sink, sizes_have_pools_of_their_own)
{
	unsigned int i;

	expect_nothing_used();
	for (i = 0; i < LOANS; i++)
		loan_or_fail(i < 5 ? SMALL : LARGE);
	expect_used(SMALL, 5, 5);
	expect_used(LARGE, 15, 15);
}

Test(sink, a_loan_too_many_is_refused_and_counted)
{
	loan_all(LARGE);
	cr_assert_eq(sink->lent, LOANS);
	cr_assert_null(sink->ops->loan(sink, LARGE));
	cr_assert_null(sink->ops->loan(sink, SMALL));
	cr_assert_eq(sink->exhausted, 2);
	cr_assert_eq(sink->lent, LOANS);
	sink->ops->publish(sink, loans[11]);
	cr_assert_eq(sink->lent, LOANS - 1);
	loan_or_fail(LARGE);
	cr_assert_eq(sink->exhausted, 2);
}

Test(sink, a_pool_that_readers_hold_is_exhausted_until_they_release)
{
	const void *held[256];
	unsigned int count = 0, i;
	struct loan *l;
	uint64_t seq;

	connect_reader(QUEUE);
	while ((l = sink->ops->loan(sink, LARGE))) {
		sink->ops->publish(sink, l);
		cr_assert_lt(count, 256);
		held[count] = take(&seq);
		cr_assert(held[count++]);
	}
	/* sink.conf: 40 for readers, what was for the source besides */
	cr_assert_geq(count, 40);
	cr_assert_eq(sink->exhausted, 1);
	cr_assert_eq(sink->lent, 0);
	/* the other pool is not concerned */
	sink->ops->publish(sink, loan_or_fail(SMALL));
	for (i = 0; i < count; i++)
		iox_sub_release_chunk(reader, held[i]);
	for (i = 0; i < LOANS; i++)
		loan_or_fail(LARGE);
	cr_assert_eq(sink->exhausted, 1);
}

Test(sink, nothing_is_seen_before_it_is_published)
{
	const void *payload;
	uint64_t seq;

	connect_reader(QUEUE);
	loan_all(LARGE);
	nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	cr_assert_null(take(&seq));
	memset(loans[7]->data, 0x5a, LARGE);
	sink->ops->publish(sink, loans[7]);
	payload = take(&seq);
	cr_assert(payload);
	cr_assert_eq(seq, 7);
	cr_assert_eq(((const uint8_t *)payload)[0], 0x5a);
	cr_assert_eq(((const uint8_t *)payload)[LARGE - 1], 0x5a);
	iox_sub_release_chunk(reader, payload);
	cr_assert_null(take(&seq));
}

Test(sink, slices_come_in_the_order_they_are_published)
{
	unsigned int round, i, want;
	const void *payload;
	uint64_t seq;

	connect_reader(QUEUE);
	for (round = 0; round < 50; round++) {
		loan_all(round % 2 ? LARGE : SMALL);
		/* not the order they were lent in: 7 has no factor in common with 20 */
		for (i = 0; i < LOANS; i++)
			sink->ops->publish(sink, loans[i * 7 % LOANS]);
		for (i = 0; i < LOANS; i++) {
			want = i * 7 % LOANS;
			payload = take(&seq);
			cr_assert(payload, "round %u: %u of %u came", round, i, LOANS);
			cr_assert_eq(seq, want);
			iox_sub_release_chunk(reader, payload);
		}
	}
}

Test(sink, what_a_reader_holds_is_not_written_again)
{
	const uint8_t *held;
	struct loan *l;
	uint64_t seq;
	unsigned int i;

	connect_reader(QUEUE);
	l = loan_or_fail(LARGE);
	memset(l->data, 0x11, LARGE);
	sink->ops->publish(sink, l);
	held = take(&seq);
	cr_assert(held);
	for (i = 0; i < 500; i++) {
		l = loan_or_fail(LARGE);
		cr_assert_neq(l->data, held);
		memset(l->data, 0xee, LARGE);
		sink->ops->publish(sink, l);
		drain();
	}
	for (i = 0; i < LARGE; i++)
		cr_assert(held[i] == 0x11);
	iox_sub_release_chunk(reader, held);
}

Test(sink, a_reader_that_does_not_take_loses_the_oldest_and_holds_nobody_up)
{
	const void *payload;
	uint64_t seq, i, want = 4996;

	connect_reader(4);
	for (i = 0; i < 5000; i++)
		publish_number(i);
	cr_assert_eq(sink->exhausted, 0);
	while ((payload = take(&seq))) {
		cr_assert_eq(seq, want);
		want++;
		iox_sub_release_chunk(reader, payload);
	}
	cr_assert_eq(want, 5000);
}

Test(sink, publishing_to_nobody_gives_the_memory_back)
{
	uint64_t i;

	expect_nothing_used();
	for (i = 0; i < 5000; i++)
		publish_number(i);
	cr_assert_eq(sink->exhausted, 0);
	/* a publisher keeps its last one */
	expect_used(LARGE, PUBLISHERS, PUBLISHERS);
}

Test(sink, cancel_gives_everything_back_unseen)
{
	uint64_t seq;

	expect_nothing_used();
	connect_reader(QUEUE);
	expect_used(LARGE, PUBLISHERS, PUBLISHERS);
	loan_all(LARGE);
	/* a publisher lends the one it kept first */
	expect_used(LARGE, LOANS, LOANS);
	sink->ops->cancel(sink);
	cr_assert_eq(sink->lent, 0);
	expect_used(LARGE, 0, PUBLISHERS);
	cr_assert_null(take(&seq));
	sink->ops->cancel(sink);
	cr_assert_eq(sink->lent, 0);
	loan_all(LARGE);
}

Test(sink, free_cancels)
{
	expect_nothing_used();
	loan_all(LARGE);
	expect_used(LARGE, LOANS, LOANS);
	sink = sink->ops->free(sink);
	cr_assert_null(sink);
	expect_nothing_used();
}

Test(sink, a_hundred_thousand_slices_leave_no_chunk_behind)
{
	struct loan *l;
	uint64_t i;

	expect_nothing_used();
	connect_reader(QUEUE);
	for (i = 0; i < 100000; i++) {
		l = loan_or_fail(i % 16 ? LARGE : SMALL);
		if (i % 1000 == 999) {
			sink->ops->cancel(sink);
			continue;
		}
		sink->ops->publish(sink, l);
		if (i % 8 == 7)
			drain();
	}
	drain();
	cr_assert_eq(sink->exhausted, 0);
	cr_assert_eq(sink->lent, 0);
	/* what a publisher keeps is lent first; beyond that all must be free */
	loan_all(LARGE);
	expect_used(LARGE, LOANS, LOANS);
	sink->ops->cancel(sink);
	expect_used(LARGE, 0, PUBLISHERS);
	expect_used(SMALL, 0, PUBLISHERS);
}
