/* SPDX-License-Identifier: Apache-2.0 */
/* loan_stock.c - see loan_stock.h */
#include "daemon/loan_stock.h"

#include <assert.h>

static unsigned int filled_at(const struct loan_stock *s, unsigned int i)
{
	return (s->filled_first + i) % LOAN_STOCK_MAX;
}

void loan_stock_add(struct loan_stock *s, struct loan *loan)
{
	assert(s->free_count < LOAN_STOCK_MAX);
	s->free[s->free_count++] = loan;
}

struct loan *loan_stock_pick(struct loan_stock *s)
{
	return s->free_count ? s->free[--s->free_count] : NULL;
}

void loan_stock_fill(struct loan_stock *s, struct loan *loan)
{
	assert(s->filled_count < LOAN_STOCK_MAX);
	s->filled[filled_at(s, s->filled_count++)] = (struct filled_loan){ .loan = loan };
}

struct loan *loan_stock_get_newest(const struct loan_stock *s)
{
	return s->filled_count ? s->filled[filled_at(s, s->filled_count - 1)].loan : NULL;
}

void loan_stock_drop(struct loan_stock *s, struct source *source)
{
	if (s->filled_count)
		s->filled[filled_at(s, s->filled_count - 1)].drops_after++;
	else
		source_drop(source, SOURCE_DROP_NO_LOAN, 1);
}

struct loan *loan_stock_take(struct loan_stock *s, struct source *source)
{
	struct filled_loan *f = &s->filled[s->filled_first];

	assert(s->filled_count);
	source_number(source, f->loan->header);
	if (f->drops_after)
		source_drop(source, SOURCE_DROP_NO_LOAN, f->drops_after);
	s->filled_first = filled_at(s, 1);
	s->filled_count--;
	return f->loan;
}

void loan_stock_reset(struct loan_stock *s, struct source *source)
{
	unsigned int i;

	for (i = 0; i < s->filled_count; i++) {
		source_drop(source, SOURCE_DROP_STOPPED, 1);
		source_drop(source, SOURCE_DROP_NO_LOAN, s->filled[filled_at(s, i)].drops_after);
	}
	s->free_count = 0;
	s->filled_count = 0;
}
