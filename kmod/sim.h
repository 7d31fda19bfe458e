/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sim.h - what the files of lidar_sim share
 *
 * sim.c	configfs: instances and their attributes; life and unplug
 * sim_dma.c	the DMA controller: descriptors, cookies, terminate
 * sim_device.c	the LIDAR: when a slice is due and what is in it
 * sim_feed.c	slices from user space
 *
 * An instance that is live has two platform devices: lidar-sim-dma.N, bound to
 * this module's driver, and lidar-ring.N, bound to lidar_ring's as any consumer
 * of a DMA channel is.  Nothing passes between the two modules but dmaengine.
 */
#ifndef LIDAR_SIM_H
#define LIDAR_SIM_H

#include <linux/atomic.h>
#include <linux/configfs.h>
#include <linux/dmaengine.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "lidar_ring.h"

#define SIM_CLOCK_HZ 10000000ULL
#define SIM_NS_PER_TICK (NSEC_PER_SEC / SIM_CLOCK_HZ)
#define SIM_NAME_BYTES 24

enum sim_pattern { SIM_PATTERN_NONE, SIM_PATTERN_WORDS, SIM_PATTERN_FULL };
enum sim_format { SIM_FORMAT_POINTS, SIM_FORMAT_PACKETS };
enum sim_source { SIM_SOURCE_PATTERN, SIM_SOURCE_FEED };

/**
 * struct sim_settings - how the LIDAR behaves; fixed while it is live, but for the rate
 * @rate_bytes_per_s: 0: as fast as there are slots
 * @slice_bytes: of a slice
 * @slices_per_frame: in a revolution
 * @pattern: enum sim_pattern
 * @crc: each slice has one
 * @format: enum sim_format, what INFO says
 * @source: enum sim_source
 */
struct sim_settings {
	u64 rate_bytes_per_s;
	u32 slice_bytes;
	u32 slices_per_frame;
	u32 pattern;
	bool crc;
	u32 format;
	u32 source;
};

/**
 * struct sim_faults - what is to go wrong; any time
 * @drop: so many next slices are lost in the device
 * @shorten: so many next slices are half as long
 * @empty: so many next slices have no bytes at all
 * @corrupt: in so many next slices a byte is wrong
 * @fail: so many next slices end with an error of the DMA
 * @stall_ms: the device produces nothing for so long, once
 * @late_irq_us: each completion comes so late
 * @busy: so many next times the controller takes no transfer
 * @stuck: so many next stops of the controller fail, and it goes on
 * @no_synchronize: a controller plugged in from now on cannot tell when it has stopped
 * @clock_offset: ticks that the device's clock is ahead
 */
struct sim_faults {
	atomic_t drop;
	atomic_t shorten;
	atomic_t empty;
	atomic_t corrupt;
	atomic_t fail;
	atomic_t stall_ms;
	atomic_t late_irq_us;
	atomic_t busy;
	atomic_t stuck;
	atomic_t no_synchronize;
	atomic64_t clock_offset;
};

/* struct sim_segment - a piece of a slot: a bus address, nothing else */
struct sim_segment {
	dma_addr_t address;
	u32 bytes;
};

/**
 * struct sim_transfer - a descriptor of the DMA controller
 * @tx: what dmaengine sees
 * @node: in one of the controller's lists
 * @bytes: of all segments
 * @written: so far
 * @cancelled: by terminate, while it is being written
 * @trailer: the descriptor's metadata
 * @segment_count: of @segments
 * @segments: where the data goes
 */
struct sim_transfer {
	struct dma_async_tx_descriptor tx;
	struct list_head node;
	u32 bytes;
	u32 written;
	bool cancelled;
	struct lidar_ring_trailer trailer;
	u32 segment_count;
	struct sim_segment segments[];
};

/**
 * struct sim_dma - the DMA controller of an instance, one channel
 * @engine: what dmaengine sees
 * @chan: likewise
 * @map: whose "rx" it is
 * @map_name: for @map
 * @lock: guards what follows
 * @submitted: transfers with a cookie, not issued yet
 * @issued: transfers that data may go to, oldest first
 * @active: being written, or in its callback
 * @running: something was issued since the last terminate
 * @epoch: counts the starts
 * @wait: for @issued, @active, @running to change
 */
struct sim_dma {
	struct dma_device engine;
	struct dma_chan chan;
	struct dma_slave_map map;
	char map_name[SIM_NAME_BYTES];
	spinlock_t lock;
	struct list_head submitted;
	struct list_head issued;
	struct sim_transfer *active;
	bool running;
	u32 epoch;
	wait_queue_head_t wait;
};

/* struct sim_fed - a slice from user space */
struct sim_fed {
	struct list_head node;
	u32 bytes;
	u8 data[];
};

/**
 * struct sim_feed - /dev/lidar_sim_NAME
 * @ref: by the instance, by each open file
 * @misc: the device
 * @name: its name
 * @slice_bytes: longest slice
 * @lock: guards the rest
 * @slices: waiting, oldest first
 * @count: of them
 * @reader: where the instance waits for slices; NULL: it is not live any more
 * @wait: for room, or for the end
 */
struct sim_feed {
	struct kref ref;
	struct miscdevice misc;
	char name[SIM_NAME_BYTES + 16];
	u32 slice_bytes;
	spinlock_t lock;
	struct list_head slices;
	u32 count;
	wait_queue_head_t *reader;
	wait_queue_head_t wait;
};

/**
 * struct sim - an instance
 * @group: its directory in configfs
 * @lock: guards life and settings
 * @settings: see there
 * @faults: see there
 * @id: N of its platform devices
 * @controller: platform device; NULL: not live
 * @consumer: platform device of lidar_ring; NULL: unplugged, or not live
 * @dma: of the controller
 * @feed: if it is fed
 * @thread: the LIDAR itself
 * @produced: slices since it is live, lost ones included
 * @lost: of these, for want of a slot or by @faults.drop
 */
struct sim {
	struct config_group group;
	struct mutex lock;
	struct sim_settings settings;
	struct sim_faults faults;
	int id;
	struct platform_device *controller;
	struct platform_device *consumer;
	struct sim_dma dma;
	struct sim_feed *feed;
	struct task_struct *thread;
	u64 produced;
	u64 lost;
};

/* sim_dma.c */
int sim_dma_init(struct sim *sim, struct device *dev);
void sim_dma_deinit(struct sim *sim);
struct sim_transfer *sim_dma_begin(struct sim_dma *dma, u32 epoch);
bool sim_dma_cancelled(const struct sim_dma *dma, const struct sim_transfer *transfer);
void sim_dma_end(struct sim_dma *dma, struct sim_transfer *transfer, bool failed);
int sim_dma_access(struct sim_dma *dma, const struct sim_transfer *transfer, u32 at, u32 bytes,
		   int (*touch)(void *data, u32 at, u32 bytes, void *context), void *context);

/* One of so many that are to go wrong. Return: whether there was one left. */
static inline bool sim_spend(atomic_t *fault)
{
	return atomic_dec_if_positive(fault) >= 0;
}

/* sim_device.c */
int sim_device_thread(void *context);

/* sim_feed.c */
struct sim_feed *sim_feed_new(const char *name, u32 slice_bytes, wait_queue_head_t *reader);
void sim_feed_free(struct sim_feed *feed);
struct sim_fed *sim_feed_get(struct sim_feed *feed);

#endif /* LIDAR_SIM_H */
