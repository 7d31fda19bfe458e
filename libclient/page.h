/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - map the counters page that lidard hands out
 *
 * The mapping keeps its address for the life of the subscription: after a
 * restart of lidard the new page takes the place of the old one and inherits
 * its counters, so that a subscription's totals never go back.
 */
#ifndef LIBCLIENT_PAGE_H
#define LIBCLIENT_PAGE_H

#include "lidard/control.h"

/**
 * page_map() - map a page
 * @fd: as it came with the reply to Subscribe; borrowed
 * @ret_page: release with page_unmap()
 *
 * Return: 0; -EPROTO not a page as control.h has it, or it could shrink under us; -ENOMEM.
 */
int page_map(int fd, struct lidard_subscriber_page **ret_page);

/** page_replace() - put another page in the place of the first, and carry the counters over.
 *
 * Return: as page_map(); on failure the old page stays.
 */
int page_replace(struct lidard_subscriber_page *page, int fd);

/** NULL is allowed. Return: NULL. */
struct lidard_subscriber_page *page_unmap(struct lidard_subscriber_page *page);

#endif /* LIBCLIENT_PAGE_H */
