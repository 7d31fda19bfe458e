/* SPDX-License-Identifier: Apache-2.0 */
/* record_packets.h - lidarctl record --packets: what a sensor sent, as a capture */
#ifndef TOOLS_RECORD_PACKETS_H
#define TOOLS_RECORD_PACKETS_H

#include <stdint.h>

/**
 * record_packets() - until Ctrl-C, @max_bytes, @timeout_s without a packet, or the sensor's end
 * @socket: lidard's, NULL: the default
 * @output: the file; NULL: SENSOR.pcap
 * @timeout_s: seconds; 0: never
 *
 * Return: an exit code.
 */
int record_packets(const char *socket, const char *sensor, const char *output, uint64_t max_bytes,
		   double timeout_s);

#endif /* TOOLS_RECORD_PACKETS_H */
