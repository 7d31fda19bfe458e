/* SPDX-License-Identifier: Apache-2.0 */
/* packets.h - the ring a sensor's packets come through */
#ifndef LIBCLIENT_PACKETS_H
#define LIBCLIENT_PACKETS_H

#include "lidard/lidard.h"

/**
 * packets_new() - read a ring, without a connection that keeps it going
 * @fd: its memory; borrowed
 *
 * Return: 0; -EPROTO it is none; -ENOMEM.
 */
int packets_new(int fd, struct lidard_packets **ret_packets);

#endif /* LIBCLIENT_PACKETS_H */
