/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_turns.h - frames of a sensor that only turns (Velodyne, Hesai, RoboSense)
 *
 * rotation.h numbers the columns and cuts the turns, and knows only afterwards
 * how many columns one has.  Until then it is as long as frames can be;
 * when it has ended, its slices' columns are cut short and those beyond are
 * passed over.  Packets are counted by their first columns.
 */
#ifndef DAEMON_FRAME_TURNS_H
#define DAEMON_FRAME_TURNS_H

#include "daemon/frame_cutter.h"
#include "decoder/rotation.h"

/**
 * frame_turns_new() - cut frames where the decoder's turns end
 * @rotation: borrowed; the decoder's
 * @layout: borrowed
 * @stream: borrowed
 *
 * Return: 0 or -ENOMEM.
 */
int frame_turns_new(const struct rotation *rotation, const struct frame_layout *layout,
		    const struct packet_stream *stream, struct frame_cutter **ret_cutter);

#endif /* DAEMON_FRAME_TURNS_H */
