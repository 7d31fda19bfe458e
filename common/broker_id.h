/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker_id.h - a name for one life of RouDi, as one mount namespace sees it
 *
 * RouDi makes its socket anew at each start, so inode and birth of the socket
 * tell its lives apart; device and inode of the management segment tell whether
 * two processes see the same /dev/shm.  (Not the segment's times: those move on
 * whenever somebody maps and writes it.)  lidard names its RouDi so to every
 * client, and a client that computes another name would meet other memory.
 */
#ifndef COMMON_BROKER_ID_H
#define COMMON_BROKER_ID_H

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define BROKER_SOCKET "/tmp/roudi"
#define BROKER_MEMORY "/dev/shm/iceoryx_mgmt"
/** Longest name, the NUL included. */
#define BROKER_ID_MAX 96

/** Return: 0; -ENOENT or another errno: there is no socket, or no segment. */
static inline int broker_id_read(char id[BROKER_ID_MAX])
{
	struct stat door, memory;

	if (stat(BROKER_SOCKET, &door) < 0 || stat(BROKER_MEMORY, &memory) < 0)
		return -errno;
	snprintf(id, BROKER_ID_MAX, "%lx-%lx-%lx-%lx-%lx", (unsigned long)door.st_ino,
		 (unsigned long)door.st_ctim.tv_sec, (unsigned long)door.st_ctim.tv_nsec,
		 (unsigned long)memory.st_dev, (unsigned long)memory.st_ino);
	return 0;
}

#endif /* COMMON_BROKER_ID_H */
