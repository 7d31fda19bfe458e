/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/pcap_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UDP_HEADER 8u
#define FRAME_MAX (256u * 1024u)

static void append(struct pcap_writer *w, const void *data, size_t bytes)
{
	if (w->bytes + bytes > w->room) {
		w->room = (w->bytes + bytes) * 2;
		w->data = realloc(w->data, w->room);
		if (!w->data)
			abort();
	}
	if (bytes)
		memcpy(w->data + w->bytes, data, bytes);
	w->bytes += bytes;
}

/* the writer's own byte order is allowed in a pcap file; the tests run little-endian */
static void append_u32(struct pcap_writer *w, uint32_t v)
{
	append(w, &v, sizeof(v));
}

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

void pcap_writer_init(struct pcap_writer *w, uint32_t link, bool nanoseconds)
{
	memset(w, 0, sizeof(*w));
	w->link = link;
	w->nanoseconds = nanoseconds;
	append_u32(w, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
	append_u32(w, 2 | 4u << 16);
	append_u32(w, 0);
	append_u32(w, 0);
	append_u32(w, 262144);
	append_u32(w, link);
}

void pcap_writer_deinit(struct pcap_writer *w)
{
	free(w->data);
	memset(w, 0, sizeof(*w));
}

void pcap_writer_record(struct pcap_writer *w, uint64_t time_ns, const void *data,
			uint32_t captured_bytes, uint32_t original_bytes)
{
	append_u32(w, (uint32_t)(time_ns / 1000000000));
	append_u32(w, (uint32_t)(time_ns % 1000000000 / (w->nanoseconds ? 1 : 1000)));
	append_u32(w, captured_bytes);
	append_u32(w, original_bytes);
	append(w, data, captured_bytes);
}

/* Ethernet type after @at zero bytes of addresses, below a stack of VLAN tags. */
static size_t put_ethertype(uint8_t *f, size_t at, unsigned int vlans)
{
	for (; vlans; vlans--, at += 4)
		put16(f + at, vlans > 1 ? 0x88a8 : 0x8100);
	put16(f + at, 0x0800);
	return at + 2;
}

static size_t put_link(const struct pcap_writer *w, uint8_t *f, unsigned int vlans)
{
	switch (w->link) {
	case PCAP_LINK_ETHERNET:
		return put_ethertype(f, 12, vlans);
	case PCAP_LINK_SLL:
		return put_ethertype(f, 14, vlans);
	case PCAP_LINK_SLL2:
		put16(f, 0x0800);
		return 20;
	case PCAP_LINK_NULL:
		f[0] = 2;
		return 4;
	case PCAP_LINK_LOOP:
		f[3] = 2;
		return 4;
	}
	return 0;
}

static size_t put_ip(const struct pcap_packet *p, uint8_t *ip, size_t payload, size_t from, bool more)
{
	size_t header = 20 + p->option_bytes;

	ip[0] = (uint8_t)(0x40 | header / 4);
	put16(ip + 2, header + payload);
	put16(ip + 4, p->id);
	put16(ip + 6, from / 8 | (more ? 0x2000 : 0));
	ip[8] = 64;
	ip[9] = 17;
	put32(ip + 12, p->source ? p->source : 0x0a000001);
	put32(ip + 16, p->destination ? p->destination : 0x0a000002);
	memset(ip + 20, 1, p->option_bytes); /* no operation */
	return header;
}

void pcap_writer_fragment(struct pcap_writer *w, const struct pcap_packet *p, size_t from,
			  size_t to, bool more)
{
	size_t payload = UDP_HEADER + p->bytes;
	uint8_t *f = calloc(2, FRAME_MAX);
	uint8_t *udp = f + FRAME_MAX;
	size_t at;

	if (!f || payload > FRAME_MAX || to - from > FRAME_MAX / 2)
		abort();
	put16(udp, p->source_port ? p->source_port : 7502);
	put16(udp + 2, p->destination_port ? p->destination_port : 7502);
	put16(udp + 4, payload);
	if (p->bytes)
		memcpy(udp + UDP_HEADER, p->data, p->bytes);

	at = put_link(w, f, p->vlans);
	at += put_ip(p, f + at, to - from, from, more);
	memcpy(f + at, udp + from, to - from);
	at += to - from;
	pcap_writer_record(w, p->time_ns, f, (uint32_t)at, (uint32_t)at);
	free(f);
}

void pcap_writer_datagram(struct pcap_writer *w, const struct pcap_packet *p)
{
	pcap_writer_fragment(w, p, 0, UDP_HEADER + p->bytes, false);
}

void pcap_writer_fragments(struct pcap_writer *w, const struct pcap_packet *p, size_t mtu,
			   bool backwards)
{
	size_t payload = UDP_HEADER + p->bytes;
	size_t count = (payload + mtu - 1) / mtu;
	size_t i;

	for (i = 0; i < count; i++) {
		size_t k = backwards ? count - 1 - i : i;
		size_t to = (k + 1) * mtu < payload ? (k + 1) * mtu : payload;

		pcap_writer_fragment(w, p, k * mtu, to, k + 1 < count);
	}
}

int pcap_writer_save(const struct pcap_writer *w, const char *path)
{
	FILE *f = fopen(path, "wbe");
	int err = 0;

	if (!f)
		return -errno;
	if (fwrite(w->data, 1, w->bytes, f) != w->bytes)
		err = -EIO;
	if (fclose(f) != 0 && err == 0)
		err = -errno;
	return err;
}
