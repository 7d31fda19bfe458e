/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_pace.c - a source that writes nothing
 *
 * Takes the place of source.c in bench-lidard, which otherwise is lidard: loop,
 * sensor, sink, control socket.  What is due is handed out in the loan at hand,
 * its header filled in, as a device does whose DMA costs no CPU; what is in the
 * payload, when a slice is due, and whether its loan is there before, is the
 * benchmark's affair (bench/feed.h).
 */
#include "daemon/source.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/feed.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/config.h"
#include "daemon/loop.h"

struct source_pace {
	struct source source;
	struct feed *feed;
	/* the feed's, while started */
	int fd;
	/* the next slice's */
	struct loan *loan;
	bool lends_ahead;
	/* a slice is, and was not handed out yet */
	bool due;
};

static struct source_pace *to_pace(struct source *s)
{
	return container_of(s, struct source_pace, source);
}

static int pace_start(struct source *s, struct problem *problem)
{
	struct source_pace *p = to_pace(s);

	p->fd = feed_start(p->feed);
	if (p->fd < 0)
		return problem_set(problem, p->fd, "cannot make a timer");
	return 0;
}

static void pace_stop(struct source *s)
{
	struct source_pace *p = to_pace(s);

	feed_stop(p->feed);
	p->fd = -1;
	p->loan = NULL;
	p->due = false;
}

static struct source *pace_free(struct source *s)
{
	pace_stop(s);
	feed_free(to_pace(s)->feed);
	free(to_pace(s));
	return NULL;
}

static int pace_get_fd(struct source *s)
{
	return to_pace(s)->fd;
}

static size_t pace_wants(struct source *s)
{
	struct source_pace *p = to_pace(s);

	if (p->lends_ahead && !p->loan)
		return s->config->slice_bytes;
	p->due = p->due || feed_is_due(p->feed);
	return p->due && !p->loan ? s->config->slice_bytes : 0;
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

	/* wants() has asked */
	if (!p->due)
		return SOURCE_NONE;
	p->due = false;
	if (!p->loan) {
		source_drop(s, SOURCE_DROP_NO_LOAN, 1);
		return SOURCE_NONE;
	}
	describe(s, p->loan->header);
	feed_describe(p->feed, p->loan->header);
	feed_fill(p->feed, p->loan->data);
	feed_count(p->feed);
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
	p->feed = feed_new(config->name, config->slice_bytes);
	if (!p->feed) {
		free(p);
		return problem_set(problem, -ENOENT, "no benchmark has started this");
	}
	p->lends_ahead = feed_lends_ahead(p->feed);
	p->source.ops = &pace_ops;
	p->source.config = config;
	p->source.format = LIDARD_FORMAT_RAW;
	p->fd = -1;
	*ret_source = &p->source;
	return 0;
}

const char *source_drop_name(enum source_drop cause)
{
	return "none";
}
