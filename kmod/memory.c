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
 * export is gone.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core.h"

/* 2 MiB with pages of 4 KiB: one entry of an x86 or arm64 page table */
#define ORDER_MAX 9

struct lidar_memory *lidar_memory_new(struct lidar_ring *ring, u32 kind, u64 slot_bytes,
				      u32 slot_count)
{
	struct lidar_memory *memory = kzalloc(sizeof(*memory), GFP_KERNEL_ACCOUNT);
	u32 i;

	if (!memory)
		return NULL;
	memory->slots = kvcalloc(slot_count, sizeof(*memory->slots), GFP_KERNEL_ACCOUNT);
	if (!memory->slots) {
		kfree(memory);
		return NULL;
	}
	kref_init(&memory->ref);
	mutex_init(&memory->map_lock);
	memory->ring = ring;
	memory->kind = kind;
	memory->slot_bytes = slot_bytes;
	memory->slot_count = slot_count;
	memory->stride = slot_bytes;
	for (i = 0; i < slot_count; i++) {
		struct lidar_slot *slot = &memory->slots[i];

		INIT_LIST_HEAD(&slot->node);
		INIT_LIST_HEAD(&slot->pub.list);
		slot->pub.ring = ring;
		slot->pub.index = i;
		slot->pub.bytes = slot_bytes;
		slot->pub.offset = i * slot_bytes;
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
	mutex_destroy(&memory->map_lock);
	kfree(memory);
}

void lidar_memory_get(struct lidar_memory *memory)
{
	kref_get(&memory->ref);
}

void lidar_memory_put(struct lidar_memory *memory)
{
	if (memory)
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

/** Allocate all slots; what is there when it fails is freed with the last reference. */
int lidar_memory_alloc(struct lidar_memory *memory, struct device *dma_dev)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;
	unsigned long slot_pages = memory->slot_bytes >> PAGE_SHIFT;
	u32 i;

	if (dma_get_mask(dma_dev) <= DMA_BIT_MASK(32))
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

static int map_slot(struct lidar_memory *memory, struct lidar_slot *slot,
		    const struct lidar_ring_config *config)
{
	struct device *dev = config->dma_dev;
	size_t segment = min_t(size_t, dma_get_max_seg_size(dev), dma_max_mapping_size(dev));
	int ret;

	/* what the table takes is an unsigned int, in whole pages */
	segment = min_t(size_t, segment, UINT_MAX) & PAGE_MASK;
	if (!segment)
		return -EINVAL;
	ret = sg_alloc_table_from_pages_segment(&slot->pub.sgt, slot->pages,
						memory->slot_bytes >> PAGE_SHIFT, 0,
						memory->slot_bytes, segment, GFP_KERNEL);
	if (ret)
		return ret;
	ret = dma_map_sgtable(dev, &slot->pub.sgt, DMA_FROM_DEVICE, 0);
	if (ret)
		goto free_table;
	if (config->max_segments && slot->pub.sgt.nents > config->max_segments) {
		ret = -EINVAL;
		goto unmap;
	}
	return 0;

unmap:
	dma_unmap_sgtable(dev, &slot->pub.sgt, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);
free_table:
	sg_free_table(&slot->pub.sgt);
	return ret;
}

/*
 * Nothing is copied back from bounce buffers here: completed slots have been
 * synced, and the others' memory may have a new owner by now.
 */
static void unmap_slots(struct lidar_memory *memory, struct device *dev, u32 count)
{
	while (count--) {
		struct sg_table *sgt = &memory->slots[count].pub.sgt;

		dma_unmap_sgtable(dev, sgt, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);
		sg_free_table(sgt);
	}
}

int lidar_memory_map(struct lidar_memory *memory, const struct lidar_ring_config *config)
{
	u32 i;

	for (i = 0; i < memory->slot_count; i++) {
		int ret = map_slot(memory, &memory->slots[i], config);

		if (ret) {
			unmap_slots(memory, config->dma_dev, i);
			return ret;
		}
		cond_resched();
	}
	mutex_lock(&memory->map_lock);
	memory->dma_dev = config->dma_dev;
	mutex_unlock(&memory->map_lock);
	return 0;
}

void lidar_memory_unmap(struct lidar_memory *memory)
{
	mutex_lock(&memory->map_lock);
	if (memory->dma_dev)
		unmap_slots(memory, memory->dma_dev, memory->slot_count);
	memory->dma_dev = NULL;
	mutex_unlock(&memory->map_lock);
}

void lidar_memory_sync_for_cpu(struct lidar_memory *memory, u32 first_slot, u32 slot_count)
{
	u32 i;

	mutex_lock(&memory->map_lock);
	for (i = first_slot; memory->dma_dev && i < first_slot + slot_count; i++)
		dma_sync_sgtable_for_cpu(memory->dma_dev, &memory->slots[i].pub.sgt,
					 DMA_FROM_DEVICE);
	mutex_unlock(&memory->map_lock);
}

void lidar_memory_sync_for_device(struct lidar_memory *memory, u32 first_slot, u32 slot_count)
{
	u32 i;

	mutex_lock(&memory->map_lock);
	for (i = first_slot; memory->dma_dev && i < first_slot + slot_count; i++)
		dma_sync_sgtable_for_device(memory->dma_dev, &memory->slots[i].pub.sgt,
					    DMA_FROM_DEVICE);
	mutex_unlock(&memory->map_lock);
}

/**
 * lidar_memory_mmap() - map pages of KERNEL memory, cached and read-only for good
 * @memory: all its pages are there
 * @vma: to fill
 * @first_page: that may be mapped
 * @page_count: from there; vm_pgoff counts from @first_page
 */
int lidar_memory_mmap(struct lidar_memory *memory, struct vm_area_struct *vma,
		      unsigned long first_page, unsigned long page_count)
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
	return vm_insert_pages(vma, vma->vm_start, memory->pages + first_page + vma->vm_pgoff,
			       &count);
}
