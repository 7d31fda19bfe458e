// SPDX-License-Identifier: GPL-2.0
/*
 * device.c - /dev/lidarN
 *
 * A ring is a device of class lidar with a character device in it; an open file
 * keeps both.  Any number of files may be open and ask what the device is; the
 * one that did SETUP owns the stream until its last close, which stops the
 * device before any memory is given back.
 *
 * Unplug (lidar_ring_remove()) stops the device and ends its DMA mappings, then
 * marks the ring gone: each call from then on, and each that waits, ends with
 * -ENODEV.  Memory and mappings stay for as long as somebody has them.
 *
 * poll() says EPOLLIN while the ready ring is not empty, EPOLLPRI while the ring
 * is halted, EPOLLERR | EPOLLHUP once the device is gone, whoever asks.  Not
 * EPOLLERR when halted: a service manager that keeps the file for a successor
 * would drop it.
 */
#include <linux/idr.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "core.h"

static struct class *lidar_class;
static dev_t lidar_region;
static DEFINE_IDA(lidar_ids);

struct workqueue_struct *lidar_workqueue;

static int ring_open(struct inode *inode, struct file *file)
{
	struct lidar_ring *ring = container_of(inode->i_cdev, struct lidar_ring, cdev);

	if (lidar_ring_gone(ring))
		return -ENODEV;
	/* the cdev, which the file holds, holds the device */
	file->private_data = ring;
	return stream_open(inode, file);
}

static int ring_release(struct inode *inode, struct file *file)
{
	struct lidar_ring *ring = file->private_data;
	struct lidar_memory *memory;

	if (READ_ONCE(ring->owner) == file) {
		mutex_lock(&ring->lock);
		lidar_stream_stop(ring, ring->gone ? LIDAR_RING_GONE : LIDAR_RING_STOPPED);
		mutex_unlock(&ring->lock);
		cancel_delayed_work_sync(&ring->lease);
		/* waits for a notifier that waits for the lock */
		lidar_memory_unregister(ring->memory);
		mutex_lock(&ring->lock);
		memory = lidar_forget_owner(ring);
		mutex_unlock(&ring->lock);
		lidar_memory_close(memory);
	}
	return 0;
}

static int ring_mmap(struct file *file, struct vm_area_struct *vma)
{
	const unsigned long data_page = RING_DATA_OFFSET >> PAGE_SHIFT;
	struct lidar_ring *ring = file->private_data;
	struct lidar_memory *memory;
	int ret = lidar_check_owner(ring, file);

	if (ret)
		return ret;
	if (!vma->vm_pgoff)
		return lidar_control_mmap(&ring->control, vma);
	memory = ring->memory;
	if (vma->vm_pgoff < data_page || memory->kind != LIDAR_RING_MEMORY_KERNEL)
		return -EINVAL;
	vma->vm_pgoff -= data_page;
	/* as with the control page: a child's mapping would keep the file open */
	vma->vm_flags |= VM_DONTCOPY;
	return lidar_memory_mmap(memory->pages, memory->page_count, vma);
}

static __poll_t ring_poll(struct file *file, struct poll_table_struct *wait)
{
	struct lidar_ring *ring = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &ring->wait, wait);
	if (lidar_ring_gone(ring))
		return EPOLLERR | EPOLLHUP;
	/* acquire: pairs with SETUP, which has made the control page before */
	if (smp_load_acquire(&ring->owner) != file)
		return 0;
	if (lidar_control_readable(&ring->control))
		events |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(ring->state) == LIDAR_RING_HALTED)
		events |= EPOLLPRI;
	return events;
}

static void give_back(struct lidar_ring *ring, struct lidar_slot *slot)
{
	mutex_lock(&ring->lock);
	lidar_stream_give(ring, slot);
	mutex_unlock(&ring->lock);
}

/* The slice to read from: the one begun before, else the next. Under read_lock. */
static int read_begin(struct lidar_ring *ring, struct file *file)
{
	struct lidar_slot *slot;
	int ret = lidar_check_owner(ring, file);

	/* in this order: another owner's, of before, is not there any more */
	if (!ret && ring->read_slot)
		return 0;
	for (;;) {
		ret = lidar_get_frame(file, file->f_flags & O_NONBLOCK ? 0 : -1, &slot);
		if (ret)
			return ret;
		if (slot->desc.bytes)
			break;
		/* a slice without data: 0 would be the end of the file */
		give_back(ring, slot);
		if (signal_pending(current))
			return -EINTR;
	}
	ring->read_slot = slot;
	ring->read_at = 0;
	return 0;
}

static ssize_t copy_slot(struct lidar_ring *ring, struct iov_iter *to)
{
	struct lidar_slot *slot = ring->read_slot;
	size_t total = 0;

	while (ring->read_at < slot->desc.bytes && iov_iter_count(to)) {
		size_t in_page = ring->read_at & ~PAGE_MASK;
		size_t bytes = min_t(size_t, PAGE_SIZE - in_page,
				     slot->desc.bytes - ring->read_at);
		size_t copied = copy_page_to_iter(slot->pages[ring->read_at >> PAGE_SHIFT],
						  in_page, bytes, to);

		if (!copied)
			break;
		ring->read_at += copied;
		total += copied;
		cond_resched();
	}
	return total;
}

/* Who may not read does not wait for who does. */
static int read_enter(struct lidar_ring *ring, struct file *file)
{
	int ret = lidar_check_owner(ring, file);

	/* nobody's: nothing streams, as GET_FRAME will say */
	if (ret && ret != -EINVAL)
		return ret;
	if (file->f_flags & O_NONBLOCK)
		return mutex_trylock(&ring->read_lock) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(&ring->read_lock) ? -EINTR : 0;
}

/*
 * The path that copies, for programs that know no better and to compare with:
 * the rest of the current slice, or the beginning of the next; never of two.
 */
static ssize_t ring_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct lidar_ring *ring = file->private_data;
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;
	ret = read_enter(ring, file);
	if (ret)
		return ret;
	ret = read_begin(ring, file);
	if (ret)
		goto unlock;
	ret = copy_slot(ring, to);
	mutex_lock(&ring->lock);
	ring->stats.copied_bytes += ret;
	if (ring->read_at >= ring->read_slot->desc.bytes) {
		lidar_stream_give(ring, ring->read_slot);
		ring->read_slot = NULL;
	} else if (!ret && iov_iter_count(to)) {
		ret = -EFAULT;
	}
	mutex_unlock(&ring->lock);
unlock:
	mutex_unlock(&ring->read_lock);
	return ret;
}

static const struct file_operations ring_fops = {
	.owner = THIS_MODULE,
	.open = ring_open,
	.release = ring_release,
	.unlocked_ioctl = lidar_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = ring_mmap,
	.poll = ring_poll,
	.read_iter = ring_read_iter,
	.llseek = no_llseek,
};

static void ring_free(struct device *dev)
{
	struct lidar_ring *ring = container_of(dev, struct lidar_ring, dev);

	mutex_destroy(&ring->lock);
	mutex_destroy(&ring->read_lock);
	kfree(ring);
}

static void ring_init(struct lidar_ring *ring, const struct lidar_ring_config *config)
{
	ring->config = *config;
	ring->config.slot_bytes_max = min_t(u64, LIDAR_RING_SLOT_BYTES_MAX,
					    config->slot_bytes_max ?: LIDAR_RING_SLOT_BYTES_MAX);
	ring->config.slot_bytes_max &= ~(u64)(LIDAR_RING_SLOT_ALIGN - 1);
	strscpy(ring->name, config->name ?: "", sizeof(ring->name));
	strscpy(ring->serial, config->serial ?: "", sizeof(ring->serial));
	mutex_init(&ring->read_lock);
	mutex_init(&ring->lock);
	init_waitqueue_head(&ring->wait);
	spin_lock_init(&ring->done_lock);
	INIT_LIST_HEAD(&ring->queued);
	INIT_LIST_HEAD(&ring->done);
	INIT_WORK(&ring->work, lidar_stream_work);
	INIT_DELAYED_WORK(&ring->retry, lidar_stream_retry);
	INIT_DELAYED_WORK(&ring->lease, lidar_stream_lease);
}

struct lidar_ring *lidar_ring_add(const struct lidar_ring_config *config)
{
	struct lidar_ring *ring = kzalloc(sizeof(*ring), GFP_KERNEL);
	int ret;

	if (!ring)
		return ERR_PTR(-ENOMEM);
	ring->id = ida_alloc_max(&lidar_ids, MINORMASK, GFP_KERNEL);
	if (ring->id < 0) {
		ret = ring->id;
		kfree(ring);
		return ERR_PTR(ret);
	}
	ring_init(ring, config);
	device_initialize(&ring->dev);
	ring->dev.class = lidar_class;
	ring->dev.parent = config->parent;
	ring->dev.groups = lidar_attribute_groups;
	ring->dev.release = ring_free;
	ring->dev.devt = MKDEV(MAJOR(lidar_region), ring->id);
	dev_set_drvdata(&ring->dev, ring);
	cdev_init(&ring->cdev, &ring_fops);
	ring->cdev.owner = THIS_MODULE;
	ret = dev_set_name(&ring->dev, "lidar%d", ring->id);
	if (!ret)
		ret = cdev_device_add(&ring->cdev, &ring->dev);
	if (ret) {
		ida_free(&lidar_ids, ring->id);
		put_device(&ring->dev);
		return ERR_PTR(ret);
	}
	return ring;
}
EXPORT_SYMBOL_GPL(lidar_ring_add);

int lidar_ring_remove(struct lidar_ring *ring)
{
	int ret;

	cdev_device_del(&ring->cdev, &ring->dev);
	/* who is plugged in again gets its name back, also while old files are open */
	ida_free(&lidar_ids, ring->id);
	mutex_lock(&ring->lock);
	WRITE_ONCE(ring->gone, true);
	ret = lidar_stream_stop(ring, LIDAR_RING_GONE);
	if (ring->memory && !ret)
		lidar_memory_unmap(ring->memory);
	mutex_unlock(&ring->lock);
	wake_up_poll(&ring->wait, EPOLLERR | EPOLLHUP);
	cancel_delayed_work_sync(&ring->lease);
	cancel_delayed_work_sync(&ring->retry);
	cancel_work_sync(&ring->work);
	if (!ret)
		put_device(&ring->dev);
	return ret;
}
EXPORT_SYMBOL_GPL(lidar_ring_remove);

int lidar_ring_suspend(struct lidar_ring *ring)
{
	int ret;

	mutex_lock(&ring->lock);
	ret = lidar_stream_halt(ring, NULL);
	mutex_unlock(&ring->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(lidar_ring_suspend);

void *lidar_ring_backend(struct lidar_ring *ring)
{
	return ring->config.backend;
}
EXPORT_SYMBOL_GPL(lidar_ring_backend);

static int __init lidar_ring_module_init(void)
{
	int ret;

	lidar_workqueue = alloc_workqueue("lidar_ring", WQ_HIGHPRI | WQ_UNBOUND, 0);
	if (!lidar_workqueue)
		return -ENOMEM;
	ret = alloc_chrdev_region(&lidar_region, 0, MINORMASK + 1, "lidar");
	if (ret)
		goto free_workqueue;
	lidar_class = class_create(THIS_MODULE, "lidar");
	if (IS_ERR(lidar_class)) {
		ret = PTR_ERR(lidar_class);
		goto free_region;
	}
	ret = lidar_ring_dmaengine_register();
	if (ret)
		goto free_class;
	ret = lidar_ring_virtio_register();
	if (ret)
		goto free_dmaengine;
	return 0;

free_dmaengine:
	lidar_ring_dmaengine_unregister();
free_class:
	class_destroy(lidar_class);
free_region:
	unregister_chrdev_region(lidar_region, MINORMASK + 1);
free_workqueue:
	destroy_workqueue(lidar_workqueue);
	return ret;
}

static void __exit lidar_ring_module_exit(void)
{
	lidar_ring_virtio_unregister();
	lidar_ring_dmaengine_unregister();
	class_destroy(lidar_class);
	unregister_chrdev_region(lidar_region, MINORMASK + 1);
	destroy_workqueue(lidar_workqueue);
	ida_destroy(&lidar_ids);
}

module_init(lidar_ring_module_init);
module_exit(lidar_ring_module_exit);
MODULE_DESCRIPTION("LIDAR devices that write into rings of shared slots");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
