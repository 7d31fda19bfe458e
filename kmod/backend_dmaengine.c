// SPDX-License-Identifier: GPL-2.0
/*
 * backend_dmaengine.c - slots filled by any dmaengine slave channel
 *
 * What an FPGA's or SoC's DMA offers: a platform device with a channel "rx".
 * One descriptor a slot; the residue says how much was written.  A plain channel
 * tells nothing else, so frame and first byte's time are not valid then.  A
 * device that describes its data ("lidard,trailer") has struct
 * lidar_ring_trailer as the descriptor's metadata.
 *
 * Properties, all optional:
 *	lidard,model		string, for INFO
 *	lidard,serial		string
 *	lidard,format		"packets" or "points"
 *	lidard,clock-hz		u64: rate of the device clock
 *	lidard,trailer		the metadata is a trailer
 */
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/ktime.h>
#include <linux/mod_devicetable.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/slab.h>

#include "core.h"

/* struct channel - a channel and the slots it has, in the order of submission */
struct channel {
	struct dma_chan *chan;
	struct lidar_ring *ring;
	bool trailer;
	spinlock_t lock;
	struct list_head slots;
};

static const struct lidar_ring_trailer *get_trailer(struct dma_async_tx_descriptor *tx)
{
	size_t payload, max;
	void *trailer = dmaengine_desc_get_metadata_ptr(tx, &payload, &max);

	if (IS_ERR_OR_NULL(trailer) || payload < sizeof(struct lidar_ring_trailer))
		return NULL;
	return trailer;
}

static void transfer_done(void *param, const struct dmaengine_result *dma_result)
{
	struct lidar_ring_slot *slot = param;
	struct channel *channel = lidar_ring_backend(slot->ring);
	struct lidar_ring_result result = { .done_ns = ktime_get_ns(), .bytes = slot->bytes };
	unsigned long flags;

	if (dma_result) {
		result.bytes -= min(dma_result->residue, slot->bytes);
		if (dma_result->result == DMA_TRANS_ABORTED)
			result.error = -ECANCELED;
		else if (dma_result->result != DMA_TRANS_NOERROR)
			result.error = -EIO;
	}
	if (channel->trailer && !result.error)
		result.trailer = get_trailer(slot->backend);
	spin_lock_irqsave(&channel->lock, flags);
	list_del_init(&slot->list);
	spin_unlock_irqrestore(&channel->lock, flags);
	lidar_ring_slot_done(slot, &result);
}

static int channel_submit(struct lidar_ring *ring, struct lidar_ring_slot *slot)
{
	struct channel *channel = lidar_ring_backend(ring);
	struct dma_async_tx_descriptor *tx;
	bool busy;

	spin_lock_irq(&channel->lock);
	busy = !list_empty(&channel->slots);
	spin_unlock_irq(&channel->lock);
	tx = dmaengine_prep_slave_sg(channel->chan, slot->sgt.sgl, slot->sgt.nents,
				     DMA_DEV_TO_MEM, DMA_PREP_INTERRUPT | DMA_CTRL_ACK);
	if (!tx)
		return busy ? -EAGAIN : -EIO;
	tx->callback_result = transfer_done;
	tx->callback_param = slot;
	slot->backend = tx;
	spin_lock_irq(&channel->lock);
	list_add_tail(&slot->list, &channel->slots);
	spin_unlock_irq(&channel->lock);
	if (dma_submit_error(dmaengine_submit(tx))) {
		spin_lock_irq(&channel->lock);
		list_del_init(&slot->list);
		spin_unlock_irq(&channel->lock);
		return -EIO;
	}
	dma_async_issue_pending(channel->chan);
	return 0;
}

/* How much is in a slot that the channel has begun with; 0 if it cannot tell. */
static u32 bytes_begun(struct channel *channel, struct lidar_ring_slot *slot)
{
	struct dma_async_tx_descriptor *tx = slot->backend;
	struct dma_tx_state state = { .residue = slot->bytes };

	dmaengine_tx_status(channel->chan, tx->cookie, &state);
	return slot->bytes - min(state.residue, slot->bytes);
}

static void channel_abort(struct lidar_ring *ring)
{
	struct channel *channel = lidar_ring_backend(ring);
	struct lidar_ring_slot *first, *slot, *next;
	u32 begun = 0;
	LIST_HEAD(slots);

	spin_lock_irq(&channel->lock);
	first = list_first_entry_or_null(&channel->slots, struct lidar_ring_slot, list);
	if (first)
		begun = bytes_begun(channel, first);
	spin_unlock_irq(&channel->lock);
	dmaengine_terminate_sync(channel->chan);
	/* no callback runs any more: what it has not answered is ours to */
	list_splice_init(&channel->slots, &slots);
	list_for_each_entry_safe(slot, next, &slots, list) {
		struct lidar_ring_result result = {
			.error = -ECANCELED,
			.bytes = slot == first ? begun : 0,
			.done_ns = ktime_get_ns(),
		};

		list_del_init(&slot->list);
		lidar_ring_slot_done(slot, &result);
	}
}

static const struct lidar_ring_backend_ops channel_ops = {
	.submit = channel_submit,
	.abort = channel_abort,
};

static u32 get_format(struct device *dev)
{
	const char *format = "";

	device_property_read_string(dev, "lidard,format", &format);
	if (!strcmp(format, "packets"))
		return LIDAR_RING_FORMAT_PACKETS;
	if (!strcmp(format, "points"))
		return LIDAR_RING_FORMAT_XYZIRT;
	return LIDAR_RING_FORMAT_UNKNOWN;
}

static void describe(struct channel *channel, struct device *dev,
		     struct lidar_ring_config *config)
{
	struct dma_slave_caps caps = {};

	config->name = dev_name(dev);
	config->serial = "";
	device_property_read_string(dev, "lidard,model", &config->name);
	device_property_read_string(dev, "lidard,serial", &config->serial);
	device_property_read_u64(dev, "lidard,clock-hz", &config->device_clock_hz);
	config->format = get_format(dev);
	if (!dma_get_slave_caps(channel->chan, &caps))
		config->max_segments = caps.max_sg_burst;
	channel->trailer = device_property_read_bool(dev, "lidard,trailer") &&
			   dmaengine_is_metadata_mode_supported(channel->chan,
								DESC_METADATA_ENGINE);
	if (channel->trailer)
		config->features = LIDAR_RING_FEATURE_FRAMES | LIDAR_RING_FEATURE_FIRST_NS |
				   LIDAR_RING_FEATURE_DEVICE_SEQ;
}

static int channel_probe(struct platform_device *pdev)
{
	struct lidar_ring_config config = { .parent = &pdev->dev, .ops = &channel_ops };
	struct channel *channel = devm_kzalloc(&pdev->dev, sizeof(*channel), GFP_KERNEL);
	int ret;

	if (!channel)
		return -ENOMEM;
	spin_lock_init(&channel->lock);
	INIT_LIST_HEAD(&channel->slots);
	channel->chan = dma_request_chan(&pdev->dev, "rx");
	if (IS_ERR(channel->chan))
		return dev_err_probe(&pdev->dev, PTR_ERR(channel->chan), "no channel rx\n");
	describe(channel, &pdev->dev, &config);
	config.dma_dev = dmaengine_get_dma_device(channel->chan);
	config.backend = channel;
	platform_set_drvdata(pdev, channel);
	channel->ring = lidar_ring_add(&config);
	if (IS_ERR(channel->ring)) {
		ret = PTR_ERR(channel->ring);
		dma_release_channel(channel->chan);
		return ret;
	}
	return 0;
}

static int channel_remove(struct platform_device *pdev)
{
	struct channel *channel = platform_get_drvdata(pdev);

	lidar_ring_remove(channel->ring);
	dma_release_channel(channel->chan);
	return 0;
}

static const struct platform_device_id channel_ids[] = {
	{ .name = "lidar-ring" },
	{}
};
MODULE_DEVICE_TABLE(platform, channel_ids);

static const struct of_device_id channel_of_ids[] = {
	{ .compatible = "lidard,lidar-ring" },
	{}
};
MODULE_DEVICE_TABLE(of, channel_of_ids);

static struct platform_driver channel_driver = {
	.driver = {
		.name = "lidar-ring",
		.of_match_table = channel_of_ids,
	},
	.id_table = channel_ids,
	.probe = channel_probe,
	.remove = channel_remove,
};

int lidar_ring_dmaengine_register(void)
{
	return platform_driver_register(&channel_driver);
}

void lidar_ring_dmaengine_unregister(void)
{
	platform_driver_unregister(&channel_driver);
}
