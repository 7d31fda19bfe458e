/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - lidarctl record: keep what a sensor sees
 *
 * pcd: a file for each frame, for other programs.  raw: the slices as they
 * were published, in one bounded file (docs/recording.md).  Slices are written
 * from the memory they were published in and released at once.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/command.h"
#include "tools/complain.h"
#include "tools/pcd.h"
#include "tools/record_packets.h"
#include "tools/recording.h"
#include "tools/stop.h"
#include "tools/stream.h"

struct record_options {
	struct common_options common;
	const char *output;
	const char *format;
	bool packets;
	uint64_t frames;
	uint64_t max_bytes;
	double timeout;
};

static const struct option_row record_rows[] = {
	OPTION_ROW_TEXT(struct record_options, output, "output", "PATH", NULL,
			"directory for pcd (.), file for raw (SENSOR.lidard) and packets (SENSOR.pcap)"),
	OPTION_ROW_TEXT(struct record_options, format, "format", "FORMAT", "pcd",
			"pcd: a file for each frame; raw: slices as published"),
	OPTION_ROW_FLAG(struct record_options, packets, "packets",
			"the sensor's packets as it sent them, as a capture (pcap)"),
	OPTION_ROW_COUNT(struct record_options, frames, "frames", "N", "0", 0, 0,
			 "stop after so many frames; 0: never"),
	OPTION_ROW_BYTES(struct record_options, max_bytes, "max-bytes", "N", "1G", 4096, 1e15,
			 "stop before more than this is written"),
	OPTION_ROW_REAL(struct record_options, timeout, "timeout", "S", "10", 0, 86400,
			"fail after so many seconds without data; 0: never"),
	COMMAND_COMMON_ROWS(struct record_options),
};

struct record {
	const struct record_options *options;
	const char *sensor;
	const char *output;
	/** One of them, by format. */
	struct pcd_file pcd;
	struct recording raw;
	/** Recording begins with a frame's first slice. */
	bool aligned;
	bool in_frame;
	uint64_t frame_id;
	/** The first frame is larger than may be written: it is only measured. */
	bool too_large;
	uint64_t frames;
	uint64_t slices;
	uint64_t bytes;
	uint64_t skipped;
	uint64_t lost_upstream;
};

static int complain_of_write(const char *path, int error)
{
	if (error == -ENOSPC)
		complain("cannot record to %s: the disk is full (free some, or lower --max-bytes)",
			 path);
	else
		complain("cannot record to %s: %s", path, strerror(-error));
	return error;
}

static int begin_pcd(struct record *r, const struct lidard_slice_header *h)
{
	char path[sizeof(r->pcd.path)];
	int error;

	snprintf(path, sizeof(path), "%s/%s-%08" PRIu64 ".pcd", r->output, r->sensor, h->frame_id);
	error = pcd_open(&r->pcd, path, h->frame_id, h->sensor_time_ns);
	return error < 0 ? complain_of_write(path, error) : 0;
}

static int complain_of_size(struct record *r, const char *what, uint64_t bytes)
{
	complain("a %s of %s needs %" PRIu64 " bytes, --max-bytes is %" PRIu64, what, r->sensor,
		 bytes, r->options->max_bytes);
	r->bytes = r->slices = 0;
	return -EFBIG;
}

/* Return: 1 the frames asked for are there; 0; negative errno. */
static int end_frame(struct record *r)
{
	int error;

	r->in_frame = false;
	if (r->too_large)
		return complain_of_size(r, "frame", r->bytes);
	r->frames++;
	if (r->pcd.fd >= 0) {
		error = pcd_commit(&r->pcd);
		if (error < 0)
			return complain_of_write(r->pcd.path, error);
	}
	return r->options->frames && r->frames >= r->options->frames;
}

static int write_slice(struct record *r, const struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);
	int error;

	if (r->raw.fd >= 0) {
		error = recording_add(&r->raw, h, lidard_slice_get_payload(slice));
		if (error < 0)
			return complain_of_write(r->raw.path, error);
		if (error == 0 && r->slices == 0)
			return complain_of_size(r, "slice", recording_bytes(h));
		return error == 0; /* full: enough */
	}
	if (r->bytes + h->payload_bytes > r->options->max_bytes) {
		if (r->frames)
			return 1;
		r->too_large = true;
	}
	if (r->too_large)
		return 0;
	error = pcd_add(&r->pcd, h, lidard_slice_get_points(slice));
	return error < 0 ? complain_of_write(r->pcd.path, error) : 0;
}

static int on_slice(void *data, struct stream *stream, const struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);
	struct record *r = data;
	int result;

	if (!r->aligned && !stream_may_begin(h))
		return 0;
	if (r->aligned) {
		r->skipped += stream->skipped_before;
		r->lost_upstream += h->lost_before;
	}
	r->aligned = true;
	if (r->raw.fd < 0 && !lidard_slice_get_points(slice)) {
		complain("%s does not publish points: record it with --format raw", r->sensor);
		return -EINVAL;
	}
	if (r->in_frame && h->frame_id != r->frame_id) {
		result = end_frame(r);
		if (result)
			return result;
	}
	if (!r->in_frame) {
		result = r->raw.fd >= 0 ? 0 : begin_pcd(r, h);
		if (result < 0)
			return result;
		r->in_frame = true;
		r->frame_id = h->frame_id;
	}
	result = write_slice(r, slice);
	if (result)
		return result;
	r->slices++;
	r->bytes += h->payload_bytes;
	result = stream_ends_frame(h) ? end_frame(r) : 0;
	return result ? result : h->flags & LIDARD_SLICE_END_OF_STREAM ? 1 : 0;
}

/* A file of the working directory, though the sensor's name may be of two parts. */
static void name_raw_file(const char *sensor, char *name, size_t size)
{
	char *slash;

	snprintf(name, size, "%.31s.lidard", sensor);
	while ((slash = strchr(name, '/')))
		*slash = '-';
}

static int open_output(struct record *r, const char *default_raw)
{
	struct stat st;
	int error;

	if (strcmp(r->options->format, "raw") == 0) {
		r->output = r->options->output ? r->options->output : default_raw;
		error = recording_open(&r->raw, r->output, r->sensor, r->options->max_bytes);
		return error < 0 ? complain_of_write(r->output, error) : 0;
	}
	r->output = r->options->output ? r->options->output : ".";
	if (mkdir(r->output, 0755) < 0 && errno != EEXIST)
		return complain_of_write(r->output, -errno);
	if (stat(r->output, &st) < 0 || !S_ISDIR(st.st_mode))
		return complain_of_write(r->output, -ENOTDIR);
	return 0;
}

/* Where it is, for a reader whose directory may not be ours. */
static void print_end(const struct record *r, bool kept)
{
	char path[PATH_MAX];

	fprintf(stderr, "lidarctl: recorded %" PRIu64 " frames, %" PRIu64 " slices, %.1f MB%s%s; "
		"missed %" PRIu64 " slices, %" PRIu64 " lost before publication\n", r->frames,
		r->slices, (double)r->bytes / 1e6, kept ? " to " : "",
		!kept ? "" : realpath(r->output, path) ? path : r->output, r->skipped,
		r->lost_upstream);
}

static int finish(struct record *r, int error)
{
	bool kept = r->raw.fd >= 0 ? r->slices > 0 : r->frames > 0;

	if (r->raw.fd >= 0 && r->slices == 0) {
		recording_abandon(&r->raw);
	} else if (r->raw.fd >= 0) {
		int committed = recording_commit(&r->raw);

		if (committed < 0) {
			error = complain_of_write(r->raw.path, committed);
			kept = false;
		}
	}
	/* a frame that was cut off would look whole */
	pcd_abandon(&r->pcd);
	print_end(r, kept);
	return error < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static int record_run(const void *data, char **arguments)
{
	char default_raw[LIDARD_SENSOR_NAME_MAX + 16];
	struct record r = {
		.options = data,
		.sensor = arguments[0],
		.pcd = { .fd = -1 },
		.raw = { .fd = -1 },
	};
	struct stream stream;
	int error;

	if (strcmp(r.options->format, "pcd") != 0 && strcmp(r.options->format, "raw") != 0) {
		complain("record: --format is pcd or raw, not '%s'", r.options->format);
		return COMMAND_USAGE;
	}
	if (r.options->packets && r.options->frames) {
		complain("record: --frames counts frames of points, with --packets there are none");
		return COMMAND_USAGE;
	}
	if (r.options->packets)
		return record_packets(r.options->common.socket, r.sensor, r.options->output,
				      r.options->max_bytes, r.options->timeout);
	name_raw_file(r.sensor, default_raw, sizeof(default_raw));
	stop_install();
	if (stream_open(&stream, r.options->common.socket, r.sensor, NULL) < 0)
		return COMMAND_FAILED;
	error = open_output(&r, default_raw);
	if (error == 0)
		error = stream_run(&stream, (uint64_t)(r.options->timeout * 1e9), on_slice, &r);
	if (error == -ETIMEDOUT)
		stream_complain_of_silence(&stream, r.sensor, r.options->timeout);
	stream_close(&stream);
	return finish(&r, error);
}

const struct command command_record = {
	.name = "record",
	.arguments = "SENSOR",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "keep what a sensor sees, as PCD files, raw slices or its packets",
	.description = "Ends by Ctrl-C, --frames, --max-bytes or --timeout. Files appear under\n"
		       "their names when they are whole.\n",
	.options = { record_rows, sizeof(record_rows) / sizeof(record_rows[0]) },
	.options_bytes = sizeof(struct record_options),
	.run = record_run,
};
