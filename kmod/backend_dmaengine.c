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
#include <linux/pm.h>
#include <linux/property.h>
#include <linux/slab.h>

#include "core.h"

/* struct channel - a channel and the slots it has, in the order of submission */
struct channel {
	struct dma_chan *chan;
	struct lidar_ring *ring;
	bool trailer;
	bool counts_bytes;	/* its residue is that of the data, not of whole descriptors */
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

/* Who takes a slot off the list answers it. Return: whether it was there. */
static bool take(struct channel *channel, struct lidar_ring_slot *slot)
{
	unsigned long flags;
	bool there;

	spin_lock_irqsave(&channel->lock, flags);
	there = !list_empty(&slot->list);
	list_del_init(&slot->list);
	spin_unlock_irqrestore(&channel->lock, flags);
	return there;
}

static void transfer_done(void *param, const struct dmaengine_result *dma_result)
{
	struct lidar_ring_slot *slot = param;
	struct channel *channel = lidar_ring_backend(slot->ring);
	struct lidar_ring_result result = { .done_ns = ktime_get_ns(), .bytes = slot->bytes };

	if (dma_result && dma_result->result == DMA_TRANS_NOERROR) {
		result.bytes -= min(dma_result->residue, slot->bytes);
	} else if (dma_result) {
		/* the residue of what failed means nothing */
		result.error = dma_result->result == DMA_TRANS_ABORTED ? -ECANCELED : -EIO;
		result.bytes = 0;
	}
	if (channel->trailer && !result.error)
		result.trailer = get_trailer(slot->backend);
	if (take(channel, slot))
		lidar_ring_slot_done(slot, &result);
}

static int channel_submit(struct lidar_ring *ring, struct lidar_ring_slot *slot)
{
	struct channel *channel = lidar_ring_backend(ring);
	struct dma_async_tx_descriptor *tx;

	tx = dmaengine_prep_slave_sg(channel->chan, slot->sgt.sgl, slot->sgt.nents,
				     DMA_DEV_TO_MEM, DMA_PREP_INTERRUPT | DMA_CTRL_ACK);
	/* no room or no memory: the core knows whether a slot is still to come back */
	if (!tx)
		return -EAGAIN;
	tx->callback_result = transfer_done;
	tx->callback_param = slot;
	slot->backend = tx;
	spin_lock_irq(&channel->lock);
	list_add_tail(&slot->list, &channel->slots);
	spin_unlock_irq(&channel->lock);
	if (dma_submit_error(dmaengine_submit(tx))) {
		take(channel, slot);
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

	if (!channel->counts_bytes)
		return 0;
	dmaengine_tx_status(channel->chan, tx->cookie, &state);
	return slot->bytes - min(state.residue, slot->bytes);
}

static struct lidar_ring_slot *first_slot(struct channel *channel)
{
	return list_first_entry_or_null(&channel->slots, struct lidar_ring_slot, list);
}

/* Answer what no callback has, or ever will. */
static void cancel_slots(struct channel *channel, const struct lidar_ring_slot *begun, u32 bytes)
{
	struct lidar_ring_slot *slot;

	spin_lock_irq(&channel->lock);
	while ((slot = first_slot(channel))) {
		struct lidar_ring_result result = {
			.error = -ECANCELED,
			.bytes = slot == begun ? bytes : 0,
			.done_ns = ktime_get_ns(),
		};

		list_del_init(&slot->list);
		lidar_ring_slot_done(slot, &result);
	}
	spin_unlock_irq(&channel->lock);
}

static int channel_abort(struct lidar_ring *ring)
{
	struct channel *channel = lidar_ring_backend(ring);
	struct lidar_ring_slot *begun;
	u32 bytes = 0;
	int err;

	/* as long as it is in the list its descriptor is there */
	spin_lock_irq(&channel->lock);
	begun = first_slot(channel);
	if (begun)
		bytes = bytes_begun(channel, begun);
	spin_unlock_irq(&channel->lock);
	err = dmaengine_terminate_sync(channel->chan);
	/* it writes on, and calls back when it likes */
	if (err)
		return err;
	cancel_slots(channel, begun, bytes);
	return 0;
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
	if (!dma_get_slave_caps(channel->chan, &caps)) {
		config->max_segments = caps.max_sg_burst;
		channel->counts_bytes =
			caps.residue_granularity != DMA_RESIDUE_GRANULARITY_DESCRIPTOR;
	}
	channel->trailer = device_property_read_bool(dev, "lidard,trailer") &&
			   dmaengine_is_metadata_mode_supported(channel->chan,
								DESC_METADATA_ENGINE);
	if (channel->trailer)
		config->features = LIDAR_RING_FEATURE_FRAMES | LIDAR_RING_FEATURE_FIRST_NS |
				   LIDAR_RING_FEATURE_DEVICE_SEQ;
}

/*
 * Memory is given back after terminate and synchronize, so what they promise must
 * be kept.  dmaengine makes nothing of it where a controller has none.
 */
static bool can_be_stopped(const struct dma_chan *chan)
{
	return chan->device->device_terminate_all && chan->device->device_synchronize;
}

static int request_channel(struct device *dev, struct dma_chan **ret_chan)
{
	struct dma_chan *chan = dma_request_chan(dev, "rx");

	if (IS_ERR(chan))
		return dev_err_probe(dev, PTR_ERR(chan), "no channel rx\n");
	if (!can_be_stopped(chan)) {
		dev_err(dev, "%s cannot tell when it has stopped (no terminate or no synchronize): not used\n",
			dev_name(chan->device->dev));
		dma_release_channel(chan);
		return -EOPNOTSUPP;
	}
	*ret_chan = chan;
	return 0;
}

static int channel_probe(struct platform_device *pdev)
{
	struct lidar_ring_config config = { .parent = &pdev->dev, .ops = &channel_ops };
	/* not the device's: see channel_remove() */
	struct channel *channel = kzalloc(sizeof(*channel), GFP_KERNEL);
	int ret;

	if (!channel)
		return -ENOMEM;
	spin_lock_init(&channel->lock);
	INIT_LIST_HEAD(&channel->slots);
	ret = request_channel(&pdev->dev, &channel->chan);
	if (ret)
		goto free;
	describe(channel, &pdev->dev, &config);
	config.dma_dev = dmaengine_get_dma_device(channel->chan);
	config.backend = channel;
	platform_set_drvdata(pdev, channel);
	channel->ring = lidar_ring_add(&config);
	if (IS_ERR(channel->ring)) {
		ret = PTR_ERR(channel->ring);
		goto release;
	}
	return 0;

release:
	dma_release_channel(channel->chan);
free:
	kfree(channel);
	return ret;
}

static int channel_remove(struct platform_device *pdev)
{
	struct channel *channel = platform_get_drvdata(pdev);

	/* it does not stop: what transfer_done() needs stays, and so does the channel's driver */
	if (lidar_ring_remove(channel->ring))
		return 0;
	dma_release_channel(channel->chan);
	kfree(channel);
	return 0;
}

/* Fails, and the machine stays awake, if there is DMA that does not stop. */
static int channel_suspend(struct device *dev)
{
	struct channel *channel = dev_get_drvdata(dev);

	return lidar_ring_suspend(channel->ring);
}

static int channel_resume(struct device *dev)
{
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(channel_pm, channel_suspend, channel_resume);

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
		.pm = pm_sleep_ptr(&channel_pm),
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
