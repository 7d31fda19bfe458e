/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/heap_loans.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD LIDARD_PAYLOAD_ALIGN
#define PATTERN 0xa5

static bool untouched(const uint8_t *p, size_t bytes)
{
	/* all equal to the first and that to the pattern */
	return bytes == 0 || (p[0] == PATTERN && memcmp(p, p + 1, bytes - 1) == 0);
}

void heap_loans_init(struct heap_loans *h, unsigned int count, size_t capacity_bytes)
{
	unsigned int i;

	if (count > HEAP_LOANS_MAX)
		abort();
	memset(h, 0, sizeof(*h));
	h->count = count;
	h->capacity_bytes = capacity_bytes;
	h->stride_bytes = (capacity_bytes + GUARD - 1) / GUARD * GUARD + 2 * GUARD;
	/* shared, as a transport's memory is: a fork must not make a copy of what a device writes */
	h->memory = mmap(NULL, count * h->stride_bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (h->memory == MAP_FAILED)
		abort();
	memset(h->memory, PATTERN, count * h->stride_bytes);
	for (i = 0; i < count; i++) {
		struct heap_loan *l = &h->loans[i];

		l->memory = h->memory + i * h->stride_bytes;
		l->loan.header = &l->header;
		l->loan.data = l->memory + GUARD;
		l->loan.capacity_bytes = capacity_bytes;
		l->here = true;
	}
}

void heap_loans_deinit(struct heap_loans *h)
{
	if (h->memory)
		munmap(h->memory, h->count * h->stride_bytes);
	memset(h, 0, sizeof(*h));
}

struct loan_memory heap_loans_get_memory(const struct heap_loans *h)
{
	return loan_memory_around(h->memory, h->count * h->stride_bytes, GUARD, h->stride_bytes,
				  (h->capacity_bytes + GUARD - 1) / GUARD * GUARD);
}

struct loan *heap_loans_take(struct heap_loans *h, size_t bytes)
{
	unsigned int i;

	if (bytes > h->capacity_bytes)
		abort();
	for (i = 0; i < h->count; i++) {
		struct heap_loan *l = &h->loans[i];

		if (!l->here)
			continue;
		l->here = false;
		l->loan.capacity_bytes = bytes;
		memset(&l->header, 0, sizeof(l->header));
		return &l->loan;
	}
	return NULL;
}

void heap_loans_give_back(struct heap_loans *h, struct loan *loan)
{
	struct heap_loan *l = (struct heap_loan *)loan;

	l->here = true;
	/* not what lies beyond: the check is to find that */
	memset(l->loan.data, PATTERN, l->loan.capacity_bytes);
}

void heap_loans_give_back_all(struct heap_loans *h)
{
	unsigned int i;

	for (i = 0; i < h->count; i++)
		if (!h->loans[i].here)
			heap_loans_give_back(h, &h->loans[i].loan);
}

bool heap_loans_check(const struct heap_loans *h)
{
	unsigned int i;

	for (i = 0; i < h->count; i++) {
		const struct heap_loan *l = &h->loans[i];
		const uint8_t *data = l->loan.data;
		size_t writable = l->here ? 0 : l->loan.capacity_bytes;

		if (!untouched(l->memory, GUARD) ||
		    !untouched(data + writable, h->capacity_bytes - writable + GUARD))
			return false;
	}
	return true;
}
