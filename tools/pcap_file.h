/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcap_file.h - a sensor's packets as a capture that any tool reads
 *
 * The classic format with nanoseconds, Ethernet, IPv4 and UDP.  Addresses,
 * ports and times are the packets' own; what lidard does not know of the wire is
 * made: Ethernet addresses are zero, nothing is fragmented, UDP has no checksum.
 * The file appears under its name when it is whole, by rename.
 */
#ifndef TOOLS_PCAP_FILE_H
#define TOOLS_PCAP_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "lidard/lidard.h"

struct pcap_file {
	/** NULL: not open. */
	FILE *file;
	char path[4096];
	char part_path[4096 + 8];
	/** Bytes written, and most there may be. */
	uint64_t bytes;
	uint64_t limit;
};

/** pcap_file_open() - Return: 0; negative errno. */
int pcap_file_open(struct pcap_file *f, const char *path, uint64_t limit);

/** pcap_file_add() - Return: 1; 0 the file is full; -EMSGSIZE it cannot be a datagram;
 *  other negative errno. */
int pcap_file_add(struct pcap_file *f, const struct lidard_packet *packet);

/** pcap_file_commit() - name the file. Return: 0; negative errno, and there is none. */
int pcap_file_commit(struct pcap_file *f);

/** pcap_file_abandon() - remove what was written; idempotent. */
void pcap_file_abandon(struct pcap_file *f);

#endif /* TOOLS_PCAP_FILE_H */
