/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any datagrams, to a decoder of any Hesai sensor.
 *
 * Input: three bytes describe the sensor (model; cut angle; bits: 0 the model is
 * not named, 1 headers and block marks are put right before a packet is looked
 * at, 2 packets lack their sequence number), then packets of that size one
 * after the other; what is left at the end is a datagram too short.
 */
#include <stdlib.h>
#include <string.h>

#include "decoder/decoder_hesai.h"
#include "tests/fuzz/decoder_promises.h"
#include "bench/packets/hesai_packet_maker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MODEL, CUT_ANGLE, OPTIONS, DESCRIPTION_BYTES };
enum { OPTION_UNNAMED = 1, OPTION_MEND = 2, OPTION_NO_SEQUENCE = 4 };

/* What is checked before anything else, so that what lies behind is reached. */
static void mend(const struct hesai_model *m, uint8_t *datagram)
{
	uint8_t right[HESAI_PACKET_BYTES_MAX];
	struct hesai_packet_maker maker;
	unsigned int i;

	hesai_packet_maker_init(&maker, m, 1);
	hesai_packet_maker_fill(&maker, 0, right);
	memcpy(datagram, right, hesai_header_bytes(m));
	for (i = 0; i < m->blocks && m->header == HESAI_HEADER_NONE; i++)
		memcpy(datagram + hesai_block_offset(m, i), "\xff\xee", 2);
}

static void look(struct decoder *d, const uint8_t *data, size_t bytes, const struct hesai_model *right)
{
	static struct decoder_packet packet;
	uint8_t *datagram = malloc(bytes); /* exactly that large, so that reading beyond it shows */

	memcpy(datagram, data, bytes);
	if (right)
		mend(right, datagram);
	if (d->ops->look(d, datagram, bytes, &packet) == DECODER_POINTS)
		check_columns(d, &packet, HESAI_RETURNS_MAX);
	free(datagram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct hesai_model *m;
	struct beam_table beams = { 0 };
	struct decoder *d;
	uint8_t options;
	size_t bytes;

	if (size < DESCRIPTION_BYTES)
		return 0;
	options = data[OPTIONS];
	m = &hesai_models[data[MODEL] % hesai_model_count];
	beams.beams = m->channels;
	if (decoder_hesai_new(options & OPTION_UNNAMED ? "" : m->name, &beams, data[CUT_ANGLE], &d,
			      NULL) < 0)
		return 0;
	bytes = hesai_packet_bytes(m) - (options & OPTION_NO_SEQUENCE ? 4 : 0);
	data += DESCRIPTION_BYTES;
	size -= DESCRIPTION_BYTES;
	for (; size >= bytes; data += bytes, size -= bytes)
		look(d, data, bytes, options & OPTION_MEND ? m : NULL);
	if (size)
		look(d, data, size, NULL);
	d->ops->free(d);
	return 0;
}
