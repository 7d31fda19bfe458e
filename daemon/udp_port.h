/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp_port.h - addresses that sensors send to, shared by those that send to the same
 *
 * A unicast datagram reaches one socket, so sensors that send to one address
 * and port share one here, and each sees all that comes: whose it is, its
 * decoder knows (by serial), or its listener (by the sender).  Sockets of the
 * service manager are kept here for as long as lidard runs, and found again
 * whenever a sensor starts.
 *
 * Whichever source is woken reads for all.  A listener that has slices to hand
 * out is full: nothing is dispatched to anybody until its source has handed
 * them out, or loans would be missing though there are some.
 *
 * One thread.
 */
#ifndef DAEMON_UDP_PORT_H
#define DAEMON_UDP_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/problem.h"
#include "daemon/udp_socket.h"
#include "lidard/control.h"

struct udp_port;

/** Who wants a port's datagrams; embedded in a source. */
struct udp_listener {
	LIST_ENTRY(udp_listener) link;
	struct udp_port *port;
	/** For multicast; "": as the routes say. Borrowed, as in its wish. */
	const char *interface;
	/** Take one in. Hot path. */
	void (*deliver)(struct udp_listener *l, const struct udp_datagram *d);
	/** Have next() called soon. */
	void (*wake)(struct udp_listener *l);
	/** It has slices to hand out; the source keeps it so. */
	bool full;
	/** Datagrams that the kernel dropped at this port while it listened. */
	uint64_t dropped;
	/** Share of the receive buffer. */
	size_t buffer_bytes;
};

/** A socket of the service manager. */
struct udp_inherited {
	int fd;
	struct udp_address address;
	char name[LIDARD_SENSOR_NAME_MAX];
};

/** All ports of lidard. */
struct udp_ports {
	LIST_HEAD(, udp_port) ports;
	struct udp_inherited inherited[LIDARD_SENSORS_MAX];
	unsigned int inherited_count;
};

/** What a listener wants. Borrowed while udp_ports_listen() runs; interface while it listens. */
struct udp_wish {
	/** The sensor's name: a socket handed over under it is its. */
	const char *name;
	struct udp_address listen;
	/** For multicast; "": as the routes say. */
	const char *interface;
	/** Room for so many bytes of this sensor's packets in the kernel. */
	size_t buffer_bytes;
};

/** An empty set is all zeros. */
void udp_ports_deinit(struct udp_ports *p);

/**
 * udp_ports_inherit() - keep a socket that the service manager handed over
 * @fd: taken, also on failure
 * @name: the sensor it is for, or any other
 *
 * Return: 0; negative errno with @problem set: it is not a bound IPv4 UDP socket, or one too many.
 */
int udp_ports_inherit(struct udp_ports *p, int fd, const char *name, struct problem *problem);

/**
 * udp_ports_listen() - have a port's datagrams delivered from now on
 * @l: its callbacks are set
 * @notice: what the administrator should know though it worked
 *
 * The port's socket is one already open, the service manager's (by the sensor's
 * name, then by the address), or a new one.
 *
 * Return: 0, or negative errno with @problem set.
 */
int udp_ports_listen(struct udp_ports *p, struct udp_listener *l, const struct udp_wish *wish,
		     struct problem *notice, struct problem *problem);
/** udp_listener_leave() - idempotent; the last one closes the port */
void udp_listener_leave(struct udp_listener *l);

/** udp_listener_is_multicast() - does it listen to a group? */
bool udp_listener_is_multicast(const struct udp_listener *l);

/**
 * udp_listener_rejoin() - be a member of its group, at the interface as it is now
 *
 * Membership ends with an interface that is removed, though the socket lives on;
 * one of the same name that comes later must be joined anew.
 *
 * Return: 0, also if it was a member all the time; negative errno with @problem set.
 */
int udp_listener_rejoin(const struct udp_listener *l, struct problem *problem);

/** The port's socket: readable when there are datagrams. */
int udp_listener_get_fd(const struct udp_listener *l);

/**
 * udp_listener_dispatch() - read, and deliver to every listener of the port
 * @budget: datagrams, at most
 *
 * Return: 0: nothing is left; 1: a listener is full, or the budget is used up;
 * negative errno. Hot path.
 */
int udp_listener_dispatch(struct udp_listener *l, unsigned int budget);

/** udp_listener_refresh() - bring dropped up to date */
void udp_listener_refresh(struct udp_listener *l);

#endif /* DAEMON_UDP_PORT_H */
