/* SPDX-License-Identifier: Apache-2.0 */
/* device_ring.c - see device_ring.h */
#include "daemon/device_ring.h"

#include <errno.h>
#include <string.h>

static bool lies_within(const struct lidar_ring_layout *l, uint32_t offset, uint64_t bytes,
			uint32_t align)
{
	return offset % align == 0 && offset <= l->control_bytes &&
	       bytes <= l->control_bytes - offset;
}

static bool layout_is_right(const struct lidar_ring_layout *l)
{
	return l->entries && (l->entries & (l->entries - 1)) == 0 && l->entries >= l->slot_count &&
	       lies_within(l, l->fill_producer, 4, 4) && lies_within(l, l->fill_consumer, 4, 4) &&
	       lies_within(l, l->fill_flags, 4, 4) && lies_within(l, l->ready_producer, 4, 4) &&
	       lies_within(l, l->ready_consumer, 4, 4) &&
	       lies_within(l, l->fill_ring, (uint64_t)l->entries * sizeof(uint64_t), 8) &&
	       lies_within(l, l->ready_ring,
			   (uint64_t)l->entries * sizeof(struct lidar_ring_desc), 8);
}

int device_ring_init(struct device_ring *r, const struct lidar_ring_layout *layout, void *control,
		     struct problem *problem)
{
	char *page = control;

	if (!layout_is_right(layout))
		return problem_set(problem, -EPROTO,
				   "the driver's rings do not lie in its control page: driver and "
				   "lidard do not fit together");
	*r = (struct device_ring){
		.fill_producer = (uint32_t *)(void *)(page + layout->fill_producer),
		.fill_consumer = (uint32_t *)(void *)(page + layout->fill_consumer),
		.fill_flags = (uint32_t *)(void *)(page + layout->fill_flags),
		.fill_ring = (uint64_t *)(void *)(page + layout->fill_ring),
		.ready_producer = (uint32_t *)(void *)(page + layout->ready_producer),
		.ready_consumer = (uint32_t *)(void *)(page + layout->ready_consumer),
		.ready_ring = (struct lidar_ring_desc *)(void *)(page + layout->ready_ring),
		.entries = layout->entries,
	};
	r->produced = __atomic_load_n(r->fill_producer, __ATOMIC_RELAXED);
	r->consumed = __atomic_load_n(r->ready_consumer, __ATOMIC_RELAXED);
	return 0;
}

bool device_ring_push(struct device_ring *r, uint64_t offset)
{
	/* pairs with the kernel's release of the entries it has read */
	uint32_t taken = __atomic_load_n(r->fill_consumer, __ATOMIC_ACQUIRE);

	if (r->produced - taken >= r->entries)
		return false;
	r->fill_ring[r->produced & (r->entries - 1)] = offset;
	r->produced++;
	/* pairs with the kernel's acquire: it sees the entry, and all we did with the slot */
	__atomic_store_n(r->fill_producer, r->produced, __ATOMIC_RELEASE);
	return true;
}

bool device_ring_needs_wakeup(const struct device_ring *r)
{
	/* the kernel sets the flag, fences, and looks at the producer: one sees the other's store */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(r->fill_flags, __ATOMIC_RELAXED) & LIDAR_RING_NEED_WAKEUP;
}

uint32_t device_ring_count_spare(const struct device_ring *r, uint32_t given)
{
	/* only an estimate: both may have moved on before it is used */
	uint32_t unseen = r->produced - __atomic_load_n(r->fill_consumer, __ATOMIC_RELAXED);
	uint32_t full = __atomic_load_n(r->ready_producer, __ATOMIC_RELAXED) - r->consumed;

	return given > unseen + full ? given - unseen - full : 0;
}

int device_ring_pop(struct device_ring *r, struct lidar_ring_desc *ret_desc)
{
	/* pairs with the kernel's release: descriptor and data are there */
	uint32_t ready = __atomic_load_n(r->ready_producer, __ATOMIC_ACQUIRE) - r->consumed;

	if (ready == 0)
		return 0;
	if (ready > r->entries)
		return -EPROTO;
	memcpy(ret_desc, &r->ready_ring[r->consumed & (r->entries - 1)], sizeof(*ret_desc));
	r->consumed++;
	/* pairs with the kernel's acquire: the entry may be written again */
	__atomic_store_n(r->ready_consumer, r->consumed, __ATOMIC_RELEASE);
	return 1;
}
