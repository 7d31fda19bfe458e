/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lcm.c - LCM over UDP multicast on the loopback interface
 *
 * What is sent once is received by all, and nobody waits: what a socket has no room for
 * is lost, with it the message it was a part of.  Frames of 64 KiB and more go as
 * fragments, which the library puts together.  Its receiving thread is part of the
 * process.  The network is one of our own, which has a loopback interface and nothing else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <lcm/lcm.h>

#include "bench/fanout/fanout.h"

#define CHANNEL "FRAMES"
/* TTL 0: not beyond this machine; a buffer as others have, of which the system may give less */
#define PROVIDER "udpm://239.255.76.67:7667?ttl=0&recv_buf_size=16777216"

struct sender {
	lcm_t *lcm;
	uint64_t bytes;
};

struct receiver {
	lcm_t *lcm;
	uint64_t bytes;
	/* who wants frames */
	fanout_look *look;
	void *with;
};

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "lcm: %s: %s\n", what, strerror(errno));
	_exit(EXIT_FAILURE);
}

static struct sockaddr to_address(uint32_t ip)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip) };
	struct sockaddr address;

	memcpy(&address, &in, sizeof(address));
	return address;
}

static void setup(struct fanout *f)
{
	struct ifreq interface = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_MULTICAST };
	struct rtentry route = {
		.rt_dst = to_address(0xe0000000),
		.rt_genmask = to_address(0xf0000000),
		.rt_flags = RTF_UP,
		.rt_dev = interface.ifr_name,
	};
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		bench_die("lcm: no network of its own: %s", strerror(errno));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &interface) < 0 || ioctl(fd, SIOCADDRT, &route) < 0)
		bench_die("lcm: no multicast on the loopback interface: %s", strerror(errno));
	close(fd);
}

static void *producer_open(const struct fanout *f, unsigned int sensor)
{
	struct sender *s = fanout_alloc(sizeof(*s));

	s->bytes = f->bytes;
	s->lcm = lcm_create(PROVIDER);
	if (!s->lcm)
		give_up(PROVIDER);
	return s;
}

static void publish(void *producer, void *frame)
{
	struct sender *s = producer;

	if (lcm_publish(s->lcm, CHANNEL, frame, (unsigned int)s->bytes) < 0)
		give_up("publish");
}

/* The library's memory, until it returns. */
static void on_message(const lcm_recv_buf_t *message, const char *channel, void *receiver)
{
	struct receiver *r = receiver;

	if (message->data_size != r->bytes) {
		fprintf(stderr, "lcm: a frame of %u bytes\n", message->data_size);
		_exit(EXIT_FAILURE);
	}
	r->look(r->with, message->data);
}

static void *subscriber_open(const struct fanout *f, unsigned int index)
{
	struct receiver *r = fanout_alloc(sizeof(*r));
	lcm_subscription_t *subscription;

	r->bytes = f->bytes;
	r->lcm = lcm_create(PROVIDER);
	if (!r->lcm)
		give_up(PROVIDER);
	subscription = lcm_subscribe(r->lcm, CHANNEL, on_message, r);
	if (!subscription)
		give_up("subscribe");
	lcm_subscription_set_queue_capacity(subscription, (int)f->queue);
	return r;
}

static void listen_for(void *subscriber, fanout_look *look, void *with)
{
	struct receiver *r = subscriber;

	r->look = look;
	r->with = with;
	while (lcm_handle(r->lcm) == 0)
		;
	give_up("handle");
}

const struct fanout_ops fanout_lcm = {
	.name = "lcm",
	.may_lose_all = true,
	.setup = setup,
	.producer_open = producer_open,
	.publish = publish,
	.subscriber_open = subscriber_open,
	.listen = listen_for,
	.release = fanout_release_nothing,
};
