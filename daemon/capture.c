/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.c - see capture.h
 *
 * Layers are peeled by functions that narrow a struct span: each checks that
 * what it reads is there, and nobody below looks beyond it.
 */
#include "daemon/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/ip_fragments.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define PROTOCOL_UDP 17
#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET_MASK 0x1fff
/** BSD loopback says AF_INET of the machine that recorded, in its byte order; it is 2 everywhere. */
#define LOOPBACK_IPV4 2

struct capture {
	char *name;
	/** The file, or -1; then the memory. */
	int fd;
	const void *memory;
	size_t memory_bytes;
	/** This pass. */
	pcap_t *pcap;
	int link;
	bool ended;
	uint64_t pass_records;
	struct ip_fragments *fragments;
	struct capture_stats stats;
};

/** Bytes not yet looked at. */
struct span {
	const uint8_t *at;
	size_t left;
};

/** What a record turned out to be. */
enum verdict {
	VERDICT_DATAGRAM,
	/** A fragment, kept. */
	VERDICT_KEPT,
	VERDICT_OTHER,
	VERDICT_MALFORMED,
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

/* Take @bytes off the front. Return: them, or NULL if there are not so many. */
static const uint8_t *span_take(struct span *s, size_t bytes)
{
	const uint8_t *at = s->at;

	if (s->left < bytes)
		return NULL;
	s->at += bytes;
	s->left -= bytes;
	return at;
}

static enum verdict parse_udp(struct span s, struct datagram *ret)
{
	const uint8_t *h = span_take(&s, 8);
	size_t bytes;

	if (!h)
		return VERDICT_MALFORMED;
	bytes = be16(h + 4);
	if (bytes < 8 || bytes - 8 > s.left)
		return VERDICT_MALFORMED;
	ret->source_port = be16(h);
	ret->destination_port = be16(h + 2);
	ret->data = s.at;
	ret->bytes = bytes - 8;
	return VERDICT_DATAGRAM;
}

/* Payload of a packet that is a fragment: whole with this one? Then @s becomes the whole. */
static enum verdict parse_fragment(struct capture *c, const uint8_t *ip, struct span *s,
				   const struct datagram *addresses)
{
	uint16_t word = be16(ip + 6);
	struct ip_fragment piece = {
		.source = addresses->source_address,
		.destination = addresses->destination_address,
		.id = be16(ip + 4),
		.protocol = ip[9],
		.more = word & IP_MORE_FRAGMENTS,
		.offset_bytes = (uint32_t)(word & IP_OFFSET_MASK) * 8,
		.data = s->at,
		.bytes = s->left,
		.time_ns = addresses->time_ns,
	};

	c->stats.fragments++;
	switch (ip_fragments_add(c->fragments, &piece, &s->at, &s->left)) {
	case IP_FRAGMENTS_WHOLE:
		return VERDICT_DATAGRAM;
	case IP_FRAGMENTS_MORE:
		return VERDICT_KEPT;
	}
	return VERDICT_MALFORMED;
}

static enum verdict parse_ipv4(struct capture *c, struct span s, struct datagram *ret)
{
	const uint8_t *ip = s.at;
	enum verdict verdict;
	size_t header, total;

	if (s.left < 20)
		return VERDICT_MALFORMED;
	if (ip[0] >> 4 != 4)
		return VERDICT_OTHER;
	header = (size_t)(ip[0] & 15) * 4;
	total = be16(ip + 2);
	if (header < 20 || total < header || total > s.left)
		return VERDICT_MALFORMED;
	if (ip[9] != PROTOCOL_UDP)
		return VERDICT_OTHER;

	ret->source_address = be32(ip + 12);
	ret->destination_address = be32(ip + 16);
	/* what lies beyond total is Ethernet's padding */
	s.left = total;
	span_take(&s, header);
	if (be16(ip + 6) & (IP_MORE_FRAGMENTS | IP_OFFSET_MASK)) {
		verdict = parse_fragment(c, ip, &s, ret);
		if (verdict != VERDICT_DATAGRAM)
			return verdict;
	}
	return parse_udp(s, ret);
}

/* @type: what follows, as an Ethernet type. Each VLAN tag takes 4 bytes, so the stack is bounded. */
static enum verdict parse_ethertype(struct capture *c, uint16_t type, struct span s,
				    struct datagram *ret)
{
	const uint8_t *tag;

	while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) {
		tag = span_take(&s, 4);
		if (!tag)
			return VERDICT_MALFORMED;
		type = be16(tag + 2);
	}
	return type == ETHERTYPE_IPV4 ? parse_ipv4(c, s, ret) : VERDICT_OTHER;
}

static enum verdict parse_link(struct capture *c, struct span s, struct datagram *ret)
{
	const uint8_t *h;

	switch (c->link) {
	case DLT_EN10MB:
		h = span_take(&s, 14);
		return h ? parse_ethertype(c, be16(h + 12), s, ret) : VERDICT_MALFORMED;
	case DLT_LINUX_SLL:
		h = span_take(&s, 16);
		return h ? parse_ethertype(c, be16(h + 14), s, ret) : VERDICT_MALFORMED;
	case DLT_LINUX_SLL2:
		h = span_take(&s, 20);
		return h ? parse_ethertype(c, be16(h), s, ret) : VERDICT_MALFORMED;
	case DLT_NULL:
	case DLT_LOOP:
		h = span_take(&s, 4);
		if (!h)
			return VERDICT_MALFORMED;
		if (be32(h) != LOOPBACK_IPV4 && be32(h) != (uint32_t)LOOPBACK_IPV4 << 24)
			return VERDICT_OTHER;
		return parse_ipv4(c, s, ret);
	default: /* raw IP: link_known() let nothing else in */
		return parse_ipv4(c, s, ret);
	}
}

static bool link_known(int link)
{
	switch (link) {
	case DLT_EN10MB:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
	case DLT_NULL:
	case DLT_LOOP:
	case DLT_RAW:
	case DLT_IPV4:
		return true;
	}
	return false;
}

/* A stream from the beginning of the capture; libpcap closes it. */
static FILE *open_stream(struct capture *c)
{
	FILE *stream;
	int fd;

	if (c->fd < 0)
		return fmemopen((void *)c->memory, c->memory_bytes, "r");
	if (lseek(c->fd, 0, SEEK_SET) < 0)
		return NULL;
	fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return NULL;
	stream = fdopen(fd, "r");
	if (!stream)
		close(fd);
	return stream;
}

int capture_rewind(struct capture *c, struct problem *problem)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	FILE *stream;

	if (c->pcap)
		pcap_close(c->pcap);
	c->pcap = NULL;
	c->ended = true;
	c->pass_records = 0;
	ip_fragments_clear(c->fragments);

	stream = open_stream(c);
	if (!stream)
		return problem_set(problem, -errno, "%s: cannot read: %s", c->name, strerror(errno));
	c->pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, text);
	if (!c->pcap) {
		fclose(stream);
		return problem_set(problem, -EINVAL,
				   "%s: not a capture (%s); a pcap file is needed, as tcpdump -w "
				   "makes it",
				   c->name, text);
	}
	c->link = pcap_datalink(c->pcap);
	if (!link_known(c->link)) {
		const char *link = pcap_datalink_val_to_name(c->link);

		return problem_set(problem, -EINVAL,
				   "%s: link type %d (%s) is not understood; record Ethernet, "
				   "Linux cooked (SLL, SLL2), raw IP or BSD loopback",
				   c->name, c->link, link ? link : "unknown");
	}
	c->ended = false;
	return 0;
}

/* Takes @fd. */
static int capture_new(const char *name, int fd, const void *memory, size_t bytes,
		       struct capture **ret_capture, struct problem *problem)
{
	struct capture *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (!c) {
		close_fd(fd);
		return problem_set(problem, err, "%s: out of memory", name);
	}
	c->fd = fd;
	c->memory = memory;
	c->memory_bytes = bytes;
	c->name = strdup(name);
	if (!c->name || ip_fragments_new(&c->fragments) < 0)
		problem_set(problem, err, "%s: out of memory", name);
	else
		err = capture_rewind(c, problem);
	if (err < 0) {
		capture_free(c);
		return err;
	}
	*ret_capture = c;
	return 0;
}

int capture_open(const char *path, struct capture **ret_capture, struct problem *problem)
{
	CLEANUP(cleanup_fd) int fd = -1;
	struct stat st;

	/* not blocking: opening a FIFO would wait for its writer */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return problem_set(problem, -errno, "%s: cannot open: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0)
		return problem_set(problem, -errno, "%s: cannot stat: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return problem_set(problem, -EINVAL, "%s: not a regular file; a pcap file is needed",
				   path);
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return capture_new(path, steal_fd(&fd), NULL, 0, ret_capture, problem);
}

int capture_open_memory(const char *name, const void *data, size_t bytes,
			struct capture **ret_capture, struct problem *problem)
{
	/* the C library opens no stream of no bytes; a single zero is as little a capture */
	if (bytes == 0) {
		data = "";
		bytes = 1;
	}
	return capture_new(name, -1, data, bytes, ret_capture, problem);
}

struct capture *capture_free(struct capture *c)
{
	if (!c)
		return NULL;
	if (c->pcap)
		pcap_close(c->pcap);
	ip_fragments_free(c->fragments);
	close_fd(c->fd);
	free(c->name);
	free(c);
	return NULL;
}

static void end_pass(struct capture *c)
{
	c->ended = true;
	ip_fragments_clear(c->fragments);
}

/* libpcap could not read a record. Out of file is an end, all else is an error. */
static int read_failed(struct capture *c, struct problem *problem)
{
	FILE *stream = pcap_file(c->pcap);

	end_pass(c);
	if (stream && feof(stream)) {
		c->stats.cut_ends++;
		return CAPTURE_END;
	}
	return problem_set(problem, -EBADMSG,
			   "%s: record %llu is corrupt (%s); recover the part before it with editcap "
			   "or tcpdump",
			   c->name, (unsigned long long)c->pass_records + 1, pcap_geterr(c->pcap));
}

/* Seconds and nanoseconds of a record may be anything. */
static uint64_t record_time_ns(const struct pcap_pkthdr *h)
{
	uint64_t sec = h->ts.tv_sec < 0 ? 0 : (uint64_t)h->ts.tv_sec;
	uint64_t nsec = h->ts.tv_usec < 0 ? 0 : (uint64_t)h->ts.tv_usec;

	/* room below 2^63 for whoever computes with it */
	if (sec > UINT32_MAX)
		sec = UINT32_MAX;
	return sec * NSEC_PER_SEC + (nsec < NSEC_PER_SEC ? nsec : NSEC_PER_SEC - 1);
}

int capture_next(struct capture *c, struct datagram *ret_datagram, struct problem *problem)
{
	struct datagram d = { 0 };
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	int result;

	if (c->ended)
		return CAPTURE_END;
	result = pcap_next_ex(c->pcap, &h, &bytes);
	if (result == PCAP_ERROR_BREAK) {
		end_pass(c);
		return CAPTURE_END;
	}
	if (result != 1)
		return read_failed(c, problem);

	c->stats.records++;
	c->pass_records++;
	if (h->caplen < h->len) {
		c->stats.truncated_records++;
		return CAPTURE_NOTHING;
	}
	d.time_ns = record_time_ns(h);
	switch (parse_link(c, (struct span){ bytes, h->caplen }, &d)) {
	case VERDICT_DATAGRAM:
		c->stats.datagrams++;
		*ret_datagram = d;
		return CAPTURE_DATAGRAM;
	case VERDICT_KEPT:
		break;
	case VERDICT_OTHER:
		c->stats.other_records++;
		break;
	case VERDICT_MALFORMED:
		c->stats.malformed_records++;
		break;
	}
	return CAPTURE_NOTHING;
}

void capture_get_stats(const struct capture *c, struct capture_stats *ret_stats)
{
	*ret_stats = c->stats;
	ret_stats->incomplete_datagrams = ip_fragments_get_incomplete(c->fragments);
}
