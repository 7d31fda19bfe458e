/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any position packets, to a Velodyne decoder.
 *
 * Input: a byte of options (bit 0: the checksum of the sentence is put right, bits 1-2: the
 * state of the pulse), four of time, then the sentence without "$" and "*".
 */
#include <stdlib.h>
#include <string.h>

#include "decoder/velodyne_position.h"
#include "tests/fuzz/decoder_promises.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPTIONS, TIME, TEXT = 5 };

#define TIME_AT 198
#define PPS_AT 202
#define NMEA_AT 206
#define TEXT_MAX (VELODYNE_POSITION_BYTES - NMEA_AT - 4)

static void put_sentence(char *at, const uint8_t *text, size_t bytes)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t sum = 0;
	size_t i;

	*at++ = '$';
	for (i = 0; i < bytes; i++) {
		*at++ = (char)text[i];
		sum ^= text[i];
	}
	*at++ = '*';
	*at++ = digits[sum >> 4];
	*at = digits[sum & 15];
}

static void look(const uint8_t *packet)
{
	static const struct decoder_sensor sensor = { .name = "", .model = "VLP-16",
						      .metadata_path = "" };
	static struct decoder_packet points;
	struct decoder *d;

	check(decoder_velodyne.open(&sensor, &d, NULL) == 0);
	check(d->ops->look(d, packet, VELODYNE_POSITION_BYTES, &points) == DECODER_SIDE);
	check_side(d, packet, VELODYNE_POSITION_BYTES);
	d->ops->free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* exactly that large, so that reading beyond it shows */
	uint8_t *packet;
	size_t bytes;

	if (size < TEXT)
		return 0;
	packet = calloc(1, VELODYNE_POSITION_BYTES);
	bytes = size - TEXT < TEXT_MAX ? size - TEXT : TEXT_MAX;
	memcpy(packet + TIME_AT, data + TIME, 4);
	packet[PPS_AT] = data[OPTIONS] >> 1 & 3;
	if (data[OPTIONS] & 1)
		put_sentence((char *)packet + NMEA_AT, data + TEXT, bytes);
	else
		memcpy(packet + NMEA_AT, data + TEXT, bytes);
	look(packet);
	free(packet);
	return 0;
}
