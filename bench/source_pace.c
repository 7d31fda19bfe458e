/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_pace.c - a source that writes nothing
 *
 * Takes the place of source.c in bench-lidard, which otherwise is lidard: loop,
 * sensor, sink, control socket.  Every tick hands out the loan at hand, its
 * payload untouched and its header filled in, as a device does whose DMA costs
 * no CPU.  Sensor sN is the one whose turn is TURN(CONTENDER_LIDARD, N).
 */
#include "daemon/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench/pace.h"
#include "bench/page.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/config.h"
#include "daemon/loop.h"

struct source_pace {
	struct source source;
	struct bench_page *page;
	struct pace pace;
	uint32_t turn;
	/* the next slice's */
	struct loan *loan;
	/* this tick is over: do not look at the timer again before the loop does */
	bool handed_out;
};

static struct source_pace *to_pace(struct source *s)
{
	return container_of(s, struct source_pace, source);
}

static int pace_start(struct source *s, struct problem *problem)
{
	struct source_pace *p = to_pace(s);

	if (pace_init(&p->pace, TFD_NONBLOCK) < 0)
		return problem_set(problem, -errno, "cannot make a timer");
	return 0;
}

static void pace_stop(struct source *s)
{
	struct source_pace *p = to_pace(s);

	p->pace.fd = close_fd(p->pace.fd);
	p->loan = NULL;
}

static struct source *pace_free(struct source *s)
{
	pace_stop(s);
	free(to_pace(s));
	return NULL;
}

static int pace_get_fd(struct source *s)
{
	return to_pace(s)->pace.fd;
}

static size_t pace_wants(struct source *s)
{
	return to_pace(s)->loan ? 0 : s->config->slice_bytes;
}

static void pace_lend(struct source *s, struct loan *loan)
{
	to_pace(s)->loan = loan;
}

static void describe(struct source *s, struct lidard_slice_header *h)
{
	source_number(s, h);
	h->frame_id = h->seq;
	h->slice_count = 1;
	h->flags = LIDARD_SLICE_LAST | LIDARD_SLICE_FIRST_BYTE_VALID | LIDARD_SLICE_SYNTHETIC;
	h->payload_bytes = s->config->slice_bytes;
	h->format = LIDARD_FORMAT_RAW;
	h->filled_ns = clock_now_ns();
	h->first_byte_ns = h->filled_ns;
}

static int pace_next(struct source *s, struct loan **ret_loan, struct problem *problem)
{
	struct source_pace *p = to_pace(s);

	if (p->handed_out || !p->loan) {
		p->handed_out = false;
		return SOURCE_NONE;
	}
	if (!pace_tick(&p->pace, p->page, PAGE_GET(p->page->turn) == p->turn))
		return SOURCE_NONE;
	describe(s, p->loan->header);
	PAGE_SET(p->page->published[CONTENDER_LIDARD].slices,
		 p->page->published[CONTENDER_LIDARD].slices + 1);
	p->handed_out = true;
	*ret_loan = STEAL(p->loan);
	return SOURCE_FILLED;
}

static const struct source_ops pace_ops = {
	.name = "pace",
	.start = pace_start,
	.stop = pace_stop,
	.free = pace_free,
	.get_fd = pace_get_fd,
	.wants = pace_wants,
	.lend = pace_lend,
	.next = pace_next,
};

static struct bench_page *map_page(void)
{
	const char *path = getenv(BENCH_PAGE_ENV);
	CLEANUP(cleanup_fd) int fd = open(path ? path : "", O_RDWR | O_CLOEXEC);
	void *page;

	if (fd < 0)
		return NULL;
	page = mmap(NULL, sizeof(struct bench_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return page == MAP_FAILED ? NULL : page;
}

int source_check(const struct sensor_config *config, struct problem *problem)
{
	return 0;
}

int source_new(const struct sensor_config *config, struct source **ret_source,
	       struct problem *problem)
{
	struct source_pace *p = calloc(1, sizeof(*p));

	if (!p)
		return problem_set(problem, -ENOMEM, "out of memory");
	p->page = map_page();
	if (!p->page) {
		free(p);
		return problem_set(problem, -ENOENT, BENCH_PAGE_ENV " names no page");
	}
	p->source.ops = &pace_ops;
	p->source.config = config;
	p->source.format = LIDARD_FORMAT_RAW;
	p->pace.fd = -1;
	p->turn = TURN(CONTENDER_LIDARD, strtoul(config->name + 1, NULL, 10));
	*ret_source = &p->source;
	return 0;
}

const char *source_drop_name(enum source_drop cause)
{
	return "none";
}
