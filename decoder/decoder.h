/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.h - datagrams of one sensor in, columns of points out
 *
 * A decoder is pure: no I/O after open(), no clock, no allocation per packet,
 * no knowledge of loans or slices.  It looks at a datagram (anything at all
 * may be in it), says which columns it holds, and writes a column's points
 * where it is told to.  frame_builder.c cuts the columns into frames and
 * slices, for every vendor alike; a capture or a live socket feeds it.
 *
 * A column is one firing of all beams at one position of the revolution: a
 * measurement block for Ouster, a firing of a block for Velodyne and Hesai.
 *
 * look() may remember (frame numbers unwrap); points() changes nothing.
 */
#ifndef DECODER_DECODER_H
#define DECODER_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/problem.h"
#include "lidard/frame.h"

/** Most columns in one datagram (VLP-16: 24; Ouster: 16 by default, up to 128 configurable). */
#define DECODER_PACKET_COLUMNS_MAX 128
/** Limits of what a sensor may say of itself. */
#define DECODER_COLUMNS_MAX 65536
#define DECODER_COLUMN_POINTS_MAX 1024

struct decoder;

/** Whose packets a decoder is for. Borrowed while open() runs. */
struct decoder_sensor {
	/** For messages. */
	const char *name;
	/** "" if the decoder is to find it out. */
	const char *model;
	/** The sensor's metadata: a file, "" if there is none... */
	const char *metadata_path;
	/** ...or, unless NULL, its contents. */
	const char *metadata;
	size_t metadata_bytes;
};

/** What is known of the sensor before the first packet. */
struct decoder_geometry {
	/** Columns the sensor sends in each revolution (a column window counts). */
	uint32_t frame_columns;
	/** Most points one column can have: beams times returns. */
	uint32_t column_points;
	/** Columns in one packet, and packets in one whole frame. */
	uint32_t packet_columns;
	uint32_t frame_packets;
	/** enum lidard_sensor_clock, enum lidard_clock_lock. */
	uint8_t sensor_clock;
	uint8_t clock_lock;
	/** "" if unknown. */
	char model[64];
	char serial[64];
};

/** One column of a packet. */
struct decoder_column {
	/** Revolution, counted up without wrapping. */
	uint64_t frame;
	/** Place in the order of firing within the revolution, 0 .. frame_columns - 1. */
	uint32_t place;
	/** The sensor's own number of the column. */
	uint32_t number;
	/** Sensor time of the firing, ns. */
	uint64_t time_ns;
};

/** A datagram, looked at. data is borrowed from the caller. */
struct decoder_packet {
	const uint8_t *data;
	size_t bytes;
	/** Place of the packet in its frame, 0 .. frame_packets - 1, and its frame. */
	uint64_t frame;
	uint32_t place;
	/** Columns that are valid and inside the window; the others are not listed. */
	unsigned int column_count;
	struct decoder_column columns[DECODER_PACKET_COLUMNS_MAX];
	/** Where each listed column stands in the packet; for the decoder itself. */
	uint16_t positions[DECODER_PACKET_COLUMNS_MAX];
};

/** Outcomes of look(). */
enum {
	/** Not this sensor's points: IMU, position, another sensor's serial or size. */
	DECODER_IGNORED = 0,
	/** Points. */
	DECODER_POINTS = 1,
	/** This sensor's, but damaged: checksum or impossible fields. */
	DECODER_BAD = 2,
};

struct decoder_ops {
	/** As in decoder = NAME. */
	const char *name;
	/** Read the sensor's metadata or calibration.
	 *
	 * Return: 0, or negative errno with @problem naming file, key, value and what would be right.
	 */
	int (*open)(const struct decoder_sensor *sensor, struct decoder **ret_decoder,
		    struct problem *problem);
	/** Return: NULL. NULL is allowed. */
	struct decoder *(*free)(struct decoder *d);
	/** Return: DECODER_POINTS (@ret_packet is filled), DECODER_IGNORED or DECODER_BAD. Hot path. */
	int (*look)(struct decoder *d, const void *datagram, size_t bytes,
		    struct decoder_packet *ret_packet);
	/**
	 * Write the returns of column @index (0 .. column_count - 1) to @points, which has
	 * room for geometry.column_points. time_offset_ns is relative to the column's
	 * time_ns. Return: number of points written. Hot path.
	 */
	uint32_t (*points)(const struct decoder *d, const struct decoder_packet *packet,
			   unsigned int index, struct lidard_point_xyzirt *points);
	/** Forget frame numbers: the stream begins anew (a replay loops). */
	void (*restart)(struct decoder *d);
};

/** Embedded as the first member of every decoder. */
struct decoder {
	const struct decoder_ops *ops;
	struct decoder_geometry geometry;
};

/** decoder_find() - the decoder of that name; NULL if there is none */
const struct decoder_ops *decoder_find(const char *name);

extern const struct decoder_ops decoder_ouster;

#endif /* DECODER_DECODER_H */
