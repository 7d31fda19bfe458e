/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a sensor's metadata.
 *
 * Input: the file, byte for byte.  What is accepted must keep the promises of
 * struct ouster_metadata and make a decoder; what is refused must say why.
 */
#include <math.h>
#include <stdlib.h>

#include "decoder/decoder_ouster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

static void check_promises(const struct ouster_metadata *m)
{
	struct ouster_layout l;
	uint32_t i;

	check(m->profile);
	check(m->columns_per_frame >= 1 && m->columns_per_frame <= OUSTER_COLUMNS_MAX);
	check(m->columns_per_packet >= 1 && m->columns_per_packet <= DECODER_PACKET_COLUMNS_MAX);
	check(m->pixels_per_column >= 1 && m->pixels_per_column <= OUSTER_PIXELS_MAX);
	check(m->window_first < m->columns_per_frame && m->window_last < m->columns_per_frame);
	check(m->serial_number >> 40 == 0);
	for (i = 0; i < m->pixels_per_column; i++)
		check(isfinite(m->altitude_deg[i]) && isfinite(m->azimuth_deg[i]));
	for (i = 0; i < 16; i++)
		check(isfinite(m->lidar_to_sensor[i]));
	ouster_layout_init(&l, m->profile, m->columns_per_packet, m->pixels_per_column);
	check(l.packet_bytes <= OUSTER_PACKET_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problem problem = { "" };
	struct ouster_metadata m;
	struct decoder *d;

	if (ouster_metadata_parse("fuzz", (const char *)data, size, "", &m, &problem) < 0) {
		check(problem.text[0] != '\0');
		return 0;
	}
	check_promises(&m);
	if (decoder_ouster_new(&m, &d, &problem) == 0) {
		check(d->geometry.frame_columns >= 1 && d->geometry.frame_packets >= 1);
		d->ops->free(d);
	}
	return 0;
}
