/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring_file.h - record into a bounded file without ever making the sensor wait
 *
 * A slice that is to be kept is copied into staging memory and released at
 * once; a thread of our own writes the staging memory to the file, past the page cache where it can.  So a disk
 * that stalls for a second costs kept frames (counted), never slices of the
 * subscription.  The file has a fixed, preallocated size and no name: it goes
 * on at its beginning when it is full, and is gone when the process ends.
 *
 * Threads: one that adds, one inside that writes; a mutex guards the staging
 * ring's positions, held only to move them.
 */
#ifndef TOOLS_RING_FILE_H
#define TOOLS_RING_FILE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct ring_file {
	int fd;
	uint64_t file_bytes;
	uint8_t *staging;
	uint64_t staging_bytes;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/** Bytes ever added and ever written; guarded by mutex. */
	uint64_t added;
	uint64_t written;
	bool ending;
	/** The first failure of a write; guarded by mutex. */
	int error;
};

/**
 * ring_file_create() - an unnamed, preallocated file
 * @bytes: size; lowered to half of what is free, and to whole MiB
 * @ret_rate: bytes/s of a short timed write
 *
 * Return: the fd; negative errno.
 */
int ring_file_create(const char *directory, uint64_t *bytes, uint64_t *ret_rate);

/** ring_file_start() - begin to write to @fd, which is lent. Return: 0; negative errno. */
int ring_file_start(struct ring_file *r, int fd, uint64_t file_bytes, uint64_t staging_bytes);

/** ring_file_add() - never waits for the disk. Return: false if staging has no room. */
bool ring_file_add(struct ring_file *r, const void *data, uint64_t bytes);

/** ring_file_stop() - write what is staged, end the thread. Return: 0; the first write error. */
int ring_file_stop(struct ring_file *r);

#endif /* TOOLS_RING_FILE_H */
