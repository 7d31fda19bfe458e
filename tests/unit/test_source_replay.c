/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a replay does beyond the rules of all sources (tests/conformance):
 * pace, ends and rounds, damage in the capture; on made-up captures.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/support/ouster_capture.h"
#include "tests/support/pcap_writer.h"
#include "tests/support/source_driver.h"

#define PATIENCE_MS 5000
#define FRAME_NS (OUSTER_CAPTURE_COLUMNS * (uint64_t)OUSTER_CAPTURE_COLUMN_NS)

static struct sensor_config config;
static struct source_driver driver;
static struct ouster_capture capture;
static struct loan *loan;

static void setup(void)
{
	source_driver_defaults(&config);
	config.source = SOURCE_KIND_REPLAY;
	config.replay_speed = 20;
	config.replay_loop = false;
}

static void teardown(void)
{
	source_driver_finish(&driver);
	if (capture.directory[0])
		ouster_capture_remove(&capture);
}

TestSuite(source_replay, .init = setup, .fini = teardown, .timeout = 60);

static void write_capture(struct ouster_capture_options options)
{
	ouster_capture_write(&capture, &options);
	strcpy(config.replay_file, capture.pcap);
	strcpy(config.metadata, capture.metadata);
}

static void start_or_fail(void)
{
	source_driver_start(&driver, &config);
	driver.source->readers.connected = 1;
	driver.source->readers.room = 8;
}

static int next(void)
{
	return source_driver_next(&driver, PATIENCE_MS, &loan);
}

static void next_or_fail(void)
{
	int result = next();

	cr_assert_eq(result, SOURCE_FILLED, "%d %s", result, driver.problem.text);
}

static const struct source_stats *stats(void)
{
	return &driver.source->stats;
}

/* Play to the end. Return: points. */
static uint64_t play(void)
{
	uint64_t points = 0;

	for (;;) {
		int result = next();

		cr_assert_geq(result, 0, "%s", driver.problem.text);
		cr_assert_neq(result, SOURCE_NONE, "nothing comes");
		if (result == SOURCE_END)
			return points;
		points += loan->header->point_count;
		source_driver_give_back(&driver, loan);
	}
}

static void expect_whole(uint32_t frames)
{
	start_or_fail();
	cr_assert_eq(play(), frames * OUSTER_CAPTURE_FRAME_POINTS);
	cr_assert_eq(stats()->frames, frames);
	cr_assert_eq(stats()->partial_frames, 0);
	cr_assert_eq(stats()->lost_packets, 0);
	cr_assert_eq(stats()->late_packets, 0);
	cr_assert_eq(stats()->bad_packets, 0);
	cr_assert_eq(stats()->packets, capture.packets);
	cr_assert_eq(source_driver_dropped(&driver), 0);
}

Test(source_replay, a_legacy_capture_gives_every_point)
{
	write_capture((struct ouster_capture_options){ 0 });
	expect_whole(3);
}

Test(source_replay, a_low_data_rate_capture_gives_every_point)
{
	write_capture((struct ouster_capture_options){ .rng15 = true, .frames = 5 });
	expect_whole(5);
}

Test(source_replay, vlan_tags_and_fragments_change_nothing)
{
	write_capture((struct ouster_capture_options){ .vlans = 2, .fragment_bytes = 1472 });
	expect_whole(3);
}

Test(source_replay, packets_that_changed_places_change_nothing)
{
	write_capture((struct ouster_capture_options){ .swap_every = 3 });
	config.slice_bytes = 64 << 10;
	expect_whole(3);
}

Test(source_replay, frame_numbers_that_wrap_go_on)
{
	uint64_t frame;

	write_capture((struct ouster_capture_options){ .first_frame = 65534, .frames = 4 });
	start_or_fail();
	next_or_fail();
	frame = loan->header->frame_id;
	next_or_fail();
	next_or_fail();
	cr_assert_eq(loan->header->frame_id, frame + 2);
	cr_assert_eq(stats()->lost_packets, 0);
}

Test(source_replay, other_datagrams_are_counted_and_ignored)
{
	write_capture((struct ouster_capture_options){ .others = true });
	expect_whole(3);
	cr_assert_eq(stats()->ignored_packets, capture.packets);
}

Test(source_replay, lost_packets_are_counted)
{
	write_capture((struct ouster_capture_options){ .drop_every = 10 });
	start_or_fail();
	play();
	/* packets 9, 19, ..., 89 of 96 */
	cr_assert_eq(stats()->lost_packets, 9);
	cr_assert_eq(stats()->missing_columns, 9 * OUSTER_CAPTURE_PACKET_COLUMNS);
	cr_assert_eq(stats()->frames, 3);
	cr_assert_eq(stats()->partial_frames, 3);
}

Test(source_replay, what_was_not_recorded_is_not_lost)
{
	write_capture((struct ouster_capture_options){ .first_packet = 11, .end_packet = 5 });
	start_or_fail();
	play();
	cr_assert_eq(stats()->lost_packets, 0);
	cr_assert_eq(stats()->frames, 3);
	cr_assert_eq(stats()->partial_frames, 2);
	cr_assert_eq(stats()->missing_columns, (11 + 27) * OUSTER_CAPTURE_PACKET_COLUMNS);
}

Test(source_replay, the_last_slice_says_that_the_stream_ends)
{
	uint32_t flags = 0, ends = 0;
	int result;

	write_capture((struct ouster_capture_options){ .others = true });
	config.slice_bytes = 64 << 10;
	config.first_slice_bytes = 8 << 10;
	start_or_fail();
	while ((result = next()) == SOURCE_FILLED) {
		flags = loan->header->flags;
		ends += !!(flags & LIDARD_SLICE_END_OF_STREAM);
		source_driver_give_back(&driver, loan);
	}
	cr_assert_eq(result, SOURCE_END);
	cr_assert_eq(ends, 1);
	cr_assert(flags & LIDARD_SLICE_END_OF_STREAM);
	cr_assert(flags & LIDARD_SLICE_LAST);
	cr_assert_eq(driver.source->ops->next(driver.source, &loan, &driver.problem), SOURCE_END);
}

Test(source_replay, a_loop_goes_on_forward)
{
	uint64_t frame = 0, end_ns = 0;
	uint64_t i;

	write_capture((struct ouster_capture_options){ .first_frame = 100 });
	config.replay_loop = true;
	start_or_fail();
	for (i = 0; i < 12; i++) {
		const struct lidard_slice_header *h;

		next_or_fail();
		h = loan->header;
		if (i) {
			cr_assert_eq(h->frame_id, frame + 1);
			/* a column's distance within a round, a packet's between rounds */
			cr_assert_geq(h->sensor_time_ns, end_ns + OUSTER_CAPTURE_COLUMN_NS);
			cr_assert_leq(h->sensor_time_ns, end_ns + 20ull * OUSTER_CAPTURE_COLUMN_NS);
		}
		frame = h->frame_id;
		end_ns = h->sensor_end_time_ns;
		cr_assert_eq(h->point_count, OUSTER_CAPTURE_FRAME_POINTS);
		cr_assert_eq(h->flags & LIDARD_SLICE_END_OF_STREAM, 0);
		source_driver_give_back(&driver, loan);
	}
	cr_assert_eq(stats()->lost_packets, 0);
	cr_assert_eq(stats()->partial_frames, 0);
}

Test(source_replay, a_loop_over_parts_of_frames_loses_nothing)
{
	int i;

	write_capture((struct ouster_capture_options){ .first_packet = 11, .end_packet = 5 });
	config.replay_loop = true;
	start_or_fail();
	for (i = 0; i < 12; i++) {
		next_or_fail();
		source_driver_give_back(&driver, loan);
	}
	cr_assert_eq(stats()->lost_packets, 0);
}

Test(source_replay, capture_pace_takes_the_captures_time)
{
	uint64_t begin_ns, took_ns;

	write_capture((struct ouster_capture_options){ .frames = 4 });
	config.replay_speed = 2;
	start_or_fail();
	begin_ns = clock_now_ns();
	play();
	took_ns = clock_now_ns() - begin_ns;
	/* 400 ms at twice the speed, less the packet it begins with */
	cr_assert_geq(took_ns, 190 * NSEC_PER_MSEC);
	cr_assert_leq(took_ns, 400 * NSEC_PER_MSEC);
}

Test(source_replay, slices_come_in_time)
{
	uint64_t at_ns[6], begin_ns = UINT64_MAX;
	uint32_t i, late = 0;

	write_capture((struct ouster_capture_options){ .frames = 6 });
	config.replay_speed = 4;
	config.replay_loop = true;
	start_or_fail();
	for (i = 0; i < 6; i++) {
		next_or_fail();
		/* as the first one would have come, by this one: one that is early makes others late */
		at_ns[i] = loan->header->filled_ns - i * FRAME_NS / 4;
		if (at_ns[i] < begin_ns)
			begin_ns = at_ns[i];
		source_driver_give_back(&driver, loan);
	}
	for (i = 0; i < 6; i++)
		late += at_ns[i] > begin_ns + 20 * NSEC_PER_MSEC;
	cr_assert_leq(late, 2, "%u of 6 frames came more than 20 ms late", late);
}

Test(source_replay, readers_pace_does_not_wait_for_the_captures_time)
{
	uint64_t begin_ns;

	write_capture((struct ouster_capture_options){ .frames = 20 });
	config.replay_pace = REPLAY_PACE_READERS;
	config.replay_speed = 0.001;
	start_or_fail();
	begin_ns = clock_now_ns();
	cr_assert_eq(play(), 20 * OUSTER_CAPTURE_FRAME_POINTS);
	cr_assert_leq(clock_now_ns() - begin_ns, NSEC_PER_SEC);
}

Test(source_replay, readers_pace_waits_for_readers_and_their_room)
{
	write_capture((struct ouster_capture_options){ 0 });
	config.replay_pace = REPLAY_PACE_READERS;
	start_or_fail();
	driver.source->readers = (struct source_readers){ .connected = 0, .room = UINT32_MAX };
	cr_assert_eq(source_driver_next(&driver, 50, &loan), SOURCE_NONE);
	cr_assert_eq(stats()->packets, 0);
	driver.source->readers = (struct source_readers){ .connected = 1, .room = 1 };
	cr_assert_eq(source_driver_next(&driver, 50, &loan), SOURCE_NONE);
	driver.source->readers.room = 2;
	next_or_fail();
	driver.source->readers.room = 1;
	cr_assert_eq(source_driver_next(&driver, 50, &loan), SOURCE_NONE);
	driver.source->readers.room = 2;
	next_or_fail();
}

Test(source_replay, readers_pace_loses_nothing_with_few_loans_and_many_losses)
{
	write_capture((struct ouster_capture_options){ .drop_every = 7, .frames = 5 });
	config.replay_pace = REPLAY_PACE_READERS;
	config.slice_bytes = 8 << 10; /* half a packet */
	config.loans = 2;
	start_or_fail();
	play();
	cr_assert_eq(stats()->lost_packets, 22);
	cr_assert_eq(source_driver_dropped(&driver), 0);
}

Test(source_replay, the_first_packet_waits_for_subscribers)
{
	write_capture((struct ouster_capture_options){ 0 });
	config.replay_subscribers = 3;
	start_or_fail();
	driver.source->readers.connected = 2;
	cr_assert_eq(source_driver_next(&driver, 50, &loan), SOURCE_NONE);
	cr_assert_eq(stats()->packets, 0);
	driver.source->readers.connected = 3;
	next_or_fail();
	source_driver_give_back(&driver, loan);
	/* one that leaves does not stop it */
	driver.source->readers.connected = 0;
	play();
	cr_assert_eq(stats()->lost_packets, 0);
	cr_assert_eq(stats()->frames, 3);
}

Test(source_replay, model_and_serial_are_the_metadatas)
{
	write_capture((struct ouster_capture_options){ 0 });
	start_or_fail();
	cr_assert_str_eq(driver.source->model, "OS-1-32-G");
	cr_assert_str_eq(driver.source->serial, "991900123456");
}

Test(source_replay, a_capture_of_another_sensor_is_an_error_that_says_so)
{
	struct ouster_capture other;
	char metadata[PATH_MAX];

	write_capture((struct ouster_capture_options){ .rng15 = true });
	other = capture;
	strcpy(metadata, config.metadata);
	write_capture((struct ouster_capture_options){ 0 });
	strcpy(config.metadata, metadata);
	config.replay_loop = true;
	start_or_fail();
	cr_assert_eq(next(), -ENODATA);
	cr_assert(strstr(driver.problem.text, "sensor.pcap") && strstr(driver.problem.text, "96"), "%s",
		  driver.problem.text);
	ouster_capture_remove(&other);
}

Test(source_replay, a_capture_cut_off_plays_what_there_is)
{
	write_capture((struct ouster_capture_options){ 0 });
	cr_assert_eq(truncate(config.replay_file, 24 + 40 * (16 + 42 + 6464) + 100), 0);
	start_or_fail();
	play();
	cr_assert_eq(stats()->packets, 40);
	cr_assert_eq(stats()->bad_packets, 1);
	cr_assert_eq(stats()->lost_packets, 0);
}

static void expect_start_fails(int error, const char *says)
{
	cr_assert_eq(source_new(&config, &driver.source, &driver.problem), 0);
	cr_assert_eq(driver.source->ops->start(driver.source, &driver.problem), error, "%s",
		     driver.problem.text);
	cr_assert(strstr(driver.problem.text, says), "%s", driver.problem.text);
}

Test(source_replay, without_a_file_it_does_not_start)
{
	write_capture((struct ouster_capture_options){ 0 });
	config.replay_file[0] = 0;
	expect_start_fails(-EINVAL, "replay_file");
}

Test(source_replay, without_a_decoder_it_does_not_start)
{
	strcpy(config.decoder, "nonsense");
	expect_start_fails(-EINVAL, "nonsense");
}

Test(source_replay, a_slice_too_small_for_a_column_does_not_start)
{
	write_capture((struct ouster_capture_options){ 0 });
	config.slice_bytes = 512;
	expect_start_fails(-EINVAL, "slice_bytes = 512");
}
