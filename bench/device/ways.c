/* SPDX-License-Identifier: Apache-2.0 */
/* ways.c - see ways.h */
#include "bench/device/ways.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096

/* A word of each page: little beside a copy, and nobody can say it is not there. */
static uint64_t look(const uint8_t *slice, uint64_t bytes)
{
	uint64_t at;

	for (at = 0; at < bytes; at += PAGE)
		(void)*(const volatile uint64_t *)(const void *)(slice + at);
	return bytes;
}

/* ---- read() -------------------------------------------------------------------- */

static void prepare_read(struct consumer *c)
{
	c->own = aligned_alloc(PAGE, c->o.layout.slot_bytes);
	if (!c->own)
		die("memory");
	memset(c->own, 0, c->o.layout.slot_bytes);
}

/* It gives what there is: a slice may take several. */
static uint64_t take_read(struct consumer *c)
{
	uint64_t bytes = c->o.layout.slot_bytes, at = 0;
	ssize_t n;

	while (at < bytes) {
		n = read(c->o.fd, c->own + at, bytes - at);
		if (n <= 0)
			die("read");
		at += (uint64_t)n;
	}
	return look(c->own, bytes);
}

/* ---- A call for each slice, in place -------------------------------------------- */

static void prepare_map(struct consumer *c)
{
	opened_map(&c->o);
	c->seen = c->o.slots;
}

static uint64_t take_get_frame(struct consumer *c)
{
	struct lidar_ring_desc desc = opened_get_frame(&c->o);
	uint64_t bytes = look(c->seen + desc.offset, desc.bytes);

	opened_release_frame(&c->o, desc.offset);
	return bytes;
}

/* ---- The rings, in place -------------------------------------------------------- */

static uint64_t take_ring(struct consumer *c)
{
	struct lidar_ring_desc desc = opened_pop(&c->o);
	uint64_t bytes = look(c->seen + desc.offset, desc.bytes);

	opened_push(&c->o, desc.offset);
	return bytes;
}

static void prepare_dmabuf(struct consumer *c)
{
	opened_map(&c->o);
	c->seen = opened_map_dmabuf(&c->o);
}

static void prepare_direct(struct consumer *c)
{
	opened_register(&c->o);
	opened_map(&c->o);
	c->seen = c->o.slots;
}

/* ---- The rings, and a copy into memory that others can map ----------------------- */

static void prepare_copy(struct consumer *c)
{
	opened_map(&c->o);
	c->own = make_shared(c->o.layout.slot_bytes * c->o.layout.slot_count);
}

static uint64_t take_copy(struct consumer *c)
{
	struct lidar_ring_desc desc = opened_pop(&c->o);
	uint8_t *to = c->own + c->copied++ % c->o.layout.slot_count * c->o.layout.slot_bytes;

	memcpy(to, c->o.slots + desc.offset, desc.bytes);
	opened_push(&c->o, desc.offset);
	return look(to, desc.bytes);
}

static const struct way ways[] = {
	{ "read", LIDAR_RING_MEMORY_KERNEL, prepare_read, take_read },
	{ "get-frame", LIDAR_RING_MEMORY_KERNEL, prepare_map, take_get_frame },
	{ "ring", LIDAR_RING_MEMORY_KERNEL, prepare_map, take_ring },
	{ "ring-dmabuf", LIDAR_RING_MEMORY_KERNEL, prepare_dmabuf, take_ring },
	{ "ring-copy", LIDAR_RING_MEMORY_KERNEL, prepare_copy, take_copy },
	{ "ring-direct", LIDAR_RING_MEMORY_USER, prepare_direct, take_ring },
};

const struct way *ways_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].name, name) == 0)
			return &ways[i];
	return NULL;
}
