/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_iox.c - see sink_iox.h
 *
 * What iceoryx answers with abort() is checked before each call: sizes come
 * from the configuration and are those of the pools, a loan is published or
 * cancelled once and by the publisher that lent it, and RouDi is probed before
 * a publisher is made.  DISCARD_OLDEST on both sides: a publisher never waits.
 * No history: a stream of 10 frames a second has no use for an old slice, and
 * with several publishers it would come out of order.
 */
#include "daemon/sink_iox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/mapping.h"
#include "daemon/broker_iox.h"
#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/pool.h"
#include <iceoryx_binding_c/api.h>

struct publisher {
	iox_pub_storage_t storage;
	iox_pub_t port;
	unsigned int lent;
};

struct iox_loan {
	struct loan loan;
	struct publisher *publisher; /* NULL while free */
};

struct sink_iox {
	struct sink sink;
	struct publisher *publishers;
	unsigned int publisher_count;
	unsigned int publisher_next;
	/* Free ones are linked through loan.next. */
	struct iox_loan *loans;
	unsigned int loan_count;
	struct loan *free_loans;
};

static const struct sink_ops sink_iox_ops;

static struct sink_iox *to_iox(struct sink *s)
{
	assert(s->ops == &sink_iox_ops);
	return container_of(s, struct sink_iox, sink);
}

/* hot path */
static struct publisher *next_publisher(struct sink_iox *s)
{
	struct publisher *p;
	unsigned int i;

	for (i = 0; i < s->publisher_count; i++) {
		p = &s->publishers[s->publisher_next];
		s->publisher_next = (s->publisher_next + 1) % s->publisher_count;
		if (p->lent < POOL_PUBLISHER_LOANS)
			return p;
	}
	return NULL;
}

/* hot path */
static struct loan *sink_iox_loan(struct sink *sink, size_t bytes)
{
	struct sink_iox *s = to_iox(sink);
	struct publisher *p = s->free_loans ? next_publisher(s) : NULL;
	uint64_t payload_bytes = pool_payload_bytes(bytes);
	struct iox_loan *l;
	void *payload;

	if (!p || iox_pub_loan_aligned_chunk_with_user_header(
			  p->port, &payload, (uint32_t)payload_bytes, LIDARD_PAYLOAD_ALIGN,
			  sizeof(struct lidard_slice_header), 8) != AllocationResult_SUCCESS) {
		sink->exhausted++;
		return NULL;
	}
	l = container_of(s->free_loans, struct iox_loan, loan);
	s->free_loans = l->loan.next;
	l->publisher = p;
	l->loan = (struct loan){
		.header = iox_chunk_header_to_user_header(iox_chunk_header_from_user_payload(payload)),
		.data = payload,
		.capacity_bytes = payload_bytes,
	};
	memset(l->loan.header, 0, sizeof(*l->loan.header));
	p->lent++;
	sink->lent++;
	return &l->loan;
}

/* hot path */
static struct publisher *take_back(struct sink_iox *s, struct loan *loan)
{
	struct iox_loan *l = container_of(loan, struct iox_loan, loan);
	struct publisher *p = l->publisher;

	assert(p && p->lent > 0);
	p->lent--;
	s->sink.lent--;
	l->publisher = NULL;
	loan->next = s->free_loans;
	s->free_loans = loan;
	return p;
}

/* hot path */
static void sink_iox_publish(struct sink *sink, struct loan *loan)
{
	struct publisher *p = take_back(to_iox(sink), loan);

	iox_pub_publish_chunk(p->port, loan->data);
}

static void sink_iox_cancel(struct sink *sink)
{
	struct sink_iox *s = to_iox(sink);
	struct publisher *p;
	unsigned int i;

	for (i = 0; i < s->loan_count; i++) {
		if (!s->loans[i].publisher)
			continue;
		p = take_back(s, &s->loans[i].loan);
		iox_pub_release_chunk(p->port, s->loans[i].loan.data);
	}
}

/*
 * The chunks of a pool lie side by side, one stride from the next (pool.h), and
 * the pools of a segment one after the other. Where one begins iceoryx does not
 * say: so this tells of all places in the segment that have the distance of
 * whole strides from a chunk of the pool, and those in smaller and larger pools
 * are never lent.
 */
static int sink_iox_get_memory(struct sink *sink, size_t bytes, struct loan_memory *ret_memory)
{
	uint64_t payload_bytes = pool_payload_bytes(bytes), exhausted = sink->exhausted;
	struct loan *loan = sink_iox_loan(sink, bytes);
	struct mapping m;
	int r;

	if (!loan) {
		sink->exhausted = exhausted;
		return -EAGAIN;
	}
	r = mapping_find(loan->data, &m);
	if (r == 0)
		*ret_memory = loan_memory_around(m.start, m.bytes,
						 (uint64_t)((char *)loan->data - (char *)m.start),
						 pool_roudi_size(payload_bytes) + 40, payload_bytes);
	sink_iox_cancel(sink);
	return r;
}

static struct sink *sink_iox_free(struct sink *sink)
{
	struct sink_iox *s = to_iox(sink);
	unsigned int i;

	if (s->loans)
		sink_iox_cancel(sink);
	for (i = 0; s->publishers && i < s->publisher_count; i++)
		if (s->publishers[i].port)
			iox_pub_deinit(s->publishers[i].port);
	free(s->publishers);
	free(s->loans);
	free(s);
	return NULL;
}

static const struct sink_ops sink_iox_ops = {
	.name = "iceoryx",
	.loan = sink_iox_loan,
	.publish = sink_iox_publish,
	.cancel = sink_iox_cancel,
	.get_memory = sink_iox_get_memory,
	.free = sink_iox_free,
};

static void cleanup_sink(struct sink_iox **s)
{
	if (*s)
		sink_iox_free(&(*s)->sink);
}

static int offer(struct sink_iox *s, const char *sensor, struct problem *problem)
{
	iox_pub_options_t options;
	unsigned int i;
	int r;

	iox_pub_options_init(&options);
	options.historyCapacity = 0;
	options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_DISCARD_OLDEST_DATA;
	for (i = 0; i < s->publisher_count; i++) {
		r = broker_probe(problem);
		if (r < 0)
			return r;
		broker_expect_answer();
		s->publishers[i].port = iox_pub_init(&s->publishers[i].storage, SINK_IOX_SERVICE,
						     sensor, SINK_IOX_EVENT, &options);
		broker_have_answer();
		if (!s->publishers[i].port)
			return problem_set(problem, -ENOMEM,
					   "iceoryx has no room for publisher %u of %u", i + 1,
					   s->publisher_count);
	}
	return 0;
}

/*
 * RouDi has touched every page of the pool, but this process has not: without
 * this the first write to each of them would fault, 20 ms in 64 MiB. Idempotent,
 * and quick where it was done before.
 */
static void populate(struct sink_iox *s, size_t slice_bytes)
{
	struct loan *loan = sink_iox_loan(&s->sink, slice_bytes);
	struct mapping m;

	if (loan && mapping_find(loan->data, &m) == 0)
		madvise(m.start, m.bytes, MADV_POPULATE_WRITE); /* before Linux 5.14: it faults, then */
	sink_iox_cancel(&s->sink);
	s->sink.exhausted = 0;
}

int sink_iox_new(const struct sensor_config *sensor, struct sink **ret_sink,
		 struct problem *problem)
{
	CLEANUP(cleanup_sink) struct sink_iox *s = NULL;
	unsigned int i;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return problem_set(problem, -ENOMEM, "out of memory");
	s->sink.ops = &sink_iox_ops;
	s->publisher_count = pool_publishers(sensor);
	s->loan_count = sensor->loans;
	s->publishers = calloc(s->publisher_count, sizeof(s->publishers[0]));
	s->loans = calloc(s->loan_count, sizeof(s->loans[0]));
	if (!s->publishers || !s->loans)
		return problem_set(problem, -ENOMEM, "out of memory");
	for (i = 0; i < s->loan_count; i++) {
		s->loans[i].loan.next = s->free_loans;
		s->free_loans = &s->loans[i].loan;
	}
	r = offer(s, sensor->name, problem);
	if (r < 0)
		return r;
	populate(s, sensor->slice_bytes);
	*ret_sink = &STEAL(s)->sink;
	return 0;
}
