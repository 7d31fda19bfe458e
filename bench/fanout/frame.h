/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.h - a frame, so that whoever reads it knows whether it is whole
 *
 * Its first line says what it is, its last repeats the number, and in every 4 KiB
 * there is a mark that tells where in the frame it belongs: each a line further
 * into its 4 KiB than the one before, since lines at one place of many pages
 * compete for the same few places of a cache, which a device's data, of which a
 * reader reads all, do not.  Marks do not change from frame to frame: memory that
 * once was a frame is one again when head and tail are stamped.  So a producer
 * that hands on what a device wrote touches two lines, and a subscriber one for
 * each 4 KiB, whatever the size.
 */
#ifndef BENCH_FANOUT_FRAME_H
#define BENCH_FANOUT_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FRAME_MAGIC 0x6c69646172667261ull
#define FRAME_STEP 4096u
#define FRAME_LINE 64u

struct frame_head {
	uint64_t magic;
	uint64_t bytes;
	uint64_t seq;
	/** CLOCK_MONOTONIC, when the producer began to hand it on. */
	uint64_t stamp_ns;
};

struct frame_tail {
	uint64_t seq;
	uint64_t magic;
};

static inline uint64_t frame_mark(uint64_t at)
{
	return FRAME_MAGIC ^ (at + 1) * 0x9e3779b97f4a7c15ull;
}

/** Where in the frame the mark of its 4 KiB at @at lies. */
static inline uint64_t frame_mark_at(uint64_t at)
{
	return at + at / FRAME_STEP * FRAME_LINE % FRAME_STEP;
}

static inline struct frame_tail *frame_get_tail(const void *frame, uint64_t bytes)
{
	return (struct frame_tail *)((uintptr_t)frame + bytes - sizeof(struct frame_tail));
}

/** Is this memory marked as a frame of so many bytes? */
static inline bool frame_is_filled(const void *frame, uint64_t bytes)
{
	const struct frame_head *head = frame;

	return head->magic == FRAME_MAGIC && head->bytes == bytes;
}

/** Write every byte. */
static inline void frame_fill(void *frame, uint64_t bytes)
{
	struct frame_head *head = frame;
	uint64_t at;

	memset(frame, 0x5a, bytes);
	for (at = FRAME_STEP; at < bytes; at += FRAME_STEP)
		memcpy((uint8_t *)frame + frame_mark_at(at), &(uint64_t){ frame_mark(at) },
		       sizeof(uint64_t));
	frame_get_tail(frame, bytes)->magic = FRAME_MAGIC;
	head->bytes = bytes;
	head->magic = FRAME_MAGIC;
}

static inline void frame_stamp(void *frame, uint64_t bytes, uint64_t seq, uint64_t now_ns)
{
	struct frame_head *head = frame;

	frame_get_tail(frame, bytes)->seq = seq;
	head->seq = seq;
	head->stamp_ns = now_ns;
}

/** Is it the frame its head says, from end to end? */
static inline bool frame_is_whole(const void *frame, uint64_t bytes)
{
	const struct frame_head *head = frame;
	const struct frame_tail *tail = frame_get_tail(frame, bytes);
	uint64_t at, mark, wrong = 0;

	if (!frame_is_filled(frame, bytes))
		return false;
	for (at = FRAME_STEP; at < bytes; at += FRAME_STEP) {
		memcpy(&mark, (const uint8_t *)frame + frame_mark_at(at), sizeof(mark));
		wrong |= mark ^ frame_mark(at);
	}
	return wrong == 0 && tail->magic == FRAME_MAGIC && tail->seq == head->seq;
}

#endif /* BENCH_FANOUT_FRAME_H */
