/* SPDX-License-Identifier: Apache-2.0 */
/* two_sensors.c - slices of two sensors in one epoll loop: two_sensors [A [B]] */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <lidard/lidard.h>

struct sensor {
	const char *name;
	struct lidard_subscription *sub;
	uint64_t slices;
	uint64_t points;
};

static int open_sensor(struct lidard_client *client, struct sensor *s, int epoll_fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = s };
	int fd, r;

	r = lidard_subscribe(client, s->name, NULL, &s->sub);
	if (r < 0)
		return r;
	fd = lidard_subscription_get_fd(s->sub);
	if (fd < 0)
		return fd;
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int drain(struct sensor *s)
{
	struct lidard_slice *slice;
	int r;

	while ((r = lidard_subscription_take(s->sub, &slice)) == 1) {
		const struct lidard_slice_header *h = lidard_slice_get_header(slice);

		s->slices++;
		s->points += h->point_count;
		if (h->flags & LIDARD_SLICE_LAST) {
			printf("%s: frame %" PRIu64 ", %" PRIu64 " slices and %" PRIu64
			       " points so far\n",
			       s->name, h->frame_id, s->slices, s->points);
			fflush(stdout);
		}
		lidard_slice_release(slice);
	}
	return r;
}

static int run(int epoll_fd)
{
	struct epoll_event events[2];
	int i, n, r;

	for (;;) {
		n = epoll_wait(epoll_fd, events, 2, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (i = 0; i < n; i++) {
			r = drain(events[i].data.ptr);
			if (r < 0)
				return r;
		}
	}
}

int main(int argc, char **argv)
{
	struct sensor sensors[2] = {
		{ .name = argc > 1 ? argv[1] : "front" },
		{ .name = argc > 2 ? argv[2] : "rear" },
	};
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), i, r;
	struct lidard_client *client;

	r = lidard_client_new(NULL, &client);
	if (r < 0) {
		fprintf(stderr, "cannot reach lidard: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	for (i = 0; i < 2 && r == 0; i++)
		r = open_sensor(client, &sensors[i], epoll_fd);
	if (r == 0)
		r = run(epoll_fd);
	fprintf(stderr, "%s %s\n", strerror(-r), lidard_client_get_error(client));
	lidard_client_free(client);
	close(epoll_fd);
	return EXIT_FAILURE;
}
