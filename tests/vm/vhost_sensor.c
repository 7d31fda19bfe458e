/* SPDX-License-Identifier: Apache-2.0 */
/* vhost_sensor.c - see vhost_sensor.h */
#include "tests/vm/vhost_sensor.h"

#include <endian.h>
#include <string.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "common/splitmix64.h"
#include "uapi/lidar_ring.h"

#define PAGE 4096u
/* Written between two looks at the socket: 1 ms or so. */
#define PIECE_BYTES (4u << 20)
/* A slice is written in at least so many bytes at once, so as not to be woken for each page. */
#define STEP_BYTES (256u << 10)
#define TRAILER_MAGIC 0x5244494cu
#define TRAILER_NO_SLOT (1u << 31)

/* What follows the data; the driver knows it as struct lidar_ring_trailer. Little-endian. */
struct trailer {
	uint32_t magic;
	uint32_t flags;
	uint64_t seq;
	uint64_t device_ticks;
	uint64_t first_byte_ns;
	uint64_t last_byte_ns;
	uint32_t frame_id;
	uint16_t slice_index;
	uint16_t slice_count;
	uint32_t bytes;
	uint32_t crc32c;
	uint64_t lost_no_slot;
};

_Static_assert(sizeof(struct trailer) == 64, "the driver's trailer has 64 bytes");

static uint64_t ns_of(const struct sensor *s, uint64_t bytes)
{
	return s->options.rate ? (unsigned __int128)bytes * NSEC_PER_SEC / s->options.rate : 0;
}

static uint64_t data_bytes(const struct chain *c)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; i + 1 < c->count; i++)
		bytes += c->segments[i].bytes;
	return bytes;
}

/* Our driver's chains end in a trailer behind some data; no other's do. */
static bool is_ours(const struct chain *c)
{
	return c->count >= 2 && c->segments[c->count - 1].bytes == sizeof(struct trailer);
}

/* As lidar_sim writes it. */
static uint64_t word_of(const struct sensor *s, uint64_t offset)
{
	if (offset % PAGE)
		return htole64(splitmix64_mix((s->seq << 23 | offset / 8) + SPLITMIX64_STEP));
	return htole64(s->seq << 20 | offset / PAGE);
}

/* The pattern of bytes from an offset of the slice on. A word that a segment cuts is not whole. */
static void write_pattern(const struct sensor *s, uint8_t *to, uint64_t offset, size_t bytes)
{
	uint64_t step = s->options.pattern == SENSOR_PATTERN_FULL ? 8 : PAGE;
	uint64_t at = (offset + step - 1) / step * step - offset;

	for (; at < bytes; at += step) {
		uint64_t word = word_of(s, offset + at);

		memcpy(to + at, &word, bytes - at < 8 ? bytes - at : 8);
	}
}

/* Write so many bytes, at most to the end of a segment. Return: how many, 0 if it cannot be. */
static uint64_t write_run(struct sensor *s, uint64_t most)
{
	const struct chain_segment *g = &s->chain.segments[s->segment];
	uint64_t from = s->written - s->segment_start, n = g->bytes - from;
	uint8_t *to;

	if (n > most)
		n = most;
	to = guest_memory_at(&s->guest->memory, g->guest + from, n);
	if (!to)
		return 0;
	if (s->options.pattern != SENSOR_PATTERN_NONE)
		write_pattern(s, to, s->written, n);
	if (s->options.crc)
		s->crc32c = crc32c(s->crc32c, to, n);
	s->written += n;
	if (from + n == g->bytes) {
		s->segment++;
		s->segment_start = s->written;
	}
	return n;
}

static struct trailer describe(const struct sensor *s)
{
	uint32_t per_frame = s->options.slices_per_frame;
	uint32_t index = s->seq % per_frame, flags = LIDAR_RING_DESC_FRAME | LIDAR_RING_DESC_TICKS |
						   TRAILER_NO_SLOT;

	if (s->options.crc)
		flags |= LIDAR_RING_DESC_CRC;
	if (index == per_frame - 1)
		flags |= LIDAR_RING_DESC_LAST;
	if (s->is_short)
		flags |= LIDAR_RING_DESC_SHORT;
	return (struct trailer){
		.magic = htole32(TRAILER_MAGIC),
		.flags = htole32(flags),
		.seq = htole64(s->seq),
		/* this machine's clock is not the guest's: no valid times of its CLOCK_MONOTONIC */
		.device_ticks = htole64(s->slice_ns),
		.frame_id = htole32(s->seq / per_frame),
		.slice_index = htole16(index),
		.slice_count = htole16(per_frame),
		.bytes = htole32(s->bytes),
		.crc32c = htole32(s->crc32c),
		.lost_no_slot = htole64(s->no_buffer),
	};
}

/* The buffer to give back: not the slice's own if a fault has it so. */
static uint16_t head_of_slice(struct sensor *s)
{
	if (!s->options.has_bad_id || s->seq != s->options.bad_id_seq)
		return s->chain.head;
	s->options.has_bad_id = false;
	return UINT16_MAX;
}

static void end_slice(struct sensor *s)
{
	uint16_t head = head_of_slice(s);
	const struct chain_segment *last = &s->chain.segments[s->chain.count - 1];
	struct trailer trailer = describe(s);
	void *to = guest_memory_at(&s->guest->memory, last->guest, sizeof(trailer));

	s->writing = false;
	s->seq++;
	s->account.produced++;
	if (!to) {
		s->guest->queue.broken = true;
		s->account.abandoned++;
		return;
	}
	memcpy(to, &trailer, sizeof(trailer));
	device_queue_give(&s->guest->queue, head, s->bytes + sizeof(trailer));
	if (!s->options.interrupt_ns)
		device_queue_tell(&s->guest->queue);
	s->account.delivered++;
	s->account.delivered_bytes += s->bytes;
	s->account.shortened += s->is_short;
}

static void abandon_slice(struct sensor *s)
{
	if (!s->writing)
		return;
	s->writing = false;
	s->seq++;
	s->account.produced++;
	s->account.abandoned++;
}

/* Bytes of the slice that a sensor of this rate would have written by now: whole pages, or all. */
static uint64_t due_bytes(const struct sensor *s, uint64_t now_ns)
{
	uint64_t due = s->bytes;

	if (s->options.rate)
		due = (unsigned __int128)(now_ns - s->slice_ns) * s->options.rate / NSEC_PER_SEC;
	return due < s->bytes ? due / PAGE * PAGE : s->bytes;
}

/*
 * Pieces are of whole pages, but for the last of a slice: no word is cut.
 * Return: when to go on; 0: at once.
 */
static uint64_t write_due(struct sensor *s, uint64_t now_ns, uint64_t *budget)
{
	uint64_t due = due_bytes(s, now_ns), next;

	while (s->written < due && *budget) {
		uint64_t most = due - s->written, n = write_run(s, most < *budget ? most : *budget);

		if (!n) {
			s->guest->queue.broken = true;
			abandon_slice(s);
			return 0;
		}
		n = (n + PAGE - 1) / PAGE * PAGE;
		*budget -= n < *budget ? n : *budget;
	}
	if (s->written == s->bytes) {
		end_slice(s);
		return 0;
	}
	if (!*budget)
		return now_ns;
	next = s->written + STEP_BYTES;
	return s->slice_ns + ns_of(s, next < s->bytes ? next : s->bytes) + 1;
}

static void lose_slice(struct sensor *s, uint64_t *counter)
{
	++*counter;
	s->account.produced++;
	s->seq++;
}

static void begin_slice(struct sensor *s)
{
	uint64_t room = data_bytes(&s->chain);

	s->bytes = s->options.slice_bytes < room ? s->options.slice_bytes : room;
	s->is_short = s->options.short_every && (s->seq + 1) % s->options.short_every == 0;
	if (s->is_short)
		s->bytes = (s->bytes + 1) / 2;
	s->written = s->segment_start = s->segment = 0;
	s->crc32c = 0;
	s->writing = true;
}

/* Return: 1 and a chain of ours, 0 if there is none; the queue may be parked then. */
static int take_chain(struct sensor *s)
{
	int r = device_queue_take(&s->guest->queue, &s->chain);

	if (r > 0 && is_ours(&s->chain))
		return 1;
	s->parked = r != 0;
	s->account.broken_queues += r < 0;
	s->account.foreign_queues += r > 0;
	return 0;
}

/* The first buffer starts the clock. */
static bool has_begun(struct sensor *s, uint64_t now_ns)
{
	if (s->begun || !device_queue_ask_kick(&s->guest->queue))
		return s->begun;
	s->begun = true;
	if (!s->begun_ns)
		s->begun_ns = now_ns;
	s->next_ns = now_ns;
	return true;
}

/* Without a pace a slice begins now; with one, when it should have, unless that is too long ago. */
static void settle_begin(struct sensor *s, uint64_t now_ns)
{
	uint64_t lag = now_ns - s->next_ns;

	if (s->options.rate && lag <= SENSOR_LAG_NS)
		return;
	if (s->options.rate)
		s->account.slipped_ns += lag;
	s->next_ns = now_ns;
}

/* A slice is due: take it up, or lose it. Return: when the next is due, 0: at once. */
static uint64_t next_slice(struct sensor *s, uint64_t now_ns)
{
	if (s->options.stall_ns && s->seq == s->options.stall_seq) {
		s->next_ns = now_ns + s->options.stall_ns;
		s->options.stall_ns = 0;
		return s->next_ns;
	}
	settle_begin(s, now_ns);
	s->slice_ns = s->next_ns;
	if (s->options.drop_every && (s->seq + 1) % s->options.drop_every == 0) {
		lose_slice(s, &s->account.dropped_fault);
	} else if (take_chain(s)) {
		begin_slice(s);
	} else if (s->parked) {
		return UINT64_MAX;
	} else if (s->options.rate) {
		lose_slice(s, &s->account.dropped_no_buffer);
		s->no_buffer++;
	} else {
		s->waiting = !device_queue_ask_kick(&s->guest->queue);
		return s->waiting ? UINT64_MAX : 0;
	}
	s->next_ns += ns_of(s, s->options.slice_bytes);
	return 0;
}

static bool is_over(struct sensor *s, uint64_t now_ns)
{
	if (!s->done && s->options.seconds &&
	    now_ns - s->begun_ns >= s->options.seconds * NSEC_PER_SEC && !s->writing)
		s->done = true;
	if (!s->done)
		s->account.produced_ns = now_ns - s->begun_ns;
	return s->done;
}

/* Return: when to go on, if not for a slice then to tell of one. */
static uint64_t tell_if_due(struct sensor *s, uint64_t now_ns, uint64_t wake)
{
	uint64_t due_ns = s->told_ns + s->options.interrupt_ns;

	if (!s->guest->queue.untold)
		return wake;
	if (now_ns < due_ns)
		return due_ns < wake ? due_ns : wake;
	device_queue_tell(&s->guest->queue);
	s->told_ns = now_ns;
	return wake;
}

uint64_t sensor_run(struct sensor *s, uint64_t now_ns)
{
	uint64_t budget = PIECE_BYTES, wake = 0;

	s->waiting = false;
	if (!s->guest->running || s->parked || s->done)
		return UINT64_MAX;
	if (!has_begun(s, now_ns)) {
		s->waiting = true;
		return UINT64_MAX;
	}
	while (!wake && !is_over(s, now_ns)) {
		if (s->writing)
			wake = write_due(s, now_ns, &budget);
		else if (now_ns < s->next_ns)
			wake = s->next_ns;
		else
			wake = next_slice(s, now_ns);
	}
	return tell_if_due(s, now_ns, wake ? wake : UINT64_MAX);
}

void sensor_follow(struct sensor *s)
{
	if (s->guest->running && s->starts == s->guest->starts)
		return;
	abandon_slice(s);
	s->starts = s->guest->starts;
	s->begun = s->parked = false;
	s->seq = s->no_buffer = 0;
}

bool sensor_waits(const struct sensor *s)
{
	return s->waiting;
}
