// SPDX-License-Identifier: GPL-2.0
/*
 * sim_dma.c - a DMA controller made of software
 *
 * It knows what a real one knows: bus addresses.  Each access translates them as
 * the bus would (IOMMU, offset, bounce buffer), so a mapping that is wrong, or a
 * sync that is missing, shows as wrong data.
 *
 * Terminate empties the lists at once; synchronize waits until the transfer that
 * is being written, if any, has been let go of, its callback included.
 */
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "sim.h"

static struct sim_dma *dma_of(struct dma_chan *chan)
{
	return container_of(chan, struct sim_dma, chan);
}

static struct sim_transfer *transfer_of(struct dma_async_tx_descriptor *tx)
{
	return container_of(tx, struct sim_transfer, tx);
}

static void free_transfers(struct list_head *list)
{
	struct sim_transfer *transfer, *next;

	list_for_each_entry_safe(transfer, next, list, node)
		kvfree(transfer);
}

static void *get_metadata(struct dma_async_tx_descriptor *tx, size_t *payload, size_t *max)
{
	*payload = sizeof(transfer_of(tx)->trailer);
	*max = *payload;
	return &transfer_of(tx)->trailer;
}

static struct dma_descriptor_metadata_ops metadata_ops = {
	.get_ptr = get_metadata,
};

static dma_cookie_t submit(struct dma_async_tx_descriptor *tx)
{
	struct sim_dma *dma = dma_of(tx->chan);
	unsigned long flags;

	spin_lock_irqsave(&dma->lock, flags);
	tx->cookie = max(dma->chan.cookie + 1, DMA_MIN_COOKIE);
	dma->chan.cookie = tx->cookie;
	list_add_tail(&transfer_of(tx)->node, &dma->submitted);
	spin_unlock_irqrestore(&dma->lock, flags);
	return tx->cookie;
}

/* Process context only, unlike what dmaengine allows: a slot may have 16384 segments. */
static struct dma_async_tx_descriptor *
prep_slave_sg(struct dma_chan *chan, struct scatterlist *sgl, unsigned int count,
	      enum dma_transfer_direction direction, unsigned long flags, void *context)
{
	struct sim_transfer *transfer;
	struct scatterlist *sg;
	unsigned int i;

	if (direction != DMA_DEV_TO_MEM || !count ||
	    sim_spend(&container_of(dma_of(chan), struct sim, dma)->faults.busy))
		return NULL;
	transfer = kvzalloc(struct_size(transfer, segments, count), GFP_KERNEL);
	if (!transfer)
		return NULL;
	for_each_sg(sgl, sg, count, i) {
		transfer->segments[i].address = sg_dma_address(sg);
		transfer->segments[i].bytes = sg_dma_len(sg);
		transfer->bytes += sg_dma_len(sg);
	}
	transfer->segment_count = count;
	dma_async_tx_descriptor_init(&transfer->tx, chan);
	transfer->tx.flags = flags;
	transfer->tx.tx_submit = submit;
	transfer->tx.metadata_ops = &metadata_ops;
	return &transfer->tx;
}

static void issue_pending(struct dma_chan *chan)
{
	struct sim_dma *dma = dma_of(chan);
	unsigned long flags;

	spin_lock_irqsave(&dma->lock, flags);
	list_splice_tail_init(&dma->submitted, &dma->issued);
	if (!dma->running)
		dma->epoch++;
	dma->running = true;
	spin_unlock_irqrestore(&dma->lock, flags);
	wake_up(&dma->wait);
}

static enum dma_status tx_status(struct dma_chan *chan, dma_cookie_t cookie,
				 struct dma_tx_state *state)
{
	struct sim_dma *dma = dma_of(chan);
	struct sim_transfer *transfer;
	enum dma_status status;
	unsigned long flags;
	u32 residue = 0;

	spin_lock_irqsave(&dma->lock, flags);
	status = dma_async_is_complete(cookie, dma->chan.completed_cookie, dma->chan.cookie);
	if (status != DMA_COMPLETE) {
		if (dma->active && dma->active->tx.cookie == cookie)
			residue = dma->active->bytes - READ_ONCE(dma->active->written);
		list_for_each_entry(transfer, &dma->issued, node)
			if (transfer->tx.cookie == cookie)
				residue = transfer->bytes;
	}
	if (state) {
		state->last = dma->chan.completed_cookie;
		state->used = dma->chan.cookie;
		state->residue = residue;
	}
	spin_unlock_irqrestore(&dma->lock, flags);
	return status;
}

static void drop_all(struct dma_chan *chan)
{
	struct sim_dma *dma = dma_of(chan);
	unsigned long flags;
	LIST_HEAD(list);

	spin_lock_irqsave(&dma->lock, flags);
	list_splice_tail_init(&dma->submitted, &list);
	list_splice_tail_init(&dma->issued, &list);
	if (dma->active)
		WRITE_ONCE(dma->active->cancelled, true);
	dma->running = false;
	spin_unlock_irqrestore(&dma->lock, flags);
	wake_up(&dma->wait);
	free_transfers(&list);
}

static int terminate_all(struct dma_chan *chan)
{
	struct sim *sim = container_of(dma_of(chan), struct sim, dma);

	if (sim_spend(&sim->faults.stuck))
		return -EBUSY;
	drop_all(chan);
	return 0;
}

static void synchronize(struct dma_chan *chan)
{
	struct sim_dma *dma = dma_of(chan);

	wait_event(dma->wait, !READ_ONCE(dma->active));
}

static void free_chan_resources(struct dma_chan *chan)
{
	drop_all(chan);
	synchronize(chan);
}

static void release_engine(struct dma_device *engine)
{
	/* part of struct sim, which outlives it */
}

int sim_dma_init(struct sim *sim, struct device *dev)
{
	struct sim_dma *dma = &sim->dma;
	struct dma_device *engine = &dma->engine;

	/* all but the wait queue, which a feed may be using */
	dma->engine = (struct dma_device){};
	dma->chan = (struct dma_chan){};
	dma->running = false;
	spin_lock_init(&dma->lock);
	INIT_LIST_HEAD(&dma->submitted);
	INIT_LIST_HEAD(&dma->issued);
	snprintf(dma->map_name, sizeof(dma->map_name), "lidar-ring.%d", sim->id);
	dma->map = (struct dma_slave_map){ dma->map_name, "rx", NULL };
	INIT_LIST_HEAD(&engine->channels);
	dma->chan.device = engine;
	dma->chan.cookie = DMA_MIN_COOKIE;
	dma->chan.completed_cookie = DMA_MIN_COOKIE;
	list_add_tail(&dma->chan.device_node, &engine->channels);
	dma_cap_set(DMA_SLAVE, engine->cap_mask);
	dma_cap_set(DMA_PRIVATE, engine->cap_mask);
	engine->dev = dev;
	engine->filter.map = &dma->map;
	engine->filter.mapcnt = 1;
	engine->directions = BIT(DMA_DEV_TO_MEM);
	engine->src_addr_widths = BIT(DMA_SLAVE_BUSWIDTH_8_BYTES);
	engine->dst_addr_widths = BIT(DMA_SLAVE_BUSWIDTH_8_BYTES);
	engine->residue_granularity = DMA_RESIDUE_GRANULARITY_BURST;
	engine->desc_metadata_modes = DESC_METADATA_ENGINE;
	engine->device_prep_slave_sg = prep_slave_sg;
	engine->device_issue_pending = issue_pending;
	engine->device_tx_status = tx_status;
	engine->device_terminate_all = terminate_all;
	if (!atomic_read(&sim->faults.no_synchronize))
		engine->device_synchronize = synchronize;
	engine->device_free_chan_resources = free_chan_resources;
	engine->device_release = release_engine;
	return dma_async_device_register(engine);
}

void sim_dma_deinit(struct sim *sim)
{
	dma_async_device_unregister(&sim->dma.engine);
}

/** Begin with the oldest transfer issued in this epoch. Return: NULL if there is none. */
struct sim_transfer *sim_dma_begin(struct sim_dma *dma, u32 epoch)
{
	struct sim_transfer *transfer = NULL;

	spin_lock_irq(&dma->lock);
	if (dma->running && dma->epoch == epoch)
		transfer = list_first_entry_or_null(&dma->issued, struct sim_transfer, node);
	if (transfer) {
		list_del_init(&transfer->node);
		WRITE_ONCE(dma->active, transfer);
	}
	spin_unlock_irq(&dma->lock);
	return transfer;
}

bool sim_dma_cancelled(const struct sim_dma *dma, const struct sim_transfer *transfer)
{
	return READ_ONCE(transfer->cancelled);
}

/**
 * sim_dma_end() - complete a transfer, as an interrupt would, and free it
 * @dma: its controller
 * @transfer: from sim_dma_begin()
 * @failed: the controller is to report an error
 */
void sim_dma_end(struct sim_dma *dma, struct sim_transfer *transfer, bool failed)
{
	struct dmaengine_result result = {
		.result = failed ? DMA_TRANS_WRITE_FAILED : DMA_TRANS_NOERROR,
		.residue = transfer->bytes - transfer->written,
	};
	bool cancelled;

	spin_lock_irq(&dma->lock);
	cancelled = transfer->cancelled;
	if (!cancelled)
		dma->chan.completed_cookie = transfer->tx.cookie;
	spin_unlock_irq(&dma->lock);
	if (!cancelled && transfer->tx.callback_result) {
		/* where callbacks of hardware come from: a tasklet, nothing may sleep */
		local_bh_disable();
		transfer->tx.callback_result(transfer->tx.callback_param, &result);
		local_bh_enable();
	}
	spin_lock_irq(&dma->lock);
	WRITE_ONCE(dma->active, NULL);
	spin_unlock_irq(&dma->lock);
	wake_up(&dma->wait);
	kvfree(transfer);
}

/* What the bus makes of an address. Return: NULL if there is no memory. */
static struct page *page_at(struct device *dev, dma_addr_t address)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	phys_addr_t phys;

	if (domain && domain->type != IOMMU_DOMAIN_IDENTITY)
		phys = iommu_iova_to_phys(domain, address);
	else
		phys = dma_to_phys(dev, address);
	return phys && pfn_valid(PHYS_PFN(phys)) ? pfn_to_page(PHYS_PFN(phys)) : NULL;
}

static int access_page(struct device *dev, dma_addr_t address, u32 at, u32 bytes,
		       int (*touch)(void *data, u32 at, u32 bytes, void *context), void *context)
{
	struct page *page = page_at(dev, address);
	void *data;
	int ret;

	if (!page)
		return -EFAULT;
	data = kmap_local_page(page);
	ret = touch(data + offset_in_page(address), at, bytes, context);
	kunmap_local(data);
	return ret;
}

/**
 * sim_dma_access() - go through a part of a transfer's memory, page by page
 * @dma: its controller
 * @transfer: active
 * @at: first byte
 * @bytes: at most those the transfer has from there
 * @touch: called for each piece, none across a page
 * @context: for @touch
 *
 * Return: 0, -EFAULT, or what @touch returned instead of 0.
 */
int sim_dma_access(struct sim_dma *dma, const struct sim_transfer *transfer, u32 at, u32 bytes,
		   int (*touch)(void *data, u32 at, u32 bytes, void *context), void *context)
{
	const struct sim_segment *segment = transfer->segments;
	const struct sim_segment *end = segment + transfer->segment_count;
	u32 segment_at = 0;

	while (segment != end && segment_at + segment->bytes <= at)
		segment_at += segment++->bytes;
	while (bytes && segment != end) {
		dma_addr_t address = segment->address + (at - segment_at);
		u32 piece = min_t(u32, bytes, PAGE_SIZE - offset_in_page(address));
		int ret;

		piece = min(piece, segment_at + segment->bytes - at);
		ret = access_page(dma->engine.dev, address, at, piece, touch, context);
		if (ret)
			return ret;
		at += piece;
		bytes -= piece;
		if (at == segment_at + segment->bytes)
			segment_at += segment++->bytes;
	}
	return 0;
}
