/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_loans.h - loans of plain memory, for sources under test
 *
 * Stands in for a sink.  Memory that nobody may write to, before, behind and,
 * while it is not lent, within a loan, is filled with a pattern:
 * heap_loans_check() tells if somebody did.
 */
#ifndef TESTS_SUPPORT_HEAP_LOANS_H
#define TESTS_SUPPORT_HEAP_LOANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/loan.h"
#include "daemon/loan_memory.h"

#define HEAP_LOANS_MAX 256

struct heap_loan {
	struct loan loan;
	struct lidard_slice_header header;
	uint8_t *memory;
	/** With the test, not with the source. */
	bool here;
};

struct heap_loans {
	struct heap_loan loans[HEAP_LOANS_MAX];
	unsigned int count;
	size_t capacity_bytes;
	/** One mapping, in which loans lie a stride apart. */
	uint8_t *memory;
	size_t stride_bytes;
};

/** Aborts if memory is short. */
void heap_loans_init(struct heap_loans *h, unsigned int count, size_t capacity_bytes);
void heap_loans_deinit(struct heap_loans *h);
/** heap_loans_get_memory() - as a sink would say it */
struct loan_memory heap_loans_get_memory(const struct heap_loans *h);
/** heap_loans_take() - a loan of @bytes to lend, its header zero; NULL if all are lent */
struct loan *heap_loans_take(struct heap_loans *h, size_t bytes);
/** heap_loans_give_back() - it is here again and may not be written any more */
void heap_loans_give_back(struct heap_loans *h, struct loan *loan);
/** heap_loans_give_back_all() - the source was stopped */
void heap_loans_give_back_all(struct heap_loans *h);
/** Return: true if no loan that is here was written to, and no guard of any loan. */
bool heap_loans_check(const struct heap_loans *h);

#endif /* TESTS_SUPPORT_HEAP_LOANS_H */
