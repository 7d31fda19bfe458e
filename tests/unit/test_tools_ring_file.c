/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ring_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)

static struct ring_file ring;
static uint8_t piece[300000];

static int create_or_fail(uint64_t bytes)
{
	uint64_t got = bytes, rate = 0;
	int fd = ring_file_create("/tmp", &got, &rate);

	cr_assert_geq(fd, 0, "%s", strerror(-fd));
	cr_assert_eq(got, bytes);
	cr_assert_gt(rate, 0);
	return fd;
}

/* The stream that is added: each byte tells where it belongs. */
static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static void add_or_fail(uint64_t at, uint64_t bytes)
{
	uint64_t i;

	cr_assert_leq(bytes, sizeof(piece));
	for (i = 0; i < bytes; i++)
		piece[i] = byte_at(at + i);
	for (i = 0; !ring_file_add(&ring, piece, bytes); i++) {
		cr_assert_lt(i, 10000, "the writer does not come on");
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

/* Add @bytes in odd pieces; Return: bytes. */
static uint64_t add_stream(uint64_t bytes)
{
	uint64_t at, part;

	for (at = 0; at < bytes; at += part) {
		part = 1 + (at * 7919) % sizeof(piece);
		if (part > bytes - at)
			part = bytes - at;
		add_or_fail(at, part);
	}
	return bytes;
}

static void expect_bytes(int fd, uint64_t file_at, uint64_t stream_at, uint64_t bytes)
{
	uint64_t done = 0, i;
	ssize_t n;

	/* what is read need not be aligned */
	fcntl(fd, F_SETFL, 0);
	while (done < bytes) {
		uint64_t want = bytes - done < sizeof(piece) ? bytes - done : sizeof(piece);

		n = pread(fd, piece, want, (off_t)(file_at + done));
		cr_assert_gt(n, 0);
		for (i = 0; i < (uint64_t)n; i++)
			cr_assert(piece[i] == byte_at(stream_at + done + i), "at %lu",
				  (unsigned long)(file_at + done + i));
		done += (uint64_t)n;
	}
}

Test(ring_file, what_is_added_is_in_the_file)
{
	int fd = create_or_fail(16 * MIB);
	uint64_t bytes;

	cr_assert_eq(ring_file_start(&ring, fd, 16 * MIB, 4 * MIB), 0);
	bytes = add_stream(9 * MIB + 12345);
	cr_assert_eq(ring_file_stop(&ring), 0);
	expect_bytes(fd, 0, 0, bytes);
	close(fd);
}

Test(ring_file, a_full_file_goes_on_at_its_beginning)
{
	int fd = create_or_fail(4 * MIB);
	uint64_t bytes;

	cr_assert_eq(ring_file_start(&ring, fd, 4 * MIB, 2 * MIB), 0);
	bytes = add_stream(10 * MIB);
	cr_assert_eq(ring_file_stop(&ring), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_END), 4 * MIB);
	expect_bytes(fd, 0, bytes - 2 * MIB, 2 * MIB);
	expect_bytes(fd, 2 * MIB, bytes - 4 * MIB, 2 * MIB);
	close(fd);
}

Test(ring_file, more_than_staging_holds_is_refused)
{
	static uint8_t large[2 * MIB + 1];
	int fd = create_or_fail(4 * MIB);

	cr_assert_eq(ring_file_start(&ring, fd, 4 * MIB, 2 * MIB), 0);
	cr_assert_not(ring_file_add(&ring, large, sizeof(large)));
	cr_assert(ring_file_add(&ring, large, sizeof(large) - 1));
	cr_assert_eq(ring_file_stop(&ring), 0);
	close(fd);
}

Test(ring_file, nothing_added_is_no_error)
{
	int fd = create_or_fail(MIB);

	cr_assert_eq(ring_file_start(&ring, fd, MIB, MIB), 0);
	cr_assert_eq(ring_file_stop(&ring), 0);
	close(fd);
}

Test(ring_file, a_write_that_fails_is_told_and_ends_the_adding)
{
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC), i;

	cr_assert_geq(fd, 0);
	cr_assert_eq(ring_file_start(&ring, fd, 4 * MIB, 2 * MIB), 0);
	for (i = 0; i < 10000 && ring_file_add(&ring, piece, sizeof(piece)); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	cr_assert_lt(i, 10000);
	cr_assert_eq(ring_file_stop(&ring), -ENOSPC);
	close(fd);
}
