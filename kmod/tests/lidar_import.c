// SPDX-License-Identifier: GPL-2.0
/*
 * lidar_import.c - a device that reads dma-bufs, for tests
 *
 * What a GPU's or an encoder's driver does with a dma-buf it is given, call by
 * call.  Each open file of /dev/lidar_import is a device of its own that holds
 * one dma-buf at most; the last close undoes what was done, in the order a
 * driver would.  The calls take a number, not a pointer, but for CRC:
 *
 *	GET	an fd
 *	ATTACH	the longest segment the device can take
 *	MAP	enum dma_data_direction; says how many segments there are
 *	UNMAP, DETACH, VMAP, VUNMAP, PUT
 *	BEGIN	enum dma_data_direction: the CPU is about to access it
 *	END	likewise: it has
 *	CRC	CRC-32C of some bytes, as the device or as the CPU sees them
 *
 * A call whose turn it is not is refused (-EINVAL), so that nothing but the
 * exporter is tried.  MAP looks at each segment as the device would, which knows
 * bus addresses only, and says -EPROTO of one it could not use.  What is read
 * as the device is read from those addresses as well, from a bounce buffer if
 * the mapping made one.
 */
#include <linux/crc32.h>
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/**
 * struct lidar_import_crc - what CRC asks for
 * @offset: in the dma-buf
 * @bytes: from there
 * @as_cpu: by the address of VMAP; else as the device, by those of MAP
 * @crc: (out)
 */
struct lidar_import_crc {
	__aligned_u64 offset;
	__aligned_u64 bytes;
	__u32 as_cpu;
	__u32 crc;
};

#define LIDAR_IMPORT_MAGIC 0xdd
#define LIDAR_IMPORT_GET _IO(LIDAR_IMPORT_MAGIC, 0)
#define LIDAR_IMPORT_ATTACH _IO(LIDAR_IMPORT_MAGIC, 1)
#define LIDAR_IMPORT_MAP _IO(LIDAR_IMPORT_MAGIC, 2)
#define LIDAR_IMPORT_UNMAP _IO(LIDAR_IMPORT_MAGIC, 3)
#define LIDAR_IMPORT_DETACH _IO(LIDAR_IMPORT_MAGIC, 4)
#define LIDAR_IMPORT_VMAP _IO(LIDAR_IMPORT_MAGIC, 5)
#define LIDAR_IMPORT_VUNMAP _IO(LIDAR_IMPORT_MAGIC, 6)
#define LIDAR_IMPORT_PUT _IO(LIDAR_IMPORT_MAGIC, 7)
#define LIDAR_IMPORT_BEGIN _IO(LIDAR_IMPORT_MAGIC, 8)
#define LIDAR_IMPORT_END _IO(LIDAR_IMPORT_MAGIC, 9)
#define LIDAR_IMPORT_CRC _IOWR(LIDAR_IMPORT_MAGIC, 10, struct lidar_import_crc)

/**
 * struct lidar_import - a device and the dma-buf it has
 * @lock: one call at a time
 * @pdev: the device
 * @dmabuf: NULL: none
 * @attachment: NULL: not attached
 * @sgt: NULL: not mapped
 * @direction: of @sgt
 * @map: by VMAP; null: not mapped for the CPU
 */
struct lidar_import {
	struct mutex lock; /* see above */
	struct platform_device *pdev;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	enum dma_data_direction direction;
	struct iosys_map map;
};

static int import_get(struct lidar_import *import, unsigned long fd)
{
	struct dma_buf *dmabuf;

	if (import->dmabuf)
		return -EINVAL;
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	import->dmabuf = dmabuf;
	return 0;
}

static int import_attach(struct lidar_import *import, unsigned long max_segment)
{
	struct dma_buf_attachment *attachment;

	if (!import->dmabuf || import->attachment || max_segment > UINT_MAX)
		return -EINVAL;
	dma_set_max_seg_size(&import->pdev->dev, max_segment);
	attachment = dma_buf_attach(import->dmabuf, &import->pdev->dev);
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	import->attachment = attachment;
	return 0;
}

/* Can the device use this, and is it all of it? */
static int check_table(const struct lidar_import *import, struct sg_table *sgt)
{
	struct device *dev = &import->pdev->dev;
	struct scatterlist *sg;
	size_t bytes = 0;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!IS_ALIGNED(sg_dma_address(sg), PAGE_SIZE) || !sg_dma_len(sg) ||
		    !PAGE_ALIGNED(sg_dma_len(sg)) || sg_dma_len(sg) > dma_get_max_seg_size(dev) ||
		    sg_dma_address(sg) + sg_dma_len(sg) - 1 > dma_get_mask(dev))
			return -EPROTO;
		bytes += sg_dma_len(sg);
	}
	return bytes == import->dmabuf->size ? 0 : -EPROTO;
}

static int import_map(struct lidar_import *import, unsigned long direction)
{
	struct sg_table *sgt;
	int ret;

	if (!import->attachment || import->sgt || direction > DMA_FROM_DEVICE)
		return -EINVAL;
	sgt = dma_buf_map_attachment(import->attachment, direction);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	ret = check_table(import, sgt);
	if (ret) {
		dma_buf_unmap_attachment(import->attachment, sgt, direction);
		return ret;
	}
	import->sgt = sgt;
	import->direction = direction;
	return sgt->nents;
}

static int import_unmap(struct lidar_import *import, unsigned long unused)
{
	if (!import->sgt)
		return -EINVAL;
	dma_buf_unmap_attachment(import->attachment, import->sgt, import->direction);
	import->sgt = NULL;
	return 0;
}

static int import_detach(struct lidar_import *import, unsigned long unused)
{
	if (!import->attachment || import->sgt)
		return -EINVAL;
	dma_buf_detach(import->dmabuf, import->attachment);
	import->attachment = NULL;
	return 0;
}

static int import_vmap(struct lidar_import *import, unsigned long unused)
{
	if (!import->dmabuf || !iosys_map_is_null(&import->map))
		return -EINVAL;
	return dma_buf_vmap(import->dmabuf, &import->map);
}

static int import_vunmap(struct lidar_import *import, unsigned long unused)
{
	if (iosys_map_is_null(&import->map))
		return -EINVAL;
	dma_buf_vunmap(import->dmabuf, &import->map);
	iosys_map_clear(&import->map);
	return 0;
}

static int import_put(struct lidar_import *import, unsigned long unused)
{
	if (!import->dmabuf || import->attachment || !iosys_map_is_null(&import->map))
		return -EINVAL;
	dma_buf_put(import->dmabuf);
	import->dmabuf = NULL;
	return 0;
}

static int import_begin(struct lidar_import *import, unsigned long direction)
{
	if (!import->dmabuf || direction > DMA_FROM_DEVICE)
		return -EINVAL;
	return dma_buf_begin_cpu_access(import->dmabuf, direction);
}

static int import_end(struct lidar_import *import, unsigned long direction)
{
	if (!import->dmabuf || direction > DMA_FROM_DEVICE)
		return -EINVAL;
	return dma_buf_end_cpu_access(import->dmabuf, direction);
}

/* What the bus makes of an address. */
static phys_addr_t phys_of(struct device *dev, dma_addr_t address)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	if (domain && domain->type != IOMMU_DOMAIN_IDENTITY)
		return iommu_iova_to_phys(domain, address);
	return dma_to_phys(dev, address);
}

static int crc_of_page(struct device *dev, dma_addr_t address, u32 bytes, u32 *crc)
{
	phys_addr_t phys = phys_of(dev, address);
	void *data;

	if (!phys || !pfn_valid(PHYS_PFN(phys)))
		return -EPROTO;
	data = kmap_local_page(pfn_to_page(PHYS_PFN(phys)));
	*crc = __crc32c_le(*crc, data + offset_in_page(address), bytes);
	kunmap_local(data);
	cond_resched();
	return 0;
}

static int crc_as_device(struct lidar_import *import, struct lidar_import_crc *arg)
{
	u64 skip = arg->offset, left = arg->bytes;
	struct scatterlist *sg;
	int i, ret;

	for_each_sgtable_dma_sg(import->sgt, sg, i) {
		u64 at = min_t(u64, skip, sg_dma_len(sg));

		skip -= at;
		while (left && at < sg_dma_len(sg)) {
			dma_addr_t address = sg_dma_address(sg) + at;
			u32 bytes = min_t(u64, left, PAGE_SIZE - offset_in_page(address));

			ret = crc_of_page(&import->pdev->dev, address, bytes, &arg->crc);
			if (ret)
				return ret;
			at += bytes;
			left -= bytes;
		}
	}
	return 0;
}

static int import_crc(struct lidar_import *import, unsigned long address)
{
	void __user *user = (void __user *)address;
	struct lidar_import_crc arg;
	int ret = 0;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (!import->dmabuf || arg.offset > import->dmabuf->size ||
	    arg.bytes > import->dmabuf->size - arg.offset)
		return -EINVAL;
	if (arg.as_cpu ? iosys_map_is_null(&import->map) : !import->sgt)
		return -EINVAL;
	arg.crc = ~0U;
	if (arg.as_cpu)
		arg.crc = __crc32c_le(arg.crc, import->map.vaddr + arg.offset, arg.bytes);
	else
		ret = crc_as_device(import, &arg);
	arg.crc = ~arg.crc;
	if (!ret && copy_to_user(user, &arg, sizeof(arg)))
		ret = -EFAULT;
	return ret;
}

static const struct {
	unsigned int cmd;
	int (*function)(struct lidar_import *import, unsigned long arg);
} import_calls[] = {
	{ LIDAR_IMPORT_GET, import_get },
	{ LIDAR_IMPORT_ATTACH, import_attach },
	{ LIDAR_IMPORT_MAP, import_map },
	{ LIDAR_IMPORT_UNMAP, import_unmap },
	{ LIDAR_IMPORT_DETACH, import_detach },
	{ LIDAR_IMPORT_VMAP, import_vmap },
	{ LIDAR_IMPORT_VUNMAP, import_vunmap },
	{ LIDAR_IMPORT_PUT, import_put },
	{ LIDAR_IMPORT_BEGIN, import_begin },
	{ LIDAR_IMPORT_END, import_end },
	{ LIDAR_IMPORT_CRC, import_crc },
};

static long import_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct lidar_import *import = file->private_data;
	unsigned int i;
	int ret = -ENOTTY;

	mutex_lock(&import->lock);
	for (i = 0; i < ARRAY_SIZE(import_calls); i++)
		if (import_calls[i].cmd == cmd)
			ret = import_calls[i].function(import, arg);
	mutex_unlock(&import->lock);
	return ret;
}

static int import_open(struct inode *inode, struct file *file)
{
	const struct platform_device_info info = {
		.name = KBUILD_MODNAME,
		.id = PLATFORM_DEVID_AUTO,
		.dma_mask = DMA_BIT_MASK(64),
	};
	struct lidar_import *import = kzalloc(sizeof(*import), GFP_KERNEL);

	if (!import)
		return -ENOMEM;
	import->pdev = platform_device_register_full(&info);
	if (IS_ERR(import->pdev)) {
		int ret = PTR_ERR(import->pdev);

		kfree(import);
		return ret;
	}
	mutex_init(&import->lock);
	file->private_data = import;
	return 0;
}

static int import_release(struct inode *inode, struct file *file)
{
	struct lidar_import *import = file->private_data;

	/* each says no if there is nothing to undo */
	import_vunmap(import, 0);
	import_unmap(import, 0);
	import_detach(import, 0);
	import_put(import, 0);
	platform_device_unregister(import->pdev);
	mutex_destroy(&import->lock);
	kfree(import);
	return 0;
}

static const struct file_operations import_fops = {
	.owner = THIS_MODULE,
	.open = import_open,
	.release = import_release,
	.unlocked_ioctl = import_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice import_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &import_fops,
};
module_misc_device(import_misc);

MODULE_DESCRIPTION("a device that reads dma-bufs, for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
