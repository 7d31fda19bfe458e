/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points.h - the points of a slice, whether it holds points or a sensor's packets
 *
 * Packets (LIDARD_FORMAT_RAW) are decoded into memory of ours, by the library;
 * the decoder is asked for when the first slice of packets comes.  One thread.
 */
#ifndef TOOLS_POINTS_H
#define TOOLS_POINTS_H

#include <stdbool.h>

#include "lidard/lidard.h"

/** All zeros is a good beginning. */
struct points {
	struct lidard_decoder *decoder;
	/** There is none, which has been complained of. */
	bool undecodable;
	struct lidard_point_xyzirt *room;
	size_t capacity;
	/** Of the slice that was looked at last: its header, and what came of its packets. */
	struct lidard_slice_header header;
};

/** Idempotent. */
void points_deinit(struct points *p);

/**
 * points_of() - the points of a slice
 * @client, @sensor: whose slice it is
 *
 * p->header is the slice's then; of packets, point_count and sensor times are those of the
 * points, and damaged packets count as lost.
 *
 * Return: header.point_count points, valid until the next call and as long as the slice;
 * NULL: nothing that could be shown.
 */
const struct lidard_point_xyzirt *points_of(struct points *p, struct lidard_client *client,
					    const char *sensor, const struct lidard_slice *slice);

#endif /* TOOLS_POINTS_H */
