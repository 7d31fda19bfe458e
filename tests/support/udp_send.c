/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp_send - the datagrams of a capture, sent again at their pace
 *
 *   udp_send [OPTIONS] CAPTURE ADDRESS:PORT
 *
 *   --from ADDRESS    the sender's address
 *   --port N          only datagrams that went to that port
 *   --speed X         factor on the capture's pace
 *   --drop N          of a thousand packets so many are not sent; the same ones each time
 *   --burst N         nor so many in a row, in the middle
 *   --swap N          of a thousand so many change places with the next
 *   --twice N         of a thousand so many are sent twice
 *
 * The first and the last KEPT packets are sent as they are, so that whoever
 * listens can know of everything that is missing.  At the end it prints what
 * it did, as JSON.
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/splitmix64.h"
#include "daemon/capture.h"
#include "daemon/udp_address.h"

#define KEPT 40

struct packet {
	uint64_t time_ns;
	uint8_t *data;
	size_t bytes;
};

static struct packet *packets;
static size_t packet_count;
static unsigned int drop, burst, swap, twice;
static double speed = 1;
static struct {
	uint64_t sent;
	uint64_t dropped;
	uint64_t swapped;
	uint64_t twice;
} done;

static void keep(const struct datagram *d)
{
	struct packet *p;

	packets = reallocarray(packets, packet_count + 1, sizeof(*packets));
	if (!packets)
		errx(1, "out of memory");
	p = &packets[packet_count++];
	p->time_ns = d->time_ns;
	p->bytes = d->bytes;
	p->data = malloc(d->bytes + 1);
	if (!p->data)
		errx(1, "out of memory");
	memcpy(p->data, d->data, d->bytes);
}

static void read_capture(const char *path, unsigned int port)
{
	struct problem problem;
	struct capture *c;
	struct datagram d;
	int r = capture_open(path, &c, &problem);

	if (r < 0)
		errx(1, "%s", problem.text);
	while ((r = capture_next(c, &d, &problem)) > 0)
		if (r == CAPTURE_DATAGRAM && (!port || d.destination_port == port))
			keep(&d);
	if (r < 0)
		errx(1, "%s", problem.text);
	capture_free(c);
}

static void send_packet(int fd, size_t i)
{
	if (send(fd, packets[i].data, packets[i].bytes, 0) != (ssize_t)packets[i].bytes)
		err(1, "send");
	done.sent++;
}

static void wait_until_due(uint64_t begin_ns, size_t i)
{
	uint64_t after_ns = packets[i].time_ns - packets[0].time_ns;
	struct timespec due = clock_to_timespec(begin_ns + (uint64_t)((double)after_ns / speed));

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

static bool in_burst(size_t i)
{
	return i >= packet_count / 2 && i < packet_count / 2 + burst;
}

static void send_all(int fd)
{
	uint64_t begin_ns = clock_now_ns(), state = 1;
	size_t i;

	for (i = 0; i < packet_count; i++) {
		uint64_t chance = splitmix64_next(&state) % 1000;

		wait_until_due(begin_ns, i);
		if (i < KEPT || i + KEPT >= packet_count) {
			send_packet(fd, i);
		} else if (in_burst(i) || chance < drop) {
			done.dropped++;
		} else if (chance < drop + swap && !in_burst(i + 1)) {
			send_packet(fd, i + 1);
			send_packet(fd, i++);
			done.swapped++;
		} else {
			send_packet(fd, i);
			if (chance >= drop + swap && chance < drop + swap + twice) {
				send_packet(fd, i);
				done.twice++;
			}
		}
	}
}

static int open_socket(const char *to, const char *from)
{
	struct udp_address target, own = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa;

	if (udp_address_parse(to, &target) < 0 ||
	    (from && udp_address_parse_host(from, &own.address) < 0))
		errx(2, "%s or %s is no address", to, from ? from : "");
	sa = udp_address_to_sockaddr(&own);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		err(1, "bind");
	sa = udp_address_to_sockaddr(&target);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		err(1, "connect");
	return fd;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "from", required_argument, NULL, 'f' },  { "port", required_argument, NULL, 'p' },
		{ "speed", required_argument, NULL, 's' }, { "drop", required_argument, NULL, 'd' },
		{ "burst", required_argument, NULL, 'b' }, { "swap", required_argument, NULL, 'w' },
		{ "twice", required_argument, NULL, 't' }, { NULL, 0, NULL, 0 },
	};
	const char *from = NULL;
	unsigned int port = 0;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned int value = optarg ? (unsigned int)strtoul(optarg, NULL, 10) : 0;

		switch (o) {
		case 'f':
			from = optarg;
			break;
		case 's':
			speed = strtod(optarg, NULL);
			break;
		case 'p':
			port = value;
			break;
		case 'd':
			drop = value;
			break;
		case 'b':
			burst = value;
			break;
		case 'w':
			swap = value;
			break;
		case 't':
			twice = value;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 2)
		errx(2, "CAPTURE and ADDRESS:PORT are needed");
	read_capture(argv[optind], port);
	send_all(open_socket(argv[optind + 1], from));
	printf("{\"packets\": %zu, \"sent\": %" PRIu64 ", \"dropped\": %" PRIu64
	       ", \"swapped\": %" PRIu64 ", \"twice\": %" PRIu64 "}\n",
	       packet_count, done.sent, done.dropped, done.swapped, done.twice);
	return 0;
}
