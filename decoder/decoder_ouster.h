/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder_ouster.h - the Ouster decoder, from metadata that is already there
 *
 * The daemon goes through decoder_choose(); tests, fuzzers and benchmarks make
 * decoders of sensors that have no file.
 */
#ifndef DECODER_DECODER_OUSTER_H
#define DECODER_DECODER_OUSTER_H

#include "decoder/decoder.h"
#include "decoder/ouster_metadata.h"

/**
 * decoder_ouster_new() - a decoder for this sensor
 * @m: as ouster_metadata_parse() left it; copied as needed
 *
 * Return: 0, or -ENOMEM with @problem set.
 */
int decoder_ouster_new(const struct ouster_metadata *m, struct decoder **ret_decoder,
		       struct problem *problem);

#endif /* DECODER_DECODER_OUSTER_H */
