/* SPDX-License-Identifier: Apache-2.0 */
/* decoder_promises.h - what a decoder keeps, whatever the datagram was (decoder.h) */
#ifndef TESTS_FUZZ_DECODER_PROMISES_H
#define TESTS_FUZZ_DECODER_PROMISES_H

#include <stdbool.h>
#include <stdlib.h>

#include "decoder/decoder.h"

static inline void check(bool promise)
{
	if (!promise)
		abort();
}

/** What look() said is within the geometry, and so are the points; @returns_max: of one beam. */
static inline void check_columns(const struct decoder *d, const struct decoder_packet *p,
				 unsigned int returns_max)
{
	const struct decoder_geometry *g = &d->geometry;
	struct lidard_point_xyzirt *points = calloc(g->column_points, sizeof(*points));
	unsigned int i;
	uint32_t k, n;

	check(p->column_count <= g->packet_columns && p->place < g->frame_packets);
	for (i = 0; i < p->column_count; i++) {
		check(p->columns[i].place < g->frame_columns);
		n = d->ops->points(d, p, i, points);
		check(n <= g->column_points);
		for (k = 0; k < n; k++)
			check(points[k].range > 0 && points[k].return_number >= 1 &&
			      points[k].return_number <= returns_max);
	}
	free(points);
}

static inline bool is_number(double v)
{
	return v == v && v - v == 0;
}

/** What side() says of a datagram is nothing, or numbers within their limits. */
static inline void check_side(const struct decoder *d, const void *datagram, size_t bytes)
{
	struct decoder_side s;
	unsigned int i;
	int result;

	if (!d->ops->side)
		return;
	result = d->ops->side(d, datagram, bytes, &s);
	check(result == DECODER_SIDE || result == DECODER_IGNORED || result == DECODER_BAD);
	if (result != DECODER_SIDE)
		return;
	check(s.has_imu || s.has_position);
	for (i = 0; i < 3; i++)
		check(is_number((double)s.imu.acceleration[i]) &&
		      is_number((double)s.imu.angular_velocity[i]));
	check(s.position.latitude >= -90 && s.position.latitude <= 90);
	check(s.position.longitude >= -180 && s.position.longitude <= 180);
	check(is_number(s.position.altitude) && is_number((double)s.position.speed));
	check(s.position.course >= 0 && s.position.course <= 360);
	check(s.position.pps <= LIDARD_PPS_ERROR);
}

#endif /* TESTS_FUZZ_DECODER_PROMISES_H */
