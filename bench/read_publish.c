/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_publish.c - the baseline: read() a device's slices and publish them by iceoryx
 *
 *	read-publish DEVICE SLICE_BYTES SLOTS SECONDS
 *
 * What one writes without lidard: the kernel copies each slice from its own
 * memory into a chunk, which is published.  Prints bytes and CPU time, JSON.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <iceoryx_binding_c/api.h>

#include "common/clock.h"
#include "lidard/frame.h"
#include "uapi/lidar_ring.h"

static void die(const char *what)
{
	fprintf(stderr, "read-publish: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_device(const char *path, uint64_t slice_bytes, uint32_t slots)
{
	struct lidar_ring_setup setup = {
		.memory = LIDAR_RING_MEMORY_KERNEL,
		.slot_count = slots,
		.slot_bytes = slice_bytes,
	};
	struct lidar_ring_start start = { .flags = LIDAR_RING_START_QUEUE_ALL };
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(path);
	if (ioctl(fd, LIDAR_RING_IOC_SETUP, &setup) < 0)
		die("SETUP");
	if (ioctl(fd, LIDAR_RING_IOC_START, &start) < 0)
		die("START");
	return fd;
}

static iox_pub_t offer(iox_pub_storage_t *storage)
{
	iox_pub_options_t options;

	iox_pub_options_init(&options);
	options.historyCapacity = 0;
	options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_DISCARD_OLDEST_DATA;
	return iox_pub_init(storage, "bench", "front", "slices", &options);
}

/* A slice from the device: read() gives what there is, a slice may take several. */
static void fill(int fd, uint8_t *payload, uint64_t bytes)
{
	uint64_t at = 0;
	ssize_t n;

	while (at < bytes) {
		n = read(fd, payload + at, bytes - at);
		if (n <= 0)
			die("read");
		at += (uint64_t)n;
	}
}

int main(int argc, char **argv)
{
	uint64_t bytes, slices = 0, end_ns, cpu_ns;
	iox_pub_storage_t storage;
	iox_pub_t port;
	void *payload;
	int fd;

	if (argc != 5) {
		fputs("usage: read-publish DEVICE SLICE_BYTES SLOTS SECONDS\n", stderr);
		return 2;
	}
	bytes = strtoull(argv[2], NULL, 0);
	iox_runtime_init("read-publish");
	port = offer(&storage);
	fd = open_device(argv[1], bytes, (uint32_t)strtoul(argv[3], NULL, 0));
	end_ns = clock_now_ns() + strtoull(argv[4], NULL, 0) * NSEC_PER_SEC;
	cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	while (clock_now_ns() < end_ns) {
		if (iox_pub_loan_aligned_chunk_with_user_header(
			    port, &payload, (uint32_t)bytes, LIDARD_PAYLOAD_ALIGN,
			    sizeof(struct lidard_slice_header), 8) != AllocationResult_SUCCESS)
			die("iceoryx has no chunk");
		fill(fd, payload, bytes);
		iox_pub_publish_chunk(port, payload);
		slices++;
	}
	cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	printf("{\"slices\": %" PRIu64 ", \"cpu_ns\": %" PRIu64 "}\n", slices, cpu_ns);
	return 0;
}
