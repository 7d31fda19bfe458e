// SPDX-License-Identifier: GPL-2.0
/*
 * control.c - the control page and the two rings in it
 *
 * The user can write every byte of the page at any time.  So nothing in it is
 * believed: the kernel keeps its own indices and its own record of which slot
 * each entry of the ready ring names, writes copies into the page, and reads
 * from it only the user's two indices and the offsets in the fill ring, each
 * once.  An impossible index is counted and otherwise ignored, so the worst a
 * user can do is to stop its own stream.
 *
 * Called with ring->lock held, but for lidar_control_readable(),
 * lidar_control_pending() and lidar_control_mmap(), which look at what does not
 * change, or at a single index.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core.h"

static void *control_at(const struct lidar_control *control, u32 offset)
{
	return control->page + offset;
}

int lidar_control_init(struct lidar_control *control, const struct lidar_memory *memory)
{
	struct lidar_ring_layout *layout = &control->layout;

	*control = (struct lidar_control){};
	ring_layout_init(layout, memory->slot_bytes, memory->slot_count, PAGE_SIZE);
	if (memory->kind == LIDAR_RING_MEMORY_KERNEL) {
		layout->data_offset = RING_DATA_OFFSET;
		layout->data_bytes = memory->slot_count * memory->slot_bytes;
	}
	control->ready_slots = kvcalloc(layout->entries, sizeof(*control->ready_slots),
					GFP_KERNEL_ACCOUNT);
	if (!control->ready_slots)
		return -ENOMEM;
	/* release, and last: mmap() and poll() look at it without the lock */
	smp_store_release(&control->page, vmalloc_user(layout->control_bytes));
	if (control->page)
		return 0;
	kvfree(control->ready_slots);
	control->ready_slots = NULL;
	return -ENOMEM;
}

void lidar_control_deinit(struct lidar_control *control)
{
	vfree(control->page);
	kvfree(control->ready_slots);
	*control = (struct lidar_control){};
}

int lidar_control_mmap(const struct lidar_control *control, struct vm_area_struct *vma)
{
	/* acquire: pairs with lidar_control_init() */
	void *page = smp_load_acquire(&control->page);

	if (!page)
		return -EINVAL;
	/* not VM_SHARED, which a file opened read-only does not get */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	/*
	 * A forked child could not use the ring, but its mapping would keep the
	 * file open beyond the owner's end.
	 */
	vma->vm_flags |= VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP;
	return remap_vmalloc_range(vma, page, 0);
}

/** Is there something in the ready ring? What poll() says, so it takes no lock. */
bool lidar_control_readable(const struct lidar_control *control)
{
	/* acquire: pairs with lidar_control_init() */
	void *page = smp_load_acquire(&control->page);
	u32 consumer;

	if (!page)
		return false;
	consumer = READ_ONCE(*(u32 *)(page + control->layout.ready_consumer));
	return ring_count(READ_ONCE(control->ready_producer), consumer) - 1 <
	       control->layout.entries;
}

/*
 * Is there something in the ready ring, as far as the kernel knows?
 *
 * What GET_FRAME waits for, so no lie of the user's may make it true for ever.
 */
bool lidar_control_pending(const struct lidar_control *control)
{
	return READ_ONCE(control->ready_producer) != READ_ONCE(control->ready_consumer);
}

/**
 * lidar_control_set_wakeup() - tell the user whether it must kick
 * @control: of a ring that is set up
 * @on: it must
 *
 * Return: whether there is something in the fill ring, if @on. Either this, or
 * the user sees the flag: its store of fill_producer and load of fill_flags
 * have a full barrier between them, as have the store and the load here.
 */
bool lidar_control_set_wakeup(struct lidar_control *control, bool on)
{
	WRITE_ONCE(*(u32 *)control_at(control, control->layout.fill_flags),
		   on ? LIDAR_RING_NEED_WAKEUP : 0);
	if (!on)
		return false;
	/* full: see above */
	smp_mb();
	return READ_ONCE(*(u32 *)control_at(control, control->layout.fill_producer)) !=
	       control->fill_consumer;
}

void lidar_control_set_state(struct lidar_control *control, u32 slot, u8 state)
{
	WRITE_ONCE(((u8 *)control_at(control, control->layout.slot_states))[slot], state);
}

static void count_bad(u32 index, u32 *bad, u64 *bad_index)
{
	if (index != *bad)
		++*bad_index;
	*bad = index;
}

/** How many offsets the user has put into the fill ring. */
u32 lidar_control_fill_count(struct lidar_control *control, u64 *bad_index)
{
	/* acquire: pairs with the user's release, after it wrote the entries */
	u32 producer = smp_load_acquire((u32 *)control_at(control, control->layout.fill_producer));

	if (ring_producer_possible(producer, control->fill_consumer, control->layout.entries)) {
		control->bad_fill = producer;
		return ring_count(producer, control->fill_consumer);
	}
	count_bad(producer, &control->bad_fill, bad_index);
	return 0;
}

/** The next offset of the fill ring, which has one. */
u64 lidar_control_fill_pop(struct lidar_control *control)
{
	u64 *entries = control_at(control, control->layout.fill_ring);
	u64 offset = READ_ONCE(entries[control->fill_consumer & (control->layout.entries - 1)]);

	control->fill_consumer++;
	/* release: the user may overwrite the entry once it sees this */
	smp_store_release((u32 *)control_at(control, control->layout.fill_consumer),
			  control->fill_consumer);
	return offset;
}

/** How many descriptors the user has consumed since the kernel last looked. */
u32 lidar_control_taken_count(struct lidar_control *control, u64 *bad_index)
{
	u32 *where = control_at(control, control->layout.ready_consumer);
	/* acquire: pairs with the user's release, after it read the entry */
	u32 consumer = smp_load_acquire(where);

	if (ring_consumer_possible(consumer, control->ready_consumer, control->ready_producer)) {
		control->bad_ready = consumer;
		return ring_count(consumer, control->ready_consumer);
	}
	count_bad(consumer, &control->bad_ready, bad_index);
	return 0;
}

/** The slot of the next descriptor that the user has consumed. */
u32 lidar_control_taken_pop(struct lidar_control *control)
{
	u32 consumer = control->ready_consumer;

	WRITE_ONCE(control->ready_consumer, consumer + 1);
	return control->ready_slots[consumer & (control->layout.entries - 1)];
}

/** Consume an entry of the ready ring for the user. Return: whether there was one. */
bool lidar_control_take(struct lidar_control *control, u32 *ret_slot)
{
	if (control->ready_consumer == control->ready_producer)
		return false;
	*ret_slot = lidar_control_taken_pop(control);
	control->bad_ready = control->ready_consumer;
	/* release: as a user that consumes would do it */
	smp_store_release((u32 *)control_at(control, control->layout.ready_consumer),
			  control->ready_consumer);
	return true;
}

/** Put a descriptor into the ready ring. Return: whether it had room. */
bool lidar_control_publish(struct lidar_control *control, u32 slot,
			   const struct lidar_ring_desc *desc)
{
	u32 entry = control->ready_producer & (control->layout.entries - 1);
	struct lidar_ring_desc *descs = control_at(control, control->layout.ready_ring);

	if (ring_count(control->ready_producer, control->ready_consumer) >=
	    control->layout.entries)
		return false;
	control->ready_slots[entry] = slot;
	descs[entry] = *desc;
	WRITE_ONCE(control->ready_producer, control->ready_producer + 1);
	/* release: pairs with the user's acquire, before it reads the entry */
	smp_store_release((u32 *)control_at(control, control->layout.ready_producer),
			  control->ready_producer);
	return true;
}
