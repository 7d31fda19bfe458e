/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo_reader.h - one subscriber process of the demo
 *
 * Runs in a child process; what it found out goes to the parent through a
 * shared page (struct demo_result), written by the child alone and read by the
 * parent after the child has ended, except for stop, which is the parent's.
 */
#ifndef TOOLS_DEMO_READER_H
#define TOOLS_DEMO_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "lidard/control.h"

enum demo_role {
	/** Ground removal and clustering on part of the points. */
	DEMO_PERCEPTION,
	/** Keeps every k-th frame in a bounded file. */
	DEMO_RECORDING,
	/** Touches one line of every page. */
	DEMO_PLAIN,
};

struct demo_result {
	/** Set by the parent; the child looks at it between slices. */
	uint32_t stop;
	/** The child's exit was orderly: the figures below are complete. */
	uint32_t done;
	/** The subscription's own counters at the end. */
	struct lidard_subscriber_page page;
	uint64_t frames;
	uint64_t clusters;
	/** Recording: frames kept, frames given up because the disk was behind. */
	uint64_t kept_frames;
	uint64_t kept_bytes;
	uint64_t cut_frames;
};

struct demo_reader {
	enum demo_role role;
	char name[32];
	/** Control socket and sensor. */
	const char *socket;
	const char *sensor;
	uint32_t queue;
	uint32_t held;
	uint64_t frame_bytes;
	/** Perception: look at every stride-th point. */
	unsigned int stride;
	/** Perception: an fd that gets a line for each frame, every point looked at; or -1. */
	int frames_fd;
	bool frames_as_json;
	/** Recording: the file, its size, and every how many frames one is kept. */
	int record_fd;
	uint64_t record_bytes;
	uint64_t keep_every;
	/** Shared with the parent. */
	struct demo_result *result;
};

/** "perception", "recording", "reader" */
const char *demo_role_name(enum demo_role role);

/** demo_reader_run() - to be called in the child. @data: struct demo_reader. Return: exit code. */
int demo_reader_run(void *data);

#endif /* TOOLS_DEMO_READER_H */
