/* SPDX-License-Identifier: Apache-2.0 */
/*
 * velodyne_packet.h - a synthetic Velodyne and its packets, written by the models' table
 *
 * The head turns evenly, and each laser meets a wall of its own: measurement
 * velodyne_packet_raw().  With two returns, even lasers meet one thing only, so
 * both are the same.
 */
#ifndef BENCH_PACKETS_VELODYNE_PACKET_H
#define BENCH_PACKETS_VELODYNE_PACKET_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "decoder/velodyne_model.h"

#define VELODYNE_PACKET_BYTES 1206
#define VELODYNE_PACKET_BLOCKS 12

struct velodyne_sensor {
	const struct velodyne_model *model;
	unsigned int returns;
	/** Byte 1205, if it is not the model's. */
	uint8_t product;
	/** Lasers whose number has one of these bits meet nothing. */
	uint8_t blind;
	/** From firing to firing, and of the first one; 0.01 degrees. */
	uint32_t step_cdeg;
	uint32_t start_cdeg;
	/** Time of the first packet past its hour. */
	uint32_t start_us;
	/** Packets so far, and firings times banks. */
	uint64_t packets;
	uint64_t columns;
};

static inline uint16_t velodyne_packet_raw(unsigned int laser, unsigned int which)
{
	return (uint16_t)(1000 + 7 * laser + (laser % 2 ? 500 * which : 0));
}

static inline uint64_t velodyne_packet_ns(const struct velodyne_sensor *s)
{
	return s->model->packet_ns / s->returns;
}

static inline uint64_t velodyne_packet_time_us(const struct velodyne_sensor *s)
{
	return s->start_us + s->packets * velodyne_packet_ns(s) / 1000;
}

/* Firings before a column; a block can hold two. */
static inline uint64_t velodyne_packet_firing(const struct velodyne_sensor *s, uint64_t column)
{
	const struct velodyne_model *m = s->model;

	return m->banks > 1 ? column / m->banks : column * (VELODYNE_BLOCK_POINTS / m->lasers);
}

static inline void velodyne_packet_put_block(const struct velodyne_sensor *s, uint8_t *block,
					     uint64_t column, unsigned int which)
{
	static const uint8_t flags[VELODYNE_BANKS_MAX] = { 0xee, 0xdd, 0xcc, 0xbb };
	unsigned int bank = (unsigned int)(column % s->model->banks), i;
	uint64_t turned = s->start_cdeg + velodyne_packet_firing(s, column) * s->step_cdeg;
	uint16_t azimuth = (uint16_t)(turned % 36000);

	block[0] = 0xff;
	block[1] = flags[bank];
	block[2] = (uint8_t)azimuth;
	block[3] = (uint8_t)(azimuth >> 8);
	for (i = 0; i < VELODYNE_BLOCK_POINTS; i++) {
		unsigned int laser = (bank * VELODYNE_BLOCK_POINTS + i) % s->model->lasers;
		uint16_t raw = laser & s->blind ? 0 : velodyne_packet_raw(laser, which);

		block[4 + i * 3] = (uint8_t)raw;
		block[5 + i * 3] = (uint8_t)(raw >> 8);
		block[6 + i * 3] = (uint8_t)laser;
	}
}

/* The next packet. */
static inline void velodyne_packet_next(struct velodyne_sensor *s, uint8_t *packet)
{
	uint32_t time_us = (uint32_t)(velodyne_packet_time_us(s) % 3600000000u);
	unsigned int i;

	for (i = 0; i < VELODYNE_PACKET_BLOCKS; i++) {
		velodyne_packet_put_block(s, packet + i * 100, s->columns, i % s->returns);
		s->columns += i % s->returns == s->returns - 1;
	}
	for (i = 0; i < 4; i++)
		packet[1200 + i] = (uint8_t)(time_us >> (8 * i));
	packet[1204] = s->returns == 2 ? 0x39 : 0x37;
	packet[1205] = s->product ? s->product : s->model->product;
	s->packets++;
}

static inline double velodyne_packet_elevation_rad(unsigned int laser)
{
	return 0.2 - 0.003 * laser;
}

static inline double velodyne_packet_offset_rad(unsigned int laser)
{
	return 0.02 * (laser % 4) - 0.03;
}

/* A calibration file of so many lasers. Return: its length. */
static inline size_t velodyne_packet_calibration(unsigned int lasers, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "lasers:\n");
	unsigned int i;

	for (i = 0; i < lasers && used < size; i++)
		used += (size_t)snprintf(text + used, size - used,
					 "    - {\n        dist_correction: 0.0,\n        laser_id: %u,\n"
					 "        rot_correction: %.6f,\n        vert_correction: %.6f,\n"
					 "    }\n", i, velodyne_packet_offset_rad(i),
					 velodyne_packet_elevation_rad(i));
	if (used < size)
		used += (size_t)snprintf(text + used, size - used,
					 "num_lasers: %u\ndistance_resolution: 0.004\n", lasers);
	return used;
}

#endif /* BENCH_PACKETS_VELODYNE_PACKET_H */
