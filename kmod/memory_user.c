// SPDX-License-Identifier: GPL-2.0
/*
 * memory_user.c - slots in the caller's memory
 *
 * Pinned once, by REGISTER, and unpinned at the last close.  Pins keep the
 * pages from being freed, but not their owner from dying while somebody else
 * still has the file open: then the memory's other users (RouDi takes back the
 * chunks of a dead publisher) would share it with a device that still writes.
 * So a notifier on the owner's address space stops the device when it ends.
 *
 * The notifier's release() waits for ring->lock, and unregistering waits for
 * release(): lidar_memory_unregister() is called without the lock.  So is
 * whatever faults pages in or takes the owner's mmap_lock: it is for the owner to
 * say how long that takes (memory of a FUSE file), and others want their answers.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core.h"

/* Pages to pin at a time: a fatal signal is noticed in between. */
#define PIN_BATCH 2048

static void owner_memory_ended(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct lidar_memory *memory = container_of(notifier, struct lidar_memory, notifier);
	struct lidar_ring *ring = memory->ring;

	mutex_lock(&ring->lock);
	memory->mm_dead = true;
	lidar_stream_halt(ring, &ring->stats.lost_stopped);
	mutex_unlock(&ring->lock);
}

static const struct mmu_notifier_ops notifier_ops = {
	.release = owner_memory_ended,
};

/*
 * A page of a file on disk may be written back, and cleaned, while it is
 * pinned: what the device writes then is lost.  Memory of nobody, shared memory
 * and huge pages have no such second life.
 */
static bool page_usable(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_test_swapbacked(folio) || folio_test_hugetlb(folio);
}

static int pin_slot(struct lidar_memory *memory, struct lidar_slot *slot, unsigned long address)
{
	unsigned long count = memory->slot_bytes >> PAGE_SHIFT;

	slot->pages = memory->pages + memory->page_count;
	while (count) {
		struct page **pages = memory->pages + memory->page_count;
		int i, pinned;

		pinned = pin_user_pages_fast(address, min_t(unsigned long, count, PIN_BATCH),
					     FOLL_WRITE | FOLL_LONGTERM, pages);
		if (pinned <= 0)
			return pinned ?: -EFAULT;
		memory->page_count += pinned;
		for (i = 0; i < pinned; i++)
			if (!page_usable(pages[i]))
				return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		count -= pinned;
		address += (unsigned long)pinned << PAGE_SHIFT;
		cond_resched();
	}
	return 0;
}

static int pin_slots(struct lidar_memory *memory, unsigned long address)
{
	u32 i;

	for (i = 0; i < memory->slot_count; i++) {
		struct lidar_slot *slot = &memory->slots[i];
		int ret;

		slot->pub.offset = memory->first + i * memory->stride;
		ret = pin_slot(memory, slot, address + slot->pub.offset);
		if (ret)
			return ret;
	}
	return 0;
}

static unsigned long locked_pages(const struct lidar_memory *memory)
{
	return memory->slot_count * (unsigned long)(memory->slot_bytes >> PAGE_SHIFT);
}

/** Give back pages, limit and mm; a second call does nothing. */
void lidar_memory_unpin(struct lidar_memory *memory)
{
	if (!memory->mm)
		return;
	/* not marked dirty page by page as they are filled: the device may have written any */
	unpin_user_pages_dirty_lock(memory->pages, memory->page_count, true);
	memory->page_count = 0;
	kvfree(memory->pages);
	memory->pages = NULL;
	account_locked_vm(memory->mm, locked_pages(memory), false);
	mmdrop(memory->mm);
	memory->mm = NULL;
}

/** Watch the owner's address space no more; without ring->lock. */
void lidar_memory_unregister(struct lidar_memory *memory)
{
	if (memory->notifier.ops)
		mmu_notifier_unregister(&memory->notifier, memory->mm);
	memory->notifier.ops = NULL;
}

static int check_register(const struct lidar_memory *memory,
			  const struct lidar_ring_register *reg)
{
	unsigned long end;

	if (!reg->length || reg->count != memory->slot_count)
		return -EINVAL;
	if (reg->address != (unsigned long)reg->address ||
	    reg->length != (unsigned long)reg->length ||
	    check_add_overflow((unsigned long)reg->address, (unsigned long)reg->length, &end))
		return -EINVAL;
	if (!PAGE_ALIGNED(reg->address) ||
	    !ring_slots_fit(reg->length, reg->first, reg->stride, memory->slot_bytes, reg->count,
			    max_t(u64, PAGE_SIZE, LIDAR_RING_SLOT_ALIGN)))
		return -EINVAL;
	return 0;
}

/* Pin the slots and watch over them; without ring->lock. */
static int pin_memory(struct lidar_memory *memory, const struct lidar_ring_register *reg)
{
	int ret;

	ret = account_locked_vm(current->mm, locked_pages(memory), true);
	if (ret)
		return ret;
	memory->mm = current->mm;
	mmgrab(memory->mm);
	memory->first = reg->first;
	memory->stride = reg->stride;
	memory->pages = kvmalloc_array(locked_pages(memory), sizeof(*memory->pages),
				       GFP_KERNEL_ACCOUNT);
	ret = memory->pages ? pin_slots(memory, reg->address) : -ENOMEM;
	if (ret)
		goto unpin;
	memory->notifier.ops = &notifier_ops;
	ret = mmu_notifier_register(&memory->notifier, memory->mm);
	if (!ret)
		return 0;
	memory->notifier.ops = NULL;
unpin:
	lidar_memory_unpin(memory);
	return ret;
}

static int let_go_and_pin(struct lidar_memory *memory, const struct lidar_ring_register *reg)
{
	int ret;

	mutex_unlock(&memory->ring->lock);
	ret = pin_memory(memory, reg);
	mutex_lock(&memory->ring->lock);
	return ret;
}

static void let_go_and_unpin(struct lidar_memory *memory)
{
	mutex_unlock(&memory->ring->lock);
	lidar_memory_unregister(memory);
	lidar_memory_unpin(memory);
	mutex_lock(&memory->ring->lock);
	/* unregistering calls release(), but this address space has not ended */
	memory->mm_dead = false;
}

/**
 * lidar_memory_register() - make the caller's memory the slots
 * @memory: of a ring set up for USER memory, without any yet; nobody else
 *	registers
 * @reg: hostile, but for its reserved members
 *
 * Called with ring->lock, which is not held for the better part of it.
 */
int lidar_memory_register(struct lidar_memory *memory, const struct lidar_ring_register *reg)
{
	int ret = check_register(memory, reg) ?: let_go_and_pin(memory, reg);

	if (ret)
		return ret;
	ret = memory->ring->gone ? -ENODEV : lidar_memory_map(memory);
	if (ret)
		let_go_and_unpin(memory);
	return ret;
}
