/* SPDX-License-Identifier: Apache-2.0 */
/* failing.c - see failing.h */
#include "tests/kmod/failing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/kmod/sim.h"

#define DEBUGFS "/sys/kernel/debug/"

static bool set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	if (fd >= 0)
		close(fd);
	return good;
}

/* Is a kind of memory among those that fail once the filter is on? */
static bool is_to_fail(const char *cache)
{
	char path[64], word = '0';
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab", cache);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &word, 1) != 1)
		die("%s: %s", path, strerror(errno));
	close(fd);
	return word == '1';
}

bool failing_init(void)
{
	if (access("/proc/thread-self/fail-nth", W_OK))
		return false;
	/* a check that gets no memory is off until the next boot, and what it counts is wrong */
	if (!is_to_fail("kmalloc-64") || is_to_fail("radix_tree_node"))
		die("needs a kernel booted with what tests/kmod/run.py says of slub_debug");
	/* what is logged has a stack trace, as complaints have */
	return set(DEBUGFS "failslab/cache-filter", "Y") &&
	       set(DEBUGFS "failslab/verbose", "0") &&
	       set(DEBUGFS "failslab/ignore-gfp-wait", "N") &&
	       set(DEBUGFS "fail_page_alloc/verbose", "0") &&
	       set(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N") &&
	       set(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N") &&
	       set(DEBUGFS "fail_page_alloc/min-order", "0") &&
	       set(DEBUGFS "fail_usercopy/verbose", "0");
}

int failing_open(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("fail-nth: %s", strerror(errno));
	return fd;
}

void failing_arm(int fd, unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fd, text, (size_t)length, 0) != length)
		die("fail-nth: %s", strerror(errno));
}

unsigned int failing_disarm(int fd)
{
	char text[16] = "";
	/* its own copy may be the n-th thing: then nothing has failed before */
	unsigned int left = pread(fd, text, sizeof(text) - 1, 0) > 0 ?
				    (unsigned int)strtoul(text, NULL, 10) : 1;

	while (left && pwrite(fd, "0", 1, 0) != 1)
		if (errno != EFAULT)
			die("fail-nth: %s", strerror(errno));
	return left;
}
