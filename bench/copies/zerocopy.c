/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zerocopy.c - memory, send() with MSG_ZEROCOPY: its pages are lent to the socket
 *
 * The kernel tells by the socket's error queue when it is done with a send's pages,
 * and whether it copied them after all, as it does where the receiver is on the same
 * machine.  Nobody writes the frames again, so they need not be waited for but at the
 * end, or when more are lent than the socket may remember.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* after <time.h>, which it needs */
#include <linux/errqueue.h>

#include "bench/copies/copies.h"

/* Sends that were lent. */
static uint64_t lent;

static void open_path(struct copies *c)
{
	int on = 1;

	if (setsockopt(c->socket, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) == 0)
		return;
	copies_skip(c->tcp ? "this kernel has no MSG_ZEROCOPY" :
			     "Unix sockets have no MSG_ZEROCOPY");
}

static void note(struct copies *c, const struct sock_extended_err *e)
{
	uint64_t sends = (uint64_t)(e->ee_data - e->ee_info) + 1;

	if (e->ee_origin != SO_EE_ORIGIN_ZEROCOPY || e->ee_errno != 0) {
		errno = (int)e->ee_errno;
		copies_give_up("notification");
	}
	c->told += sends;
	if (e->ee_code & SO_EE_CODE_ZEROCOPY_COPIED)
		c->copied += sends;
}

/* Return: false if there is no notification. */
static bool hear(struct copies *c)
{
	char control[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in))];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	struct sock_extended_err e;

	c->calls++;
	if (recvmsg(c->socket, &msg, MSG_ERRQUEUE) < 0) {
		if (errno != EAGAIN)
			copies_give_up("notification");
		return false;
	}
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_IP && cmsg->cmsg_type == IP_RECVERR) {
			memcpy(&e, CMSG_DATA(cmsg), sizeof(e));
			note(c, &e);
		}
	return true;
}

static void wait_and_hear(struct copies *c)
{
	/* errors are always reported */
	struct pollfd p = { .fd = c->socket };

	c->calls++;
	if (poll(&p, 1, -1) < 0)
		copies_give_up("poll");
	hear(c);
}

static void send_frame(struct copies *c, uint64_t index)
{
	const uint8_t *frame = c->memory + copies_get_offset(c, index);
	uint64_t at = 0;
	ssize_t n;

	while (at < c->bytes) {
		n = send(c->socket, frame + at, c->bytes - at, MSG_ZEROCOPY);
		c->calls++;
		if (n > 0) {
			at += (uint64_t)n;
			lent++;
		} else if (n < 0 && errno == ENOBUFS) {
			wait_and_hear(c);
		} else {
			copies_give_up("send");
		}
	}
	/* one notification may tell of many sends */
	hear(c);
}

static void finish(struct copies *c)
{
	while (c->told < lent)
		wait_and_hear(c);
}

const struct copies_path copies_zerocopy_path = {
	.name = "zerocopy",
	.open = open_path,
	.send = send_frame,
	.finish = finish,
};
