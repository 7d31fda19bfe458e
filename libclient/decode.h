/* SPDX-License-Identifier: Apache-2.0 */
/* decode.h - what a decoder of the library is made of */
#ifndef LIBCLIENT_DECODE_H
#define LIBCLIENT_DECODE_H

#include "decoder/decoder.h"
#include "lidard/lidard.h"

/** decode_new() - takes @decoder, on success only. Return: 0 or -ENOMEM. */
int decode_new(struct decoder *decoder, struct lidard_decoder **ret_decoder);

#endif /* LIBCLIENT_DECODE_H */
