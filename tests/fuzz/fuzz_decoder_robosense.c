/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any datagrams, to a decoder of a RoboSense sensor.
 *
 * Input: two bytes describe the sensor (cut angle; bit 0: the marks of a packet
 * and of its blocks are put right before it is looked at), then packets one
 * after the other; what is left at the end is a datagram too short.
 */
#include <stdlib.h>
#include <string.h>

#include "decoder/decoder_robosense.h"
#include "tests/fuzz/decoder_promises.h"
#include "bench/packets/robosense_packet_maker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CUT_ANGLE, OPTIONS, DESCRIPTION_BYTES };
enum { OPTION_MEND = 1 };

static void look(struct decoder *d, const uint8_t *data, size_t bytes, bool mend)
{
	static struct decoder_packet packet;
	uint8_t *datagram = malloc(bytes); /* exactly that large, so that reading beyond it shows */
	unsigned int i;

	memcpy(datagram, data, bytes);
	if (mend && datagram[0] != 0xa5)
		robosense_maker_put(datagram, 0x55aa055a, 4);
	for (i = 0; i < ROBOSENSE_BLOCKS && mend; i++)
		robosense_maker_put(datagram + 42 + i * 100, 0xffee, 2);
	if (d->ops->look(d, datagram, bytes, &packet) == DECODER_POINTS)
		check_columns(d, &packet, 2);
	free(datagram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct beam_table beams = { .beams = ROBOSENSE_MAKER_BEAMS };
	const size_t bytes = ROBOSENSE_PACKET_BYTES;
	struct decoder *d;
	uint8_t options;

	if (size < DESCRIPTION_BYTES)
		return 0;
	options = data[OPTIONS];
	if (decoder_robosense_new("", &beams, data[CUT_ANGLE], &d, NULL) < 0)
		return 0;
	data += DESCRIPTION_BYTES;
	size -= DESCRIPTION_BYTES;
	for (; size >= bytes; data += bytes, size -= bytes)
		look(d, data, bytes, options & OPTION_MEND);
	if (size)
		look(d, data, size, false);
	d->ops->free(d);
	return 0;
}
