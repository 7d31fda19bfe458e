/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop.c - when STOP and the last close have returned, the device writes no more
 *
 *	stop /dev/lidarN SLOT_BYTES ROUNDS
 *
 * Each round streams into this process's own memory until a few slices have
 * come, and ends, by STOP or by close in turn, at another moment of a slice.
 * Then the memory is filled with something else, and must still be that after
 * the time several slices take.  A slot that still belongs to the kernel after
 * STOP fails the round, too.
 *
 * Exit status 0, or 1 and a line on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "uapi/lidar_ring.h"

#define SLOTS 8u
#define SLICES 3u
#define CANARY 0xa5
#define QUIET_MS 40

struct round {
	int fd;
	size_t slot_bytes;
	uint8_t *memory;
	const uint8_t *control;
	size_t control_bytes;
	uint32_t slot_states;
};

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("stop: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void call_or_die(int fd, unsigned long request, void *argument, const char *name)
{
	if (ioctl(fd, request, argument) < 0)
		die("%s: %s", name, strerror(errno));
}

static void sleep_us(unsigned int us)
{
	struct timespec t = {.tv_nsec = us * 1000L};

	nanosleep(&t, NULL);
}

static void begin(struct round *r, const char *path)
{
	struct lidar_ring_setup setup = {
		.memory = LIDAR_RING_MEMORY_USER, .slot_count = SLOTS, .slot_bytes = r->slot_bytes};
	struct lidar_ring_register memory = {.address = (uintptr_t)r->memory,
					     .length = SLOTS * r->slot_bytes,
					     .stride = r->slot_bytes,
					     .count = SLOTS};
	struct lidar_ring_start start = {.flags = LIDAR_RING_START_QUEUE_ALL};
	void *control;

	r->fd = open(path, O_RDWR | O_CLOEXEC);
	if (r->fd < 0)
		die("%s: %s", path, strerror(errno));
	call_or_die(r->fd, LIDAR_RING_IOC_SETUP, &setup, "SETUP");
	control = mmap(NULL, setup.layout.control_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       setup.layout.control_offset);
	if (control == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	r->control = control;
	r->control_bytes = setup.layout.control_bytes;
	r->slot_states = setup.layout.slot_states;
	call_or_die(r->fd, LIDAR_RING_IOC_REGISTER, &memory, "REGISTER");
	call_or_die(r->fd, LIDAR_RING_IOC_START, &start, "START");
}

static void take_some(struct round *r)
{
	unsigned int i;

	for (i = 0; i < SLICES; i++) {
		struct lidar_ring_get_frame get = {.timeout_ns = 10000000000};
		struct lidar_ring_release_frame release = {0};

		call_or_die(r->fd, LIDAR_RING_IOC_GET_FRAME, &get, "GET_FRAME");
		release.offset = get.desc.offset;
		call_or_die(r->fd, LIDAR_RING_IOC_RELEASE_FRAME, &release, "RELEASE_FRAME");
	}
}

static void check_states(const struct round *r)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		uint8_t state = __atomic_load_n(r->control + r->slot_states + i, __ATOMIC_ACQUIRE);

		if (state == LIDAR_RING_SLOT_QUEUED || state == LIDAR_RING_SLOT_FILLING)
			die("slot %u is in state %u after STOP", i, state);
	}
}

static void end(struct round *r, int by_close)
{
	if (!by_close) {
		call_or_die(r->fd, LIDAR_RING_IOC_STOP, NULL, "STOP");
		check_states(r);
	}
	/* a mapping of the device keeps it open */
	munmap((void *)(uintptr_t)r->control, r->control_bytes);
	if (by_close)
		close(r->fd);
}

static void expect_quiet(struct round *r, unsigned int number)
{
	size_t bytes = SLOTS * r->slot_bytes, i;

	memset(r->memory, CANARY, bytes);
	sleep_us(QUIET_MS * 1000);
	for (i = 0; i < bytes; i++)
		if (r->memory[i] != CANARY)
			die("round %u: byte %zu of slot %zu was written after the end", number,
			    i % r->slot_bytes, i / r->slot_bytes);
}

int main(int argc, char **argv)
{
	struct round r = {.fd = -1};
	unsigned int rounds, i;

	if (argc != 4)
		die("usage: stop /dev/lidarN SLOT_BYTES ROUNDS");
	r.slot_bytes = strtoull(argv[2], NULL, 0);
	rounds = strtoul(argv[3], NULL, 0);
	r.memory = mmap(NULL, SLOTS * r.slot_bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r.memory == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	for (i = 0; i < rounds; i++) {
		begin(&r, argv[1]);
		take_some(&r);
		sleep_us(i * 137 % 2000);
		end(&r, i & 1);
		expect_quiet(&r, i);
		if (!(i & 1))
			close(r.fd);
	}
	printf("%u rounds: nothing was written after the end\n", rounds);
	return 0;
}
