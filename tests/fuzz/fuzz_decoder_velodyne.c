/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any datagrams, to a decoder of any Velodyne, and what it makes of them to the
 * frame builder.
 *
 * Input: bytes that describe the sensor (model; enum option; cut angle; slices;
 * loans; how fast it turns; which lasers meet nothing), then one step after the
 * other (enum step), each with its arguments.  Packets are mostly those of a sensor
 * that turns, since otherwise nothing would get far, with bytes and times of the
 * input's choice.
 *
 * What an input does is in its steps, and what it costs in its points: 384 a packet,
 * every one of which is watched by the sanitizers.  So the seeds turn fast, and most of
 * their lasers meet nothing.  What lent memory costs is paid once: it stays with the
 * target, is out of bounds while it is not lent, and ends where the loan does.
 */
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/frame_builder.h"
#include "decoder/rotation.h"
#include "bench/packets/velodyne_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOANS 8
#define LOAN_BYTES_MAX (2048u * 256)

enum step {
	NEXT,
	NEXT_TOO,
	LOSE,
	TURN_FASTER,
	JUMP_ANGLE,
	JUMP_TIME,
	AGAIN,
	CHANGE_BYTES,
	ANY_BYTES,
	SHORT,
	RESTART,
	FLUSH,
	STEPS,
};

/** Bits of the second byte. */
enum option {
	OPTION_NAMED = 1,
	OPTION_CALIBRATION = 2,
	OPTION_DUAL = 4,
	OPTION_FIRST_SLICE = 8,
	OPTION_ENDS = 16,
};

struct input {
	const uint8_t *at;
	size_t left;
};

struct bench {
	struct decoder *decoder;
	struct frame_builder *builder;
	struct sensor_config config;
	struct source source;
	struct velodyne_sensor sensor;
	uint8_t packet[VELODYNE_PACKET_BYTES];
	struct loan loans[LOANS];
	struct lidard_slice_header headers[LOANS];
	bool lent[LOANS];
	uint64_t taken;
};

static volatile float sink;
/* Of loans; nobody's while they are not lent. */
static uint8_t memories[LOANS][LOAN_BYTES_MAX] __attribute__((aligned(4096)));

static void check(bool promise)
{
	if (!promise)
		abort();
}

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static void lend(struct bench *t)
{
	size_t wants;
	int i;

	for (i = 0; i < LOANS && (wants = frame_builder_wants(t->builder)) != 0; i++) {
		if (t->lent[i])
			continue;
		t->lent[i] = true;
		memset(&t->headers[i], 0, sizeof(t->headers[i]));
		t->loans[i].header = &t->headers[i];
		t->loans[i].data = memories[i];
		t->loans[i].capacity_bytes = wants;
		ASAN_UNPOISON_MEMORY_REGION(memories[i], wants);
		frame_builder_lend(t->builder, &t->loans[i]);
	}
}

/* A loop over all points, in which there is nothing to discover. */
__attribute__((no_sanitize("coverage")))
static void check_points(const struct lidard_point_xyzirt *p, uint32_t count)
{
	float sum = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		check(p[i].range > 0 && p[i].return_number >= 1 && p[i].return_number <= 2);
		sum += p[i].x + p[i].y + p[i].z;
	}
	sink = sum;
}

static void check_slice(const struct bench *t, const struct loan *loan)
{
	const struct lidard_slice_header *h = loan->header;
	bool last = h->flags & LIDARD_SLICE_LAST;

	check(h->payload_bytes == (uint64_t)h->point_count * h->point_step);
	check(h->payload_bytes <= loan->capacity_bytes);
	check(h->slice_count == (last ? h->slice_index + 1 : 0));
	check(h->slice_index < LIDARD_FRAME_SLICES_MAX);
	check(h->missing_columns <= h->column_count);
	check(h->lost_packets <= h->missing_columns);
	check(h->first_column + h->column_count <= t->decoder->geometry.frame_columns);
	check_points(loan->data, h->point_count);
}

static void take(struct bench *t)
{
	struct loan *loan;

	while (frame_builder_take(t->builder, &loan)) {
		t->taken++;
		check_slice(t, loan);
		t->lent[loan - t->loans] = false;
		ASAN_POISON_MEMORY_REGION(loan->data, loan->capacity_bytes);
	}
	lend(t);
}

/* Exactly that large, so that reading beyond it shows. */
static void push(struct bench *t, const uint8_t *data, size_t bytes)
{
	uint8_t *datagram = malloc(bytes + !bytes);

	memcpy(datagram, data, bytes);
	frame_builder_push(t->builder, datagram, bytes, 1);
	free(datagram);
	take(t);
}

static void push_next(struct bench *t)
{
	velodyne_packet_next(&t->sensor, t->packet);
	push(t, t->packet, sizeof(t->packet));
}

static void lose(struct bench *t, unsigned int count)
{
	t->sensor.packets += count;
	t->sensor.columns += (uint64_t)count * VELODYNE_PACKET_BLOCKS / t->sensor.returns;
}

static void change_bytes(struct bench *t, struct input *in)
{
	unsigned int count = byte(in) % 4 + 1;

	velodyne_packet_next(&t->sensor, t->packet);
	while (count--) {
		unsigned int at = (byte(in) << 8 | byte(in)) % VELODYNE_PACKET_BYTES;

		t->packet[at] = byte(in);
	}
	push(t, t->packet, sizeof(t->packet));
}

static void any_bytes(struct bench *t, struct input *in)
{
	size_t bytes = in->left < VELODYNE_PACKET_BYTES ? in->left : VELODYNE_PACKET_BYTES;

	memset(t->packet, 0, sizeof(t->packet));
	memcpy(t->packet, in->at, bytes);
	in->at += bytes;
	in->left -= bytes;
	push(t, t->packet, sizeof(t->packet));
}

static void operate(struct bench *t, struct input *in)
{
	switch (byte(in) % STEPS) {
	case NEXT:
	case NEXT_TOO:
		return push_next(t);
	case LOSE:
		return lose(t, byte(in));
	case TURN_FASTER:
		t->sensor.step_cdeg = byte(in);
		return;
	case JUMP_ANGLE:
		t->sensor.start_cdeg += byte(in) * 150u;
		return;
	case JUMP_TIME:
		t->sensor.start_us += (uint32_t)byte(in) << byte(in) % 26;
		return;
	case AGAIN:
		return push(t, t->packet, sizeof(t->packet));
	case CHANGE_BYTES:
		return change_bytes(t, in);
	case ANY_BYTES:
		return any_bytes(t, in);
	case SHORT:
		return push(t, t->packet, byte(in) * 4u);
	case RESTART:
		frame_builder_restart(t->builder, byte(in));
		return take(t);
	case FLUSH:
		frame_builder_flush(t->builder);
		return take(t);
	}
}

static void check_books(const struct bench *t)
{
	const struct source_stats *s = &t->source.stats;

	check(s->produced == t->taken + s->dropped[SOURCE_DROP_NO_LOAN] +
				     s->dropped[SOURCE_DROP_STOPPED]);
	check(s->partial_frames <= s->frames);
}

static bool begin(struct bench *t, struct input *in)
{
	const struct velodyne_model *m = &velodyne_models[byte(in) % velodyne_model_count];
	struct decoder_sensor sensor = { .name = "fuzz", .model = "", .metadata_path = "" };
	uint8_t options = byte(in);
	static char calibration[32768];

	sensor.cut_angle_deg = byte(in) * 1.41;
	if (options & OPTION_NAMED)
		sensor.model = m->name;
	if (options & OPTION_CALIBRATION || !m->elevation_cdeg) {
		sensor.calibration_bytes = velodyne_packet_calibration(m->lasers, calibration,
								       sizeof(calibration));
		sensor.calibration = calibration;
	}
	t->sensor.model = m;
	t->sensor.returns = options & OPTION_DUAL ? 2 : 1;
	t->config.slice_bytes = 2048u * (1 + byte(in));
	t->config.first_slice_bytes = options & OPTION_FIRST_SLICE ? 2048 : 0;
	t->config.loans = 2 + byte(in) % (LOANS - 1);
	t->sensor.step_cdeg = byte(in);
	t->sensor.blind = byte(in);
	if (decoder_velodyne.open(&sensor, &t->decoder, NULL) < 0)
		return false;
	if (frame_builder_new(&t->config, t->decoder, &t->source, 0, &t->builder, NULL) < 0) {
		t->decoder->ops->free(t->decoder);
		return false;
	}
	if (options & OPTION_ENDS)
		frame_builder_end_with_flush(t->builder);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	static struct bench t;

	memset(&t, 0, sizeof(t));
	ASAN_POISON_MEMORY_REGION(memories, sizeof(memories));
	if (!begin(&t, &in))
		return 0;
	lend(&t);
	while (in.left) {
		operate(&t, &in);
		/* what waits for the next slice is neither taken nor dropped */
		check_books(&t);
	}
	frame_builder_flush(t.builder);
	take(&t);
	check_books(&t);
	frame_builder_reset(t.builder);
	frame_builder_free(t.builder);
	t.decoder->ops->free(t.decoder);
	return 0;
}
