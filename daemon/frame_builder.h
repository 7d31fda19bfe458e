/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_builder.h - columns of points become slices of frames
 *
 * Owned by a source that takes in packets (replay, later live sockets): it
 * pushes datagrams, lends loans, takes filled loans.  Each slice covers a
 * fixed range of columns: the first of a frame as many as fit into
 * first_slice_bytes (if configured), the others slice_bytes.  Points go
 * straight into the loan.
 *
 * A slice is finished when all its columns are there, or when columns come
 * that lie more than a few packets beyond it: packets may arrive late or out
 * of order.  What is missing then is counted in the slice's header and in the
 * source's stats, and the slice and its frame are flagged partial.  What the
 * sensor cannot have sent while we listened (before the first packet of a
 * stream, after its last) makes a frame partial but is not counted as lost.
 */
#ifndef DAEMON_FRAME_BUILDER_H
#define DAEMON_FRAME_BUILDER_H

#include "decoder/decoder.h"
#include "daemon/source.h"

struct frame_builder;

/**
 * frame_builder_new() - build frames of one sensor
 * @config: borrowed; slice sizes
 * @decoder: borrowed
 * @source: borrowed; its stats are counted and its slices numbered
 * @flags: LIDARD_SLICE_* flags that every slice gets (replayed)
 *
 * Return: 0; -EINVAL with @problem set: a slice cannot hold one column, or a frame
 * would have more than LIDARD_FRAME_SLICES_MAX slices; -ENOMEM.
 */
int frame_builder_new(const struct sensor_config *config, struct decoder *decoder,
		      struct source *source, uint32_t flags, struct frame_builder **ret_builder,
		      struct problem *problem);
/** Return: NULL. NULL is allowed. */
struct frame_builder *frame_builder_free(struct frame_builder *b);

size_t frame_builder_wants(const struct frame_builder *b);
void frame_builder_lend(struct frame_builder *b, struct loan *loan);

/** frame_builder_push() - take in one datagram that arrived at @arrival_ns (CLOCK_MONOTONIC). Hot path. */
void frame_builder_push(struct frame_builder *b, const void *datagram, size_t bytes,
			uint64_t arrival_ns);

/**
 * frame_builder_push_patient() - as frame_builder_push(), but wait where a loan is missing
 *
 * For a source that can hold its packets back. @datagram stays borrowed until
 * all of it is taken in.
 *
 * Return: 1, or 0: lend a loan, then frame_builder_resume(). Hot path.
 */
int frame_builder_push_patient(struct frame_builder *b, const void *datagram, size_t bytes,
			       uint64_t arrival_ns);
/** Return: 1: the datagram is taken in (or there was none), 0: lend another loan. Hot path. */
int frame_builder_resume(struct frame_builder *b);

/**
 * frame_builder_end_with_flush() - flag the stream's last slice
 *
 * From now on a filled slice is only handed out when the next one has begun:
 * the one left over at frame_builder_flush() is the last and says so.
 */
void frame_builder_end_with_flush(struct frame_builder *b);

/** frame_builder_take() - a filled loan, oldest first. Return: 1 or 0. Hot path. */
int frame_builder_take(struct frame_builder *b, struct loan **ret_loan);

/** Is there one to take? Of a builder that does not end with flush. Hot path. */
bool frame_builder_has_filled(const struct frame_builder *b);

/** frame_builder_flush() - the stream ends here: finish what is open, flagged partial if it lacks columns */
void frame_builder_flush(struct frame_builder *b);

/**
 * frame_builder_restart() - the stream begins anew (a replay loops)
 *
 * frame_id and sensor time go on forward: the new first frame follows the last
 * one, and its time lies @gap_ns after the last column.
 */
void frame_builder_restart(struct frame_builder *b, uint64_t gap_ns);

/** frame_builder_reset() - drop what is half done (SOURCE_DROP_STOPPED) and forget all loans */
void frame_builder_reset(struct frame_builder *b);

#endif /* DAEMON_FRAME_BUILDER_H */
