/* SPDX-License-Identifier: Apache-2.0 */
/* udp_socket.c - see udp_socket.h */
#include "daemon/udp_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

/** A datagram that waited for longer was not stamped by the clock as it is now. */
#define AGE_MAX_NS (10 * NSEC_PER_SEC)
/** Realtime and monotonic clock, read twice: so far apart they are slewed, not set. */
#define STEP_NS (100 * NSEC_PER_USEC)
/** What is thrown away at the beginning, at most: nobody sends so much so fast. */
#define STALE_MAX 1000000u

union control {
	char bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(uint32_t)) +
		   CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr align;
};

struct udp_socket {
	int fd;
	struct udp_address bound;
	size_t room_bytes;
	uint8_t *buffers;
	struct mmsghdr messages[UDP_SOCKET_BATCH];
	struct iovec rooms[UDP_SOCKET_BATCH];
	struct sockaddr_in sources[UDP_SOCKET_BATCH];
	union control controls[UDP_SOCKET_BATCH];
	struct udp_datagram datagrams[UDP_SOCKET_BATCH];
	/** The kernel's count, which wraps, as last seen; and ours. */
	uint32_t kernel_dropped;
	uint64_t dropped;
	/** CLOCK_REALTIME - CLOCK_MONOTONIC when last read; it jumps when the clock is set. */
	int64_t clock_offset_ns;
};

/* ---- life ---- */

static int make_buffers(struct udp_socket *s, size_t room_bytes)
{
	unsigned int i;

	s->room_bytes = room_bytes;
	s->buffers = malloc(UDP_SOCKET_BATCH * room_bytes);
	if (!s->buffers)
		return -ENOMEM;
	for (i = 0; i < UDP_SOCKET_BATCH; i++) {
		s->rooms[i] = (struct iovec){ s->buffers + i * room_bytes, room_bytes };
		s->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &s->sources[i],
			.msg_iov = &s->rooms[i],
			.msg_iovlen = 1,
			.msg_control = &s->controls[i],
		};
	}
	return 0;
}

struct udp_socket *udp_socket_free(struct udp_socket *s)
{
	if (!s)
		return NULL;
	close_fd(s->fd);
	free(s->buffers);
	free(s);
	return NULL;
}

static void cleanup_socket(struct udp_socket **s)
{
	*s = udp_socket_free(*s);
}

static int set_option(const struct udp_socket *s, int level, int name, int value)
{
	return setsockopt(s->fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int64_t get_clock_offset(uint64_t realtime_ns, uint64_t monotonic_ns)
{
	return (int64_t)(realtime_ns - monotonic_ns);
}

/* Throw away what came before we listened. */
static void drain(struct udp_socket *s)
{
	unsigned int i;
	char byte;

	for (i = 0; i < STALE_MAX; i++)
		if (recv(s->fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) < 0 &&
		    errno != EINTR)
			return;
}

static uint32_t ask_kernel_dropped(const struct udp_socket *s)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t length = sizeof(info);

	/* since Linux 4.12, which nobody who has recvmmsg and iceoryx lacks */
	if (getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, info, &length) < 0)
		return s->kernel_dropped;
	return info[SK_MEMINFO_DROPS];
}

/* Who listens at any address is told by each datagram where it went to. */
static int find_bound(struct udp_socket *s)
{
	struct sockaddr_in sa = { 0 };
	socklen_t length = sizeof(sa);

	if (getsockname(s->fd, (struct sockaddr *)&sa, &length) < 0)
		return -errno;
	s->bound = udp_address_from_sockaddr(&sa);
	return s->bound.address ? 0 : set_option(s, IPPROTO_IP, IP_PKTINFO, 1);
}

/* From here on every datagram has its stamp and the count of those lost before it. */
static int begin(struct udp_socket *s, struct problem *problem)
{
	int r = set_option(s, SOL_SOCKET, SO_TIMESTAMPNS, 1);

	if (r == 0)
		r = set_option(s, SOL_SOCKET, SO_RXQ_OVFL, 1);
	if (r == 0)
		r = find_bound(s);
	if (r < 0)
		return problem_set(problem, r, "cannot set up the socket: %s", strerror(-r));
	s->clock_offset_ns = get_clock_offset(clock_read_ns(CLOCK_REALTIME), clock_now_ns());
	drain(s);
	s->kernel_dropped = ask_kernel_dropped(s);
	return 0;
}

static int socket_new(size_t room_bytes, struct udp_socket **ret_socket, struct problem *problem)
{
	CLEANUP(cleanup_socket) struct udp_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return problem_set(problem, -ENOMEM, "out of memory");
	s->fd = -1;
	if (make_buffers(s, room_bytes) < 0)
		return problem_set(problem, -ENOMEM, "out of memory");
	*ret_socket = STEAL(s);
	return 0;
}

static int bind_socket(struct udp_socket *s, const struct udp_address *listen)
{
	struct sockaddr_in sa = udp_address_to_sockaddr(listen);
	int r = 0;

	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	/* a group's packets reach all who listen: another program may, too */
	if (udp_address_is_multicast(listen))
		r = set_option(s, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r < 0)
		return r;
	return bind(s->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
}

static int explain_bind(const struct udp_address *listen, int error, struct problem *problem)
{
	const char *why = strerror(-error);
	char text[UDP_ADDRESS_TEXT_MAX];

	if (error == -EADDRINUSE)
		why = "another program listens there";
	else if (error == -EADDRNOTAVAIL)
		why = "this machine does not have that address";
	else if (error == -EAFNOSUPPORT || error == -EACCES)
		why = "lidard may not open sockets for the network itself; a socket unit can hand "
		      "it over, see lidard.conf(5)";
	udp_address_format(listen, text);
	return problem_set(problem, error, "cannot listen at %s: %s", text, why);
}

int udp_socket_open(const struct udp_address *listen, size_t room_bytes,
		    struct udp_socket **ret_socket, struct problem *problem)
{
	CLEANUP(cleanup_socket) struct udp_socket *s = NULL;
	int r = socket_new(room_bytes, &s, problem);

	if (r < 0)
		return r;
	r = bind_socket(s, listen);
	if (r < 0)
		return explain_bind(listen, r, problem);
	r = begin(s, problem);
	if (r < 0)
		return r;
	*ret_socket = STEAL(s);
	return 0;
}

int udp_socket_adopt(int fd, size_t room_bytes, struct udp_socket **ret_socket,
		     struct problem *problem)
{
	CLEANUP(cleanup_socket) struct udp_socket *s = NULL;
	int r = socket_new(room_bytes, &s, problem);

	if (r < 0)
		return r;
	s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (s->fd < 0)
		return problem_set(problem, -errno, "cannot duplicate the socket: %s",
				   strerror(errno));
	r = begin(s, problem);
	if (r < 0)
		return r;
	*ret_socket = STEAL(s);
	return 0;
}

int udp_socket_get_fd(const struct udp_socket *s)
{
	return s->fd;
}

/* ---- what the kernel is asked for ---- */

/*
 * By the socket, not by if_nametoindex(): lidard may live in a network
 * namespace of its own, and a socket handed over in another.
 */
static int find_interface(const struct udp_socket *s, const char *name, int *ret_index)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(s->fd, SIOCGIFINDEX, &request) < 0)
		return -errno;
	*ret_index = request.ifr_ifindex;
	return 0;
}

int udp_socket_join(struct udp_socket *s, uint32_t group, const char *interface,
		    struct problem *problem)
{
	struct ip_mreqn request = { .imr_multiaddr.s_addr = htonl(group) };
	char text[UDP_ADDRESS_TEXT_MAX];
	int r;

	/* of the interfaces that are joined here, not of those that others have joined */
	set_option(s, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	if (interface[0]) {
		r = find_interface(s, interface, &request.imr_ifindex);
		if (r < 0)
			return problem_set(problem, r, "interface = %s: %s", interface,
					   strerror(-r));
	}
	if (setsockopt(s->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)) == 0 ||
	    errno == EADDRINUSE)
		return 0;
	r = -errno;
	udp_address_format_host(group, text);
	if (r == -ENODEV && !interface[0])
		return problem_set(problem, r,
				   "cannot join %s: no route leads there; set interface = NAME",
				   text);
	return problem_set(problem, r, "cannot join %s%s%s: %s", text, interface[0] ? " at " : "",
			   interface, strerror(-r));
}

/* The kernel keeps twice of what was asked for, for its own book-keeping. */
static size_t get_buffer(const struct udp_socket *s)
{
	socklen_t length = sizeof(int);
	int twice = 0;

	getsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &twice, &length);
	return (size_t)twice / 2;
}

size_t udp_socket_grow_buffer(struct udp_socket *s, size_t bytes)
{
	int value = bytes < INT32_MAX / 2 ? (int)bytes : INT32_MAX / 2;

	if (get_buffer(s) >= bytes)
		return get_buffer(s);
	if (set_option(s, SOL_SOCKET, SO_RCVBUFFORCE, value) < 0)
		set_option(s, SOL_SOCKET, SO_RCVBUF, value);
	return get_buffer(s);
}

/* ---- receiving ---- */

uint64_t udp_time_to_monotonic(uint64_t stamp_ns, uint64_t realtime_ns, uint64_t monotonic_ns)
{
	uint64_t age_ns = realtime_ns - stamp_ns;

	if (stamp_ns > realtime_ns || age_ns > AGE_MAX_NS || age_ns > monotonic_ns)
		return monotonic_ns;
	return monotonic_ns - age_ns;
}

static void count_dropped(struct udp_socket *s, uint32_t kernel_dropped)
{
	uint32_t more = kernel_dropped - s->kernel_dropped;

	/* what was asked of the kernel is ahead of what datagrams in the queue say */
	if (more > INT32_MAX)
		return;
	s->dropped += more;
	s->kernel_dropped = kernel_dropped;
}

/* Hot path. */
static void read_control(struct udp_socket *s, struct msghdr *m, struct udp_datagram *d,
			 uint64_t *ret_stamp_ns)
{
	struct in_pktinfo pktinfo;
	struct cmsghdr *c;
	struct timespec ts;
	uint32_t dropped;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&pktinfo, CMSG_DATA(c), sizeof(pktinfo));
			d->destination.address = ntohl(pktinfo.ipi_addr.s_addr);
		}
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			*ret_stamp_ns = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
		} else if (c->cmsg_type == SO_RXQ_OVFL) {
			memcpy(&dropped, CMSG_DATA(c), sizeof(dropped));
			count_dropped(s, dropped);
		}
	}
}

/* Was the clock set since the last batch was read? Then its stamps tell nothing. Hot path. */
static bool clock_was_set(struct udp_socket *s, uint64_t realtime_ns, uint64_t monotonic_ns)
{
	int64_t offset_ns = get_clock_offset(realtime_ns, monotonic_ns);
	int64_t step_ns = offset_ns - s->clock_offset_ns;

	s->clock_offset_ns = offset_ns;
	return step_ns > (int64_t)STEP_NS || step_ns < -(int64_t)STEP_NS;
}

/* Hot path. */
int udp_socket_receive(struct udp_socket *s)
{
	uint64_t realtime_ns, monotonic_ns, stamp_ns;
	bool set;
	int i, count;

	for (i = 0; i < UDP_SOCKET_BATCH; i++) {
		s->messages[i].msg_hdr.msg_namelen = sizeof(s->sources[i]);
		s->messages[i].msg_hdr.msg_controllen = sizeof(s->controls[i]);
	}
	count = recvmmsg(s->fd, s->messages, UDP_SOCKET_BATCH, MSG_DONTWAIT, NULL);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	/* in this order: what comes between the two makes a stamp later, not earlier */
	realtime_ns = clock_read_ns(CLOCK_REALTIME);
	monotonic_ns = clock_now_ns();
	set = clock_was_set(s, realtime_ns, monotonic_ns);
	for (i = 0; i < count; i++) {
		struct msghdr *m = &s->messages[i].msg_hdr;
		struct udp_datagram *d = &s->datagrams[i];

		stamp_ns = UINT64_MAX;
		d->destination = s->bound;
		read_control(s, m, d, &stamp_ns);
		d->data = s->buffers + (size_t)i * s->room_bytes;
		d->bytes = s->messages[i].msg_len;
		d->truncated = m->msg_flags & MSG_TRUNC;
		d->source = udp_address_from_sockaddr(&s->sources[i]);
		d->arrival_ns = set ? monotonic_ns :
				      udp_time_to_monotonic(stamp_ns, realtime_ns, monotonic_ns);
		d->realtime_ns = realtime_ns - (monotonic_ns - d->arrival_ns);
	}
	return count;
}

const struct udp_datagram *udp_socket_get(const struct udp_socket *s, unsigned int i)
{
	return &s->datagrams[i];
}

uint64_t udp_socket_get_dropped(const struct udp_socket *s)
{
	return s->dropped;
}

uint64_t udp_socket_ask_dropped(struct udp_socket *s)
{
	count_dropped(s, ask_kernel_dropped(s));
	return s->dropped;
}
