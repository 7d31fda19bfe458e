/* SPDX-License-Identifier: Apache-2.0 */
#include "libclient/page.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int make_page(off_t bytes, int seals, uint32_t page_bytes)
{
	int fd = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, bytes), 0);
	cr_assert_eq(pwrite(fd, &page_bytes, sizeof(page_bytes), 0), sizeof(page_bytes));
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int good_page(void)
{
	return make_page(sizeof(struct lidard_subscriber_page), F_SEAL_SHRINK,
			 sizeof(struct lidard_subscriber_page));
}

Test(client_page, maps_a_sealed_page)
{
	struct lidard_subscriber_page *page;

	cr_assert_eq(page_map(good_page(), &page), 0);
	cr_assert_eq(page->taken, 0);
	cr_assert_null(page_unmap(page));
}

Test(client_page, refuses_what_could_fault_or_is_another_version)
{
	size_t bytes = sizeof(struct lidard_subscriber_page);
	struct lidard_subscriber_page *page;

	cr_assert_eq(page_map(-1, &page), -EPROTO);
	cr_assert_eq(page_map(make_page((off_t)bytes, 0, (uint32_t)bytes), &page), -EPROTO);
	cr_assert_eq(page_map(make_page((off_t)bytes - 1, F_SEAL_SHRINK, (uint32_t)bytes), &page),
		     -EPROTO);
	cr_assert_eq(page_map(make_page((off_t)bytes, F_SEAL_SHRINK, (uint32_t)bytes - 8), &page),
		     -EPROTO);
	cr_assert_eq(page_map(open("/dev/null", O_RDWR), &page), -EPROTO);
}

Test(client_page, a_new_page_keeps_the_address_and_inherits_the_counters)
{
	struct lidard_subscriber_page *page, *other;
	int fd = good_page();

	cr_assert_eq(page_map(good_page(), &page), 0);
	page->incarnation = 5;
	page->taken = 10;
	page->total_taken = 30;
	page->stages[LIDARD_STAGE_TAKE].buckets[7] = 3;
	cr_assert_eq(page_replace(page, fd), 0);
	cr_assert_eq(page->incarnation, 5);
	cr_assert_eq(page->total_taken, 30);
	cr_assert_eq(page->stages[LIDARD_STAGE_TAKE].buckets[7], 3);
	cr_assert_eq(page->guard % 2, 0);
	page->taken = 11;
	cr_assert_eq(page_map(fd, &other), 0);
	cr_assert_eq(other->taken, 11, "it is the new file that is mapped");
}

Test(client_page, a_bad_page_leaves_the_old_one)
{
	struct lidard_subscriber_page *page;

	cr_assert_eq(page_map(good_page(), &page), 0);
	page->taken = 10;
	cr_assert_eq(page_replace(page, -1), -EPROTO);
	cr_assert_eq(page->taken, 10);
}
