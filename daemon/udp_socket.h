/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp_socket.h - datagrams from the network, with what the kernel knows of them
 *
 * A socket receives in batches, straight into buffers made when it is opened.
 * Of each datagram it says who sent it and when it arrived at this machine;
 * of those that it has not, how many the kernel threw away because the receive
 * buffer was full.
 *
 * When: the kernel stamps each datagram as it arrives, but by CLOCK_REALTIME.
 * Its age, as of the moment it is read, is the same by any clock; where that
 * cannot be right (the clock was set meanwhile), the time of reading is taken:
 * later than the truth, never before it.  So it is with the first datagrams
 * where nobody else has asked for stamps: the kernel switches them on in its
 * own time.
 *
 * What was queued before the socket was opened here (a service manager's socket
 * has been open for longer) is thrown away: it is old, and without a stamp.
 *
 * One thread.
 */
#ifndef DAEMON_UDP_SOCKET_H
#define DAEMON_UDP_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/problem.h"
#include "daemon/udp_address.h"

/** Datagrams read by one system call. */
#define UDP_SOCKET_BATCH 16
/** The largest payload that IPv4 carries, and so the room for one datagram. */
#define UDP_DATAGRAM_BYTES_MAX 65507u

struct udp_socket;

/** data is valid until the next receive. */
struct udp_datagram {
	const uint8_t *data;
	size_t bytes;
	struct udp_address source;
	struct udp_address destination;
	/** CLOCK_MONOTONIC; never later than when it was read. */
	uint64_t arrival_ns;
	/** The same moment by CLOCK_REALTIME, as it is set now. */
	uint64_t realtime_ns;
	/** Longer than its buffer: the end is missing. */
	bool truncated;
};

/**
 * udp_socket_open() - bind a socket of our own
 * @room_bytes: of each buffer: UDP_DATAGRAM_BYTES_MAX but in tests
 *
 * Return: 0, or negative errno with @problem set.
 */
int udp_socket_open(const struct udp_address *listen, size_t room_bytes,
		    struct udp_socket **ret_socket, struct problem *problem);

/**
 * udp_socket_adopt() - use a socket that somebody else bound
 * @fd: borrowed; duplicated
 *
 * Return: 0, or negative errno with @problem set.
 */
int udp_socket_adopt(int fd, size_t room_bytes, struct udp_socket **ret_socket,
		     struct problem *problem);

/** Return: NULL. NULL is allowed. */
struct udp_socket *udp_socket_free(struct udp_socket *s);

int udp_socket_get_fd(const struct udp_socket *s);

/**
 * udp_socket_join() - take part in a multicast group; again if need be
 * @interface: "": as the routes say
 *
 * Return: 0, or negative errno with @problem set.
 */
int udp_socket_join(struct udp_socket *s, uint32_t group, const char *interface,
		    struct problem *problem);

/**
 * udp_socket_grow_buffer() - have room for so many bytes of datagrams in the kernel
 *
 * Never makes it smaller. Return: the bytes there is room for: fewer where the
 * kernel's limit is lower and we may not pass it.
 */
size_t udp_socket_grow_buffer(struct udp_socket *s, size_t bytes);

/**
 * udp_socket_receive() - read what is there, at most UDP_SOCKET_BATCH
 *
 * Return: how many, 0 if there is nothing; negative errno. Hot path.
 */
int udp_socket_receive(struct udp_socket *s);
/** Of the last receive. Hot path. */
const struct udp_datagram *udp_socket_get(const struct udp_socket *s, unsigned int i);

/**
 * Datagrams the kernel dropped since the socket was opened here, as known from
 * those received after them. Hot path.
 */
uint64_t udp_socket_get_dropped(const struct udp_socket *s);
/** The same, asked of the kernel: those after which nothing came are there, too. */
uint64_t udp_socket_ask_dropped(struct udp_socket *s);

/**
 * udp_time_to_monotonic() - CLOCK_MONOTONIC of a stamp of CLOCK_REALTIME
 * @realtime_ns, @monotonic_ns: now, by both clocks
 *
 * Return: @monotonic_ns where the stamp lies ahead of now, or further back than
 * any datagram waits.
 */
uint64_t udp_time_to_monotonic(uint64_t stamp_ns, uint64_t realtime_ns, uint64_t monotonic_ns);

#endif /* DAEMON_UDP_SOCKET_H */
