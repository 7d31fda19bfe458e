/* SPDX-License-Identifier: Apache-2.0 */
/* ring_file.c - see ring_file.h */
#include "tools/ring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define PROBE_BYTES (128u << 20)
#define PROBE_NS NSEC_PER_SEC
/**
 * Written at a time. File and staging are multiples of it, so that every write is aligned and
 * can bypass the page cache: no copy there, and no throttling of others for our dirty pages.
 */
#define BLOCK_BYTES (1u << 20)
/** The writing thread yields to the one that takes slices. */
#define WRITER_NICE 10

static int open_unnamed(const char *directory)
{
	char path[4096];
	int fd;

	fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || errno == EACCES || errno == ENOENT || errno == ENOTDIR)
		return fd >= 0 ? fd : -errno;
	/* file systems without O_TMPFILE */
	if (snprintf(path, sizeof(path), "%s/lidard-demo.XXXXXX", directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int write_block(int fd, const void *block, uint64_t at)
{
	ssize_t n = pwrite(fd, block, BLOCK_BYTES, (off_t)at);

	if (n < 0 && errno == EINVAL) {
		/* a file system that takes the flag and not the write */
		fcntl(fd, F_SETFL, 0);
		n = pwrite(fd, block, BLOCK_BYTES, (off_t)at);
	}
	return n == BLOCK_BYTES ? 0 : n < 0 ? -errno : -ENOSPC;
}

/* How fast does data really reach the disk? */
static int measure_rate(int fd, uint64_t file_bytes, uint64_t *ret_rate)
{
	CLEANUP(cleanup_free) char *block = aligned_alloc(4096, BLOCK_BYTES);
	uint64_t start_ns = clock_now_ns(), done = 0;

	if (!block)
		return -ENOMEM;
	memset(block, 0x5a, BLOCK_BYTES);
	do {
		int r = write_block(fd, block, done);

		if (r < 0)
			return r;
		done += BLOCK_BYTES;
	} while (done + BLOCK_BYTES <= file_bytes && done < PROBE_BYTES &&
		 clock_now_ns() - start_ns < PROBE_NS);
	if (fdatasync(fd) < 0)
		return -errno;
	*ret_rate = (uint64_t)((double)done * 1e9 / (double)(clock_now_ns() - start_ns + 1));
	return 0;
}

int ring_file_create(const char *directory, uint64_t *bytes, uint64_t *ret_rate)
{
	CLEANUP(cleanup_fd) int fd = open_unnamed(directory);
	struct statvfs vfs;
	uint64_t half;
	int r;

	if (fd < 0)
		return fd;
	if (fstatvfs(fd, &vfs) < 0)
		return -errno;
	half = (uint64_t)vfs.f_bavail * vfs.f_frsize / 2;
	if (*bytes > half)
		*bytes = half;
	*bytes -= *bytes % BLOCK_BYTES;
	if (*bytes == 0)
		return -ENOSPC;
	r = posix_fallocate(fd, 0, (off_t)*bytes);
	if (r != 0)
		return -r;
	fcntl(fd, F_SETFL, O_DIRECT); /* refused by tmpfs: then not */
	r = measure_rate(fd, *bytes, ret_rate);
	return r < 0 ? r : steal_fd(&fd);
}

static void *write_staged(void *data)
{
	struct ring_file *r = data;
	uint64_t at;
	int error;

	setpriority(PRIO_PROCESS, (id_t)gettid(), WRITER_NICE);
	pthread_mutex_lock(&r->mutex);
	while (r->error == 0) {
		while (r->added - r->written < BLOCK_BYTES && !r->ending)
			pthread_cond_wait(&r->changed, &r->mutex);
		if (r->added <= r->written)
			break;
		at = r->written;
		pthread_mutex_unlock(&r->mutex);
		/* the last block of all is written whole: what follows the data is old */
		error = write_block(r->fd, r->staging + at % r->staging_bytes, at % r->file_bytes);
		pthread_mutex_lock(&r->mutex);
		r->written += BLOCK_BYTES;
		r->error = error;
	}
	pthread_mutex_unlock(&r->mutex);
	return NULL;
}

int ring_file_start(struct ring_file *r, int fd, uint64_t file_bytes, uint64_t staging_bytes)
{
	memset(r, 0, sizeof(*r));
	r->fd = fd;
	r->file_bytes = file_bytes - file_bytes % BLOCK_BYTES;
	r->staging_bytes = staging_bytes - staging_bytes % BLOCK_BYTES;
	/* touched beforehand: page faults would fall into the first frames */
	r->staging = mmap(NULL, r->staging_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (r->staging == MAP_FAILED)
		return -errno;
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->changed, NULL);
	return -pthread_create(&r->thread, NULL, write_staged, r);
}

bool ring_file_add(struct ring_file *r, const void *data, uint64_t bytes)
{
	uint64_t at, part;
	bool has_room;

	pthread_mutex_lock(&r->mutex);
	at = r->added;
	has_room = !r->error && bytes <= r->staging_bytes - (at - r->written);
	pthread_mutex_unlock(&r->mutex);
	if (!has_room)
		return false;
	/* nobody else touches the free part of the ring */
	part = r->staging_bytes - at % r->staging_bytes;
	if (part > bytes)
		part = bytes;
	memcpy(r->staging + at % r->staging_bytes, data, part);
	memcpy(r->staging, (const uint8_t *)data + part, bytes - part);
	pthread_mutex_lock(&r->mutex);
	r->added += bytes;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->mutex);
	return true;
}

int ring_file_stop(struct ring_file *r)
{
	pthread_mutex_lock(&r->mutex);
	r->ending = true;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->mutex);
	pthread_join(r->thread, NULL);
	munmap(r->staging, r->staging_bytes);
	return r->error;
}
