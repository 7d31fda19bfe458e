/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - see stream.h */
#include "tools/stream.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/snapshot.h"
#include "tools/stop.h"

/* Slices taken in one go before the signal flag and the clock are looked at again. */
#define STREAM_BURST 64
#define STREAM_WAIT_NS (200 * 1000 * 1000)

int stream_open(struct stream *s, const char *socket, const char *sensor,
		const struct lidard_subscribe_opts *opts)
{
	return stream_open_as(s, socket, "lidarctl", sensor, opts);
}

int stream_open_as(struct stream *s, const char *socket, const char *name, const char *sensor,
		   const struct lidard_subscribe_opts *opts)
{
	int r;

	memset(s, 0, sizeof(*s));
	r = connect_lidard(socket, name, &s->client);
	if (r < 0)
		return r;
	r = connect_subscribe(s->client, sensor, opts, &s->subscription);
	if (r < 0)
		stream_close(s);
	return r;
}

void stream_close(struct stream *s)
{
	s->subscription = lidard_subscription_free(s->subscription);
	s->client = lidard_client_free(s->client);
}

static void count_missed(struct stream *s, const struct lidard_slice_header *header)
{
	s->skipped_before = 0;
	if (s->have_last && s->incarnation == header->incarnation)
		s->skipped_before = header->publish_index - s->publish_index - 1;
	s->have_last = true;
	s->incarnation = header->incarnation;
	s->publish_index = header->publish_index;
}

int stream_step(struct stream *s, int64_t wait_ns, stream_fn fn, void *data, int *ret_done)
{
	struct lidard_slice *slice;
	int r, done, taken = 0;

	r = lidard_subscription_wait(s->subscription, wait_ns);
	if (r <= 0)
		return r;
	while (taken < STREAM_BURST) {
		r = lidard_subscription_take(s->subscription, &slice);
		if (r == -ENOBUFS) /* told once for each loss; counted by publish_index */
			continue;
		if (r <= 0)
			return r < 0 ? r : taken;
		taken++;
		count_missed(s, lidard_slice_get_header(slice));
		done = fn(data, s, slice);
		lidard_slice_release(slice);
		if (done) {
			*ret_done = done;
			break;
		}
	}
	return taken;
}

void stream_complain_of_silence(struct stream *s, const char *sensor, double seconds)
{
	CLEANUP(cleanup_snapshot) struct snapshot *now = NULL;
	const struct snapshot_sensor *known;

	if (connect_get_snapshot(s->client, &now) < 0)
		now = NULL;
	known = now ? snapshot_find_sensor(now, sensor) : NULL;
	if (!known)
		complain("no data from %s for %g s (lidarctl status)", sensor, seconds);
	else
		complain("no data from %s for %g s: its state is %s%s%s", sensor, seconds,
			 known->state, known->error[0] ? ": " : "", known->error);
}

int stream_run(struct stream *s, uint64_t idle_ns, stream_fn fn, void *data)
{
	uint64_t last_ns = clock_now_ns();
	int r, done = 0;

	while (!stop_requested()) {
		r = stream_step(s, STREAM_WAIT_NS, fn, data, &done);
		if (done)
			return done;
		if (r > 0)
			last_ns = clock_now_ns();
		if (r < 0 && r != -EINTR) {
			complain("cannot go on receiving: %s", strerror(-r));
			return r;
		}
		if (idle_ns && clock_now_ns() - last_ns > idle_ns)
			return -ETIMEDOUT;
	}
	return 0;
}
