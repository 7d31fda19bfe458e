/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sensor on the network is beyond the rules of all sources
 * (tests/conformance): whose packets are taken, what is counted, silence, a
 * sensor that begins anew.  Packets are made up and come over loopback.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/support/ouster_capture.h"
#include "tests/support/source_driver.h"
#include "tests/support/udp_sensor.h"

#define PORT 7502
#define FRAME OUSTER_CAPTURE_FRAME_PACKETS
#define PATIENCE_MS 5000

/** A sensor, and the source that listens to it. */
struct pair {
	struct sensor_config config;
	struct source_driver driver;
	struct ouster_capture capture;
	struct udp_sensor sensor;
	/** Of all slices taken. */
	uint64_t points;
	uint64_t slices;
	/** Of the newest. */
	struct lidard_slice_header header;
};

static struct pair a, b;

static void configure(struct pair *p, struct ouster_capture_options options, uint32_t from)
{
	struct udp_address listen = udp_sensor_address(1, PORT);

	source_driver_defaults(&p->config);
	p->config.source = SOURCE_KIND_UDP;
	p->config.slice_bytes = 64 << 10;
	ouster_capture_write(&p->capture, &options);
	strcpy(p->config.metadata, p->capture.metadata);
	udp_address_format(&listen, p->config.listen);
	udp_sensor_open(&p->sensor, &listen, from, &options);
}

static void start(struct pair *p)
{
	source_driver_start(&p->driver, &p->config);
}

static void set_up(void)
{
	configure(&a, (struct ouster_capture_options){ .rng15 = true }, 0);
}

static void finish(struct pair *p)
{
	source_driver_finish(&p->driver);
	if (!p->capture.directory[0])
		return;
	udp_sensor_close(&p->sensor);
	ouster_capture_remove(&p->capture);
}

static void tear_down(void)
{
	finish(&a);
	finish(&b);
}

TestSuite(source_udp, .init = set_up, .fini = tear_down, .timeout = 60);

static const struct source_stats *stats(const struct pair *p)
{
	return &p->driver.source->stats;
}

/* Take what comes within @ms. Return: false if nothing did. */
static bool take(struct pair *p, int ms)
{
	struct loan *loan;
	int result = source_driver_next(&p->driver, ms, &loan);

	cr_assert_geq(result, 0, "%s", p->driver.problem.text);
	if (result != SOURCE_FILLED)
		return false;
	if (p->slices)
		cr_assert_geq(loan->header->frame_id, p->header.frame_id);
	p->header = *loan->header;
	p->points += loan->header->point_count;
	p->slices++;
	source_driver_give_back(&p->driver, loan);
	return true;
}

/* Let both sources run until they have seen so many datagrams. */
static void run_until(struct pair *p, uint64_t datagrams)
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_MS * NSEC_PER_MSEC;

	while (stats(p)->packets + stats(p)->ignored_packets + stats(p)->bad_packets < datagrams) {
		cr_assert_lt(clock_now_ns(), end_ns, "%lu of %lu packets",
			     stats(p)->packets + stats(p)->ignored_packets, datagrams);
		take(p, 1);
	}
	while (take(p, 5))
		;
}

/* So many frames, fetched one by one, so that the smallest receive buffer does. */
static void play(struct pair *p, unsigned int frames)
{
	uint64_t seen = stats(p)->packets;
	unsigned int i;

	for (i = 1; i <= frames; i++) {
		udp_sensor_send(&p->sensor, FRAME);
		run_until(p, seen + i * FRAME);
	}
}

static void expect_whole(const struct pair *p, uint32_t frames)
{
	cr_assert_eq(p->points, (uint64_t)frames * OUSTER_CAPTURE_FRAME_POINTS);
	cr_assert_eq(stats(p)->frames, frames);
	cr_assert_eq(stats(p)->partial_frames, 0);
	cr_assert_eq(stats(p)->packets, frames * FRAME);
	cr_assert_eq(stats(p)->lost_packets + stats(p)->late_packets + stats(p)->bad_packets, 0);
	cr_assert_eq(stats(p)->overflow_packets, 0);
	cr_assert_eq(source_driver_dropped(&p->driver), 0);
}

Test(source_udp, every_point_arrives)
{
	start(&a);
	play(&a, 3);
	expect_whole(&a, 3);
	cr_assert_str_eq(a.driver.source->model, "OS-1-32-G");
	cr_assert_str_eq(a.driver.source->serial, "991900123456");
	cr_assert_eq(a.header.flags & LIDARD_SLICE_REPLAYED, 0);
}

Test(source_udp, packets_that_were_lost_are_counted_exactly)
{
	start(&a);
	play(&a, 1);
	udp_sensor_send(&a.sensor, 5);
	udp_sensor_skip(&a.sensor, 1);
	udp_sensor_send(&a.sensor, 7);
	udp_sensor_skip(&a.sensor, FRAME + 3); /* a burst, over the end of the frame */
	udp_sensor_send(&a.sensor, 16);
	play(&a, 2);
	run_until(&a, 5 * FRAME - FRAME - 4);
	cr_assert_eq(stats(&a)->packets, 5 * FRAME - FRAME - 4);
	cr_assert_eq(stats(&a)->lost_packets, FRAME + 4);
	cr_assert_eq(stats(&a)->missing_columns, (FRAME + 4) * OUSTER_CAPTURE_PACKET_COLUMNS);
}

Test(source_udp, packets_that_change_places_are_neither_lost_nor_late)
{
	unsigned int i;

	start(&a);
	for (i = 0; i < FRAME; i += 2) {
		udp_sensor_send_one(&a.sensor, 0, i + 1);
		udp_sensor_send_one(&a.sensor, 0, i);
	}
	run_until(&a, FRAME);
	expect_whole(&a, 1);
}

Test(source_udp, packets_that_come_twice_are_counted_and_taken_once)
{
	unsigned int i;

	start(&a);
	for (i = 0; i < FRAME; i++) {
		udp_sensor_send_one(&a.sensor, 0, i);
		if (i % 3 == 0)
			udp_sensor_send_one(&a.sensor, 0, i);
	}
	run_until(&a, FRAME);
	expect_whole(&a, 1);
	cr_assert_eq(stats(&a)->duplicate_packets, 11);
}

Test(source_udp, slices_carry_the_time_of_arrival_not_of_reading)
{
	uint64_t sent_ns;
	unsigned int i;

	a.config.slice_bytes = 1 << 20;
	start(&a);
	/* the kernel switches stamps on in its own time: not always for the first packets */
	for (i = 1; i <= 20; i++) {
		sent_ns = clock_now_ns();
		udp_sensor_send(&a.sensor, FRAME);
		usleep(100000); /* lidard is busy elsewhere */
		run_until(&a, i * FRAME);
		cr_assert_eq(a.slices, i);
		cr_assert_geq(a.header.first_byte_ns, sent_ns);
		cr_assert_geq(a.header.filled_ns, sent_ns + 100 * NSEC_PER_MSEC);
		if (a.header.first_byte_ns < sent_ns + 50 * NSEC_PER_MSEC)
			return;
	}
	cr_assert_fail("the last one came %lu ns after it was sent",
		       a.header.first_byte_ns - sent_ns);
}

Test(source_udp, what_the_kernel_had_no_room_for_is_counted_exactly)
{
	const unsigned int sent = 100 * FRAME;
	uint64_t taken;

	a.config.receive_buffer = 4096; /* what a socket has by itself */
	start(&a);
	udp_sensor_send(&a.sensor, sent);
	while (take(&a, 20))
		;
	a.driver.source->ops->refresh(a.driver.source);
	taken = stats(&a)->packets;
	cr_assert_lt(taken, sent);
	cr_assert_eq(stats(&a)->overflow_packets, sent - taken);
	/* and the sensor's own numbers say the same */
	play(&a, 2);
	cr_assert_eq(stats(&a)->lost_packets, sent - taken);
	cr_assert_eq(stats(&a)->overflow_packets, sent - taken);
}

Test(source_udp, the_receive_buffer_is_as_large_as_the_sensor_needs)
{
	if (geteuid() != 0)
		cr_skip_test("beyond net.core.rmem_max only with CAP_NET_ADMIN");
	a.config.loans = 64;
	start(&a);
	cr_assert_str_eq(a.driver.source->notice.text, "");
	/* a quarter of a second at 20 revolutions each second */
	udp_sensor_send(&a.sensor, 5 * FRAME);
	run_until(&a, 5 * FRAME);
	expect_whole(&a, 5);
}

/* Both sources as the loop would run them, until each has seen as many datagrams as were sent. */
static void run_both(uint64_t datagrams)
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_MS * NSEC_PER_MSEC;

	do {
		cr_assert_lt(clock_now_ns(), end_ns);
		take(&a, 1);
		take(&b, 1);
	} while (stats(&a)->packets + stats(&a)->ignored_packets < datagrams ||
		 stats(&b)->packets + stats(&b)->ignored_packets < datagrams);
	while (take(&a, 2) || take(&b, 2))
		;
}

static void play_both(unsigned int frames)
{
	unsigned int i, k;

	for (i = 1; i <= frames; i++) {
		for (k = 0; k < FRAME; k++) {
			udp_sensor_send(&a.sensor, 1);
			udp_sensor_send(&b.sensor, 1);
		}
		run_both(i * 2 * FRAME);
	}
}

static void expect_each_its_own(unsigned int frames)
{
	expect_whole(&a, frames);
	expect_whole(&b, frames);
	cr_assert_eq(stats(&a)->ignored_packets, frames * FRAME);
	cr_assert_eq(stats(&b)->ignored_packets, frames * FRAME);
}

Test(source_udp, two_sensors_at_one_port_are_told_apart_by_serial)
{
	configure(&b, (struct ouster_capture_options){ .rng15 = true, .serial = 1 }, 0);
	start(&a);
	start(&b);
	cr_assert_str_eq(b.driver.source->serial, "991900123457");
	play_both(3);
	expect_each_its_own(3);
}

static void configure_two_without_serials(bool named)
{
	uint32_t first = udp_sensor_address(2, 0).address, second = first + 1;

	finish(&a);
	memset(&a, 0, sizeof(a));
	configure(&a, (struct ouster_capture_options){ .first_frame = 10 }, first);
	configure(&b, (struct ouster_capture_options){ .first_frame = 500 }, second);
	if (!named)
		return;
	udp_address_format_host(first, a.config.from);
	udp_address_format_host(second, b.config.from);
}

Test(source_udp, two_sensors_without_serials_are_told_apart_by_address)
{
	configure_two_without_serials(true);
	start(&a);
	start(&b);
	play_both(3);
	expect_each_its_own(3);
	cr_assert_eq(a.header.frame_id, 12);
	cr_assert_eq(b.header.frame_id, 502);
}

Test(source_udp, two_sensors_are_never_mixed_into_one)
{
	unsigned int i;

	configure_two_without_serials(false);
	start(&a);
	for (i = 0; i < FRAME; i++) {
		udp_sensor_send(&a.sensor, 1);
		udp_sensor_send(&b.sensor, 1);
	}
	run_until(&a, 2 * FRAME);
	expect_whole(&a, 1);
	cr_assert_eq(stats(&a)->ignored_packets, FRAME);
}

Test(source_udp, a_sensor_whose_address_changes_is_heard_again)
{
	configure_two_without_serials(false);
	start(&a);
	udp_sensor_send(&a.sensor, FRAME);
	run_until(&a, FRAME);
	usleep(1100000);
	udp_sensor_send(&b.sensor, FRAME);
	run_until(&a, 2 * FRAME);
	cr_assert_eq(stats(&a)->packets, 2 * FRAME);
}

Test(source_udp, one_that_stops_leaves_the_other_its_port)
{
	configure(&b, (struct ouster_capture_options){ .rng15 = true, .serial = 1 }, 0);
	start(&a);
	start(&b);
	play_both(1);
	/* read for both, and not yet handed on: the first to be asked goes away */
	udp_sensor_send(&a.sensor, FRAME);
	udp_sensor_send(&b.sensor, FRAME);
	take(&a, 100);
	source_driver_stop(&a.driver);
	run_until(&b, 4 * FRAME);
	expect_whole(&b, 2);
	start(&a);
	cr_assert_eq(a.driver.source->stats.overflow_packets, 0);
}

Test(source_udp, datagrams_of_others_are_ignored_and_counted)
{
	static uint8_t junk[2272];

	start(&a);
	udp_sensor_send(&a.sensor, FRAME / 2);
	udp_sensor_send_bytes(&a.sensor, "", 0);
	udp_sensor_send_bytes(&a.sensor, junk, 48);
	udp_sensor_send_bytes(&a.sensor, junk, sizeof(junk));
	udp_sensor_send_bytes(&a.sensor, junk, 1);
	udp_sensor_send(&a.sensor, FRAME / 2);
	run_until(&a, FRAME + 4);
	expect_whole(&a, 1);
	cr_assert_eq(stats(&a)->ignored_packets, 4);
}

static void run_for(struct pair *p, unsigned int ms)
{
	uint64_t end_ns = clock_now_ns() + ms * NSEC_PER_MSEC;

	while (clock_now_ns() < end_ns)
		take(p, 1);
}

Test(source_udp, what_comes_to_the_other_address_is_looked_at_too)
{
	struct udp_address status = udp_sensor_address(3, 8308);
	struct udp_sensor other;

	udp_address_format(&status, a.config.listen_status);
	udp_sensor_open(&other, &status, 0, &(struct ouster_capture_options){ .rng15 = true });
	start(&a);
	udp_sensor_send_bytes(&other, "position", 8);
	run_until(&a, 1);
	cr_assert_eq(stats(&a)->ignored_packets, 1);
	play(&a, 2);
	udp_sensor_send_bytes(&other, "position", 8);
	run_until(&a, 2 * FRAME + 2);
	cr_assert_eq(stats(&a)->ignored_packets, 2);
	cr_assert_eq(stats(&a)->packets, 2 * FRAME);
	udp_sensor_close(&other);
}

Test(source_udp, silence_is_told_and_ends)
{
	const struct source *s;

	a.config.silence_ms = 100;
	start(&a);
	s = a.driver.source;
	run_for(&a, 20);
	cr_assert_not(s->silent);
	run_for(&a, 150);
	cr_assert(s->silent);
	cr_assert(strstr(s->silence.text, a.config.listen), "%s", s->silence.text);
	play(&a, 1);
	cr_assert_not(s->silent);
	run_for(&a, 200);
	cr_assert(s->silent);
	play(&a, 1);
	cr_assert_not(s->silent);
	expect_whole(&a, 2);
}

Test(source_udp, packets_of_others_do_not_break_the_silence_and_are_mentioned)
{
	const struct source *s;
	unsigned int i;

	a.config.silence_ms = 100;
	start(&a);
	s = a.driver.source;
	for (i = 0; i < 20; i++) {
		udp_sensor_send_bytes(&a.sensor, "imu", 3);
		run_for(&a, 10);
	}
	cr_assert(s->silent);
	cr_assert(strstr(s->silence.text, "other datagrams"), "%s", s->silence.text);
}

Test(source_udp, silence_of_0_is_never)
{
	a.config.silence_ms = 0;
	start(&a);
	run_for(&a, 50);
	cr_assert_not(a.driver.source->silent);
}

Test(source_udp, what_was_lost_in_a_silence_is_counted_when_it_ends)
{
	a.config.silence_ms = 50;
	start(&a);
	play(&a, 1);
	udp_sensor_send(&a.sensor, 10);
	run_for(&a, 100);
	cr_assert(a.driver.source->silent);
	udp_sensor_skip(&a.sensor, 7 * FRAME);
	udp_sensor_send(&a.sensor, FRAME - 10);
	play(&a, 2);
	cr_assert_eq(stats(&a)->lost_packets, 7 * FRAME);
}

static void restart_sensor(void)
{
	uint64_t lost, frame;

	start(&a);
	udp_sensor_skip(&a.sensor, 300 * FRAME);
	play(&a, 3);
	udp_sensor_send(&a.sensor, 11);
	run_until(&a, 3 * FRAME + 11);
	frame = a.header.frame_id;
	cr_assert_eq(stats(&a)->lost_packets, 0);
	/* on again, in the middle of a turn, at the frame it begins with, at its clock's beginning */
	a.sensor.options.init++;
	a.sensor.frame = 0;
	a.sensor.packet = 20;
	udp_sensor_send(&a.sensor, FRAME - 20);
	play(&a, 3);
	lost = stats(&a)->lost_packets;
	cr_assert_geq(a.header.frame_id, frame + 3);
	cr_assert_leq(a.header.frame_id, frame + 5);
	/* the rest of the turn that was cut off, and the beginning of the other: no more */
	cr_assert_leq(lost, 21 + 20);
	play(&a, 3);
	cr_assert_eq(stats(&a)->lost_packets, lost);
	cr_assert_eq(stats(&a)->late_packets, 0);
	cr_assert_leq(stats(&a)->partial_frames, 2);
	cr_assert_geq(stats(&a)->partial_frames, 1);
}

Test(source_udp, a_sensor_that_begins_anew_goes_on_forward)
{
	restart_sensor();
}

Test(source_udp, a_sensor_without_a_header_that_begins_anew_goes_on_forward)
{
	finish(&a);
	memset(&a, 0, sizeof(a));
	configure(&a, (struct ouster_capture_options){ 0 }, 0);
	restart_sensor();
}

Test(source_udp, a_multicast_group_is_joined)
{
	struct udp_address group = { 239u << 24 | ((uint32_t)getpid() & 0xffffff), PORT };
	struct in_addr lo = { htonl(INADDR_LOOPBACK) };

	udp_sensor_close(&a.sensor);
	udp_address_format(&group, a.config.listen);
	strcpy(a.config.interface, "lo");
	udp_sensor_open(&a.sensor, &(struct udp_address){ INADDR_LOOPBACK, PORT }, INADDR_LOOPBACK,
			&(struct ouster_capture_options){ .rng15 = true });
	cr_assert_eq(setsockopt(a.sensor.fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)), 0);
	{
		struct sockaddr_in sa = udp_address_to_sockaddr(&group);

		cr_assert_eq(connect(a.sensor.fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	}
	start(&a);
	play(&a, 2);
	expect_whole(&a, 2);
}

Test(source_udp, broadcasts_are_taken)
{
	struct udp_address any = { INADDR_ANY, (uint16_t)(20000 + getpid() % 10000) };

	udp_sensor_close(&a.sensor);
	udp_address_format(&any, a.config.listen);
	udp_sensor_open(&a.sensor, &(struct udp_address){ 0x7fffffff, any.port }, 0,
			&(struct ouster_capture_options){ .rng15 = true });
	start(&a);
	play(&a, 2);
	expect_whole(&a, 2);
}

static void expect_start_fails(int error, const char *says)
{
	cr_assert_eq(source_driver_new(&a.driver, &a.config), 0);
	cr_assert_eq(a.driver.source->ops->start(a.driver.source, &a.driver.problem), error);
	cr_assert(strstr(a.driver.problem.text, says), "%s", a.driver.problem.text);
}

Test(source_udp, without_an_address_it_does_not_start)
{
	a.config.listen[0] = '\0';
	expect_start_fails(-EINVAL, "listen");
}

Test(source_udp, without_a_decoder_it_does_not_start)
{
	strcpy(a.config.decoder, "nonsense");
	expect_start_fails(-EINVAL, "nonsense");
}

Test(source_udp, at_an_interface_that_is_not_there_it_does_not_start)
{
	strcpy(a.config.listen, "239.1.2.3:7502");
	strcpy(a.config.interface, "absent0");
	expect_start_fails(-ENODEV, "absent0");
}
