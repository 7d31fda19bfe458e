/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_side.h - a sensor's packets that are no points, as a stream of their own
 *
 * The source of a sensor NAME/imu, which exists where [sensor NAME] says imu =
 * yes.  It has no input of its own: the source of NAME finds such packets
 * among its own (frame_builder.c) and pushes them here, so both streams have
 * one socket or capture, one pace, one clock.  Each record is a slice, and a
 * frame.
 *
 * A replay that ends holds the newest record back until another one comes, so
 * that the last can say that it is.
 */
#ifndef DAEMON_SOURCE_SIDE_H
#define DAEMON_SOURCE_SIDE_H

#include <stdbool.h>

#include "daemon/source.h"
#include "decoder/decoder.h"

/** source_side_connect() - @side gets what @main finds; before @main's first packet */
void source_side_connect(struct source *side, struct source *main);

/** Has it something for next()? Hot path. */
bool source_side_has_filled(const struct source *side);

/** source_side_push() - take in a packet that look() told to be DECODER_SIDE
 * @main: whose packet it is: its clock
 * @shift_ns: what @main adds to its times
 *
 * Hot path.
 */
void source_side_push(struct source *side, const struct source *main,
		      const struct decoder *decoder, const void *datagram, size_t bytes,
		      uint64_t arrival_ns, uint64_t shift_ns);

/** source_side_end() - nothing will come any more: next() says so when it has handed out the rest */
void source_side_end(struct source *side);

#endif /* DAEMON_SOURCE_SIDE_H */
