/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * lidar_ring.h - a LIDAR that writes point clouds into a ring of slots
 *
 * The contract between the kernel module lidar_ring and whoever streams from
 * /dev/lidarN.  A slot is a buffer of fixed size that the device fills by DMA.
 * At any time it has one owner:
 *
 *	FREE (user) -> QUEUED (kernel) -> FILLING (device) -> FULL (kernel)
 *	     ^            ^                                       |
 *	     |            +------------- HELD (user) <------------+
 *	     +--- STOP: QUEUED and FILLING slots come back FREE
 *
 * The kernel and the device write a slot only while it is FILLING, and nothing
 * but the control page otherwise.
 *
 * Two rings in the control page, each with one producer and one consumer, pass
 * slots to and fro without a system call.  The fill ring carries offsets of
 * slots from the user to the kernel, the ready ring descriptors of filled
 * slots from the kernel to the user.  Indices are u32, run freely and wrap;
 * entry i of a ring lies at i & (entries - 1).  Whoever produces writes the
 * entry, then stores the producer index with release semantics; whoever
 * consumes loads it with acquire semantics, reads the entry, then stores the
 * consumer index with release semantics, which whoever produces loads with
 * acquire semantics before it overwrites an entry.  The kernel loads
 * ready_consumer after fill_producer: who gives a slot back has consumed its
 * descriptor before.  The kernel checks every index and offset it reads from
 * the page, and keeps its own copy of what it needs.
 *
 * The kernel looks at the fill ring whenever the device finishes a slot.  Once
 * it has nothing queued at all it sets LIDAR_RING_NEED_WAKEUP in fill_flags:
 * after its store to fill_producer the user executes a full barrier, loads
 * fill_flags and, if the bit is set, calls LIDAR_RING_IOC_KICK.  (The kernel
 * sets the bit, executes a full barrier and looks at fill_producer once more:
 * one of the two sees the other's store.)  A device that holds a single slot
 * has none while that one is on its way to the user and back: whoever wants no
 * gap then kicks after filling, or keeps two slots queued.
 *
 * Structures are the same for 32 and 64 bit callers.  Padding and reserved
 * members must be zero on input, else -EINVAL, and are zero on output.  What
 * is unknown is refused with -ENOTTY (calls) or -EINVAL (values, flags).  New
 * abilities come as new calls and bits of lidar_ring_info.features.
 *
 * Times are CLOCK_MONOTONIC nanoseconds unless the name says otherwise.
 */
#ifndef _UAPI_LIDAR_RING_H
#define _UAPI_LIDAR_RING_H

#include <linux/ioctl.h>
#include <linux/types.h>

/** Bytes of a name, its terminating NUL included. */
#define LIDAR_RING_NAME_BYTES 32
/** Most slots of a ring. */
#define LIDAR_RING_SLOTS_MAX 4096
/** Slots begin and end on multiples of this many bytes... */
#define LIDAR_RING_SLOT_ALIGN 4096
/** ...and are no larger than this. A device may be able to fill less: see struct lidar_ring_info. */
#define LIDAR_RING_SLOT_BYTES_MAX (64 << 20)

/** enum lidar_ring_memory - whose memory the slots are */
enum lidar_ring_memory {
	/** Allocated by the kernel, mapped read-only at data_offset. */
	LIDAR_RING_MEMORY_KERNEL = 1,
	/** Of the caller: LIDAR_RING_IOC_REGISTER. */
	LIDAR_RING_MEMORY_USER = 2,
};

/** enum lidar_ring_state - what the ring is doing */
enum lidar_ring_state {
	/** No memory yet. */
	LIDAR_RING_IDLE = 0,
	/** LIDAR_RING_IOC_SETUP done (USER memory: not yet registered). */
	LIDAR_RING_CONFIGURED = 1,
	/** Memory is there; the device does not run. */
	LIDAR_RING_STOPPED = 2,
	LIDAR_RING_STREAMING = 3,
	/**
	 * Stopped by the kernel: the owner's lease ran out, its memory is gone,
	 * the device fails again and again, or the machine was to sleep. poll()
	 * says POLLPRI, every call that streams -EPIPE. STOP leads to STOPPED.
	 */
	LIDAR_RING_HALTED = 4,
	/** The device was unplugged. Every call fails with -ENODEV. */
	LIDAR_RING_GONE = 5,
};

/** enum lidar_ring_slot_state - who owns a slot; one byte for each in the control page */
enum lidar_ring_slot_state {
	LIDAR_RING_SLOT_FREE = 0,
	LIDAR_RING_SLOT_QUEUED = 1,
	LIDAR_RING_SLOT_FILLING = 2,
	LIDAR_RING_SLOT_FULL = 3,
	/**
	 * The user has consumed its descriptor. The kernel learns of this when
	 * it next looks at the ready ring's consumer index.
	 */
	LIDAR_RING_SLOT_HELD = 4,
};

/** Bits of lidar_ring_info.features. */
#define LIDAR_RING_FEATURE_KERNEL_MEMORY (1ULL << 0)
#define LIDAR_RING_FEATURE_USER_MEMORY (1ULL << 1)
/** LIDAR_RING_EXPORT_DMABUF_* work. */
#define LIDAR_RING_FEATURE_DMABUF (1ULL << 2)
/** The device tells frame_id, slice_index and slice_count. */
#define LIDAR_RING_FEATURE_FRAMES (1ULL << 3)
/** The device tells the time of the first byte. */
#define LIDAR_RING_FEATURE_FIRST_NS (1ULL << 4)
/** The device numbers its data itself: seq shows what it dropped for want of a slot. */
#define LIDAR_RING_FEATURE_DEVICE_SEQ (1ULL << 5)

/** enum lidar_ring_format - what a slot's bytes are; lidar_ring_info.format */
enum lidar_ring_format {
	LIDAR_RING_FORMAT_UNKNOWN = 0,
	/** Sensor packets: u32 length, the bytes, zeros up to a multiple of 8; repeated. */
	LIDAR_RING_FORMAT_PACKETS = 1,
	/** An array of points of 32 bytes as lidard's frame format defines them (XYZIRT). */
	LIDAR_RING_FORMAT_XYZIRT = 2,
};

/**
 * struct lidar_ring_info - what the device is; LIDAR_RING_IOC_INFO
 * @name: model, NUL-terminated
 * @serial: NUL-terminated; empty if unknown
 * @features: LIDAR_RING_FEATURE_*
 * @slot_bytes_min: smallest slot
 * @slot_bytes_max: largest slot
 * @data_bytes_max: most slot_count * slot_bytes of KERNEL memory
 * @slot_count_min: fewest slots
 * @slot_count_max: most slots
 * @device_clock_hz: rate of lidar_ring_desc.device_ticks; 0: the device has no clock
 * @state: enum lidar_ring_state
 * @format: enum lidar_ring_format
 * @queue_depth: slots the device itself can hold; more are kept by the kernel
 * @owner_pid: process that has set up the ring, in the caller's pid namespace;
 *	0: none, or not visible
 * @reserved: zero
 */
struct lidar_ring_info {
	char name[LIDAR_RING_NAME_BYTES];
	char serial[LIDAR_RING_NAME_BYTES];
	__aligned_u64 features;
	__aligned_u64 slot_bytes_min;
	__aligned_u64 slot_bytes_max;
	__aligned_u64 data_bytes_max;
	__aligned_u64 device_clock_hz;
	__u32 slot_count_min;
	__u32 slot_count_max;
	__u32 state;
	__u32 format;
	__u32 queue_depth;
	__s32 owner_pid;
	__u32 reserved[16];
};

/**
 * struct lidar_ring_layout - where things are, for mmap() of the device
 * @control_offset: mmap offset of the control page, to be mapped MAP_SHARED, read-write
 * @control_bytes: its size, a multiple of the page size
 * @data_offset: mmap offset of the slots; KERNEL memory only
 * @data_bytes: their size, 0 with USER memory; only PROT_READ, MAP_SHARED
 * @slot_bytes: of one slot
 * @slot_count: how many
 * @entries: of the fill ring and of the ready ring: a power of two, at least slot_count
 * @fill_producer: offset in the control page of the fill ring's producer index (u32, user writes)
 * @fill_consumer: its consumer index (u32, kernel writes)
 * @fill_flags: LIDAR_RING_NEED_WAKEUP (u32, kernel writes)
 * @fill_ring: its entries, u64 offsets of slots
 * @ready_producer: the ready ring's producer index (u32, kernel writes)
 * @ready_consumer: its consumer index (u32, user writes)
 * @ready_ring: its entries, struct lidar_ring_desc
 * @slot_states: a byte for each slot, enum lidar_ring_slot_state (kernel writes)
 * @reserved: zero
 */
struct lidar_ring_layout {
	__aligned_u64 control_offset;
	__aligned_u64 control_bytes;
	__aligned_u64 data_offset;
	__aligned_u64 data_bytes;
	__aligned_u64 slot_bytes;
	__u32 slot_count;
	__u32 entries;
	__u32 fill_producer;
	__u32 fill_consumer;
	__u32 fill_flags;
	__u32 fill_ring;
	__u32 ready_producer;
	__u32 ready_consumer;
	__u32 ready_ring;
	__u32 slot_states;
	__u32 reserved[8];
};

/** Bit of fill_flags: the kernel does not look at the fill ring by itself until it is kicked. */
#define LIDAR_RING_NEED_WAKEUP (1U << 0)

/**
 * struct lidar_ring_setup - memory for the ring; LIDAR_RING_IOC_SETUP
 * @memory: enum lidar_ring_memory
 * @slot_count: slots
 * @slot_bytes: of a slot, a multiple of LIDAR_RING_SLOT_ALIGN
 * @reserved: zero
 * @layout: (out)
 *
 * The caller's open file becomes the ring's owner until its last close, and
 * the calling process the only one that may use it (others: -EPERM). A mapping
 * of the control page or of the slots keeps the file open, too.
 *
 * -EBUSY: the ring has an owner. -EINVAL: a value out of the device's limits.
 * -EIO: the device could not be stopped when an earlier owner ended. -ENOMEM.
 */
struct lidar_ring_setup {
	__u32 memory;
	__u32 slot_count;
	__aligned_u64 slot_bytes;
	__u32 reserved[4];
	struct lidar_ring_layout layout;
};

/**
 * struct lidar_ring_register - the caller's memory; LIDAR_RING_IOC_REGISTER
 * @address: page-aligned start of a mapping of the caller that it can write
 * @length: its length in bytes
 * @first: byte offset of the first slot, a multiple of LIDAR_RING_SLOT_ALIGN
 * @stride: bytes from one slot to the next, a multiple of LIDAR_RING_SLOT_ALIGN,
 *	at least slot_bytes
 * @count: slots; that of LIDAR_RING_IOC_SETUP
 * @reserved: zero
 *
 * Pins and maps the slots, and nothing between them: only first + n * stride
 * are offsets of slots. Once for each ring. Pinned memory counts against
 * RLIMIT_MEMLOCK.
 *
 * The kernel stops the device when the calling process ends, whoever else has
 * the file open, and before its memory is given back.
 *
 * -EINVAL: ring not set up for USER memory, a value out of range. -EEXIST:
 * registered already. -EBUSY: another thread is about to. -EFAULT: not mapped writable.
 * -EOPNOTSUPP: a DAX file's. -EINTR: a signal; nothing is registered. -ENOMEM:
 * RLIMIT_MEMLOCK, or no memory.
 */
struct lidar_ring_register {
	__aligned_u64 address;
	__aligned_u64 length;
	__aligned_u64 first;
	__aligned_u64 stride;
	__u32 count;
	__u32 reserved[3];
};

/** LIDAR_RING_IOC_START: queue every slot that is FREE; for who does not use the fill ring. */
#define LIDAR_RING_START_QUEUE_ALL (1U << 0)

/**
 * struct lidar_ring_start - let the device run; LIDAR_RING_IOC_START
 * @flags: LIDAR_RING_START_*
 * @lease_ms: 0, or 10 to 60000: halt if the owner makes no call for so long (any
 *	ioctl counts, KICK for instance; consuming through the rings does not)
 * @reserved: zero
 *
 * seq starts from 0. -EBUSY: streaming already. -EINVAL: no memory.
 * -EIO: the device does not start.
 */
struct lidar_ring_start {
	__u32 flags;
	__u32 lease_ms;
	__u32 reserved[6];
};

/** Bits of lidar_ring_desc.flags. */
#define LIDAR_RING_DESC_FIRST_NS (1U << 0) /* first_byte_ns is valid */
#define LIDAR_RING_DESC_LAST_NS (1U << 1) /* last_byte_ns is valid */
#define LIDAR_RING_DESC_TICKS (1U << 2) /* device_ticks is valid */
#define LIDAR_RING_DESC_FRAME (1U << 3) /* frame_id, slice_index are valid; slice_count unless 0 */
#define LIDAR_RING_DESC_CRC (1U << 4) /* crc32c is valid */
#define LIDAR_RING_DESC_LAST (1U << 5) /* the last slice of its frame */
#define LIDAR_RING_DESC_SHORT (1U << 6) /* the device delivered less than it had announced */
#define LIDAR_RING_DESC_CLOCK_STEP (1U << 7) /* device_ticks stepped since the slice before */

/**
 * struct lidar_ring_desc - a filled slot
 * @offset: of the slot: in the data area (KERNEL) or from the registered address (USER)
 * @bytes: of data in it
 * @flags: LIDAR_RING_DESC_*; what is not valid is 0
 * @seq: counts the slices of the device since START, lost ones included
 * @first_byte_ns: when the device wrote the first byte
 * @last_byte_ns: when it wrote the last
 * @device_ticks: the device's clock at the first byte
 * @frame_id: counts revolutions
 * @slice_index: of this slice in its frame, from 0
 * @slice_count: slices of the frame; 0: not known yet
 * @lost_before: slices lost between the one before and this: seq's gap
 * @crc32c: CRC-32C (Castagnoli) of the data, as the device computed it
 */
struct lidar_ring_desc {
	__aligned_u64 offset;
	__u32 bytes;
	__u32 flags;
	__aligned_u64 seq;
	__aligned_u64 first_byte_ns;
	__aligned_u64 last_byte_ns;
	__aligned_u64 device_ticks;
	__u32 frame_id;
	__u16 slice_index;
	__u16 slice_count;
	__u32 lost_before;
	__u32 crc32c;
};

/**
 * struct lidar_ring_stats - counters that only grow; LIDAR_RING_IOC_STATS
 * @delivered: slices that reached the ready ring (their descriptors, that is)
 * @delivered_bytes: bytes in them
 * @lost_no_slot: slices the device had and no slot was queued for
 * @lost_device: slices the device lost for a reason of its own
 * @lost_error: slots that came back from the device with an error, and were queued again
 * @lost_ready_full: slices for which the ready ring had no room: the user's
 *	consumer index is impossible
 * @lost_stopped: slices that the device had begun at a stop
 * @lost_lease: slices finished after the lease ran out
 * @refused_offset: fill ring entries that name no slot
 * @refused_state: fill ring entries whose slot was not the user's: QUEUED,
 *	FILLING, or FULL and its descriptor not consumed yet
 * @bad_index: times an index of the user's was impossible
 * @starved: times the device found nothing queued (NEED_WAKEUP was set)
 * @kicks: LIDAR_RING_IOC_KICK calls
 * @copied_bytes: bytes that read() copied
 * @leases_lost: times the lease ran out
 * @clock_steps: steps of the device's clock
 * @reserved: zero
 *
 * Since the device appeared. The owner's seq adds up: after a stop
 * produced = delivered + the sum of lost_*.
 */
struct lidar_ring_stats {
	__aligned_u64 delivered;
	__aligned_u64 delivered_bytes;
	__aligned_u64 lost_no_slot;
	__aligned_u64 lost_device;
	__aligned_u64 lost_error;
	__aligned_u64 lost_ready_full;
	__aligned_u64 lost_stopped;
	__aligned_u64 lost_lease;
	__aligned_u64 refused_offset;
	__aligned_u64 refused_state;
	__aligned_u64 bad_index;
	__aligned_u64 starved;
	__aligned_u64 kicks;
	__aligned_u64 copied_bytes;
	__aligned_u64 leases_lost;
	__aligned_u64 clock_steps;
	__aligned_u64 reserved[16];
};

/**
 * struct lidar_ring_get_frame - wait for a slice; LIDAR_RING_IOC_GET_FRAME
 * @timeout_ns: longest wait; -1: for ever; 0, or O_NONBLOCK: not at all
 * @reserved: zero
 * @desc: (out)
 *
 * Consumes an entry of the ready ring; not to be mixed with consuming it
 * through the control page. -EAGAIN: none in time. -EPIPE: not streaming and
 * the ready ring is empty. -EINTR.
 */
struct lidar_ring_get_frame {
	__s64 timeout_ns;
	__u32 reserved[2];
	struct lidar_ring_desc desc;
};

/**
 * struct lidar_ring_release_frame - give a slot back; LIDAR_RING_IOC_RELEASE_FRAME
 * @offset: of a slot that is HELD or FREE, in any order
 * @reserved: zero
 *
 * The slot is queued, or FREE if the ring is not streaming.
 * -EINVAL: no slot's offset. -EALREADY: the slot is not the caller's.
 */
struct lidar_ring_release_frame {
	__aligned_u64 offset;
	__u32 reserved[2];
};

/** enum lidar_ring_export_kind - what LIDAR_RING_IOC_EXPORT makes */
enum lidar_ring_export_kind {
	/** A file that can be mapped read-only from offset 0, data_bytes long, and nothing else. */
	LIDAR_RING_EXPORT_DATA = 1,
	/** All slots as one dma-buf. */
	LIDAR_RING_EXPORT_DMABUF_RING = 2,
	/** The slot at @offset as a dma-buf. */
	LIDAR_RING_EXPORT_DMABUF_SLOT = 3,
};

/**
 * struct lidar_ring_export - an fd for other processes and devices; LIDAR_RING_IOC_EXPORT
 * @kind: enum lidar_ring_export_kind
 * @flags: zero
 * @offset: of the slot; 0 with the other kinds
 * @fd: (out) read-only, O_CLOEXEC; the caller's to close
 * @reserved: zero
 *
 * The memory lives as long as the last such file and mapping. The end of a CPU
 * access (DMA_BUF_IOCTL_SYNC) has devices that mapped a dma-buf earlier see what
 * came since. KERNEL memory only (USER: -EOPNOTSUPP).
 */
struct lidar_ring_export {
	__u32 kind;
	__u32 flags;
	__aligned_u64 offset;
	__s32 fd;
	__u32 reserved[3];
};

#define LIDAR_RING_IOC_MAGIC 0xdc

#define LIDAR_RING_IOC_INFO _IOR(LIDAR_RING_IOC_MAGIC, 0x00, struct lidar_ring_info)
#define LIDAR_RING_IOC_SETUP _IOWR(LIDAR_RING_IOC_MAGIC, 0x01, struct lidar_ring_setup)
#define LIDAR_RING_IOC_REGISTER _IOW(LIDAR_RING_IOC_MAGIC, 0x02, struct lidar_ring_register)
#define LIDAR_RING_IOC_START _IOW(LIDAR_RING_IOC_MAGIC, 0x03, struct lidar_ring_start)
/** Waits until the device writes no more. Idempotent. -EIO: it does not stop; try again. */
#define LIDAR_RING_IOC_STOP _IO(LIDAR_RING_IOC_MAGIC, 0x04)
#define LIDAR_RING_IOC_STATS _IOR(LIDAR_RING_IOC_MAGIC, 0x05, struct lidar_ring_stats)
/** Look at the fill ring and start the device again. -EPIPE: not streaming. */
#define LIDAR_RING_IOC_KICK _IO(LIDAR_RING_IOC_MAGIC, 0x06)
#define LIDAR_RING_IOC_GET_FRAME _IOWR(LIDAR_RING_IOC_MAGIC, 0x07, struct lidar_ring_get_frame)
#define LIDAR_RING_IOC_RELEASE_FRAME \
	_IOW(LIDAR_RING_IOC_MAGIC, 0x08, struct lidar_ring_release_frame)
#define LIDAR_RING_IOC_EXPORT _IOWR(LIDAR_RING_IOC_MAGIC, 0x09, struct lidar_ring_export)
/**
 * Become the process that may use a ring whose owner has ended while its file
 * lives on (passed over, or kept by a service manager): rings, slot states and
 * streaming stay as they are. -EBUSY: the owner lives. -EINVAL: no KERNEL memory.
 */
#define LIDAR_RING_IOC_ADOPT _IOR(LIDAR_RING_IOC_MAGIC, 0x0a, struct lidar_ring_layout)

#endif /* _UAPI_LIDAR_RING_H */
