/* SPDX-License-Identifier: GPL-2.0 */
/*
 * core.h - what the files of lidar_ring's core share
 *
 * device.c	the device, its file operations, unplug
 * ioctl.c	the calls
 * stream.c	slots on their way from the user to the device and back
 * describe.c	what the device says of a slice, and the losses before it
 * control.c	the control page
 * memory.c	slots' memory of either kind; memory_user.c pins the user's
 * export.c	files and dma-bufs of the data area
 *
 * Locks, outermost first:
 *
 *	ring->read_lock		one read() at a time
 *	ring->lock		everything not named otherwise; held over the
 *				backend's submit() and abort()
 *	mmap_lock		taken by whoever makes a page fault, and held as
 *				long as that takes: never within ring->lock; mmap()
 *				takes none of ours
 *	ring->done_lock		slots that came back from the device (irq-safe)
 *
 * What mmap() and poll() look at without a lock (control, memory) is set by the
 * owner's SETUP before it becomes the owner, and cleared by the owner's
 * release(), which cannot run as long as one of the two does on the same file.
 */
#ifndef LIDAR_RING_CORE_H
#define LIDAR_RING_CORE_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "lidar_ring.h"
#include "ring.h"

/** Errors in a row after which the device is taken for broken. */
#define LIDAR_ERRORS_MAX 64
/** Likewise, times that a device with nothing to do took no slot, and how long after each. */
#define LIDAR_REFUSALS_MAX 100
#define LIDAR_RETRY_MS 1

/**
 * struct lidar_slot - a slot, with what the core knows of it
 * @pub: as the backend sees it
 * @pages: its memory
 * @node: in the ring's queued or done list
 * @state: enum lidar_ring_slot_state; the control page has a copy
 * @left_dry: the device had no other slot, for all we know, when this one came back
 * @result: from the backend, under done_lock until the worker has it
 * @trailer: copy of the device's, if result.trailer
 * @desc: of what is in it, when FULL or HELD
 */
struct lidar_slot {
	struct lidar_ring_slot pub;
	struct page **pages;
	struct list_head node;
	u8 state;
	bool left_dry;
	struct lidar_ring_result result;
	struct lidar_ring_trailer trailer;
	struct lidar_ring_desc desc;
};

/**
 * struct lidar_memory - the slots and their pages
 * @ref: by the ring, by each export
 * @kind: enum lidar_ring_memory
 * @slots: as many as @slot_count
 * @slot_bytes: of each
 * @first: offset of slot 0
 * @stride: from slot to slot
 * @pages: of all slots, one after the other; NULL until there are any
 * @page_count: of @pages that are there, pinned or allocated
 * @ring: whose memory it is, or was
 * @mm: USER: of the owner
 * @registering: USER: under ring->lock: the pages are being pinned, without it
 * @mm_dead: USER: the owner's address space has ended, under ring->lock
 * @notifier: USER: tells of that; registered while @mm
 */
struct lidar_memory {
	struct kref ref;
	u32 kind;
	u32 slot_count;
	u64 slot_bytes;
	u64 first;
	u64 stride;
	struct lidar_slot *slots;
	struct page **pages;
	unsigned long page_count;
	struct lidar_ring *ring;
	struct mm_struct *mm;
	bool registering;
	bool mm_dead;
	struct mmu_notifier notifier;
};

/**
 * struct lidar_control - the control page
 * @page: the whole, shared with the user and hostile; NULL: none
 * @layout: where what is
 * @fill_consumer: the kernel's own copies of indices it has written...
 * @ready_producer:
 * @ready_consumer: ...and of the last one of the user's that was possible
 * @last_fill: the user's index seen last, so that one that is impossible is counted once
 * @last_ready: likewise
 * @ready_slots: which slot each entry of the ready ring names
 */
struct lidar_control {
	void *page;
	struct lidar_ring_layout layout;
	u32 fill_consumer;
	u32 ready_producer;
	u32 ready_consumer;
	u32 last_fill;
	u32 last_ready;
	u32 *ready_slots;
};

struct lidar_ring {
	struct device dev;
	struct cdev cdev;
	int id;
	struct lidar_ring_config config;
	char name[LIDAR_RING_NAME_BYTES];
	char serial[LIDAR_RING_NAME_BYTES];

	struct mutex read_lock;
	struct lidar_slot *read_slot;	/* under read_lock: read() is in the middle of it */
	u32 read_at;

	struct mutex lock;
	bool gone;
	u32 state;
	struct file *owner;
	struct pid *owner_pid;
	struct lidar_memory *memory;
	struct lidar_control control;
	struct lidar_ring_stats stats;
	wait_queue_head_t wait;

	/* streaming, all under lock */
	struct list_head queued;	/* QUEUED slots, in the order to submit them */
	u32 busy;			/* slots QUEUED or FILLING */
	bool stopping;
	bool runaway;			/* abort() has failed: the device may write to FILLING slots */
	bool need_wakeup;
	u64 *refuse;			/* completed slices are not delivered but counted here */
	u64 next_seq;
	u64 seq_base;
	bool seq_based;
	u64 no_slot_told;		/* lost_no_slot in the device's last trailer */
	u64 counted;			/* slices since the last one that are counted as lost already */
	bool dry;			/* the device has had no slot since the last slice */
	u32 errors;			/* in a row */
	u32 refusals;			/* in a row, while the device had no slot */
	struct delayed_work retry;
	bool failed;			/* since the start, says the backend; without lock */
	u64 clock_ticks;		/* device clock and its time at the last slice */
	u64 clock_ns;
	u32 lease_ms;
	unsigned long lease_start;	/* jiffies of the owner's last call */
	struct delayed_work lease;

	spinlock_t done_lock;
	struct list_head done;
	int at_device;			/* under done_lock: slots FILLING, see submit_slot() */
	struct work_struct work;
};

static inline struct lidar_slot *lidar_slot_of(struct lidar_ring_slot *pub)
{
	return container_of(pub, struct lidar_slot, pub);
}

static inline bool lidar_ring_gone(const struct lidar_ring *ring)
{
	return READ_ONCE(ring->gone);
}

/* device.c */
extern struct workqueue_struct *lidar_workqueue;

/* sysfs.c */
extern const struct attribute_group *lidar_attribute_groups[];

/* ioctl.c */
long lidar_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int lidar_get_frame(struct file *file, s64 timeout_ns, struct lidar_slot **ret_slot);
int lidar_check_owner(struct lidar_ring *ring, struct file *file);
struct lidar_memory *lidar_forget_owner(struct lidar_ring *ring);

/* stream.c */
int lidar_stream_start(struct lidar_ring *ring, u32 flags, u32 lease_ms);
int lidar_stream_stop(struct lidar_ring *ring, u32 state);
int lidar_stream_halt(struct lidar_ring *ring, u64 *refuse);
void lidar_stream_renew(struct lidar_ring *ring);
void lidar_stream_service(struct lidar_ring *ring);
void lidar_stream_work(struct work_struct *work);
void lidar_stream_retry(struct work_struct *work);
void lidar_stream_lease(struct work_struct *work);
struct lidar_slot *lidar_stream_take(struct lidar_ring *ring);
int lidar_stream_give(struct lidar_ring *ring, struct lidar_slot *slot);

/* describe.c */
void lidar_start_counting(struct lidar_ring *ring);
void lidar_count_lost(struct lidar_ring *ring, u64 *counter, u64 count);
void lidar_count_delivered(struct lidar_ring *ring, const struct lidar_ring_desc *desc);
void lidar_describe(struct lidar_ring *ring, struct lidar_slot *slot);

/* control.c */
int lidar_control_init(struct lidar_control *control, const struct lidar_memory *memory);
void lidar_control_deinit(struct lidar_control *control);
int lidar_control_mmap(const struct lidar_control *control, struct vm_area_struct *vma);
bool lidar_control_readable(const struct lidar_control *control);
bool lidar_control_pending(const struct lidar_control *control);
bool lidar_control_set_wakeup(struct lidar_control *control, bool on);
void lidar_control_set_state(struct lidar_control *control, u32 slot, u8 state);
u32 lidar_control_fill_count(struct lidar_control *control, u64 *bad_index);
u64 lidar_control_fill_pop(struct lidar_control *control);
u32 lidar_control_taken_count(struct lidar_control *control, u64 *bad_index);
u32 lidar_control_taken_pop(struct lidar_control *control);
void lidar_control_tell_taken(struct lidar_control *control);
bool lidar_control_publish(struct lidar_control *control, u32 slot,
			   const struct lidar_ring_desc *desc);

/* memory.c */
struct lidar_memory *lidar_memory_new(struct lidar_ring *ring,
				      const struct lidar_ring_setup *setup);
void lidar_memory_get(struct lidar_memory *memory);
void lidar_memory_put(struct lidar_memory *memory);
void lidar_memory_close(struct lidar_memory *memory);
int lidar_memory_map(struct lidar_memory *memory);
void lidar_memory_unmap(struct lidar_memory *memory);
struct lidar_slot *lidar_memory_slot_at(struct lidar_memory *memory, u64 offset);
int lidar_memory_table(struct page **pages, unsigned long count, struct device *dev,
		       struct sg_table *sgt);
int lidar_memory_mmap(struct page **pages, unsigned long page_count, struct vm_area_struct *vma);

/* memory_user.c */
int lidar_memory_register(struct lidar_memory *memory, const struct lidar_ring_register *reg);
void lidar_memory_unregister(struct lidar_memory *memory);
void lidar_memory_unpin(struct lidar_memory *memory);

/* export.c */
struct file *lidar_export(struct lidar_memory *memory, u32 kind, const struct lidar_slot *slot);

/* backends: registered by device.c */
int lidar_ring_dmaengine_register(void);
void lidar_ring_dmaengine_unregister(void);
#if IS_ENABLED(CONFIG_VIRTIO)
int lidar_ring_virtio_register(void);
void lidar_ring_virtio_unregister(void);
#else
static inline int lidar_ring_virtio_register(void)
{
	return 0;
}

static inline void lidar_ring_virtio_unregister(void)
{
}
#endif

#endif /* LIDAR_RING_CORE_H */
