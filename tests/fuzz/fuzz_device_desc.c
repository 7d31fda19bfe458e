/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any descriptors, to a stream of any format.
 *
 * Input: a byte (bit 0: points or packets, bit 1: a clock), then descriptors as
 * they lie in a ready ring; bit 31 of a descriptor's flags has the slice
 * dropped.  Whatever they say, what a reader is told must be possible.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/device_desc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SLOT_BYTES 4096
#define EXPECT(promise)          \
	do {                     \
		if (!(promise))  \
			abort(); \
	} while (0)

/* What readers of liblidard check, and lidard's account. */
static void check_header(const struct lidard_slice_header *h, uint64_t next_seq,
			 const struct lidard_slice_header *last)
{
	EXPECT(h->payload_bytes <= SLOT_BYTES);
	EXPECT(h->format != LIDARD_FORMAT_XYZIRT ||
	       (uint64_t)h->point_count * h->point_step == h->payload_bytes);
	EXPECT(h->slice_index < LIDARD_FRAME_SLICES_MAX);
	EXPECT(h->slice_count <= LIDARD_FRAME_SLICES_MAX);
	EXPECT(!h->slice_count || h->slice_index < h->slice_count);
	EXPECT(!(h->flags & LIDARD_SLICE_LAST) || h->slice_count == h->slice_index + 1);
	EXPECT(h->seq == next_seq + h->lost_before);
	EXPECT(h->frame_id >= last->frame_id);
	EXPECT(!last->header_bytes || h->frame_id > last->frame_id ||
	       h->slice_index > last->slice_index);
	EXPECT(h->sensor_end_time_ns >= h->sensor_time_ns);
	EXPECT(!(h->flags & LIDARD_SLICE_FIRST_BYTE_VALID) || !h->filled_ns ||
	       h->first_byte_ns <= h->filled_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* its own block: reading beyond the slice shows */
	static void *slot;
	struct lidard_slice_header h, last = { 0 };
	struct device_stream stream;
	struct lidar_ring_desc d;
	struct problem problem;
	uint64_t next_seq = 0;

	if (!slot)
		slot = calloc(1, SLOT_BYTES);
	if (size < 1)
		return 0;
	device_stream_init(&stream, SLOT_BYTES,
			   data[0] & 1 ? LIDARD_FORMAT_XYZIRT : LIDARD_FORMAT_RAW,
			   data[0] & 2 ? 100000000 : 0);
	for (data++, size--; size >= sizeof(d); data += sizeof(d), size -= sizeof(d)) {
		memcpy(&d, data, sizeof(d));
		memset(&h, 0, sizeof(h));
		if (device_stream_accept(&stream, &d, slot, &h, &problem) < 0) {
			EXPECT(problem.text[0]);
			continue;
		}
		EXPECT(stream.partial_frames <= stream.frames);
		check_header(&h, next_seq, &last);
		last = h;
		if (d.flags & (1u << 31))
			device_stream_drop(&stream, &h);
		else
			next_seq = h.seq + 1;
	}
	return 0;
}
