/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of daemon/source.h, for every source there is.
 *
 * A source takes part with a line in subjects[]: how to configure it so that
 * it makes some hundreds of slices of 64 KiB a second, and how to break it.
 *
 * A device needs its kernel module, thus a guest: tests/kmod/conformance.sh. The
 * environment then names it, LIDARD_TEST_DEVICE=/dev/lidar0, and it is one of
 * lidar_sim with slices of 64 KiB, whose rate is set here, through configfs.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "tests/support/heap_loans.h"
#include "tests/support/ouster_capture.h"
#include "tests/support/source_driver.h"
#include "tests/support/udp_sensor.h"

#define PATIENCE_MS 5000

static struct sensor_config config;
static struct source_driver driver;
static struct ouster_capture capture;
static struct udp_sensor udp_sensor;
static double udp_hz;
static struct loan *loan;

static void configure_sim(void)
{
	config.source = SOURCE_KIND_SIM;
	config.sim_beams = OUSTER_CAPTURE_BEAMS;
	config.sim_columns = OUSTER_CAPTURE_COLUMNS;
	config.sim_hz = 50;
}

static void slow_sim(void)
{
	config.sim_hz = 2;
}

static void break_sim(void)
{
	config.slice_bytes = 4096;
	config.sim_columns = 65536;
}

static void configure_replay(void)
{
	ouster_capture_write(&capture, &(struct ouster_capture_options){ 0 });
	config.source = SOURCE_KIND_REPLAY;
	config.replay_speed = 5;
	strcpy(config.replay_file, capture.pcap);
	strcpy(config.metadata, capture.metadata);
}

static void slow_replay(void)
{
	config.replay_speed = 0.2;
}

static void break_replay(void)
{
	strcat(config.replay_file, ".absent");
}

static void configure_replay_readers(void)
{
	configure_replay();
	config.replay_pace = REPLAY_PACE_READERS;
}

static void set_device_rate(unsigned int slices_per_s)
{
	const char *device = getenv("LIDARD_TEST_DEVICE");
	char path[PATH_MAX], name[64];
	glob_t found;
	size_t i;
	FILE *f;

	cr_assert_eq(glob("/sys/kernel/config/lidar_sim/*/device", 0, NULL, &found), 0);
	for (i = 0; i < found.gl_pathc; i++) {
		f = fopen(found.gl_pathv[i], "re");
		if (!f || fscanf(f, "%63s", name) != 1)
			name[0] = 0;
		if (f)
			fclose(f);
		if (strcmp(name, strrchr(device, '/') + 1) == 0)
			break;
	}
	cr_assert_lt(i, found.gl_pathc, "%s is not of lidar_sim", device);
	snprintf(path, sizeof(path), "%.*s/rate_bytes_per_s",
		 (int)(strlen(found.gl_pathv[i]) - strlen("/device")), found.gl_pathv[i]);
	globfree(&found);
	f = fopen(path, "we");
	cr_assert(f && fprintf(f, "%u\n", slices_per_s << 16) > 0 && fclose(f) == 0, "%s", path);
}

static void configure_device(enum device_mode mode)
{
	const char *device = getenv("LIDARD_TEST_DEVICE");

	if (!device)
		cr_skip_test("no LIDAR device (LIDARD_TEST_DEVICE)");
	config.source = SOURCE_KIND_DEVICE;
	config.device_mode = mode;
	snprintf(config.device, sizeof(config.device), "%s", device);
	set_device_rate(100);
}

static void configure_direct(void)
{
	configure_device(DEVICE_MODE_DIRECT);
}

static void configure_copy(void)
{
	configure_device(DEVICE_MODE_COPY);
}

static void slow_device(void)
{
	set_device_rate(10);
}

static void break_device(void)
{
	strcat(config.device, "-absent");
}

static void configure_udp(void)
{
	struct udp_address a = udp_sensor_address(1, 7502);

	ouster_capture_write(&capture, &(struct ouster_capture_options){ .rng15 = true });
	config.source = SOURCE_KIND_UDP;
	udp_address_format(&a, config.listen);
	strcpy(config.metadata, capture.metadata);
	udp_hz = 50;
}

static void slow_udp(void)
{
	udp_hz = 2;
}

static void break_udp(void)
{
	/* of documentation: nobody has it */
	strcpy(config.listen, "192.0.2.1:7502");
}

/* Switched on when somebody listens, or the first frame would lack columns. */
static void switch_on_udp(void)
{
	struct udp_address to = udp_sensor_address(1, 7502);

	if (udp_sensor.running)
		return;
	udp_sensor_open(&udp_sensor, &to, 0, &(struct ouster_capture_options){ .rng15 = true });
	udp_sensor_run(&udp_sensor, udp_hz);
}

/** Drops what finds no loan, and counts it at once or with the next slice, or holds back instead. */
enum subject_kind { LIVE, LIVE_COUNTS_LATER, HOLDS_BACK };

static const struct subject {
	const char *name;
	const char *source;
	enum subject_kind kind;
	void (*configure)(void);
	/** Slices take tens of milliseconds. */
	void (*slow_down)(void);
	/** start() must fail. */
	void (*spoil)(void);
	/** Its payload is a pattern, not points; it knows nothing of columns; it is one of its kind. */
	bool is_device;
	/** What it listens to begins now, if it has not. */
	void (*switch_on)(void);
} subjects[] = {
	{ "device, copy", "device", LIVE, configure_copy, slow_device, break_device, true },
	{ "device, direct", "device", LIVE_COUNTS_LATER, configure_direct, slow_device,
	  break_device, true },
	{ "replay", "replay", LIVE, configure_replay, slow_replay, break_replay, false },
	{ "replay, paced by readers", "replay", HOLDS_BACK, configure_replay_readers, NULL,
	  break_replay, false },
	{ "sim", "sim", LIVE, configure_sim, slow_sim, break_sim, false },
	{ "udp", "udp", LIVE, configure_udp, slow_udp, break_udp, false, switch_on_udp },
};

static const struct subject *subject;

static void begin(unsigned int index)
{
	subject = &subjects[index];
	source_driver_defaults(&config);
	config.slice_bytes = 64 << 10;
	subject->configure();
}

/* A reader that always has room. */
static void start(void)
{
	source_driver_start(&driver, &config);
	driver.source->readers.connected = 1;
	driver.source->readers.room = UINT32_MAX;
	if (subject->switch_on)
		subject->switch_on();
}

static void end(void)
{
	source_driver_finish(&driver);
	if (udp_sensor.running)
		udp_sensor_close(&udp_sensor);
	if (capture.directory[0])
		ouster_capture_remove(&capture);
}

static void next_or_fail(void)
{
	int result = source_driver_next(&driver, PATIENCE_MS, &loan);

	cr_assert_eq(result, SOURCE_FILLED, "%s: %d %s", subject->name, result, driver.problem.text);
}

static void take(unsigned int count)
{
	while (count--) {
		next_or_fail();
		source_driver_give_back(&driver, loan);
	}
}

/* Let @ms go by as the loop would; slices that come are given back. */
static void run_for(unsigned int ms)
{
	uint64_t end_ns = clock_now_ns() + ms * NSEC_PER_MSEC;

	while (clock_now_ns() < end_ns)
		if (source_driver_next(&driver, 1, &loan) == SOURCE_FILLED)
			source_driver_give_back(&driver, loan);
}

#define FOR_EVERY_SOURCE(rule)                                                                  \
	ParameterizedTestParameters(source, rule)                                               \
	{                                                                                       \
		static unsigned int indices[] = { 0, 1, 2, 3, 4, 5 };                           \
		_Static_assert(sizeof(indices) / sizeof(indices[0]) ==                          \
			       sizeof(subjects) / sizeof(subjects[0]), "one index a subject");  \
                                                                                                \
		return cr_make_param_array(unsigned int, indices,                               \
					   sizeof(indices) / sizeof(indices[0]));               \
	}                                                                                       \
	static void rule_##rule(void);                                                          \
	ParameterizedTest(unsigned int *index, source, rule, .timeout = 60)                     \
	{                                                                                       \
		begin(*index);                                                                  \
		rule_##rule();                                                                  \
		end();                                                                          \
	}                                                                                       \
	static void rule_##rule(void)

FOR_EVERY_SOURCE(says_its_name)
{
	cr_assert_eq(source_new(&config, &driver.source, &driver.problem), 0);
	cr_assert_str_eq(driver.source->ops->name, subject->source);
	cr_assert_eq(driver.source->config, &config);
}

FOR_EVERY_SOURCE(may_be_stopped_and_freed_without_having_been_started)
{
	cr_assert_eq(source_new(&config, &driver.source, &driver.problem), 0);
	driver.source->ops->stop(driver.source);
	driver.source->ops->stop(driver.source);
}

FOR_EVERY_SOURCE(a_start_that_fails_says_why_and_may_be_repeated)
{
	struct sensor_config good = config;
	int i;

	subject->spoil();
	/* a source may refuse its configuration as early as when it is made */
	if (source_driver_new(&driver, &config) < 0) {
		cr_assert_neq(driver.problem.text[0], 0);
		driver.source = NULL;
		return;
	}
	for (i = 0; i < 3; i++) {
		driver.problem.text[0] = 0;
		cr_assert_lt(driver.source->ops->start(driver.source, &driver.problem), 0);
		cr_assert_neq(driver.problem.text[0], 0);
		driver.source->ops->stop(driver.source);
	}
	config = good;
	start();
	take(3);
}

FOR_EVERY_SOURCE(hands_out_slices_when_its_fd_is_readable)
{
	start();
	take(100);
}

FOR_EVERY_SOURCE(next_never_takes_long)
{
	start();
	take(100);
	cr_assert_lt(driver.longest_next_ns, 200 * NSEC_PER_MSEC, "%lu ns", driver.longest_next_ns);
}

FOR_EVERY_SOURCE(takes_no_more_loans_than_configured)
{
	config.loans = 2;
	start();
	take(50);
}

FOR_EVERY_SOURCE(writes_only_into_loans_it_was_lent)
{
	unsigned int i;

	start();
	for (i = 0; i < 40; i++) {
		take(1);
		cr_assert(heap_loans_check(&driver.loans), "after slice %u", i);
	}
}

FOR_EVERY_SOURCE(writes_nothing_after_stop)
{
	start();
	take(10);
	run_for(2);
	source_driver_stop(&driver);
	nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
	cr_assert(heap_loans_check(&driver.loans));
}

FOR_EVERY_SOURCE(writes_nothing_after_free)
{
	start();
	take(10);
	run_for(2);
	driver.source = driver.source->ops->free(driver.source);
	cr_assert_null(driver.source);
	heap_loans_give_back_all(&driver.loans);
	nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
	cr_assert(heap_loans_check(&driver.loans));
}

FOR_EVERY_SOURCE(stop_may_be_repeated)
{
	uint64_t produced;

	start();
	take(5);
	source_driver_stop(&driver);
	produced = driver.source->stats.produced;
	source_driver_stop(&driver);
	cr_assert_eq(driver.source->stats.produced, produced);
}

FOR_EVERY_SOURCE(a_new_start_counts_from_0_and_counters_go_on)
{
	uint64_t produced;
	int i;

	for (i = 0; i < 4; i++) {
		start();
		produced = driver.source->stats.produced;
		next_or_fail();
		cr_assert_eq(loan->header->seq, loan->header->lost_before);
		source_driver_give_back(&driver, loan);
		take(10);
		cr_assert_geq(driver.source->stats.produced, produced + 11);
		source_driver_stop(&driver);
	}
}

FOR_EVERY_SOURCE(what_is_half_filled_at_stop_is_dropped_and_counted)
{
	const struct source_stats *stats;
	uint64_t stopped;

	if (!subject->slow_down)
		return; /* the rule is not for it: it has no pace of its own */
	subject->slow_down();
	start();
	take(1);
	run_for(20);
	stats = &driver.source->stats;
	stopped = stats->dropped[SOURCE_DROP_STOPPED];
	source_driver_stop(&driver);
	cr_assert_geq(stats->dropped[SOURCE_DROP_STOPPED], stopped + 1);
	cr_assert_eq(stats->dropped[SOURCE_DROP_NO_LOAN], 0);
}

FOR_EVERY_SOURCE(without_a_loan_slices_are_dropped_and_the_next_one_says_how_many)
{
	uint64_t dropped, lost;

	if (subject->kind == HOLDS_BACK)
		return; /* the rule is not for it: it holds its slices back */
	start();
	take(10);
	driver.stingy = true;
	while (driver.lent)
		next_or_fail();
	run_for(50);
	dropped = driver.source->stats.dropped[SOURCE_DROP_NO_LOAN];
	if (subject->kind != LIVE_COUNTS_LATER)
		cr_assert_gt(dropped, 0);
	cr_assert_eq(driver.source->stats.dropped[SOURCE_DROP_OVERRUN], 0);
	driver.stingy = false;
	heap_loans_give_back_all(&driver.loans);
	source_driver_lend(&driver);
	next_or_fail();
	lost = loan->header->lost_before;
	cr_assert_gt(lost, 0);
	if (subject->is_device) {
		/* what the device has lost may still have slices before it in the ring */
		while (lost < dropped) {
			next_or_fail();
			lost += loan->header->lost_before;
		}
		cr_assert_leq(lost, driver.source->stats.dropped[SOURCE_DROP_NO_LOAN]);
	} else {
		cr_assert_eq(lost, driver.source->stats.dropped[SOURCE_DROP_NO_LOAN]);
	}
	take(10);
}

FOR_EVERY_SOURCE(a_source_that_holds_back_loses_nothing_for_want_of_loans)
{
	uint64_t taken;

	if (subject->kind != HOLDS_BACK)
		return; /* the rule is not for it: it drops */
	start();
	take(10);
	driver.stingy = true;
	while (driver.lent)
		next_or_fail();
	taken = driver.taken;
	cr_assert_eq(source_driver_next(&driver, 20, &loan), SOURCE_NONE);
	cr_assert_eq(driver.taken, taken);
	driver.stingy = false;
	heap_loans_give_back_all(&driver.loans);
	source_driver_lend(&driver);
	take(10);
	cr_assert_eq(source_driver_dropped(&driver), 0);
}

FOR_EVERY_SOURCE(starved_now_and_then_its_books_still_balance)
{
	unsigned int i;

	start();
	for (i = 0; i < 60; i++) {
		driver.stingy = i % 5 == 4;
		if (source_driver_next(&driver, 20, &loan) == SOURCE_FILLED)
			source_driver_give_back(&driver, loan);
		if (!driver.stingy)
			source_driver_lend(&driver);
	}
}

static void check_header(const struct lidard_slice_header *h)
{
	cr_assert_eq(h->header_bytes, sizeof(*h));
	cr_assert_eq(h->format, LIDARD_FORMAT_XYZIRT);
	cr_assert_eq(h->point_step, sizeof(struct lidard_point_xyzirt));
	cr_assert_eq(h->payload_bytes, (uint64_t)h->point_count * h->point_step);
	cr_assert_leq(h->payload_bytes, config.slice_bytes);
	cr_assert_lt(h->slice_index, LIDARD_FRAME_SLICES_MAX);
	cr_assert(h->slice_count == 0 || h->slice_index < h->slice_count);
	if (h->flags & LIDARD_SLICE_LAST)
		cr_assert_eq(h->slice_index + 1, h->slice_count);
	if (!(h->flags & LIDARD_SLICE_PARTIAL))
		cr_assert_eq(h->missing_columns, 0);
	cr_assert_leq(h->missing_columns, h->column_count);
	if (!subject->is_device)
		cr_assert_gt(h->column_count, 0);
	cr_assert_eq(!!(h->flags & LIDARD_SLICE_REPLAYED), strcmp(subject->source, "replay") == 0);
	cr_assert_eq(!!(h->flags & LIDARD_SLICE_SYNTHETIC), strcmp(subject->source, "sim") == 0);
	cr_assert_eq(h->flags & LIDARD_SLICE_END_OF_STREAM, 0);
	cr_assert_eq(h->pad[0] | h->pad[1], 0);
	cr_assert_eq(h->reserved[0] | h->reserved[1] | h->reserved[2] | h->reserved[3], 0);
}

FOR_EVERY_SOURCE(every_header_is_valid)
{
	unsigned int i;

	start();
	for (i = 0; i < 100; i++) {
		next_or_fail();
		check_header(loan->header);
		source_driver_give_back(&driver, loan);
	}
}

FOR_EVERY_SOURCE(slices_come_in_order_and_make_whole_frames)
{
	uint64_t frame = 0, columns = 0;
	uint32_t index = 0;
	bool lost = false;
	unsigned int i;

	start();
	for (i = 0; i < 100; i++) {
		const struct lidard_slice_header *h;

		next_or_fail();
		h = loan->header;
		if (i == 0)
			frame = h->frame_id;
		if (h->lost_before) { /* a slow machine: begin anew */
			index = h->slice_index, frame = h->frame_id, columns = h->first_column;
			lost = true;
		}
		cr_assert_eq(h->frame_id, frame);
		cr_assert_eq(h->slice_index, index);
		cr_assert_leq(h->first_column, columns);
		columns = h->first_column + h->column_count;
		index++;
		if (h->flags & LIDARD_SLICE_LAST) {
			cr_assert(lost || !(h->flags & LIDARD_FRAME_PARTIAL));
			frame++;
			index = 0;
			columns = 0;
		}
		source_driver_give_back(&driver, loan);
	}
	cr_assert(lost || driver.source->stats.partial_frames == 0);
}

FOR_EVERY_SOURCE(times_are_ordered_and_points_lie_within_their_slice)
{
	uint64_t last_ns = 0;
	unsigned int i;
	uint32_t k;

	start();
	for (i = 0; i < 60; i++) {
		const struct lidard_point_xyzirt *p;
		const struct lidard_slice_header *h;

		next_or_fail();
		h = loan->header;
		cr_assert(h->flags & LIDARD_SLICE_FIRST_BYTE_VALID);
		cr_assert_leq(h->first_byte_ns, h->filled_ns);
		cr_assert_leq(h->filled_ns, clock_now_ns());
		cr_assert(h->flags & LIDARD_SLICE_SENSOR_TIME_VALID);
		cr_assert_neq(h->sensor_clock, LIDARD_CLOCK_NONE);
		cr_assert_geq(h->sensor_time_ns, last_ns);
		cr_assert_geq(h->sensor_end_time_ns, h->sensor_time_ns);
		last_ns = subject->is_device ? h->sensor_time_ns : h->sensor_end_time_ns;
		p = loan->data;
		for (k = 0; k < h->point_count && !subject->is_device; k++)
			cr_assert_leq(p[k].time_offset_ns,
				      h->sensor_end_time_ns - h->sensor_time_ns + NSEC_PER_MSEC);
		source_driver_give_back(&driver, loan);
	}
}

/* Each page of a slice of lidar_sim begins with the slice's number and its own. */
static void check_pattern(void)
{
	const struct lidard_slice_header *h = loan->header;
	const uint64_t *words = loan->data;
	uint64_t page;

	cr_assert_eq(h->payload_bytes, 64 << 10);
	for (page = 0; page < h->payload_bytes / 4096; page++)
		cr_assert_eq(words[page * 512], h->seq << 20 | page, "page %lu of slice %lu is %lx",
			     page, h->seq, words[page * 512]);
}

FOR_EVERY_SOURCE(a_devices_slices_hold_what_it_wrote)
{
	unsigned int i;

	if (!subject->is_device)
		return; /* the rule is not for it: it makes points */
	start();
	for (i = 0; i < 50; i++) {
		next_or_fail();
		check_pattern();
		source_driver_give_back(&driver, loan);
	}
	cr_assert_eq(driver.source->stats.copied_bytes,
		     config.device_mode == DEVICE_MODE_COPY ? driver.taken << 16 : 0);
}

FOR_EVERY_SOURCE(points_are_plausible)
{
	unsigned int i;
	uint32_t k;

	if (subject->is_device)
		return; /* the rule is not for it: what it simulates is a pattern */
	start();
	for (i = 0; i < 20; i++) {
		const struct lidard_point_xyzirt *p;

		next_or_fail();
		p = loan->data;
		for (k = 0; k < loan->header->point_count; k++) {
			cr_assert_lt(p[k].ring, OUSTER_CAPTURE_BEAMS);
			cr_assert(p[k].return_number == 1 || p[k].return_number == 2);
			cr_assert(p[k].range > 0 && p[k].range < 1000);
			cr_assert(p[k].x > -1000 && p[k].x < 1000 && p[k].y > -1000 &&
				  p[k].y < 1000 && p[k].z > -1000 && p[k].z < 1000);
		}
		source_driver_give_back(&driver, loan);
	}
}

FOR_EVERY_SOURCE(the_checksum_is_the_payloads_if_asked_for)
{
	unsigned int i;

	config.crc = true;
	start();
	for (i = 0; i < 20; i++) {
		next_or_fail();
		cr_assert(loan->header->flags & LIDARD_SLICE_CRC_VALID);
		cr_assert_eq(loan->header->crc32c,
			     crc32c(0, loan->data, loan->header->payload_bytes));
		source_driver_give_back(&driver, loan);
	}
}

FOR_EVERY_SOURCE(a_small_first_slice_comes_first)
{
	if (subject->is_device)
		return; /* the rule is not for it: its slots are all of one size */
	config.first_slice_bytes = 8 << 10;
	start();
	do {
		next_or_fail();
		if (loan->header->slice_index == 0)
			break;
		source_driver_give_back(&driver, loan);
	} while (1);
	cr_assert_leq(loan->header->payload_bytes, 8 << 10);
}

FOR_EVERY_SOURCE(two_sources_do_not_know_of_each_other)
{
	struct source_driver other = { 0 };
	unsigned int i;

	start();
	if (subject->is_device) {
		/* but they do: it is one device */
		cr_assert_eq(source_new(&config, &other.source, &other.problem), 0);
		other.source->memory = driver.source->memory;
		cr_assert_eq(other.source->ops->start(other.source, &other.problem), -EBUSY);
		cr_assert(strstr(other.problem.text, "in use"), "%s", other.problem.text);
		other.source->ops->free(other.source);
		take(20);
		return;
	}
	source_driver_start(&other, &config);
	other.source->readers = driver.source->readers;
	for (i = 0; i < 20; i++) {
		take(1);
		cr_assert_eq(source_driver_next(&other, PATIENCE_MS, &loan), SOURCE_FILLED);
		source_driver_give_back(&other, loan);
	}
	source_driver_finish(&other);
	take(5);
}
