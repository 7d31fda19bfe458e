/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload_segment.h - the mapping in which iceoryx's chunks lie
 *
 * iceoryx maps it by itself and tells nobody where: it is found by the address
 * of one of its chunks.  Only for an object in a namespace of its own: without
 * one the host may publish through the same mapping.
 */
#ifndef LIBCLIENT_PAYLOAD_SEGMENT_H
#define LIBCLIENT_PAYLOAD_SEGMENT_H

/**
 * payload_segment_protect() - make the whole of it read-only
 *
 * iceoryx maps payload writable for whoever is in the writers' group (root,
 * where lidard runs as root); a reader's stray write must fault all the same.
 * Return: 0; -ENOENT nothing is mapped there; negative errno.
 */
int payload_segment_protect(const void *chunk);

/**
 * payload_segment_drop() - give its memory back
 *
 * The place stays taken, so that nothing else comes to lie where iceoryx
 * believes its chunks: whoever touches one faults.
 * Return: 0; -ENOENT nothing is mapped there; negative errno.
 */
int payload_segment_drop(const void *chunk);

#endif /* LIBCLIENT_PAYLOAD_SEGMENT_H */
