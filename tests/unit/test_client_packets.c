/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's side of a packet ring, and what it believes. */
#include "libclient/packets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lidard/control.h"

#define DATA_BYTES 8192u
#define BYTES (LIDARD_PACKET_RING_HEADER_BYTES + DATA_BYTES)

static struct lidard_packet_ring *ring;
static uint8_t *data;
static struct lidard_packets *packets;
static struct lidard_packet packet;

static int make_file(size_t bytes, int seals)
{
	int fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert_eq(ftruncate(fd, (off_t)bytes), 0);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void begin(void)
{
	int fd = make_file(BYTES, F_SEAL_SHRINK);

	ring = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert_neq(ring, MAP_FAILED);
	data = (uint8_t *)ring + LIDARD_PACKET_RING_HEADER_BYTES;
	ring->header_bytes = LIDARD_PACKET_RING_HEADER_BYTES;
	ring->data_bytes = DATA_BYTES;
	cr_assert_eq(packets_new(fd, &packets), 0);
	close(fd);
}

static void end(void)
{
	lidard_packets_free(packets);
	munmap(ring, BYTES);
}

TestSuite(client_packets, .init = begin, .fini = end);

/* A record of so many bytes at head; as many as it says are there. */
static void put(uint32_t bytes)
{
	struct lidard_packet_record record = {
		.bytes = bytes, .source_port = 1, .destination_port = 2, .source_address = 3,
		.destination_address = 4, .realtime_ns = 5,
	};

	memcpy(data + ring->head % DATA_BYTES, &record, sizeof(record));
	ring->head += (sizeof(record) + bytes + 7) / 8 * 8;
}

Test(client_packets, a_packet_is_lent_until_the_next_take)
{
	/* without a connection there is none who would send more */
	cr_assert_eq(lidard_packets_take(packets, &packet), -ENOTCONN);
	put(10);
	cr_assert_eq(lidard_packets_take(packets, &packet), 1);
	cr_assert_eq(packet.bytes, 10);
	cr_assert_eq(packet.source_port, 1);
	cr_assert_eq(packet.destination_port, 2);
	cr_assert_eq(packet.source_address, 3);
	cr_assert_eq(packet.destination_address, 4);
	cr_assert_eq(packet.realtime_ns, 5);
	cr_assert_eq(ring->tail, 0);
	cr_assert_eq(lidard_packets_take(packets, &packet), -ENOTCONN);
	cr_assert_eq(ring->tail, 40);
}

Test(client_packets, a_record_that_did_not_fit_is_at_the_beginning)
{
	put(DATA_BYTES - 24 - 64);
	cr_assert_eq(lidard_packets_take(packets, &packet), 1);
	memset(data + DATA_BYTES - 64, 0xff, 4);
	ring->head += 64;
	put(100);
	cr_assert_eq(lidard_packets_take(packets, &packet), 1);
	cr_assert_eq(packet.bytes, 100);
	cr_assert_eq(lidard_packets_take(packets, &packet), -ENOTCONN);
	cr_assert_eq(ring->tail, DATA_BYTES + 128);
}

Test(client_packets, the_end_comes_after_what_was_there)
{
	put(1);
	ring->ended = LIDARD_PACKETS_END_OF_STREAM;
	cr_assert_eq(lidard_packets_take(packets, &packet), 1);
	cr_assert_eq(lidard_packets_take(packets, &packet), -ENODATA);
	ring->lost = 7;
	cr_assert_eq(lidard_packets_get_lost(packets), 7);
}

Test(client_packets, what_makes_no_sense_is_not_read)
{
	static const uint64_t heads[] = { 8, 16, 7, DATA_BYTES + 8, UINT64_MAX, 1ull << 63 };
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		ring->head = heads[i];
		cr_assert_eq(lidard_packets_take(packets, &packet), -EPROTO, "head %llx",
			     (unsigned long long)heads[i]);
	}
	/* longer than what was written, and than the ring */
	ring->head = 0;
	put(100);
	ring->head = 120;
	cr_assert_eq(lidard_packets_take(packets, &packet), -EPROTO);
	*(uint32_t *)(void *)data = LIDARD_PACKET_RECORD_SKIP - 1;
	ring->head = DATA_BYTES;
	cr_assert_eq(lidard_packets_take(packets, &packet), -EPROTO);
	/* all of it skipped, and nothing behind */
	*(uint32_t *)(void *)data = LIDARD_PACKET_RECORD_SKIP;
	cr_assert_eq(lidard_packets_take(packets, &packet), -EPROTO);
	ring->head = 64;
	cr_assert_eq(lidard_packets_take(packets, &packet), -EPROTO);
}

static void refuse(size_t bytes, int seals, uint32_t header_bytes, uint64_t data_bytes)
{
	struct lidard_packet_ring header = { .header_bytes = header_bytes, .data_bytes = data_bytes };
	struct lidard_packets *p;
	int fd = make_file(bytes, seals);

	cr_assert_eq(pwrite(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
	cr_assert_eq(packets_new(fd, &p), -EPROTO);
	close(fd);
}

Test(client_packets, memory_that_is_no_ring_is_refused)
{
	struct lidard_packets *p;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_assert_eq(packets_new(-1, &p), -EPROTO);
	cr_assert_eq(packets_new(fd, &p), -EPROTO);
	close(fd);
	refuse(BYTES, 0, LIDARD_PACKET_RING_HEADER_BYTES, DATA_BYTES);
	refuse(BYTES, F_SEAL_GROW, LIDARD_PACKET_RING_HEADER_BYTES, DATA_BYTES);
	refuse(BYTES, F_SEAL_SHRINK, 192, DATA_BYTES);
	refuse(BYTES, F_SEAL_SHRINK, LIDARD_PACKET_RING_HEADER_BYTES, DATA_BYTES + 4096);
	refuse(LIDARD_PACKET_RING_HEADER_BYTES, F_SEAL_SHRINK, LIDARD_PACKET_RING_HEADER_BYTES, 0);
	refuse(BYTES + 1, F_SEAL_SHRINK, LIDARD_PACKET_RING_HEADER_BYTES, DATA_BYTES + 1);
}
