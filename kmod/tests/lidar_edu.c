// SPDX-License-Identifier: GPL-2.0
/*
 * lidar_edu.c - QEMU's "edu" device as a LIDAR: a real bus master, for tests
 *
 * A backend of lidar_ring in one page of code, and the only one whose DMA passes
 * through an IOMMU as that of hardware does: what is written to an address that
 * is not mapped shows as a fault instead of as luck.  The engine moves 4088
 * bytes at most between memory and a buffer of its own, 100 ms each, so a slice
 * is two transfers: a number into the buffer (the first time, a whole pattern),
 * then the buffer into the slot.  Word 0 of a slice is seq << 20, word i is i.
 *
 * The engine cannot be stopped, so abort waits for it.
 *
 * For the test there are two files beside the PCI device's others.
 * "last_address" tells where the last slot was: for the device, and for the
 * CPU.  Writing "mapped" or "physical" to "rogue_write" has the device write to
 * the one or the other, whoever may own it by now: what a driver does that does
 * not keep to its mappings.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/wait.h>

#include "lidar_ring.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

#define EDU_IRQ_STATUS 0x24
#define EDU_IRQ_ACK 0x64
#define EDU_DMA_SOURCE 0x80
#define EDU_DMA_DESTINATION 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_DMA_RUN BIT(0)
#define EDU_DMA_TO_MEMORY BIT(1)
#define EDU_DMA_INTERRUPT BIT(2)
/* The engine's buffer as it addresses it, and the most it moves at once. */
#define EDU_BUFFER 0x40000
#define EDU_BYTES 4088
#define EDU_ADDRESS_BITS 28
#define EDU_TRANSFER_MS 100

/**
 * struct lidar_edu - a device
 * @pdev: it
 * @ring: its ring
 * @registers: BAR 0
 * @pattern: what goes into the engine's buffer
 * @pattern_dma: where the engine finds it
 * @idle: woken when a transfer ends
 * @lock: what follows
 * @waiting: submitted slots
 * @current_slot: the one being filled
 * @storing: the transfer is that to the slot
 * @busy: a transfer runs
 * @running: between start and abort
 * @seq: of the next slice
 * @last_dma: where the last slot was for the device
 * @last_physical: and for the CPU
 */
struct lidar_edu {
	struct pci_dev *pdev;
	struct lidar_ring *ring;
	void __iomem *registers;
	__le64 *pattern;
	dma_addr_t pattern_dma;
	wait_queue_head_t idle;
	spinlock_t lock; /* see above */
	struct list_head waiting;
	struct lidar_ring_slot *current_slot;
	bool storing;
	bool busy;
	bool running;
	u64 seq;
	dma_addr_t last_dma;
	phys_addr_t last_physical;
};

static void lidar_edu_move(struct lidar_edu *edu, u32 source, u32 destination, u32 bytes,
			   u32 direction)
{
	edu->busy = true;
	writel(source, edu->registers + EDU_DMA_SOURCE);
	writel(destination, edu->registers + EDU_DMA_DESTINATION);
	writel(bytes, edu->registers + EDU_DMA_COUNT);
	writel(EDU_DMA_RUN | EDU_DMA_INTERRUPT | direction, edu->registers + EDU_DMA_COMMAND);
}

static void lidar_edu_load(struct lidar_edu *edu)
{
	edu->storing = false;
	edu->pattern[0] = cpu_to_le64(edu->seq << 20);
	lidar_edu_move(edu, lower_32_bits(edu->pattern_dma), EDU_BUFFER,
		       edu->seq ? sizeof(*edu->pattern) : EDU_BYTES, 0);
}

static void lidar_edu_store(struct lidar_edu *edu, dma_addr_t to)
{
	edu->storing = true;
	lidar_edu_move(edu, EDU_BUFFER, lower_32_bits(to), EDU_BYTES, EDU_DMA_TO_MEMORY);
}

/* Begin with the next slot, if there is one and nothing else to do. */
static void lidar_edu_next(struct lidar_edu *edu)
{
	lockdep_assert_held(&edu->lock);
	if (!edu->running || edu->busy || list_empty(&edu->waiting))
		return;
	edu->current_slot = list_first_entry(&edu->waiting, struct lidar_ring_slot, list);
	list_del_init(&edu->current_slot->list);
	edu->last_dma = sg_dma_address(edu->current_slot->sgt.sgl);
	edu->last_physical = sg_phys(edu->current_slot->sgt.sgl);
	lidar_edu_load(edu);
}

/* A transfer has ended. Return: the slot that is full now, or NULL. */
static struct lidar_ring_slot *lidar_edu_advance(struct lidar_edu *edu)
{
	struct lidar_ring_slot *slot = NULL;

	lockdep_assert_held(&edu->lock);
	edu->busy = false;
	if (edu->running && edu->current_slot && !edu->storing) {
		lidar_edu_store(edu, edu->last_dma);
	} else if (edu->running && edu->current_slot) {
		slot = edu->current_slot;
		edu->current_slot = NULL;
		edu->seq++;
		lidar_edu_next(edu);
	}
	return slot;
}

static irqreturn_t lidar_edu_interrupt(int irq, void *data)
{
	struct lidar_ring_result result = { .bytes = EDU_BYTES, .done_ns = ktime_get_ns() };
	struct lidar_edu *edu = data;
	u32 status = readl(edu->registers + EDU_IRQ_STATUS);
	struct lidar_ring_slot *slot;
	unsigned long flags;

	if (!status)
		return IRQ_NONE;
	writel(status, edu->registers + EDU_IRQ_ACK);
	spin_lock_irqsave(&edu->lock, flags);
	slot = lidar_edu_advance(edu);
	spin_unlock_irqrestore(&edu->lock, flags);
	wake_up(&edu->idle);
	if (slot)
		lidar_ring_slot_done(slot, &result);
	return IRQ_HANDLED;
}

static int lidar_edu_submit(struct lidar_ring *ring, struct lidar_ring_slot *slot)
{
	struct lidar_edu *edu = lidar_ring_backend(ring);
	unsigned long flags;

	spin_lock_irqsave(&edu->lock, flags);
	list_add_tail(&slot->list, &edu->waiting);
	lidar_edu_next(edu);
	spin_unlock_irqrestore(&edu->lock, flags);
	return 0;
}

static int lidar_edu_start(struct lidar_ring *ring)
{
	struct lidar_edu *edu = lidar_ring_backend(ring);
	unsigned long flags;

	spin_lock_irqsave(&edu->lock, flags);
	edu->seq = 0;
	edu->running = true;
	lidar_edu_next(edu);
	spin_unlock_irqrestore(&edu->lock, flags);
	return 0;
}

static bool lidar_edu_is_idle(struct lidar_edu *edu)
{
	return !READ_ONCE(edu->busy);
}

static void lidar_edu_wait(struct lidar_edu *edu)
{
	if (wait_event_timeout(edu->idle, lidar_edu_is_idle(edu),
			       msecs_to_jiffies(20 * EDU_TRANSFER_MS)))
		return;
	dev_err(&edu->pdev->dev, "a transfer does not end, taking the bus away\n");
	pci_clear_master(edu->pdev);
}

static void lidar_edu_cancel(struct lidar_ring_slot *slot)
{
	struct lidar_ring_result result = { .error = -ECANCELED, .done_ns = ktime_get_ns() };

	lidar_ring_slot_done(slot, &result);
}

static int lidar_edu_abort(struct lidar_ring *ring)
{
	struct lidar_edu *edu = lidar_ring_backend(ring);
	struct lidar_ring_slot *slot, *next;
	unsigned long flags;

	spin_lock_irqsave(&edu->lock, flags);
	edu->running = false;
	spin_unlock_irqrestore(&edu->lock, flags);
	lidar_edu_wait(edu);
	if (edu->current_slot)
		lidar_edu_cancel(edu->current_slot);
	edu->current_slot = NULL;
	list_for_each_entry_safe(slot, next, &edu->waiting, list) {
		list_del_init(&slot->list);
		lidar_edu_cancel(slot);
	}
	return 0;
}

static const struct lidar_ring_backend_ops lidar_edu_ops = {
	.start = lidar_edu_start,
	.submit = lidar_edu_submit,
	.abort = lidar_edu_abort,
};

static ssize_t last_address_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct lidar_edu *edu = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%#llx %#llx\n", (u64)edu->last_dma, (u64)edu->last_physical);
}
static DEVICE_ATTR_RO(last_address);

static ssize_t rogue_write_store(struct device *dev, struct device_attribute *attr,
				 const char *buf, size_t count)
{
	struct lidar_edu *edu = dev_get_drvdata(dev);
	bool is_mapped = sysfs_streq(buf, "mapped");
	int err = 0;

	if (!is_mapped && !sysfs_streq(buf, "physical"))
		return -EINVAL;
	spin_lock_irq(&edu->lock);
	if (edu->running || edu->busy || !edu->last_dma)
		err = -EBUSY;
	else
		lidar_edu_store(edu, is_mapped ? edu->last_dma : edu->last_physical);
	spin_unlock_irq(&edu->lock);
	if (err)
		return err;
	lidar_edu_wait(edu);
	return count;
}
static DEVICE_ATTR_WO(rogue_write);

static struct attribute *lidar_edu_attrs[] = {
	&dev_attr_last_address.attr,
	&dev_attr_rogue_write.attr,
	NULL
};
ATTRIBUTE_GROUPS(lidar_edu);

static int lidar_edu_init_pattern(struct lidar_edu *edu)
{
	unsigned int i;

	edu->pattern = dmam_alloc_coherent(&edu->pdev->dev, EDU_BYTES, &edu->pattern_dma,
					   GFP_KERNEL);
	if (!edu->pattern)
		return -ENOMEM;
	for (i = 0; i < EDU_BYTES / sizeof(*edu->pattern); i++)
		edu->pattern[i] = cpu_to_le64(i);
	return 0;
}

static int lidar_edu_init_device(struct lidar_edu *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int err;

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	err = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (err)
		return err;
	edu->registers = pcim_iomap_table(pdev)[0];
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(EDU_ADDRESS_BITS));
	if (err)
		return err;
	pci_set_master(pdev);
	err = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
	if (err < 0)
		return err;
	return devm_request_irq(&pdev->dev, pci_irq_vector(pdev, 0), lidar_edu_interrupt, 0,
				KBUILD_MODNAME, edu);
}

static int lidar_edu_add_ring(struct lidar_edu *edu)
{
	const struct lidar_ring_config config = {
		.parent = &edu->pdev->dev,
		.dma_dev = &edu->pdev->dev,
		.ops = &lidar_edu_ops,
		.backend = edu,
		.name = "edu",
		.serial = "",
		.slot_bytes_max = PAGE_SIZE,
		.max_segments = 1,
	};

	edu->ring = lidar_ring_add(&config);
	return PTR_ERR_OR_ZERO(edu->ring);
}

static int lidar_edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct lidar_edu *edu = devm_kzalloc(&pdev->dev, sizeof(*edu), GFP_KERNEL);
	int err;

	if (!edu)
		return -ENOMEM;
	edu->pdev = pdev;
	init_waitqueue_head(&edu->idle);
	spin_lock_init(&edu->lock);
	INIT_LIST_HEAD(&edu->waiting);
	pci_set_drvdata(pdev, edu);
	err = lidar_edu_init_device(edu);
	if (!err)
		err = lidar_edu_init_pattern(edu);
	if (!err)
		err = lidar_edu_add_ring(edu);
	return err;
}

static void lidar_edu_remove(struct pci_dev *pdev)
{
	struct lidar_edu *edu = pci_get_drvdata(pdev);

	lidar_ring_remove(edu->ring);
	/* the bus first: devm frees what a rogue write may still be reading */
	pci_clear_master(pdev);
}

static const struct pci_device_id lidar_edu_ids[] = {
	{ PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) },
	{ }
};

static struct pci_driver lidar_edu_driver = {
	.name = "lidar_edu",
	.id_table = lidar_edu_ids,
	.probe = lidar_edu_probe,
	.remove = lidar_edu_remove,
	.dev_groups = lidar_edu_groups,
};
module_pci_driver(lidar_edu_driver);

MODULE_DESCRIPTION("QEMU's edu device as a LIDAR, for tests");
MODULE_LICENSE("GPL");
