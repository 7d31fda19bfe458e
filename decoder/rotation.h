/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotation.h - revolutions of a sensor that does not number them
 *
 * Velodyne, Hesai and RoboSense send columns with an azimuth and a time, and
 * no more: how many columns a revolution has depends on the motor, and a
 * packet may hold the end of one and the beginning of the next.  This object
 * numbers the columns of a stream, cuts them into frames where the azimuth
 * passes the cut angle, and remembers the latest cuts for frame_turns.c.
 *
 * Numbers.  Columns are numbered through, lost ones included, and a packet has
 * always the same count of them, so what is missing is known exactly.  How
 * many packets lie between two is told by the format's sequence number or,
 * where there is none, by the time between them divided by the packets'
 * period, which is fixed by the laser's clock and measured as packets come.
 *
 * Frames.  A frame is the run of columns [begin, end) of a turn; a column's
 * place is its number less begin.  The cut is made by the first packet, in
 * order of arrival, that has a column on its other side; where the packets at
 * the cut itself are lost or late, it is put between their neighbours in
 * proportion to the angle.  It is final: a packet that comes late is sorted in
 * by its numbers.
 *
 * Field of view.  A sensor that is told to be silent in a part of the turn
 * puts what comes after next to what came before: columns there were never
 * sent, have no numbers, and are not lost.  Such a gap shows where the azimuth
 * jumps within a packet, or between two packets at the same angles in two turns
 * on end where no column was ever seen before.
 * Where a gap is crossed, packets are counted by angle instead of time.
 *
 * A decoder embeds one, sets cut_cdeg and columns_max, calls rotation_place()
 * from look() and rotation_restart() from restart(), and points decoder.rotation
 * at it.  No allocation; one thread.
 */
#ifndef DECODER_ROTATION_H
#define DECODER_ROTATION_H

#include "decoder/decoder.h"

#define ROTATION_TURN_CDEG 36000
/** Cuts that are remembered; slices of older frames are finished long since. */
#define ROTATION_TURNS 8

/** One turn; its columns' numbers. */
struct rotation_turn {
	uint64_t frame;
	uint64_t begin;
	/** UINT64_MAX while it goes on. */
	uint64_t end;
	/** Nothing before this number could be heard: the stream began there. */
	uint64_t heard;
	/** A packet begins at each number that leaves this remainder divided by packet_columns. */
	uint32_t phase;
	uint32_t packet_columns;
	/** It did not end at the cut angle: the stream broke off, or the motor stands. */
	bool cut_off;
};

/** The azimuths of a gap, relative to the cut, 0.01 degrees; to may be below from. */
struct rotation_gap {
	bool known;
	uint32_t from_cdeg;
	uint32_t to_cdeg;
	/** Frame in which it was seen last. */
	uint64_t frame;
};

struct rotation {
	/** Where frames are cut, 0 .. 35999, in the sensor's azimuth. */
	uint32_t cut_cdeg;
	/** A turn that has so many columns is cut wherever it stands. */
	uint32_t columns_max;

	/* the newest packet, and what was learnt from those before; not for others */
	bool begun;
	uint32_t mode;
	unsigned int columns;
	unsigned int behind;
	uint64_t time_ns;
	uint32_t sequence;
	/** Number of the column after its last. */
	uint64_t next;
	/** Angles since the stream began, relative to the cut: of its first and last column. */
	int64_t first_cdeg;
	int64_t last_cdeg;
	/** How far it jumped in between. */
	uint32_t jump_cdeg;
	double packet_ns;
	/** Speed of the motor, 0.01 degrees a ns, and of how many packets it is the mean. */
	double speed;
	unsigned int speed_count;
	struct rotation_gap gap;
	/** Seen once between two packets: may be a gap, may be loss. */
	struct rotation_gap suspect;
	/** Bit i: there were columns at i degrees from the cut. */
	uint64_t seen[6];
	/** Ring; turns[newest] is the present one. */
	struct rotation_turn turns[ROTATION_TURNS];
	unsigned int newest;
	unsigned int turn_count;
};

/** What a decoder knows of a packet. */
struct rotation_packet {
	/** Of its first column; counts on through roll-overs of the sensor's clock. */
	uint64_t time_ns;
	/** Time between packets by the manual, in this mode. */
	uint64_t packet_ns;
	/** The format's own count of packets, if it has one. */
	bool has_sequence;
	uint32_t sequence;
	/** A number of the decoder's; where it changes (returns, say), another stream begins. */
	uint32_t mode;
	/** Columns, all of them, in order of firing; as many in every packet of a mode. */
	unsigned int column_count;
	/** 0 .. 35999, growing but for the sensor's jitter. */
	uint16_t azimuth_cdeg[DECODER_PACKET_COLUMNS_MAX];
};

/**
 * rotation_place() - number a packet's columns
 * @p: columns[].time_ns are set as if there were no gap; gets column_count, frames,
 *     places, positions, and times put right behind a gap
 *
 * A packet too late for the cuts that are remembered gets no columns and an old frame, by
 * which frame_builder.c counts it as late.
 *
 * Return: DECODER_POINTS; DECODER_BAD: azimuths that no motor makes. Hot path.
 */
int rotation_place(struct rotation *r, const struct rotation_packet *in, struct decoder_packet *p);

/** rotation_restart() - forget the stream; cut_cdeg and columns_max stay */
void rotation_restart(struct rotation *r);

/** rotation_find_turn() - of that frame. Return: NULL if it is too old or none. */
const struct rotation_turn *rotation_find_turn(const struct rotation *r, uint64_t frame);

/** rotation_next_packet() - the first number from @number on at which a packet begins */
uint64_t rotation_next_packet(const struct rotation_turn *turn, uint64_t number);

/** rotation_count_packets() - how many packets begin at numbers @begin .. @end - 1 of a turn's stream */
uint64_t rotation_count_packets(const struct rotation_turn *turn, uint64_t begin, uint64_t end);

#endif /* DECODER_ROTATION_H */
