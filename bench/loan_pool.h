/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loan_pool.h - loans on the heap, for tests and benchmarks of sources
 *
 * Stands in for a sink: a fixed number of loans of one size, taken and given
 * back in any order.
 */
#ifndef BENCH_LOAN_POOL_H
#define BENCH_LOAN_POOL_H

#include <stdlib.h>
#include <string.h>

#include "daemon/loan.h"

#define LOAN_POOL_MAX 16u

struct loan_pool {
	struct loan loans[LOAN_POOL_MAX];
	struct lidard_slice_header headers[LOAN_POOL_MAX];
	struct loan *free;
	unsigned int free_count;
	unsigned int count;
};

/** loan_pool_give_back() - the loan's content may be overwritten from here on */
static inline void loan_pool_give_back(struct loan_pool *pool, struct loan *loan)
{
	loan->next = pool->free;
	pool->free = loan;
	pool->free_count++;
}

/** loan_pool_take() - a loan with its header zeroed. Return: NULL if all are out. */
static inline struct loan *loan_pool_take(struct loan_pool *pool)
{
	struct loan *loan = pool->free;

	if (!loan)
		return NULL;
	pool->free = loan->next;
	pool->free_count--;
	loan->next = NULL;
	memset(loan->header, 0, sizeof(*loan->header));
	return loan;
}

static inline void loan_pool_init(struct loan_pool *pool, unsigned int count, size_t bytes)
{
	unsigned int i;

	memset(pool, 0, sizeof(*pool));
	pool->count = count;
	bytes = (bytes + LIDARD_PAYLOAD_ALIGN - 1) / LIDARD_PAYLOAD_ALIGN * LIDARD_PAYLOAD_ALIGN;
	for (i = 0; i < count; i++) {
		pool->loans[i].header = &pool->headers[i];
		pool->loans[i].capacity_bytes = bytes;
		pool->loans[i].data = aligned_alloc(LIDARD_PAYLOAD_ALIGN, bytes);
		if (!pool->loans[i].data)
			abort();
		/* not a page fault while somebody measures */
		memset(pool->loans[i].data, 0, bytes);
		loan_pool_give_back(pool, &pool->loans[i]);
	}
}

static inline void loan_pool_deinit(struct loan_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->count; i++)
		free(pool->loans[i].data);
	memset(pool, 0, sizeof(*pool));
}

#endif /* BENCH_LOAN_POOL_H */
