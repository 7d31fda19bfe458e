/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reservation.h - what lidard set aside for a subscription
 *
 * The control side of a subscription: memory for queue + held slices, a number
 * in the client's connection, and the page of counters.  It is live while it
 * was made in the connection the client has now.  The page is mapped once and
 * keeps its address; a new reservation puts its own page there (page.h).
 *
 * Embedded in its subscription; belongs to the client's thread.
 */
#ifndef LIBCLIENT_RESERVATION_H
#define LIBCLIENT_RESERVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "libclient/transport.h"
#include "libclient/varlink.h"
#include "lidard/control.h"

struct lidard_client;

struct reservation {
	struct lidard_client *client;
	/* asked for; 0: what lidard suggests */
	char sensor[LIDARD_SENSOR_NAME_MAX];
	uint32_t queue;
	uint32_t held;
	uint32_t policy;
	/* the client's connection it was made in, and its number there; 0: none */
	uint32_t connection;
	uint64_t id;
	/* owned; NULL before the first grant */
	struct lidard_subscriber_page *page;
};

/** lidard's answer, checked. */
struct reservation_grant {
	uint64_t id;
	uint32_t queue;
	uint32_t held;
	uint64_t slice_bytes;
	/** How to reach the slices; strings belong to the reply. */
	struct transport_subscribe transport;
	struct varlink_reply reply;
};

/**
 * reservation_request() - ask lidard, and have the page
 * @r: the reservation; live only after reservation_confirm()
 * @deadline_ns: CLOCK_MONOTONIC
 * @ret_grant: to be confirmed or withdrawn
 *
 * Return: 0; as client_exchange(); -EPROTO; -ENOMEM.
 */
int reservation_request(struct reservation *r, uint64_t deadline_ns,
			struct reservation_grant *ret_grant);

/** The slices were reached: the reservation is live. */
void reservation_confirm(struct reservation *r, struct reservation_grant *grant);

/** They were not: give it back. The client's error text stays as it is. */
void reservation_withdraw(struct reservation *r, struct reservation_grant *grant,
			  uint64_t deadline_ns);

/** Was it made in the connection the client has now? */
bool reservation_is_live(const struct reservation *r);

/** End what there is in lidard; none is fine. */
void reservation_cancel(struct reservation *r, uint64_t deadline_ns);

/** Unmap the page. Twice is fine. */
void reservation_deinit(struct reservation *r);

#endif /* LIBCLIENT_RESERVATION_H */
