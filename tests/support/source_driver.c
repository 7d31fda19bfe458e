/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/source_driver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/udp_port.h"

static struct udp_ports ports;

void source_driver_defaults(struct sensor_config *config)
{
	memset(config, 0, sizeof(*config));
	strcpy(config->name, "test");
	strcpy(config->decoder, "ouster");
	config->slice_bytes = 1 << 20;
	config->loans = 8;
	config->subscriber_slices = 256;
	config->queue = 32;
	config->held = 16;
	config->sim_beams = 128;
	config->sim_columns = 1024;
	config->sim_returns = 1;
	config->sim_hz = 10;
	config->sim_noise_mm = 10;
	config->sim_seed = 1;
	config->replay_speed = 1;
	config->replay_loop = true;
	config->silence_ms = 1000;
}

uint64_t source_driver_dropped(const struct source_driver *d)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < SOURCE_DROP_COUNT; i++)
		sum += d->source->stats.dropped[i];
	return sum;
}

static void check_books(const struct source_driver *d)
{
	const struct source_stats *stats = &d->source->stats;

	cr_assert_eq(stats->produced, d->taken + source_driver_dropped(d),
		     "produced %lu is not %lu handed out + %lu dropped", stats->produced, d->taken,
		     source_driver_dropped(d));
	cr_assert_leq(stats->partial_frames, stats->frames);
}

void source_driver_lend(struct source_driver *d)
{
	struct loan *loan;
	size_t wants;

	while (!d->stingy && (wants = d->source->ops->wants(d->source)) > 0) {
		cr_assert_leq(wants, d->source->config->slice_bytes);
		cr_assert_lt(d->lent, d->source->config->loans, "wants more than %u loans",
			     d->source->config->loans);
		loan = heap_loans_take(&d->loans, wants);
		if (!loan)
			return;
		d->source->ops->lend(d->source, loan);
		d->lent++;
	}
}

int source_driver_new(struct source_driver *d, const struct sensor_config *config)
{
	int r = source_new(config, &d->source, &d->problem);

	if (r == 0)
		d->source->ports = &ports;
	return r;
}

void source_driver_start(struct source_driver *d, const struct sensor_config *config)
{
	if (!d->source)
		cr_assert_eq(source_driver_new(d, config), 0, "%s", d->problem.text);
	if (!d->loans.count)
		heap_loans_init(&d->loans, config->loans + 16, config->slice_bytes);
	d->source->memory = heap_loans_get_memory(&d->loans);
	cr_assert_eq(d->source->ops->start(d->source, &d->problem), 0, "%s", d->problem.text);
	d->next_seq = 0;
	source_driver_lend(d);
}

static void check_filled(struct source_driver *d, const struct loan *loan)
{
	const struct lidard_slice_header *h = loan->header;

	d->taken++;
	d->lent--;
	cr_assert_eq(h->seq, d->next_seq + h->lost_before, "seq %lu, %lu lost, after %lu", h->seq,
		     h->lost_before, d->next_seq);
	d->next_seq = h->seq + 1;
	cr_assert_eq(h->incarnation, 0);
	cr_assert_eq(h->publish_index, 0);
	cr_assert_eq(h->ready_ns, 0);
	cr_assert_eq(h->published_ns, 0);
}

int source_driver_next(struct source_driver *d, int timeout_ms, struct loan **ret_loan)
{
	uint64_t end_ns = clock_now_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;
	uint64_t begin_ns;
	int result;

	while ((begin_ns = clock_now_ns()) < end_ns) {
		struct pollfd p = { .fd = d->source->ops->get_fd(d->source), .events = POLLIN };

		cr_assert_geq(p.fd, 0);
		if (poll(&p, 1, (int)((end_ns - begin_ns) / NSEC_PER_MSEC) + 1) <= 0)
			continue;
		cr_assert_eq(p.revents, POLLIN);
		source_driver_lend(d);
		begin_ns = clock_now_ns();
		result = d->source->ops->next(d->source, ret_loan, &d->problem);
		if (clock_now_ns() - begin_ns > d->longest_next_ns)
			d->longest_next_ns = clock_now_ns() - begin_ns;
		if (result == SOURCE_FILLED)
			check_filled(d, *ret_loan);
		if (result < 0)
			return result;
		check_books(d);
		source_driver_lend(d);
		if (result != SOURCE_NONE)
			return result;
	}
	return SOURCE_NONE;
}

void source_driver_give_back(struct source_driver *d, struct loan *loan)
{
	heap_loans_give_back(&d->loans, loan);
	source_driver_lend(d);
}

void source_driver_stop(struct source_driver *d)
{
	d->source->ops->stop(d->source);
	d->lent = 0;
	heap_loans_give_back_all(&d->loans);
	cr_assert(heap_loans_check(&d->loans), "written into a loan that was not lent, or beyond it");
	check_books(d);
}

void source_driver_finish(struct source_driver *d)
{
	if (d->source) {
		source_driver_stop(d);
		d->source = d->source->ops->free(d->source);
		cr_assert_null(d->source);
	}
	heap_loans_deinit(&d->loans);
}
