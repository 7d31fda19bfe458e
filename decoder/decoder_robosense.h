/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder_robosense.h - the RoboSense decoder, from a table that is already there
 *
 * The daemon goes through decoder_find(); tests, fuzzers and benchmarks make
 * decoders of sensors that have no file.
 */
#ifndef DECODER_DECODER_ROBOSENSE_H
#define DECODER_DECODER_ROBOSENSE_H

#include "decoder/beam_table.h"
#include "decoder/decoder.h"

/** Point packets (MSOP) and those in which the sensor tells of itself (DIFOP) are as large. */
#define ROBOSENSE_PACKET_BYTES 1248
#define ROBOSENSE_BLOCKS 12

/**
 * decoder_robosense_new() - a decoder for this sensor
 * @model: its name, or ""
 * @beams: where they point; copied as needed
 * @cut_angle_deg: where frames are cut, 0 .. 359.99
 *
 * Return: 0; -EINVAL: no such model, or one of another number of beams; -ENOMEM. With @problem set.
 */
int decoder_robosense_new(const char *model, const struct beam_table *beams, double cut_angle_deg,
			  struct decoder **ret_decoder, struct problem *problem);

#endif /* DECODER_DECODER_ROBOSENSE_H */
