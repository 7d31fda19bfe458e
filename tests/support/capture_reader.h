/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_reader.h - the UDP payloads of a capture, one after the other
 *
 * Ethernet, IPv4, UDP in one frame each; anything else is passed over.
 */
#ifndef TESTS_SUPPORT_CAPTURE_READER_H
#define TESTS_SUPPORT_CAPTURE_READER_H

#include <pcap/pcap.h>
#include <stdint.h>

struct capture_datagram {
	const uint8_t *data;
	size_t bytes;
	uint16_t port;
};

/* Return: 1, or 0 at the end. */
static inline int capture_reader_next(pcap_t *pcap, struct capture_datagram *ret)
{
	struct pcap_pkthdr *header;
	const uint8_t *p;

	while (pcap_next_ex(pcap, &header, &p) == 1) {
		size_t ip = 14, udp, bytes;

		if (header->caplen < ip + 20 || p[12] != 0x08 || p[13] != 0x00 || p[ip + 9] != 17)
			continue;
		udp = ip + (p[ip] & 15) * 4u;
		if (header->caplen < udp + 8)
			continue;
		bytes = (size_t)(p[udp + 4] << 8 | p[udp + 5]);
		if (bytes < 8 || header->caplen < udp + bytes)
			continue;
		ret->data = p + udp + 8;
		ret->bytes = bytes - 8;
		ret->port = (uint16_t)(p[udp + 2] << 8 | p[udp + 3]);
		return 1;
	}
	return 0;
}

#endif /* TESTS_SUPPORT_CAPTURE_READER_H */
