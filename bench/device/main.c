/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - take slices from a device in one way, for a while, and say what that cost
 *
 *	consume WAY DEVICE SLICE_BYTES SLOTS SECONDS
 *	consume scan DEVICE SLICE_BYTES ROUNDS SECONDS
 *
 * WAY: read, get-frame, ring, ring-dmabuf, ring-copy, ring-direct (see ways.c).  The device
 * must make slices of SLICE_BYTES.  Prints one line of JSON: slices, bytes, lost, duration_ns,
 * cpu_ns of this process with its system calls, machine_cpu_ns of everything, and
 * instructions, null where nothing counts them.  scan: see scan.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/device/scan.h"
#include "bench/device/ways.h"
#include "common/clock.h"

#define SECONDS_MAX 3600.0

struct counts {
	uint64_t now_ns;
	uint64_t cpu_ns;
	uint64_t machine_ns;
	uint64_t lost;
	/* -1: nobody counts them */
	int64_t user_instructions;
	int64_t system_instructions;
};

/* Return: an fd; -1: the processor counts none, as an emulated one, or we may not. */
static int open_counter(bool user)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_user = !user,
		.exclude_kernel = user,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int64_t read_counter(int fd)
{
	int64_t value;

	return fd >= 0 && read(fd, &value, sizeof(value)) == sizeof(value) ? value : -1;
}

/* Kernel threads, too, which are in nobody's process: to a tick. */
static uint64_t machine_cpu_ns(void)
{
	uint64_t user, nice, system, idle, iowait, irq, softirq;
	FILE *f = fopen("/proc/stat", "re");

	if (!f || fscanf(f,
			 "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			 " %" SCNu64,
			 &user, &nice, &system, &idle, &iowait, &irq, &softirq) != 7)
		die("/proc/stat");
	fclose(f);
	return (user + nice + system + irq + softirq) * NSEC_PER_SEC /
	       (uint64_t)sysconf(_SC_CLK_TCK);
}

static struct counts count(const struct opened *o, const int *counters)
{
	struct counts c = {
		.machine_ns = machine_cpu_ns(),
		.lost = opened_count_lost(o),
		.user_instructions = read_counter(counters[0]),
		.system_instructions = read_counter(counters[1]),
	};

	c.cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	c.now_ns = clock_now_ns();
	return c;
}

static void print_instructions(const char *name, int64_t before, int64_t after)
{
	if (before < 0 || after < 0)
		printf(", \"%s\": null", name);
	else
		printf(", \"%s\": %" PRId64, name, after - before);
}

static void print(const struct way *way, uint64_t slices, uint64_t bytes, const struct counts *a,
		  const struct counts *b)
{
	printf("{\"way\": \"%s\", \"slices\": %" PRIu64 ", \"bytes\": %" PRIu64, way->name, slices,
	       bytes);
	printf(", \"lost\": %" PRIu64 ", \"duration_ns\": %" PRIu64, b->lost - a->lost,
	       b->now_ns - a->now_ns);
	printf(", \"cpu_ns\": %" PRIu64 ", \"machine_cpu_ns\": %" PRIu64, b->cpu_ns - a->cpu_ns,
	       b->machine_ns - a->machine_ns);
	print_instructions("user_instructions", a->user_instructions, b->user_instructions);
	print_instructions("system_instructions", a->system_instructions, b->system_instructions);
	puts("}");
}

static void consume(const struct way *way, const char *device, uint64_t slice_bytes,
		    uint32_t slots, double seconds)
{
	const int counters[] = { open_counter(true), open_counter(false) };
	struct consumer c = { .way = way };
	struct counts before, after;
	uint64_t end_ns, slices = 0, bytes = 0;
	uint32_t i;

	opened_init(&c.o, device, way->memory, slice_bytes, slots);
	way->prepare(&c);
	opened_start(&c.o);
	/* each slot once: its pages are mapped when they are first looked at */
	for (i = 0; i < slots; i++)
		way->take(&c);
	before = count(&c.o, counters);
	end_ns = before.now_ns + (uint64_t)(seconds * NSEC_PER_SEC);
	do {
		bytes += way->take(&c);
		slices++;
	} while (clock_now_ns() < end_ns);
	after = count(&c.o, counters);
	print(way, slices, bytes, &before, &after);
}

static _Noreturn void refuse(void)
{
	fputs("usage: consume WAY|scan DEVICE SLICE_BYTES SLOTS|ROUNDS SECONDS\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const struct way *way;
	uint64_t slice_bytes;
	unsigned long number;
	double seconds;

	if (argc != 6)
		refuse();
	slice_bytes = strtoull(argv[3], NULL, 0);
	number = strtoul(argv[4], NULL, 0);
	seconds = strtod(argv[5], NULL);
	way = ways_find(argv[1]);
	if ((!way && strcmp(argv[1], "scan") != 0) || slice_bytes == 0 ||
	    slice_bytes % LIDAR_RING_SLOT_ALIGN || number < 1 || number > LIDAR_RING_SLOTS_MAX ||
	    !(seconds > 0) || seconds > SECONDS_MAX)
		refuse();
	if (way)
		consume(way, argv[2], slice_bytes, (uint32_t)number, seconds);
	else
		scan_run(argv[2], slice_bytes, (unsigned int)number, seconds);
	return 0;
}
