/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile guest may write into its queue. The guest here is a file of a
 * megabyte with the queue at its beginning and buffers behind.
 */
#include "tests/vm/device_queue.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUEST 0x100000000ull
#define USER 0x7f0000000000ull
#define BYTES (1ull << 20)
#define ENTRIES 4u
#define AVAIL_AT 0x1000u
#define USED_AT 0x2000u
#define TABLE_AT 0x4000u
#define BUFFER_AT 0x10000u

struct guest {
	struct guest_memory memory;
	struct device_queue queue;
	uint8_t *bytes;
};

static struct chain chain;

static struct guest *new_guest(bool has_event_index)
{
	static struct guest g;
	int fd = memfd_create("guest", MFD_CLOEXEC);

	cr_assert_eq(ftruncate(fd, BYTES), 0);
	cr_assert_eq(guest_memory_add(&g.memory, GUEST, USER, BYTES, 0, fd), 0);
	close(fd);
	g.bytes = guest_memory_at(&g.memory, GUEST, BYTES);
	g.queue = (struct device_queue){
		.memory = &g.memory,
		.desc_user = USER,
		.avail_user = USER + AVAIL_AT,
		.used_user = USER + USED_AT,
		.entries = ENTRIES,
		.has_event_index = has_event_index,
		.call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	cr_assert_eq(device_queue_map(&g.queue), 0);
	return &g;
}

static void describe(struct guest *g, unsigned int table_at, unsigned int entry, uint64_t address,
		     uint32_t bytes, uint16_t flags, uint16_t next)
{
	struct vring_desc desc = {.addr = address, .len = bytes, .flags = flags, .next = next};

	memcpy(g->bytes + table_at + entry * sizeof(desc), &desc, sizeof(desc));
}

static void post(struct guest *g, uint16_t head)
{
	uint16_t *avail = (uint16_t *)(void *)(g->bytes + AVAIL_AT);

	avail[2 + avail[1] % ENTRIES] = head;
	avail[1]++;
}

static void expect_broken(struct guest *g)
{
	cr_assert_eq(device_queue_take(&g->queue, &chain), -EPROTO);
	/* and it stays so, whatever comes then */
	describe(g, 0, 0, GUEST + BUFFER_AT, 64, VRING_DESC_F_WRITE, 0);
	post(g, 0);
	cr_assert_eq(device_queue_take(&g->queue, &chain), -EPROTO);
}

Test(device_queue, a_chain_is_taken_as_it_was_posted)
{
	struct guest *g = new_guest(true);

	cr_assert_eq(device_queue_take(&g->queue, &chain), 0);
	describe(g, 0, 2, GUEST + BUFFER_AT, 4096, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	describe(g, 0, 1, GUEST + BYTES - 64, 64, VRING_DESC_F_WRITE, 0);
	post(g, 2);
	cr_assert_eq(device_queue_take(&g->queue, &chain), 1);
	cr_assert_eq(chain.head, 2);
	cr_assert_eq(chain.count, 2);
	cr_assert_eq(chain.segments[0].guest, GUEST + BUFFER_AT);
	cr_assert_eq(chain.segments[1].bytes, 64);
	cr_assert_eq(device_queue_take(&g->queue, &chain), 0);
}

Test(device_queue, an_indirect_table_is_followed)
{
	struct guest *g = new_guest(true);

	describe(g, 0, 0, GUEST + TABLE_AT, 2 * sizeof(struct vring_desc), VRING_DESC_F_INDIRECT, 0);
	describe(g, TABLE_AT, 0, GUEST + BUFFER_AT, 8192, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	describe(g, TABLE_AT, 1, GUEST + BUFFER_AT + 8192, 64, VRING_DESC_F_WRITE, 0);
	post(g, 0);
	cr_assert_eq(device_queue_take(&g->queue, &chain), 1);
	cr_assert_eq(chain.count, 2);
}

Test(device_queue, what_is_given_back_is_seen_and_interrupts_if_awaited)
{
	struct guest *g = new_guest(true);
	const uint16_t *used = (const uint16_t *)(void *)(g->bytes + USED_AT);
	uint16_t *used_event = (uint16_t *)(void *)(g->bytes + AVAIL_AT) + 2 + ENTRIES;
	struct vring_used_elem entry;
	uint64_t count;

	*used_event = 1;
	device_queue_give(&g->queue, 3, 100);
	device_queue_tell(&g->queue);
	cr_assert_eq(used[1], 1);
	memcpy(&entry, used + 2, sizeof(entry));
	cr_assert_eq(entry.id, 3);
	cr_assert_eq(entry.len, 100);
	cr_assert_lt(read(g->queue.call_fd, &count, sizeof(count)), 0);
	device_queue_give(&g->queue, 2, 100);
	device_queue_tell(&g->queue);
	cr_assert_eq(read(g->queue.call_fd, &count, sizeof(count)), sizeof(count));
}

Test(device_queue, one_interrupt_tells_of_all_that_were_given_back_since_the_last)
{
	struct guest *g = new_guest(true);
	uint16_t *used_event = (uint16_t *)(void *)(g->bytes + AVAIL_AT) + 2 + ENTRIES;
	uint64_t count;

	/* awaited is the first of three */
	*used_event = 0;
	device_queue_give(&g->queue, 0, 100);
	device_queue_give(&g->queue, 1, 100);
	device_queue_give(&g->queue, 2, 100);
	cr_assert_lt(read(g->queue.call_fd, &count, sizeof(count)), 0);
	device_queue_tell(&g->queue);
	cr_assert_eq(read(g->queue.call_fd, &count, sizeof(count)), sizeof(count));
	cr_assert_eq(count, 1);
	device_queue_tell(&g->queue);
	cr_assert_lt(read(g->queue.call_fd, &count, sizeof(count)), 0);
}

Test(device_queue, without_event_index_a_flag_keeps_interrupts_away)
{
	struct guest *g = new_guest(false);
	uint64_t count;

	*(uint16_t *)(void *)(g->bytes + AVAIL_AT) = VRING_AVAIL_F_NO_INTERRUPT;
	device_queue_give(&g->queue, 0, 1);
	device_queue_tell(&g->queue);
	cr_assert_lt(read(g->queue.call_fd, &count, sizeof(count)), 0);
	*(uint16_t *)(void *)(g->bytes + AVAIL_AT) = 0;
	device_queue_give(&g->queue, 0, 1);
	device_queue_tell(&g->queue);
	cr_assert_eq(read(g->queue.call_fd, &count, sizeof(count)), sizeof(count));
}

Test(device_queue, who_asks_for_a_kick_learns_of_what_came_before)
{
	struct guest *g = new_guest(true);
	uint16_t *avail_event = (uint16_t *)(void *)(g->bytes + USED_AT) + 2 + ENTRIES * 4;

	*avail_event = 77;
	cr_assert(!device_queue_ask_kick(&g->queue));
	cr_assert_eq(*avail_event, 0);
	post(g, 0);
	cr_assert(device_queue_ask_kick(&g->queue));
}

Test(device_queue, a_loop_breaks_it)
{
	struct guest *g = new_guest(true);

	describe(g, 0, 0, GUEST + BUFFER_AT, 64, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	describe(g, 0, 1, GUEST + BUFFER_AT, 64, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 0);
	post(g, 0);
	expect_broken(g);
}

Test(device_queue, a_loop_in_an_indirect_table_breaks_it)
{
	struct guest *g = new_guest(true);

	describe(g, 0, 0, GUEST + TABLE_AT, sizeof(struct vring_desc), VRING_DESC_F_INDIRECT, 0);
	describe(g, TABLE_AT, 0, GUEST + BUFFER_AT, 64, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 0);
	post(g, 0);
	expect_broken(g);
}

Test(device_queue, a_head_that_is_none_breaks_it)
{
	struct guest *g = new_guest(true);

	post(g, ENTRIES);
	expect_broken(g);
}

Test(device_queue, a_next_that_is_none_breaks_it)
{
	struct guest *g = new_guest(true);

	describe(g, 0, 0, GUEST + BUFFER_AT, 64, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, ENTRIES);
	post(g, 0);
	expect_broken(g);
}

Test(device_queue, more_buffers_than_entries_break_it)
{
	struct guest *g = new_guest(true);

	((uint16_t *)(void *)(g->bytes + AVAIL_AT))[1] = ENTRIES + 1;
	cr_assert_eq(device_queue_take(&g->queue, &chain), -EPROTO);
}

Test(device_queue, a_buffer_only_to_be_read_breaks_it)
{
	struct guest *g = new_guest(true);

	describe(g, 0, 0, GUEST + BUFFER_AT, 64, 0, 0);
	post(g, 0);
	expect_broken(g);
}

Test(device_queue, a_table_within_a_table_breaks_it)
{
	struct guest *g = new_guest(true);

	describe(g, 0, 0, GUEST + TABLE_AT, sizeof(struct vring_desc), VRING_DESC_F_INDIRECT, 0);
	describe(g, TABLE_AT, 0, GUEST + TABLE_AT, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0);
	post(g, 0);
	expect_broken(g);
}

struct range {
	uint64_t address;
	uint32_t bytes;
};

static const struct range outside[] = {
	{GUEST - 1, 64}, {GUEST + BYTES - 63, 64}, {GUEST + BYTES, 1}, {UINT64_MAX, 64},
	{UINT64_MAX - 63, 64}, {GUEST, UINT32_MAX}, {0, 1}, {GUEST, 0},
};

Test(device_queue, a_buffer_outside_the_memory_breaks_it)
{
	unsigned int i;

	for (i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		struct guest *g = new_guest(true);

		describe(g, 0, 0, outside[i].address, outside[i].bytes, VRING_DESC_F_WRITE, 0);
		post(g, 0);
		expect_broken(g);
		guest_memory_clear(&g->memory);
		close(g->queue.call_fd);
	}
}

Test(device_queue, a_table_that_is_none_breaks_it)
{
	static const struct range tables[] = {
		{GUEST + BYTES - 16, 32}, {GUEST + TABLE_AT, 24}, {GUEST + TABLE_AT, 0}, {0, 16},
		{GUEST, (CHAIN_SEGMENTS_MAX + 1) * 16},
	};
	unsigned int i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct guest *g = new_guest(true);

		describe(g, 0, 0, tables[i].address, tables[i].bytes, VRING_DESC_F_INDIRECT, 0);
		post(g, 0);
		expect_broken(g);
		guest_memory_clear(&g->memory);
		close(g->queue.call_fd);
	}
}

Test(device_queue, a_queue_outside_the_memory_is_refused)
{
	struct guest *g = new_guest(true);

	g->queue.used_user = USER + BYTES - 4;
	cr_assert_eq(device_queue_map(&g->queue), -EFAULT);
	cr_assert_eq(device_queue_take(&g->queue, &chain), -EPROTO);
}

Test(device_queue, a_region_that_wraps_is_refused)
{
	struct guest_memory m = {0};

	cr_assert_eq(guest_memory_add(&m, UINT64_MAX - 10, 0, 4096, 0, -1), -EINVAL);
	cr_assert_eq(guest_memory_add(&m, 0, UINT64_MAX - 10, 4096, 0, -1), -EINVAL);
	cr_assert_eq(guest_memory_add(&m, 0, 0, 4096, UINT64_MAX - 10, -1), -EINVAL);
	cr_assert_eq(guest_memory_add(&m, 0, 0, 0, 0, -1), -EINVAL);
}
