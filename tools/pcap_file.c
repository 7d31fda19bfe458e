/* SPDX-License-Identifier: Apache-2.0 */
/* pcap_file.c - see pcap_file.h */
#include "tools/pcap_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

/* Of the file, in the byte order of who writes it. */
#define MAGIC_NANOSECONDS 0xa1b23c4du
#define VERSION_MAJOR 2
#define VERSION_MINOR 4
#define LINK_ETHERNET 1
/* Of a record: more than any of ours. */
#define SNAPSHOT_BYTES 262144

#define ETHERNET_IPV4 0x0800
#define IPV4_WITHOUT_OPTIONS 0x45
#define IPV4_DONT_FRAGMENT 0x4000
#define HOPS 64
/* What a datagram of IPv4 can hold. */
#define UDP_BYTES_MAX 65507u

/* Written a megabyte at a time. */
#define BUFFER_BYTES (1u << 20)

struct file_header {
	uint32_t magic;
	uint16_t major;
	uint16_t minor;
	int32_t zone;
	uint32_t accuracy;
	uint32_t snapshot_bytes;
	uint32_t link_type;
};

struct record_header {
	uint32_t seconds;
	uint32_t nanoseconds;
	uint32_t captured_bytes;
	uint32_t bytes;
};

/* On the wire: big-endian, and packed. */
struct wire_header {
	uint8_t to[6];
	uint8_t from[6];
	uint16_t ethernet_type;

	uint8_t version;
	uint8_t service;
	uint16_t ip_bytes;
	uint16_t id;
	uint16_t fragment;
	uint8_t hops;
	uint8_t protocol;
	uint16_t ip_checksum;
	uint16_t source[2];
	uint16_t destination[2];

	uint16_t source_port;
	uint16_t destination_port;
	uint16_t udp_bytes;
	uint16_t udp_checksum;
};

#define ETHERNET_BYTES 14u
#define IP_BYTES 20u
#define UDP_BYTES 8u

_Static_assert(sizeof(struct file_header) == 24, "as the format has it");
_Static_assert(sizeof(struct record_header) == 16, "as the format has it");
_Static_assert(sizeof(struct wire_header) == ETHERNET_BYTES + IP_BYTES + UDP_BYTES, "packed");

int pcap_file_open(struct pcap_file *f, const char *path, uint64_t limit)
{
	const struct file_header header = {
		.magic = MAGIC_NANOSECONDS,
		.major = VERSION_MAJOR,
		.minor = VERSION_MINOR,
		.snapshot_bytes = SNAPSHOT_BYTES,
		.link_type = LINK_ETHERNET,
	};

	memset(f, 0, sizeof(*f));
	if (snprintf(f->path, sizeof(f->path), "%s", path) >= (int)sizeof(f->path))
		return -ENAMETOOLONG;
	snprintf(f->part_path, sizeof(f->part_path), "%s.part", f->path);
	f->file = fopen(f->part_path, "we");
	if (!f->file)
		return -errno;
	setvbuf(f->file, NULL, _IOFBF, BUFFER_BYTES);
	f->limit = limit;
	f->bytes = sizeof(header);
	if (fwrite(&header, sizeof(header), 1, f->file) != 1) {
		pcap_file_abandon(f);
		return -EIO;
	}
	return 0;
}

/* Of the IPv4 header, whose checksum is 0 meanwhile. */
static uint16_t sum_up(const struct wire_header *h)
{
	const uint8_t *bytes = (const uint8_t *)h + ETHERNET_BYTES;
	uint32_t sum = 0;
	unsigned int i;

	for (i = 0; i < IP_BYTES; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~(sum + (sum >> 16));
}

static void put_address(uint16_t to[2], uint32_t address)
{
	to[0] = htons((uint16_t)(address >> 16));
	to[1] = htons((uint16_t)address);
}

static struct wire_header make_header(const struct lidard_packet *p)
{
	struct wire_header h = {
		.ethernet_type = htons(ETHERNET_IPV4),
		.version = IPV4_WITHOUT_OPTIONS,
		.ip_bytes = htons((uint16_t)(IP_BYTES + UDP_BYTES + p->bytes)),
		.fragment = htons(IPV4_DONT_FRAGMENT),
		.hops = HOPS,
		.protocol = IPPROTO_UDP,
		.source_port = htons(p->source_port),
		.destination_port = htons(p->destination_port),
		.udp_bytes = htons((uint16_t)(UDP_BYTES + p->bytes)),
	};

	put_address(h.source, p->source_address);
	put_address(h.destination, p->destination_address);
	h.ip_checksum = htons(sum_up(&h));
	return h;
}

int pcap_file_add(struct pcap_file *f, const struct lidard_packet *p)
{
	const struct wire_header wire = make_header(p);
	const struct record_header record = {
		.seconds = (uint32_t)(p->realtime_ns / NSEC_PER_SEC),
		.nanoseconds = (uint32_t)(p->realtime_ns % NSEC_PER_SEC),
		.captured_bytes = (uint32_t)(sizeof(wire) + p->bytes),
		.bytes = (uint32_t)(sizeof(wire) + p->bytes),
	};
	const uint64_t bytes = sizeof(record) + sizeof(wire) + p->bytes;

	if (p->bytes > UDP_BYTES_MAX)
		return -EMSGSIZE;
	if (f->bytes + bytes > f->limit)
		return 0;
	errno = 0;
	if (fwrite(&record, sizeof(record), 1, f->file) != 1 ||
	    fwrite(&wire, sizeof(wire), 1, f->file) != 1 ||
	    fwrite(p->data, 1, p->bytes, f->file) != p->bytes)
		return errno ? -errno : -EIO;
	f->bytes += bytes;
	return 1;
}

int pcap_file_commit(struct pcap_file *f)
{
	int error = 0;

	errno = 0;
	if (fflush(f->file) != 0 || fdatasync(fileno(f->file)) < 0)
		error = errno ? -errno : -EIO;
	if (fclose(f->file) != 0 && error == 0)
		error = errno ? -errno : -EIO;
	f->file = NULL;
	if (error == 0 && rename(f->part_path, f->path) < 0)
		error = -errno;
	if (error < 0)
		unlink(f->part_path);
	return error;
}

void pcap_file_abandon(struct pcap_file *f)
{
	if (!f->file)
		return;
	fclose(f->file);
	f->file = NULL;
	unlink(f->part_path);
}
