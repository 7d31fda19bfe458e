/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_queue.h - the device's end of a virtio queue
 *
 * A split virtqueue in a guest's memory, seen from the device: buffers are
 * taken and given back filled.  Only chains of buffers for the device to write
 * are known here.
 *
 * All the guest writes is hostile: it is read once, checked, and only then
 * used; a chain is as long as it may be and no longer.  What cannot be right
 * breaks the queue until it is started anew, as the specification has it.
 * Addresses are not kept as pointers, since the memory may be mapped anew.
 */
#ifndef TESTS_VM_DEVICE_QUEUE_H
#define TESTS_VM_DEVICE_QUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/vm/guest_memory.h"

/* A slot of 64 MiB in single pages, and a trailer. */
#define CHAIN_SEGMENTS_MAX (16384 + 1)
/* Of a queue, by the specification. */
#define QUEUE_ENTRIES_MAX 32768

struct chain_segment {
	uint64_t guest;
	uint32_t bytes;
};

struct chain {
	uint16_t head;
	unsigned int count;
	struct chain_segment segments[CHAIN_SEGMENTS_MAX];
};

struct device_queue {
	const struct guest_memory *memory; /* lent */
	/* as told by vhost-user; addresses are QEMU's */
	uint64_t desc_user, avail_user, used_user;
	unsigned int entries;
	bool has_event_index;
	int call_fd; /* owned; -1: none */
	/* the queue in this address space; NULL: not mapped */
	const struct vring_desc *desc;
	const uint16_t *avail; /* flags, index, entries, used_event */
	uint16_t *used; /* flags, index, then entries, then avail_event */
	uint16_t next_avail, next_used;
	uint16_t untold; /* given back since device_queue_tell() */
	bool broken;
};

/**
 * Find the queue in the guest's memory, before the first use and when that was
 * mapped anew. Return: 0 or -EFAULT, and the queue is broken.
 */
int device_queue_map(struct device_queue *q);
/** Return: 1 and a chain, 0 if there is none, -EPROTO if the queue is broken. */
int device_queue_take(struct device_queue *q, struct chain *ret_chain);
/** Give a chain back, that many bytes written. */
void device_queue_give(struct device_queue *q, uint16_t head, uint32_t bytes);
/** Interrupt the guest, if it wants that, for all that was given back since the last time. */
void device_queue_tell(struct device_queue *q);
/** Ask for a kick with the next buffer. Return: there is one already. */
bool device_queue_ask_kick(struct device_queue *q);

#endif /* TESTS_VM_DEVICE_QUEUE_H */
