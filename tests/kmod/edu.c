/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edu.c - lidar_ring over a real bus master behind an IOMMU
 *
 *	edu /dev/lidarN /sys/bus/pci/devices/ADDRESS
 *
 * Streams a few slices from kmod/tests/lidar_edu.c into memory of either kind
 * and looks at every word of them.  Then has the device write where it may not:
 * to the CPU's address of a slot, and to the device's own address of a slot
 * that has been given back.  The memory must not change; that it does change as
 * long as the address is mapped shows that the test can see it.
 *
 * The kernel's log of the IOMMU's faults is for the caller to look at; the two
 * addresses are on stdout.  Exit status 0, or 1 and a line on stderr.
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
#include <unistd.h>

#include "uapi/lidar_ring.h"

#define SLOTS 4u
#define SLOT_BYTES 4096u
#define EDU_BYTES 4088u
#define SLICES 6u
#define CANARY 0x5a

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("edu: ", stderr);
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

static uint8_t *map_or_die(size_t bytes, int protection, int flags, int fd, off_t offset)
{
	uint8_t *p = mmap(NULL, bytes, protection, flags, fd, offset);

	if (p == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	return p;
}

/* Set up a ring of one kind of memory. Return: where its slots are. */
static uint8_t *set_up(int fd, enum lidar_ring_memory kind)
{
	struct lidar_ring_setup setup = {
		.memory = kind, .slot_count = SLOTS, .slot_bytes = SLOT_BYTES};
	struct lidar_ring_register memory = {
		.length = SLOTS * SLOT_BYTES, .stride = SLOT_BYTES, .count = SLOTS};
	uint8_t *slots;

	call_or_die(fd, LIDAR_RING_IOC_SETUP, &setup, "SETUP");
	if (kind == LIDAR_RING_MEMORY_KERNEL)
		return map_or_die(setup.layout.data_bytes, PROT_READ, MAP_SHARED, fd,
				  setup.layout.data_offset);
	slots = map_or_die(SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	memory.address = (uintptr_t)slots;
	call_or_die(fd, LIDAR_RING_IOC_REGISTER, &memory, "REGISTER");
	return slots;
}

static void check_slice(const uint8_t *slots, const struct lidar_ring_desc *desc, uint64_t seq)
{
	const uint64_t *words = (const uint64_t *)(const void *)(slots + desc->offset);
	unsigned int i;

	if (desc->bytes != EDU_BYTES || desc->seq != seq)
		die("slice %" PRIu64 " came as %" PRIu64 " with %u bytes", seq,
		    (uint64_t)desc->seq, desc->bytes);
	if (words[0] != seq << 20)
		die("slice %" PRIu64 " begins with %#" PRIx64, seq, words[0]);
	for (i = 1; i < EDU_BYTES / 8; i++)
		if (words[i] != i)
			die("word %u of slice %" PRIu64 " is %#" PRIx64, i, seq, words[i]);
}

static void stream(int fd, const uint8_t *slots)
{
	struct lidar_ring_start start = {.flags = LIDAR_RING_START_QUEUE_ALL};
	uint64_t seq;

	call_or_die(fd, LIDAR_RING_IOC_START, &start, "START");
	for (seq = 0; seq < SLICES; seq++) {
		struct lidar_ring_get_frame get = {.timeout_ns = 10000000000};
		struct lidar_ring_release_frame release = {0};

		call_or_die(fd, LIDAR_RING_IOC_GET_FRAME, &get, "GET_FRAME");
		check_slice(slots, &get.desc, seq);
		release.offset = get.desc.offset;
		call_or_die(fd, LIDAR_RING_IOC_RELEASE_FRAME, &release, "RELEASE_FRAME");
	}
	call_or_die(fd, LIDAR_RING_IOC_STOP, NULL, "STOP");
}

static int open_in(const char *folder, const char *name, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void read_addresses(const char *folder, uint64_t *ret_dma, uint64_t *ret_physical)
{
	FILE *f = fdopen(open_in(folder, "last_address", O_RDONLY), "r");

	if (!f || fscanf(f, "%" SCNx64 " %" SCNx64, ret_dma, ret_physical) != 2)
		die("cannot read last_address");
	fclose(f);
}

/* Return: whether a write of the device to an address of that kind changes the slots. */
static int write_changes(const char *folder, const char *kind, uint8_t *slots)
{
	int fd = open_in(folder, "rogue_write", O_WRONLY);
	unsigned int i;

	memset(slots, CANARY, SLOTS * SLOT_BYTES);
	if (write(fd, kind, strlen(kind)) < 0)
		die("rogue_write: %s", strerror(errno));
	close(fd);
	for (i = 0; i < SLOTS * SLOT_BYTES; i++)
		if (slots[i] != CANARY)
			return 1;
	return 0;
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void try_strays(int fd, const char *folder, uint8_t *slots)
{
	uint64_t dma, physical;

	read_addresses(folder, &dma, &physical);
	printf("%" PRIx64 " %" PRIx64 "\n", dma, physical);
	if (dma == physical)
		die("the device's address of a slot is the CPU's: no IOMMU in between?");
	if (!write_changes(folder, "mapped", slots))
		die("a write to mapped memory is not seen");
	if (write_changes(folder, "physical", slots))
		die("a write to the CPU's address arrived");
	close(fd);
	if (write_changes(folder, "mapped", slots))
		die("a write arrived after the memory was unmapped");
}

int main(int argc, char **argv)
{
	uint8_t *slots;
	int fd;

	if (argc != 3)
		die("usage: edu /dev/lidarN /sys/bus/pci/devices/ADDRESS");
	fd = open_device(argv[1]);
	slots = set_up(fd, LIDAR_RING_MEMORY_KERNEL);
	stream(fd, slots);
	/* a mapping of the device keeps it open */
	munmap(slots, SLOTS * SLOT_BYTES);
	close(fd);
	fd = open_device(argv[1]);
	slots = set_up(fd, LIDAR_RING_MEMORY_USER);
	stream(fd, slots);
	try_strays(fd, argv[2], slots);
	return 0;
}
