/* SPDX-License-Identifier: Apache-2.0 */
/* needs.h - what a test cannot do without */
#ifndef TESTS_SUPPORT_NEEDS_H
#define TESTS_SUPPORT_NEEDS_H

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/pidfd.h>
#include <unistd.h>

/** valgrind 3.19 has none: lidard takes every process for dead then. */
static inline void needs_pidfd(void)
{
	int fd = pidfd_open(getpid(), 0);

	if (fd < 0 && errno == ENOSYS)
		cr_skip_test("no pidfd_open()");
	close(fd);
}

#endif /* TESTS_SUPPORT_NEEDS_H */
