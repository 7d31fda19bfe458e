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
 * Packets without points, of a sensor's IMU or its satellite receiver, are told
 * apart by look() and read by side(), if somebody wants them.
 *
 * A column is what a sensor sends with one azimuth: a measurement block for
 * Ouster, a block, or the blocks of one firing's returns, for the others.
 *
 * Ouster numbers columns and frames; for sensors that do not, see rotation.h.
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

/** Most columns in one datagram (Velodyne: 12; Ouster: 16 by default, up to 128 configurable). */
#define DECODER_PACKET_COLUMNS_MAX 128
/** Limits of what a sensor may say of itself. */
#define DECODER_COLUMNS_MAX 65536
#define DECODER_COLUMN_POINTS_MAX 1024

struct decoder;
struct rotation;

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
	/** The same for its calibration; both may be NULL. */
	const char *calibration_path;
	const char *calibration;
	size_t calibration_bytes;
	/** Azimuth at which frames are cut, degrees, where the sensor does not say. */
	double cut_angle_deg;
};

/** What is known of the sensor before the first packet. */
struct decoder_geometry {
	/**
	 * Columns the sensor sends in each revolution (a column window counts); the most it can
	 * send if the decoder has a rotation. Where it does not know its model yet, this may be
	 * lowered: it refuses a model that can send more when it finds out.
	 */
	uint32_t frame_columns;
	/** Most points one column can have: beams times returns. */
	uint32_t column_points;
	/** Columns in one packet, and packets in one whole frame; at most, as above. */
	uint32_t packet_columns;
	uint32_t frame_packets;
	/** enum lidard_sensor_clock, enum lidard_clock_lock. */
	uint8_t sensor_clock;
	/** look() may change it, by packets that are not points as well. */
	uint8_t clock_lock;
	/** What the clock can be, TIME_CHOICES(); 0: anything. */
	uint16_t clocks;
	/** Beams of a firing, and revolutions per second the sensor was set to; 0 if unknown. */
	uint32_t beams;
	double rate_hz;
	/** "" if unknown. */
	char model[64];
	char serial[64];
	char firmware[64];
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
	/** Place of the packet in its frame, 0 .. frame_packets - 1 (always 0 with a rotation), and
	 *  its frame: of the last column. */
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
	/** Nothing of this sensor's that is known here: another's serial or size. */
	DECODER_IGNORED = 0,
	/** Points. */
	DECODER_POINTS = 1,
	/** This sensor's, but damaged: checksum or impossible fields. */
	DECODER_BAD = 2,
	/** No points, but what side() may understand: motion, position. */
	DECODER_SIDE = 3,
};

/** What a packet says that holds no points; of each kind at most one. */
struct decoder_side {
	bool has_imu;
	bool has_position;
	struct lidard_imu imu;
	struct lidard_position position;
};

struct decoder_ops {
	/** As in decoder = NAME. */
	const char *name;
	/** Who makes its sensors. */
	const char *vendor;
	/** Is a model of that name this decoder's? */
	bool (*knows)(const char *model);
	/** Is everything named that open() needs? Reads no file. Return: 0; -EINVAL with @problem set. */
	int (*check)(const struct decoder_sensor *sensor, struct problem *problem);
	/** Read the sensor's metadata or calibration.
	 *
	 * Return: 0, or negative errno with @problem naming file, key, value and what would be right.
	 */
	int (*open)(const struct decoder_sensor *sensor, struct decoder **ret_decoder,
		    struct problem *problem);
	/** Return: NULL. NULL is allowed. */
	struct decoder *(*free)(struct decoder *d);
	/** Return: DECODER_*; @ret_packet is filled if there are points. Hot path. */
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
	/** What side packets mostly hold: enum lidard_format; LIDARD_FORMAT_NONE: there are none. */
	uint16_t side_format;
	/**
	 * Read a datagram for which look() said DECODER_SIDE; it is checked anew. Changes nothing.
	 * Return: DECODER_SIDE (@ret_side is filled), DECODER_IGNORED (it holds neither), DECODER_BAD.
	 */
	int (*side)(const struct decoder *d, const void *datagram, size_t bytes,
		    struct decoder_side *ret_side);
};

/** Embedded as the first member of every decoder. */
struct decoder {
	const struct decoder_ops *ops;
	struct decoder_geometry geometry;
	/** Of a sensor whose frames have no fixed number of columns; NULL: they have. */
	const struct rotation *rotation;
	/**
	 * What somebody should know of the packets so far, "" if nothing: why they cannot be
	 * decoded, or what speaks against the configuration. Set by look().
	 */
	struct problem complaint;
};

/**
 * decoder_choose() - the decoder for a sensor
 * @name: of the decoder, or "auto": that of the sensor's model
 * @sensor: its model may be a vendor's name ("velodyne"), and is "" afterwards
 *
 * Return: 0; -EINVAL with @problem set, which names those there are.
 */
int decoder_choose(const char *name, struct decoder_sensor *sensor,
		   const struct decoder_ops **ret_ops, struct problem *problem);

extern const struct decoder_ops decoder_hesai;
extern const struct decoder_ops decoder_ouster;
extern const struct decoder_ops decoder_robosense;
extern const struct decoder_ops decoder_velodyne;

#endif /* DECODER_DECODER_H */
