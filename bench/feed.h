/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed.h - what a source that costs nothing hands out, and when
 *
 * bench-lidard is lidard with such a source (bench/source_pace.c); what the
 * benchmark wants of it is in another file for each.
 */
#ifndef BENCH_FEED_H
#define BENCH_FEED_H

#include <stdbool.h>
#include <stdint.h>

struct feed;
struct lidard_slice_header;

/** For a sensor, by its name. Return: NULL where the benchmark cannot be found. */
struct feed *feed_new(const char *sensor, uint64_t slice_bytes);
/** Takes NULL. Return: NULL. */
struct feed *feed_free(struct feed *f);

/** Begin. Return: an fd that is readable when feed_is_due() is to be asked, or negative errno. */
int feed_start(struct feed *f);
/** Idempotent. */
void feed_stop(struct feed *f);

/**
 * Is a loan lent before its slice is due, as a device needs it? Or once it is, as
 * a source has it that writes itself?
 */
bool feed_lends_ahead(const struct feed *f);
/** Is there a slice? To be asked until there is none. Hot path. */
bool feed_is_due(struct feed *f);
/** What a device knows of the slice that is due, where the benchmark does. Hot path. */
void feed_describe(struct feed *f, struct lidard_slice_header *header);
/** Make memory what a device would have made of it. Hot path. */
void feed_fill(struct feed *f, void *data);
/** The slice is on its way. Hot path. */
void feed_count(struct feed *f);

#endif /* BENCH_FEED_H */
