/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ip_fragments.h - IPv4 fragments become datagrams again
 *
 * A lidar's datagram is often larger than the network's MTU, and a capture
 * shows the pieces.  Pieces come in any order, twice, or not at all; their
 * offsets and lengths are whatever the file says.  A fixed number of datagrams
 * is put together at a time, so memory is bounded: a new one takes the place
 * of the one that began longest ago.
 *
 * Pieces belong together by source, destination, identification and protocol.
 * Senders reuse identifications, so a piece that contradicts what is there, or
 * comes long after it, begins a new datagram; the old one counts as incomplete.
 *
 * One thread.
 */
#ifndef DAEMON_IP_FRAGMENTS_H
#define DAEMON_IP_FRAGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most payload an IPv4 packet can have (65535 less the smallest header). */
#define IP_PAYLOAD_MAX 65515u

struct ip_fragments;

/** One piece; addresses in host byte order. data is borrowed. */
struct ip_fragment {
	uint32_t source;
	uint32_t destination;
	uint16_t id;
	uint8_t protocol;
	/** More fragments follow. */
	bool more;
	/** Place of the data in the datagram. */
	uint32_t offset_bytes;
	const uint8_t *data;
	size_t bytes;
	/** When it was captured. */
	uint64_t time_ns;
};

/** Outcomes of ip_fragments_add(). */
enum {
	/** Kept; the datagram is not whole yet. */
	IP_FRAGMENTS_MORE = 0,
	/** The datagram is whole. */
	IP_FRAGMENTS_WHOLE = 1,
	/** No fragment can look like this: not kept. */
	IP_FRAGMENTS_BAD = 2,
};

/** Return: 0 or -ENOMEM. */
int ip_fragments_new(struct ip_fragments **ret_fragments);
/** Return: NULL. NULL is allowed. */
struct ip_fragments *ip_fragments_free(struct ip_fragments *f);

/**
 * ip_fragments_add() - take in one piece
 * @ret_data, @ret_bytes: the whole IP payload, valid until the next call
 *
 * Return: IP_FRAGMENTS_MORE, IP_FRAGMENTS_WHOLE or IP_FRAGMENTS_BAD.
 */
int ip_fragments_add(struct ip_fragments *f, const struct ip_fragment *piece,
		     const uint8_t **ret_data, size_t *ret_bytes);

/** ip_fragments_clear() - give up on all that is not whole, and count it */
void ip_fragments_clear(struct ip_fragments *f);

/** Datagrams given up because pieces were missing; only grows. */
uint64_t ip_fragments_get_incomplete(const struct ip_fragments *f);

#endif /* DAEMON_IP_FRAGMENTS_H */
