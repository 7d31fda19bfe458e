/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet_tap.h - a sensor's packets, copied to who records them
 *
 * A tap is a ring in shared memory (struct lidard_packet_ring) that lidard
 * writes and one client reads.  A packet for which there is no room is lost to
 * that client and counted: adding one never waits and makes no system call, so
 * a recorder that is slow, stopped or dead costs the sensor nothing.  Nobody is
 * woken, either: who records looks every few milliseconds.
 *
 * The connection that asked for a tap owns it; the source it belongs to knows
 * it by its list, and may end before it.  The client may write anything
 * into the ring: lidard's own numbers are its own, and of the client's it
 * believes one that cannot make it write outside.
 *
 * One thread.
 */
#ifndef DAEMON_PACKET_TAP_H
#define DAEMON_PACKET_TAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lidard/control.h"

struct packet_tap {
	LIST_ENTRY(packet_tap) link;
	/** NULL once the source has ended. */
	struct packet_taps *taps;
	int fd;
	struct lidard_packet_ring *ring;
	uint8_t *data;
	uint64_t data_bytes;
	/** Bytes written, ever. */
	uint64_t head;
	uint64_t lost;
};

/** All taps of a source; all zeros is none. */
struct packet_taps {
	LIST_HEAD(, packet_tap) list;
	/** Packets that one of them had no room for, since the source was made. */
	uint64_t lost;
};

/**
 * packet_tap_new() - a ring
 * @data_bytes: of packets; a multiple of a page
 *
 * Return: 0; -ENOMEM; other negative errno.
 */
int packet_tap_new(struct packet_taps *taps, uint64_t data_bytes, struct packet_tap **ret_tap);
/** Its memory goes, whoever still has the fd. NULL is allowed. Return: NULL. */
struct packet_tap *packet_tap_free(struct packet_tap *tap);

/** packet_tap_add() - @record has everything but its bytes. Hot path. */
void packet_tap_add(struct packet_tap *tap, struct lidard_packet_record record, const void *data,
		    size_t bytes);

/** packet_taps_add() - to all of them. Hot path. */
static inline void packet_taps_add(struct packet_taps *taps,
				   const struct lidard_packet_record *record, const void *data,
				   size_t bytes)
{
	struct packet_tap *tap;

	LIST_FOREACH(tap, &taps->list, link)
		packet_tap_add(tap, *record, data, bytes);
}

/** As packet_taps_add_payload(), which see, where somebody records. */
void packet_taps_copy_payload(struct packet_taps *taps, const void *payload, size_t bytes,
			      uint64_t arrival_ns);

/**
 * packet_taps_add_payload() - the packets of a LIDARD_FORMAT_RAW payload, as far as it makes sense
 * @arrival_ns: of the last byte, CLOCK_MONOTONIC; 0: not known, now
 *
 * A device knows no addresses: they are 0. Hot path.
 */
static inline void packet_taps_add_payload(struct packet_taps *taps, const void *payload,
					   size_t bytes, uint64_t arrival_ns)
{
	if (!LIST_EMPTY(&taps->list))
		packet_taps_copy_payload(taps, payload, bytes, arrival_ns);
}

/** packet_taps_end() - nothing will come any more; @how: enum lidard_packets_end */
static inline void packet_taps_end(struct packet_taps *taps, uint32_t how)
{
	struct packet_tap *tap;

	while ((tap = LIST_FIRST(&taps->list))) {
		LIST_REMOVE(tap, link);
		tap->taps = NULL;
		/* pairs with the acquire in the library's packets.c: all packets are there */
		__atomic_store_n(&tap->ring->ended, how, __ATOMIC_RELEASE);
	}
}

#endif /* DAEMON_PACKET_TAP_H */
