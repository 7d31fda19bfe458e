/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_side.c - see source_side.h
 *
 * The fd is an eventfd that is set while there is something to take.
 */
#include "daemon/source_side.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/crc32c.h"
#include "daemon/config.h"
#include "daemon/loan_stock.h"
#include "lidard/probes.h"

/** What one side packet can hold. */
#define RECORDS_MAX 2

struct side {
	struct source base;
	/** -1 while stopped. */
	int event_fd;
	bool event_set;
	struct loan_stock loans;
	uint64_t frame_id;
	/** The newest record's, by its format; 0: none. */
	uint64_t last_time_ns[RECORDS_MAX];
	/** The newest is held back, until ended. */
	bool holds_back;
	bool ended;
};

/** A record on its way into a slice. */
struct record {
	const void *data;
	size_t bytes;
	uint16_t format;
	/** Of the sensor, shifted; 0 where it has none. */
	uint64_t time_ns;
	uint64_t end_time_ns;
	uint64_t arrival_ns;
	uint64_t shift_ns;
};

static struct side *side_of(const struct source *s)
{
	return (struct side *)s;
}

bool source_side_has_filled(const struct source *s)
{
	const struct side *d = side_of(s);

	return d->loans.filled_count > (d->holds_back && !d->ended ? 1 : 0);
}

/* Readable while next() has work. */
static void signal_work(struct side *d)
{
	bool work = source_side_has_filled(&d->base) || d->ended;
	eventfd_t value;

	if (work == d->event_set || d->event_fd < 0)
		return;
	/* neither can fail: it is 0 or 1 */
	if (work)
		eventfd_write(d->event_fd, 1);
	else
		eventfd_read(d->event_fd, &value);
	d->event_set = work;
}

/* ---- life ---- */

static int side_start(struct source *s, struct problem *problem)
{
	struct side *d = side_of(s);

	assert(d->event_fd < 0);
	d->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->event_fd < 0)
		return problem_set(problem, -errno, "cannot make an event: %s", strerror(errno));
	source_restart_seq(s);
	d->event_set = false;
	d->ended = false;
	d->frame_id = 0;
	memset(d->last_time_ns, 0, sizeof(d->last_time_ns));
	return 0;
}

static void side_stop(struct source *s)
{
	struct side *d = side_of(s);

	loan_stock_reset(&d->loans, s);
	d->event_fd = close_fd(d->event_fd);
}

static struct source *side_free(struct source *s)
{
	if (s) {
		side_stop(s);
		free(side_of(s));
	}
	return NULL;
}

static int side_get_fd(struct source *s)
{
	return side_of(s)->event_fd;
}

/* ---- loans ---- */

static size_t side_wants(struct source *s)
{
	const struct loan_stock *loans = &side_of(s)->loans;

	return loans->free_count + loans->filled_count < loans->max ? s->config->slice_bytes : 0;
}

static void side_lend(struct source *s, struct loan *loan)
{
	loan_stock_add(&side_of(s)->loans, loan);
}

static int side_next(struct source *s, struct loan **ret_loan, struct problem *problem)
{
	struct side *d = side_of(s);

	if (!source_side_has_filled(s)) {
		signal_work(d);
		return d->ended ? SOURCE_END : SOURCE_NONE;
	}
	*ret_loan = loan_stock_take(&d->loans, s);
	signal_work(d);
	return SOURCE_FILLED;
}

/* ---- records ---- */

static void describe(struct side *d, const struct source *main, const struct record *r,
		     struct lidard_slice_header *h)
{
	h->format = r->format;
	h->point_count = 1;
	h->point_step = (uint16_t)r->bytes;
	h->payload_bytes = r->bytes;
	h->frame_id = d->frame_id;
	h->slice_count = 1;
	h->flags = LIDARD_SLICE_LAST | LIDARD_SLICE_FIRST_BYTE_VALID |
		   (main->config->source == SOURCE_KIND_REPLAY ? LIDARD_SLICE_REPLAYED : 0);
	h->first_byte_ns = r->arrival_ns;
	h->sensor_time_ns = r->time_ns;
	h->sensor_end_time_ns = r->end_time_ns;
	if (r->time_ns)
		h->flags |= LIDARD_SLICE_SENSOR_TIME_VALID;
	sensor_clock_describe(&main->clock, r->shift_ns, h);
}

static void fill(struct side *d, const struct source *main, const struct record *r,
		 struct loan *loan)
{
	struct lidard_slice_header *h = loan->header;

	assert(r->bytes <= loan->capacity_bytes);
	memcpy(loan->data, r->data, r->bytes);
	describe(d, main, r, h);
	if (d->base.config->crc) {
		h->crc32c = crc32c(0, loan->data, h->payload_bytes);
		h->flags |= LIDARD_SLICE_CRC_VALID;
	}
	h->filled_ns = clock_now_ns();
	LIDARD_PROBE2(filled, d->base.config->name, h);
	loan_stock_fill(&d->loans, loan);
}

static void add_record(struct side *d, const struct source *main, const struct record *r)
{
	struct loan *loan = loan_stock_pick(&d->loans);

	if (loan)
		fill(d, main, r, loan);
	else
		loan_stock_drop(&d->loans, &d->base);
	d->frame_id++;
	d->base.stats.frames++;
}

static void add_imu(struct side *d, const struct source *main, struct lidard_imu *imu,
		    uint64_t arrival_ns, uint64_t shift_ns)
{
	imu->time_ns += shift_ns;
	imu->angular_time_ns += shift_ns;
	add_record(d, main, &(struct record){
		.data = imu, .bytes = sizeof(*imu), .format = LIDARD_FORMAT_IMU,
		.time_ns = imu->time_ns,
		.end_time_ns = imu->angular_time_ns > imu->time_ns ? imu->angular_time_ns :
								     imu->time_ns,
		.arrival_ns = arrival_ns, .shift_ns = shift_ns });
}

static void add_position(struct side *d, const struct source *main,
			 struct lidard_position *position, uint64_t arrival_ns, uint64_t shift_ns)
{
	if (position->flags & LIDARD_POSITION_TIME_VALID)
		position->time_ns += shift_ns;
	add_record(d, main, &(struct record){
		.data = position, .bytes = sizeof(*position), .format = LIDARD_FORMAT_POSITION,
		.time_ns = position->time_ns, .end_time_ns = position->time_ns,
		.arrival_ns = arrival_ns, .shift_ns = shift_ns });
}

/* The sensor does not number these packets: only its times tell one that came twice. */
static bool came_before(struct side *d, const struct decoder_side *in, uint64_t shift_ns)
{
	const uint64_t times_ns[RECORDS_MAX] = {
		in->has_imu ? in->imu.time_ns + shift_ns : 0,
		in->position.flags & LIDARD_POSITION_TIME_VALID ? in->position.time_ns + shift_ns : 0,
	};
	bool again = memcmp(times_ns, d->last_time_ns, sizeof(times_ns)) == 0 &&
		     (times_ns[0] || times_ns[1]);

	memcpy(d->last_time_ns, times_ns, sizeof(times_ns));
	return again;
}

/* Hot path. */
void source_side_push(struct source *s, const struct source *main, const struct decoder *decoder,
		      const void *datagram, size_t bytes, uint64_t arrival_ns, uint64_t shift_ns)
{
	struct side *d = side_of(s);
	struct decoder_side in;
	int result;

	if (d->event_fd < 0)
		return;
	if (main->model[0] && !s->model[0]) {
		memcpy(s->model, main->model, sizeof(s->model));
		memcpy(s->serial, main->serial, sizeof(s->serial));
	}
	result = decoder->ops->side(decoder, datagram, bytes, &in);
	if (result == DECODER_BAD)
		s->stats.bad_packets++;
	else if (result != DECODER_SIDE)
		s->stats.ignored_packets++;
	if (result != DECODER_SIDE)
		return;
	if (came_before(d, &in, shift_ns)) {
		s->stats.duplicate_packets++;
		return;
	}
	s->stats.packets++;
	if (in.has_imu)
		add_imu(d, main, &in.imu, arrival_ns, shift_ns);
	if (in.has_position)
		add_position(d, main, &in.position, arrival_ns, shift_ns);
	signal_work(d);
}

void source_side_end(struct source *s)
{
	struct side *d = side_of(s);
	struct loan *newest = loan_stock_get_newest(&d->loans);

	if (d->event_fd < 0)
		return;
	d->ended = true;
	if (newest)
		newest->header->flags |= LIDARD_SLICE_END_OF_STREAM;
	signal_work(d);
}

void source_side_connect(struct source *s, struct source *main)
{
	side_of(s)->holds_back = main->config->source == SOURCE_KIND_REPLAY &&
				 !main->config->replay_loop;
	main->side = s;
}

static const struct source_ops side_ops = {
	.name = "side",
	.start = side_start,
	.stop = side_stop,
	.free = side_free,
	.get_fd = side_get_fd,
	.wants = side_wants,
	.lend = side_lend,
	.next = side_next,
};

/* What most of its slices will be. */
static uint16_t find_format(const struct sensor_config *config)
{
	struct decoder_sensor sensor = sensor_config_decoder(config);
	const struct decoder_ops *ops;
	struct problem problem;

	return decoder_choose(config->decoder, &sensor, &ops, &problem) == 0 ? ops->side_format :
									       LIDARD_FORMAT_NONE;
}

int source_side_check(const struct sensor_config *config, struct problem *problem)
{
	struct decoder_sensor sensor = sensor_config_decoder(config);
	const struct decoder_ops *ops;
	int r = decoder_choose(config->decoder, &sensor, &ops, problem);

	if (r < 0 || ops->side)
		return r;
	return problem_set(problem, -EINVAL,
			   "imu = yes: decoder = %s knows of no packets with motion or position",
			   ops->name);
}

int source_side_new(const struct sensor_config *config, struct source **ret_source,
		    struct problem *problem)
{
	struct side *d = calloc(1, sizeof(*d));

	if (!d)
		return problem_set(problem, -ENOMEM, "out of memory");
	d->base.ops = &side_ops;
	d->base.config = config;
	d->base.format = find_format(config);
	d->loans.max = config->loans;
	d->event_fd = -1;
	*ret_source = &d->base;
	return 0;
}
