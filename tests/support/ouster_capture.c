/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/ouster_capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/packets/ouster_packet.h"
#include "tests/support/pcap_writer.h"

#define BEAMS OUSTER_CAPTURE_BEAMS
#define COLUMNS OUSTER_CAPTURE_COLUMNS
#define PACKET_COLUMNS OUSTER_CAPTURE_PACKET_COLUMNS
#define FRAME_PACKETS OUSTER_CAPTURE_FRAME_PACKETS
#define SERIAL 991900123456ull
#define BEGIN_NS 1000000000ull
#define RECORDED_NS 1700000000000000000ull

static void put(uint8_t *p, uint64_t v, unsigned int bytes)
{
	memcpy(p, &v, bytes); /* the tests run little-endian */
}

static uint64_t column_time_ns(uint32_t frame, uint32_t column)
{
	return BEGIN_NS + ((uint64_t)frame * COLUMNS + column) * OUSTER_CAPTURE_COLUMN_NS;
}

static uint32_t range_mm(uint32_t column, uint32_t beam)
{
	return column % 8 == 7 ? 0 : OUSTER_CAPTURE_RANGE_MM + beam * OUSTER_CAPTURE_STEP_MM;
}

static size_t make_legacy(uint8_t *p, uint16_t frame_id, uint32_t frame, uint32_t packet)
{
	uint32_t i, beam;
	uint8_t *at = p;

	for (i = 0; i < PACKET_COLUMNS; i++) {
		uint32_t column = packet * PACKET_COLUMNS + i;

		put(at, column_time_ns(frame, column), 8);
		put(at + 8, column, 2);
		put(at + 10, frame_id, 2);
		put(at + 12, column * 90112 / COLUMNS, 4);
		at += 16;
		for (beam = 0; beam < BEAMS; beam++, at += 12) {
			put(at, range_mm(column, beam), 4);
			at[4] = (uint8_t)beam;
			put(at + 6, 100 + beam, 2);
			put(at + 8, 200 + beam, 2);
		}
		put(at, 0xffffffff, 4);
		at += 4;
	}
	return (size_t)(at - p);
}

static size_t make_rng15(const struct ouster_capture_options *o, uint8_t *p, uint16_t frame_id,
			 uint32_t frame, uint32_t packet)
{
	uint8_t *at = p + 32;
	uint32_t i, beam;

	put(p, 1, 2);
	put(p + 2, frame_id, 2);
	put(p + 4, o->init, 3);
	put(p + 7, SERIAL + o->serial, 5);
	for (i = 0; i < PACKET_COLUMNS; i++) {
		uint32_t column = packet * PACKET_COLUMNS + i;

		put(at, column_time_ns(frame, column), 8);
		put(at + 8, column, 2);
		put(at + 10, 1, 2);
		at += 12;
		for (beam = 0; beam < BEAMS; beam++, at += 4) {
			put(at, range_mm(column, beam) / 8, 2);
			at[2] = (uint8_t)beam;
			at[3] = (uint8_t)(beam + 1);
		}
	}
	return (size_t)(at - p) + 32;
}

size_t ouster_capture_make_packet(const struct ouster_capture_options *o, uint8_t *data,
				  uint32_t frame, uint32_t packet)
{
	uint16_t id = (uint16_t)(o->first_frame + frame);

	memset(data, 0, OUSTER_CAPTURE_PACKET_MAX);
	return o->rng15 ? make_rng15(o, data, id, frame, packet) :
			  make_legacy(data, id, frame, packet);
}

void ouster_capture_make_imu(uint8_t *data, uint32_t frame, uint32_t packet)
{
	const uint64_t time_ns = column_time_ns(frame, packet * PACKET_COLUMNS);
	const uint64_t times[3] = { OUSTER_CAPTURE_IMU_BOOT_NS, time_ns,
				    time_ns + OUSTER_CAPTURE_IMU_DELAY_NS };
	const float acceleration[3] = { 0, 0.5f, 1 };
	const float angular_velocity[3] = { 0, (float)packet, 90 };

	ouster_packet_imu(data, times, acceleration, angular_velocity);
}

static void write_packet(struct pcap_writer *w, const struct ouster_capture_options *o,
			 uint32_t frame, uint32_t packet)
{
	uint8_t data[OUSTER_CAPTURE_PACKET_MAX];
	struct pcap_packet p = {
		.time_ns = RECORDED_NS + column_time_ns(frame, (packet + 1) * PACKET_COLUMNS),
		.id = (uint16_t)(frame * FRAME_PACKETS + packet),
		.vlans = o->vlans,
		.data = data,
	};

	if (o->others) {
		ouster_capture_make_imu(data, frame, packet);
		p.bytes = OUSTER_CAPTURE_IMU_BYTES;
		p.destination_port = 7503;
		pcap_writer_datagram(w, &p);
	}
	p.destination_port = 0;
	p.bytes = ouster_capture_make_packet(o, data, frame, packet);
	if (o->fragment_bytes)
		pcap_writer_fragments(w, &p, o->fragment_bytes, packet % 2);
	else
		pcap_writer_datagram(w, &p);
}

static void write_packets(struct ouster_capture *c, struct pcap_writer *w,
			  const struct ouster_capture_options *o, uint32_t frames)
{
	uint32_t count = frames * FRAME_PACKETS;
	uint32_t i, n;

	if (o->end_packet)
		count -= FRAME_PACKETS - o->end_packet;
	for (i = o->first_packet; i < count; i++) {
		n = i;
		if (o->drop_every && i % o->drop_every == o->drop_every - 1)
			continue;
		/* i and i + 1 change places */
		if (o->swap_every && i % o->swap_every == 0 && i + 1 < count)
			n = i + 1;
		else if (o->swap_every && i % o->swap_every == 1 && i > o->first_packet)
			n = i - 1;
		write_packet(w, o, n / FRAME_PACKETS, n % FRAME_PACKETS);
		c->packets++;
	}
}

static void write_metadata(const char *path, const struct ouster_capture_options *o)
{
	FILE *f = fopen(path, "we");
	uint32_t i;

	if (!f)
		abort();
	fprintf(f, "{ \"prod_line\": \"OS-1-32-G\", \"prod_sn\": \"%llu\",\n"
		"  \"build_rev\": \"v2.1.0\", \"timestamp_mode\": \"TIME_FROM_INTERNAL_OSC\",\n"
		"  \"lidar_mode\": \"%ux10\", \"columns_per_frame\": %u, \"columns_per_packet\": %u,\n"
		"  \"pixels_per_column\": %u, \"udp_profile_lidar\": \"%s\",\n"
		"  \"lidar_origin_to_beam_origin_mm\": 12.163,\n",
		SERIAL + o->serial, COLUMNS, COLUMNS, PACKET_COLUMNS, BEAMS, o->rng15 ? "RNG15_RFL8_NIR8" : "LEGACY");
	fprintf(f, "  \"beam_azimuth_angles\": [");
	for (i = 0; i < BEAMS; i++)
		fprintf(f, "%s0.0", i ? ", " : "");
	fprintf(f, "],\n  \"beam_altitude_angles\": [");
	for (i = 0; i < BEAMS; i++)
		fprintf(f, "%s%.1f", i ? ", " : "", 15.0 - i);
	fprintf(f, "]\n}\n");
	if (fclose(f) != 0)
		abort();
}

void ouster_capture_write(struct ouster_capture *c, const struct ouster_capture_options *options)
{
	struct pcap_writer w;
	const char *tmp = getenv("TMPDIR");

	memset(c, 0, sizeof(*c));
	snprintf(c->directory, sizeof(c->directory), "%.30s/lidard-capture-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(c->directory))
		abort();
	snprintf(c->pcap, sizeof(c->pcap), "%s/sensor.pcap", c->directory);
	snprintf(c->metadata, sizeof(c->metadata), "%s/sensor.json", c->directory);

	pcap_writer_init(&w, PCAP_LINK_ETHERNET, true);
	write_packets(c, &w, options, options->frames ? options->frames : 3);
	if (pcap_writer_save(&w, c->pcap) < 0)
		abort();
	pcap_writer_deinit(&w);
	write_metadata(c->metadata, options);
}

void ouster_capture_remove(struct ouster_capture *c)
{
	unlink(c->pcap);
	unlink(c->metadata);
	rmdir(c->directory);
}
