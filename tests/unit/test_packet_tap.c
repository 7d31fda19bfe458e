/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for who records them: what is written, and what a client cannot do to lidard. */
#include "daemon/packet_tap.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

#define DATA_BYTES 8192u

static struct packet_taps taps;
static struct packet_tap *tap;
static uint64_t tail;

static void begin(void)
{
	cr_assert_eq(packet_tap_new(&taps, DATA_BYTES, &tap), 0);
}

static void end(void)
{
	packet_tap_free(tap);
}

TestSuite(packet_tap, .init = begin, .fini = end);

/* A packet of so many bytes, all of them @value. */
static void add(size_t bytes, uint8_t value)
{
	struct lidard_packet_record record = { .source_port = value, .realtime_ns = bytes };
	static uint8_t data[65536];

	memset(data, value, bytes);
	packet_taps_add(&taps, &record, data, bytes);
}

/* Read one as the client does. Return: false: there is none. */
static bool take(size_t bytes, uint8_t value)
{
	struct lidard_packet_record record;
	const uint8_t *at = tap->data + tail % DATA_BYTES;
	size_t i;

	if (tail == tap->ring->head)
		return false;
	if (memcmp(at, &(uint32_t){ LIDARD_PACKET_RECORD_SKIP }, 4) == 0) {
		tail += DATA_BYTES - tail % DATA_BYTES;
		at = tap->data;
	}
	memcpy(&record, at, sizeof(record));
	cr_assert_leq(at + sizeof(record) + bytes, tap->data + DATA_BYTES, "it lies in two pieces");
	cr_assert_eq(record.bytes, bytes);
	cr_assert_eq(record.source_port, value);
	cr_assert_eq(record.realtime_ns, bytes);
	for (i = 0; i < bytes && at[sizeof(record) + i] == value; i++)
		;
	cr_assert_eq(i, bytes, "byte %zu of %zu", i, bytes);
	tail += (sizeof(record) + bytes + 7) / 8 * 8;
	tap->ring->tail = tail;
	return true;
}

Test(packet_tap, packets_go_round_and_come_out_as_they_went_in)
{
	static const size_t sizes[] = { 1, 0, 1206, 7, 8, 9, 4000, 33 };
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		add(sizes[i % 8], (uint8_t)i);
		cr_assert(take(sizes[i % 8], (uint8_t)i), "packet %u", i);
	}
	cr_assert(!take(0, 0));
	cr_assert_eq(tap->ring->lost, 0);
}

Test(packet_tap, records_of_any_size_lie_in_one_piece)
{
	size_t bytes;

	for (bytes = 0; bytes < 4000; bytes++) {
		add(bytes, (uint8_t)bytes);
		cr_assert(take(bytes, (uint8_t)bytes));
	}
}

Test(packet_tap, what_is_left_at_the_end_is_no_room)
{
	add(3000, 1);
	cr_assert(take(3000, 1));
	add(3000, 2);
	/* 2144 bytes to the end, and 3024 before what waits */
	add(3001, 3);
	cr_assert_eq(tap->ring->lost, 1);
	add(3000, 4);
	cr_assert_eq(tap->ring->lost, 1);
	cr_assert(take(3000, 2));
	cr_assert(take(3000, 4));
}

Test(packet_tap, several_wait_in_order)
{
	unsigned int i, k;

	for (i = 0; i < 100; i++) {
		for (k = 0; k < 5; k++)
			add(1000 + k, (uint8_t)(i + k));
		for (k = 0; k < 5; k++)
			cr_assert(take(1000 + k, (uint8_t)(i + k)));
	}
	cr_assert_eq(tap->ring->lost, 0);
}

Test(packet_tap, what_there_is_no_room_for_is_counted_and_changes_nothing)
{
	unsigned int i;

	/* 1024 bytes each */
	for (i = 0; i < 10; i++)
		add(1000, (uint8_t)i);
	cr_assert_eq(tap->ring->lost, 2);
	cr_assert_eq(taps.lost, 2);
	for (i = 0; i < 8; i++)
		cr_assert(take(1000, (uint8_t)i));
	cr_assert(!take(0, 0));
	add(1000, 77);
	cr_assert(take(1000, 77));
	add(DATA_BYTES, 1);
	cr_assert_eq(tap->ring->lost, 3, "larger than the ring");
}

Test(packet_tap, a_full_ring_is_exactly_full)
{
	add(DATA_BYTES - sizeof(struct lidard_packet_record), 5);
	cr_assert_eq(tap->ring->lost, 0);
	add(0, 6);
	cr_assert_eq(tap->ring->lost, 1);
	cr_assert(take(DATA_BYTES - sizeof(struct lidard_packet_record), 5));
}

Test(packet_tap, whatever_the_client_writes_lidard_writes_inside)
{
	static const uint64_t tails[] = { 1, 7, 1 << 20, 1ull << 63, UINT64_MAX, UINT64_MAX - 4095 };
	const uint64_t bytes = LIDARD_PACKET_RING_HEADER_BYTES + DATA_BYTES;
	size_t i, k;

	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		/* head, sizes and data of a client's liking */
		memset(tap->ring, 0xff, bytes);
		tap->ring->tail = tails[i];
		for (k = 0; k < 50; k++)
			add(k * 41, 3);
		/* more than there is: it would be written beyond the end */
		add(60000, 3);
	}
	cr_assert_leq(tap->head, sizeof(tails) / sizeof(tails[0]) * 50 * 3000);
	for (k = 0; k < 50; k++) {
		tap->ring->tail = tap->head - k * 97;
		add(k * 41, 3);
	}
}

Test(packet_tap, each_of_several_has_its_own_losses)
{
	struct packet_tap *large;

	cr_assert_eq(packet_tap_new(&taps, 4 * DATA_BYTES, &large), 0);
	add(5000, 1);
	add(5000, 1);
	cr_assert_eq(tap->ring->lost, 1);
	cr_assert_eq(large->ring->lost, 0);
	cr_assert_eq(taps.lost, 1);
	packet_tap_free(large);
	add(5000, 1);
	cr_assert_eq(tap->ring->lost, 2);
}

Test(packet_tap, the_packets_of_a_slice_go_one_by_one_as_far_as_they_make_sense)
{
	struct lidard_packet_record record;
	/* 3 bytes, 4 bytes, and one that says more than there is */
	static const uint8_t payload[] = { 3, 0, 0, 0, 'a', 'b', 'c', 0, 4,   0, 0, 0,
					   'd', 'e', 'f', 'g', 9, 0, 0, 0, 'x', 0, 0, 0 };
	uint64_t before_ns = clock_read_ns(CLOCK_REALTIME);

	packet_taps_add_payload(&taps, payload, sizeof(payload), clock_now_ns() - 5000000000);
	memcpy(&record, tap->data, sizeof(record));
	cr_assert_eq(record.bytes, 3);
	cr_assert_eq(record.source_address, 0);
	cr_assert_lt(record.realtime_ns, before_ns - 4000000000);
	cr_assert_gt(record.realtime_ns, before_ns - 6000000000);
	cr_assert_eq(memcmp(tap->data + 24, "abc", 3), 0);
	memcpy(&record, tap->data + 32, sizeof(record));
	cr_assert_eq(record.bytes, 4);
	cr_assert_eq(memcmp(tap->data + 56, "defg", 4), 0);
	cr_assert_eq(tap->ring->head, 64);
}

Test(packet_tap, after_the_end_nothing_comes_and_what_was_there_stays)
{
	add(10, 4);
	packet_taps_end(&taps, LIDARD_PACKETS_END_OF_STREAM);
	cr_assert_eq(tap->ring->ended, LIDARD_PACKETS_END_OF_STREAM);
	add(10, 5);
	cr_assert(take(10, 4));
	cr_assert(!take(10, 5));
	cr_assert_null(LIST_FIRST(&taps.list));
}

Test(packet_tap, its_file_cannot_be_resized_and_is_empty_once_it_is_freed)
{
	int fd = fcntl(tap->fd, F_DUPFD_CLOEXEC, 0);
	struct stat st;

	cr_assert_lt(ftruncate(fd, 0), 0);
	cr_assert_lt(ftruncate(fd, 1 << 20), 0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_geq(st.st_blocks * 512, (blkcnt_t)(DATA_BYTES + LIDARD_PACKET_RING_HEADER_BYTES));
	tap = packet_tap_free(tap);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_blocks, 0);
	close(fd);
}
