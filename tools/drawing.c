/* SPDX-License-Identifier: Apache-2.0 */
/* drawing.c - see drawing.h */
#include "tools/drawing.h"

#include "tools/palette.h"

/* The range image has so much of the height if both are shown. */
#define RANGE_PART 4u
/* Frames that another scale must fit before it is taken. */
#define MISFITS_MAX 10u
#define SIDE_MIN 2u

static void free_views(struct drawing *d)
{
	unsigned int i;

	range_image_deinit(&d->range);
	for (i = 0; i < SCALE_COUNT; i++)
		top_down_deinit(&d->top_down[i]);
	canvas_deinit(&d->canvas);
}

void drawing_deinit(struct drawing *d)
{
	free_views(d);
}

static void lay_out(struct drawing *d, uint32_t width, uint32_t height)
{
	uint32_t part = d->opts.view == DRAWING_BOTH  ? (height + RANGE_PART - 1) / RANGE_PART :
			d->opts.view == DRAWING_RANGE ? height : 0;
	/* a line of the grid's colour parts them */
	uint32_t line = d->opts.view == DRAWING_BOTH && height > 2 * RANGE_PART;

	d->range_area = (struct canvas_area){ 0, 0, width, part };
	d->top_down_area = (struct canvas_area){ 0, part + line, width, height - part - line };
}

static float range_of(const struct drawing *d, unsigned int index)
{
	return d->opts.range_max_m > 0 ? d->opts.range_max_m : scale_get_m(index);
}

static int make_top_down(struct drawing *d, unsigned int index)
{
	return top_down_init(&d->top_down[index], d->top_down_area.width,
			     d->top_down_area.height, range_of(d, index));
}

static int make_views(struct drawing *d)
{
	unsigned int i;
	int r = 0;

	if (d->opts.view & DRAWING_RANGE)
		r = range_image_init(&d->range, d->range_area.width);
	if (r < 0 || !(d->opts.view & DRAWING_TOP_DOWN))
		return r;
	if (d->scale_known)
		return make_top_down(d, d->scale_index);
	for (i = 0; i < SCALE_COUNT && r == 0; i++)
		r = make_top_down(d, i);
	return r;
}

int drawing_change(struct drawing *d, const struct drawing_opts *opts, uint32_t width,
		   uint32_t height)
{
	uint32_t rings = d->range.rings;
	int r;

	if (width < SIDE_MIN || height < SIDE_MIN)
		return -EINVAL;
	free_views(d);
	/* of a range that was given the data had no say */
	d->scale_known = opts->range_max_m > 0 || (d->scale_known && !(d->opts.range_max_m > 0));
	d->opts = *opts;
	lay_out(d, width, height);
	r = canvas_init(&d->canvas, width, height);
	if (r == 0)
		r = make_views(d);
	if (r < 0)
		free_views(d);
	/* a ring that is dark at times keeps its row */
	else if (opts->view & DRAWING_RANGE)
		d->range.rings = rings;
	return r;
}

int drawing_init(struct drawing *d, const struct drawing_opts *opts, uint32_t width,
		 uint32_t height)
{
	memset(d, 0, sizeof(*d));
	return drawing_change(d, opts, width, height);
}

void drawing_begin(struct drawing *d)
{
	unsigned int i;

	range_image_clear(&d->range);
	for (i = 0; i < SCALE_COUNT; i++)
		top_down_clear(&d->top_down[i]);
	d->scale = (struct scale){};
	d->points = d->drawable_points = 0;
}

void drawing_add(struct drawing *d, const struct lidard_point_xyzirt *points, size_t count)
{
	unsigned int i;

	d->points += count;
	scale_add(&d->scale, points, count);
	if (d->opts.view & DRAWING_RANGE)
		range_image_add(&d->range, points, count, d->opts.range_quantity);
	for (i = 0; i < SCALE_COUNT; i++)
		if (d->top_down[i].cells.cells)
			top_down_add(&d->top_down[i], points, count, d->opts.top_down_quantity);
}

/* The first frame with points decides; later ones may, together. */
static void choose_scale(struct drawing *d)
{
	unsigned int fits = scale_choose(&d->scale), i;

	if (d->opts.range_max_m > 0)
		return;
	if (!d->scale_known) {
		d->scale_index = fits;
		d->scale_known = d->drawable_points > 0;
		for (i = 0; i < SCALE_COUNT && d->scale_known; i++)
			if (i != fits)
				top_down_deinit(&d->top_down[i]);
		return;
	}
	d->misfits = fits != d->scale_index && d->drawable_points ? d->misfits + 1 : 0;
}

/* After this frame was drawn: the next may have another scale. */
static void follow_scale(struct drawing *d)
{
	unsigned int fits = scale_choose(&d->scale), old = d->scale_index;

	if (d->misfits < MISFITS_MAX || !(d->opts.view & DRAWING_TOP_DOWN))
		return;
	d->misfits = 0;
	if (make_top_down(d, fits) < 0)
		return; /* no memory: the old one still shows something */
	d->scale_index = fits;
	top_down_deinit(&d->top_down[old]);
}

static void draw_range(struct drawing *d)
{
	struct cells_limits limits = {};

	cells_find_limits(&d->range.cells, d->range.rings, &limits);
	range_image_draw(&d->range, &limits, &d->canvas, &d->range_area);
}

static void draw_top_down(struct drawing *d)
{
	struct top_down *t = &d->top_down[d->scale_index];
	struct cells_limits limits = {};

	cells_find_limits(&t->cells, t->cells.height, &limits);
	top_down_draw(t, &limits, &d->canvas, &d->top_down_area);
}

void drawing_finish(struct drawing *d)
{
	unsigned int i;

	for (i = 0; i < SCALE_COUNT; i++)
		d->drawable_points += d->scale.points[i];
	choose_scale(d);
	d->shown_range_m = range_of(d, d->scale_index);
	memset(d->canvas.pixels, PALETTE_GRID, (size_t)d->canvas.width * d->canvas.height);
	if (d->opts.view & DRAWING_RANGE)
		draw_range(d);
	if (d->opts.view & DRAWING_TOP_DOWN)
		draw_top_down(d);
	follow_scale(d);
}
