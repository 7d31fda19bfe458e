// SPDX-License-Identifier: GPL-2.0
/*
 * export.c - the data area for others: a file to map, and dma-bufs
 *
 * Whoever gets one can read the slots and do nothing else: no call, no control
 * page, no mapping that can be written.  Each holds the memory, so a reader is
 * not disturbed by the ring's end; what it sees then is the last that was
 * written.
 *
 * The ring has mapped the pages for its own device.  Another device that is
 * attached gets a mapping of its own, without CPU syncs, which the ring does
 * for each slice; it may read (or read and write: that is how GPUs map all),
 * but not only write.
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

/* struct exported - slots that a dma-buf shows */
struct exported {
	struct lidar_memory *memory;
	u32 first_slot;
	u32 slot_count;
};

static unsigned long first_page(const struct exported *exported)
{
	return exported->first_slot * (exported->memory->slot_bytes >> PAGE_SHIFT);
}

static unsigned long exported_pages(const struct exported *exported)
{
	return exported->slot_count * (exported->memory->slot_bytes >> PAGE_SHIFT);
}

static int data_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct lidar_memory *memory = file->private_data;

	return lidar_memory_mmap(memory, vma, 0, memory->page_count);
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

static struct sg_table *dmabuf_map(struct dma_buf_attachment *attachment,
				   enum dma_data_direction direction)
{
	struct exported *exported = attachment->dmabuf->priv;
	unsigned long count = exported_pages(exported);
	struct device *dev = attachment->dev;
	struct sg_table *sgt;
	size_t segment;
	int ret;

	if (direction == DMA_FROM_DEVICE)
		return ERR_PTR(-EACCES);
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	segment = min_t(size_t, dma_get_max_seg_size(dev), dma_max_mapping_size(dev));
	segment = max_t(size_t, min_t(size_t, segment, UINT_MAX) & PAGE_MASK, PAGE_SIZE);
	ret = sg_alloc_table_from_pages_segment(sgt, exported->memory->pages + first_page(exported),
						count, 0, count << PAGE_SHIFT, segment,
						GFP_KERNEL);
	if (ret)
		goto free;
	ret = dma_map_sgtable(dev, sgt, direction, DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		goto free_table;
	return sgt;

free_table:
	sg_free_table(sgt);
free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void dmabuf_unmap(struct dma_buf_attachment *attachment, struct sg_table *sgt,
			 enum dma_data_direction direction)
{
	dma_unmap_sgtable(attachment->dev, sgt, direction, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(sgt);
}

static int dmabuf_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct exported *exported = dmabuf->priv;

	lidar_memory_sync_for_cpu(exported->memory, exported->first_slot, exported->slot_count);
	return 0;
}

static int dmabuf_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct exported *exported = dmabuf->priv;

	lidar_memory_sync_for_device(exported->memory, exported->first_slot,
				     exported->slot_count);
	return 0;
}

static int dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct exported *exported = dmabuf->priv;

	return lidar_memory_mmap(exported->memory, vma, first_page(exported),
				 exported_pages(exported));
}

static int dmabuf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct exported *exported = dmabuf->priv;
	void *address = vmap(exported->memory->pages + first_page(exported), exported_pages(exported),
			     VM_MAP, PAGE_KERNEL_RO);

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
	kfree(exported);
}

static const struct dma_buf_ops dmabuf_ops = {
	.map_dma_buf = dmabuf_map,
	.unmap_dma_buf = dmabuf_unmap,
	.begin_cpu_access = dmabuf_begin_cpu_access,
	.end_cpu_access = dmabuf_end_cpu_access,
	.mmap = dmabuf_mmap,
	.vmap = dmabuf_vmap,
	.vunmap = dmabuf_vunmap,
	.release = dmabuf_release,
};

static struct file *export_dmabuf(struct lidar_memory *memory, u32 first_slot, u32 slot_count)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct exported *exported = kzalloc(sizeof(*exported), GFP_KERNEL_ACCOUNT);
	struct dma_buf *dmabuf;

	if (!exported)
		return ERR_PTR(-ENOMEM);
	exported->memory = memory;
	exported->first_slot = first_slot;
	exported->slot_count = slot_count;
	info.ops = &dmabuf_ops;
	info.size = slot_count * memory->slot_bytes;
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
 * @slot: for LIDAR_RING_EXPORT_DMABUF_SLOT
 */
struct file *lidar_export(struct lidar_memory *memory, u32 kind, u32 slot)
{
	switch (kind) {
	case LIDAR_RING_EXPORT_DATA:
		return export_data(memory);
	case LIDAR_RING_EXPORT_DMABUF_RING:
		return export_dmabuf(memory, 0, memory->slot_count);
	default:
		return export_dmabuf(memory, slot, 1);
	}
}
