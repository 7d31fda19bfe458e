/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_decode.h - slots full of sensor packets become slices of points
 *
 * Between a device whose slots hold packets and the frame builder, which cuts
 * points into slices of its own: a slot may end in the middle of a slice, and
 * hold several.  A slot is fed, then taken from until nothing comes; only then
 * may its memory be filled again.  One thread.
 */
#ifndef DAEMON_DEVICE_DECODE_H
#define DAEMON_DEVICE_DECODE_H

#include "daemon/frame_builder.h"
#include "daemon/source.h"

struct device_decode;

/**
 * device_decode_new() - make the decoder that the configuration names
 * @source: borrowed; its counters, model and serial
 *
 * Return: 0; negative errno with @problem set, as decoder_ops.open() and frame_builder_new().
 */
int device_decode_new(const struct sensor_config *config, struct source *source,
		      struct device_decode **ret_decode, struct problem *problem);
/** What is half done counts as stopped. NULL is allowed. Return: NULL. */
struct device_decode *device_decode_free(struct device_decode *d);

size_t device_decode_wants(const struct device_decode *d);
void device_decode_lend(struct device_decode *d, struct loan *loan);

/** device_decode_feed() - a slot, borrowed until device_decode_take() returns 0. Hot path. */
void device_decode_feed(struct device_decode *d, const void *data, size_t bytes,
			uint64_t arrival_ns);

/** device_decode_take() - Return: 1 a filled loan; 0 the slot is used up. Hot path. */
int device_decode_take(struct device_decode *d, struct loan **ret_loan);

#endif /* DAEMON_DEVICE_DECODE_H */
