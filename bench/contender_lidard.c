/* SPDX-License-Identifier: Apache-2.0 */
/* contender_lidard.c - a reader as applications write it: liblidard's public API */
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "bench/contender.h"
#include "bench/service.h"
#include "common/clock.h"
#include "lidard/lidard.h"

static void note(const struct reading *r, struct lidard_slice *slice)
{
	uint64_t now_ns = clock_now_ns();

	reading_note(r, lidard_slice_get_header(slice)->published_ns, now_ns);
	lidard_slice_release(slice);
}

static void take_all(const struct reading *r, struct lidard_subscription *sub)
{
	struct lidard_slice *slice;

	while (lidard_subscription_take(sub, &slice) == 1)
		note(r, slice);
}

static void run_wait(const struct reading *r, struct lidard_subscription *sub)
{
	while (reading_goes_on(r))
		if (lidard_subscription_wait(sub, READER_NAP_NS) == 1)
			take_all(r, sub);
}

static void run_poll(const struct reading *r, struct lidard_subscription *sub)
{
	struct lidard_slice *slice;

	while (reading_goes_on(r))
		if (lidard_subscription_wait(sub, NSEC_PER_MSEC) == 1 &&
		    lidard_subscription_take(sub, &slice) == 1)
			note(r, slice);
}

static int run_fd(const struct reading *r, struct lidard_subscription *sub)
{
	struct epoll_event event = { .events = EPOLLIN };
	int loop = epoll_create1(EPOLL_CLOEXEC), fd = lidard_subscription_get_fd(sub);

	if (loop < 0 || fd < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0)
		return 1;
	while (reading_goes_on(r))
		if (epoll_wait(loop, &event, 1, (int)(READER_NAP_NS / NSEC_PER_MSEC)) > 0)
			take_all(r, sub);
	return 0;
}

static int connect_and_run(const struct reading *r, struct lidard_subscription *sub)
{
	struct lidard_stats stats = { 0 };

	while (!stats.connected && !PAGE_GET(r->page->ended)) {
		lidard_subscription_wait(sub, NSEC_PER_MSEC);
		lidard_subscription_get_stats(sub, &stats, sizeof(stats));
	}
	PAGE_SET(r->me->connected, 1);
	if (r->way == WAY_FD)
		return run_fd(r, sub);
	if (r->way == WAY_POLL)
		run_poll(r, sub);
	else
		run_wait(r, sub);
	return 0;
}

int lidard_read(const struct reading *r)
{
	struct lidard_client_opts client_opts = {
		.size = sizeof(client_opts),
		.socket_path = BENCH_SOCKET,
		.timeout_ns = 10 * NSEC_PER_SEC,
	};
	static const enum lidard_wait_mode modes[WAY_COUNT] = {
		[WAY_POLL] = LIDARD_WAIT_POLL,
		[WAY_SPIN] = LIDARD_WAIT_SPIN_THEN_BLOCK,
		[WAY_BLOCK] = LIDARD_WAIT_BLOCK,
		[WAY_FD] = LIDARD_WAIT_BLOCK,
	};
	struct lidard_subscribe_opts opts = {
		.size = sizeof(opts),
		.queue = r->queue,
		.held = r->held,
		.wait_mode = modes[r->way],
		.spin_ns = READER_SPIN_NS,
	};
	struct lidard_client *client;
	struct lidard_subscription *sub;
	char sensor[16];
	int status;

	snprintf(sensor, sizeof(sensor), "s%u", r->sensor);
	if (lidard_client_new(&client_opts, &client) < 0)
		return 1;
	if (lidard_subscribe(client, sensor, &opts, &sub) < 0) {
		fprintf(stderr, "%s\n", lidard_client_get_error(client));
		return 1;
	}
	status = connect_and_run(r, sub);
	lidard_subscription_free(sub);
	lidard_client_free(client);
	return status;
}
