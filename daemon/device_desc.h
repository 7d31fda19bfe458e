/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_desc.h - what a device says of a slice, checked and in our words
 *
 * A descriptor's contents come from the device as much as from its driver, so
 * they are hostile: what would mislead a reader (a number that goes back, a
 * frame of more slices than one may have, more bytes than the slot has) is
 * refused.  What the device cannot know stays unknown.
 *
 * Slices and frames.  A device that does not number frames has no notion of
 * them: each of its slices counts as a frame.  Its first slice says which kind
 * it is.  Frame numbers wrap at 32 bits
 * in the descriptor and not in ours.  A frame of which a slice was lost is
 * flagged partial on its last slice.
 *
 * Pure: no fd, no clock.  One thread.
 */
#ifndef DAEMON_DEVICE_DESC_H
#define DAEMON_DEVICE_DESC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/problem.h"
#include "lidard/frame.h"
#include "uapi/lidar_ring.h"

/** One run of a device, from START to STOP. */
struct device_stream {
	/** Most bytes of a slice, its enum lidard_format, rate of device_ticks (0: no clock). */
	uint64_t slot_bytes;
	uint64_t clock_hz;
	uint16_t format;

	/** The next slice's number, and slices lost since the last one that was handed out. */
	uint64_t next_seq;
	uint64_t lost_pending;
	/** Frame of the last slice seen: as the device wrote it, counted on, and its next slice. */
	uint32_t wire_frame;
	uint64_t frame;
	uint32_t next_index;
	/** A frame was begun, and its last slice has not come. */
	bool in_frame;
	/** The device numbers frames, and has sent a slice of one. */
	bool begun;
	/** Something of the frame is missing. */
	bool frame_partial;
	/** Frames that are over, and how many of them were partial. */
	uint64_t frames;
	uint64_t partial_frames;
	/** Slices whose device clock had stepped. */
	uint64_t clock_steps;
};

void device_stream_init(struct device_stream *s, uint64_t slot_bytes, uint16_t format,
			uint64_t clock_hz);

/**
 * device_stream_accept() - check a descriptor and describe its slice. Hot path.
 * @data: the slot; only d->bytes of it are looked at
 * @h: zeroed; gets all but what the sensor adds
 *
 * Return: 0; -EPROTO with @problem set: the descriptor makes no sense, the stream is over.
 */
int device_stream_accept(struct device_stream *s, const struct lidar_ring_desc *d,
			 const void *data, struct lidard_slice_header *h,
			 struct problem *problem);

/** device_stream_drop() - the slice just accepted as @h will not be handed out. Hot path. */
void device_stream_drop(struct device_stream *s, const struct lidard_slice_header *h);

#endif /* DAEMON_DEVICE_DESC_H */
