/* SPDX-License-Identifier: Apache-2.0 */
/* guest_memory.c - see guest_memory.h */
#include "tests/vm/guest_memory.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

int guest_memory_add(struct guest_memory *m, uint64_t guest, uint64_t user, uint64_t bytes,
		     uint64_t offset, int fd)
{
	struct guest_region *r = &m->regions[m->count];
	uint64_t end;
	void *mapping;

	if (m->count == GUEST_REGIONS)
		return -ENOSPC;
	if (!bytes || __builtin_add_overflow(guest, bytes, &end) ||
	    __builtin_add_overflow(user, bytes, &end) ||
	    __builtin_add_overflow(offset, bytes, &end) || end > SIZE_MAX)
		return -EINVAL;
	/* from 0, as an offset in a file of huge pages could not be mapped by itself */
	mapping = mmap(NULL, end, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (mapping == MAP_FAILED)
		return -errno;
	*r = (struct guest_region){
		.guest = guest,
		.user = user,
		.bytes = bytes,
		.memory = (uint8_t *)mapping + offset,
		.mapping = mapping,
		.mapping_bytes = end,
	};
	m->count++;
	return 0;
}

void guest_memory_clear(struct guest_memory *m)
{
	while (m->count) {
		m->count--;
		munmap(m->regions[m->count].mapping, m->regions[m->count].mapping_bytes);
	}
}

static bool is_inside(uint64_t start, uint64_t bytes, uint64_t at, uint64_t length)
{
	return at >= start && at - start <= bytes && length <= bytes - (at - start);
}

void *guest_memory_at(const struct guest_memory *m, uint64_t guest, uint64_t bytes)
{
	unsigned int i;

	for (i = 0; i < m->count; i++)
		if (is_inside(m->regions[i].guest, m->regions[i].bytes, guest, bytes))
			return m->regions[i].memory + (guest - m->regions[i].guest);
	return NULL;
}

void *guest_memory_at_user(const struct guest_memory *m, uint64_t user, uint64_t bytes)
{
	unsigned int i;

	for (i = 0; i < m->count; i++)
		if (is_inside(m->regions[i].user, m->regions[i].bytes, user, bytes))
			return m->regions[i].memory + (user - m->regions[i].user);
	return NULL;
}
