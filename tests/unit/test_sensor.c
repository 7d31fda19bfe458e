/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sensor between a source and a sink that are made up here: a device that has
 * slices only where it was lent memory, and a pool whose chunks stay with a
 * reader until it gives them back.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/log.h"
#include "daemon/sensor.h"
#include "daemon/sink_iox.h"
#include "daemon/source_side.h"
#include "daemon/subscription.h"

#define CHUNKS 4u
#define CHUNK_BYTES 64u
#define WANTED 2u

/* ---- The pool ---------------------------------------------------------------- */

static enum { FREE, LENT, WITH_A_READER } chunks[CHUNKS];
static struct lidard_slice_header headers[CHUNKS];
static char data[CHUNKS][CHUNK_BYTES];
static struct loan loans[CHUNKS];

static struct loan *pool_loan(struct sink *s, size_t bytes)
{
	unsigned int i;

	for (i = 0; i < CHUNKS; i++) {
		if (chunks[i] != FREE)
			continue;
		chunks[i] = LENT;
		memset(&headers[i], 0, sizeof(headers[i]));
		loans[i] = (struct loan){ .header = &headers[i], .data = data[i],
					  .capacity_bytes = CHUNK_BYTES };
		return &loans[i];
	}
	return NULL;
}

static void pool_publish(struct sink *s, struct loan *loan)
{
	chunks[loan - loans] = WITH_A_READER;
}

static void pool_cancel(struct sink *s)
{
	unsigned int i;

	for (i = 0; i < CHUNKS; i++)
		if (chunks[i] == LENT)
			chunks[i] = FREE;
}

static int pool_get_memory(struct sink *s, size_t bytes, struct loan_memory *memory)
{
	return -EAGAIN;
}

static struct sink *pool_free(struct sink *s)
{
	return NULL;
}

static const struct sink_ops pool_ops = {
	.name = "pool",
	.loan = pool_loan,
	.publish = pool_publish,
	.cancel = pool_cancel,
	.get_memory = pool_get_memory,
	.free = pool_free,
};

int sink_iox_new(const struct sensor_config *config, struct sink **ret_sink,
		 struct problem *problem)
{
	static struct sink sink = { .ops = &pool_ops };

	*ret_sink = &sink;
	return 0;
}

static void reader_gives_back(void)
{
	unsigned int i;

	for (i = 0; i < CHUNKS; i++)
		if (chunks[i] == WITH_A_READER)
			chunks[i] = FREE;
}

/* ---- The device -------------------------------------------------------------------- */

static struct loan *filling[WANTED];
static unsigned int filling_count;
/* readable as often as there are slices */
static int device_fd = -1;
static bool device_fails;
static bool device_runs_away;
static bool device_rests;

static int device_start(struct source *s, struct problem *problem)
{
	device_fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
	return device_fd < 0 ? -errno : 0;
}

static void device_stop(struct source *s)
{
	if (device_fd >= 0)
		close(device_fd);
	device_fd = -1;
	filling_count = 0;
	s->runaway = device_runs_away;
}

static struct source *device_free(struct source *s)
{
	device_stop(s);
	return NULL;
}

static int device_get_fd(struct source *s)
{
	return device_fd;
}

static size_t device_wants(struct source *s)
{
	return filling_count < WANTED && !device_rests ? CHUNK_BYTES : 0;
}

static void device_lend(struct source *s, struct loan *loan)
{
	filling[filling_count++] = loan;
	eventfd_write(device_fd, 1);
}

static int device_next(struct source *s, struct loan **ret_loan, struct problem *problem)
{
	eventfd_t one;

	if (device_fails)
		return problem_set(problem, -EIO, "broken");
	if (eventfd_read(device_fd, &one) < 0)
		return SOURCE_NONE;
	*ret_loan = filling[0];
	filling[0] = filling[1];
	filling_count--;
	source_number(s, (*ret_loan)->header);
	return SOURCE_FILLED;
}

static const struct source_ops device_ops = {
	.name = "device",
	.start = device_start,
	.stop = device_stop,
	.free = device_free,
	.get_fd = device_get_fd,
	.wants = device_wants,
	.lend = device_lend,
	.next = device_next,
};

/* ---- What comes beside points: nothing here -------------------------------------------- */

void source_side_connect(struct source *side, struct source *main)
{
}

bool source_side_has_filled(const struct source *side)
{
	return false;
}

void source_side_end(struct source *side)
{
}

int source_new(const struct sensor_config *config, struct source **ret_source,
	       struct problem *problem)
{
	static struct source source;

	memset(&source, 0, sizeof(source));
	source.ops = &device_ops;
	source.config = config;
	*ret_source = &source;
	return 0;
}

/* ---- What else it calls ------------------------------------------------------------ */

void log_msg(int priority, const char *sensor, int error, const char *format, ...)
{
}

void subscriptions_get_readers(const struct sensor *s, struct source_readers *ret_readers)
{
}

/* ---- The tests ----------------------------------------------------------------------- */

static struct loop loop;
static struct loop_timer timer;
static struct sensor *sensor;

static int end_loop(struct loop_timer *t)
{
	return 1;
}

static void run_for(uint64_t ns)
{
	loop_timer_set(&timer, ns, 0);
	cr_assert_eq(loop_run(&loop), 1);
}

static void make_sensor(void)
{
	const struct sensor_config config = {
		.name = "front",
		.source = SOURCE_KIND_DEVICE,
		.slice_bytes = CHUNK_BYTES,
		.loans = WANTED,
	};
	struct problem problem;

	cr_assert_eq(sensor_new(&loop, &config, NULL, &sensor, &problem), 0);
}

static void set_up(void)
{
	cr_assert_eq(loop_init(&loop), 0);
	cr_assert_eq(loop_timer_init(&loop, &timer, end_loop), 0);
	make_sensor();
}

static void tear_down(void)
{
	sensor_free(sensor);
	loop_timer_deinit(&loop, &timer);
	loop_deinit(&loop);
}

TestSuite(sensor, .init = set_up, .fini = tear_down);

Test(sensor, a_device_without_memory_gets_it_when_there_is_some)
{
	run_for(50 * NSEC_PER_MSEC);
	/* readers have all of it, the device has none and so no slice that would bring any */
	cr_assert_eq(sensor->published, CHUNKS);
	cr_assert_eq(filling_count, 0);
	reader_gives_back();
	run_for(200 * NSEC_PER_MSEC);
	cr_assert_eq(sensor->published, 2 * CHUNKS);
}

Test(sensor, one_that_starts_without_memory_gets_it_when_there_is_some)
{
	unsigned int i;

	sensor = sensor_free(sensor);
	for (i = 0; i < CHUNKS; i++)
		chunks[i] = WITH_A_READER;
	make_sensor();
	run_for(50 * NSEC_PER_MSEC);
	cr_assert_eq(sensor->published, 0);
	reader_gives_back();
	run_for(200 * NSEC_PER_MSEC);
	cr_assert_eq(sensor->published, CHUNKS);
}

Test(sensor, starving_is_told_and_ends)
{
	run_for(50 * NSEC_PER_MSEC);
	cr_assert_not(sensor_is_degraded(sensor), "at once");
	run_for(1100 * NSEC_PER_MSEC);
	cr_assert(sensor_is_degraded(sensor));
	cr_assert_str_eq(sensor_get_state_name(sensor), "starved");
	reader_gives_back();
	/* the next four stay with the reader, too: that is another second */
	run_for(100 * NSEC_PER_MSEC);
	cr_assert_not(sensor_is_degraded(sensor));
	cr_assert_str_eq(sensor_get_state_name(sensor), "streaming");
}

Test(sensor, one_that_asks_for_nothing_meanwhile_starves_on)
{
	run_for(1150 * NSEC_PER_MSEC);
	device_rests = true;
	run_for(100 * NSEC_PER_MSEC);
	cr_assert_str_eq(sensor_get_state_name(sensor), "starved");
	device_rests = false;
	reader_gives_back();
	run_for(100 * NSEC_PER_MSEC);
	cr_assert_str_eq(sensor_get_state_name(sensor), "streaming");
}

static unsigned int count_chunks(int state)
{
	unsigned int i, count = 0;

	for (i = 0; i < CHUNKS; i++)
		count += (int)chunks[i] == state;
	return count;
}

Test(sensor, what_a_device_was_lent_comes_back_when_it_fails)
{
	device_fails = true;
	run_for(50 * NSEC_PER_MSEC);
	cr_assert_str_eq(sensor_get_state_name(sensor), "backoff");
	cr_assert_eq(count_chunks(FREE), CHUNKS);
}

Test(sensor, what_a_device_was_lent_that_does_not_stop_is_lost)
{
	device_fails = device_runs_away = true;
	run_for(50 * NSEC_PER_MSEC);
	cr_assert_str_eq(sensor_get_state_name(sensor), "backoff");
	cr_assert_eq(count_chunks(LENT), WANTED);
	sensor = sensor_free(sensor);
	cr_assert_eq(count_chunks(LENT), WANTED);
}
