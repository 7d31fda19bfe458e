/* SPDX-License-Identifier: Apache-2.0 */
/* shared_page.c - see shared_page.h */
#include "bench/shared_page.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/child.h"
#include "common/cleanup.h"

#define PAGE_FILE BENCH_DIR "/page"
#define PAGE_ENV "LIDARD_BENCH_PAGE"

static void *map(int fd, size_t bytes)
{
	void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

void *shared_page_make(size_t bytes)
{
	CLEANUP(cleanup_fd) int fd = open(PAGE_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *page = NULL;

	if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
		page = map(fd, bytes);
	if (!page)
		return NULL;
	memset(page, 0, bytes);
	setenv(PAGE_ENV, PAGE_FILE, 1);
	return page;
}

void *shared_page_open(size_t bytes)
{
	const char *path = getenv(PAGE_ENV);
	CLEANUP(cleanup_fd) int fd = open(path ? path : "", O_RDWR | O_CLOEXEC);

	return fd < 0 ? NULL : map(fd, bytes);
}
