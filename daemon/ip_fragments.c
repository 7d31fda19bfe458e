/* SPDX-License-Identifier: Apache-2.0 */
/* ip_fragments.c - see ip_fragments.h */
#include "daemon/ip_fragments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

/** Datagrams put together at once: several sensors, each with a few in flight. */
#define SETS 16
/** Offsets count units of 8 bytes; the last unit of a datagram may be shorter. */
#define UNIT 8u
#define UNITS_MAX ((IP_PAYLOAD_MAX + UNIT - 1) / UNIT)
/** Pieces further apart than this are not of one datagram: a sensor sends them within microseconds. */
#define SET_SPAN_NS (1 * NSEC_PER_SEC)

/** One datagram in the making. */
struct set {
	bool used;
	uint32_t source;
	uint32_t destination;
	uint16_t id;
	uint8_t protocol;
	/** When its first piece came, and how many sets were begun before it. */
	uint64_t time_ns;
	uint64_t serial;
	/** Size of the whole, 0 while the last piece is missing. */
	uint32_t total_bytes;
	/** End of the data furthest out. */
	uint32_t end_bytes;
	uint32_t units_present;
	uint8_t present[(UNITS_MAX + 7) / 8];
	uint8_t data[UNITS_MAX * UNIT];
};

struct ip_fragments {
	uint64_t incomplete;
	uint64_t next_serial;
	struct set sets[SETS];
};

int ip_fragments_new(struct ip_fragments **ret_fragments)
{
	struct ip_fragments *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	*ret_fragments = f;
	return 0;
}

struct ip_fragments *ip_fragments_free(struct ip_fragments *f)
{
	free(f);
	return NULL;
}

static bool set_is_of(const struct set *s, const struct ip_fragment *piece)
{
	return s->used && s->source == piece->source && s->destination == piece->destination &&
	       s->id == piece->id && s->protocol == piece->protocol;
}

static void set_begin(struct ip_fragments *f, struct set *s, const struct ip_fragment *piece)
{
	if (s->used)
		f->incomplete++;
	s->used = true;
	s->source = piece->source;
	s->destination = piece->destination;
	s->id = piece->id;
	s->protocol = piece->protocol;
	s->time_ns = piece->time_ns;
	s->serial = f->next_serial++;
	s->total_bytes = 0;
	s->end_bytes = 0;
	s->units_present = 0;
	memset(s->present, 0, sizeof(s->present));
}

/* The set of this piece, else a free one, else the one begun longest ago. */
static struct set *find_set(struct ip_fragments *f, const struct ip_fragment *piece)
{
	struct set *found = NULL;
	unsigned int i;

	for (i = 0; i < SETS; i++) {
		struct set *s = &f->sets[i];

		if (set_is_of(s, piece))
			return s;
		if (!found || (found->used && (!s->used || s->serial < found->serial)))
			found = s;
	}
	set_begin(f, found, piece);
	return found;
}

static bool unit_present(const struct set *s, uint32_t unit)
{
	return s->present[unit / 8] & (1u << (unit % 8));
}

/* Can @piece belong to what is there? The same bytes again are fine, other bytes are not. */
static bool set_agrees(const struct set *s, const struct ip_fragment *piece)
{
	uint32_t end = piece->offset_bytes + (uint32_t)piece->bytes;
	uint32_t at;

	if (piece->time_ns - s->time_ns > SET_SPAN_NS && s->time_ns - piece->time_ns > SET_SPAN_NS)
		return false;
	if (s->total_bytes && (end > s->total_bytes || (!piece->more && end != s->total_bytes)))
		return false;
	if (!piece->more && end < s->end_bytes)
		return false;
	for (at = piece->offset_bytes; at < end; at += UNIT) {
		uint32_t n = end - at < UNIT ? end - at : UNIT;

		if (unit_present(s, at / UNIT) &&
		    memcmp(s->data + at, piece->data + (at - piece->offset_bytes), n) != 0)
			return false;
	}
	return true;
}

static void set_put(struct set *s, const struct ip_fragment *piece)
{
	uint32_t end = piece->offset_bytes + (uint32_t)piece->bytes;
	uint32_t unit;

	memcpy(s->data + piece->offset_bytes, piece->data, piece->bytes);
	for (unit = piece->offset_bytes / UNIT; unit < (end + UNIT - 1) / UNIT; unit++) {
		if (unit_present(s, unit))
			continue;
		s->present[unit / 8] |= (uint8_t)(1u << (unit % 8));
		s->units_present++;
	}
	if (end > s->end_bytes)
		s->end_bytes = end;
	if (!piece->more)
		s->total_bytes = end;
}

int ip_fragments_add(struct ip_fragments *f, const struct ip_fragment *piece,
		     const uint8_t **ret_data, size_t *ret_bytes)
{
	struct set *s;

	if (piece->bytes == 0 || piece->offset_bytes % UNIT != 0 ||
	    piece->offset_bytes > IP_PAYLOAD_MAX ||
	    piece->bytes > IP_PAYLOAD_MAX - piece->offset_bytes)
		return IP_FRAGMENTS_BAD;
	/* only the last piece may end inside a unit */
	if (piece->more && piece->bytes % UNIT != 0)
		return IP_FRAGMENTS_BAD;

	s = find_set(f, piece);
	if (!set_agrees(s, piece))
		set_begin(f, s, piece);
	set_put(s, piece);
	if (!s->total_bytes || s->units_present != (s->total_bytes + UNIT - 1) / UNIT)
		return IP_FRAGMENTS_MORE;

	s->used = false;
	*ret_data = s->data;
	*ret_bytes = s->total_bytes;
	return IP_FRAGMENTS_WHOLE;
}

void ip_fragments_clear(struct ip_fragments *f)
{
	unsigned int i;

	for (i = 0; i < SETS; i++) {
		if (f->sets[i].used)
			f->incomplete++;
		f->sets[i].used = false;
	}
}

uint64_t ip_fragments_get_incomplete(const struct ip_fragments *f)
{
	return f->incomplete;
}
