/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_feed_main.c - lidar-sim-feed: a capture becomes what a virtual LIDAR sends
 *
 *     lidar-sim-feed [OPTION]... CAPTURE FEED
 *
 * The UDP packets of a capture, so many to a slice, are written to the node of a
 * LIDAR of lidar_sim (lidar_sim(4), source = feed), a write() a slice, laid out as
 * LIDARD_FORMAT_RAW has them.  From there they take the way of any sensor's data:
 * DMA, lidar_ring, lidard.  The pace is the device's: write() waits.
 *
 * Here and not in tools/, because it reads captures as lidard does.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/capture.h"

#define PACKETS_DEFAULT 16
#define PACKETS_MAX 65536
/* As large as a slice of lidar_sim can be. */
#define SLICE_BYTES_MAX (64u << 20)
#define PACKET_ALIGNMENT 8u

enum { EXIT_USAGE = 2 };

struct feed {
	const char *path;
	int fd;
	uint16_t port; /* 0: any */
	unsigned long slice_packets;
	bool loop;
	/* The slice that is being put together. */
	uint8_t *slice;
	size_t bytes;
	unsigned long packets;
	/* So far. */
	uint64_t packets_fed;
	uint64_t slices_fed;
	uint64_t bytes_fed;
	uint64_t left_out;
};

static int write_slice(struct feed *f, struct problem *problem)
{
	ssize_t written;

	if (f->packets == 0)
		return 0;
	do
		written = write(f->fd, f->slice, f->bytes);
	while (written < 0 && errno == EINTR);
	if (written < 0 && errno == EINVAL)
		return problem_set(problem, -EINVAL,
				   "%s takes no slice of %zu bytes: raise slice_bytes of the virtual "
				   "LIDAR, or lower --packets", f->path, f->bytes);
	if (written < 0 && errno == ENODEV)
		return problem_set(problem, -ENODEV, "the virtual LIDAR of %s is not live any more",
				   f->path);
	if (written < 0)
		return problem_set(problem, -errno, "cannot write to %s: %s", f->path,
				   strerror(errno));
	if ((size_t)written != f->bytes)
		return problem_set(problem, -EIO, "%s took %zd of %zu bytes", f->path, written,
				   f->bytes);
	f->packets_fed += f->packets;
	f->slices_fed++;
	f->bytes_fed += f->bytes;
	f->packets = 0;
	f->bytes = 0;
	return 0;
}

static int add_packet(struct feed *f, const struct datagram *d, struct problem *problem)
{
	uint32_t length = (uint32_t)d->bytes;
	size_t room = (sizeof(length) + d->bytes + PACKET_ALIGNMENT - 1) & ~(size_t)(PACKET_ALIGNMENT - 1);
	uint8_t *at = f->slice + f->bytes;

	/* one without a byte would look like padding */
	if (d->bytes == 0 || (f->port && d->destination_port != f->port)) {
		f->left_out++;
		return 0;
	}
	if (room > SLICE_BYTES_MAX - f->bytes)
		return problem_set(problem, -E2BIG, "%lu packets are more than a slice can hold: lower "
				   "--packets", f->slice_packets);
	memcpy(at, &length, sizeof(length));
	memcpy(at + sizeof(length), d->data, d->bytes);
	memset(at + sizeof(length) + d->bytes, 0, room - sizeof(length) - d->bytes);
	f->bytes += room;
	return ++f->packets == f->slice_packets ? write_slice(f, problem) : 0;
}

/* Once through the capture. */
static int feed_all(struct feed *f, struct capture *capture, struct problem *problem)
{
	struct datagram datagram;
	int r;

	while ((r = capture_next(capture, &datagram, problem)) != CAPTURE_END) {
		if (r == CAPTURE_DATAGRAM)
			r = add_packet(f, &datagram, problem);
		if (r < 0)
			return r;
	}
	return write_slice(f, problem);
}

static int feed_run(struct feed *f, struct capture *capture, struct problem *problem)
{
	int r;

	do {
		r = feed_all(f, capture, problem);
		if (r == 0 && f->slices_fed == 0)
			r = problem_set(problem, -ENODATA, "the capture has no UDP packet to feed");
		if (r == 0 && f->loop)
			r = capture_rewind(capture, problem);
	} while (r == 0 && f->loop);
	return r;
}

static void say_what_was_fed(const struct feed *f, const struct capture *capture)
{
	struct capture_stats s;

	capture_get_stats(capture, &s);
	printf("fed %" PRIu64 " packets in %" PRIu64 " slices, %" PRIu64 " bytes; left out %" PRIu64
	       " packets to other ports, %" PRIu64 " records that are no whole UDP packet\n",
	       f->packets_fed, f->slices_fed, f->bytes_fed, f->left_out,
	       s.other_records + s.truncated_records + s.malformed_records +
	       s.incomplete_datagrams);
}

static int feed_capture(struct feed *f, const char *path, struct problem *problem)
{
	struct capture *capture;
	int r = capture_open(path, &capture, problem);

	if (r < 0)
		return r;
	f->fd = open(f->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (f->fd < 0)
		r = problem_set(problem, -errno, "cannot open %s: %s%s", f->path, strerror(errno),
				errno == ENOENT ? " (is the virtual LIDAR live, and its source feed?)" : "");
	/* what is not used of it is never touched, and costs nothing */
	f->slice = malloc(SLICE_BYTES_MAX);
	if (r == 0 && !f->slice)
		r = problem_set(problem, -ENOMEM, "out of memory");
	if (r == 0)
		r = feed_run(f, capture, problem);
	if (r == 0)
		say_what_was_fed(f, capture);
	free(f->slice);
	f->fd = close_fd(f->fd);
	capture_free(capture);
	return r;
}

static void print_help(FILE *to)
{
	fputs("usage: lidar-sim-feed [OPTION]... CAPTURE FEED\n"
	      "Feed the UDP packets of a capture to a virtual LIDAR of lidar_sim.\n\n"
	      "  CAPTURE            a pcap file\n"
	      "  FEED               /dev/lidar_sim_NAME\n"
	      "  -n, --packets N    packets in a slice (16)\n"
	      "  -p, --port N       only packets to this UDP port\n"
	      "  -l, --loop         again and again\n"
	      "  -h, --help\n", to);
}

/* Return: false: it is no number from 1 to @max. */
static bool read_number(const char *text, unsigned long max, unsigned long *ret_number)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || number < 1 || number > max) {
		fprintf(stderr, "lidar-sim-feed: %s is no number from 1 to %lu\n", text, max);
		return false;
	}
	*ret_number = number;
	return true;
}

/* Return: -1: go on; else the exit status. */
static int read_options(struct feed *f, int argc, char **argv)
{
	static const struct option options[] = {
		{ "packets", required_argument, NULL, 'n' }, { "port", required_argument, NULL, 'p' },
		{ "loop", no_argument, NULL, 'l' },	     { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned long port = 0;
	bool good = true;
	int option;

	while (good && (option = getopt_long(argc, argv, "n:p:lh", options, NULL)) != -1) {
		switch (option) {
		case 'n': good = read_number(optarg, PACKETS_MAX, &f->slice_packets); break;
		case 'p': good = read_number(optarg, UINT16_MAX, &port); break;
		case 'l': f->loop = true; break;
		case 'h': print_help(stdout); return EXIT_SUCCESS;
		default: good = false;
		}
	}
	f->port = (uint16_t)port;
	if (good && argc - optind == 2)
		return -1;
	print_help(stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct feed f = { .fd = -1, .slice_packets = PACKETS_DEFAULT };
	struct problem problem = { "" };
	int r = read_options(&f, argc, argv);

	if (r >= 0)
		return r;
	f.path = argv[optind + 1];
	r = feed_capture(&f, argv[optind], &problem);
	if (r < 0)
		fprintf(stderr, "lidar-sim-feed: %s\n", problem.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
