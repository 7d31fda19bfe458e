/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcd.h - a frame as a PCD v0.7 file (the Point Cloud Library's format)
 *
 * The points go out slice by slice, as they come; the number of points is only
 * known at the end, so the header has a fixed length and is written again
 * then.  A file appears under its name when it is whole, by rename.
 */
#ifndef TOOLS_PCD_H
#define TOOLS_PCD_H

#include <stddef.h>
#include <stdint.h>

#include "lidard/frame.h"

/** Length of the header, always. */
#define PCD_HEADER_BYTES 512

/** What the header says. */
struct pcd_header {
	uint64_t points;
	uint64_t frame_id;
	/** Sensor's time that time_offset counts from. */
	uint64_t sensor_time_ns;
};

/**
 * pcd_format_header() - the text, padded within a comment line to its fixed length
 * @text: PCD_HEADER_BYTES + 1
 */
void pcd_format_header(const struct pcd_header *header, char *text);

/** A file being written. */
struct pcd_file {
	int fd;
	char path[4096];
	char part_path[4096 + 8];
	struct pcd_header header;
};

/** pcd_open() - begin a file; @path appears at pcd_commit(). Return: 0; negative errno. */
int pcd_open(struct pcd_file *f, const char *path, uint64_t frame_id, uint64_t sensor_time_ns);

/**
 * pcd_add() - append a slice's points
 *
 * Time offsets are made to count from the frame's first slice.
 * Return: 0; negative errno: -ENOSPC the disk is full.
 */
int pcd_add(struct pcd_file *f, const struct lidard_slice_header *header,
	    const struct lidard_point_xyzirt *points);

/** pcd_commit() - finish the file and give it its name. Return: 0; negative errno. */
int pcd_commit(struct pcd_file *f);

/** pcd_abandon() - remove what was written; idempotent. */
void pcd_abandon(struct pcd_file *f);

#endif /* TOOLS_PCD_H */
