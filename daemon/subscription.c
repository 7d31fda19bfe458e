/* SPDX-License-Identifier: Apache-2.0 */
/* subscription.c - see subscription.h */
#include "daemon/subscription.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/client.h"

#define PAGE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Times a reader may be met in the middle of an update before we give up. */
#define PAGE_READ_TRIES 8

/* Return: its memfd or negative errno. */
static int make_page(struct subscription *s)
{
	CLEANUP(cleanup_fd) int fd = memfd_create("lidard-subscriber", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint32_t page_bytes = sizeof(struct lidard_subscriber_page);
	void *map;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, page_bytes) < 0 ||
	    pwrite(fd, &page_bytes, sizeof(page_bytes), 0) != (ssize_t)sizeof(page_bytes) ||
	    fcntl(fd, F_ADD_SEALS, PAGE_SEALS) < 0)
		return -errno;
	map = mmap(NULL, page_bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	s->page = map;
	return steal_fd(&fd);
}

int subscription_new(struct sensor *sensor, struct client *client, uint64_t connection_id,
		     uint32_t queue, uint32_t held, uint32_t policy,
		     struct subscription **ret_subscription, int *ret_page_fd)
{
	static uint64_t last_id;
	struct subscription *s;
	int fd;

	if (queue + held > sensor->config.subscriber_slices - sensor->reserved_slices)
		return -ENOSPC;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct subscription){
		.id = ++last_id,
		.sensor = sensor,
		.client = client,
		.connection_id = connection_id,
		.queue = queue,
		.held = held,
		.policy = policy,
	};
	fd = make_page(s);
	if (fd < 0) {
		free(s);
		return fd;
	}
	sensor->reserved_slices += queue + held;
	LIST_INSERT_HEAD(&sensor->subscriptions, s, of_sensor);
	*ret_subscription = s;
	*ret_page_fd = fd;
	return 0;
}

struct subscription *subscription_free(struct subscription *s)
{
	if (!s)
		return NULL;
	s->sensor->reserved_slices -= s->queue + s->held;
	LIST_REMOVE(s, of_sensor);
	munmap((void *)s->page, sizeof(*s->page));
	free(s);
	return NULL;
}

/*
 * The counters are copied before the guard is looked at again; the acquire
 * fence pairs with the release stores of the guard in the library's
 * subscription.c. The histograms behind them need no guard: each bucket stands
 * for itself.
 */
bool subscription_read_page(const struct subscription *s, struct lidard_subscriber_page *ret_page)
{
	uint64_t before, after;
	int i;

	memcpy(ret_page->stages, s->page->stages, sizeof(ret_page->stages));
	for (i = 0; i < PAGE_READ_TRIES; i++) {
		before = __atomic_load_n(&s->page->guard, __ATOMIC_ACQUIRE);
		memcpy(ret_page, s->page, offsetof(struct lidard_subscriber_page, stages));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = __atomic_load_n(&s->page->guard, __ATOMIC_RELAXED);
		if (before == after && (before & 1) == 0)
			return true;
	}
	return false;
}

/* Slices the reader says it saw. Return: false if that is more than there can be. */
static bool sum_seen(const struct lidard_subscriber_page *page, uint64_t *ret_seen)
{
	uint64_t sum;
	unsigned int i;

	if (__builtin_add_overflow(page->taken, page->collecting, &sum))
		return false;
	for (i = 0; i < LIDARD_SKIP_COUNT; i++)
		if (__builtin_add_overflow(sum, page->skipped[i], &sum))
			return false;
	*ret_seen = sum;
	return true;
}

void subscription_get_account(const struct subscription *s,
			      const struct lidard_subscriber_page *page,
			      struct subscription_account *ret_account)
{
	struct subscription_account a = { .holds = true };
	uint64_t seen, pending;

	/* Nothing taken yet since the source started: nothing to hold against. */
	if (page->incarnation != s->sensor->incarnation || page->incarnation == 0) {
		*ret_account = a;
		return;
	}
	a.incarnation = page->incarnation;
	if (page->first_index < s->sensor->next_publish_index)
		a.published = s->sensor->next_publish_index - page->first_index;
	a.received = page->taken;
	a.collecting = page->collecting;
	memcpy(a.skipped, page->skipped, sizeof(a.skipped));
	a.holds = a.published > 0 && sum_seen(page, &seen) &&
		  page->next_index - page->first_index == seen && seen <= a.published;
	if (a.holds) {
		pending = a.published - seen;
		a.waiting = pending < s->queue ? pending : s->queue;
		a.unseen = pending - a.waiting;
	}
	*ret_account = a;
}

/* publish_index the reader takes next, as far as its page tells. */
static uint64_t next_index(struct subscription *s)
{
	if (__atomic_load_n(&s->page->incarnation, __ATOMIC_RELAXED) == s->sensor->incarnation)
		return __atomic_load_n(&s->page->next_index, __ATOMIC_RELAXED);
	if (s->joined_incarnation == s->sensor->incarnation)
		return s->joined_index;
	return 0;
}

void subscriptions_get_readers(const struct sensor *sensor, struct source_readers *ret_readers)
{
	struct source_readers readers = { .room = UINT32_MAX };
	struct subscription *s;
	uint64_t waiting;

	LIST_FOREACH(s, &sensor->subscriptions, of_sensor) {
		if (s->client->state != CLIENT_LIVE ||
		    __atomic_load_n(&s->page->connected, __ATOMIC_RELAXED) != 1)
			continue;
		if (s->joined_incarnation == 0) {
			s->joined_incarnation = sensor->incarnation;
			s->joined_index = sensor->next_publish_index;
		}
		readers.connected++;
		waiting = sensor->next_publish_index - next_index(s);
		if (waiting > s->queue)
			waiting = s->queue;
		if (s->queue - waiting < readers.room)
			readers.room = (uint32_t)(s->queue - waiting);
	}
	*ret_readers = readers;
}
