/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.h - the UDP datagrams of a recorded capture
 *
 * Reads a pcap file of micro- or nanosecond resolution (or pcapng, as far as
 * libpcap reads it): Ethernet with any stack of VLAN tags, Linux cooked
 * captures (SLL, SLL2), raw IP and BSD loopback; IPv4 with options, fragments
 * put together again.  UDP checksums are not looked at: a sender that leaves
 * them to its network card is captured with wrong ones.
 *
 * Everything in the file may be wrong.  What is not a whole UDP datagram is
 * counted and left out; a file that was cut off ends where it was cut; a
 * record that cannot be one is an error, because nothing after it can be found.
 *
 * Memory: one datagram of each of the few that are being put together, and
 * libpcap's buffer. One thread.
 */
#ifndef DAEMON_CAPTURE_H
#define DAEMON_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/problem.h"

struct capture;

/** One UDP datagram. data is valid until the next call on the capture. */
struct datagram {
	/** When it was captured, ns since 1970-01-01 by the clock of the machine that recorded it. */
	uint64_t time_ns;
	/** IPv4 addresses and ports in host byte order. */
	uint32_t source_address;
	uint32_t destination_address;
	uint16_t source_port;
	uint16_t destination_port;
	const uint8_t *data;
	size_t bytes;
};

/** Counters that only grow, over all passes through the file. */
struct capture_stats {
	uint64_t records;
	uint64_t datagrams;
	/** Records of something else than IPv4 UDP: not an error. */
	uint64_t other_records;
	/** Records of which only the beginning was captured (snapshot length). */
	uint64_t truncated_records;
	/** Lengths or offsets that contradict each other. */
	uint64_t malformed_records;
	uint64_t fragments;
	/** Datagrams of which fragments were missing. */
	uint64_t incomplete_datagrams;
	/** Passes that ended inside a record: the file was cut off. */
	uint64_t cut_ends;
};

/** Outcomes of capture_next(). */
enum {
	CAPTURE_END = 0,
	CAPTURE_DATAGRAM = 1,
	/** A record that holds no whole datagram: go on. So a call never reads more than one record. */
	CAPTURE_NOTHING = 2,
};

/**
 * capture_open() - open a capture and read its header
 *
 * Return: 0, or negative errno with @problem set: -EINVAL if it is not a
 * regular file, not a capture, or of a link type not listed above.
 */
int capture_open(const char *path, struct capture **ret_capture, struct problem *problem);

/**
 * capture_open_memory() - as capture_open()
 * @name: stands for the file in problems
 * @data: borrowed until capture_free()
 */
int capture_open_memory(const char *name, const void *data, size_t bytes,
			struct capture **ret_capture, struct problem *problem);

/** Return: NULL. NULL is allowed. */
struct capture *capture_free(struct capture *c);

/**
 * capture_next() - read one record
 *
 * Return: CAPTURE_DATAGRAM (@ret_datagram is filled), CAPTURE_NOTHING,
 * CAPTURE_END, or negative errno with @problem set: -EBADMSG for a corrupt record.
 */
int capture_next(struct capture *c, struct datagram *ret_datagram, struct problem *problem);

/** capture_rewind() - begin again. Return: 0, or negative errno with @problem set. */
int capture_rewind(struct capture *c, struct problem *problem);

void capture_get_stats(const struct capture *c, struct capture_stats *ret_stats);

#endif /* DAEMON_CAPTURE_H */
