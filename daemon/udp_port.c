/* SPDX-License-Identifier: Apache-2.0 */
/* udp_port.c - see udp_port.h */
#include "daemon/udp_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"

struct udp_port {
	LIST_ENTRY(udp_port) link;
	LIST_HEAD(, udp_listener) listeners;
	struct udp_address address;
	struct udp_socket *socket;
	/** What was read and is not yet dispatched. */
	unsigned int at;
	unsigned int count;
	uint64_t dropped;
};

/* ---- sockets of the service manager ---- */

void udp_ports_deinit(struct udp_ports *p)
{
	while (p->inherited_count > 0)
		close_fd(p->inherited[--p->inherited_count].fd);
}

static int get_int_option(int fd, int name)
{
	socklen_t length = sizeof(int);
	int value = -1;

	return getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

/* Return: 0 or -EINVAL. */
static int get_bound_address(int fd, struct udp_address *ret_address)
{
	struct sockaddr_in sa;
	socklen_t length = sizeof(sa);

	if (get_int_option(fd, SO_TYPE) != SOCK_DGRAM || get_int_option(fd, SO_DOMAIN) != AF_INET)
		return -EINVAL;
	if (getsockname(fd, (struct sockaddr *)&sa, &length) < 0 || sa.sin_port == 0)
		return -EINVAL;
	*ret_address = udp_address_from_sockaddr(&sa);
	return 0;
}

int udp_ports_inherit(struct udp_ports *p, int fd, const char *name, struct problem *problem)
{
	CLEANUP(cleanup_fd) int taken = fd;
	struct udp_inherited *i = &p->inherited[p->inherited_count];

	if (p->inherited_count == sizeof(p->inherited) / sizeof(p->inherited[0]))
		return problem_set(problem, -E2BIG,
				   "the socket \"%.40s\" of the service manager is one too many; "
				   "at most %u are taken", name, LIDARD_SENSORS_MAX);
	if (get_bound_address(fd, &i->address) < 0)
		return problem_set(problem, -EINVAL,
				   "the socket \"%.40s\" of the service manager is not one for UDP "
				   "over IPv4: its unit should say ListenDatagram=ADDRESS:PORT", name);
	snprintf(i->name, sizeof(i->name), "%.*s", (int)sizeof(i->name) - 1, name);
	i->fd = steal_fd(&taken);
	p->inherited_count++;
	return 0;
}

static const struct udp_inherited *find_by_name(const struct udp_ports *p, const char *name)
{
	unsigned int i;

	for (i = 0; i < p->inherited_count; i++)
		if (strcmp(p->inherited[i].name, name) == 0)
			return &p->inherited[i];
	return NULL;
}

static const struct udp_inherited *find_by_address(const struct udp_ports *p,
						   const struct udp_address *address)
{
	unsigned int i;

	for (i = 0; i < p->inherited_count; i++)
		if (udp_address_equal(&p->inherited[i].address, address))
			return &p->inherited[i];
	return NULL;
}

/* A unit and a configuration that say different things: one of them is a mistake. */
static int check_inherited(const struct udp_ports *p, const struct udp_wish *wish,
			   struct problem *problem)
{
	const struct udp_inherited *i = find_by_name(p, wish->name);
	char bound[UDP_ADDRESS_TEXT_MAX], wanted[UDP_ADDRESS_TEXT_MAX];

	if (!i || udp_address_equal(&i->address, &wish->listen))
		return 0;
	udp_address_format(&i->address, bound);
	udp_address_format(&wish->listen, wanted);
	return problem_set(problem, -EINVAL,
			   "listen = %s, but the service manager's socket \"%s\" is bound to %s; "
			   "ListenDatagram= of its unit must say the same",
			   wanted, wish->name, bound);
}

/* ---- ports ---- */

static struct udp_port *find_port(const struct udp_ports *ports, const struct udp_address *address)
{
	struct udp_port *p;

	LIST_FOREACH(p, &ports->ports, link)
		if (udp_address_equal(&p->address, address))
			return p;
	return NULL;
}

static void port_free_unused(struct udp_port *p)
{
	if (!LIST_EMPTY(&p->listeners))
		return;
	LIST_REMOVE(p, link);
	udp_socket_free(p->socket);
	free(p);
}

static int port_open(struct udp_ports *ports, const struct udp_wish *wish,
		     struct udp_port **ret_port, struct problem *problem)
{
	const struct udp_inherited *inherited = find_by_address(ports, &wish->listen);
	struct udp_port *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return problem_set(problem, -ENOMEM, "out of memory");
	if (inherited)
		r = udp_socket_adopt(inherited->fd, UDP_DATAGRAM_BYTES_MAX, &p->socket, problem);
	else
		r = udp_socket_open(&wish->listen, UDP_DATAGRAM_BYTES_MAX, &p->socket, problem);
	if (r < 0) {
		free(p);
		return r;
	}
	p->address = wish->listen;
	LIST_INIT(&p->listeners);
	LIST_INSERT_HEAD(&ports->ports, p, link);
	*ret_port = p;
	return 0;
}

/* Room for all who share the port. */
static void grow_buffer(struct udp_port *p, struct problem *notice)
{
	const struct udp_listener *l;
	size_t wanted = 0, got;

	LIST_FOREACH(l, &p->listeners, link)
		wanted += l->buffer_bytes;
	got = udp_socket_grow_buffer(p->socket, wanted);
	notice->text[0] = '\0';
	if (got < wanted)
		problem_set(notice, 0,
			    "the kernel holds only %zu of the %zu bytes that may have to wait for "
			    "lidard, so packets will be lost when it is busy: raise sysctl "
			    "net.core.rmem_max to %zu, or hand the socket over by a unit with "
			    "ReceiveBuffer=%zu",
			    got, wanted, wanted, wanted);
}

int udp_ports_listen(struct udp_ports *ports, struct udp_listener *l, const struct udp_wish *wish,
		     struct problem *notice, struct problem *problem)
{
	struct udp_port *p;
	int r = check_inherited(ports, wish, problem);

	if (r < 0)
		return r;
	p = find_port(ports, &wish->listen);
	if (!p)
		r = port_open(ports, wish, &p, problem);
	if (r < 0)
		return r;
	l->port = p;
	l->interface = wish->interface;
	if (udp_listener_is_multicast(l))
		r = udp_listener_rejoin(l, problem);
	if (r < 0) {
		l->port = NULL;
		port_free_unused(p);
		return r;
	}
	l->full = false;
	l->buffer_bytes = wish->buffer_bytes;
	udp_listener_refresh(l); /* what was dropped before concerns the others */
	LIST_INSERT_HEAD(&p->listeners, l, link);
	grow_buffer(p, notice);
	return 0;
}

void udp_listener_leave(struct udp_listener *l)
{
	struct udp_port *p = l->port;
	struct udp_listener *other;

	if (!p)
		return;
	udp_listener_refresh(l);
	LIST_REMOVE(l, link);
	l->port = NULL;
	/* whoever waits for this one need not any more */
	LIST_FOREACH(other, &p->listeners, link)
		other->wake(other);
	port_free_unused(p);
}

bool udp_listener_is_multicast(const struct udp_listener *l)
{
	return udp_address_is_multicast(&l->port->address);
}

int udp_listener_rejoin(const struct udp_listener *l, struct problem *problem)
{
	return udp_socket_join(l->port->socket, l->port->address.address, l->interface, problem);
}

int udp_listener_get_fd(const struct udp_listener *l)
{
	return udp_socket_get_fd(l->port->socket);
}

/* ---- datagrams ---- */

static void tell_dropped(struct udp_port *p, uint64_t dropped)
{
	struct udp_listener *l;

	LIST_FOREACH(l, &p->listeners, link)
		l->dropped += dropped - p->dropped;
	p->dropped = dropped;
}

void udp_listener_refresh(struct udp_listener *l)
{
	if (l->port)
		tell_dropped(l->port, udp_socket_ask_dropped(l->port->socket));
}

/* Hot path. */
static bool somebody_is_full(const struct udp_port *p)
{
	const struct udp_listener *l;

	LIST_FOREACH(l, &p->listeners, link)
		if (l->full)
			return true;
	return false;
}

/* Hot path. */
static int receive(struct udp_port *p)
{
	int r = udp_socket_receive(p->socket);

	p->at = 0;
	p->count = r < 0 ? 0 : (unsigned int)r;
	if (r > 0)
		tell_dropped(p, udp_socket_get_dropped(p->socket));
	return r;
}

int udp_listener_dispatch(struct udp_listener *l, unsigned int budget)
{
	const struct udp_datagram *d;
	struct udp_port *p = l->port;
	int r;

	for (; budget > 0; budget--) {
		if (somebody_is_full(p))
			return 1;
		if (p->at == p->count) {
			r = receive(p);
			if (r <= 0)
				return r;
		}
		d = udp_socket_get(p->socket, p->at++);
		LIST_FOREACH(l, &p->listeners, link)
			l->deliver(l, d);
	}
	return 1;
}
