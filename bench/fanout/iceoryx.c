/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iceoryx.c - iceoryx's C binding with nothing around it
 *
 * A sensor is a publisher; several are of one process and one thread (produce.c).
 *
 * A chunk that is loaned, stamped and published; or ("iceoryx-copy") into which a
 * frame is copied before.  Same chunks as lidard's: aligned, a header beside them.
 *
 * Who asks for a chunk only once its frame is due mostly gets the one published
 * last, and its lines are where they were in every cache.  A device writes before
 * anybody knows of it, so its chunk is loaned while the last one is still read
 * ("iceoryx-ahead", and "lidard-ahead").
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <iceoryx_binding_c/api.h>

#include "bench/fanout/broker.h"
#include "lidard/frame.h"

struct producer {
	iox_pub_storage_t storage;
	iox_pub_t port;
	uint32_t bytes;
	/* loaned ahead; NULL: not */
	void *next;
};

struct subscriber {
	iox_sub_storage_t storage;
	iox_sub_t port;
	iox_ws_storage_t waitset_storage;
	iox_ws_t waitset;
};

static void *producer_open(const struct fanout *f, unsigned int sensor)
{
	struct producer *p = fanout_alloc(sizeof(*p));
	iox_pub_options_t options;
	char name[16];

	/* once a process */
	if (sensor == 0)
		iox_runtime_init("fanout-producer");
	iox_pub_options_init(&options);
	options.historyCapacity = 0;
	options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_DISCARD_OLDEST_DATA;
	p->bytes = (uint32_t)f->bytes;
	snprintf(name, sizeof(name), "s%u", sensor);
	p->port = iox_pub_init(&p->storage, "fanout", name, "frames", &options);
	return p;
}

static void *loan(void *producer)
{
	struct producer *p = producer;
	void *payload;

	if (iox_pub_loan_aligned_chunk_with_user_header(
		    p->port, &payload, p->bytes, LIDARD_PAYLOAD_ALIGN,
		    sizeof(struct lidard_slice_header), 8) != AllocationResult_SUCCESS)
		return NULL;
	return payload;
}

static void publish(void *producer, void *frame)
{
	struct producer *p = producer;

	iox_pub_publish_chunk(p->port, frame);
}

static void *loan_ahead(void *producer)
{
	struct producer *p = producer;

	return p->next ? p->next : loan(p);
}

static void publish_ahead(void *producer, void *frame)
{
	struct producer *p = producer;

	iox_pub_publish_chunk(p->port, frame);
	p->next = loan(p);
}

static void publish_copy(void *producer, void *frame)
{
	struct producer *p = producer;
	void *payload = loan(p);

	if (!payload)
		return;
	memcpy(payload, frame, p->bytes);
	iox_pub_publish_chunk(p->port, payload);
}

static void *subscriber_open(const struct fanout *f, unsigned int index)
{
	struct subscriber *s = fanout_alloc(sizeof(*s));
	iox_sub_options_t options;
	char name[32], sensor[16];

	snprintf(name, sizeof(name), "fanout-subscriber-%u", index);
	iox_runtime_init(name);
	iox_sub_options_init(&options);
	options.queueCapacity = f->queue;
	options.historyRequest = 0;
	options.queueFullPolicy = QueueFullPolicy_DISCARD_OLDEST_DATA;
	snprintf(sensor, sizeof(sensor), "s%u", index % f->sensors);
	s->port = iox_sub_init(&s->storage, "fanout", sensor, "frames", &options);
	while (iox_sub_get_subscription_state(s->port) != SubscribeState_SUBSCRIBED)
		usleep(1000);
	s->waitset = iox_ws_init(&s->waitset_storage);
	iox_ws_attach_subscriber_event(s->waitset, s->port, SubscriberEvent_DATA_RECEIVED, 0, NULL);
	return s;
}

static const void *take(void *subscriber)
{
	struct subscriber *s = subscriber;
	iox_notification_info_t info;
	const void *payload;
	uint64_t missed;

	while (iox_sub_take_chunk(s->port, &payload) != ChunkReceiveResult_SUCCESS)
		iox_ws_wait(s->waitset, &info, 1, &missed);
	return payload;
}

static bool release(void *subscriber, const void *frame)
{
	struct subscriber *s = subscriber;

	iox_sub_release_chunk(s->port, frame);
	return true;
}

const struct fanout_ops fanout_iceoryx = {
	.name = "iceoryx",
	.has_sensors = true,
	.setup = broker_setup,
	.producer_open = producer_open,
	.loan = loan,
	.publish = publish,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};

const struct fanout_ops fanout_iceoryx_ahead = {
	.name = "iceoryx-ahead",
	.setup = broker_setup,
	.producer_open = producer_open,
	.loan = loan_ahead,
	.publish = publish_ahead,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};

const struct fanout_ops fanout_iceoryx_copy = {
	.name = "iceoryx-copy",
	.setup = broker_setup,
	.producer_open = producer_open,
	.publish = publish_copy,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};
