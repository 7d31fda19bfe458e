/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - lidarctl view: pictures, so that a person sees at once whether a
 * sensor's data are sane
 *
 * Each slice is drawn from the memory it was published in and released at
 * once, so nothing is held while a frame is under way, however many slices it
 * has.  A frame of which this reader missed a slice is not shown: it would
 * look like a fault of the sensor.  What the sensor or lidard lost is.  With
 * --json there is no drawing, but the figures of what it would show.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "tools/command.h"
#include "tools/complain.h"
#include "tools/display.h"
#include "tools/drawing.h"
#include "tools/frame_figures.h"
#include "tools/png_file.h"
#include "tools/points.h"
#include "tools/stop.h"
#include "tools/stream.h"
#include "tools/summary.h"

#define WAIT_NS (100 * 1000 * 1000)
/* Nobody sees more pictures than these. */
#define PICTURE_NS (40 * NSEC_PER_MSEC)
/* A terminal slower than the sensor shall show what is now: older frames are passed over... */
#define AGE_MAX_NS (300 * NSEC_PER_MSEC)
/* ...but for one now and then, or a machine that is always behind would show nothing. */
#define PATIENCE_NS NSEC_PER_SEC
#define LINE_MAX_BYTES 320

struct view_options {
	struct common_options common;
	const char *view;
	bool top_down;
	bool range;
	const char *colour;
	double range_max;
	uint64_t frames;
	double timeout;
	bool plain;
	bool sixel;
	bool json;
	const char *png;
	const char *size;
};

static const struct option_row view_rows[] = {
	OPTION_ROW_TEXT(struct view_options, view, "view", "NAME", "both",
			"top-down, range or both"),
	OPTION_ROW_FLAG(struct view_options, top_down, "top-down", "as --view top-down"),
	OPTION_ROW_FLAG(struct view_options, range, "range", "as --view range"),
	OPTION_ROW_TEXT(struct view_options, colour, "colour", "BY", NULL,
			"height, intensity or range (seen from above: height; range image: range)"),
	OPTION_ROW_REAL(struct view_options, range_max, "range-max", "METRES", NULL, 0.1, 10000,
			"how far the top-down view reaches (from the data)"),
	OPTION_ROW_COUNT(struct view_options, frames, "frames", "N", "0", 0, 0,
			 "stop after so many frames; 0: never"),
	OPTION_ROW_REAL(struct view_options, timeout, "timeout", "S", "10", 0, 86400,
			"fail after so many seconds without data; 0: never"),
	OPTION_ROW_FLAG(struct view_options, plain, "plain",
			"plain characters, one picture after another, as without a terminal"),
	OPTION_ROW_FLAG(struct view_options, sixel, "sixel",
			"sixel graphics, also if the terminal does not say that it has them"),
	OPTION_ROW_FLAG(struct view_options, json, "json",
			"print a JSON object for each frame: what a picture of it would show"),
	OPTION_ROW_TEXT(struct view_options, png, "png", "FILE", NULL,
			"write one frame's picture to a file and end"),
	OPTION_ROW_TEXT(struct view_options, size, "size", "WxH", "1024x1024",
			"pixels of the file"),
	COMMAND_COMMON_ROWS(struct view_options),
};

struct view {
	const struct view_options *options;
	const char *sensor;
	uint32_t png_width;
	uint32_t png_height;
	struct drawing_opts drawing_opts;
	struct drawing drawing;
	struct display display;
	/** Instead of both, with --json. */
	struct frame_figures figures;
	struct points points;
	/** Of the frame under way: what came and what is missing. */
	struct frame_summary frame;
	bool in_frame;
	uint64_t filled_ns;
	/** Frames shown or written; when the last was. */
	uint64_t shown;
	uint64_t shown_ns;
	uint64_t heard_ns;
};

/* ---- What is said of a frame ---- */

static int add_count(char *line, size_t size, int length, uint64_t count, const char *what)
{
	if (!count)
		return length;
	return length +
	       snprintf(line + length, size - (size_t)length, " %" PRIu64 " %s", count, what);
}

static void describe_frame(const struct view *v, char *line, size_t size)
{
	const struct frame_summary *f = &v->frame;
	const struct drawing *d = &v->drawing;
	uint64_t now_ns = clock_now_ns();
	int length;

	length = snprintf(line, size, "%.31s frame %" PRIu64 "  points %" PRIu64 "  lost",
			  v->sensor, f->frame_id, d->drawable_points);
	length = add_count(line, size, length, f->lost_packets, "packets");
	length = add_count(line, size, length, f->missing_columns, "columns");
	length = add_count(line, size, length, f->lost_upstream, "slices");
	if (!f->lost_packets && !f->missing_columns && !f->lost_upstream)
		length += snprintf(line + length, size - (size_t)length, " 0");
	length += snprintf(line + length, size - (size_t)length, "  age %.0f ms",
			   now_ns > v->filled_ns ? (double)(now_ns - v->filled_ns) / 1e6 : 0.0);
	if (d->opts.view & DRAWING_TOP_DOWN)
		snprintf(line + length, size - (size_t)length, "  reach %g m, circles %g m",
			 (double)d->shown_range_m, (double)top_down_circle_m(d->shown_range_m));
}

/* ---- Showing it ---- */

/* Return: 1 done; negative errno. */
static int write_png(struct view *v)
{
	const struct drawing *d = &v->drawing;
	char line[LINE_MAX_BYTES];
	int r;

	if (!d->drawable_points) {
		complain("frame %" PRIu64 " of %s has no points to draw (%" PRIu64 " points, none "
			 "of them anywhere): %s is not written", v->frame.frame_id, v->sensor,
			 d->points, v->options->png);
		return -ENODATA;
	}
	r = png_file_write(v->options->png, &d->canvas);
	if (r < 0) {
		complain("cannot write %s: %s", v->options->png, strerror(-r));
		return r;
	}
	v->shown++;
	describe_frame(v, line, sizeof(line));
	printf("%s: %ux%u, %s\n", v->options->png, d->canvas.width, d->canvas.height, line);
	return 1;
}

static int print_json(struct view *v)
{
	struct json_object *object = summary_to_json(&v->frame);

	frame_figures_add_json(&v->figures, object);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
	fflush(stdout);
	v->shown++;
	return ferror(stdout) ? -EPIPE : v->options->frames && v->shown >= v->options->frames;
}

static int resize(struct view *v, uint32_t width, uint32_t height)
{
	int r = drawing_change(&v->drawing, &v->drawing_opts, width, height);

	if (r < 0) {
		display_close(&v->display);
		complain("cannot draw %u x %u pixels: %s", width, height, strerror(-r));
	}
	return r;
}

/* Return: 1 that was the last frame asked for; 0; negative errno. */
static int end_frame(struct view *v)
{
	char line[LINE_MAX_BYTES];

	v->in_frame = false;
	summary_finish(&v->frame);
	if (v->options->json)
		return print_json(v);
	drawing_finish(&v->drawing);
	if (v->options->png)
		return write_png(v);
	describe_frame(v, line, sizeof(line));
	display_show(&v->display, &v->drawing.canvas, line);
	if (ferror(stdout))
		return -EPIPE;
	v->shown_ns = clock_now_ns();
	v->shown++;
	return v->options->frames && v->shown >= v->options->frames;
}

/* ---- Taking it ---- */

static uint64_t filled_ns_of(const struct lidard_slice_header *h)
{
	return h->filled_ns ? h->filled_ns : h->published_ns;
}

/* Not every frame needs to be drawn on a terminal. */
static bool is_worth_it(const struct view *v, const struct lidard_slice_header *h)
{
	uint64_t now_ns = clock_now_ns();

	if (!display_is_terminal(&v->display) || v->shown == 0 ||
	    now_ns - v->shown_ns > PATIENCE_NS)
		return true;
	return now_ns - v->shown_ns >= PICTURE_NS && now_ns < filled_ns_of(h) + AGE_MAX_NS;
}

/*
 * The terminal is taken over when there is something to show, so that what went
 * wrong before stays readable.  It may have another size since the last frame,
 * which is asked for here: there is no need to hear of it by SIGWINCH.
 */
static int begin_drawing(struct view *v)
{
	bool first = !v->drawing.canvas.pixels;
	int r = 0;

	if (v->options->png && first)
		r = resize(v, v->png_width, v->png_height);
	if (!v->options->png && first)
		display_open(&v->display, v->options->plain ? DISPLAY_PLAIN :
					  v->options->sixel ? DISPLAY_SIXEL : DISPLAY_BEST);
	if (!v->options->png && (display_measure(&v->display) || first))
		r = resize(v, v->display.width, v->display.height);
	if (r == 0)
		drawing_begin(&v->drawing);
	return r;
}

static int begin_figures(struct view *v)
{
	int r;

	if (v->figures.ranges) {
		frame_figures_clear(&v->figures);
		return 0;
	}
	r = frame_figures_init(&v->figures);
	if (r < 0)
		complain("cannot sum up frames: %s", strerror(-r));
	return r;
}

static int begin_frame(struct view *v, const struct lidard_slice_header *h)
{
	int r = v->options->json ? begin_figures(v) : begin_drawing(v);

	if (r < 0)
		return r;
	summary_init(&v->frame, h);
	v->in_frame = true;
	return 0;
}

static int complain_of_format(struct view *v, const struct lidard_slice_header *h)
{
	display_close(&v->display);
	if (h->format != LIDARD_FORMAT_RAW)
		complain("%s publishes no points: there is nothing to draw", v->sensor);
	else if (!v->points.undecodable)
		complain("the packets of %s cannot be decoded: there is nothing to draw",
			 v->sensor);
	return -EINVAL;
}

static int draw_slice(struct view *v, struct stream *stream, const struct lidard_slice *slice)
{
	const struct lidard_point_xyzirt *points;
	const struct lidard_slice_header *h = &v->points.header;
	int r = 0;

	points = points_of(&v->points, stream->client, v->sensor, slice);
	if (!points && h->payload_bytes)
		return complain_of_format(v, h);
	if (!v->in_frame)
		r = begin_frame(v, h);
	if (r < 0)
		return r;
	if (points && v->options->json)
		frame_figures_add(&v->figures, points, h->point_count);
	else if (points)
		drawing_add(&v->drawing, points, h->point_count);
	summary_add(&v->frame, h, v->options->json ? points : NULL, 1);
	v->filled_ns = filled_ns_of(h);
	return 0;
}

static int on_slice(void *data, struct stream *stream, const struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);
	struct view *v = data;
	int r = 0;

	v->heard_ns = clock_now_ns();
	if (stream->skipped_before)
		v->in_frame = false;
	if (v->in_frame && summary_is_other(&v->frame, h))
		r = end_frame(v);
	if (r)
		return r;
	if (v->in_frame || (stream_may_begin(h) && is_worth_it(v, h)))
		r = draw_slice(v, stream, slice);
	if (v->in_frame && r == 0 && stream_ends_frame(h))
		r = end_frame(v);
	return r ? r : h->flags & LIDARD_SLICE_END_OF_STREAM ? 1 : 0;
}

/* ---- Running ---- */

static void press(struct view *v, int key)
{
	struct drawing_opts *opts = &v->drawing_opts;

	if (key == 'v')
		opts->view = opts->view == DRAWING_BOTH ? DRAWING_TOP_DOWN :
			     opts->view == DRAWING_TOP_DOWN ? DRAWING_RANGE : DRAWING_BOTH;
	else if (key == '+' && v->drawing.shown_range_m > 1)
		opts->range_max_m = v->drawing.shown_range_m / 1.5f;
	else if (key == '-' && v->drawing.shown_range_m > 0 && v->drawing.shown_range_m < 5000)
		opts->range_max_m = v->drawing.shown_range_m * 1.5f;
	else if (key == '0')
		opts->range_max_m = (float)v->options->range_max;
}

/* Return: 1 the user has seen enough; 0; negative errno. */
static int hear_keys(struct view *v)
{
	int key, r = 0;

	if (!display_is_terminal(&v->display))
		return 0;
	while (r == 0 && (key = terminal_wait_key(&v->display.terminal, 0)) != 0) {
		if (key == 'q')
			return 1;
		press(v, key);
		r = resize(v, v->display.width, v->display.height);
		v->in_frame = false;
	}
	return r;
}

static void say_silence(struct view *v)
{
	double seconds = (double)(clock_now_ns() - v->heard_ns) / 1e9;
	char line[LINE_MAX_BYTES];

	if (seconds < 1)
		return;
	snprintf(line, sizeof(line), "%.31s: no data for %.0f s", v->sensor, seconds);
	display_say(&v->display, line);
}

/* Return: 1 enough was seen; 0 a signal came; -ETIMEDOUT; other negative errno (complained of). */
static int run(struct view *v, struct stream *stream)
{
	uint64_t idle_ns = (uint64_t)(v->options->timeout * 1e9);
	int r, done = 0;

	v->heard_ns = clock_now_ns();
	while (!stop_requested()) {
		r = stream_step(stream, WAIT_NS, on_slice, v, &done);
		if (done)
			return done;
		if (r < 0 && r != -EINTR) {
			display_close(&v->display);
			complain("cannot go on receiving: %s", strerror(-r));
			return r;
		}
		say_silence(v);
		if (idle_ns && clock_now_ns() - v->heard_ns > idle_ns)
			return -ETIMEDOUT;
		r = hear_keys(v);
		if (r)
			return r;
	}
	return 0;
}

/* ---- Options ---- */

static int choose_view(const struct view_options *options, unsigned int *ret_view)
{
	if (options->top_down || options->range)
		*ret_view = (options->top_down ? DRAWING_TOP_DOWN : 0u) |
			    (options->range ? DRAWING_RANGE : 0u);
	else if (strcmp(options->view, "top-down") == 0)
		*ret_view = DRAWING_TOP_DOWN;
	else if (strcmp(options->view, "range") == 0)
		*ret_view = DRAWING_RANGE;
	else if (strcmp(options->view, "both") == 0)
		*ret_view = DRAWING_BOTH;
	else
		return -EINVAL;
	return 0;
}

static int choose_colour(const char *name, struct drawing_opts *opts)
{
	static const char *const names[] = { [CELLS_HEIGHT] = "height",
					     [CELLS_INTENSITY] = "intensity",
					     [CELLS_RANGE] = "range" };
	unsigned int i;

	opts->top_down_quantity = CELLS_HEIGHT;
	opts->range_quantity = CELLS_RANGE;
	if (!name)
		return 0;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		opts->top_down_quantity = opts->range_quantity = i;
		return 0;
	}
	return -EINVAL;
}

static int parse_size(const char *text, uint32_t *ret_width, uint32_t *ret_height)
{
	unsigned int width, height;
	int end = 0;

	if (sscanf(text, "%4ux%4u%n", &width, &height, &end) != 2 || text[end] ||
	    width < 16 || height < 16 || width > CANVAS_SIDE_MAX || height > CANVAS_SIDE_MAX)
		return -EINVAL;
	*ret_width = width;
	*ret_height = height;
	return 0;
}

/* Return: COMMAND_OK, or COMMAND_USAGE and it is complained of. */
static int read_options(const struct view_options *options, struct view *v)
{
	if (choose_view(options, &v->drawing_opts.view) < 0)
		complain("view: --view is top-down, range or both, not '%s'", options->view);
	else if (choose_colour(options->colour, &v->drawing_opts) < 0)
		complain("view: --colour is height, intensity or range, not '%s'", options->colour);
	else if (parse_size(options->size, &v->png_width, &v->png_height) < 0)
		complain("view: --size is WIDTHxHEIGHT, each from 16 to %u, not '%s'",
			 CANVAS_SIDE_MAX, options->size);
	else if (options->plain + options->sixel + options->json + !!options->png > 1)
		complain("view: of --plain, --sixel, --json and --png choose one");
	else if (options->sixel && !isatty(STDOUT_FILENO))
		complain("view: --sixel needs a terminal");
	else
		return COMMAND_OK;
	return COMMAND_USAGE;
}

static int finish(struct view *v, struct stream *stream, int r)
{
	display_close(&v->display);
	if (r == -ETIMEDOUT)
		stream_complain_of_silence(stream, v->sensor, v->options->timeout);
	if (r >= 0 && v->options->png && !v->shown) {
		complain("no whole frame of %s came: %s is not written", v->sensor,
			 v->options->png);
		r = -ENODATA;
	}
	points_deinit(&v->points);
	drawing_deinit(&v->drawing);
	frame_figures_deinit(&v->figures);
	stream_close(stream);
	return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static int view_run(const void *data, char **arguments)
{
	struct view v = { .options = data, .sensor = arguments[0] };
	struct stream stream;

	if (read_options(v.options, &v) != COMMAND_OK)
		return COMMAND_USAGE;
	v.drawing_opts.range_max_m = (float)v.options->range_max;
	stop_install();
	if (stream_open(&stream, v.options->common.socket, v.sensor, NULL) < 0)
		return COMMAND_FAILED;
	return finish(&v, &stream, run(&v, &stream));
}

const struct command command_view = {
	.name = "view",
	.arguments = "SENSOR",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "show what a sensor sees, as pictures",
	.description = "From above, forward to the right; and as the sensor sees it, forward in\n"
		       "the middle. On a terminal live: q quits, v changes the view, + and - the\n"
		       "scale, 0 sets it back. Elsewhere plain text, a PNG file, or JSON.\n",
	.options = { view_rows, sizeof(view_rows) / sizeof(view_rows[0]) },
	.options_bytes = sizeof(struct view_options),
	.run = view_run,
};
