/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ouster_metadata.h - what an Ouster sensor says of itself, as JSON
 *
 * The sensor's HTTP API and Ouster's tools write this file; over the years it
 * was flat, then half and then wholly nested.  A key is taken from wherever
 * it stands.  The file is hostile until checked: sizes, types, lengths and
 * ranges; a struct ouster_metadata that comes out of here can be relied on.
 */
#ifndef DECODER_OUSTER_METADATA_H
#define DECODER_OUSTER_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/problem.h"
#include "decoder/ouster_profile.h"

/** Largest file. */
#define OUSTER_METADATA_BYTES_MAX (1024u * 1024u)
/** Most columns of a revolution. */
#define OUSTER_COLUMNS_MAX 4096
/** Largest UDP payload: a packet must fit. */
#define OUSTER_PACKET_BYTES_MAX 65507

/** Ends of the packet where firmware puts a checksum. */
enum ouster_crc {
	/** The profile or the firmware has none. */
	OUSTER_CRC_NONE,
	/** The metadata does not tell; a good one shows that there is one. */
	OUSTER_CRC_UNKNOWN,
	OUSTER_CRC_PRESENT,
};

struct ouster_metadata {
	const struct ouster_profile *profile;
	uint32_t columns_per_frame;
	uint32_t columns_per_packet;
	uint32_t pixels_per_column;
	/** First and last column sent, both included; first > last: across column 0. */
	uint32_t window_first;
	uint32_t window_last;
	/** Degrees. */
	double altitude_deg[OUSTER_PIXELS_MAX];
	double azimuth_deg[OUSTER_PIXELS_MAX];
	/** Where a beam leaves the turning head: along its x axis, and up. */
	double beam_origin_x_mm;
	double beam_origin_z_mm;
	/** Row major, millimetres. */
	double lidar_to_sensor[16];
	double imu_to_sensor[16];
	enum ouster_crc crc;
	/** enum lidard_sensor_clock, enum lidard_clock_lock. */
	uint8_t sensor_clock;
	uint8_t clock_lock;
	/** What the clock can be, TIME_CHOICES(). */
	uint16_t clocks;
	/** "" if unknown. */
	char model[64];
	char serial[64];
	/** As the file has it, "ousteros-image-prod-aries-v2.3.0+..."; cut where it is too long. */
	char firmware[64];
	/** Of lidar_mode; 0 if unknown. */
	double rate_hz;
	/** serial as in the packets; 0 if unknown. */
	uint64_t serial_number;
};

/**
 * ouster_metadata_read() - read a file
 * @model: the model if the file does not say; "" if not known
 * @ret: written only on success
 *
 * Return: 0; -EINVAL for what is wrong in the file, -EFBIG, or what opening and
 * reading gave; @problem names file, key, value and what would be right.
 */
int ouster_metadata_read(const char *path, const char *model, struct ouster_metadata *ret,
			 struct problem *problem);

/** ouster_metadata_parse() - as ouster_metadata_read(), from memory; @name stands for the file */
int ouster_metadata_parse(const char *name, const char *text, size_t bytes, const char *model,
			  struct ouster_metadata *ret, struct problem *problem);

#endif /* DECODER_OUSTER_METADATA_H */
