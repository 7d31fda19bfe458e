/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raw_packets.h - the packets of a LIDARD_FORMAT_RAW payload, one by one
 *
 * u32 length, the bytes, zeros up to a multiple of 8, and so on.  The payload
 * is hostile: a length is read once and checked against what is left.
 */
#ifndef COMMON_RAW_PACKETS_H
#define COMMON_RAW_PACKETS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct raw_packets {
	const uint8_t *payload;
	size_t bytes;
	/** Of the next packet's length. */
	size_t position;
};

static inline struct raw_packets raw_packets_of(const void *payload, size_t bytes)
{
	return (struct raw_packets){ .payload = payload, .bytes = bytes };
}

/**
 * raw_packets_next() - Hot path.
 *
 * Return: 1 @ret_packet and @ret_bytes are the next packet; 0 there is none;
 * -EBADMSG what is left is no packet, and none will come.
 */
static inline int raw_packets_next(struct raw_packets *r, const uint8_t **ret_packet,
				   size_t *ret_bytes)
{
	size_t left = r->bytes - r->position, padded;
	uint32_t length;

	if (left == 0)
		return 0;
	if (left >= sizeof(length)) {
		memcpy(&length, r->payload + r->position, sizeof(length));
		padded = (sizeof(length) + (size_t)length + 7) & ~(size_t)7;
		/* the last packet's padding may be left out; an empty one would be padding, too */
		if (length && length <= left - sizeof(length)) {
			*ret_packet = r->payload + r->position + sizeof(length);
			*ret_bytes = length;
			r->position += padded < left ? padded : left;
			return 1;
		}
	}
	r->position = r->bytes;
	return -EBADMSG;
}

#endif /* COMMON_RAW_PACKETS_H */
