/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account.h - what a subscription took and what it missed, on its page
 *
 * A pure object: it sees headers and times and writes counters, so that the
 * promise "published = taken + skipped" can be tested without any transport.
 * The counters live on the page that lidard reads (struct
 * lidard_subscriber_page); nothing is kept twice.
 *
 * One writer, the subscription's thread.  Every function below leaves the page
 * with next_index - first_index = taken + sum(skipped) + collecting.
 */
#ifndef LIBCLIENT_ACCOUNT_H
#define LIBCLIENT_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "lidard/control.h"
#include "lidard/probes.h"

struct account {
	struct lidard_subscriber_page *page;
	/* for the probes; borrowed */
	const struct lidard_probe_reader *reader;
	/* seq expected next; belongs to page->next_index */
	uint64_t next_seq;
	/* most payload of a slice */
	uint64_t slice_bytes;
	/* first byte -> taken of the last slice, 0 if unknown */
	uint64_t lag_ns;
};

/** Does the header make sense, by itself and after what came before? Hot path. */
bool account_header_is_valid(const struct account *a, const struct lidard_slice_header *h);

/**
 * account_see() - a valid header came: count the gap before it
 *
 * Hot path. Must be followed by account_take(), account_collect() or account_pass() for the same
 * header.
 * Return: how many slices are missing before it, for whatever cause.
 */
uint64_t account_see(struct account *a, const struct lidard_slice_header *h);

/** account_take() - the slice goes to the application. Hot path. */
void account_take(struct account *a, const struct lidard_slice_header *h, uint64_t now_ns);

/** account_collect() - the slice became part of a frame that is being collected. Hot path. */
void account_collect(struct account *a);

/** account_hand_out() - its frame goes to the application. Hot path. */
void account_hand_out(struct account *a, const struct lidard_slice_header *h, uint64_t taken_ns);

/** account_give_up() - its frame never will: the slice is passed over by policy. Hot path. */
void account_give_up(struct account *a, const struct lidard_slice_header *h);

/** account_pass() - the slice was published and is passed over. Hot path. */
void account_pass(struct account *a, enum lidard_skip_cause cause);

/** account_release() - the application gave a slice back. Hot path. */
void account_release(struct account *a, uint64_t hold_ns);

/** account_set_connected() - tell lidard whether the transport is connected. */
void account_set_connected(struct account *a, bool connected);

#endif /* LIBCLIENT_ACCOUNT_H */
