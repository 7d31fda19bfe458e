/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recording.h - slices in a file, as they were on the wire
 *
 * The container lidarctl record --format raw writes; docs/recording.md
 * describes it for those who read it.  The file's space is reserved before the
 * first slice, so a disk that is too small is known at once and not after an
 * hour; what was not used is given back at the end.  It appears under its name
 * when it is whole, by rename.
 */
#ifndef TOOLS_RECORDING_H
#define TOOLS_RECORDING_H

#include <stdint.h>

#include "lidard/control.h"
#include "lidard/frame.h"

#define RECORDING_MAGIC "LIDARDRC"
#define RECORDING_VERSION 1u
#define RECORD_MAGIC 0x44524352u /* "RCRD" */

/** Begins the file; little-endian, like all that follows. */
struct recording_file_header {
	char magic[8];
	uint32_t version;
	/** Bytes of this struct: the first record begins there. */
	uint32_t header_bytes;
	/** Records are aligned to this. */
	uint32_t align;
	/** Zero. */
	uint32_t pad;
	/** CLOCK_REALTIME when the recording began, ns. */
	uint64_t realtime_ns;
	/** CLOCK_MONOTONIC at the same moment: the slices' stamps can be dated by it. */
	uint64_t monotonic_ns;
	/** Records in the file; 0: it was not finished. */
	uint64_t records;
	char sensor[LIDARD_SENSOR_NAME_MAX];
	uint64_t reserved[6];
};

/** Begins each record; then the slice's header (slice_header_bytes), then its payload. */
struct recording_record_header {
	uint32_t magic;
	/** Bytes of this struct. */
	uint32_t header_bytes;
	uint32_t slice_header_bytes;
	/** Zero. */
	uint32_t pad;
	uint64_t payload_bytes;
	/** From the start of this record to the next. */
	uint64_t record_bytes;
};

LIDARD_ASSERT_LAYOUT(sizeof(struct recording_file_header) == 128);
LIDARD_ASSERT_LAYOUT(sizeof(struct recording_record_header) == 32);

struct recording {
	int fd;
	char path[4096];
	char part_path[4096 + 8];
	struct recording_file_header header;
	/** Bytes written and bytes reserved. */
	uint64_t at;
	uint64_t limit;
};

/**
 * recording_open() - begin a file
 * @limit: most bytes the file may have; reserved now
 *
 * Return: 0; -ENOSPC the disk has not so much room; other negative errno.
 */
int recording_open(struct recording *r, const char *path, const char *sensor, uint64_t limit);

/** recording_bytes() - what a file needs for this slice alone */
uint64_t recording_bytes(const struct lidard_slice_header *header);

/** recording_add() - append a slice. Return: 1; 0 the file is full; negative errno. */
int recording_add(struct recording *r, const struct lidard_slice_header *header,
		  const void *payload);

/** recording_commit() - give back unused room, name the file. Return: 0; negative errno. */
int recording_commit(struct recording *r);

/** recording_abandon() - remove what was written; idempotent. */
void recording_abandon(struct recording *r);

#endif /* TOOLS_RECORDING_H */
