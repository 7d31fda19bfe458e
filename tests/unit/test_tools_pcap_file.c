/* SPDX-License-Identifier: Apache-2.0 */
/* A capture that lidarctl writes; that lidard reads it is for tests/system/test_udp.py. */
#include "tools/pcap_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/lidard-pcap-XXXXXX";
static char path[64];
static char part[80];
static struct pcap_file file;
static const struct lidard_packet packet = {
	.data = "abc", .bytes = 3, .realtime_ns = 1700000000123456789, .source_address = 0xc0a80214,
	.destination_address = 0x0a000001, .source_port = 49152, .destination_port = 7502,
};

static void begin(void)
{
	cr_assert(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/a.pcap", directory);
	snprintf(part, sizeof(part), "%s.part", path);
	cr_assert_eq(pcap_file_open(&file, path, 4096), 0);
}

static void end(void)
{
	pcap_file_abandon(&file);
	unlink(path);
	rmdir(directory);
}

TestSuite(tools_pcap_file, .init = begin, .fini = end);

Test(tools_pcap_file, a_packet_is_a_record_as_other_tools_read_it)
{
	static const uint8_t expected[] = {
		/* magic of nanoseconds, 2.4, Ethernet */
		0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
		/* 1700000000 s, 123456789 ns, 45 bytes twice */
		0x00, 0xf1, 0x53, 0x65, 0x15, 0xcd, 0x5b, 0x07, 45, 0, 0, 0, 45, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0,
		/* the checksum by hand: 4500 + 001f + 4000 + 4011 + c0a8 + 0214 + 0a00 + 0001 = 191ed */
		0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0x6e, 0x11, 192, 168, 2, 20, 10, 0, 0, 1,
		0xc0, 0x00, 0x1d, 0x4e, 0, 11, 0, 0, 'a', 'b', 'c',
	};
	uint8_t found[sizeof(expected) + 1];
	size_t i;
	FILE *f;

	cr_assert_eq(pcap_file_add(&file, &packet), 1);
	cr_assert_lt(access(path, F_OK), 0, "it has its name before it is whole");
	cr_assert_eq(pcap_file_commit(&file), 0);
	f = fopen(path, "r");
	cr_assert_eq(fread(found, 1, sizeof(found), f), sizeof(expected));
	fclose(f);
	for (i = 0; i < sizeof(expected); i++)
		cr_assert_eq(found[i], expected[i], "byte %zu: %02x, not %02x", i, found[i],
			     expected[i]);
	cr_assert_lt(access(part, F_OK), 0);
}

Test(tools_pcap_file, a_full_file_takes_no_more_and_stays_whole)
{
	unsigned int count = 0;
	struct stat st;

	while (pcap_file_add(&file, &packet) == 1)
		count++;
	cr_assert_eq(count, (4096 - 24) / 61);
	cr_assert_eq(pcap_file_commit(&file), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_size, 24 + 61 * (off_t)count);
}

Test(tools_pcap_file, what_cannot_be_a_datagram_is_refused)
{
	static char data[65536];
	struct lidard_packet large = packet;

	file.limit = 1 << 20;
	large.data = data;
	large.bytes = 65507;
	cr_assert_eq(pcap_file_add(&file, &large), 1);
	large.bytes = 65508;
	cr_assert_eq(pcap_file_add(&file, &large), -EMSGSIZE);
}

Test(tools_pcap_file, what_is_abandoned_is_gone)
{
	struct pcap_file other;

	cr_assert_eq(access(part, F_OK), 0);
	pcap_file_abandon(&file);
	pcap_file_abandon(&file);
	cr_assert_lt(access(part, F_OK), 0);
	cr_assert_lt(access(path, F_OK), 0);
	cr_assert_eq(pcap_file_open(&other, "/nonexistent/a.pcap", 4096), -ENOENT);
}
