/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_packet.h - a synthetic sensor and its packets, written by the decoder's own tables */
#ifndef BENCH_PACKETS_OUSTER_PACKET_H
#define BENCH_PACKETS_OUSTER_PACKET_H

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/crc64.h"
#include "decoder/ouster_metadata.h"
#include "decoder/ouster_profile.h"

#define OUSTER_PACKET_SERIAL 992108000265ull

/* Write the field's raw bits; what does not fit is cut off. */
static inline void ouster_packet_set(const struct ouster_layout *l, uint8_t *packet,
				     const char *name, unsigned int column, unsigned int pixel,
				     uint64_t value)
{
	const struct ouster_field *f = ouster_profile_field(l->profile, name);
	unsigned int i;
	uint8_t *p;

	assert(f);
	p = packet + ouster_field_offset(l, f, column, pixel);
	for (i = 0; i < f->width; i++) {
		unsigned int bit = f->bit + i;

		p[bit / 8] &= (uint8_t)~(1u << (bit % 8));
		p[bit / 8] |= (uint8_t)((value >> i & 1) << (bit % 8));
	}
}

static inline int ouster_packet_has(const struct ouster_layout *l, const char *name)
{
	return ouster_profile_field(l->profile, name) != NULL;
}

/* Put the right checksum at the end. */
static inline void ouster_packet_seal(const struct ouster_layout *l, uint8_t *packet)
{
	static struct crc64 crc;

	if (!l->profile->has_crc)
		return;
	if (!crc.table[0][1])
		crc64_init(&crc);
	ouster_packet_set(l, packet, "CRC", 0, 0, crc64_compute(&crc, packet, l->packet_bytes - 8));
}

static inline void ouster_packet_set_frame(const struct ouster_layout *l, uint8_t *packet,
					   uint32_t frame)
{
	unsigned int i;

	for (i = 0; i < l->columns; i++)
		ouster_packet_set(l, packet, "FRAME_ID", i, 0, frame);
	ouster_packet_seal(l, packet);
}

/* Packet number @place of a frame: all columns valid, no returns. */
static inline void ouster_packet_fill(const struct ouster_layout *l, uint8_t *packet,
				      uint32_t frame, uint32_t place)
{
	unsigned int i;

	memset(packet, 0, l->packet_bytes);
	if (l->profile->header_bytes) {
		ouster_packet_set(l, packet, "TYPE", 0, 0, OUSTER_PACKET_TYPE_LIDAR);
		ouster_packet_set(l, packet, "SERIAL", 0, 0, OUSTER_PACKET_SERIAL);
		ouster_packet_set(l, packet, "INIT_ID", 0, 0, 0x123456);
	}
	for (i = 0; i < l->columns; i++) {
		uint32_t number = place * l->columns + i;

		ouster_packet_set(l, packet, "MEASUREMENT_ID", i, 0, number);
		ouster_packet_set(l, packet, "TIMESTAMP", i, 0, 1000000000ull + 97 * number);
		ouster_packet_set(l, packet, "STATUS", i, 0, UINT64_MAX);
		if (!l->profile->header_bytes)
			ouster_packet_set(l, packet, "FRAME_ID", i, 0, frame);
	}
	if (l->profile->header_bytes)
		ouster_packet_set(l, packet, "FRAME_ID", 0, 0, frame);
	ouster_packet_seal(l, packet);
}

/* A sensor of that profile; firmware 3.0, whole turns of 64 columns, 16 a packet, 8 beams. */
static inline void ouster_packet_sensor(struct ouster_metadata *m,
					const struct ouster_profile *profile)
{
	unsigned int i;

	memset(m, 0, sizeof(*m));
	m->profile = profile;
	m->columns_per_frame = 64;
	m->columns_per_packet = 16;
	m->pixels_per_column = 8;
	m->window_last = 63;
	m->crc = profile->has_crc ? OUSTER_CRC_PRESENT : OUSTER_CRC_NONE;
	m->serial_number = OUSTER_PACKET_SERIAL;
	snprintf(m->serial, sizeof(m->serial), "%llu", OUSTER_PACKET_SERIAL);
	for (i = 0; i < 4; i++) {
		m->lidar_to_sensor[i * 5] = 1;
		m->imu_to_sensor[i * 5] = 1;
	}
	for (i = 0; i < m->pixels_per_column; i++)
		m->altitude_deg[i] = 20.0 - 5.0 * i;
}

#define OUSTER_PACKET_IMU_BYTES 48

/* An IMU packet: times in ns, g, degrees per second. */
static inline void ouster_packet_imu(uint8_t *packet, const uint64_t times[3],
				     const float acceleration[3], const float angular_velocity[3])
{
	memcpy(packet, times, 24);
	memcpy(packet + 24, acceleration, 12);
	memcpy(packet + 36, angular_velocity, 12);
}

#endif /* BENCH_PACKETS_OUSTER_PACKET_H */
