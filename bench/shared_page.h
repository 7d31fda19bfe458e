/* SPDX-License-Identifier: Apache-2.0 */
/* shared_page.h - the memory by which a benchmark's driver and its processes know each other */
#ifndef BENCH_SHARED_PAGE_H
#define BENCH_SHARED_PAGE_H

#include <stddef.h>

/**
 * shared_page_make() - in the driver, for the programs it starts from then on
 *
 * Zeroed, and written to once: no page fault while somebody measures. Return: it, or NULL (errno).
 */
void *shared_page_make(size_t bytes);

/** shared_page_open() - in a program that a driver has started. Return: NULL: none has. */
void *shared_page_open(size_t bytes);

#endif /* BENCH_SHARED_PAGE_H */
