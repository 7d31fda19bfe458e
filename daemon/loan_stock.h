/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loan_stock.h - the loans in the hands of who fills several at a time
 *
 * A part of frame_builder.c and source_side.c, which embed one: free loans, and
 * filled ones that wait to be taken.  (Those being filled are in open slices.)
 *
 * Drops and filled slices are numbered in the order in which they are handed
 * out: a drop that comes after a slice that still waits to be taken is noted
 * with that slice.
 */
#ifndef DAEMON_LOAN_STOCK_H
#define DAEMON_LOAN_STOCK_H

#include <stdint.h>

#include "daemon/loan.h"
#include "daemon/source.h"

/** At most; config.h limits loans to as many. */
#define LOAN_STOCK_MAX 256

/** A loan that waits to be taken. */
struct filled_loan {
	struct loan *loan;
	/** Slices dropped for want of a loan after this one. */
	uint64_t drops_after;
};

struct loan_stock {
	/** How many there may be, those in open slices counted; at most LOAN_STOCK_MAX. */
	unsigned int max;
	struct loan *free[LOAN_STOCK_MAX];
	unsigned int free_count;
	/** A ring. */
	struct filled_loan filled[LOAN_STOCK_MAX];
	unsigned int filled_first;
	unsigned int filled_count;
};

/** loan_stock_add() - a free loan comes in. Hot path. */
void loan_stock_add(struct loan_stock *s, struct loan *loan);
/** loan_stock_pick() - a free loan, NULL if there is none. Hot path. */
struct loan *loan_stock_pick(struct loan_stock *s);
/** loan_stock_fill() - @loan is filled and waits to be taken. Hot path. */
void loan_stock_fill(struct loan_stock *s, struct loan *loan);
/** loan_stock_get_newest() - the loan filled last; NULL if none waits */
struct loan *loan_stock_get_newest(const struct loan_stock *s);
/** loan_stock_drop() - a slice found no loan (SOURCE_DROP_NO_LOAN). Hot path. */
void loan_stock_drop(struct loan_stock *s, struct source *source);
/** loan_stock_take() - the oldest filled loan, of which there is one; numbered. Hot path. */
struct loan *loan_stock_take(struct loan_stock *s, struct source *source);
/** loan_stock_reset() - forget all loans; the filled ones are dropped (SOURCE_DROP_STOPPED) */
void loan_stock_reset(struct loan_stock *s, struct source *source);

#endif /* DAEMON_LOAN_STOCK_H */
