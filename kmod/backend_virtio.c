// SPDX-License-Identifier: GPL-2.0
/*
 * backend_virtio.c - a LIDAR behind a virtio queue
 *
 * A process of the host fills buffers of the guest, as a sensor's DMA would:
 * how slices reach a virtual machine, and how this module is fed at full rate
 * where there is no such sensor.
 *
 * The protocol is one queue of buffers that the device writes.  A chain is the
 * slot's memory, then LIDAR_RING_TRAILER bytes for a struct lidar_ring_trailer,
 * always in the last descriptor.  The device writes trailer.bytes of data from
 * the chain's beginning and tells the number of bytes it wrote in all.  A device
 * that knows no trailer leaves it alone; then the number is that of the data,
 * and one of 0 a failure.
 *
 * Such a device has no id of its own, so it borrows one of those that QEMU
 * connects with a process.  vhost-user-fs-pci tells a name, its tag: one that
 * begins with "lidar:" is a LIDAR, and the rest is its serial number.  Its queue
 * may be as long as one likes (queue-size=).  vhost-user-rng-pci tells nothing,
 * holds 4 slots and is an entropy source to everybody else, so it is left alone
 * unless virtio_rng= says otherwise.
 *
 * There may be more requests than the queue holds: the interrupt that takes a
 * filled slot posts the next.
 *
 * A virtio device cannot be told to leave a buffer alone, but to forget
 * everything: abort resets it, and start begins with features and queue anew.
 * Slots submitted before that wait.
 */
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <linux/workqueue.h>

#include "core.h"

/* Slots with the device or next in line: 33 ms of data at 500 MB/s and 64 KiB. */
#define LIDAR_VIRTIO_REQUESTS 256
/* The device's clock is the host's CLOCK_MONOTONIC. */
#define LIDAR_VIRTIO_CLOCK_HZ NSEC_PER_SEC
/* Until another attempt to allocate a large descriptor table. */
#define LIDAR_VIRTIO_RETRY_MS 1
/* What the tag of a file system begins with that is none. */
#define LIDAR_VIRTIO_TAG "lidar:"

static char *virtio_rng = "";
module_param(virtio_rng, charp, 0444);
MODULE_PARM_DESC(virtio_rng, "entropy sources that are LIDARs: 1 (all) or 0000:00:05.0 (none)");

static char *virtio_name = "virtio";
module_param(virtio_name, charp, 0444);
MODULE_PARM_DESC(virtio_name, "model of virtio LIDARs");

static char *virtio_serial = "";
module_param(virtio_serial, charp, 0444);
MODULE_PARM_DESC(virtio_serial, "serial number of those that tell none");

static uint virtio_format = LIDAR_RING_FORMAT_UNKNOWN;
module_param(virtio_format, uint, 0444);
MODULE_PARM_DESC(virtio_format, "format of their data: 0 unknown, 1 packets, 2 XYZIRT");

/**
 * struct lidar_virtio_request - a place for a slot
 * @list: idle or waiting; in neither while with the device
 * @slot: not while idle
 * @trailer: written by the device; an allocation by itself, so that no cache
 *	line is shared with what the CPU writes
 * @trailer_sg: it
 */
struct lidar_virtio_request {
	struct list_head list;
	struct lidar_ring_slot *slot;
	struct lidar_ring_trailer *trailer;
	struct scatterlist trailer_sg;
};

/**
 * struct lidar_virtio - a device
 * @vdev: it
 * @ring: its ring; NULL or an error before scan()
 * @tag: what it tells of itself; empty: nothing
 * @lock: everything below, and calls to add to and take from @vq
 * @vq: NULL when stopped
 * @running: slots may be posted to @vq
 * @idle: requests without a slot
 * @waiting: requests to be posted, in order
 * @retry: posts when the interrupt found no memory for a table
 * @requests: all of them
 */
struct lidar_virtio {
	struct virtio_device *vdev;
	struct lidar_ring *ring;
	char tag[sizeof_field(struct virtio_fs_config, tag) + 1];
	spinlock_t lock; /* see above */
	struct virtqueue *vq;
	bool running;
	struct list_head idle;
	struct list_head waiting;
	struct delayed_work retry;
	struct lidar_virtio_request requests[LIDAR_VIRTIO_REQUESTS];
};

/* Return: whether the device is a LIDAR, and what it says of itself. */
static bool lidar_virtio_wanted(struct virtio_device *vdev, char *ret_tag, size_t tag_bytes)
{
	if (vdev->id.device == VIRTIO_ID_FS) {
		virtio_cread_bytes(vdev, offsetof(struct virtio_fs_config, tag), ret_tag,
				   tag_bytes - 1);
		return !strncmp(ret_tag, LIDAR_VIRTIO_TAG, strlen(LIDAR_VIRTIO_TAG));
	}
	return !strcmp(virtio_rng, "1") || !strcmp(virtio_rng, dev_name(vdev->dev.parent));
}

static int lidar_virtio_add(struct lidar_virtio *lidar, struct lidar_virtio_request *request)
{
	struct scatterlist *sgs[] = { request->slot->sgt.sgl, &request->trailer_sg };

	/* what an earlier slice left there must not be taken for this one's */
	request->trailer->magic = 0;
	return virtqueue_add_sgs(lidar->vq, sgs, 0, ARRAY_SIZE(sgs), request,
				 GFP_ATOMIC | __GFP_NOWARN);
}

/* Move what fits from waiting to the queue. Return: the device wants to be told. */
static bool lidar_virtio_post(struct lidar_virtio *lidar)
{
	struct lidar_virtio_request *request, *next;
	bool posted = false;

	lockdep_assert_held(&lidar->lock);
	if (!lidar->running)
		return false;
	list_for_each_entry_safe(request, next, &lidar->waiting, list) {
		int err = lidar_virtio_add(lidar, request);

		if (err) {
			/* room, and yet no success: there was no memory for the table */
			if (lidar->vq->num_free && !virtqueue_is_broken(lidar->vq))
				schedule_delayed_work(&lidar->retry,
						      msecs_to_jiffies(LIDAR_VIRTIO_RETRY_MS));
			break;
		}
		list_del_init(&request->list);
		posted = true;
	}
	return posted && virtqueue_kick_prepare(lidar->vq);
}

/*
 * A slot of many segments needs a table larger than an interrupt may hope for.
 * Allocating and freeing one where sleeping is allowed makes room for it.
 */
static void lidar_virtio_retry(struct work_struct *work)
{
	struct lidar_virtio *lidar =
		container_of(to_delayed_work(work), struct lidar_virtio, retry);
	struct lidar_virtio_request *request;
	unsigned int entries = 0;
	bool notify;

	spin_lock_irq(&lidar->lock);
	request = list_first_entry_or_null(&lidar->waiting, struct lidar_virtio_request, list);
	if (request)
		entries = request->slot->sgt.orig_nents + 1;
	spin_unlock_irq(&lidar->lock);
	kfree(kmalloc_array(entries, sizeof(struct vring_desc), GFP_KERNEL | __GFP_NOWARN));

	spin_lock_irq(&lidar->lock);
	notify = lidar_virtio_post(lidar);
	spin_unlock_irq(&lidar->lock);
	if (notify)
		virtqueue_notify(lidar->vq);
}

/* Take a filled slot off the queue and its request back. */
static struct lidar_ring_slot *lidar_virtio_take(struct lidar_virtio *lidar, u32 *ret_len,
						 struct lidar_ring_trailer *ret_trailer)
{
	struct lidar_virtio_request *request;
	unsigned int len;

	lockdep_assert_held(&lidar->lock);
	request = virtqueue_get_buf(lidar->vq, &len);
	if (!request)
		return NULL;
	/* the device can still write to it: look at the copy only */
	memcpy(ret_trailer, request->trailer, sizeof(*ret_trailer));
	*ret_len = len;
	list_add_tail(&request->list, &lidar->idle);
	return request->slot;
}

static void lidar_virtio_answer(struct lidar_ring_slot *slot, u32 len,
				const struct lidar_ring_trailer *trailer)
{
	struct lidar_ring_result result = { .done_ns = ktime_get_ns() };

	if (trailer->magic == cpu_to_le32(LIDAR_RING_TRAILER_MAGIC)) {
		result.trailer = trailer;
		result.bytes = le32_to_cpu(trailer->bytes);
	} else if (len) {
		result.bytes = min(len, slot->bytes);
	} else {
		result.error = -EIO;
	}
	lidar_ring_slot_done(slot, &result);
}

/* The queue's interrupt; hot path. */
static void lidar_virtio_filled(struct virtqueue *vq)
{
	struct lidar_virtio *lidar = vq->vdev->priv;
	struct lidar_ring_trailer trailer;
	struct lidar_ring_slot *slot;
	unsigned long flags;
	bool notify = false;
	u32 len;

	spin_lock_irqsave(&lidar->lock, flags);
	do {
		virtqueue_disable_cb(vq);
		while ((slot = lidar_virtio_take(lidar, &len, &trailer))) {
			/* first of all the device's next slot */
			notify |= lidar_virtio_post(lidar);
			spin_unlock_irqrestore(&lidar->lock, flags);
			lidar_virtio_answer(slot, len, &trailer);
			spin_lock_irqsave(&lidar->lock, flags);
		}
	} while (!virtqueue_enable_cb(vq));
	spin_unlock_irqrestore(&lidar->lock, flags);
	if (notify)
		virtqueue_notify(vq);
	/* what the device has put there is impossible: it is not asked again, and nobody would know */
	if (unlikely(virtqueue_is_broken(vq)))
		lidar_ring_failed(lidar->ring);
}

/* A device that has given up tells so by its status, and waits for the reset of a restart. */
static void lidar_virtio_config_changed(struct virtio_device *vdev)
{
	struct lidar_virtio *lidar = vdev->priv;

	if (!IS_ERR_OR_NULL(lidar->ring) &&
	    vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_NEEDS_RESET)
		lidar_ring_failed(lidar->ring);
}

/*
 * The virtio core gives the device physical addresses, or mappings of its own.
 * Either way what it writes is not in a bounce buffer of the ring's mapping,
 * from which a later sync would overwrite it.
 */
static bool lidar_virtio_can_fill(struct lidar_virtio *lidar, struct lidar_ring_slot *slot)
{
	struct device *dev = lidar->vdev->dev.parent;
	struct scatterlist *sg;
	int i;

	/* with an IOMMU only devices from outside the machine have bounce buffers */
	if (device_iommu_mapped(dev))
		return true;
	for_each_sgtable_dma_sg(&slot->sgt, sg, i) {
		if (dma_need_sync(dev, sg_dma_address(sg))) {
			dev_err_ratelimited(dev, "a slot is behind bounce buffers, which a virtio device does not use\n");
			return false;
		}
	}
	return true;
}

static int lidar_virtio_submit(struct lidar_ring *ring, struct lidar_ring_slot *slot)
{
	struct lidar_virtio *lidar = lidar_ring_backend(ring);
	struct lidar_virtio_request *request;
	unsigned long flags;
	bool notify;

	if (!lidar_virtio_can_fill(lidar, slot) || (lidar->vq && virtqueue_is_broken(lidar->vq)))
		return -EIO;
	spin_lock_irqsave(&lidar->lock, flags);
	request = list_first_entry_or_null(&lidar->idle, struct lidar_virtio_request, list);
	if (!request) {
		spin_unlock_irqrestore(&lidar->lock, flags);
		return -EAGAIN;
	}
	request->slot = slot;
	list_move_tail(&request->list, &lidar->waiting);
	notify = lidar_virtio_post(lidar);
	spin_unlock_irqrestore(&lidar->lock, flags);
	if (notify)
		virtqueue_notify(lidar->vq);
	return 0;
}

/* What the virtio core does before probe(), for a device that has been reset since. */
static int lidar_virtio_negotiate(struct virtio_device *vdev)
{
	int err;

	virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_DRIVER);
	err = vdev->config->finalize_features(vdev);
	if (err)
		return err;
	virtio_add_status(vdev, VIRTIO_CONFIG_S_FEATURES_OK);
	return vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -EIO;
}

static int lidar_virtio_start(struct lidar_ring *ring)
{
	struct lidar_virtio *lidar = lidar_ring_backend(ring);
	struct virtio_device *vdev = lidar->vdev;
	struct virtqueue *vq;
	bool notify;
	int err;

	/* the virtio core starts it without a queue after a sleep */
	virtio_reset_device(vdev);
	err = lidar_virtio_negotiate(vdev);
	if (err)
		goto failed;
	vq = virtio_find_single_vq(vdev, lidar_virtio_filled, "slots");
	if (IS_ERR(vq)) {
		err = PTR_ERR(vq);
		goto failed;
	}
	lidar->vq = vq;
	virtio_device_ready(vdev);
	spin_lock_irq(&lidar->lock);
	lidar->running = true;
	notify = lidar_virtio_post(lidar);
	spin_unlock_irq(&lidar->lock);
	if (notify)
		virtqueue_notify(vq);
	return 0;

failed:
	virtio_reset_device(vdev);
	return err;
}

static void lidar_virtio_cancel(struct lidar_virtio *lidar, struct lidar_virtio_request *request)
{
	struct lidar_ring_result result = { .error = -ECANCELED, .done_ns = ktime_get_ns() };
	struct lidar_ring_slot *slot = request->slot;

	list_move_tail(&request->list, &lidar->idle);
	lidar_ring_slot_done(slot, &result);
}

/* Reset the device: it writes no more, and its interrupt has been served. */
static void lidar_virtio_stop(struct lidar_virtio *lidar)
{
	struct lidar_virtio_request *request;
	struct lidar_ring_trailer trailer;
	struct lidar_ring_slot *slot;
	unsigned long flags;
	u32 len;

	spin_lock_irqsave(&lidar->lock, flags);
	lidar->running = false;
	spin_unlock_irqrestore(&lidar->lock, flags);
	cancel_delayed_work_sync(&lidar->retry);
	virtio_reset_device(lidar->vdev);
	/* not every transport's reset waits for its interrupt: virtio-mmio's does not */
	virtio_synchronize_cbs(lidar->vdev);

	/* From here on there is nobody else, but lockdep asks for the lock. */
	spin_lock_irqsave(&lidar->lock, flags);
	while ((slot = lidar_virtio_take(lidar, &len, &trailer)))
		lidar_virtio_answer(slot, len, &trailer);
	while ((request = virtqueue_detach_unused_buf(lidar->vq)))
		lidar_virtio_cancel(lidar, request);
	spin_unlock_irqrestore(&lidar->lock, flags);
	lidar->vdev->config->del_vqs(lidar->vdev);
	lidar->vq = NULL;
}

static int lidar_virtio_abort(struct lidar_ring *ring)
{
	struct lidar_virtio *lidar = lidar_ring_backend(ring);
	struct lidar_virtio_request *request, *next;

	if (lidar->vq)
		lidar_virtio_stop(lidar);
	list_for_each_entry_safe(request, next, &lidar->waiting, list)
		lidar_virtio_cancel(lidar, request);
	return 0;
}

static const struct lidar_ring_backend_ops lidar_virtio_ops = {
	.start = lidar_virtio_start,
	.submit = lidar_virtio_submit,
	.abort = lidar_virtio_abort,
};

static int lidar_virtio_init_requests(struct lidar_virtio *lidar)
{
	unsigned int i;

	for (i = 0; i < LIDAR_VIRTIO_REQUESTS; i++) {
		struct lidar_virtio_request *request = &lidar->requests[i];

		request->trailer = devm_kzalloc(&lidar->vdev->dev, sizeof(*request->trailer),
						GFP_KERNEL);
		if (!request->trailer)
			return -ENOMEM;
		sg_init_one(&request->trailer_sg, request->trailer, sizeof(*request->trailer));
		list_add_tail(&request->list, &lidar->idle);
	}
	return 0;
}

static int lidar_virtio_probe(struct virtio_device *vdev)
{
	char tag[sizeof_field(struct lidar_virtio, tag)] = "";
	struct lidar_virtio *lidar;

	if (!lidar_virtio_wanted(vdev, tag, sizeof(tag)))
		return -ENODEV;
	if (!virtio_has_feature(vdev, VIRTIO_F_VERSION_1) ||
	    !virtio_has_feature(vdev, VIRTIO_RING_F_INDIRECT_DESC)) {
		dev_err(&vdev->dev, "needs a device of virtio 1 with indirect descriptors\n");
		return -ENODEV;
	}
	lidar = devm_kzalloc(&vdev->dev, sizeof(*lidar), GFP_KERNEL);
	if (!lidar)
		return -ENOMEM;
	lidar->vdev = vdev;
	strscpy(lidar->tag, tag, sizeof(lidar->tag));
	spin_lock_init(&lidar->lock);
	INIT_LIST_HEAD(&lidar->idle);
	INIT_LIST_HEAD(&lidar->waiting);
	INIT_DELAYED_WORK(&lidar->retry, lidar_virtio_retry);
	vdev->priv = lidar;
	/* a descriptor takes any length, and fewer of them are faster */
	dma_set_max_seg_size(vdev->dev.parent, UINT_MAX);
	return lidar_virtio_init_requests(lidar);
}

/*
 * The virtio core has set DRIVER_OK after probe(), though there is no queue
 * yet.  Only now may a user start, which changes the status as well.
 */
static void lidar_virtio_scan(struct virtio_device *vdev)
{
	struct lidar_virtio *lidar = vdev->priv;
	const struct lidar_ring_config config = {
		.parent = &vdev->dev,
		.dma_dev = vdev->dev.parent,
		.ops = &lidar_virtio_ops,
		.backend = lidar,
		.name = virtio_name,
		.serial = lidar->tag[0] ? lidar->tag + strlen(LIDAR_VIRTIO_TAG) : virtio_serial,
		.features = LIDAR_RING_FEATURE_FRAMES | LIDAR_RING_FEATURE_DEVICE_SEQ,
		.format = virtio_format,
		.device_clock_hz = LIDAR_VIRTIO_CLOCK_HZ,
		.queue_depth = LIDAR_VIRTIO_REQUESTS,
	};

	virtio_reset_device(vdev);
	lidar->ring = lidar_ring_add(&config);
	if (IS_ERR(lidar->ring))
		dev_err(&vdev->dev, "no ring: %pe\n", lidar->ring);
}

static void lidar_virtio_remove(struct virtio_device *vdev)
{
	struct lidar_virtio *lidar = vdev->priv;

	if (!IS_ERR_OR_NULL(lidar->ring))
		lidar_ring_remove(lidar->ring);
	virtio_reset_device(vdev);
}

#ifdef CONFIG_PM_SLEEP
static int lidar_virtio_freeze(struct virtio_device *vdev)
{
	struct lidar_virtio *lidar = vdev->priv;

	return IS_ERR_OR_NULL(lidar->ring) ? 0 : lidar_ring_suspend(lidar->ring);
}

/* The queue comes with the next start. */
static int lidar_virtio_restore(struct virtio_device *vdev)
{
	return 0;
}
#endif

/* Not in the module's device table: nobody's file system or entropy source is to load it. */
static const struct virtio_device_id lidar_virtio_ids[] = {
	{ VIRTIO_ID_FS, VIRTIO_DEV_ANY_ID },
	{ VIRTIO_ID_RNG, VIRTIO_DEV_ANY_ID },
	{ }
};

static struct virtio_driver lidar_virtio_driver = {
	.driver.name = "lidar_ring_virtio",
	.driver.owner = THIS_MODULE,
	.id_table = lidar_virtio_ids,
	.probe = lidar_virtio_probe,
	.scan = lidar_virtio_scan,
	.config_changed = lidar_virtio_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = lidar_virtio_freeze,
	.restore = lidar_virtio_restore,
#endif
	.remove = lidar_virtio_remove,
};

int lidar_ring_virtio_register(void)
{
	return register_virtio_driver(&lidar_virtio_driver);
}

void lidar_ring_virtio_unregister(void)
{
	unregister_virtio_driver(&lidar_virtio_driver);
}
