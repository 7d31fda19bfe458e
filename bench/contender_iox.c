/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contender_iox.c - the baseline: a publisher and readers on iceoryx's C binding
 *
 * The least that does the same work: a chunk with a header beside it is loaned
 * ahead, stamped, published; taken, its stamp read, released.  Same chunk size,
 * alignment and header size as lidard's, so the same pool.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <iceoryx_binding_c/api.h>

#include "bench/contender.h"
#include "bench/pace.h"
#include "common/clock.h"
#include "lidard/frame.h"

#define SERVICE "bench"
#define EVENT "slices"

struct publisher {
	iox_pub_storage_t storage;
	iox_pub_t port;
	uint32_t turn;
	uint32_t bytes;
	/* the next slice's */
	void *payload;
};

struct subscriber {
	iox_sub_storage_t storage;
	iox_sub_t port;
	iox_ws_storage_t waitset_storage;
	iox_listener_storage_t listener_storage;
	int event_fd;
};

static void loan(struct publisher *p)
{
	if (iox_pub_loan_aligned_chunk_with_user_header(
		    p->port, &p->payload, p->bytes, LIDARD_PAYLOAD_ALIGN,
		    sizeof(struct lidard_slice_header), 8) != AllocationResult_SUCCESS)
		p->payload = NULL;
}

static void publish(struct publisher *p, struct bench_page *page)
{
	struct lidard_slice_header *header;

	if (!p->payload)
		return;
	PAGE_SET(page->published[CONTENDER_ICEORYX].slices,
		 page->published[CONTENDER_ICEORYX].slices + 1);
	header = iox_chunk_header_to_user_header(iox_chunk_header_from_user_payload(p->payload));
	header->published_ns = clock_now_ns();
	iox_pub_publish_chunk(p->port, p->payload);
	loan(p);
}

static void offer(struct publisher *p, unsigned int sensor, uint64_t slice_bytes)
{
	iox_pub_options_t options;
	char name[16];

	iox_pub_options_init(&options);
	options.historyCapacity = 0;
	options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_DISCARD_OLDEST_DATA;
	snprintf(name, sizeof(name), "s%u", sensor);
	p->turn = TURN(CONTENDER_ICEORYX, sensor);
	p->bytes = (uint32_t)slice_bytes;
	p->port = iox_pub_init(&p->storage, SERVICE, name, EVENT, &options);
	loan(p);
}

int iceoryx_publish(const struct publishing *publishing)
{
	struct bench_page *page = publishing->page;
	struct publisher *publishers = calloc(publishing->sensor_count, sizeof(*publishers));
	struct pace pace;
	uint32_t turn;
	unsigned int i;

	iox_runtime_init("bench-publisher");
	if (!publishers || pace_init(&pace, 0) < 0)
		return 1;
	for (i = 0; i < publishing->sensor_count; i++)
		offer(&publishers[i], i, publishing->slice_bytes[i]);
	for (;;) {
		turn = PAGE_GET(page->turn);
		for (i = 0; i < publishing->sensor_count && publishers[i].turn != turn; i++)
			;
		if (pace_tick(&pace, page, i < publishing->sensor_count))
			publish(&publishers[i], page);
	}
}

static bool take(const struct reading *r, struct subscriber *s)
{
	const struct lidard_slice_header *header;
	const void *payload;

	if (iox_sub_take_chunk(s->port, &payload) != ChunkReceiveResult_SUCCESS)
		return false;
	header = iox_chunk_header_to_user_header_const(
		iox_chunk_header_from_user_payload_const(payload));
	reading_note(r, header->published_ns, clock_now_ns());
	iox_sub_release_chunk(s->port, payload);
	return true;
}

static void run_poll(const struct reading *r, struct subscriber *s)
{
	while (reading_goes_on(r))
		if (iox_sub_has_chunks(s->port))
			take(r, s);
}

/* For a while. Return: is there a chunk? */
static bool spin(struct subscriber *s)
{
	uint64_t end_ns = clock_now_ns() + READER_SPIN_NS;

	while (clock_now_ns() < end_ns)
		if (iox_sub_has_chunks(s->port))
			return true;
	return false;
}

static void run_waitset(const struct reading *r, struct subscriber *s)
{
	struct timespec nap = clock_to_timespec(READER_NAP_NS);
	iox_ws_t ws = iox_ws_init(&s->waitset_storage);
	iox_notification_info_t info;
	uint64_t missed;

	iox_ws_attach_subscriber_event(ws, s->port, SubscriberEvent_DATA_RECEIVED, 0, NULL);
	while (reading_goes_on(r))
		if ((r->way == WAY_SPIN && spin(s)) ||
		    iox_ws_timed_wait(ws, nap, &info, 1, &missed) > 0)
			while (take(r, s))
				;
	iox_ws_detach_subscriber_event(ws, s->port, SubscriberEvent_DATA_RECEIVED);
	iox_ws_deinit(ws);
}

/* Runs in the Listener's thread. */
static void on_data(iox_sub_t port, void *context)
{
	struct subscriber *s = context;

	eventfd_write(s->event_fd, 1);
}

static int run_fd(const struct reading *r, struct subscriber *s)
{
	struct epoll_event event = { .events = EPOLLIN };
	int loop = epoll_create1(EPOLL_CLOEXEC);
	iox_listener_t listener;
	eventfd_t value;

	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop < 0 || s->event_fd < 0 ||
	    epoll_ctl(loop, EPOLL_CTL_ADD, s->event_fd, &event) < 0)
		return 1;
	listener = iox_listener_init(&s->listener_storage);
	iox_listener_attach_subscriber_event_with_context_data(
		listener, s->port, SubscriberEvent_DATA_RECEIVED, on_data, s);
	while (reading_goes_on(r)) {
		if (epoll_wait(loop, &event, 1, (int)(READER_NAP_NS / NSEC_PER_MSEC)) < 1)
			continue;
		eventfd_read(s->event_fd, &value);
		while (take(r, s))
			;
	}
	iox_listener_detach_subscriber_event(listener, s->port, SubscriberEvent_DATA_RECEIVED);
	iox_listener_deinit(listener);
	return 0;
}

static int connect_and_run(const struct reading *r, struct subscriber *s)
{
	while (iox_sub_get_subscription_state(s->port) != SubscribeState_SUBSCRIBED &&
	       !PAGE_GET(r->page->ended))
		usleep(1000);
	PAGE_SET(r->me->connected, 1);
	if (r->way == WAY_FD)
		return run_fd(r, s);
	if (r->way == WAY_POLL)
		run_poll(r, s);
	else
		run_waitset(r, s);
	return 0;
}

int iceoryx_read(const struct reading *r)
{
	iox_sub_options_t options;
	struct subscriber s;
	char name[32];
	int status;

	snprintf(name, sizeof(name), "bench-reader-%d", (int)getpid());
	iox_runtime_init(name);
	iox_sub_options_init(&options);
	options.queueCapacity = r->queue;
	options.historyRequest = 0;
	options.queueFullPolicy = QueueFullPolicy_DISCARD_OLDEST_DATA;
	snprintf(name, sizeof(name), "s%u", r->sensor);
	s.port = iox_sub_init(&s.storage, SERVICE, name, EVENT, &options);
	status = connect_and_run(r, &s);
	iox_sub_deinit(s.port);
	return status;
}
