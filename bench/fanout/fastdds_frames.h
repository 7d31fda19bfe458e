/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fastdds_frames.h - frames through Fast DDS, whose interface is C++
 *
 * What fails ends the process, after a sentence.
 */
#ifndef BENCH_FANOUT_FASTDDS_FRAMES_H
#define BENCH_FANOUT_FASTDDS_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fastdds_plan {
	uint64_t bytes;
	/** Frames that may wait for a reader. */
	uint32_t queue;
	/** Readers map the writer's samples, instead of getting them by its transport. */
	bool shared;
};

struct fastdds_writer;
struct fastdds_reader;

struct fastdds_writer *fastdds_writer_new(const struct fastdds_plan *plan);

/** Return: a sample of the writer's, or NULL for none at hand. */
void *fastdds_writer_loan(struct fastdds_writer *w);

/** Of a sample that was lent, or of any memory: then it is copied. */
void fastdds_writer_write(struct fastdds_writer *w, void *frame);

/** Return: one that is matched with a writer. */
struct fastdds_reader *fastdds_reader_new(const struct fastdds_plan *plan);

/** Sleep until there is a frame. Return: NULL if there was none after all. */
const void *fastdds_reader_take(struct fastdds_reader *r);

/** Return: false if it was overwritten meanwhile. */
bool fastdds_reader_release(struct fastdds_reader *r);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_FANOUT_FASTDDS_FRAMES_H */
