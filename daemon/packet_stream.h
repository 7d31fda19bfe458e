/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet_stream.h - where a packet stands to those before it
 *
 * A part of frame_builder.c, which embeds one: a sensor that is switched off
 * and on, or a replay that begins again, counts its frames from the start, and
 * a packet may come twice.  Frames that lidard hands out only go forward, so
 * what is behind again and again, or far ahead, is another stream, whose frames
 * are shifted to follow those of the last one.  What lies between two streams was
 * not lost.
 */
#ifndef DAEMON_PACKET_STREAM_H
#define DAEMON_PACKET_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "decoder/decoder.h"

/** A packet that comes again comes within so many others: what doubles it, doubles it at once. */
#define PACKET_STREAM_RECENT 8

struct packet_stream {
	/* how far it is, as frame_builder.c writes it down */
	bool begun;
	/** It ends: so does its newest frame, wherever it is. */
	bool ending;
	uint64_t newest_column;
	/** Frame that a slice was begun of last. */
	uint64_t last_frame;

	/** Added to the decoder's frame numbers, so that they go on where a stream began anew. */
	uint64_t frame_shift;
	/* for packet_stream.c alone */
	bool frame_follows;
	unsigned int behind;
	/** The latest few packets taken in, to know those that come again. */
	struct {
		uint64_t number;
		uint64_t time_ns;
	} recent[PACKET_STREAM_RECENT];
	unsigned int recent_next;
};

/** Outcomes of packet_stream_judge(). */
enum packet_standing {
	PACKET_GOES_ON,
	/** Too late for anything. */
	PACKET_TOO_LATE,
	/** What was begun has ended: flush it. */
	PACKET_BEGINS_ANEW,
};

/** packet_stream_judge() - does @p belong to the stream? Hot path. */
enum packet_standing packet_stream_judge(struct packet_stream *s, const struct decoder_packet *p);

/** packet_stream_follow() - @p begins a stream, and there was another before. Hot path. */
void packet_stream_follow(struct packet_stream *s, const struct decoder_packet *p);

/** packet_stream_frames_possible() - false: frame numbers that would wrap. Hot path. */
bool packet_stream_frames_possible(const struct packet_stream *s, const struct decoder_packet *p);

/**
 * packet_stream_came_before() - did this very packet come a moment ago?
 * @frame_packets: packets in a frame
 *
 * If it did not, it is remembered. Hot path.
 */
bool packet_stream_came_before(struct packet_stream *s, const struct decoder_packet *p,
			       uint32_t frame_packets);

/** packet_stream_restart() - the decoder counts from the start; @follows: after frames it gave */
void packet_stream_restart(struct packet_stream *s, bool follows);

/** packet_stream_reset() - forget the stream and all before it */
void packet_stream_reset(struct packet_stream *s);

#endif /* DAEMON_PACKET_STREAM_H */
