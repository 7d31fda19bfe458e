/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/capture.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/pcap_writer.h"

#define SECOND 1000000000ull

static struct pcap_writer w;
static struct capture *c;
static struct problem problem;
static struct datagram d;
static uint8_t big[40000];

static void setup(void)
{
	size_t i;

	for (i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 + i / 256);
	pcap_writer_deinit(&w);
	pcap_writer_init(&w, PCAP_LINK_ETHERNET, false);
}

static void teardown(void)
{
	c = capture_free(c);
	pcap_writer_deinit(&w);
}

TestSuite(capture, .init = setup, .fini = teardown);

static void open_or_fail(void)
{
	cr_assert_eq(capture_open_memory("made-up.pcap", w.data, w.bytes, &c, &problem), 0, "%s",
		     problem.text);
}

/* The next datagram or the end. */
static int next(void)
{
	int result;

	do {
		result = capture_next(c, &d, &problem);
	} while (result == CAPTURE_NOTHING);
	return result;
}

static void expect_datagram(const void *data, size_t bytes)
{
	cr_assert_eq(next(), CAPTURE_DATAGRAM);
	cr_assert_eq(d.bytes, bytes, "%zu bytes", d.bytes);
	cr_assert_eq(memcmp(d.data, data, bytes), 0);
}

static struct capture_stats stats(void)
{
	struct capture_stats s;

	capture_get_stats(c, &s);
	return s;
}

Test(capture, a_datagram_comes_with_its_addresses_and_time)
{
	pcap_writer_datagram(&w, &(struct pcap_packet){
		.time_ns = 5 * SECOND + 123456000, .source = 0xc0a80001, .destination = 0xe0000001,
		.source_port = 1000, .destination_port = 2000, .data = big, .bytes = 100 });
	open_or_fail();
	expect_datagram(big, 100);
	cr_assert_eq(d.time_ns, 5 * SECOND + 123456000);
	cr_assert_eq(d.source_address, 0xc0a80001);
	cr_assert_eq(d.destination_address, 0xe0000001);
	cr_assert_eq(d.source_port, 1000);
	cr_assert_eq(d.destination_port, 2000);
	cr_assert_eq(next(), CAPTURE_END);
	cr_assert_eq(next(), CAPTURE_END);
	cr_assert_eq(stats().cut_ends, 0);
}

Test(capture, nanoseconds_survive)
{
	pcap_writer_deinit(&w);
	pcap_writer_init(&w, PCAP_LINK_ETHERNET, true);
	pcap_writer_datagram(&w, &(struct pcap_packet){ .time_ns = 7 * SECOND + 123456789, .data = big,
							.bytes = 10 });
	open_or_fail();
	expect_datagram(big, 10);
	cr_assert_eq(d.time_ns, 7 * SECOND + 123456789);
}

Test(capture, impossible_times_become_possible_ones)
{
	pcap_writer_deinit(&w);
	pcap_writer_init(&w, PCAP_LINK_ETHERNET, true);
	pcap_writer_datagram(&w, &(struct pcap_packet){ .time_ns = 7, .data = big, .bytes = 10 });
	memset(w.data + 24, 0xff, 8);
	open_or_fail();
	expect_datagram(big, 10);
	cr_assert_lt(d.time_ns, (uint64_t)INT64_MAX);
}

ParameterizedTestParameters(capture, every_link_type_is_understood)
{
	static uint32_t links[] = { PCAP_LINK_NULL, PCAP_LINK_ETHERNET, PCAP_LINK_RAW,
				    PCAP_LINK_LOOP, PCAP_LINK_SLL, PCAP_LINK_SLL2 };

	return cr_make_param_array(uint32_t, links, sizeof(links) / sizeof(links[0]));
}

ParameterizedTest(uint32_t *link, capture, every_link_type_is_understood)
{
	setup();
	pcap_writer_deinit(&w);
	pcap_writer_init(&w, *link, false);
	pcap_writer_datagram(&w, &(struct pcap_packet){ .data = big, .bytes = 77 });
	open_or_fail();
	expect_datagram(big, 77);
	teardown();
}

Test(capture, another_link_type_is_named_and_refused)
{
	pcap_writer_deinit(&w);
	pcap_writer_init(&w, 105, false);
	cr_assert_eq(capture_open_memory("x.pcap", w.data, w.bytes, &c, &problem), -EINVAL);
	cr_assert(strstr(problem.text, "x.pcap") && strstr(problem.text, "105") &&
		  strstr(problem.text, "Ethernet"), "%s", problem.text);
}

Test(capture, vlan_tags_are_peeled_however_many)
{
	unsigned int vlans;

	for (vlans = 1; vlans <= 5; vlans++)
		pcap_writer_datagram(&w, &(struct pcap_packet){ .vlans = vlans, .data = big + vlans,
								.bytes = 20 });
	open_or_fail();
	for (vlans = 1; vlans <= 5; vlans++)
		expect_datagram(big + vlans, 20);
}

Test(capture, ip_options_are_skipped)
{
	pcap_writer_datagram(&w, &(struct pcap_packet){ .option_bytes = 40, .data = big, .bytes = 20 });
	open_or_fail();
	expect_datagram(big, 20);
}

Test(capture, an_empty_datagram_is_one)
{
	pcap_writer_datagram(&w, &(struct pcap_packet){ .data = big, .bytes = 0 });
	open_or_fail();
	expect_datagram(big, 0);
}

Test(capture, ethernet_padding_is_no_data)
{
	uint8_t padded[64] = { 0 };

	pcap_writer_datagram(&w, &(struct pcap_packet){ .data = big, .bytes = 4 });
	memcpy(padded, w.data + 24 + 16, 46);
	pcap_writer_record(&w, 0, padded, 60, 60);
	open_or_fail();
	expect_datagram(big, 4);
	expect_datagram(big, 4);
}

Test(capture, what_is_not_ipv4_udp_is_counted_and_left_out)
{
	uint8_t arp[60] = { [12] = 0x08, [13] = 0x06 };
	uint8_t tcp[60] = { [12] = 0x08, [14] = 0x45, [17] = 40, [23] = 6 };

	pcap_writer_record(&w, 0, arp, 60, 60);
	pcap_writer_record(&w, 0, tcp, 60, 60);
	pcap_writer_datagram(&w, &(struct pcap_packet){ .data = big, .bytes = 4 });
	open_or_fail();
	expect_datagram(big, 4);
	cr_assert_eq(stats().other_records, 2);
	cr_assert_eq(stats().malformed_records, 0);
}

Test(capture, one_call_reads_one_record)
{
	uint8_t arp[60] = { [12] = 0x08, [13] = 0x06 };

	pcap_writer_record(&w, 0, arp, 60, 60);
	pcap_writer_record(&w, 0, arp, 60, 60);
	open_or_fail();
	cr_assert_eq(capture_next(c, &d, &problem), CAPTURE_NOTHING);
	cr_assert_eq(stats().records, 1);
}

Test(capture, records_cut_by_the_snapshot_length_are_counted_and_left_out)
{
	uint8_t frame[200] = { 0 };

	pcap_writer_record(&w, 0, frame, 96, 200);
	pcap_writer_datagram(&w, &(struct pcap_packet){ .data = big, .bytes = 4 });
	open_or_fail();
	expect_datagram(big, 4);
	cr_assert_eq(stats().truncated_records, 1);
}

/* A good record of 18 + 28 bytes, one byte of it changed. */
static void expect_malformed(size_t at, uint8_t value)
{
	setup();
	pcap_writer_datagram(&w, &(struct pcap_packet){ .data = big, .bytes = 4 });
	w.data[24 + 16 + at] = value;
	open_or_fail();
	cr_assert_eq(next(), CAPTURE_END, "byte %zu = %u", at, value);
	cr_assert_eq(stats().malformed_records, 1, "byte %zu = %u", at, value);
	teardown();
}

Test(capture, lengths_that_contradict_are_malformed)
{
	expect_malformed(14, 0x44); /* header shorter than a header */
	expect_malformed(14, 0x4f); /* header longer than the packet */
	expect_malformed(16, 0xff); /* packet longer than the record */
	expect_malformed(17, 19);   /* packet shorter than its header */
	expect_malformed(17, 24);   /* no room for UDP */
	expect_malformed(39, 7);    /* UDP shorter than its header */
	expect_malformed(39, 13);   /* UDP longer than the packet */
}

Test(capture, fragments_become_a_datagram)
{
	pcap_writer_fragments(&w, &(struct pcap_packet){ .data = big, .bytes = 12608 }, 1480, false);
	open_or_fail();
	expect_datagram(big, 12608);
	cr_assert_eq(stats().fragments, 9);
	cr_assert_eq(next(), CAPTURE_END);
	cr_assert_eq(stats().incomplete_datagrams, 0);
}

Test(capture, fragments_in_any_order_become_a_datagram)
{
	pcap_writer_fragments(&w, &(struct pcap_packet){ .data = big, .bytes = 12608 }, 1480, true);
	open_or_fail();
	expect_datagram(big, 12608);
}

Test(capture, fragments_twice_and_overlapping_become_a_datagram)
{
	struct pcap_packet p = { .data = big, .bytes = 4000 };

	pcap_writer_fragment(&w, &p, 0, 1480, true);
	pcap_writer_fragment(&w, &p, 0, 1480, true);
	pcap_writer_fragment(&w, &p, 2960, 4008, false);
	pcap_writer_fragment(&w, &p, 800, 3200, true);
	open_or_fail();
	expect_datagram(big, 4000);
	cr_assert_eq(next(), CAPTURE_END);
	cr_assert_eq(stats().datagrams, 1);
}

Test(capture, fragments_of_two_senders_do_not_mix)
{
	struct pcap_packet a = { .data = big, .bytes = 2000, .id = 7 };
	struct pcap_packet b = { .data = big + 5, .bytes = 2000, .id = 7, .source = 0x0a000009 };

	pcap_writer_fragment(&w, &a, 0, 1480, true);
	pcap_writer_fragment(&w, &b, 0, 1480, true);
	pcap_writer_fragment(&w, &b, 1480, 2008, false);
	pcap_writer_fragment(&w, &a, 1480, 2008, false);
	open_or_fail();
	expect_datagram(big + 5, 2000);
	expect_datagram(big, 2000);
}

Test(capture, an_identification_used_again_replaces_what_was_never_whole)
{
	struct pcap_packet a = { .data = big, .bytes = 2000, .id = 7 };
	struct pcap_packet b = { .data = big + 5, .bytes = 2000, .id = 7 };

	pcap_writer_fragment(&w, &a, 0, 1480, true);
	pcap_writer_fragments(&w, &b, 1480, false);
	open_or_fail();
	expect_datagram(big + 5, 2000);
	cr_assert_eq(stats().incomplete_datagrams, 1);
}

Test(capture, a_fragment_long_after_begins_anew)
{
	struct pcap_packet a = { .data = big, .bytes = 2000, .id = 7 };

	pcap_writer_fragment(&w, &a, 0, 1480, true);
	a.time_ns = 60 * SECOND;
	pcap_writer_fragment(&w, &a, 1480, 2008, false);
	open_or_fail();
	cr_assert_eq(next(), CAPTURE_END);
	cr_assert_eq(stats().incomplete_datagrams, 2);
}

Test(capture, many_unfinished_datagrams_cost_no_more_memory_and_the_oldest)
{
	struct pcap_packet p = { .data = big, .bytes = 2000 };

	for (p.id = 0; p.id < 1000; p.id++)
		pcap_writer_fragment(&w, &p, 0, 1480, true);
	p.id = 999;
	pcap_writer_fragment(&w, &p, 1480, 2008, false);
	open_or_fail();
	expect_datagram(big, 2000);
	cr_assert_eq(next(), CAPTURE_END);
	cr_assert_eq(stats().incomplete_datagrams, 999);
}

Test(capture, fragments_that_cannot_be_are_malformed)
{
	struct pcap_packet p = { .data = big, .bytes = 4000 };

	pcap_writer_fragment(&w, &p, 0, 1481, true); /* not a multiple of 8 */
	pcap_writer_fragment(&w, &p, 0, 0, true);    /* empty */
	pcap_writer_fragment(&w, &p, 0, 1480, true);
	w.data[w.bytes - 1480 - 20 + 6] = 0x3f; /* beyond the largest packet */
	w.data[w.bytes - 1480 - 20 + 7] = 0xff;
	open_or_fail();
	cr_assert_eq(next(), CAPTURE_END);
	cr_assert_eq(stats().malformed_records, 3);
}

Test(capture, a_file_that_was_cut_off_ends_there)
{
	size_t whole, cut;

	pcap_writer_datagram(&w, &(struct pcap_packet){ .data = big, .bytes = 50 });
	whole = w.bytes;
	pcap_writer_datagram(&w, &(struct pcap_packet){ .data = big, .bytes = 50 });
	for (cut = whole + 1; cut < w.bytes; cut++) {
		cr_assert_eq(capture_open_memory("cut.pcap", w.data, cut, &c, &problem), 0);
		expect_datagram(big, 50);
		cr_assert_eq(next(), CAPTURE_END, "cut at %zu: %s", cut, problem.text);
		cr_assert_eq(stats().cut_ends, 1);
		c = capture_free(c);
	}
}

Test(capture, a_corrupt_record_is_an_error_that_names_file_and_record)
{
	uint8_t more[4096] = { 0 };

	pcap_writer_datagram(&w, &(struct pcap_packet){ .data = big, .bytes = 50 });
	pcap_writer_record(&w, 0, more, sizeof(more), sizeof(more));
	memset(w.data + w.bytes - sizeof(more) - 8, 0x7f, 4); /* captured length */
	open_or_fail();
	expect_datagram(big, 50);
	cr_assert_eq(next(), -EBADMSG);
	cr_assert(strstr(problem.text, "made-up.pcap: record 2"), "%s", problem.text);
	cr_assert_eq(next(), CAPTURE_END);
}

Test(capture, rewind_begins_again)
{
	int pass;

	pcap_writer_fragments(&w, &(struct pcap_packet){ .data = big, .bytes = 5000 }, 1480, false);
	open_or_fail();
	for (pass = 0; pass < 3; pass++) {
		expect_datagram(big, 5000);
		cr_assert_eq(next(), CAPTURE_END);
		cr_assert_eq(capture_rewind(c, &problem), 0);
	}
	cr_assert_eq(stats().datagrams, 3);
}

Test(capture, what_is_no_capture_is_refused_with_a_sentence)
{
	cr_assert_eq(capture_open_memory("x", "hello, world, this is text", 26, &c, &problem), -EINVAL);
	cr_assert(strstr(problem.text, "not a capture"), "%s", problem.text);
	cr_assert_eq(capture_open_memory("x", "", 0, &c, &problem), -EINVAL);
	cr_assert_eq(capture_open("/", &c, &problem), -EINVAL);
	cr_assert(strstr(problem.text, "regular file"), "%s", problem.text);
	cr_assert_eq(capture_open("/nonexistent/x.pcap", &c, &problem), -ENOENT);
	cr_assert(strstr(problem.text, "/nonexistent/x.pcap"), "%s", problem.text);
}

Test(capture, a_fifo_is_refused_and_not_waited_for)
{
	char path[] = "/tmp/lidard-fifo-XXXXXX";

	cr_assert_neq(mkdtemp(path), NULL);
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(capture_open(path, &c, &problem), -EINVAL);
	unlink(path);
}

Test(capture, a_file_reads_like_memory)
{
	char path[] = "/tmp/lidard-capture-XXXXXX";

	close(mkstemp(path));
	pcap_writer_datagram(&w, &(struct pcap_packet){ .data = big, .bytes = 300 });
	cr_assert_eq(pcap_writer_save(&w, path), 0);
	cr_assert_eq(capture_open(path, &c, &problem), 0, "%s", problem.text);
	unlink(path);
	expect_datagram(big, 300);
	cr_assert_eq(capture_rewind(c, &problem), 0);
	expect_datagram(big, 300);
	cr_assert_eq(next(), CAPTURE_END);
}
