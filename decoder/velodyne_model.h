/* SPDX-License-Identifier: Apache-2.0 */
/*
 * velodyne_model.h - what tells Velodyne's models apart
 *
 * All send the same packet: 12 blocks of 32 measurements.  A firing is all
 * lasers once: half a block, a block, or four blocks (banks).  A new model is
 * an entry of the table.
 */
#ifndef DECODER_VELODYNE_MODEL_H
#define DECODER_VELODYNE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VELODYNE_LASERS_MAX 128
#define VELODYNE_BLOCK_POINTS 32
#define VELODYNE_BANKS_MAX 4

struct velodyne_model {
	const char *name;
	/** Byte 1205 of the packets. */
	uint8_t product;
	uint8_t lasers;
	/** Of a measurement of 1. */
	uint8_t unit_mm;
	/** Blocks that one firing takes: 1, or 4, each with a flag of its own. */
	uint8_t banks;
	/** From one firing to the next. */
	uint32_t firing_ns;
	/** So many lasers fire together, group_ns before the next ones... */
	uint8_t group_lasers;
	uint32_t group_ns;
	/** ...and after so many groups there is a pause of one more; 0: none. */
	uint8_t pause_groups;
	/** From packet to packet, one return a firing; with two, half of it. */
	uint32_t packet_ns;
	/** Elevations, 0.01 degrees; NULL: only a calibration file tells. */
	const int16_t *elevation_cdeg;
};

extern const struct velodyne_model velodyne_models[];
extern const unsigned int velodyne_model_count;

/** By name, however it is written: "VLP-16", "vlp16". Return: NULL if there is none. */
const struct velodyne_model *velodyne_model_find(const char *name);

/** By byte 1205. Return: NULL if there is none. */
const struct velodyne_model *velodyne_model_of_product(uint8_t product);

/** "VLP-16, ..."; @text holds what fits. */
void velodyne_model_list(char *text, size_t size);

/** When a laser fires, after its firing's begin. */
uint32_t velodyne_model_laser_ns(const struct velodyne_model *m, unsigned int laser);

#endif /* DECODER_VELODYNE_MODEL_H */
