/* SPDX-License-Identifier: Apache-2.0 */
/* port.c - see port.h */
#include "libclient/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

int port_new(struct transport_life *life, const struct transport_subscribe *params, char *error,
	     size_t error_bytes, struct port **ret_port)
{
	struct port *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->life = life;
	p->event_fd = -1;
	snprintf(p->service, sizeof(p->service), "%s", params->service);
	snprintf(p->instance, sizeof(p->instance), "%s", params->instance);
	snprintf(p->event, sizeof(p->event), "%s", params->event);
	r = transport_life_open(life, &p->ops, error, error_bytes);
	if (r == 0) {
		r = p->ops->subscribe(params, &p->handle);
		if (r < 0)
			snprintf(error, error_bytes, "iceoryx refused a subscriber: %s",
				 strerror(-r));
	}
	if (r < 0) {
		free(p);
		return r;
	}
	*ret_port = p;
	return 0;
}

bool port_close(struct port *p)
{
	bool given_back;

	if (!p)
		return true;
	given_back = p->ops->unsubscribe(p->handle);
	free(p);
	return given_back;
}

bool port_matches(const struct port *p, const struct transport_life *life,
		  const struct transport_subscribe *params)
{
	return p && p->life == life && strcmp(p->service, params->service) == 0 &&
	       strcmp(p->instance, params->instance) == 0 && strcmp(p->event, params->event) == 0;
}

void port_retire(struct port *p, bool broker_gone)
{
	if (!p)
		return;
	p->retired = true;
	p->broker_gone = broker_gone;
	if (p->lent == 0)
		port_close(p);
}

int port_open_event(struct port *p)
{
	int fd;

	if (p->event_fd >= 0)
		return 0;
	fd = p->ops->get_fd(p->handle);
	if (fd < 0)
		return fd;
	p->event_fd = fd;
	return 0;
}

bool port_clear_event(struct port *p)
{
	eventfd_t value;

	if (p->event_fd < 0)
		return false;
	eventfd_read(p->event_fd, &value);
	if (!port_has_data(p))
		return false;
	eventfd_write(p->event_fd, 1);
	return true;
}

void port_release(struct port *p, const void *payload)
{
	if (!p->broker_gone)
		p->ops->release(p->handle, payload);
	if (--p->lent == 0 && p->retired)
		port_close(p);
}
