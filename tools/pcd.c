/* SPDX-License-Identifier: Apache-2.0 */
/* pcd.c - see pcd.h */
#include "tools/pcd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tools/file.h"

/* FIELDS, SIZE, TYPE and COUNT are struct lidard_point_xyzirt, member by member. */
#define PCD_BODY                                                             \
	"VERSION 0.7\n"                                                      \
	"FIELDS x y z intensity range time_offset ring return flags signal ambient\n" \
	"SIZE 4 4 4 4 4 4 2 1 1 2 2\n"                                       \
	"TYPE F F F F F U U U U U U\n"                                       \
	"COUNT 1 1 1 1 1 1 1 1 1 1 1\n"                                      \
	"WIDTH %" PRIu64 "\n"                                                \
	"HEIGHT 1\n"                                                         \
	"VIEWPOINT 0 0 0 1 0 0 0\n"                                          \
	"POINTS %" PRIu64 "\n"                                               \
	"DATA binary\n"

#define PCD_CHUNK_POINTS 1024u

void pcd_format_header(const struct pcd_header *header, char *text)
{
	char body[PCD_HEADER_BYTES];
	int comment, length;

	length = snprintf(body, sizeof(body), PCD_BODY, header->points, header->points);
	comment = snprintf(text, PCD_HEADER_BYTES + 1,
			   "# .PCD v0.7 - lidard frame_id %" PRIu64 " sensor_time_ns %" PRIu64 " ",
			   header->frame_id, header->sensor_time_ns);
	/* the widest numbers leave some 100 bytes: what is left over fills the comment */
	memset(text + comment, '-', (size_t)(PCD_HEADER_BYTES - length - comment - 1));
	text[PCD_HEADER_BYTES - length - 1] = '\n';
	memcpy(text + PCD_HEADER_BYTES - length, body, (size_t)length + 1);
}

int pcd_open(struct pcd_file *f, const char *path, uint64_t frame_id, uint64_t sensor_time_ns)
{
	int r;

	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->header.frame_id = frame_id;
	f->header.sensor_time_ns = sensor_time_ns;
	if (snprintf(f->path, sizeof(f->path), "%s", path) >= (int)sizeof(f->path))
		return -ENAMETOOLONG;
	snprintf(f->part_path, sizeof(f->part_path), "%s.part", f->path);
	f->fd = open(f->part_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (f->fd < 0)
		return -errno;
	if (lseek(f->fd, PCD_HEADER_BYTES, SEEK_SET) < 0) {
		r = -errno;
		pcd_abandon(f);
		return r;
	}
	return 0;
}

int pcd_add(struct pcd_file *f, const struct lidard_slice_header *header,
	    const struct lidard_point_xyzirt *points)
{
	struct lidard_point_xyzirt chunk[PCD_CHUNK_POINTS];
	uint32_t at = 0, count, i, shift = 0;
	int r;

	if (header->sensor_time_ns > f->header.sensor_time_ns)
		shift = (uint32_t)(header->sensor_time_ns - f->header.sensor_time_ns);
	while (at < header->point_count) {
		count = header->point_count - at;
		if (count > PCD_CHUNK_POINTS)
			count = PCD_CHUNK_POINTS;
		memcpy(chunk, points + at, count * sizeof(*chunk));
		for (i = 0; i < count; i++)
			chunk[i].time_offset_ns += shift;
		r = file_write_all(f->fd, chunk, count * sizeof(*chunk));
		if (r < 0)
			return r;
		at += count;
	}
	f->header.points += header->point_count;
	return 0;
}

int pcd_commit(struct pcd_file *f)
{
	char text[PCD_HEADER_BYTES + 1];
	ssize_t n;
	int r = 0;

	pcd_format_header(&f->header, text);
	n = pwrite(f->fd, text, PCD_HEADER_BYTES, 0);
	if (n != PCD_HEADER_BYTES)
		r = n < 0 ? -errno : -ENOSPC;
	if (close(f->fd) < 0 && r == 0)
		r = -errno;
	f->fd = -1;
	if (r == 0 && rename(f->part_path, f->path) < 0)
		r = -errno;
	if (r < 0)
		unlink(f->part_path);
	return r;
}

void pcd_abandon(struct pcd_file *f)
{
	if (f->fd < 0)
		return;
	f->fd = close_fd(f->fd);
	unlink(f->part_path);
}
