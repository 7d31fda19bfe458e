/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_columns.h - frames of a sensor that numbers its columns (Ouster)
 *
 * Every frame has the same columns and packets, and both say their place in
 * it, so where a frame ends and what is missing is plain arithmetic.
 */
#ifndef DAEMON_FRAME_COLUMNS_H
#define DAEMON_FRAME_COLUMNS_H

#include "daemon/frame_cutter.h"

/**
 * frame_columns_new() - cut frames by the numbers of their columns
 * @layout: borrowed
 * @stream: borrowed
 *
 * Return: 0 or -ENOMEM.
 */
int frame_columns_new(const struct frame_layout *layout, const struct packet_stream *stream,
		      struct frame_cutter **ret_cutter);

#endif /* DAEMON_FRAME_COLUMNS_H */
