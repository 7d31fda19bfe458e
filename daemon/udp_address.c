/* SPDX-License-Identifier: Apache-2.0 */
/* udp_address.c - see udp_address.h */
#include "daemon/udp_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Plain decimal: no sign, no blank, no 0 in front. Return: 0 if it is no port. */
static uint16_t parse_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	uint32_t port = 0;
	size_t i;

	if (digits == 0 || digits > 5 || text[digits] || text[0] == '0')
		return 0;
	for (i = 0; i < digits; i++)
		port = port * 10 + (uint32_t)(text[i] - '0');
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static int parse_any_host(const char *text, uint32_t *ret_address)
{
	struct in_addr in;

	/* dotted decimal alone, unlike inet_aton() */
	if (inet_pton(AF_INET, text, &in) != 1)
		return -EINVAL;
	*ret_address = ntohl(in.s_addr);
	return 0;
}

int udp_address_parse_host(const char *text, uint32_t *ret_address)
{
	uint32_t address;

	if (parse_any_host(text, &address) < 0 || address == INADDR_ANY)
		return -EINVAL;
	*ret_address = address;
	return 0;
}

int udp_address_parse(const char *text, struct udp_address *ret_address)
{
	const char *colon = strchr(text, ':');
	char host[UDP_ADDRESS_TEXT_MAX];
	struct udp_address a;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	a.port = parse_port(colon + 1);
	if (a.port == 0 || parse_any_host(host, &a.address) < 0)
		return -EINVAL;
	*ret_address = a;
	return 0;
}

void udp_address_format_host(uint32_t address, char text[UDP_ADDRESS_TEXT_MAX])
{
	snprintf(text, UDP_ADDRESS_TEXT_MAX, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
		 address >> 8 & 255, address & 255);
}

void udp_address_format(const struct udp_address *a, char text[UDP_ADDRESS_TEXT_MAX])
{
	size_t used;

	udp_address_format_host(a->address, text);
	used = strlen(text);
	snprintf(text + used, UDP_ADDRESS_TEXT_MAX - used, ":%u", a->port);
}

bool udp_address_equal(const struct udp_address *a, const struct udp_address *b)
{
	return a->address == b->address && a->port == b->port;
}

bool udp_address_is_multicast(const struct udp_address *a)
{
	return IN_MULTICAST(a->address);
}

struct sockaddr_in udp_address_to_sockaddr(const struct udp_address *a)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(a->port),
		.sin_addr.s_addr = htonl(a->address),
	};
}

struct udp_address udp_address_from_sockaddr(const struct sockaddr_in *sa)
{
	return (struct udp_address){
		.address = ntohl(sa->sin_addr.s_addr),
		.port = ntohs(sa->sin_port),
	};
}
