/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - the packets of one sensor in memory, and a decoder for them
 *
 * Made up (stream_made.c), so that a benchmark needs no recording, or recorded
 * (stream_recorded.c).  Only packets of points are in it, so that a byte counts
 * alike for all.  One thread.
 */
#ifndef BENCH_DECODE_STREAM_H
#define BENCH_DECODE_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/problem.h"
#include "decoder/decoder.h"

struct stream {
	struct decoder *decoder;
	/** One packet after the other; ends[i] is where packet i ends. */
	uint8_t *bytes;
	size_t *ends;
	size_t count;
	size_t bytes_room;
	size_t ends_room;
	/** In which the sensor sends them. */
	uint64_t span_ns;
};

/**
 * stream_make() - packets of a made-up sensor, some MB
 * @decoder: as in decoder = NAME
 * @model: the packets' profile for Ouster, as ouster_profile_find() knows it
 * @returns: ignored for Ouster, whose profile says it
 *
 * Return: 0, or negative errno with @problem set: -EINVAL if there is no such sensor.
 */
int stream_make(const char *decoder, const char *model, unsigned int returns, struct stream *ret,
		struct problem *problem);

/**
 * stream_read() - packets of a capture
 * @sensor_file: the sensor's metadata or calibration; "" if it takes none
 *
 * Return: 0; -ENOENT with @problem set: a file is not there; another negative errno.
 */
int stream_read(const char *decoder, const char *model, const char *capture,
		const char *sensor_file, struct stream *ret, struct problem *problem);

/** Ends the program if memory is short. */
void stream_add(struct stream *s, const void *packet, size_t bytes);

void stream_deinit(struct stream *s);

static inline size_t stream_begin_of(const struct stream *s, size_t i)
{
	return i ? s->ends[i - 1] : 0;
}

static inline size_t stream_get_bytes(const struct stream *s)
{
	return s->count ? s->ends[s->count - 1] : 0;
}

#endif /* BENCH_DECODE_STREAM_H */
