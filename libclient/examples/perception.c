/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perception.c - find things that stand on the ground, as boxes
 *
 * Points are read where the device wrote them and dropped into a grid of
 * cells around the sensor, slice by slice as they come, each slice given back
 * at once; nothing is copied and no memory is allocated after the start.  At
 * the end of a frame cells that are flat are ground and are left out; what is
 * left is grouped with its neighbours, and each group is a box.
 *
 * perception_add() and perception_finish() know nothing of lidard but the
 * layout of a point: take them and go on from here.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lidard/lidard.h>

/* A square of 160 m around the sensor. */
#define CELL_M 0.4f
#define CELLS 400
#define HALF_M (CELL_M * CELLS / 2)
#define BOXES_MAX 256
/* A cell whose points differ less in height is ground, one with fewer points is noise. */
#define FLAT_M 0.3f
#define POINTS_MIN 3
#define BOX_POINTS_MIN 10
/* Above this no vehicle of ours will go. */
#define CEILING_M 6.0f

struct cell {
	/* the frame this cell was last hit in: older cells are empty */
	uint32_t frame;
	uint32_t points;
	float min_z;
	float max_z;
	bool grouped;
};

struct box {
	float min[3];
	float max[3];
	uint32_t points;
	uint32_t cells;
};

struct perception {
	uint32_t frame;
	struct cell cells[CELLS * CELLS];
	/* cells hit in this frame, and the work list while grouping */
	uint32_t hits[CELLS * CELLS];
	uint32_t hit_count;
	uint32_t stack[CELLS * CELLS];
};

static void perception_init(struct perception *p)
{
	memset(p, 0, sizeof(*p));
	p->frame = 1;
}

static void hit(struct perception *p, uint32_t index, float z)
{
	struct cell *c = &p->cells[index];

	if (c->frame != p->frame) {
		*c = (struct cell){ .frame = p->frame, .min_z = z, .max_z = z };
		p->hits[p->hit_count++] = index;
	}
	c->points++;
	if (z < c->min_z)
		c->min_z = z;
	if (z > c->max_z)
		c->max_z = z;
}

/* Look at every Nth point of a slice. Return: points looked at. */
static uint64_t perception_add(struct perception *p, const struct lidard_point_xyzirt *points,
			       uint32_t count, uint32_t every)
{
	uint64_t i, looked = 0;

	for (i = 0; i < count; i += every, looked++) {
		const struct lidard_point_xyzirt *pt = &points[i];
		float x = pt->x + HALF_M, y = pt->y + HALF_M;

		/* written so that a NaN is outside */
		if (!(x >= 0 && x < 2 * HALF_M && y >= 0 && y < 2 * HALF_M && pt->z < CEILING_M))
			continue;
		hit(p, (uint32_t)(y / CELL_M) * CELLS + (uint32_t)(x / CELL_M), pt->z);
	}
	return looked;
}

static bool stands(const struct perception *p, const struct cell *c)
{
	return c->frame == p->frame && !c->grouped && c->points >= POINTS_MIN &&
	       c->max_z - c->min_z >= FLAT_M;
}

static void grow_box(struct box *b, uint32_t index, const struct cell *c)
{
	float x = (float)(index % CELLS) * CELL_M - HALF_M;
	float y = (float)(index / CELLS) * CELL_M - HALF_M;
	const float low[3] = { x, y, c->min_z };
	const float high[3] = { x + CELL_M, y + CELL_M, c->max_z };
	int i;

	for (i = 0; i < 3; i++) {
		if (b->cells == 0 || low[i] < b->min[i])
			b->min[i] = low[i];
		if (b->cells == 0 || high[i] > b->max[i])
			b->max[i] = high[i];
	}
	b->cells++;
	b->points += c->points;
}

/* A cell is pushed once, when it is marked: the stack holds them all. */
static void push(struct perception *p, uint32_t index, uint32_t *depth)
{
	if (!stands(p, &p->cells[index]))
		return;
	p->cells[index].grouped = true;
	p->stack[(*depth)++] = index;
}

static void group(struct perception *p, uint32_t start, struct box *b)
{
	uint32_t depth = 0, index;
	int x, y, dx, dy;

	memset(b, 0, sizeof(*b));
	push(p, start, &depth);
	while (depth > 0) {
		index = p->stack[--depth];
		grow_box(b, index, &p->cells[index]);
		x = (int)(index % CELLS);
		y = (int)(index / CELLS);
		for (dy = -1; dy <= 1; dy++)
			for (dx = -1; dx <= 1; dx++)
				if (x + dx >= 0 && x + dx < CELLS && y + dy >= 0 && y + dy < CELLS)
					push(p, (uint32_t)((y + dy) * CELLS + x + dx), &depth);
	}
}

/* End the frame. Return: number of boxes. */
static size_t perception_finish(struct perception *p, struct box boxes[BOXES_MAX])
{
	size_t count = 0;
	uint32_t i;

	for (i = 0; i < p->hit_count && count < BOXES_MAX; i++)
		if (stands(p, &p->cells[p->hits[i]])) {
			group(p, p->hits[i], &boxes[count]);
			if (boxes[count].points >= BOX_POINTS_MIN)
				count++;
		}
	p->hit_count = 0;
	p->frame++;
	return count;
}

/* ---- The program ------------------------------------------------------------ */

struct options {
	const char *sensor;
	uint32_t every;
	uint64_t frames;
	bool quiet;
};

struct totals {
	uint64_t frames;
	uint64_t points;
	uint64_t looked;
	uint64_t boxes;
	uint64_t busy_ns;
};

static volatile sig_atomic_t stopped;

static void on_signal(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void print_boxes(uint64_t frame_id, const struct box *boxes, size_t count)
{
	size_t i;

	printf("frame %" PRIu64 ": %zu boxes\n", frame_id, count);
	for (i = 0; i < count; i++)
		printf("  %7.1f %7.1f %5.1f  %5.1f x %5.1f x %4.1f m  %u points\n",
		       (double)(boxes[i].min[0] + boxes[i].max[0]) / 2,
		       (double)(boxes[i].min[1] + boxes[i].max[1]) / 2, (double)boxes[i].min[2],
		       (double)(boxes[i].max[0] - boxes[i].min[0]),
		       (double)(boxes[i].max[1] - boxes[i].min[1]),
		       (double)(boxes[i].max[2] - boxes[i].min[2]), boxes[i].points);
}

static void end_frame(struct perception *p, const struct options *o, uint64_t frame_id,
		      struct totals *t)
{
	static struct box boxes[BOXES_MAX];
	size_t count = perception_finish(p, boxes);

	t->frames++;
	t->boxes += count;
	if (!o->quiet)
		print_boxes(frame_id, boxes, count);
}

static void add_slice(struct perception *p, const struct options *o,
		      const struct lidard_slice *slice, struct totals *t)
{
	const struct lidard_slice_header *h = lidard_slice_get_header(slice);
	const struct lidard_point_xyzirt *points = lidard_slice_get_points(slice);
	static uint64_t last_frame;

	/* the end of the frame before was lost */
	if (p->hit_count > 0 && h->frame_id != last_frame)
		end_frame(p, o, last_frame, t);
	last_frame = h->frame_id;
	if (points) {
		t->looked += perception_add(p, points, h->point_count, o->every);
		t->points += h->point_count;
	}
	if (h->flags & LIDARD_SLICE_LAST)
		end_frame(p, o, h->frame_id, t);
}

static int run(struct lidard_subscription *sub, struct perception *p, const struct options *o,
	       struct totals *t)
{
	struct lidard_slice *slice;
	uint64_t before;
	int r;

	while (!stopped && (!o->frames || t->frames < o->frames)) {
		r = lidard_subscription_wait(sub, -1);
		while (r >= 0 && (r = lidard_subscription_take(sub, &slice)) == 1) {
			before = cpu_ns();
			add_slice(p, o, slice, t);
			lidard_slice_release(slice);
			t->busy_ns += cpu_ns() - before;
		}
		if (r < 0 && r != -EINTR)
			return r;
	}
	return 0;
}

static void print_totals(struct lidard_subscription *sub, const struct totals *t)
{
	struct lidard_stats st;

	if (lidard_subscription_get_stats(sub, &st, sizeof(st)) < 0)
		return;
	printf("%" PRIu64 " frames, %" PRIu64 " boxes, %" PRIu64 " points (%" PRIu64 " looked at) in %" PRIu64
	       " slices, skipped %" PRIu64 ", lost %" PRIu64 ", %" PRIu64 " ms CPU, latency p50 %" PRIu64
	       " us, p99 %" PRIu64 " us\n",
	       t->frames, t->boxes, t->points, t->looked, st.received,
	       st.skipped_queue_full + st.skipped_policy + st.skipped_invalid, st.lost_upstream,
	       t->busy_ns / 1000000, st.latency_p50_ns / 1000, st.latency_p99_ns / 1000);
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{ "every", required_argument, NULL, 'e' },
		{ "frames", required_argument, NULL, 'n' },
		{ "quiet", no_argument, NULL, 'q' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct options){ .sensor = "front", .every = 1 };
	while ((c = getopt_long(argc, argv, "e:n:q", table, NULL)) != -1) {
		if (c == 'e')
			o->every = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'n')
			o->frames = strtoull(optarg, NULL, 10);
		else if (c == 'q')
			o->quiet = true;
		else
			return -EINVAL;
	}
	if (optind < argc)
		o->sensor = argv[optind];
	return o->every ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	static struct perception perception;
	struct sigaction action = { .sa_handler = on_signal };
	struct lidard_subscription *sub;
	struct lidard_client *client;
	struct totals totals = { 0 };
	struct options options;
	int r;

	if (parse(argc, argv, &options) < 0) {
		fprintf(stderr, "usage: %s [--every N] [--frames N] [--quiet] [SENSOR]\n", argv[0]);
		return EXIT_FAILURE;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	perception_init(&perception);
	r = lidard_client_new(NULL, &client);
	if (r < 0) {
		fprintf(stderr, "cannot reach lidard: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	r = lidard_subscribe(client, options.sensor, NULL, &sub);
	if (r == 0) {
		r = run(sub, &perception, &options, &totals);
		print_totals(sub, &totals);
	}
	if (r < 0)
		fprintf(stderr, "%s: %s %s\n", options.sensor, strerror(-r),
			lidard_client_get_error(client));
	lidard_client_free(client);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
