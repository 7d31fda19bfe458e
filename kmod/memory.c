// SPDX-License-Identifier: GPL-2.0
/*
 * memory.c - the slots and their pages
 *
 * Pages are allocated in the largest pieces there are, so that a slot has few
 * segments, then split: each page has a reference of its own, and a mapping or
 * an export keeps what it uses whatever becomes of the ring.  Segments are no
 * longer than the device takes and a bounce buffer can hold.
 *
 * A slot's DMA mapping lives from SETUP (REGISTER) to the last close or unplug,
 * whichever is first; lidar_memory itself, with the pages, until the last
 * export is gone.  But for the reference, all under ring->lock.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core.h"

/* 2 MiB with pages of 4 KiB: one entry of an x86 or arm64 page table */
#define ORDER_MAX 9

static struct lidar_memory *memory_new(struct lidar_ring *ring, const struct lidar_ring_setup *setup)
{
	struct lidar_memory *memory = kzalloc(sizeof(*memory), GFP_KERNEL_ACCOUNT);
	u32 i;

	if (!memory)
		return NULL;
	memory->slots = kvcalloc(setup->slot_count, sizeof(*memory->slots), GFP_KERNEL_ACCOUNT);
	if (!memory->slots) {
		kfree(memory);
		return NULL;
	}
	kref_init(&memory->ref);
	memory->ring = ring;
	memory->kind = setup->memory;
	memory->slot_bytes = setup->slot_bytes;
	memory->slot_count = setup->slot_count;
	memory->stride = setup->slot_bytes;
	for (i = 0; i < memory->slot_count; i++) {
		struct lidar_slot *slot = &memory->slots[i];

		INIT_LIST_HEAD(&slot->node);
		INIT_LIST_HEAD(&slot->pub.list);
		slot->pub.ring = ring;
		slot->pub.index = i;
		slot->pub.bytes = memory->slot_bytes;
		slot->pub.offset = i * memory->slot_bytes;
	}
	return memory;
}

static void memory_free(struct kref *ref)
{
	struct lidar_memory *memory = container_of(ref, struct lidar_memory, ref);

	while (memory->page_count)
		__free_page(memory->pages[--memory->page_count]);
	kvfree(memory->pages);
	kvfree(memory->slots);
	kfree(memory);
}

void lidar_memory_get(struct lidar_memory *memory)
{
	kref_get(&memory->ref);
}

void lidar_memory_put(struct lidar_memory *memory)
{
	kref_put(&memory->ref, memory_free);
}

/* The largest piece of at most @count pages there is; large ones only if they cost no effort. */
static struct page *alloc_piece(gfp_t gfp, unsigned long count, unsigned int *order)
{
	*order = min_t(unsigned int, *order, ilog2(count));
	for (;; --*order) {
		/* -ENOMEM, and nobody is killed for it */
		gfp_t flags = gfp | __GFP_RETRY_MAYFAIL;
		struct page *page;

		if (*order)
			flags = (gfp & ~__GFP_DIRECT_RECLAIM) | __GFP_NORETRY;
		page = alloc_pages(flags, *order);
		if (page && *order)
			split_page(page, *order);
		if (page || !*order)
			return page;
	}
}

/* What is there when it fails is freed with the last reference. */
static int alloc_slots(struct lidar_memory *memory)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;
	unsigned long slot_pages = memory->slot_bytes >> PAGE_SHIFT;
	u32 i;

	if (dma_get_mask(memory->ring->config.dma_dev) <= DMA_BIT_MASK(32))
		gfp |= GFP_DMA32;
	memory->pages = kvmalloc_array(memory->slot_count * slot_pages, sizeof(*memory->pages),
				       GFP_KERNEL_ACCOUNT);
	if (!memory->pages)
		return -ENOMEM;
	for (i = 0; i < memory->slot_count; i++) {
		unsigned long left = slot_pages;
		unsigned int order = ORDER_MAX;

		memory->slots[i].pages = memory->pages + memory->page_count;
		while (left) {
			struct page *page = alloc_piece(gfp, left, &order);
			unsigned int n;

			if (!page)
				return -ENOMEM;
			for (n = 0; n < 1U << order; n++)
				memory->pages[memory->page_count++] = page + n;
			left -= 1UL << order;
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	}
	return 0;
}

/**
 * lidar_memory_table() - what a device is told of pages, in pieces it can take
 * @pages: of a slot, or of all
 * @count: of them
 * @dev: which is to map the table
 * @sgt: to fill
 *
 * Return: 0, -ENOMEM, -EINVAL: the device takes no whole page.
 */
int lidar_memory_table(struct page **pages, unsigned long count, struct device *dev,
		       struct sg_table *sgt)
{
	size_t segment = min_t(size_t, dma_get_max_seg_size(dev), dma_max_mapping_size(dev));

	/* what the table takes is an unsigned int, in whole pages */
	segment = min_t(size_t, segment, UINT_MAX) & PAGE_MASK;
	if (!segment)
		return -EINVAL;
	return sg_alloc_table_from_pages_segment(sgt, pages, count, 0, count << PAGE_SHIFT, segment,
						 GFP_KERNEL);
}

static int map_slot(const struct lidar_memory *memory, struct lidar_slot *slot)
{
	const struct lidar_ring_config *config = &memory->ring->config;
	struct sg_table *sgt = &slot->pub.sgt;
	int ret = lidar_memory_table(slot->pages, memory->slot_bytes >> PAGE_SHIFT,
				     config->dma_dev, sgt);

	if (ret)
		return ret;
	/* no room in bounce buffers is the caller's affair, and no news for the kernel's log */
	ret = dma_map_sgtable(config->dma_dev, sgt, DMA_FROM_DEVICE, DMA_ATTR_NO_WARN);
	if (ret) {
		ret = ret == -ENOMEM ? -ENOMEM : -EINVAL;
		goto free_table;
	}
	if (config->max_segments && sgt->nents > config->max_segments) {
		ret = -EINVAL;
		goto unmap;
	}
	return 0;

unmap:
	dma_unmap_sgtable(config->dma_dev, sgt, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);
free_table:
	sg_free_table(sgt);
	return ret;
}

/** Map all slots for the device. Return: 0, -ENOMEM, -EINVAL: it does not reach so much of that. */
int lidar_memory_map(struct lidar_memory *memory)
{
	u32 i;

	for (i = 0; i < memory->slot_count; i++) {
		int ret = map_slot(memory, &memory->slots[i]);

		if (ret) {
			lidar_memory_unmap(memory);
			return ret;
		}
		cond_resched();
	}
	return 0;
}

/**
 * lidar_memory_unmap() - the device can reach the slots no more
 * @memory: whatever of it is mapped
 *
 * Nothing is copied back from bounce buffers: completed slots have been synced,
 * and the others' memory may have a new owner by now.
 */
void lidar_memory_unmap(struct lidar_memory *memory)
{
	u32 i;

	for (i = 0; i < memory->slot_count; i++) {
		struct sg_table *sgt = &memory->slots[i].pub.sgt;

		if (!sgt->sgl)
			continue;
		dma_unmap_sgtable(memory->ring->config.dma_dev, sgt, DMA_FROM_DEVICE,
				  DMA_ATTR_SKIP_CPU_SYNC);
		sg_free_table(sgt);
	}
}

/**
 * lidar_memory_new() - slots of a ring
 * @ring: theirs
 * @setup: checked
 *
 * Return: the slots, KERNEL ones with all their memory, mapped; or ERR_PTR().
 */
struct lidar_memory *lidar_memory_new(struct lidar_ring *ring, const struct lidar_ring_setup *setup)
{
	struct lidar_memory *memory = memory_new(ring, setup);
	int ret = 0;

	if (!memory)
		return ERR_PTR(-ENOMEM);
	if (memory->kind == LIDAR_RING_MEMORY_KERNEL)
		ret = alloc_slots(memory) ?: lidar_memory_map(memory);
	if (!ret)
		return memory;
	lidar_memory_put(memory);
	return ERR_PTR(ret);
}

/**
 * lidar_memory_close() - the ring is done with it
 * @memory: that the device and the owner have no more; exports may.  Without
 *	ring->lock if any of it is pinned
 *
 * A device that does not stop keeps it for good: better memory that is lost than
 * memory that is somebody else's and changes.  Slots may still be answered, so
 * the module stays, too.
 */
void lidar_memory_close(struct lidar_memory *memory)
{
	if (memory->ring->runaway) {
		dev_crit(&memory->ring->dev, "the device may write to %llu MiB for ever: lost until the next boot\n",
			 memory->slot_bytes * memory->slot_count >> 20);
		__module_get(THIS_MODULE);
		return;
	}
	lidar_memory_unmap(memory);
	lidar_memory_unpin(memory);
	lidar_memory_put(memory);
}

/** Return: the slot that begins at an offset the user gave, or NULL. */
struct lidar_slot *lidar_memory_slot_at(struct lidar_memory *memory, u64 offset)
{
	u32 index;

	if (!ring_slot_at(offset, memory->first, memory->stride, memory->slot_count, &index))
		return NULL;
	return &memory->slots[index];
}

/**
 * lidar_memory_mmap() - map pages of KERNEL memory, cached and read-only for good
 * @pages: that may be mapped; vm_pgoff counts from there
 * @page_count: of them
 * @vma: to fill
 */
int lidar_memory_mmap(struct page **pages, unsigned long page_count, struct vm_area_struct *vma)
{
	unsigned long count = vma_pages(vma);

	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	/* not VM_SHARED, which a file opened read-only does not get */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff >= page_count || count > page_count - vma->vm_pgoff)
		return -EINVAL;
	/* a core dump of the ring would take seconds, in which the owner's fd stays open */
	vma->vm_flags |= VM_DONTEXPAND | VM_DONTDUMP;
	vma->vm_flags &= ~VM_MAYWRITE;
	return vm_insert_pages(vma, vma->vm_start, pages + vma->vm_pgoff, &count);
}
