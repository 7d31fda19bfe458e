/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_roles.c - readers that tests put beside what they do to lidard
 *
 *	follow [fd]	read until SIGTERM, and hold the first slice all the while: a line for
 *			each life of lidard that slices came from, "life 0" the first, and at
 *			last what it got
 *	crowd		subscribe as often as may be, say why not more often, read until killed
 *	try TIMES	subscribe so often, and say what came of it each time
 *
 * All to the sensor "front".
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lidard/control.h"
#include "lidard/lidard.h"

#define SECOND 1000000000ll

static struct lidard_client *client;
static struct lidard_subscription *sub;

static void sleep_ms(long ms)
{
	struct timespec ts = { 0, ms * 1000000 };

	nanosleep(&ts, NULL);
}

static struct lidard_stats get_stats(void)
{
	struct lidard_stats st = { 0 };

	lidard_subscription_get_stats(sub, &st, sizeof(st));
	return st;
}

/* ---- follow ------------------------------------------------------------------ */

static volatile sig_atomic_t told_to_end;

static void end_following(int number)
{
	told_to_end = 1;
}

/* What was followed: slices with a wrong checksum, and the first one, held all the while. */
struct followed {
	uint64_t crc_bad;
	uint64_t restarts;
	struct lidard_slice *kept;
};

/* Return: what take() said last: 0, negative errno. */
static int follow_slices(struct followed *f)
{
	struct lidard_slice *slice;
	int r;

	while ((r = lidard_subscription_take(sub, &slice)) == 1) {
		f->crc_bad += lidard_slice_check_crc(slice) != 1;
		if (!f->kept || get_stats().restarts != f->restarts)
			printf("life %" PRIu64 "\n", get_stats().restarts);
		f->restarts = get_stats().restarts;
		if (!f->kept)
			f->kept = slice;
		else
			lidard_slice_release(slice);
	}
	return r;
}

static int follow_until_told(struct followed *f, int by_fd)
{
	struct pollfd pfd = { .fd = -1, .events = POLLIN };
	int r = 0;

	if (by_fd)
		pfd.fd = lidard_subscription_get_fd(sub);
	while (!told_to_end) {
		if (by_fd)
			poll(&pfd, 1, 100);
		else
			r = lidard_subscription_wait(sub, SECOND / 10);
		if (r >= 0)
			r = follow_slices(f);
		if (r < 0 && r != -EINTR)
			break;
		r = 0;
	}
	if (r < 0)
		printf("error %s\n", strerror(-r));
	return r;
}

static int follow(int by_fd)
{
	struct followed f = { 0 };
	struct lidard_stats st;
	int i, r;

	setlinebuf(stdout);
	signal(SIGTERM, end_following);
	if (lidard_client_new(NULL, &client) < 0)
		return 1;
	/* what a process that has just ended had reserved comes back in a moment */
	for (i = 0; (r = lidard_subscribe(client, "front", NULL, &sub)) == -ENOSPC && i < 100; i++)
		sleep_ms(20);
	if (r < 0)
		return 1;
	r = follow_until_told(&f, by_fd);
	st = get_stats();
	printf("received %" PRIu64 " restarts %" PRIu64 " bad %" PRIu64 " connected %u kept %d skipped %" PRIu64
	       "\n",
	       st.received, st.restarts, f.crc_bad, st.connected,
	       f.kept ? lidard_slice_check_crc(f.kept) : -1, st.skipped_queue_full);
	lidard_slice_release(f.kept);
	lidard_client_free(client);
	return r < 0;
}

/* ---- crowd, try ---------------------------------------------------------------- */

static int be_a_crowd(void)
{
	struct lidard_subscription *all[LIDARD_SUBSCRIPTIONS_MAX];
	struct lidard_subscribe_opts opts = { .size = sizeof(opts), .queue = 2, .held = 1 };
	struct lidard_client_opts patient = { .size = sizeof(patient), .timeout_ns = 30 * SECOND };
	struct lidard_slice *slice;
	unsigned int i, count;

	if (lidard_client_new(&patient, &client) < 0)
		return 1;
	for (count = 0; count < LIDARD_SUBSCRIPTIONS_MAX; count++)
		if (lidard_subscribe(client, "front", &opts, &all[count]) < 0)
			break;
	printf("%u subscriptions; %s\n", count, lidard_client_get_error(client));
	fflush(stdout);
	for (;;) {
		for (i = 0; i < count; i++)
			while (lidard_subscription_take(all[i], &slice) == 1)
				lidard_slice_release(slice);
		sleep_ms(20);
	}
}

static int keep_trying(int times)
{
	int i;

	if (lidard_client_new(NULL, &client) < 0)
		return 1;
	for (i = 0; i < times; i++)
		printf("%s; %s\n", strerror(-lidard_subscribe(client, "front", NULL, &sub)),
		       lidard_client_get_error(client));
	lidard_client_free(client);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "follow") == 0)
		return follow(argc > 2);
	if (argc > 1 && strcmp(argv[1], "crowd") == 0)
		return be_a_crowd();
	if (argc > 2 && strcmp(argv[1], "try") == 0)
		return keep_trying(atoi(argv[2]));
	fputs("usage: client_roles follow [fd] | crowd | try TIMES\n", stderr);
	return 2;
}
