/* SPDX-License-Identifier: Apache-2.0 */
/* demo_watch.c - see demo_watch.h */
#include "tools/demo_watch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "lidard/lidard.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/demo_report.h"
#include "tools/stop.h"

#define WATCH_BEGIN_NS (30 * NSEC_PER_SEC)
#define WATCH_SETTLE_NS (3 * NSEC_PER_SEC)
/** A replay that is to be seen to its end may take this long. */
#define WATCH_ONCE_NS (600 * NSEC_PER_SEC)
#define WATCH_LINE_NS NSEC_PER_SEC

static void pause_ns(uint64_t ns)
{
	struct timespec ts = clock_to_timespec(ns);

	nanosleep(&ts, NULL);
}

static bool somebody_failed(struct demo_watch *w)
{
	return demo_stack_has_failed(w->stack) || demo_crew_has_failed(w->crew);
}

/* lidard would try again for ever; the demo says what is wrong instead. */
static int check_sensors(struct demo_watch *w, const struct snapshot *s)
{
	size_t i;

	for (i = 0; i < s->sensor_count; i++) {
		if (strcmp(s->sensors[i].state, "backoff") != 0)
			continue;
		if (!w->complained)
			complain("the sensor fails: %s", s->sensors[i].error);
		w->complained = true;
		return -EIO;
	}
	return 0;
}

/* Free what is in *snapshot and look again. */
static int look(struct demo_watch *w, struct snapshot **snapshot)
{
	int r;

	*snapshot = snapshot_free(*snapshot);
	r = connect_get_snapshot(w->client, snapshot);
	return r < 0 ? r : check_sensors(w, *snapshot);
}

static bool all_take_part(const struct demo_watch *w)
{
	const struct snapshot *s = w->first;
	unsigned int count = 0;
	size_t i;

	/* drawing the scene takes a moment: measure from the first slice on */
	for (i = 0; i < s->subscriber_count; i++)
		count += s->subscribers[i].connected &&
			 (!w->starts_at_once || s->subscribers[i].received > 0);
	return count >= w->crew->count;
}

int demo_watch_begin(struct demo_watch *w)
{
	uint64_t end_ns = clock_now_ns() + WATCH_BEGIN_NS;
	int r;

	r = connect_lidard(DEMO_SOCKET, "lidarctl demo", &w->client);
	if (r < 0)
		return r;
	for (;;) {
		r = look(w, &w->first);
		if (r < 0)
			return r;
		if (all_take_part(w))
			break;
		if (stop_requested())
			return -EINTR;
		if (somebody_failed(w))
			return -ECHILD;
		if (clock_now_ns() > end_ns) {
			complain("the subscribers did not get data");
			return -ETIMEDOUT;
		}
		pause_ns(20 * NSEC_PER_MSEC);
	}
	demo_crew_read_cpu(w->crew, true);
	return 0;
}

/* Nothing waits in a queue, nothing is in anybody's hands. */
static bool is_drained(const struct snapshot *s, bool held_too)
{
	size_t i;

	for (i = 0; i < s->subscriber_count; i++)
		if (s->subscribers[i].waiting != 0 || s->subscribers[i].unseen != 0 ||
		    (held_too && s->subscribers[i].held != 0))
			return false;
	return true;
}

static bool is_finished(const struct snapshot *s)
{
	size_t i;

	for (i = 0; i < s->sensor_count; i++)
		if (strcmp(s->sensors[i].state, "finished") != 0)
			return false;
	return is_drained(s, true);
}

int demo_watch_run(struct demo_watch *w)
{
	uint64_t start_ns = clock_now_ns(), line_ns = start_ns + WATCH_LINE_NS;
	uint64_t end_ns = start_ns + (w->once ? WATCH_ONCE_NS : w->duration_ns);
	CLEANUP(cleanup_snapshot) struct snapshot *before = NULL;
	CLEANUP(cleanup_snapshot) struct snapshot *now = NULL;
	int r;

	while (!stop_requested()) {
		pause_ns(50 * NSEC_PER_MSEC);
		if (somebody_failed(w))
			return -ECHILD;
		if (!w->once && clock_now_ns() >= end_ns)
			return 0;
		if (!w->once && clock_now_ns() < line_ns)
			continue;
		r = look(w, &now);
		if (r < 0)
			return r;
		if (w->once && is_finished(now))
			return 0;
		if (clock_now_ns() >= end_ns) {
			complain("the replay did not come to its end in time");
			return -ETIMEDOUT;
		}
		if (clock_now_ns() >= line_ns) {
			demo_report_live(w->out, before ? before : w->first, now);
			line_ns += WATCH_LINE_NS;
			snapshot_free(before);
			before = STEAL(now);
		}
	}
	return 0;
}

int demo_watch_end(struct demo_watch *w)
{
	uint64_t end_ns = clock_now_ns() + WATCH_SETTLE_NS;
	int r;

	for (;;) {
		r = look(w, &w->last);
		if (r < 0 || (snapshot_adds_up(w->last) && is_drained(w->last, false)) ||
		    clock_now_ns() > end_ns)
			break;
		pause_ns(2 * NSEC_PER_MSEC);
	}
	demo_crew_read_cpu(w->crew, false);
	return r;
}

void demo_watch_deinit(struct demo_watch *w)
{
	w->client = lidard_client_free(w->client);
	w->first = snapshot_free(w->first);
	w->last = snapshot_free(w->last);
}
