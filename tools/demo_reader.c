/* SPDX-License-Identifier: Apache-2.0 */
/* demo_reader.c - see demo_reader.h */
#include "tools/demo_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "lidard/lidard.h"
#include "tools/complain.h"
#include "tools/file.h"
#include "tools/perception.h"
#include "tools/ring_file.h"
#include "tools/stream.h"
#include "tools/summary.h"

#define READER_WAIT_NS (50 * 1000 * 1000)
#define READER_PAGE 4096u

/** What the child works with; the parts its role does not need stay zero. */
struct reader {
	const struct demo_reader *params;
	struct demo_result *result;
	struct perception *perception;
	struct frame_summary summary;
	bool have_summary;
	struct ring_file file;
	bool have_frame;
	uint64_t frame_id;
	/** Recording: is the frame under way being kept? */
	bool keeping;
	/** Keeps the compiler from dropping the reads. */
	uint64_t sum;
};

const char *demo_role_name(enum demo_role role)
{
	switch (role) {
	case DEMO_PERCEPTION:
		return "perception";
	case DEMO_RECORDING:
		return "recording";
	default:
		return "reader";
	}
}

static void touch(struct reader *r, const struct lidard_slice_header *h, const uint8_t *payload)
{
	uint64_t at;

	for (at = 0; at < h->payload_bytes; at += READER_PAGE)
		r->sum += *(const volatile uint8_t *)(payload + at);
}

static int write_line(int fd, const char *text)
{
	int error = file_write_all(fd, text, strlen(text));

	return error < 0 ? error : file_write_all(fd, "\n", 1);
}

static int write_summary(struct reader *r)
{
	char line[SUMMARY_LINE_MAX];
	struct json_object *object;
	int error;

	summary_finish(&r->summary);
	r->have_summary = false;
	if (!r->params->frames_as_json) {
		summary_format_line(&r->summary, line, sizeof(line));
		return write_line(r->params->frames_fd, line);
	}
	object = summary_to_json(&r->summary);
	error = write_line(r->params->frames_fd,
			   json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
	return error;
}

static int summarise(struct reader *r, const struct stream *stream,
		     const struct lidard_slice_header *h, const struct lidard_point_xyzirt *points)
{
	int error = 0;

	if (r->have_summary && summary_is_other(&r->summary, h))
		error = write_summary(r);
	if (!r->have_summary) {
		summary_init(&r->summary, h);
		r->have_summary = true;
	}
	r->summary.skipped += stream->skipped_before;
	summary_add(&r->summary, h, points, 1);
	if (error == 0 && r->summary.ended)
		error = write_summary(r);
	return error;
}

static void perceive(struct reader *r, const struct lidard_slice_header *h,
		     const struct lidard_point_xyzirt *points)
{
	perception_add(r->perception, points, h->point_count, r->params->stride);
	if (stream_ends_frame(h)) {
		perception_finish(r->perception);
		r->result->clusters = r->perception->clusters;
	}
}

static void keep(struct reader *r, const struct lidard_slice_header *h, const void *payload)
{
	/* a frame is kept from its first slice on, or not at all */
	if (h->slice_index == 0)
		r->keeping = h->frame_id % r->params->keep_every == 0;
	if (!r->keeping)
		return;
	if (!ring_file_add(&r->file, h, sizeof(*h)) ||
	    !ring_file_add(&r->file, payload, h->payload_bytes)) {
		r->keeping = false;
		r->result->cut_frames++;
		return;
	}
	r->result->kept_bytes += h->payload_bytes;
	if (stream_ends_frame(h))
		r->result->kept_frames++;
}

/* hot path */
static int on_slice(void *data, struct stream *stream, const struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);
	const struct lidard_point_xyzirt *points = lidard_slice_get_points(slice);
	struct reader *r = data;
	int error = 0;

	if (stream_ends_frame(h))
		r->result->frames++;
	if (r->params->role == DEMO_RECORDING)
		keep(r, h, lidard_slice_get_payload(slice));
	else if (r->params->role == DEMO_PERCEPTION && points)
		perceive(r, h, points);
	else
		touch(r, h, lidard_slice_get_payload(slice));
	if (r->params->frames_fd >= 0)
		error = summarise(r, stream, h, points);
	return error;
}

static int prepare(struct reader *r)
{
	uint64_t staging = 2 * r->params->frame_bytes;

	if (r->params->role == DEMO_PERCEPTION) {
		r->perception = calloc(1, sizeof(*r->perception));
		if (!r->perception)
			return -ENOMEM;
		perception_begin(r->perception);
	}
	if (r->params->role == DEMO_RECORDING)
		return ring_file_start(&r->file, r->params->record_fd, r->params->record_bytes,
				       staging < (16u << 20) ? 16u << 20 : staging);
	return 0;
}

static int receive(struct reader *r, struct stream *stream)
{
	int error = 0, done = 0;

	while (!__atomic_load_n(&r->result->stop, __ATOMIC_ACQUIRE)) {
		error = stream_step(stream, READER_WAIT_NS, on_slice, r, &done);
		if (error < 0 && error != -EINTR)
			break;
		if (done)
			return done;
		error = 0;
	}
	return error;
}

static int finish(struct reader *r)
{
	int error = 0;

	if (r->have_summary)
		error = write_summary(r);
	if (r->params->role == DEMO_RECORDING && ring_file_stop(&r->file) < 0)
		complain("writing to disk failed: %s", strerror(-r->file.error));
	free(r->perception);
	return error;
}

int demo_reader_run(void *data)
{
	const struct demo_reader *params = data;
	struct lidard_subscribe_opts opts = {
		.size = sizeof(opts),
		.queue = params->queue,
		.held = params->held,
		.policy = LIDARD_POLICY_BOUNDED,
	};
	struct reader r = { .params = params, .result = params->result };
	struct stream stream;
	int error;

	error = prepare(&r);
	if (error < 0) {
		complain("%s: %s", params->name, strerror(-error));
		return 1;
	}
	if (stream_open_as(&stream, params->socket, params->name, params->sensor, &opts) < 0)
		return 1;
	error = receive(&r, &stream);
	if (error < 0)
		complain("%s: cannot go on receiving: %s", params->name, strerror(-error));
	if (lidard_subscription_get_page(stream.subscription))
		r.result->page = *lidard_subscription_get_page(stream.subscription);
	stream_close(&stream);
	if (finish(&r) < 0 || error < 0)
		return 1;
	__atomic_store_n(&r.result->done, 1, __ATOMIC_RELEASE);
	return 0;
}
