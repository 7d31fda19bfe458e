/* SPDX-License-Identifier: Apache-2.0 */
/* print_frames.c - a line for each frame of a sensor: print_frames [SENSOR [COUNT]] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lidard/lidard.h>

static void print_frame(const struct lidard_frame *frame)
{
	const struct lidard_slice *first = lidard_frame_get_slice(frame, 0);
	const struct lidard_slice_header *h = lidard_slice_get_header(first);
	const struct lidard_point_xyzirt *p = lidard_slice_get_points(first);

	printf("frame %" PRIu64 ": %zu slices, %" PRIu64 " points%s", lidard_frame_get_id(frame),
	       lidard_frame_get_count(frame), lidard_frame_get_point_count(frame),
	       lidard_frame_is_complete(frame) ? "" : ", incomplete");
	if (p && h->point_count)
		printf(", first at %.2f %.2f %.2f m", (double)p->x, (double)p->y, (double)p->z);
	printf("\n");
	fflush(stdout);
}

static void print_stats(struct lidard_subscription *sub)
{
	struct lidard_stats st;

	if (lidard_subscription_get_stats(sub, &st, sizeof(st)) < 0)
		return;
	printf("received %" PRIu64 " slices, skipped %" PRIu64 ", lost %" PRIu64 ", restarts %" PRIu64
	       ", latency p50 %" PRIu64 " us, p99 %" PRIu64 " us\n",
	       st.received, st.skipped_queue_full + st.skipped_policy + st.skipped_invalid,
	       st.lost_upstream, st.restarts, st.latency_p50_ns / 1000, st.latency_p99_ns / 1000);
}

static int run(struct lidard_subscription *sub, long count)
{
	struct lidard_frame *frame;
	int r;

	while (count != 0) {
		r = lidard_subscription_wait(sub, -1);
		if (r < 0)
			return r;
		while (count != 0 && (r = lidard_subscription_take_frame(sub, &frame)) == 1) {
			print_frame(frame);
			lidard_frame_release(frame);
			count--;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *sensor = argc > 1 ? argv[1] : "front";
	long count = argc > 2 ? atol(argv[2]) : -1;
	/* the slices of any frame, and the first of the next */
	struct lidard_subscribe_opts opts = { .size = sizeof(opts),
					      .held = LIDARD_FRAME_SLICES_MAX + 1 };
	struct lidard_client *client;
	struct lidard_subscription *sub;
	int r;

	r = lidard_client_new(NULL, &client);
	if (r < 0) {
		fprintf(stderr, "cannot reach lidard: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	r = lidard_subscribe(client, sensor, &opts, &sub);
	if (r == 0) {
		r = run(sub, count);
		print_stats(sub);
		lidard_subscription_free(sub);
	}
	if (r < 0)
		fprintf(stderr, "%s: %s %s\n", sensor, strerror(-r), lidard_client_get_error(client));
	lidard_client_free(client);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
