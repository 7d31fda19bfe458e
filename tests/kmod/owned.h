/* SPDX-License-Identifier: Apache-2.0 */
/* owned.h - what the kernel has for this process, and a call may forget to give back */
#ifndef TESTS_KMOD_OWNED_H
#define TESTS_KMOD_OWNED_H

#include <stdint.h>

/** struct owned - what can leak and kmemleak does not see */
struct owned {
	uint64_t pins;
	uint64_t locked_kb;
	uint64_t fds;
	uint64_t dma_entries_free;
	uint64_t dmabufs;
};

void owned_look(struct owned *owned);
/** Return: what is owned now and was not before, in words; NULL: nothing. */
const char *owned_leak(const struct owned *before);
/** The number behind the last @key of a file of the kernel's; 0 if it has none. */
uint64_t owned_number_in(const char *path, const char *key);

#endif
