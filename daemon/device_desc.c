/* SPDX-License-Identifier: Apache-2.0 */
/* device_desc.c - see device_desc.h */
#include "daemon/device_desc.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"

void device_stream_init(struct device_stream *s, uint64_t slot_bytes, uint16_t format,
			uint64_t clock_hz)
{
	*s = (struct device_stream){
		.slot_bytes = slot_bytes,
		.format = format,
		.clock_hz = clock_hz,
	};
}

/* --- is it possible? --- */

static int check_place(const struct lidar_ring_desc *d, struct problem *problem)
{
	if (d->slice_index >= LIDARD_FRAME_SLICES_MAX || d->slice_count > LIDARD_FRAME_SLICES_MAX)
		return problem_set(problem, -EPROTO,
				   "the device cuts a frame into more than %u slices (slice %u of %u): "
				   "raise slice_bytes",
				   LIDARD_FRAME_SLICES_MAX, d->slice_index, d->slice_count);
	if (d->slice_count && d->slice_index >= d->slice_count)
		return problem_set(problem, -EPROTO, "the device sent slice %u of a frame of %u",
				   d->slice_index, d->slice_count);
	if ((d->flags & LIDAR_RING_DESC_LAST) && d->slice_count &&
	    d->slice_index + 1 != d->slice_count)
		return problem_set(problem, -EPROTO,
				   "the device calls slice %u of %u the last of its frame",
				   d->slice_index, d->slice_count);
	return 0;
}

static int check_order(const struct device_stream *s, const struct lidar_ring_desc *d,
		       struct problem *problem)
{
	if (!s->begun)
		return 0;
	if (d->frame_id == s->wire_frame && d->slice_index < s->next_index)
		return problem_set(problem, -EPROTO, "slice %u of frame %u came after slice %u",
				   d->slice_index, d->frame_id, s->next_index - 1);
	if (d->frame_id == s->wire_frame && !s->in_frame)
		return problem_set(problem, -EPROTO, "slice %u of frame %u came after its last, %u",
				   d->slice_index, d->frame_id, s->next_index - 1);
	if ((int32_t)(d->frame_id - s->wire_frame) < 0)
		return problem_set(problem, -EPROTO, "frame %u came after frame %u", d->frame_id,
				   s->wire_frame);
	return 0;
}

static int check(const struct device_stream *s, const struct lidar_ring_desc *d,
		 struct problem *problem)
{
	int r;

	if (d->bytes > s->slot_bytes)
		return problem_set(problem, -EPROTO, "a slice of %u bytes in a slot of %" PRIu64,
				   d->bytes, s->slot_bytes);
	if (d->seq < s->next_seq)
		return problem_set(problem, -EPROTO,
				   "slice %" PRIu64 " came where %" PRIu64 " was to be expected",
				   (uint64_t)d->seq, s->next_seq);
	if (d->seq == UINT64_MAX) /* a number to come after it is needed */
		return problem_set(problem, -EPROTO, "slice number %" PRIu64 " is impossible",
				   (uint64_t)d->seq);
	if (s->next_seq && !(d->flags & LIDAR_RING_DESC_FRAME) == s->begun)
		return problem_set(problem, -EPROTO, "slice %" PRIu64 " %s", (uint64_t)d->seq,
				   s->begun ? "does not say which frame it is of, as those before did" :
					      "says which frame it is of, and those before did not");
	if (!(d->flags & LIDAR_RING_DESC_FRAME))
		return 0;
	r = check_place(d, problem);
	return r < 0 ? r : check_order(s, d, problem);
}

/* --- frames --- */

static void end_frame(struct device_stream *s)
{
	s->frames++;
	s->partial_frames += s->frame_partial;
	s->in_frame = false;
	s->frame_partial = false;
}

static void begin_frame(struct device_stream *s, const struct lidar_ring_desc *d)
{
	/* its last slice never came */
	if (s->in_frame) {
		s->frame_partial = true;
		end_frame(s);
	}
	s->frame = s->begun ? s->frame + (uint32_t)(d->frame_id - s->wire_frame) : d->frame_id;
	s->wire_frame = d->frame_id;
	s->next_index = 0;
	s->in_frame = true;
	s->begun = true;
}

static void describe_place(struct device_stream *s, const struct lidar_ring_desc *d,
			   struct lidard_slice_header *h)
{
	if (!s->begun || d->frame_id != s->wire_frame)
		begin_frame(s, d);
	/* of the first frame of a stream we may see the end only */
	if (d->slice_index != s->next_index)
		s->frame_partial = true;
	s->next_index = d->slice_index + 1u;
	h->frame_id = s->frame;
	h->slice_index = d->slice_index;
	h->slice_count = d->slice_count;
	if (!(d->flags & LIDAR_RING_DESC_LAST) && d->slice_count != s->next_index)
		return;
	h->slice_count = s->next_index;
	h->flags |= LIDARD_SLICE_LAST;
}

/* No frames: each slice is one. */
static void describe_alone(struct device_stream *s, struct lidard_slice_header *h)
{
	h->frame_id = h->seq;
	h->slice_count = 1;
	h->flags |= LIDARD_SLICE_LAST;
}

/* --- the rest --- */

static void describe_payload(struct device_stream *s, const struct lidar_ring_desc *d,
			     struct lidard_slice_header *h)
{
	const uint32_t step = sizeof(struct lidard_point_xyzirt);

	h->format = s->format;
	h->payload_bytes = d->bytes;
	if (d->flags & LIDAR_RING_DESC_SHORT)
		h->flags |= LIDARD_SLICE_PARTIAL;
	if (d->flags & LIDAR_RING_DESC_CRC) {
		h->crc32c = d->crc32c;
		h->flags |= LIDARD_SLICE_CRC_VALID;
	}
	if (s->format != LIDARD_FORMAT_XYZIRT)
		return;
	h->point_step = (uint16_t)step;
	h->point_count = d->bytes / step;
	if (d->bytes % step == 0)
		return;
	/* half a point at the end: leave it out, and with it the checksum of the whole */
	h->payload_bytes = (uint64_t)h->point_count * step;
	h->flags |= LIDARD_SLICE_PARTIAL;
	h->flags &= ~(uint32_t)LIDARD_SLICE_CRC_VALID;
	h->crc32c = 0;
}

static void describe_times(const struct lidar_ring_desc *d, struct lidard_slice_header *h)
{
	if (d->flags & LIDAR_RING_DESC_LAST_NS)
		h->filled_ns = d->last_byte_ns;
	/* a first byte after the last is no time of it */
	if (!(d->flags & LIDAR_RING_DESC_FIRST_NS) ||
	    (h->filled_ns && d->first_byte_ns > h->filled_ns))
		return;
	h->first_byte_ns = d->first_byte_ns;
	h->flags |= LIDARD_SLICE_FIRST_BYTE_VALID;
}

/* Points say when they were fired, so the last one says when the slice ends. */
static uint32_t last_offset_ns(const struct lidard_slice_header *h, const void *data)
{
	const struct lidard_point_xyzirt *points = data;

	if (h->format != LIDARD_FORMAT_XYZIRT || h->point_count == 0)
		return 0;
	return points[h->point_count - 1].time_offset_ns;
}

static void describe_sensor_time(struct device_stream *s, const struct lidar_ring_desc *d,
				 const void *data, struct lidard_slice_header *h)
{
	unsigned __int128 ns;

	if (s->clock_hz == 0)
		return;
	h->sensor_clock = LIDARD_CLOCK_SENSOR_BOOT;
	if (d->flags & LIDAR_RING_DESC_CLOCK_STEP)
		s->clock_steps++;
	if (!(d->flags & LIDAR_RING_DESC_TICKS))
		return;
	ns = (unsigned __int128)d->device_ticks * NSEC_PER_SEC / s->clock_hz;
	if (ns > UINT64_MAX - UINT32_MAX)
		return;
	h->sensor_time_ns = (uint64_t)ns;
	h->sensor_end_time_ns = h->sensor_time_ns + last_offset_ns(h, data);
	h->flags |= LIDARD_SLICE_SENSOR_TIME_VALID;
}

int device_stream_accept(struct device_stream *s, const struct lidar_ring_desc *d,
			 const void *data, struct lidard_slice_header *h, struct problem *problem)
{
	int r = check(s, d, problem);
	uint64_t lost;

	if (r < 0)
		return r;
	lost = d->seq - s->next_seq;
	h->header_bytes = sizeof(*h);
	h->seq = d->seq;
	h->lost_before = s->lost_pending + lost;
	s->next_seq = d->seq + 1;
	s->lost_pending = 0;
	if (lost && s->in_frame)
		s->frame_partial = true;
	if (d->flags & LIDAR_RING_DESC_FRAME)
		describe_place(s, d, h);
	else
		describe_alone(s, h);
	describe_payload(s, d, h);
	describe_times(d, h);
	describe_sensor_time(s, d, data, h);
	if (h->flags & LIDARD_SLICE_PARTIAL)
		s->frame_partial = true;
	if (!(h->flags & LIDARD_SLICE_LAST))
		return 0;
	if (s->frame_partial)
		h->flags |= LIDARD_FRAME_PARTIAL;
	end_frame(s);
	return 0;
}

void device_stream_drop(struct device_stream *s, const struct lidard_slice_header *h)
{
	s->lost_pending = h->lost_before + 1;
	if (s->in_frame)
		s->frame_partial = true;
	/* its last slice: it is over, and lacks this one */
	else if (!(h->flags & LIDARD_FRAME_PARTIAL))
		s->partial_frames++;
}
