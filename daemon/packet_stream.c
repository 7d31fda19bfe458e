/* SPDX-License-Identifier: Apache-2.0 */
/* packet_stream.c - see packet_stream.h */
#include "daemon/packet_stream.h"

#include <string.h>

/** A jump of more frames forward is another recording or a restarted sensor, not loss. */
#define JUMP_FRAMES_MAX 1000
/** So many packets in a row, all more than this many frames back: the sensor began anew. */
#define BEHIND_PACKETS_MAX 8
#define BEHIND_FRAMES 2
/** Frame numbers beyond this are nonsense; below it, column numbers cannot overflow. */
#define FRAME_MAX (1ull << 44)

/* The first frame this packet speaks of, shifted. */
static uint64_t first_frame(const struct packet_stream *s, const struct decoder_packet *p)
{
	return (p->column_count ? p->columns[0].frame : p->frame) + s->frame_shift;
}

enum packet_standing packet_stream_judge(struct packet_stream *s, const struct decoder_packet *p)
{
	int64_t ahead = (int64_t)(first_frame(s, p) - s->last_frame);

	if (s->begun && ahead < -BEHIND_FRAMES) {
		if (++s->behind < BEHIND_PACKETS_MAX)
			return PACKET_TOO_LATE;
	} else if (!s->begun || ahead <= JUMP_FRAMES_MAX) {
		s->behind = 0;
		return PACKET_GOES_ON;
	}
	s->behind = 0;
	return PACKET_BEGINS_ANEW;
}

/* Frame numbers never go back, nor so far forward that they could wrap. */
void packet_stream_follow(struct packet_stream *s, const struct decoder_packet *p)
{
	uint64_t first = first_frame(s, p);

	if (s->frame_follows || (int64_t)(first - s->last_frame) <= 0 || first >= FRAME_MAX)
		s->frame_shift += s->last_frame + 1 - first;
	s->frame_follows = false;
}

bool packet_stream_frames_possible(const struct packet_stream *s, const struct decoder_packet *p)
{
	unsigned int i;

	for (i = 0; i < p->column_count; i++)
		if (p->columns[i].frame + s->frame_shift >= FRAME_MAX)
			return false;
	return p->frame + s->frame_shift < FRAME_MAX;
}

/* Of some sensors two packets in a row may count as the same place: their time tells. */
bool packet_stream_came_before(struct packet_stream *s, const struct decoder_packet *p,
			       uint32_t frame_packets)
{
	uint64_t number = (p->frame + s->frame_shift) * frame_packets + p->place;
	uint64_t time_ns = p->column_count ? p->columns[0].time_ns : 0;
	unsigned int i;

	for (i = 0; i < PACKET_STREAM_RECENT && s->begun; i++)
		if (s->recent[i].number == number && s->recent[i].time_ns == time_ns)
			return true;
	/* a stream that begins knows of none */
	if (!s->begun)
		memset(s->recent, 0xff, sizeof(s->recent));
	i = s->recent_next++ % PACKET_STREAM_RECENT;
	s->recent[i].number = number;
	s->recent[i].time_ns = time_ns;
	return false;
}

void packet_stream_restart(struct packet_stream *s, bool follows)
{
	s->behind = 0;
	s->frame_follows = follows;
}

void packet_stream_reset(struct packet_stream *s)
{
	s->begun = false;
	s->behind = 0;
	s->frame_shift = 0;
	s->frame_follows = false;
}
