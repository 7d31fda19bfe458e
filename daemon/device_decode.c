/* SPDX-License-Identifier: Apache-2.0 */
/* device_decode.c - see device_decode.h */
#include "daemon/device_decode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/raw_packets.h"
#include "daemon/config.h"
#include "decoder/decoder.h"

struct device_decode {
	struct source *source;
	struct decoder *decoder;
	struct frame_builder *builder;
	struct raw_packets packets;
	uint64_t arrival_ns;
};

struct device_decode *device_decode_free(struct device_decode *d)
{
	if (!d)
		return NULL;
	if (d->builder)
		frame_builder_reset(d->builder);
	frame_builder_free(d->builder);
	if (d->decoder)
		d->decoder->ops->free(d->decoder);
	free(d);
	return NULL;
}

static void cleanup_decode(struct device_decode **d)
{
	*d = device_decode_free(*d);
}

int device_decode_new(const struct sensor_config *config, struct source *source,
		      struct device_decode **ret_decode, struct problem *problem)
{
	CLEANUP(cleanup_decode) struct device_decode *d = calloc(1, sizeof(*d));
	const struct decoder_ops *ops;
	struct decoder_sensor sensor;
	int r;

	if (!d)
		return problem_set(problem, -ENOMEM, "out of memory");
	sensor = sensor_config_decoder(config);
	r = decoder_choose(config->decoder, &sensor, &ops, problem);
	if (r < 0)
		return r;
	r = ops->open(&sensor, &d->decoder, problem);
	if (r < 0)
		return r;
	r = frame_builder_new(config, d->decoder, source, 0, &d->builder, problem);
	if (r < 0)
		return r;
	source_restart_seq(source);
	snprintf(source->model, sizeof(source->model), "%s", d->decoder->geometry.model);
	snprintf(source->serial, sizeof(source->serial), "%s", d->decoder->geometry.serial);
	source_facts_learn(&source->facts, d->decoder);
	d->source = source;
	*ret_decode = STEAL(d);
	return 0;
}

size_t device_decode_wants(const struct device_decode *d)
{
	return frame_builder_wants(d->builder);
}

void device_decode_lend(struct device_decode *d, struct loan *loan)
{
	frame_builder_lend(d->builder, loan);
}

void device_decode_feed(struct device_decode *d, const void *data, size_t bytes,
			uint64_t arrival_ns)
{
	d->packets = raw_packets_of(data, bytes);
	d->arrival_ns = arrival_ns;
}

int device_decode_take(struct device_decode *d, struct loan **ret_loan)
{
	const uint8_t *packet;
	size_t bytes;
	int r;

	while (frame_builder_take(d->builder, ret_loan) == 0) {
		r = raw_packets_next(&d->packets, &packet, &bytes);
		if (r == 0)
			return 0;
		if (r < 0)
			d->source->stats.bad_packets++;
		else
			frame_builder_push(d->builder, packet, bytes, d->arrival_ns);
	}
	d->source->stats.copied_bytes += (*ret_loan)->header->payload_bytes;
	return 1;
}
