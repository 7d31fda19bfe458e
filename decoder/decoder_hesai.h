/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder_hesai.h - the Hesai decoder, from a correction table that is already there
 *
 * The daemon goes through decoder_find(); tests, fuzzers and benchmarks make
 * decoders of sensors that have no file.
 */
#ifndef DECODER_DECODER_HESAI_H
#define DECODER_DECODER_HESAI_H

#include "decoder/beam_table.h"
#include "decoder/decoder.h"

/**
 * decoder_hesai_new() - a decoder for this sensor
 * @model: its name; "": whatever sends packets of so many beams
 * @beams: where they point; copied as needed
 * @cut_angle_deg: where frames are cut, 0 .. 359.99
 *
 * Return: 0; -EINVAL: no such model, or one of another number of beams; -ENOMEM. With @problem set.
 */
int decoder_hesai_new(const char *model, const struct beam_table *beams, double cut_angle_deg,
		      struct decoder **ret_decoder, struct problem *problem);

#endif /* DECODER_DECODER_HESAI_H */
