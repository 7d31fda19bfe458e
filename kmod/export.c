// SPDX-License-Identifier: GPL-2.0
/*
 * export.c - the data area for others: a file to map, and dma-bufs
 *
 * Whoever gets one can read the slots and do nothing else: no call, no control
 * page, no mapping that can be written.  Each holds the memory, so a reader is
 * not disturbed by the ring's end; what it sees then is the last that was
 * written.
 *
 * The ring has mapped the pages for its own device and syncs each slice when it
 * is delivered, so the CPU needs nothing more before it reads.  Another device
 * that is attached gets a mapping of its own, which leaves the CPU's caches
 * alone; it may read (or read and write: that is how GPUs map all), but not only
 * write.  What the LIDAR writes later such a device sees after the end of a CPU
 * access, as it would see what the CPU had written: a bounce buffer, if the
 * device needs one, is brought up to date then.
 */
#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core.h"

/**
 * struct exported - what a dma-buf shows
 * @memory: whose pages
 * @pages: its pages
 * @page_count: how many
 * @lock: guards @mappings
 * @mappings: for other devices
 */
struct exported {
	struct lidar_memory *memory;
	struct page **pages;
	unsigned long page_count;
	struct mutex lock;
	struct list_head mappings;
};

/**
 * struct mapping - of a dma-buf, for an attached device
 * @node: in @mappings of its struct exported
 * @dev: the device
 * @direction: of both tables
 * @sgt: what is mapped, and synced
 * @shown: its addresses without its pages, for the importer: CONFIG_DMABUF_DEBUG spoils the
 *         pages of what an importer gets, and a sync would look at them
 */
struct mapping {
	struct list_head node;
	struct device *dev;
	enum dma_data_direction direction;
	struct sg_table sgt;
	struct sg_table shown;
};

static int data_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct lidar_memory *memory = file->private_data;

	return lidar_memory_mmap(memory->pages, memory->page_count, vma);
}

static int data_release(struct inode *inode, struct file *file)
{
	lidar_memory_put(file->private_data);
	return 0;
}

static const struct file_operations data_fops = {
	.owner = THIS_MODULE,
	.mmap = data_mmap,
	.release = data_release,
	.llseek = no_llseek,
};

static int show_mapping(struct mapping *mapping)
{
	struct scatterlist *from, *to = NULL;
	int i, ret;

	ret = sg_alloc_table(&mapping->shown, mapping->sgt.nents, GFP_KERNEL);
	if (ret)
		return ret;
	for_each_sgtable_dma_sg(&mapping->sgt, from, i) {
		to = to ? sg_next(to) : mapping->shown.sgl;
		to->length = sg_dma_len(from);
		sg_dma_address(to) = sg_dma_address(from);
		sg_dma_len(to) = sg_dma_len(from);
	}
	return 0;
}

static struct sg_table *dmabuf_map(struct dma_buf_attachment *attachment,
				   enum dma_data_direction direction)
{
	struct exported *exported = attachment->dmabuf->priv;
	struct device *dev = attachment->dev;
	struct mapping *mapping;
	int ret;

	if (direction == DMA_FROM_DEVICE)
		return ERR_PTR(-EACCES);
	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return ERR_PTR(-ENOMEM);
	mapping->dev = dev;
	mapping->direction = direction;
	ret = lidar_memory_table(exported->pages, exported->page_count, dev, &mapping->sgt);
	if (ret)
		goto free;
	/* the ring has mapped the pages already: whoever syncs them for the CPU, not we */
	ret = dma_map_sgtable(dev, &mapping->sgt, direction, DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		goto free_table;
	ret = show_mapping(mapping);
	if (ret)
		goto unmap;
	dma_sync_sgtable_for_device(dev, &mapping->sgt, direction);
	mutex_lock(&exported->lock);
	list_add_tail(&mapping->node, &exported->mappings);
	mutex_unlock(&exported->lock);
	return &mapping->shown;

unmap:
	dma_unmap_sgtable(dev, &mapping->sgt, direction, DMA_ATTR_SKIP_CPU_SYNC);
free_table:
	sg_free_table(&mapping->sgt);
free:
	kfree(mapping);
	return ERR_PTR(ret);
}

static void dmabuf_unmap(struct dma_buf_attachment *attachment, struct sg_table *sgt,
			 enum dma_data_direction direction)
{
	struct exported *exported = attachment->dmabuf->priv;
	struct mapping *mapping = container_of(sgt, struct mapping, shown);

	mutex_lock(&exported->lock);
	list_del(&mapping->node);
	mutex_unlock(&exported->lock);
	dma_unmap_sgtable(mapping->dev, &mapping->sgt, mapping->direction, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(&mapping->sgt);
	sg_free_table(&mapping->shown);
	kfree(mapping);
}

static int dmabuf_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct exported *exported = dmabuf->priv;
	struct mapping *mapping;

	mutex_lock(&exported->lock);
	list_for_each_entry(mapping, &exported->mappings, node)
		dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt, mapping->direction);
	mutex_unlock(&exported->lock);
	return 0;
}

static int dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct exported *exported = dmabuf->priv;

	return lidar_memory_mmap(exported->pages, exported->page_count, vma);
}

static int dmabuf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct exported *exported = dmabuf->priv;
	void *address = vmap(exported->pages, exported->page_count, VM_MAP, PAGE_KERNEL_RO);

	if (!address)
		return -ENOMEM;
	iosys_map_set_vaddr(map, address);
	return 0;
}

static void dmabuf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	vunmap(map->vaddr);
}

static void dmabuf_release(struct dma_buf *dmabuf)
{
	struct exported *exported = dmabuf->priv;

	lidar_memory_put(exported->memory);
	mutex_destroy(&exported->lock);
	kfree(exported);
}

static const struct dma_buf_ops dmabuf_ops = {
	.map_dma_buf = dmabuf_map,
	.unmap_dma_buf = dmabuf_unmap,
	.end_cpu_access = dmabuf_end_cpu_access,
	.mmap = dmabuf_mmap,
	.vmap = dmabuf_vmap,
	.vunmap = dmabuf_vunmap,
	.release = dmabuf_release,
};

static struct file *export_dmabuf(struct lidar_memory *memory, struct page **pages,
				  unsigned long page_count)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct exported *exported = kzalloc(sizeof(*exported), GFP_KERNEL_ACCOUNT);
	struct dma_buf *dmabuf;

	if (!exported)
		return ERR_PTR(-ENOMEM);
	exported->memory = memory;
	exported->pages = pages;
	exported->page_count = page_count;
	mutex_init(&exported->lock);
	INIT_LIST_HEAD(&exported->mappings);
	info.ops = &dmabuf_ops;
	info.size = page_count << PAGE_SHIFT;
	info.flags = O_RDONLY;
	info.priv = exported;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		kfree(exported);
		return ERR_CAST(dmabuf);
	}
	lidar_memory_get(memory);
	return dmabuf->file;
}

static struct file *export_data(struct lidar_memory *memory)
{
	struct file *file = anon_inode_getfile("[lidar_ring]", &data_fops, memory, O_RDONLY);

	if (!IS_ERR(file))
		lidar_memory_get(memory);
	return file;
}

/**
 * lidar_export() - make a file of the data area
 * @memory: KERNEL memory
 * @kind: enum lidar_ring_export_kind
 * @slot: which, for LIDAR_RING_EXPORT_DMABUF_SLOT
 */
struct file *lidar_export(struct lidar_memory *memory, u32 kind, const struct lidar_slot *slot)
{
	switch (kind) {
	case LIDAR_RING_EXPORT_DATA:
		return export_data(memory);
	case LIDAR_RING_EXPORT_DMABUF_RING:
		return export_dmabuf(memory, memory->pages, memory->page_count);
	default:
		return export_dmabuf(memory, slot->pages, memory->slot_bytes >> PAGE_SHIFT);
	}
}
