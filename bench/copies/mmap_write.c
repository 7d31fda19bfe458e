/* SPDX-License-Identifier: Apache-2.0 */
/* mmap_write.c - a file that is mapped once, write() out of the mapping */
#include <sys/mman.h>

#include "bench/copies/copies.h"

static void open_path(struct copies *c)
{
	/* what is cached is mapped before anybody looks at the clock */
	int flags = MAP_SHARED | (c->source == COPIES_CACHE ? MAP_POPULATE : 0);

	c->own = mmap(NULL, c->bytes * c->count, PROT_READ, flags, c->file, 0);
	if (c->own == MAP_FAILED)
		copies_give_up("mmap");
}

static void send_frame(struct copies *c, uint64_t index)
{
	copies_write(c, (const uint8_t *)c->own + copies_get_offset(c, index), c->bytes);
}

static void forget(struct copies *c)
{
	if (madvise(c->own, c->bytes * c->count, MADV_DONTNEED) < 0)
		copies_give_up("madvise");
}

const struct copies_path copies_mmap_write_path = {
	.name = "mmap-write",
	.open = open_path,
	.send = send_frame,
	.forget = forget,
};
