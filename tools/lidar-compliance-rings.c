/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-rings.c - see lidar-compliance-device.h: the rings
 *
 * Works on the shared page itself and remembers nothing, so that a check can
 * spoil it.  Acquire and release pair with the kernel's, as lidar_ring.h says.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "tools/lidar-compliance-device.h"

#define PAUSE_US 200

uint32_t *device_index(const struct device *device, uint32_t offset)
{
	return (uint32_t *)(void *)(device->control + offset);
}

uint32_t device_load(const struct device *device, uint32_t offset)
{
	return __atomic_load_n(device_index(device, offset), __ATOMIC_ACQUIRE);
}

void device_store(const struct device *device, uint32_t offset, uint32_t value)
{
	__atomic_store_n(device_index(device, offset), value, __ATOMIC_RELEASE);
}

void device_queue(const struct device *device, uint64_t offset)
{
	const struct lidar_ring_layout *layout = &device->layout;
	uint64_t *ring = (uint64_t *)(void *)(device->control + layout->fill_ring);
	uint32_t producer = device_load(device, layout->fill_producer);

	ring[producer & (layout->entries - 1)] = offset;
	device_store(device, layout->fill_producer, producer + 1);
}

int device_give_back(const struct device *device, uint64_t offset)
{
	device_queue(device, offset);
	/* pairs with the kernel's barrier after it has set NEED_WAKEUP */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(device_load(device, device->layout.fill_flags) & LIDAR_RING_NEED_WAKEUP))
		return 0;
	device_kick(device);
	return 1;
}

bool device_try_take(const struct device *device, struct lidar_ring_desc *ret_desc)
{
	const struct lidar_ring_layout *layout = &device->layout;
	const struct lidar_ring_desc *ring =
		(const void *)(device->control + layout->ready_ring);
	uint32_t consumer = device_load(device, layout->ready_consumer);

	if (device_load(device, layout->ready_producer) == consumer)
		return false;
	*ret_desc = ring[consumer & (layout->entries - 1)];
	device_store(device, layout->ready_consumer, consumer + 1);
	return true;
}

bool device_take_within(const struct device *device, struct lidar_ring_desc *ret_desc,
			int timeout_ms)
{
	const uint64_t until_ns = clock_now_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;

	while (!device_try_take(device, ret_desc)) {
		if (clock_now_ns() >= until_ns)
			return false;
		usleep(PAUSE_US);
	}
	return true;
}

struct lidar_ring_desc device_take(const struct device *device)
{
	struct lidar_ring_desc desc;

	trial_require(device->trial, device_take_within(device, &desc, PATIENCE_MS),
		      "no slice within %d ms", PATIENCE_MS);
	return desc;
}

uint64_t device_offset_of(const struct device *device, uint32_t slot)
{
	return device->first + slot * device->stride;
}

uint32_t device_slot_of(const struct device *device, uint64_t offset)
{
	uint64_t slot = (offset - device->first) / device->stride;

	trial_require(device->trial,
		      offset >= device->first && slot < device->layout.slot_count &&
			      device_offset_of(device, (uint32_t)slot) == offset,
		      "offset 0x%llx is that of no slot", (unsigned long long)offset);
	return (uint32_t)slot;
}

uint8_t device_slot_state(const struct device *device, uint32_t slot)
{
	return __atomic_load_n(device->control + device->layout.slot_states + slot,
			       __ATOMIC_ACQUIRE);
}

void device_await_slot(const struct device *device, uint32_t slot, uint8_t state)
{
	const uint64_t until_ns = clock_now_ns() + PATIENCE_MS * NSEC_PER_MSEC;
	uint8_t now;

	while ((now = device_slot_state(device, slot)) != state) {
		trial_require(device->trial, clock_now_ns() < until_ns,
			      "slot %u: expected state %u, is %u", slot, state, now);
		usleep(PAUSE_US);
	}
}

const unsigned char *device_bytes_of(const struct device *device,
				     const struct lidar_ring_desc *desc)
{
	return device->slots + (desc->offset - device->first);
}

static void check_times(const struct device *device, const struct lidar_ring_desc *desc)
{
	const uint64_t now_ns = clock_now_ns();
	const uint32_t both = LIDAR_RING_DESC_FIRST_NS | LIDAR_RING_DESC_LAST_NS;

	trial_require(device->trial,
		      (desc->flags & LIDAR_RING_DESC_FIRST_NS) || desc->first_byte_ns == 0,
		      "first_byte_ns is %llu, but not valid",
		      (unsigned long long)desc->first_byte_ns);
	trial_require(device->trial,
		      (desc->flags & LIDAR_RING_DESC_LAST_NS) || desc->last_byte_ns == 0,
		      "last_byte_ns is %llu, but not valid",
		      (unsigned long long)desc->last_byte_ns);
	trial_require(device->trial, desc->first_byte_ns <= now_ns && desc->last_byte_ns <= now_ns,
		      "a slice from the future");
	trial_require(device->trial,
		      (desc->flags & both) != both || desc->first_byte_ns <= desc->last_byte_ns,
		      "the first byte was written after the last");
}

static void check_numbers(const struct device *device, const struct lidar_ring_desc *desc)
{
	bool frame = desc->flags & LIDAR_RING_DESC_FRAME;

	trial_require(device->trial, !(desc->flags >> 8), "unknown flags 0x%x", desc->flags);
	trial_require(device->trial,
		      frame || (!desc->frame_id && !desc->slice_index && !desc->slice_count),
		      "frame numbers that are not valid are not 0");
	trial_require(device->trial,
		      !desc->slice_count || desc->slice_index < desc->slice_count,
		      "slice %u of %u", desc->slice_index, desc->slice_count);
	trial_require(device->trial,
		      (desc->flags & LIDAR_RING_DESC_TICKS) || desc->device_ticks == 0,
		      "device_ticks that are not valid are not 0");
	trial_require(device->trial, (desc->flags & LIDAR_RING_DESC_CRC) || desc->crc32c == 0,
		      "a crc32c that is not valid is not 0");
}

void device_check_desc(const struct device *device, const struct lidar_ring_desc *desc)
{
	uint32_t crc;

	device_slot_of(device, desc->offset);
	trial_require(device->trial, desc->bytes > 0 && desc->bytes <= device->layout.slot_bytes,
		      "%u bytes in a slot of %llu", desc->bytes,
		      (unsigned long long)device->layout.slot_bytes);
	check_times(device, desc);
	check_numbers(device, desc);
	if (!(desc->flags & LIDAR_RING_DESC_CRC))
		return;
	crc = crc32c(0, device_bytes_of(device, desc), desc->bytes);
	trial_require(device->trial, crc == desc->crc32c,
		      "seq %llu: the data's CRC is 0x%08x, the descriptor says 0x%08x",
		      (unsigned long long)desc->seq, crc, desc->crc32c);
}
