/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - stream from /dev/lidarN, check every slice, and say what came
 *
 *	stream /dev/lidar0 slots=8 bytes=1048576 slices=1000 path=ring check=words
 *
 * Keys:
 *	slots, bytes	of the ring (8, 1 MiB)
 *	slices		to consume (100)
 *	seconds		longest run (60)
 *	memory		kernel (default), user: a memfd
 *	path		ring: poll() and the rings; get: GET_FRAME; read: read()
 *	check		none, words, full: lidar_sim's patterns; the CRC is checked in any case
 *	hold		slices to keep before the oldest is given back (0)
 *	lease		ms (0)
 *
 * It prints a line of figures and exits with 0 if every slice was what it ought
 * to be: words and CRC right, seq without a gap that lost_before does not tell,
 * and what was delivered and lost adding up.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/splitmix64.h"
#include "uapi/lidar_ring.h"

#define PAGE 4096u

/* struct stream - a ring and what came from it */
struct stream {
	const char *path, *check, *memory;
	unsigned long slots, bytes, slices, seconds, hold, lease_ms;
	int fd;
	struct lidar_ring_layout layout;
	uint8_t *control;
	uint8_t *data;
	uint8_t *copy;			/* path=read */
	uint64_t held[LIDAR_RING_SLOTS_MAX];
	unsigned long got, lost, bad_words, bad_crc, bad_seq, crcs, polls, kicks;
	uint64_t got_bytes, next_seq, latency_ns, latency_max_ns;
};

static void die(const char *what)
{
	fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void or_die(int ret, const char *what)
{
	if (ret < 0)
		die(what);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint32_t *index_at(const struct stream *s, uint32_t offset)
{
	return (uint32_t *)(void *)(s->control + offset);
}

static void map_user_memory(struct stream *s)
{
	size_t stride = s->bytes + PAGE; /* a page between slots that is nobody's */
	struct lidar_ring_register reg = {
		.length = PAGE + s->slots * stride,
		.first = PAGE,
		.stride = stride,
		.count = (uint32_t)s->slots,
	};
	int fd = memfd_create("stream", MFD_CLOEXEC);

	or_die(fd, "memfd_create");
	or_die(ftruncate(fd, (off_t)reg.length), "ftruncate");
	s->data = mmap(NULL, reg.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s->data == MAP_FAILED)
		die("mmap of the memfd");
	reg.address = (uintptr_t)s->data;
	or_die(ioctl(s->fd, LIDAR_RING_IOC_REGISTER, &reg), "REGISTER");
	close(fd);
}

static void map_kernel_memory(struct stream *s)
{
	s->data = mmap(NULL, s->layout.data_bytes, PROT_READ, MAP_SHARED, s->fd,
		       (off_t)s->layout.data_offset);
	if (s->data == MAP_FAILED)
		die("mmap of the data");
}

static void open_ring(struct stream *s, const char *device)
{
	struct lidar_ring_setup setup = {
		.slot_count = (uint32_t)s->slots,
		.slot_bytes = s->bytes,
	};
	bool user = !strcmp(s->memory, "user");

	s->fd = open(device, O_RDWR | O_CLOEXEC);
	or_die(s->fd, device);
	setup.memory = user ? LIDAR_RING_MEMORY_USER : LIDAR_RING_MEMORY_KERNEL;
	or_die(ioctl(s->fd, LIDAR_RING_IOC_SETUP, &setup), "SETUP");
	s->layout = setup.layout;
	s->control = mmap(NULL, s->layout.control_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd,
			  (off_t)s->layout.control_offset);
	if (s->control == MAP_FAILED)
		die("mmap of the control page");
	if (user)
		map_user_memory(s);
	else
		map_kernel_memory(s);
}

static bool words_right(const struct stream *s, const uint8_t *data, uint32_t bytes, uint64_t seq)
{
	bool full = !strcmp(s->check, "full");
	uint32_t at;

	for (at = 0; at + 8 <= bytes; at += full ? 8 : PAGE) {
		uint64_t word, right = seq << 20 | at / PAGE;

		memcpy(&word, data + at, sizeof(word));
		if (at % PAGE)
			right = splitmix64_mix((seq << 23 | at / 8) + SPLITMIX64_STEP);
		if (word != right)
			return false;
	}
	return true;
}

static void look_at(struct stream *s, const struct lidar_ring_desc *desc, const uint8_t *data)
{
	uint64_t latency_ns = now_ns() - desc->last_byte_ns;

	s->latency_ns += latency_ns;
	if (latency_ns > s->latency_max_ns)
		s->latency_max_ns = latency_ns;
	if (desc->seq != s->next_seq + desc->lost_before)
		s->bad_seq++;
	s->next_seq = desc->seq + 1;
	s->lost += desc->lost_before;
	s->got++;
	s->got_bytes += desc->bytes;
	if (strcmp(s->check, "none") && !words_right(s, data, desc->bytes, desc->seq))
		s->bad_words++;
	if (desc->flags & LIDAR_RING_DESC_CRC) {
		s->crcs++;
		s->bad_crc += crc32c(0, data, desc->bytes) != desc->crc32c;
	}
}

static void fill(struct stream *s, uint64_t offset)
{
	uint32_t *producer = index_at(s, s->layout.fill_producer);
	uint64_t *entries = (uint64_t *)(void *)(s->control + s->layout.fill_ring);
	uint32_t at = *producer;

	entries[at & (s->layout.entries - 1)] = offset;
	/* release: pairs with the kernel's acquire of the producer */
	__atomic_store_n(producer, at + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(index_at(s, s->layout.fill_flags), __ATOMIC_RELAXED) &
	    LIDAR_RING_NEED_WAKEUP) {
		s->kicks++;
		or_die(ioctl(s->fd, LIDAR_RING_IOC_KICK), "KICK");
	}
}

static bool take_from_ring(struct stream *s, struct lidar_ring_desc *desc, int timeout_ms)
{
	const struct lidar_ring_desc *entries =
		(const void *)(s->control + s->layout.ready_ring);
	uint32_t *consumer = index_at(s, s->layout.ready_consumer);
	struct pollfd p = {.fd = s->fd, .events = POLLIN | POLLPRI};

	/* acquire: pairs with the kernel's release of the producer */
	while (__atomic_load_n(index_at(s, s->layout.ready_producer), __ATOMIC_ACQUIRE) ==
	       *consumer) {
		s->polls++;
		or_die(poll(&p, 1, timeout_ms), "poll");
		if (!(p.revents & POLLIN))
			return false;
	}
	*desc = entries[*consumer & (s->layout.entries - 1)];
	__atomic_store_n(consumer, *consumer + 1, __ATOMIC_RELEASE);
	return true;
}

static bool take_frame(struct stream *s, struct lidar_ring_desc *desc, int timeout_ms)
{
	struct lidar_ring_get_frame get = {.timeout_ns = timeout_ms * 1000000LL};

	if (ioctl(s->fd, LIDAR_RING_IOC_GET_FRAME, &get) < 0) {
		if (errno != EAGAIN && errno != EPIPE)
			die("GET_FRAME");
		return false;
	}
	*desc = get.desc;
	return true;
}

static void give_back(struct stream *s, uint64_t offset)
{
	struct lidar_ring_release_frame release = {.offset = offset};

	if (!strcmp(s->path, "ring"))
		fill(s, offset);
	else
		or_die(ioctl(s->fd, LIDAR_RING_IOC_RELEASE_FRAME, &release), "RELEASE_FRAME");
}

static bool next_slice(struct stream *s)
{
	struct lidar_ring_desc desc;
	bool took = !strcmp(s->path, "ring") ? take_from_ring(s, &desc, 2000) :
					       take_frame(s, &desc, 2000);
	uint64_t *held = &s->held[s->got % (s->hold + 1)];

	if (!took)
		return false;
	look_at(s, &desc, s->data + desc.offset);
	*held = desc.offset;
	if (s->got > s->hold)
		give_back(s, s->held[s->got % (s->hold + 1)]);
	return true;
}

static bool next_read(struct stream *s)
{
	ssize_t bytes = read(s->fd, s->copy, s->bytes);
	uint64_t word;

	or_die((int)bytes, "read");
	memcpy(&word, s->copy, sizeof(word));
	s->next_seq = word >> 20;
	s->got++;
	s->got_bytes += (uint64_t)bytes;
	if (strcmp(s->check, "none") && !words_right(s, s->copy, (uint32_t)bytes, s->next_seq))
		s->bad_words++;
	return bytes > 0;
}

static void start(struct stream *s)
{
	struct lidar_ring_start start = {
		.flags = !strcmp(s->path, "ring") ? 0 : LIDAR_RING_START_QUEUE_ALL,
		.lease_ms = (uint32_t)s->lease_ms,
	};
	uint64_t first = !strcmp(s->memory, "user") ? PAGE : 0;
	uint64_t stride = !strcmp(s->memory, "user") ? s->bytes + PAGE : s->bytes;
	uint64_t *entries = (uint64_t *)(void *)(s->control + s->layout.fill_ring);
	uint32_t i;

	if (!start.flags) {
		for (i = 0; i < s->slots; i++)
			entries[i] = first + i * stride;
		__atomic_store_n(index_at(s, s->layout.fill_producer), i, __ATOMIC_RELEASE);
	}
	or_die(ioctl(s->fd, LIDAR_RING_IOC_START, &start), "START");
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int report(struct stream *s, uint64_t elapsed_ns, double cpu)
{
	struct lidar_ring_stats stats;
	bool good;

	or_die(ioctl(s->fd, LIDAR_RING_IOC_STATS, &stats), "STATS");
	good = s->got && !s->bad_words && !s->bad_crc && !s->bad_seq;
	printf("%s memory=%s path=%s slices=%lu MB=%.1f MB_per_s=%.1f cpu_ms=%.0f lost=%lu"
	       " bad_words=%lu bad_crc=%lu of %lu bad_seq=%lu polls=%lu kicks=%lu"
	       " latency_us=%.0f max=%.0f\n",
	       good ? "GOOD" : "BAD", s->memory, s->path, s->got, (double)s->got_bytes / 1e6,
	       (double)s->got_bytes * 1e3 / (double)elapsed_ns, cpu * 1e3, s->lost, s->bad_words,
	       s->bad_crc, s->crcs, s->bad_seq, s->polls, s->kicks,
	       s->got ? (double)s->latency_ns / 1e3 / (double)s->got : 0.0,
	       (double)s->latency_max_ns / 1e3);
	printf("kernel delivered=%llu no_slot=%llu device=%llu error=%llu ready_full=%llu"
	       " stopped=%llu lease=%llu refused=%llu+%llu bad_index=%llu starved=%llu kicks=%llu"
	       " copied=%llu clock_steps=%llu\n",
	       stats.delivered, stats.lost_no_slot, stats.lost_device, stats.lost_error,
	       stats.lost_ready_full, stats.lost_stopped, stats.lost_lease, stats.refused_offset,
	       stats.refused_state, stats.bad_index, stats.starved, stats.kicks,
	       stats.copied_bytes, stats.clock_steps);
	return good ? 0 : 1;
}

static void parse(struct stream *s, int argc, char **argv)
{
	const struct {
		const char *key;
		unsigned long *number;
		const char **word;
	} keys[] = {
		{"slots", &s->slots, NULL},	{"bytes", &s->bytes, NULL},
		{"slices", &s->slices, NULL},	{"seconds", &s->seconds, NULL},
		{"hold", &s->hold, NULL},	{"lease", &s->lease_ms, NULL},
		{"memory", NULL, &s->memory},	{"path", NULL, &s->path},
		{"check", NULL, &s->check},
	};
	const size_t count = sizeof(keys) / sizeof(keys[0]);
	size_t k;
	int i;

	for (i = 2; i < argc; i++) {
		size_t length = strcspn(argv[i], "=");

		for (k = 0; k < count; k++)
			if (strlen(keys[k].key) == length && !strncmp(keys[k].key, argv[i], length))
				break;
		errno = EINVAL;
		if (k == count || !argv[i][length])
			die(argv[i]);
		if (keys[k].number)
			*keys[k].number = strtoul(argv[i] + length + 1, NULL, 0);
		else
			*keys[k].word = argv[i] + length + 1;
	}
}

int main(int argc, char **argv)
{
	static struct stream s = {
		.path = "ring", .check = "words", .memory = "kernel", .slots = 8,
		.bytes = 1 << 20, .slices = 100, .seconds = 60,
	};
	uint64_t begin_ns;
	double cpu;
	int ret;

	if (argc < 2) {
		fprintf(stderr, "usage: stream DEVICE [KEY=VALUE]...\n");
		return 2;
	}
	parse(&s, argc, argv);
	open_ring(&s, argv[1]);
	s.copy = malloc(s.bytes);
	if (!s.copy || s.hold >= s.slots)
		die("slots, hold");
	start(&s);
	begin_ns = now_ns();
	cpu = cpu_s();
	while (s.got < s.slices && now_ns() - begin_ns < s.seconds * 1000000000)
		if (!strcmp(s.path, "read") ? !next_read(&s) : !next_slice(&s))
			break;
	cpu = cpu_s() - cpu;
	begin_ns = now_ns() - begin_ns;
	or_die(ioctl(s.fd, LIDAR_RING_IOC_STOP), "STOP");
	ret = report(&s, begin_ns, cpu);
	free(s.copy);
	return ret;
}
