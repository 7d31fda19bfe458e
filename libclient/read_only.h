/* SPDX-License-Identifier: Apache-2.0 */
/* read_only.h - take the right to write away from a mapping */
#ifndef LIBCLIENT_READ_ONLY_H
#define LIBCLIENT_READ_ONLY_H

/**
 * read_only_protect() - make the whole mapping that holds an address read-only
 *
 * iceoryx maps payload writable for whoever is in the writers' group (root,
 * where lidard runs as root); a reader's stray write must fault all the same.
 * Return: 0; -ENOENT nothing is mapped there; negative errno.
 */
int read_only_protect(const void *address);

#endif /* LIBCLIENT_READ_ONLY_H */
