/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_collector.h - slices of one frame, gathered as they come
 *
 * One frame is being built at a time; a slice of another frame ends it, whole
 * or not.  Frames and the lists in them are made when the subscription begins:
 * every frame lent holds a slice at least, so there can be no more frames than
 * slices.
 */
#ifndef LIBCLIENT_FRAME_COLLECTOR_H
#define LIBCLIENT_FRAME_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>

struct lidard_frame;
struct lidard_slice;
struct lidard_subscription;

struct frame_collector {
	struct lidard_subscription *subscription;
	/* owned; each may hold capacity slices */
	struct lidard_frame *frames;
	struct lidard_slice **lists;
	uint32_t capacity;
	struct lidard_frame *free_frames;
	/* NULL between frames */
	struct lidard_frame *building;
	/* too large to be held: what is still to come of it is given back */
	bool dropping;
	uint64_t dropping_id;
	uint64_t dropping_incarnation;
};

/** Return: 0; -ENOMEM, and then deinit is still due. */
int frame_collector_init(struct frame_collector *c, struct lidard_subscription *s, uint32_t held);
/** Twice is fine. Slices are not released. */
void frame_collector_deinit(struct frame_collector *c);

#endif /* LIBCLIENT_FRAME_COLLECTOR_H */
