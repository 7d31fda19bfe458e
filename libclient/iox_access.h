/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iox_access.h - may this process use lidard's shared memory, and is it the same?
 *
 * iceoryx asks nothing of the kind before it starts: without membership in one
 * of the segment's groups it maps nothing and crashes at the first slice, and
 * whatever it cannot open ends the process.  So everything it will open is
 * tried here first, the way it does it: groups come from the group database
 * under the effective user, not from the process's credentials, and the segment
 * is a file named like the writers' group.
 */
#ifndef LIBCLIENT_IOX_ACCESS_H
#define LIBCLIENT_IOX_ACCESS_H

#include <stddef.h>

#include "libclient/transport.h"

/**
 * iox_access_check() - look before iceoryx does
 * @start: what lidard said of its memory
 * @error: set to a sentence for a person on failure
 * @error_bytes: its size
 *
 * Return: 0; -EXDEV this process sees another RouDi, or other memory, than
 * lidard; -EACCES its user may not use the memory; -ENOMEM it cannot be mapped;
 * -EMFILE.
 */
int iox_access_check(const struct transport_start *start, char *error, size_t error_bytes);

#endif /* LIBCLIENT_IOX_ACCESS_H */
