/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.c - points from a slice of sensor packets
 *
 * lidard says how a sensor's packets are made (GetDecoder), and the decoder is
 * the same as in lidard itself.  Packets come from the sensor, and metadata from
 * the control socket: both are checked by the decoder.
 *
 * Points count their time from the earliest column of the slice, which is known
 * only at the end, as packets may have changed places on the way.  Until then
 * offsets are signed and relative to the first column.
 *
 * A decoder belongs to its client's thread, and lives without it.
 */
#include "libclient/decode.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/raw_packets.h"
#include "libclient/client.h"
#include "libclient/export.h"
#include "libclient/subscription.h"
#include "lidard/control.h"

struct lidard_decoder {
	struct decoder *decoder;
	/* too large for the stack of a thread that has little */
	struct decoder_packet packet;
};

/* Where the next points go, and what is known of those there are. */
struct output {
	struct lidard_point_xyzirt *points;
	size_t capacity;
	struct lidard_decoded decoded;
	uint64_t base_ns;
	int64_t earliest_ns;
	int64_t latest_ns;
	bool begun;
};

/* ---- Making one ------------------------------------------------------------- */

LIDARD_EXPORT struct lidard_decoder *lidard_decoder_free(struct lidard_decoder *decoder)
{
	if (!decoder)
		return NULL;
	if (decoder->decoder)
		decoder->decoder->ops->free(decoder->decoder);
	free(decoder);
	return NULL;
}

int decode_new(struct decoder *decoder, struct lidard_decoder **ret_decoder)
{
	struct lidard_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->decoder = decoder;
	*ret_decoder = d;
	return 0;
}

static int ask(struct lidard_client *client, const char *sensor, struct varlink_reply *ret_reply)
{
	struct json_object *p = json_object_new_object();
	int r;

	if (!p)
		return -ENOMEM;
	json_object_object_add(p, "sensor", json_object_new_string(sensor));
	r = client_request(client, LIDARD_METHOD_GET_DECODER, p, ret_reply);
	json_object_put(p);
	return r;
}

static int open_decoder(struct lidard_client *client, const char *name,
			struct json_object *parameters, struct decoder **ret_decoder)
{
	struct decoder_sensor sensor = { .name = name, .metadata_path = "" };
	const char *calibration = varlink_get_string(parameters, "calibration");
	const char *wanted = varlink_get_string(parameters, "decoder");
	const struct decoder_ops *ops;
	struct problem problem = { "" };
	int r;

	sensor.model = varlink_get_string(parameters, "model");
	sensor.metadata = varlink_get_string(parameters, "metadata");
	if (!wanted || !sensor.model || !sensor.metadata)
		return client_fail(client, -EPROTO, "%s: the answer made no sense",
				   LIDARD_METHOD_GET_DECODER);
	sensor.metadata_bytes = strlen(sensor.metadata);
	/* as if lidard had no file either */
	if (!sensor.metadata[0])
		sensor.metadata = NULL;
	if (calibration && calibration[0]) {
		sensor.calibration = calibration;
		sensor.calibration_bytes = strlen(calibration);
	}
	if (decoder_choose(wanted, &sensor, &ops, &problem) < 0)
		return strcmp(wanted, "auto") == 0 ?
			       client_fail(client, -EINVAL, "sensor %s: %s", name, problem.text) :
			       client_fail(client, -ENOTSUP, "this liblidard is another than "
					   "lidard's: %s", problem.text);
	r = ops->open(&sensor, ret_decoder, &problem);
	return r < 0 ? client_fail(client, r, "sensor %s: %s", name, problem.text) : 0;
}

LIDARD_EXPORT int lidard_decoder_new(struct lidard_client *client, const char *sensor,
				     struct lidard_decoder **ret_decoder)
{
	struct decoder *decoder;
	struct varlink_reply reply;
	int r;

	if (fork_guard_is_foreign(client->generation))
		return -ECHILD;
	r = ask(client, sensor, &reply);
	if (r < 0)
		return r;
	r = open_decoder(client, sensor, reply.parameters, &decoder);
	varlink_reply_deinit(&reply);
	if (r < 0)
		return r;
	r = decode_new(decoder, ret_decoder);
	if (r < 0)
		decoder->ops->free(decoder);
	return r;
}

/* ---- Using it --------------------------------------------------------------- */

LIDARD_EXPORT size_t lidard_decoder_get_max(const struct lidard_decoder *decoder,
					    const struct lidard_slice *slice)
{
	const struct decoder_geometry *g = &decoder->decoder->geometry;
	struct raw_packets packets;
	const uint8_t *packet;
	size_t bytes, count = 0;

	if (fork_guard_is_foreign(slice->generation) || slice->header->format != LIDARD_FORMAT_RAW)
		return 0;
	packets = raw_packets_of(slice->payload, slice->header->payload_bytes);
	while (raw_packets_next(&packets, &packet, &bytes) == 1)
		count++;
	return count * g->packet_columns * g->column_points;
}

/* Return: false: a time that cannot be of this slice. */
static bool place_in_time(struct output *o, uint64_t time_ns, int64_t *ret_offset_ns)
{
	int64_t offset_ns;

	if (!o->begun)
		o->base_ns = time_ns;
	o->begun = true;
	offset_ns = (int64_t)(time_ns - o->base_ns);
	/* and if the difference has wrapped */
	if (offset_ns > INT32_MAX || offset_ns < INT32_MIN || (offset_ns < 0) != (time_ns < o->base_ns))
		return false;
	if (offset_ns < o->earliest_ns)
		o->earliest_ns = offset_ns;
	if (offset_ns > o->latest_ns)
		o->latest_ns = offset_ns;
	*ret_offset_ns = offset_ns;
	return true;
}

static int decode_column(struct lidard_decoder *d, unsigned int index, struct output *o)
{
	const struct decoder *decoder = d->decoder;
	struct lidard_point_xyzirt *points = o->points + o->decoded.point_count;
	int64_t offset_ns;
	uint32_t i, count;

	if (o->capacity - o->decoded.point_count < decoder->geometry.column_points)
		return -ENOSPC;
	if (!place_in_time(o, d->packet.columns[index].time_ns, &offset_ns)) {
		o->decoded.bad_columns++;
		return 0;
	}
	count = decoder->ops->points(decoder, &d->packet, index, points);
	for (i = 0; i < count; i++)
		points[i].time_offset_ns += (uint32_t)offset_ns;
	o->decoded.point_count += count;
	o->decoded.columns++;
	return 0;
}

static int decode_packet(struct lidard_decoder *d, const uint8_t *data, size_t bytes,
			 struct output *o)
{
	unsigned int i;
	int r;

	r = d->decoder->ops->look(d->decoder, data, bytes, &d->packet);
	if (r == DECODER_IGNORED || r == DECODER_SIDE)
		o->decoded.ignored_packets++;
	else if (r == DECODER_BAD)
		o->decoded.bad_packets++;
	if (r != DECODER_POINTS)
		return 0;
	o->decoded.packets++;
	for (i = 0; i < d->packet.column_count; i++) {
		r = decode_column(d, i, o);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Count from the earliest column. */
static void put_times_right(struct output *o)
{
	uint64_t i;

	if (!o->begun)
		return;
	o->decoded.sensor_time_ns = o->base_ns + (uint64_t)o->earliest_ns;
	o->decoded.sensor_end_time_ns = o->base_ns + (uint64_t)o->latest_ns;
	for (i = 0; o->earliest_ns && i < o->decoded.point_count; i++)
		o->points[i].time_offset_ns -= (uint32_t)o->earliest_ns;
}

LIDARD_EXPORT int lidard_slice_decode(const struct lidard_slice *slice,
				      struct lidard_decoder *decoder,
				      struct lidard_point_xyzirt *points, size_t capacity,
				      struct lidard_decoded *ret_decoded)
{
	struct output o = { .points = points, .capacity = capacity };
	struct raw_packets packets;
	const uint8_t *data;
	size_t bytes;
	int r;

	if (fork_guard_is_foreign(slice->generation))
		return -ECHILD;
	if (slice->header->format != LIDARD_FORMAT_RAW)
		return -EINVAL;
	packets = raw_packets_of(slice->payload, slice->header->payload_bytes);
	while ((r = raw_packets_next(&packets, &data, &bytes)) == 1) {
		r = decode_packet(decoder, data, bytes, &o);
		if (r < 0)
			return r;
	}
	o.decoded.bad_packets += r < 0;
	put_times_right(&o);
	o.decoded.sensor_clock = decoder->decoder->geometry.sensor_clock;
	*ret_decoded = o.decoded;
	return 0;
}
