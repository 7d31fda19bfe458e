/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failing.h - have the kernel fail the n-th thing that can fail in a system call
 *
 * By /proc/thread-self/fail-nth of a kernel that has CONFIG_FAULT_INJECTION: an
 * allocation of a piece of memory (failslab) or of pages (fail_page_alloc), or a
 * copy from or to the user (fail_usercopy).  The calling thread's own; what the
 * kernel does elsewhere on its behalf does not fail, nor do small allocations of the
 * kernel's checks of itself, which would be off from then on.
 */
#ifndef TESTS_KMOD_FAILING_H
#define TESTS_KMOD_FAILING_H

#include <stdbool.h>

/**
 * Allow every allocation to fail, also those that may wait, and have none of it
 * logged. Once, before any thread. Return: false if the kernel cannot do this.
 */
bool failing_init(void);
/** Return: the calling thread's fail-nth, for the other two. */
int failing_open(void);
/** From here on the @nth thing fails; the next system call is the one meant. */
void failing_arm(int fd, unsigned int nth);
/**
 * Let nothing fail any more. Return: 0 if something did, else how far it was from
 * that: 1 if the next thing would have failed.
 */
unsigned int failing_disarm(int fd);

#endif
