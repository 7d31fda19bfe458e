/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subscription.h - one reader of one sensor, as the daemon knows it
 *
 * The daemon never sees the slices a reader takes: iceoryx carries them past
 * it.  What it has is the reservation (queue + held slices of the sensor's
 * pool) and the page of counters that the reader keeps (control.h).  The page
 * is a sealed memfd made here, so that it cannot shrink under us; whatever is
 * in it is the reader's word and is checked.
 */
#ifndef DAEMON_SUBSCRIPTION_H
#define DAEMON_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/problem.h"
#include "daemon/sensor.h"
#include "lidard/control.h"

struct client;

struct subscription {
	LIST_ENTRY(subscription) of_sensor;
	LIST_ENTRY(subscription) of_client;
	uint64_t id;
	struct sensor *sensor;
	struct client *client;
	/** The connection it came by; 0 once that is closed. */
	uint64_t connection_id;
	uint32_t queue;
	uint32_t held;
	uint32_t policy;
	/** What the sensor was about to publish when the reader was first seen connected. */
	uint64_t joined_incarnation;
	uint64_t joined_index;
	/** The reader's page, mapped read-only. */
	const struct lidard_subscriber_page *page;
};

/** What adds up for one subscription (docs/control.md). */
struct subscription_account {
	uint64_t incarnation;
	uint64_t published;
	uint64_t received;
	uint64_t skipped[LIDARD_SKIP_COUNT];
	uint64_t unseen;
	/** Of a frame that is not whole yet. */
	uint64_t collecting;
	uint64_t waiting;
	bool holds;
};

/**
 * subscription_new() - reserve memory and make the page
 * @ret_page_fd: the page's memfd, for the reader; the caller closes it
 *
 * Return: 0; -ENOSPC the sensor's subscriber_slices do not carry it;
 * -ENOMEM; -EMFILE.
 */
int subscription_new(struct sensor *sensor, struct client *client, uint64_t connection_id,
		     uint32_t queue, uint32_t held, uint32_t policy,
		     struct subscription **ret_subscription, int *ret_page_fd);
/** Gives the reservation back. NULL is allowed. Return: NULL. */
struct subscription *subscription_free(struct subscription *s);

/** A consistent copy of the counters; false if the reader is in the middle of an update. */
bool subscription_read_page(const struct subscription *s, struct lidard_subscriber_page *ret_page);

/** Hold the reader's counters against ours. */
void subscription_get_account(const struct subscription *s,
			      const struct lidard_subscriber_page *page,
			      struct subscription_account *ret_account);

/** What a replay needs to know of a sensor's living readers. Hot path. */
void subscriptions_get_readers(const struct sensor *sensor, struct source_readers *ret_readers);

#endif /* DAEMON_SUBSCRIPTION_H */
