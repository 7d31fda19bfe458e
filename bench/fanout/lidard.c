/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidard.c - lidard: its daemon is the producer, subscribers use liblidard
 *
 * The producer is the whole daemon but for the source, which costs what its
 * frames cost: nothing where they are written into the loan, a copy where a device
 * wrote elsewhere ("lidard-copy").  A source that writes itself, as the simulator
 * does, has its loan once a frame is due ("lidard", to be seen beside "iceoryx"); a
 * device has it long before ("lidard-ahead", beside "iceoryx-ahead").  The daemon
 * besides is RouDi.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/fanout/broker.h"
#include "common/clock.h"
#include "lidard/lidard.h"

struct subscriber {
	struct lidard_client *client;
	struct lidard_subscription *sub;
	/* lent */
	struct lidard_slice *slice;
};

static pid_t start_producer(struct fanout *f)
{
	struct service_plan plan = broker_get_plan(f);
	pid_t pid = service_start_lidard(&plan, -1);

	service_wait(&plan, pid);
	return pid;
}

static pid_t start_producer_ahead(struct fanout *f)
{
	f->page->ahead = 1;
	return start_producer(f);
}

static pid_t start_copying_producer(struct fanout *f)
{
	f->page->copies = 1;
	return start_producer_ahead(f);
}

static _Noreturn void give_up(struct lidard_client *client)
{
	fprintf(stderr, "liblidard: %s\n", client ? lidard_client_get_error(client) : "no client");
	exit(EXIT_FAILURE);
}

static void *subscriber_open(const struct fanout *f, unsigned int index)
{
	struct lidard_client_opts client_opts = {
		.size = sizeof(client_opts),
		.socket_path = BENCH_SOCKET,
		.timeout_ns = 10 * NSEC_PER_SEC,
	};
	struct lidard_subscribe_opts opts = {
		.size = sizeof(opts),
		.queue = f->queue,
		.held = BROKER_HELD,
		.wait_mode = LIDARD_WAIT_BLOCK,
	};
	struct subscriber *s = fanout_alloc(sizeof(*s));
	struct lidard_stats stats = { 0 };
	char sensor[16];

	snprintf(sensor, sizeof(sensor), "s%u", index % f->sensors);
	if (lidard_client_new(&client_opts, &s->client) < 0)
		give_up(NULL);
	if (lidard_subscribe(s->client, sensor, &opts, &s->sub) < 0)
		give_up(s->client);
	while (!stats.connected) {
		lidard_subscription_wait(s->sub, NSEC_PER_MSEC);
		lidard_subscription_get_stats(s->sub, &stats, sizeof(stats));
	}
	return s;
}

static const void *take(void *subscriber)
{
	struct subscriber *s = subscriber;

	while (lidard_subscription_take(s->sub, &s->slice) != 1)
		if (lidard_subscription_wait(s->sub, -1) < 0)
			give_up(s->client);
	return lidard_slice_get_payload(s->slice);
}

static bool release(void *subscriber, const void *frame)
{
	struct subscriber *s = subscriber;

	lidard_slice_release(s->slice);
	return true;
}

const struct fanout_ops fanout_lidard = {
	.name = "lidard",
	.has_sensors = true,
	.setup = broker_setup,
	.start_producer = start_producer,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};

const struct fanout_ops fanout_lidard_ahead = {
	.name = "lidard-ahead",
	.has_sensors = true,
	.setup = broker_setup,
	.start_producer = start_producer_ahead,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};

const struct fanout_ops fanout_lidard_copy = {
	.name = "lidard-copy",
	.has_sensors = true,
	.setup = broker_setup,
	.start_producer = start_copying_producer,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};
