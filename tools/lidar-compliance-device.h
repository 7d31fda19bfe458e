/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-device.h - an open device and its rings, as a check uses them
 *
 * What is a premise of a check rather than its subject fails the check at once,
 * so nothing here returns an error, except where the name says try.  Nothing
 * needs to be closed: the check's process ends.
 */
#ifndef TOOLS_LIDAR_COMPLIANCE_DEVICE_H
#define TOOLS_LIDAR_COMPLIANCE_DEVICE_H

#include "tools/lidar-compliance.h"

/** Longest wait for something that is sure to come. */
#define PATIENCE_MS 10000
/** How long to look for what must not come. */
#define SUSPICION_MS 300

/**
 * struct device - an open file of the device
 * @trial: the check that uses it
 * @fd: of it
 * @layout: as SETUP told; valid once set up
 * @memory: enum lidar_ring_memory
 * @control: the control page, mapped; NULL: not mapped
 * @slots: the first slot: in the data area, or in the caller's memory
 * @stride: bytes from one slot to the next
 * @first: offset of the first slot
 * @user: start of the registered memory; NULL: KERNEL memory
 * @user_bytes: length of it
 * @user_fd: memfd of it, or -1
 */
struct device {
	const struct trial *trial;
	int fd;
	struct lidar_ring_layout layout;
	uint32_t memory;
	unsigned char *control;
	const unsigned char *slots;
	uint64_t stride;
	uint64_t first;
	unsigned char *user;
	size_t user_bytes;
	int user_fd;
};

/** How far device_ready() shall go. */
enum device_stage {
	/** open only */
	DEVICE_IDLE,
	/** set up for USER memory, nothing registered */
	DEVICE_CONFIGURED,
	DEVICE_STOPPED_KERNEL,
	DEVICE_STOPPED_USER,
	DEVICE_STREAMING_KERNEL,
	DEVICE_STREAMING_USER,
};

/**
 * Unmap and close: only both together end a file's life, for a mapping keeps
 * its file.
 */
void device_close(struct device *device);
/** Any call. Return: its result, or -errno. */
long device_call(int fd, unsigned long request, void *arg);

void device_open(struct device *device, const struct trial *trial);
/** Return: what SETUP gave. */
long device_try_setup(struct device *device, uint32_t memory);
void device_map(struct device *device);
/** Open, and do what leads to @stage; the rings are mapped from STOPPED on. */
void device_ready(struct device *device, const struct trial *trial, enum device_stage stage);
/** STOPPED, with the memory the device knows, KERNEL if it knows both. */
void device_ready_any(struct device *device, const struct trial *trial);
/** Memory for REGISTER: a memfd, slots apart by @gap_bytes and after as much. */
void device_make_user_memory(struct device *device, uint64_t gap_bytes);
struct lidar_ring_register device_get_registration(const struct device *device);

long device_try_start(const struct device *device, uint32_t flags, uint32_t lease_ms);
/** START with all slots queued. */
void device_start(const struct device *device);
void device_stop(const struct device *device);
void device_kick(const struct device *device);
long device_try_get_frame(const struct device *device, int64_t timeout_ns,
			  struct lidar_ring_desc *ret_desc);
struct lidar_ring_desc device_get_frame(const struct device *device);
long device_try_release(const struct device *device, uint64_t offset);

struct lidar_ring_info device_get_info(const struct device *device);
struct lidar_ring_stats device_get_stats(const struct device *device);
/** Wait for a state. */
void device_await_state(const struct device *device, uint32_t state);
/** Return: poll's events; 0: none in time. */
int device_poll(const struct device *device, int timeout_ms);

/* The rings. */
uint32_t *device_index(const struct device *device, uint32_t offset);
uint32_t device_load(const struct device *device, uint32_t offset);
void device_store(const struct device *device, uint32_t offset, uint32_t value);
/** Put an offset into the fill ring, without a call. */
void device_queue(const struct device *device, uint64_t offset);
/** Likewise for a whole slot, and a kick if the kernel asks for it. Return: 1: kicked. */
int device_give_back(const struct device *device, uint64_t offset);
/** Consume a descriptor if there is one, without a call. */
bool device_try_take(const struct device *device, struct lidar_ring_desc *ret_desc);
/** Likewise, and wait for it by sleeping. */
bool device_take_within(const struct device *device, struct lidar_ring_desc *ret_desc,
			int timeout_ms);
struct lidar_ring_desc device_take(const struct device *device);

uint64_t device_offset_of(const struct device *device, uint32_t slot);
uint32_t device_slot_of(const struct device *device, uint64_t offset);
uint8_t device_slot_state(const struct device *device, uint32_t slot);
/** Wait for a state of a slot. */
void device_await_slot(const struct device *device, uint32_t slot, uint8_t state);
const unsigned char *device_bytes_of(const struct device *device,
				     const struct lidar_ring_desc *desc);
/** Fail unless a descriptor makes sense, and the data is what it says. */
void device_check_desc(const struct device *device, const struct lidar_ring_desc *desc);

#endif /* TOOLS_LIDAR_COMPLIANCE_DEVICE_H */
