/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subscription.h - a sensor's slices on their way to the application
 *
 * A subscription owns what lidard set aside for it (reservation.h), its port
 * (port.h), its pollable fd (wake.h) and an array of slices made when it begins:
 * lending one is taking it off a free list.  While the reservation is not live
 * it resumes from service().
 *
 * Belongs to its client's thread.
 */
#ifndef LIBCLIENT_SUBSCRIPTION_H
#define LIBCLIENT_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "libclient/account.h"
#include "libclient/client.h"
#include "libclient/frame_collector.h"
#include "libclient/port.h"
#include "libclient/reservation.h"
#include "libclient/wake.h"
#include "lidard/control.h"
#include "lidard/lidard.h"
#include "lidard/probes.h"

struct lidard_slice {
	/* NULL: a copy, which owns its memory */
	struct lidard_subscription *subscription;
	struct port *port;
	const struct lidard_slice_header *header;
	const void *payload;
	uint64_t taken_ns;
	/* fork_guard.h */
	uint32_t generation;
	/* while free */
	struct lidard_slice *next;
};

struct lidard_subscription {
	/* fork_guard.h */
	uint32_t generation;
	struct lidard_client *client;
	/* the client's list */
	struct lidard_subscription *next;

	uint32_t wait_mode;
	uint64_t spin_ns;

	struct reservation reservation;
	/* NULL between two lives of the broker */
	struct port *port;
	/* its page is the reservation's */
	struct account account;
	struct wake wake;
	/* what lidard said when the subscription last tried to resume; 0 */
	int error;
	/* CLOCK_MONOTONIC: since when every attempt met another broker than lidard's; 0: it did not */
	uint64_t strange_since_ns;
	/* CLOCK_MONOTONIC of the next attempt to resume, and of the next service() */
	uint64_t retry_ns;
	uint64_t service_ns;

	/* what probes say of it */
	struct lidard_probe_reader probe_reader;
	struct lidard_slice *slices;
	struct lidard_slice *free_slices;
	uint32_t lent;
	/* taken after a loss that had to be reported first (LIDARD_POLICY_LOSSLESS) */
	struct lidard_slice *pending;
	struct frame_collector collector;
};

/** The client has a new connection: give up what was reserved in the old one; another lidard has nothing. */
void subscription_forget(struct lidard_subscription *s, uint64_t deadline_ns);

/** The client has a new connection: subscribe there. What fails is tried again later. */
void subscription_resume(struct lidard_subscription *s, uint64_t deadline_ns);

/** What a slice is taken for. */
enum subscription_take {
	/** The application: the next one. */
	SUBSCRIPTION_NEXT,
	/** The application: the newest there is, the others are passed over. */
	SUBSCRIPTION_NEWEST,
	/** A frame; account_hand_out() or account_give_up() is due later. */
	SUBSCRIPTION_COLLECT,
};

/** subscription_take() - lidard_subscription_take(), for whatever it is meant.
 *
 * Hot path.
 */
int subscription_take(struct lidard_subscription *s, enum subscription_take what,
		      struct lidard_slice **ret_slice);

/** subscription_give_back() - a slice returns to the free list. Hot path. */
void subscription_give_back(struct lidard_subscription *s, struct lidard_slice *slice);

/** Is something there for the next take? Hot path. */
bool subscription_has_data(const struct lidard_subscription *s);

/** Work beside the data: connection, state, timer. */
void subscription_service(struct lidard_subscription *s, uint64_t now_ns);

/** The transport said -ENOTRECOVERABLE. */
void subscription_lose_port(struct lidard_subscription *s);

#endif /* LIBCLIENT_SUBSCRIPTION_H */
