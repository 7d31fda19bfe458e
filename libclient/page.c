/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - see page.h */
#include "libclient/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE_BYTES sizeof(struct lidard_subscriber_page)

/* Without the seal a shrunk file would be a SIGBUS in the host process. */
static int check(int fd)
{
	struct stat st;
	int seals;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < (off_t)PAGE_BYTES)
		return -EPROTO;
	seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & F_SEAL_SHRINK) ? 0 : -EPROTO;
}

int page_map(int fd, struct lidard_subscriber_page **ret_page)
{
	struct lidard_subscriber_page *page;
	int r;

	r = check(fd);
	if (r < 0)
		return r;
	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (page == MAP_FAILED)
		return errno == ENOMEM ? -ENOMEM : -EPROTO;
	if (page->page_bytes < PAGE_BYTES) {
		page_unmap(page);
		return -EPROTO;
	}
	*ret_page = page;
	return 0;
}

/* Everything behind guard: counters and histograms. */
static void carry_over(struct lidard_subscriber_page *to, const struct lidard_subscriber_page *from)
{
	size_t at = offsetof(struct lidard_subscriber_page, incarnation);

	memcpy((char *)to + at, (const char *)from + at, PAGE_BYTES - at);
}

int page_replace(struct lidard_subscriber_page *page, int fd)
{
	struct lidard_subscriber_page *fresh;
	int r;

	r = page_map(fd, &fresh);
	if (r < 0)
		return r;
	/* lidard may read the new page already: the counters change under its guard */
	__atomic_store_n(&fresh->guard, fresh->guard + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	carry_over(fresh, page);
	__atomic_store_n(&fresh->guard, fresh->guard + 1, __ATOMIC_RELEASE);
	if (mremap(fresh, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, page) ==
	    MAP_FAILED) {
		page_unmap(fresh);
		return -ENOMEM;
	}
	return 0;
}

struct lidard_subscriber_page *page_unmap(struct lidard_subscriber_page *page)
{
	if (page)
		munmap(page, PAGE_BYTES);
	return NULL;
}
