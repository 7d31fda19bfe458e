/* SPDX-License-Identifier: Apache-2.0 */
/* frames.h - a device that fills frames at a rate, and who takes their first points */
#ifndef BENCH_LATENCY_FRAMES_H
#define BENCH_LATENCY_FRAMES_H

#include <stdint.h>

#include "bench/page.h"
#include "common/histogram.h"

/** What driver, lidard's source and the reader share. */
struct frames_page {
	/* the driver's */
	BENCH_LINE uint64_t frame_bytes;
	/** Of a frame's first slice and of the others; the last is what is left. */
	uint64_t first_bytes;
	uint64_t slice_bytes;
	uint64_t bytes_per_s;
	uint32_t recording;
	uint32_t pad;
	/* the source's: slices handed out */
	BENCH_LINE uint64_t slices;
	/* the reader's: slices come; and how many were missing before those taken */
	BENCH_LINE uint32_t connected;
	uint32_t pad2;
	uint64_t lost;
	/** From the frame's first byte to having its first slice, and its last; while recording. */
	struct lidard_histogram first_point;
	struct lidard_histogram whole_frame;
};

/** Of a frame. */
static inline uint32_t frames_slice_count(const struct frames_page *p)
{
	uint64_t rest = p->frame_bytes - p->first_bytes;

	return (uint32_t)(1 + (rest + p->slice_bytes - 1) / p->slice_bytes);
}

#endif /* BENCH_LATENCY_FRAMES_H */
