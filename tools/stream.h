/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - a subscription, taken slice by slice until somebody says stop
 *
 * What echo, record and the demo's readers have in common: connect, subscribe,
 * wait, take, release, count what was missed.  The handler gets each slice
 * lent for the duration of the call.  One thread.
 */
#ifndef TOOLS_STREAM_H
#define TOOLS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "lidard/lidard.h"

struct stream {
	struct lidard_client *client;
	struct lidard_subscription *subscription;
	/** Slices this reader missed between the last slice and this one. */
	uint64_t skipped_before;
	/** Of the last slice; have_last is false before the first. */
	bool have_last;
	uint64_t incarnation;
	uint64_t publish_index;
};

/**
 * Return: 0 go on; 1 enough; negative errno: failed (the handler has complained).
 */
typedef int (*stream_fn)(void *data, struct stream *stream, const struct lidard_slice *slice);

/**
 * stream_open() - connect and subscribe; complains on failure
 * @opts: may be NULL
 *
 * Return: 0; negative errno.
 */
int stream_open(struct stream *s, const char *socket, const char *sensor,
		const struct lidard_subscribe_opts *opts);
/** stream_open_as() - as stream_open(), under another name than lidarctl's */
int stream_open_as(struct stream *s, const char *socket, const char *name, const char *sensor,
		   const struct lidard_subscribe_opts *opts);
/** Idempotent. */
void stream_close(struct stream *s);

/**
 * stream_run() - take slices until the handler has enough, a signal or the time
 * @idle_ns: give up after so long without a slice, 0: never
 *
 * Return: 1 the handler had enough; 0 a signal arrived; -ETIMEDOUT; other
 * negative errno (complained of).
 */
int stream_run(struct stream *s, uint64_t idle_ns, stream_fn fn, void *data);

/**
 * stream_complain_of_silence() - say that no data came for so long, and what lidard knows of the
 * sensor: its state, and its error if it has one
 */
void stream_complain_of_silence(struct stream *s, const char *sensor, double seconds);

/**
 * stream_step() - take what is waiting, at most for wait_ns
 * Return: slices taken; -EINTR; negative errno as the library's; or what the handler
 * returned when it was not 0: *ret_done is then set to it.
 */
int stream_step(struct stream *s, int64_t wait_ns, stream_fn fn, void *data, int *ret_done);

/** Where a reader can begin: with a frame, or where the stream itself begins. */
static inline bool stream_may_begin(const struct lidard_slice_header *h)
{
	return h->slice_index == 0 || h->publish_index == 0;
}

/** The stream may end in the middle of a frame: that ends the frame, too. */
static inline bool stream_ends_frame(const struct lidard_slice_header *h)
{
	return h->flags & (LIDARD_SLICE_LAST | LIDARD_SLICE_END_OF_STREAM);
}

#endif /* TOOLS_STREAM_H */
