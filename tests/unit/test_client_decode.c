/* SPDX-License-Identifier: Apache-2.0 */
/* Slices of packets, made up from the decoder's own tables. */
#include "libclient/decode.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/decoder_ouster.h"
#include "libclient/fork_guard.h"
#include "libclient/subscription.h"
#include "bench/packets/ouster_packet.h"
#include "bench/packets/velodyne_packet.h"

#define PACKETS 4
#define BEAMS   8
#define POINTS  (PACKETS * 16 * BEAMS)

static struct ouster_metadata metadata;
static struct ouster_layout layout;
static struct lidard_decoder *decoder;
static struct lidard_decoded decoded;
static struct lidard_slice_header header;
static struct lidard_slice slice;
static uint8_t *payload;
static struct lidard_point_xyzirt *points;

static void begin(void)
{
	struct decoder *d;

	ouster_packet_sensor(&metadata, ouster_profile_find("RNG19_RFL8_SIG16_NIR16"));
	ouster_layout_init(&layout, metadata.profile, metadata.columns_per_packet,
			   metadata.pixels_per_column);
	cr_assert_eq(decoder_ouster_new(&metadata, &d, NULL), 0);
	cr_assert_eq(decode_new(d, &decoder), 0);
	payload = calloc(PACKETS + 1, layout.packet_bytes + 16);
	points = calloc(POINTS, sizeof(*points));
	header = (struct lidard_slice_header){ .format = LIDARD_FORMAT_RAW };
	slice = (struct lidard_slice){
		.header = &header,
		.payload = payload,
		.generation = fork_guard_get(),
	};
}

static void end(void)
{
	lidard_decoder_free(decoder);
	free(payload);
	free(points);
}

TestSuite(client_decode, .init = begin, .fini = end);

/* Return: the packet's bytes, behind what is there. */
static uint8_t *add_bytes(uint32_t bytes)
{
	uint8_t *at = payload + header.payload_bytes;

	memcpy(at, &bytes, sizeof(bytes));
	header.payload_bytes += (4 + bytes + 7) / 8 * 8;
	return at + 4;
}

static uint8_t *add_packet(uint32_t place)
{
	uint8_t *packet = add_bytes(layout.packet_bytes);
	unsigned int column, beam;

	ouster_packet_fill(&layout, packet, 7, place);
	for (column = 0; column < 16; column++)
		for (beam = 0; beam < BEAMS; beam++)
			ouster_packet_set(&layout, packet, "RANGE", column, beam,
					  1000 + 100 * place + beam);
	ouster_packet_seal(&layout, packet);
	return packet;
}

static void decode_or_fail(void)
{
	cr_assert_eq(lidard_slice_decode(&slice, decoder, points, POINTS, &decoded), 0);
}

/* Point @i of the packet @place, which lies @at packets into the slice. */
static void expect_point(unsigned int at, uint32_t place, unsigned int column, unsigned int beam,
			 uint32_t first_place)
{
	const struct lidard_point_xyzirt *p = &points[(at * 16 + column) * BEAMS + beam];

	cr_assert_eq(p->ring, beam);
	cr_assert_float_eq(p->range, (1000 + 100 * place + beam) * 0.001, 1e-4);
	cr_assert_eq(p->time_offset_ns, 97 * ((place - first_place) * 16 + column));
}

Test(client_decode, every_packet_becomes_points)
{
	unsigned int i;

	for (i = 0; i < PACKETS; i++)
		add_packet(i);
	cr_assert_eq(lidard_decoder_get_max(decoder, &slice), POINTS);
	decode_or_fail();
	cr_assert_eq(decoded.point_count, POINTS);
	cr_assert_eq(decoded.packets, PACKETS);
	cr_assert_eq(decoded.columns, PACKETS * 16);
	cr_assert_eq(decoded.sensor_time_ns, 1000000000);
	cr_assert_eq(decoded.sensor_end_time_ns, 1000000000 + 97 * 63);
	for (i = 0; i < POINTS; i++)
		expect_point(i / BEAMS / 16, i / BEAMS / 16, i / BEAMS % 16, i % BEAMS, 0);
}

Test(client_decode, time_counts_from_the_earliest_column_wherever_it_lies)
{
	unsigned int i;

	add_packet(2);
	add_packet(1);
	add_packet(3);
	decode_or_fail();
	cr_assert_eq(decoded.sensor_time_ns, 1000000000 + 97 * 16);
	cr_assert_eq(decoded.sensor_end_time_ns, 1000000000 + 97 * 63);
	for (i = 0; i < 16 * BEAMS; i++) {
		expect_point(0, 2, i / BEAMS, i % BEAMS, 1);
		expect_point(1, 1, i / BEAMS, i % BEAMS, 1);
		expect_point(2, 3, i / BEAMS, i % BEAMS, 1);
	}
}

Test(client_decode, without_room_nothing_beyond_it_is_written)
{
	struct lidard_point_xyzirt before;

	add_packet(0);
	memset(&points[16 * BEAMS - 1], 0xa5, sizeof(before));
	before = points[16 * BEAMS - 1];
	cr_assert_eq(lidard_slice_decode(&slice, decoder, points, 16 * BEAMS - 1, &decoded), -ENOSPC);
	cr_assert_eq(memcmp(&before, &points[16 * BEAMS - 1], sizeof(before)), 0);
	cr_assert_eq(lidard_slice_decode(&slice, decoder, NULL, 0, &decoded), -ENOSPC);
	cr_assert_eq(lidard_slice_decode(&slice, decoder, points, 16 * BEAMS, &decoded), 0);
}

Test(client_decode, what_is_no_packet_of_points_is_counted)
{
	uint8_t *damaged;

	add_packet(0);
	memset(add_bytes(48), 0x5a, 48);
	damaged = add_packet(1);
	damaged[layout.packet_bytes - 1] ^= 1; /* of the checksum */
	add_packet(2);
	decode_or_fail();
	cr_assert_eq(decoded.packets, 2);
	cr_assert_eq(decoded.ignored_packets, 1);
	cr_assert_eq(decoded.bad_packets, 1);
	cr_assert_eq(decoded.point_count, 2 * 16 * BEAMS);
}

Test(client_decode, a_length_beyond_the_slice_ends_it_and_is_counted)
{
	add_packet(0);
	add_bytes(UINT32_MAX);
	header.payload_bytes = (4 + layout.packet_bytes + 7) / 8 * 8 + 8;
	decode_or_fail();
	cr_assert_eq(decoded.packets, 1);
	cr_assert_eq(decoded.bad_packets, 1);
}

Test(client_decode, columns_of_another_time_are_left_out)
{
	uint8_t *packet = add_packet(0);

	ouster_packet_set(&layout, packet, "TIMESTAMP", 5, 0, 5000000000ull);
	ouster_packet_set(&layout, packet, "TIMESTAMP", 6, 0, UINT64_MAX);
	ouster_packet_seal(&layout, packet);
	decode_or_fail();
	cr_assert_eq(decoded.columns, 14);
	cr_assert_eq(decoded.bad_columns, 2);
	cr_assert_eq(decoded.sensor_end_time_ns, 1000000000 + 97 * 15);
}

Test(client_decode, an_empty_slice_has_no_points)
{
	decode_or_fail();
	cr_assert_eq(decoded.point_count, 0);
	cr_assert_eq(decoded.sensor_time_ns, 0);
	cr_assert_eq(lidard_decoder_get_max(decoder, &slice), 0);
}

Test(client_decode, points_are_not_decoded_again)
{
	header.format = LIDARD_FORMAT_XYZIRT;
	cr_assert_eq(lidard_slice_decode(&slice, decoder, points, POINTS, &decoded), -EINVAL);
	cr_assert_eq(lidard_decoder_get_max(decoder, &slice), 0);
}

Test(client_decode, a_slice_of_another_process_is_refused)
{
	slice.generation++;
	cr_assert_eq(lidard_slice_decode(&slice, decoder, points, POINTS, &decoded), -ECHILD);
}

Test(client_decode, freeing_nothing_is_fine)
{
	cr_assert_null(lidard_decoder_free(NULL));
}

/* A sensor that does not number its frames; its readers need no frames either. */
Test(client_decode, packets_of_a_velodyne_are_decoded_in_place)
{
	struct velodyne_sensor sensor = { .model = velodyne_model_find("VLP-16"), .returns = 1,
					  .step_cdeg = 20, .start_us = 7000 };
	struct decoder_sensor described = { .name = "front", .model = "", .metadata_path = "" };
	uint8_t bytes[(VELODYNE_PACKET_BYTES + 16) * 2];
	struct decoder *d;
	unsigned int i;

	lidard_decoder_free(decoder);
	cr_assert_eq(decoder_velodyne.open(&described, &d, NULL), 0);
	cr_assert_eq(decode_new(d, &decoder), 0);
	slice.payload = memset(bytes, 0, sizeof(bytes));
	for (i = 0; i < 2; i++) {
		uint8_t *at = bytes + header.payload_bytes;
		const uint32_t length = VELODYNE_PACKET_BYTES;

		memcpy(at, &length, sizeof(length));
		velodyne_packet_next(&sensor, at + 4);
		header.payload_bytes += (4 + length + 7) / 8 * 8;
	}
	points = realloc(points, lidard_decoder_get_max(decoder, &slice) * sizeof(*points));
	cr_assert_eq(lidard_slice_decode(&slice, decoder, points,
					 lidard_decoder_get_max(decoder, &slice), &decoded), 0);
	cr_expect_eq(decoded.packets, 2);
	cr_expect_eq(decoded.columns, 24);
	cr_expect_eq(decoded.point_count, 2 * 12 * 32);
	cr_expect_eq(decoded.sensor_clock, LIDARD_CLOCK_HOUR);
	cr_expect_eq(decoded.sensor_time_ns, 7000000);
	cr_expect_eq(points[384].time_offset_ns, 1327000);
}
