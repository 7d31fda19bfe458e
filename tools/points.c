/* SPDX-License-Identifier: Apache-2.0 */
/* points.c - see points.h */
#include "tools/points.h"

#include <stdlib.h>
#include <string.h>

#include "tools/complain.h"

void points_deinit(struct points *p)
{
	p->decoder = lidard_decoder_free(p->decoder);
	free(p->room);
	p->room = NULL;
	p->capacity = 0;
}

static void find_decoder(struct points *p, struct lidard_client *client, const char *sensor)
{
	int r = lidard_decoder_new(client, sensor, &p->decoder);
	const char *text;

	if (r == 0)
		return;
	text = lidard_client_get_error(client);
	complain("%s sends packets, and they cannot be decoded: %s", sensor,
		 text && *text ? text : strerror(-r));
	p->undecodable = true;
}

/* Return: false: no memory. */
static bool make_room(struct points *p, size_t capacity)
{
	if (capacity <= p->capacity)
		return true;
	free(p->room);
	p->room = calloc(capacity, sizeof(*p->room));
	p->capacity = p->room ? capacity : 0;
	return p->room;
}

static void describe(struct lidard_slice_header *h, const struct lidard_decoded *d)
{
	h->point_count = (uint32_t)d->point_count;
	h->sensor_time_ns = d->sensor_time_ns;
	h->sensor_end_time_ns = d->sensor_end_time_ns;
	h->flags |= d->columns ? LIDARD_SLICE_SENSOR_TIME_VALID : 0;
	h->lost_packets += d->bad_packets;
	h->missing_columns += d->bad_columns;
	h->flags |= d->bad_packets || d->bad_columns ? LIDARD_SLICE_PARTIAL : 0;
}

const struct lidard_point_xyzirt *points_of(struct points *p, struct lidard_client *client,
					    const char *sensor, const struct lidard_slice *slice)
{
	struct lidard_decoded decoded;

	p->header = *lidard_slice_get_header(slice);
	if (p->header.format != LIDARD_FORMAT_RAW)
		return lidard_slice_get_points(slice);
	if (!p->decoder && !p->undecodable)
		find_decoder(p, client, sensor);
	if (!p->decoder || !make_room(p, lidard_decoder_get_max(p->decoder, slice)) ||
	    lidard_slice_decode(slice, p->decoder, p->room, p->capacity, &decoded) < 0)
		return NULL;
	describe(&p->header, &decoded);
	return p->room;
}
