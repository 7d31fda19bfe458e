/* SPDX-License-Identifier: Apache-2.0 */
/* recording.c - see recording.h */
#include "tools/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define RECORDING_ALIGN 8u

static int writev_all(int fd, struct iovec *iov, int count)
{
	while (count > 0) {
		ssize_t n = writev(fd, iov, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		while (count > 0 && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			count--;
		}
		if (count > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static void fill_header(struct recording_file_header *h, const char *sensor)
{
	memcpy(h->magic, RECORDING_MAGIC, sizeof(h->magic));
	h->version = RECORDING_VERSION;
	h->header_bytes = sizeof(*h);
	h->align = RECORDING_ALIGN;
	h->realtime_ns = clock_read_ns(CLOCK_REALTIME);
	h->monotonic_ns = clock_now_ns();
	snprintf(h->sensor, sizeof(h->sensor), "%s", sensor);
}

int recording_open(struct recording *r, const char *path, const char *sensor, uint64_t limit)
{
	struct iovec iov = { .iov_base = &r->header, .iov_len = sizeof(r->header) };
	int error;

	memset(r, 0, sizeof(*r));
	r->fd = -1;
	r->limit = limit;
	if (snprintf(r->path, sizeof(r->path), "%s", path) >= (int)sizeof(r->path))
		return -ENAMETOOLONG;
	snprintf(r->part_path, sizeof(r->part_path), "%s.part", r->path);
	r->fd = open(r->part_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (r->fd < 0)
		return -errno;
	fill_header(&r->header, sensor);
	error = posix_fallocate(r->fd, 0, (off_t)limit);
	error = error ? -error : writev_all(r->fd, &iov, 1);
	if (error < 0) {
		recording_abandon(r);
		return error;
	}
	r->at = sizeof(r->header);
	return 0;
}

uint64_t recording_bytes(const struct lidard_slice_header *header)
{
	uint64_t bytes = sizeof(struct recording_record_header) + sizeof(*header) +
			 header->payload_bytes;

	return sizeof(struct recording_file_header) +
	       (bytes + RECORDING_ALIGN - 1) / RECORDING_ALIGN * RECORDING_ALIGN;
}

int recording_add(struct recording *r, const struct lidard_slice_header *header,
		  const void *payload)
{
	static const char zeros[RECORDING_ALIGN];
	struct recording_record_header record = {
		.magic = RECORD_MAGIC,
		.header_bytes = sizeof(record),
		.slice_header_bytes = sizeof(*header),
		.payload_bytes = header->payload_bytes,
	};
	uint64_t bytes = sizeof(record) + sizeof(*header) + header->payload_bytes;
	uint64_t padding = (RECORDING_ALIGN - bytes % RECORDING_ALIGN) % RECORDING_ALIGN;
	struct iovec iov[] = {
		{ .iov_base = &record, .iov_len = sizeof(record) },
		{ .iov_base = (void *)header, .iov_len = sizeof(*header) },
		{ .iov_base = (void *)payload, .iov_len = header->payload_bytes },
		{ .iov_base = (void *)zeros, .iov_len = padding },
	};
	int error;

	record.record_bytes = bytes + padding;
	if (record.record_bytes > r->limit - r->at)
		return 0;
	error = writev_all(r->fd, iov, 4);
	if (error < 0)
		return error;
	r->at += record.record_bytes;
	r->header.records++;
	return 1;
}

int recording_commit(struct recording *r)
{
	int error = 0;

	if (ftruncate(r->fd, (off_t)r->at) < 0 ||
	    pwrite(r->fd, &r->header, sizeof(r->header), 0) != sizeof(r->header) ||
	    fdatasync(r->fd) < 0)
		error = errno ? -errno : -EIO;
	if (close(r->fd) < 0 && error == 0)
		error = -errno;
	r->fd = -1;
	if (error == 0 && rename(r->part_path, r->path) < 0)
		error = -errno;
	if (error < 0)
		unlink(r->part_path);
	return error;
}

void recording_abandon(struct recording *r)
{
	if (r->fd < 0)
		return;
	r->fd = close_fd(r->fd);
	unlink(r->part_path);
}
