/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port.h - where one subscription meets one life of the transport
 *
 * A subscription replaces its port when the broker was restarted.  The old
 * port is then retired: it stays until the last slice lent from it is back, so
 * that the application can go on reading those.
 */
#ifndef LIBCLIENT_PORT_H
#define LIBCLIENT_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "libclient/transport_life.h"

struct port {
	const struct transport_ops *ops;
	struct transport_subscription *handle;
	/* lent: a life with a port is never freed */
	struct transport_life *life;
	/* what it was made from */
	char service[TRANSPORT_NAME_MAX];
	char instance[TRANSPORT_NAME_MAX];
	char event[TRANSPORT_NAME_MAX];
	/* the transport's eventfd, lent; -1 until somebody sleeps */
	int event_fd;
	/* slices out */
	uint32_t lent;
	/* replaced by another port: goes with the last slice */
	bool retired;
	/* its broker is gone: nothing can be given back to it */
	bool broker_gone;
};

/** Return: 0; or as transport_life_open() and transport_ops.subscribe(). */
int port_new(struct transport_life *life, const struct transport_subscribe *params, char *error,
	     size_t error_bytes, struct port **ret_port);
/**
 * port_close() - close and free it; slices still lent become invalid; NULL is allowed
 *
 * Return: is its memory free again? If not, the broker goes on keeping slices for it until this
 * process ends.
 */
bool port_close(struct port *p);

/** Was the port made from these, in this life? */
bool port_matches(const struct port *p, const struct transport_life *life,
		  const struct transport_subscribe *params);

/** The subscription has another port now; NULL is allowed. */
void port_retire(struct port *p, bool broker_gone);

/** Have an eventfd for news. Return: 0; negative errno. */
int port_open_event(struct port *p);

/** Nothing was waiting: take back the news. Return: has data come meanwhile? */
bool port_clear_event(struct port *p);

/* hot path */
static inline bool port_has_data(struct port *p)
{
	return p->ops->has_data(p->handle);
}

/* hot path */
void port_release(struct port *p, const void *payload);

#endif /* LIBCLIENT_PORT_H */
