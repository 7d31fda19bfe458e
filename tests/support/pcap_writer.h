/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcap_writer.h - captures made up by a test, in memory or as a file
 *
 * Writes the pcap format byte by byte and without libpcap, so that a test can
 * also write what libpcap never would.  Failing to allocate aborts: tests only.
 */
#ifndef TESTS_SUPPORT_PCAP_WRITER_H
#define TESTS_SUPPORT_PCAP_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Link types as the file says them. */
enum {
	PCAP_LINK_NULL = 0,
	PCAP_LINK_ETHERNET = 1,
	PCAP_LINK_RAW = 101,
	PCAP_LINK_LOOP = 108,
	PCAP_LINK_SLL = 113,
	PCAP_LINK_SLL2 = 276,
};

struct pcap_writer {
	uint8_t *data;
	size_t bytes;
	size_t room;
	uint32_t link;
	bool nanoseconds;
};

/** How a datagram travels. Zero: a sensible default. */
struct pcap_packet {
	uint64_t time_ns;
	uint32_t source;
	uint32_t destination;
	uint16_t source_port;
	uint16_t destination_port;
	uint16_t id;
	/** VLAN tags, 0x8100 inside and 0x88a8 outside. */
	unsigned int vlans;
	/** Bytes of IPv4 options, a multiple of 4. */
	unsigned int option_bytes;
	const void *data;
	size_t bytes;
};

void pcap_writer_init(struct pcap_writer *w, uint32_t link, bool nanoseconds);
void pcap_writer_deinit(struct pcap_writer *w);
/** Any bytes at all as a record. */
void pcap_writer_record(struct pcap_writer *w, uint64_t time_ns, const void *data,
			uint32_t captured_bytes, uint32_t original_bytes);
/** The whole datagram in one packet. */
void pcap_writer_datagram(struct pcap_writer *w, const struct pcap_packet *p);
/** The IPv4 payload's bytes [from, to) as a fragment; @more as in its header. */
void pcap_writer_fragment(struct pcap_writer *w, const struct pcap_packet *p, size_t from,
			  size_t to, bool more);
/** All of it in fragments of @mtu bytes of payload, last to first if @backwards. */
void pcap_writer_fragments(struct pcap_writer *w, const struct pcap_packet *p, size_t mtu,
			   bool backwards);
/** Return: 0 or negative errno. */
int pcap_writer_save(const struct pcap_writer *w, const char *path);

#endif /* TESTS_SUPPORT_PCAP_WRITER_H */
