/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beam_table.h - where a sensor's beams point, as its correction file says
 *
 * Comma-separated text, one row a beam: number (from 1), elevation, azimuth
 * offset, in degrees; or the two angles alone, in the order of the beams.
 * Titles may come first.  Every row is checked, and every beam has to be there
 * once: a wrong angle would go unnoticed in the points.
 */
#ifndef DECODER_BEAM_TABLE_H
#define DECODER_BEAM_TABLE_H

#include <stddef.h>

#include "common/problem.h"
#include "decoder/decoder.h"

/** Most beams of a sensor. */
#define BEAM_TABLE_BEAMS_MAX 256
/** Largest correction file, in bytes. */
#define BEAM_TABLE_BYTES_MAX 65536

struct beam_table {
	/** 1 .. BEAM_TABLE_BEAMS_MAX */
	unsigned int beams;
	/** -90 .. 90, upwards. */
	double elevation_deg[BEAM_TABLE_BEAMS_MAX];
	/** -180 .. 180, added to the head's azimuth, in its direction. */
	double azimuth_deg[BEAM_TABLE_BEAMS_MAX];
};

/**
 * beam_table_parse() - read a correction file
 * @file: its name, for messages
 * @text: need not end in NUL
 *
 * Return: 0, or -EINVAL with @problem naming file, line and what would be right.
 */
int beam_table_parse(const char *file, const char *text, size_t bytes,
		     struct beam_table *ret_table, struct problem *problem);

/**
 * beam_table_open() - the same from a sensor's calibration: its contents, or its file
 *
 * Return: as above; -EINVAL also if the sensor has none; -EFBIG; what opening the file says.
 */
int beam_table_open(const struct decoder_sensor *sensor, struct beam_table *ret_table,
		    struct problem *problem);

#endif /* DECODER_BEAM_TABLE_H */
