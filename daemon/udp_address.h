/* SPDX-License-Identifier: Apache-2.0 */
/* udp_address.h - IPv4 addresses and ports, as lidard.conf writes them */
#ifndef DAEMON_UDP_ADDRESS_H
#define DAEMON_UDP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** "255.255.255.255:65535" and the NUL. */
#define UDP_ADDRESS_TEXT_MAX 22

/** Host byte order. */
struct udp_address {
	uint32_t address;
	uint16_t port;
};

/** udp_address_parse() - "ADDRESS:PORT", the port not 0. Return: 0 or -EINVAL. */
int udp_address_parse(const char *text, struct udp_address *ret_address);
/** udp_address_parse_host() - "ADDRESS", not 0.0.0.0. Return: 0 or -EINVAL. */
int udp_address_parse_host(const char *text, uint32_t *ret_address);

void udp_address_format(const struct udp_address *a, char text[UDP_ADDRESS_TEXT_MAX]);
void udp_address_format_host(uint32_t address, char text[UDP_ADDRESS_TEXT_MAX]);

bool udp_address_equal(const struct udp_address *a, const struct udp_address *b);
/** Is it a group that one has to join? */
bool udp_address_is_multicast(const struct udp_address *a);

struct sockaddr_in udp_address_to_sockaddr(const struct udp_address *a);
struct udp_address udp_address_from_sockaddr(const struct sockaddr_in *sa);

#endif /* DAEMON_UDP_ADDRESS_H */
