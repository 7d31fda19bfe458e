/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packets.c - a sensor's packets as they came, for those who record them
 *
 * lidard copies each packet into a ring of shared memory (struct
 * lidard_packet_ring) that is this reader's own.  The ring ends with its
 * connection to lidard, so it has one to itself.  What is in it is checked: a
 * record beyond what was written ends the reading.
 *
 * Belongs to one thread at a time; it may outlive the client.
 */
#include "libclient/packets.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "libclient/client.h"
#include "libclient/export.h"
#include "libclient/varlink.h"
#include "lidard/control.h"

#define RECORD_ALIGN 8u

struct lidard_packets {
	/* fork_guard.h */
	uint32_t generation;
	/* keeps the ring going; fd is -1 once lidard has hung up */
	struct varlink link;
	struct lidard_packet_ring *ring;
	const uint8_t *data;
	uint64_t data_bytes;
	size_t map_bytes;
	/* bytes read, ever; and those of the packet that is lent, which are read with the next take */
	uint64_t tail;
	uint64_t lent_bytes;
};

/* ---- the ring ---- */

/* Without the seal a shrunk file would be a SIGBUS in the host process. */
static int check_file(int fd, size_t *ret_bytes)
{
	struct stat st;
	int seals;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= (off_t)LIDARD_PACKET_RING_HEADER_BYTES ||
	    st.st_size > (off_t)(LIDARD_PACKET_RING_HEADER_BYTES + LIDARD_RECORDING_BYTES_MAX))
		return -EPROTO;
	seals = fcntl(fd, F_GET_SEALS);
	*ret_bytes = (size_t)st.st_size;
	return seals >= 0 && (seals & F_SEAL_SHRINK) ? 0 : -EPROTO;
}

int packets_new(int fd, struct lidard_packets **ret_packets)
{
	struct lidard_packets *p;
	size_t bytes;
	void *map;
	int r = check_file(fd, &bytes);

	if (r < 0)
		return r;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		free(p);
		return -ENOMEM;
	}
	p->generation = fork_guard_get();
	p->link.fd = -1;
	p->ring = map;
	p->map_bytes = bytes;
	p->data = (const uint8_t *)map + LIDARD_PACKET_RING_HEADER_BYTES;
	p->data_bytes = bytes - LIDARD_PACKET_RING_HEADER_BYTES;
	if (p->ring->header_bytes != LIDARD_PACKET_RING_HEADER_BYTES ||
	    p->ring->data_bytes != p->data_bytes || p->data_bytes % RECORD_ALIGN) {
		lidard_packets_free(p);
		return -EPROTO;
	}
	*ret_packets = p;
	return 0;
}

/* What was lent is read: lidard may write there. */
static void give_back(struct lidard_packets *p)
{
	p->tail += p->lent_bytes;
	p->lent_bytes = 0;
	/* pairs with the acquire in lidard's packet_tap.c: it writes behind our reads */
	__atomic_store_n(&p->ring->tail, p->tail, __ATOMIC_RELEASE);
}

/* Return: 1; 0 nothing there; -EPROTO. */
static int read_record(struct lidard_packets *p, uint64_t head, struct lidard_packet *packet)
{
	struct lidard_packet_record record;
	uint64_t left = p->data_bytes - p->tail % p->data_bytes, written = head - p->tail;
	uint32_t bytes;

	if (written > p->data_bytes || written % RECORD_ALIGN)
		return -EPROTO;
	if (!written)
		return 0;
	memcpy(&bytes, p->data + p->tail % p->data_bytes, sizeof(bytes));
	if (bytes == LIDARD_PACKET_RECORD_SKIP) {
		if (written < left)
			return -EPROTO;
		p->tail += left;
		written -= left;
		left = p->data_bytes;
	}
	if (left > written)
		left = written;
	if (left < sizeof(record))
		return -EPROTO;
	memcpy(&record, p->data + p->tail % p->data_bytes, sizeof(record));
	if (record.bytes > left - sizeof(record))
		return -EPROTO;
	*packet = (struct lidard_packet){
		.data = p->data + p->tail % p->data_bytes + sizeof(record),
		.bytes = record.bytes,
		.realtime_ns = record.realtime_ns,
		.source_address = record.source_address,
		.destination_address = record.destination_address,
		.source_port = record.source_port,
		.destination_port = record.destination_port,
	};
	p->lent_bytes = (sizeof(record) + record.bytes + RECORD_ALIGN - 1) / RECORD_ALIGN *
			RECORD_ALIGN;
	return 1;
}

/* Nothing is there. Will something come? */
static int get_end(struct lidard_packets *p, uint32_t ended)
{
	if (ended == LIDARD_PACKETS_END_OF_STREAM)
		return -ENODATA;
	if (p->link.fd >= 0 && varlink_is_broken(&p->link))
		varlink_close(&p->link);
	return ended || p->link.fd < 0 ? -ENOTCONN : 0;
}

LIDARD_EXPORT int lidard_packets_take(struct lidard_packets *packets,
				      struct lidard_packet *ret_packet)
{
	struct lidard_packet packet;
	uint32_t ended;
	int r;

	if (fork_guard_is_foreign(packets->generation))
		return -ECHILD;
	give_back(packets);
	/* before head: what was written before the end is there; both pair with packet_tap's releases */
	ended = __atomic_load_n(&packets->ring->ended, __ATOMIC_ACQUIRE);
	r = read_record(packets, __atomic_load_n(&packets->ring->head, __ATOMIC_ACQUIRE), &packet);
	if (r == 1)
		*ret_packet = packet;
	return r ? r : get_end(packets, ended);
}

LIDARD_EXPORT uint64_t lidard_packets_get_lost(const struct lidard_packets *packets)
{
	if (fork_guard_is_foreign(packets->generation))
		return 0;
	return __atomic_load_n(&packets->ring->lost, __ATOMIC_RELAXED);
}

/* ---- life ---- */

static int ask(struct lidard_client *c, const char *sensor, uint64_t buffer_bytes,
	       struct varlink *link, struct varlink_reply *ret_reply)
{
	uint64_t deadline_ns = clock_now_ns() + c->timeout_ns;
	struct json_object *p = json_object_new_object();
	int r;

	if (!p)
		return -ENOMEM;
	json_object_object_add(p, "sensor", json_object_new_string(sensor));
	json_object_object_add(p, "bytes", json_object_new_uint64(buffer_bytes));
	r = varlink_open(link, c->socket_path, deadline_ns);
	if (r == 0)
		r = varlink_call(link, LIDARD_METHOD_RECORD_PACKETS, p, deadline_ns, ret_reply);
	json_object_put(p);
	return r < 0 ? client_fail(c, r, "%s: %s", c->socket_path, strerror(-r)) : 0;
}

LIDARD_EXPORT int lidard_packets_open(struct lidard_client *client, const char *sensor,
				      uint64_t buffer_bytes, struct lidard_packets **ret_packets)
{
	struct varlink link = { .fd = -1 };
	struct lidard_packets *packets;
	struct varlink_reply reply;
	int r;

	if (fork_guard_is_foreign(client->generation))
		return -ECHILD;
	client->error[0] = '\0';
	r = ask(client, sensor, buffer_bytes, &link, &reply);
	if (r == 0) {
		r = reply.error ? client_fail_reply(client, &reply) : packets_new(reply.fd, &packets);
		if (r == -EPROTO)
			client_fail(client, r, "%s: the answer made no sense",
				    LIDARD_METHOD_RECORD_PACKETS);
		varlink_reply_deinit(&reply);
	}
	if (r < 0) {
		varlink_close(&link);
		return r;
	}
	packets->link = link;
	*ret_packets = packets;
	return 0;
}

LIDARD_EXPORT struct lidard_packets *lidard_packets_free(struct lidard_packets *packets)
{
	if (!packets)
		return NULL;
	varlink_close(&packets->link);
	munmap(packets->ring, packets->map_bytes);
	free(packets);
	return NULL;
}
