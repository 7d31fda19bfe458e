/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo.c - lidarctl echo: what a sensor sees, frame by frame
 *
 * Each slice is summed up and released at once, so nothing is held while a
 * frame is under way, however many slices it has.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "tools/command.h"
#include "tools/complain.h"
#include "tools/points.h"
#include "tools/record_text.h"
#include "tools/stop.h"
#include "tools/stream.h"
#include "tools/summary.h"

struct echo_options {
	struct common_options common;
	bool summary;
	bool json;
	bool points;
	uint64_t frames;
	double timeout;
};

static const struct option_row echo_rows[] = {
	OPTION_ROW_FLAG(struct echo_options, summary, "summary",
			"print each frame's statistics, not only its size"),
	OPTION_ROW_FLAG(struct echo_options, json, "json", "print a JSON object for each frame"),
	OPTION_ROW_FLAG(struct echo_options, points, "points", "print every point, as CSV"),
	OPTION_ROW_COUNT(struct echo_options, frames, "frames", "N", "0", 0, 0,
			 "stop after so many frames; 0: never"),
	OPTION_ROW_REAL(struct echo_options, timeout, "timeout", "S", "10", 0, 86400,
			"fail after so many seconds without data; 0: never"),
	COMMAND_COMMON_ROWS(struct echo_options),
};

struct echo {
	const struct echo_options *options;
	const char *sensor;
	struct points points;
	struct frame_summary frame;
	bool have_frame;
	/** The first frame seen began before we came: it is not shown. */
	bool aligned;
	uint64_t printed;
};

static void print_statistics(const struct summary_statistics *s)
{
	unsigned int i;

	for (i = 0; i < SUMMARY_QUANTITY_COUNT; i++)
		printf("  %-10s min %12.6f  max %12.6f  mean %12.6f\n", summary_quantity_name(i),
		       s->spans[i].min, s->spans[i].max, summary_mean(s, i));
}

static void print_frame(const struct frame_summary *f, bool full)
{
	char line[SUMMARY_LINE_MAX];

	summary_format_line(f, line, sizeof(line));
	puts(line);
	if (!full)
		return;
	print_statistics(&f->first);
	printf("  sensor time %" PRIu64 " .. %" PRIu64 " ns\n", f->first_sensor_ns,
	       f->last_sensor_ns);
}

static void print_json(const struct frame_summary *f)
{
	struct json_object *object = summary_to_json(f);

	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}

static void print_points(const struct lidard_slice_header *h, const struct lidard_point_xyzirt *p)
{
	uint32_t i;

	for (i = 0; p && i < h->point_count; i++, p++)
		printf("%" PRIu64 ",%g,%g,%g,%g,%g,%" PRIu64 ",%u,%u,%u,%u,%u\n", h->frame_id,
		       (double)p->x, (double)p->y, (double)p->z, (double)p->intensity,
		       (double)p->range, h->sensor_time_ns + p->time_offset_ns, p->ring,
		       p->return_number, p->flags, p->signal, p->ambient);
}

/* Return: 1 if that was the last frame asked for. */
static int finish_frame(struct echo *e)
{
	summary_finish(&e->frame);
	e->have_frame = false;
	if (!e->options->points) {
		if (e->options->json)
			print_json(&e->frame);
		else
			print_frame(&e->frame, e->options->summary);
		fflush(stdout);
	}
	e->printed++;
	return e->options->frames && e->printed >= e->options->frames;
}

/* A slice of what a sensor publishes beside points; each is a frame. */
static int print_records(struct echo *e, const struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);

	if (e->options->points) {
		complain("%s publishes no points", e->sensor);
		return -EINVAL;
	}
	record_text_print(h, lidard_slice_get_payload(slice), e->options->json, stdout);
	fflush(stdout);
	if (ferror(stdout))
		return -EPIPE;
	e->printed++;
	return (e->options->frames && e->printed >= e->options->frames) ||
	       h->flags & LIDARD_SLICE_END_OF_STREAM;
}

static int on_slice(void *data, struct stream *stream, const struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);
	const struct lidard_point_xyzirt *points;
	struct echo *e = data;

	if (record_text_knows(h->format))
		return print_records(e, slice);
	if (!e->aligned && !stream_may_begin(h))
		return 0;
	e->aligned = true;
	if (e->have_frame && summary_is_other(&e->frame, h) && finish_frame(e))
		return 1;
	if (!e->have_frame) {
		summary_init(&e->frame, h);
		e->have_frame = true;
	}
	e->frame.skipped += stream->skipped_before;
	points = points_of(&e->points, stream->client, e->sensor, slice);
	summary_add(&e->frame, &e->points.header, points, 1);
	if (e->options->points)
		print_points(&e->points.header, points);
	if (ferror(stdout))
		return -EPIPE;
	if (e->frame.ended && finish_frame(e))
		return 1;
	return h->flags & LIDARD_SLICE_END_OF_STREAM ? 1 : 0;
}

static int echo_run(const void *data, char **arguments)
{
	const struct echo_options *options = data;
	struct echo e = { .options = options, .sensor = arguments[0] };
	struct stream stream;
	int r;

	if (options->points && (options->json || options->summary)) {
		complain("echo: --points prints points, --json and --summary describe frames: "
			 "choose one");
		return COMMAND_USAGE;
	}
	stop_install();
	if (stream_open(&stream, options->common.socket, arguments[0], NULL) < 0)
		return COMMAND_FAILED;
	if (options->points)
		puts("frame_id,x,y,z,intensity,range,time_ns,ring,return,flags,signal,ambient");
	r = stream_run(&stream, (uint64_t)(options->timeout * 1e9), on_slice, &e);
	points_deinit(&e.points);
	if (r == -ETIMEDOUT)
		stream_complain_of_silence(&stream, arguments[0], options->timeout);
	stream_close(&stream);
	return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}

const struct command command_echo = {
	.name = "echo",
	.arguments = "SENSOR",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "print what a sensor sees, frame by frame",
	.description = "Of SENSOR/imu, prints what the sensor's IMU and satellite receiver say.\n"
		       "Begins with the first whole frame. Statistics are those of first returns;\n"
		       "with --json, all_returns covers both where there are two. Of a sensor that is\n"
		       "published as packets, the points are decoded here.\n",
	.options = { echo_rows, sizeof(echo_rows) / sizeof(echo_rows[0]) },
	.options_bytes = sizeof(struct echo_options),
	.run = echo_run,
};
