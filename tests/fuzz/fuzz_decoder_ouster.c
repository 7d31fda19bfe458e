/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any datagrams, to a decoder of any small sensor.
 *
 * Input: five bytes describe the sensor (profile; columns a packet; first and
 * last column of the window; bits: 0-1 checksum expected, 2 serial unknown,
 * 3 checksums are put right before the packet is looked at), then packets of
 * that sensor's size one after the other; what is left at the end is a
 * datagram too short.
 */
#include <stdlib.h>
#include <string.h>

#include "decoder/decoder_ouster.h"
#include "tests/fuzz/decoder_promises.h"
#include "bench/packets/ouster_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PROFILE, COLUMNS, WINDOW_FIRST, WINDOW_LAST, OPTIONS, DESCRIPTION_BYTES };

/* Of a sensor that numbers its columns, more is known. */
static void check_order(const struct decoder_packet *p)
{
	unsigned int i;

	for (i = 0; i < p->column_count; i++) {
		check(p->columns[i].frame == p->frame);
		check(i == 0 || p->columns[i].place > p->columns[i - 1].place);
	}
}

static void look(struct decoder *d, const uint8_t *data, size_t bytes,
		 const struct ouster_layout *seal)
{
	static struct decoder_packet packet;
	uint8_t *datagram = malloc(bytes); /* exactly that large, so that reading beyond it shows */

	memcpy(datagram, data, bytes);
	if (seal && bytes == seal->packet_bytes)
		ouster_packet_seal(seal, datagram);
	if (d->ops->look(d, datagram, bytes, &packet) == DECODER_POINTS) {
		check_order(&packet);
		check_columns(d, &packet, 2);
	}
	check_side(d, datagram, bytes);
	free(datagram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ouster_metadata m;
	struct ouster_layout layout;
	struct decoder *d;
	uint8_t options;

	if (size < DESCRIPTION_BYTES)
		return 0;
	options = data[OPTIONS];
	ouster_packet_sensor(&m, &ouster_profiles[data[PROFILE] % ouster_profile_count]);
	m.columns_per_packet = 1 + data[COLUMNS] % 16;
	m.window_first = data[WINDOW_FIRST] % m.columns_per_frame;
	m.window_last = data[WINDOW_LAST] % m.columns_per_frame;
	if (m.profile->has_crc)
		m.crc = (options & 3) % (OUSTER_CRC_PRESENT + 1);
	if (options & 4)
		m.serial_number = 0;
	if (decoder_ouster_new(&m, &d, NULL) < 0)
		return 0;
	ouster_layout_init(&layout, m.profile, m.columns_per_packet, m.pixels_per_column);
	data += DESCRIPTION_BYTES;
	size -= DESCRIPTION_BYTES;
	for (; size >= layout.packet_bytes; data += layout.packet_bytes, size -= layout.packet_bytes)
		look(d, data, layout.packet_bytes, options & 8 ? &layout : NULL);
	if (size)
		look(d, data, size, NULL);
	d->ops->free(d);
	return 0;
}
