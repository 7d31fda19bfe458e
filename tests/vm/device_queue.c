/* SPDX-License-Identifier: Apache-2.0 */
/* device_queue.c - see device_queue.h */
#include "tests/vm/device_queue.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Places in the rings, counted in u16. */
#define RING_FLAGS 0
#define RING_INDEX 1
#define RING_ENTRIES 2
#define USED_ENTRY_WORDS (sizeof(struct vring_used_elem) / sizeof(uint16_t))

static uint16_t load(const uint16_t *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static size_t used_event_place(const struct device_queue *q)
{
	return RING_ENTRIES + q->entries;
}

static size_t avail_event_place(const struct device_queue *q)
{
	return RING_ENTRIES + q->entries * USED_ENTRY_WORDS;
}

static bool is_aligned(const void *p, size_t to)
{
	return (uintptr_t)p % to == 0;
}

int device_queue_map(struct device_queue *q)
{
	const struct guest_memory *m = q->memory;

	q->desc = guest_memory_at_user(m, q->desc_user, q->entries * sizeof(*q->desc));
	q->avail = guest_memory_at_user(m, q->avail_user,
					(used_event_place(q) + 1) * sizeof(*q->avail));
	q->used = guest_memory_at_user(m, q->used_user,
				       (avail_event_place(q) + 1) * sizeof(*q->used));
	if (!q->desc || !q->avail || !q->used || !is_aligned(q->desc, 16) ||
	    !is_aligned(q->avail, 2) || !is_aligned(q->used, 4)) {
		q->broken = true;
		return -EFAULT;
	}
	return 0;
}

static int break_queue(struct device_queue *q)
{
	q->broken = true;
	return -EPROTO;
}

static int add_segment(struct device_queue *q, const struct vring_desc *desc, struct chain *chain)
{
	if (!(desc->flags & VRING_DESC_F_WRITE) || !desc->len ||
	    chain->count == CHAIN_SEGMENTS_MAX || !guest_memory_at(q->memory, desc->addr, desc->len))
		return break_queue(q);
	chain->segments[chain->count++] =
		(struct chain_segment){.guest = desc->addr, .bytes = desc->len};
	return 0;
}

/* From an entry of a table to the end; a chain of more entries than there are is a loop. */
static int walk(struct device_queue *q, const struct vring_desc *table, unsigned int entries,
		unsigned int first, struct chain *chain)
{
	unsigned int visited, at = first;

	for (visited = 0; visited < entries && at < entries; visited++) {
		struct vring_desc desc;

		memcpy(&desc, &table[at], sizeof(desc));
		if (desc.flags & VRING_DESC_F_INDIRECT || add_segment(q, &desc, chain) < 0)
			return break_queue(q);
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		at = desc.next;
	}
	return break_queue(q);
}

static int walk_indirect(struct device_queue *q, const struct vring_desc *desc, struct chain *chain)
{
	const struct vring_desc *table = guest_memory_at(q->memory, desc->addr, desc->len);
	unsigned int entries = desc->len / sizeof(*table);

	if (!table || !entries || desc->len % sizeof(*table) || entries > CHAIN_SEGMENTS_MAX ||
	    desc->flags & VRING_DESC_F_NEXT)
		return break_queue(q);
	return walk(q, table, entries, 0, chain);
}

static int take(struct device_queue *q, struct chain *chain)
{
	uint16_t head = load(&q->avail[RING_ENTRIES + q->next_avail % q->entries]);
	struct vring_desc first;

	if (head >= q->entries)
		return break_queue(q);
	chain->head = head;
	chain->count = 0;
	memcpy(&first, &q->desc[head], sizeof(first));
	if (first.flags & VRING_DESC_F_INDIRECT)
		return walk_indirect(q, &first, chain);
	return walk(q, q->desc, q->entries, head, chain);
}

int device_queue_take(struct device_queue *q, struct chain *ret_chain)
{
	uint16_t waiting;
	int r;

	if (q->broken)
		return -EPROTO;
	/* pairs with the driver's write barrier before it moves the index */
	waiting = __atomic_load_n(&q->avail[RING_INDEX], __ATOMIC_ACQUIRE) - q->next_avail;
	if (!waiting)
		return 0;
	if (waiting > q->entries)
		return break_queue(q);
	r = take(q, ret_chain);
	if (r < 0)
		return r;
	q->next_avail++;
	return 1;
}

static bool wants_interrupt(const struct device_queue *q)
{
	if (!q->has_event_index)
		return !(load(&q->avail[RING_FLAGS]) & VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(load(&q->avail[used_event_place(q)]), q->next_used,
				q->next_used - q->untold);
}

void device_queue_give(struct device_queue *q, uint16_t head, uint32_t bytes)
{
	struct vring_used_elem entry = {.id = head, .len = bytes};

	memcpy(&q->used[RING_ENTRIES + q->next_used % q->entries * USED_ENTRY_WORDS], &entry,
	       sizeof(entry));
	q->next_used++;
	q->untold++;
	/* the entry, and the data, before the index: the driver reads in the other order */
	__atomic_store_n(&q->used[RING_INDEX], q->next_used, __ATOMIC_RELEASE);
}

void device_queue_tell(struct device_queue *q)
{
	const uint64_t one = 1;

	/* the index before the question whether it is awaited, or both sides may sleep */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (q->call_fd >= 0 && wants_interrupt(q) &&
	    write(q->call_fd, &one, sizeof(one)) != sizeof(one))
		q->broken = true;
	q->untold = 0;
}

bool device_queue_ask_kick(struct device_queue *q)
{
	if (q->has_event_index)
		__atomic_store_n(&q->used[avail_event_place(q)], q->next_avail, __ATOMIC_RELAXED);
	/* a buffer posted before the driver saw this comes without a kick: look again */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load(&q->avail[RING_INDEX]) != q->next_avail;
}
