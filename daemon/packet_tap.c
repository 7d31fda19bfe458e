/* SPDX-License-Identifier: Apache-2.0 */
/* packet_tap.c - see packet_tap.h */
#include "daemon/packet_tap.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/raw_packets.h"

#define RING_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define RECORD_ALIGN 8u

/* All its memory at once: later, there might be none, which would be a SIGBUS. */
static int make_memory(struct packet_tap *tap)
{
	const size_t bytes = LIDARD_PACKET_RING_HEADER_BYTES + tap->data_bytes;
	void *map;

	tap->fd = memfd_create("lidard-packets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (tap->fd < 0 || fallocate(tap->fd, 0, 0, (off_t)bytes) < 0 ||
	    fcntl(tap->fd, F_ADD_SEALS, RING_SEALS) < 0)
		return -errno;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, tap->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	tap->ring = map;
	tap->ring->header_bytes = LIDARD_PACKET_RING_HEADER_BYTES;
	tap->ring->data_bytes = tap->data_bytes;
	tap->data = (uint8_t *)map + LIDARD_PACKET_RING_HEADER_BYTES;
	return 0;
}

int packet_tap_new(struct packet_taps *taps, uint64_t data_bytes, struct packet_tap **ret_tap)
{
	struct packet_tap *tap = calloc(1, sizeof(*tap));
	int r;

	if (!tap)
		return -ENOMEM;
	tap->fd = -1;
	tap->data_bytes = data_bytes;
	r = make_memory(tap);
	if (r < 0) {
		packet_tap_free(tap);
		return r;
	}
	tap->taps = taps;
	LIST_INSERT_HEAD(&taps->list, tap, link);
	*ret_tap = tap;
	return 0;
}

struct packet_tap *packet_tap_free(struct packet_tap *tap)
{
	const size_t bytes = LIDARD_PACKET_RING_HEADER_BYTES + (tap ? tap->data_bytes : 0);

	if (!tap)
		return NULL;
	if (tap->taps)
		LIST_REMOVE(tap, link);
	if (tap->ring)
		munmap(tap->ring, bytes);
	/* a client that keeps the fd keeps no memory of ours */
	if (tap->fd >= 0)
		fallocate(tap->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes);
	close_fd(tap->fd);
	free(tap);
	return NULL;
}

/*
 * Bytes the client has not read, as far as that can be. The acquire pairs with
 * the release in the library's packets.c: it reads no more of what is free here.
 */
static uint64_t get_used(const struct packet_tap *tap)
{
	uint64_t used = tap->head - __atomic_load_n(&tap->ring->tail, __ATOMIC_ACQUIRE);

	return used <= tap->data_bytes ? used : tap->data_bytes;
}

static void lose(struct packet_tap *tap)
{
	tap->lost++;
	tap->taps->lost++;
	__atomic_store_n(&tap->ring->lost, tap->lost, __ATOMIC_RELAXED);
}

/* Hot path. */
void packet_tap_add(struct packet_tap *tap, struct lidard_packet_record record, const void *data,
		    size_t bytes)
{
	const uint64_t at = tap->head % tap->data_bytes, left = tap->data_bytes - at;
	const uint64_t need = (sizeof(record) + bytes + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
	/* a record lies in one piece */
	const uint64_t skip = left < need ? left : 0;
	const uint32_t skipped = LIDARD_PACKET_RECORD_SKIP;

	assert(bytes < LIDARD_PACKET_RECORD_SKIP);
	if (skip + need > tap->data_bytes - get_used(tap)) {
		lose(tap);
		return;
	}
	if (skip) {
		memcpy(tap->data + at, &skipped, sizeof(skipped));
		tap->head += skip;
	}
	record.bytes = (uint32_t)bytes;
	memcpy(tap->data + tap->head % tap->data_bytes, &record, sizeof(record));
	memcpy(tap->data + tap->head % tap->data_bytes + sizeof(record), data, bytes);
	tap->head += need;
	/* pairs with the acquire in the library's packets.c: the record is there */
	__atomic_store_n(&tap->ring->head, tap->head, __ATOMIC_RELEASE);
}

/* Hot path, but only while somebody records. */
void packet_taps_copy_payload(struct packet_taps *taps, const void *payload, size_t bytes,
			      uint64_t arrival_ns)
{
	/* some devices cannot tell */
	const uint64_t age_ns = arrival_ns ? clock_now_ns() - arrival_ns : 0;
	const struct lidard_packet_record record = {
		.realtime_ns = clock_read_ns(CLOCK_REALTIME) - age_ns,
	};
	struct raw_packets packets = raw_packets_of(payload, bytes);
	const uint8_t *packet;
	size_t packet_bytes;

	while (raw_packets_next(&packets, &packet, &packet_bytes) == 1)
		packet_taps_add(taps, &record, packet, packet_bytes);
}
