// SPDX-License-Identifier: GPL-2.0
/*
 * sim_feed.c - /dev/lidar_sim_NAME: each write() is a slice
 *
 * For recorded data: what is written becomes the contents of the LIDAR's next
 * slice and takes the same way through the DMA as any other.  A few slices wait
 * here; then write() blocks, or says -EAGAIN.  The device goes with its instance,
 * an open file may stay (-ENODEV).
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "sim.h"

#define FEED_SLICES 4

static void feed_release(struct kref *ref)
{
	struct sim_feed *feed = container_of(ref, struct sim_feed, ref);
	struct sim_fed *fed, *next;

	list_for_each_entry_safe(fed, next, &feed->slices, node)
		kvfree(fed);
	kfree(feed);
}

static int feed_open(struct inode *inode, struct file *file)
{
	struct sim_feed *feed = container_of(file->private_data, struct sim_feed, misc);

	kref_get(&feed->ref);
	file->private_data = feed;
	return stream_open(inode, file);
}

static int feed_close(struct inode *inode, struct file *file)
{
	struct sim_feed *feed = file->private_data;

	kref_put(&feed->ref, feed_release);
	return 0;
}

static bool feed_ready(struct sim_feed *feed)
{
	return READ_ONCE(feed->count) < FEED_SLICES || !READ_ONCE(feed->reader);
}

/* Return: whether there was room; takes @fed then. */
static int feed_put(struct sim_feed *feed, struct sim_fed *fed)
{
	int ret = -EAGAIN;

	spin_lock(&feed->lock);
	if (!feed->reader) {
		ret = -ENODEV;
	} else if (feed->count < FEED_SLICES) {
		list_add_tail(&fed->node, &feed->slices);
		WRITE_ONCE(feed->count, feed->count + 1);
		wake_up(feed->reader);
		ret = 0;
	}
	spin_unlock(&feed->lock);
	return ret;
}

static ssize_t feed_write(struct file *file, const char __user *data, size_t bytes, loff_t *at)
{
	struct sim_feed *feed = file->private_data;
	struct sim_fed *fed;
	int ret;

	if (!bytes || bytes > feed->slice_bytes)
		return -EINVAL;
	fed = kvmalloc(struct_size(fed, data, bytes), GFP_KERNEL);
	if (!fed)
		return -ENOMEM;
	fed->bytes = bytes;
	ret = copy_from_user(fed->data, data, bytes) ? -EFAULT : feed_put(feed, fed);
	while (ret == -EAGAIN && !(file->f_flags & O_NONBLOCK)) {
		ret = wait_event_interruptible(feed->wait, feed_ready(feed)) ? -EINTR :
		      feed_put(feed, fed);
	}
	if (ret) {
		kvfree(fed);
		return ret;
	}
	return bytes;
}

static __poll_t feed_poll(struct file *file, struct poll_table_struct *wait)
{
	struct sim_feed *feed = file->private_data;

	poll_wait(file, &feed->wait, wait);
	if (!READ_ONCE(feed->reader))
		return EPOLLERR | EPOLLHUP;
	return feed_ready(feed) ? EPOLLOUT | EPOLLWRNORM : 0;
}

static const struct file_operations feed_fops = {
	.owner = THIS_MODULE,
	.open = feed_open,
	.release = feed_close,
	.write = feed_write,
	.poll = feed_poll,
	.llseek = no_llseek,
};

struct sim_feed *sim_feed_new(const char *name, u32 slice_bytes, wait_queue_head_t *reader)
{
	struct sim_feed *feed = kzalloc(sizeof(*feed), GFP_KERNEL);
	int ret;

	if (!feed)
		return ERR_PTR(-ENOMEM);
	kref_init(&feed->ref);
	spin_lock_init(&feed->lock);
	INIT_LIST_HEAD(&feed->slices);
	init_waitqueue_head(&feed->wait);
	feed->reader = reader;
	feed->slice_bytes = slice_bytes;
	snprintf(feed->name, sizeof(feed->name), "lidar_sim_%s", name);
	feed->misc.minor = MISC_DYNAMIC_MINOR;
	feed->misc.name = feed->name;
	feed->misc.fops = &feed_fops;
	ret = misc_register(&feed->misc);
	if (ret) {
		kfree(feed);
		return ERR_PTR(ret);
	}
	return feed;
}

void sim_feed_free(struct sim_feed *feed)
{
	misc_deregister(&feed->misc);
	spin_lock(&feed->lock);
	WRITE_ONCE(feed->reader, NULL);
	spin_unlock(&feed->lock);
	wake_up_all(&feed->wait);
	kref_put(&feed->ref, feed_release);
}

/** The oldest slice, the caller's to kvfree(), or NULL. */
struct sim_fed *sim_feed_get(struct sim_feed *feed)
{
	struct sim_fed *fed;

	spin_lock(&feed->lock);
	fed = list_first_entry_or_null(&feed->slices, struct sim_fed, node);
	if (fed) {
		list_del(&fed->node);
		WRITE_ONCE(feed->count, feed->count - 1);
	}
	spin_unlock(&feed->lock);
	if (fed)
		wake_up_interruptible(&feed->wait);
	return fed;
}
