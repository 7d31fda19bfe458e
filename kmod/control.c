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
 * change as long as the owner is seen to be one, or at a single index.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core.h"

static void *control_at(const struct lidar_control *control, u32 offset)
{
	return control->page + offset;
}

void lidar_control_deinit(struct lidar_control *control)
{
	vfree(control->page);
	kvfree(control->ready_slots);
	*control = (struct lidar_control){};
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
	control->page = vmalloc_user(layout->control_bytes);
	if (control->ready_slots && control->page)
		return 0;
	lidar_control_deinit(control);
	return -ENOMEM;
}

int lidar_control_mmap(const struct lidar_control *control, struct vm_area_struct *vma)
{
	/* not VM_SHARED, which a file opened read-only does not get */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	/*
	 * A forked child could not use the ring, but its mapping would keep the
	 * file open beyond the owner's end.
	 */
	vma->vm_flags |= VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP;
	return remap_vmalloc_range(vma, control->page, 0);
}

/** Is there something in the ready ring? What poll() says, so it takes no lock. */
bool lidar_control_readable(const struct lidar_control *control)
{
	u32 consumer = READ_ONCE(*(u32 *)control_at(control, control->layout.ready_consumer));

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

/* Is this index of the user's possible? One that is not is counted, once. */
static bool check_index(bool possible, u32 index, u32 *last, u64 *bad_index)
{
	if (!possible && index != *last)
		++*bad_index;
	*last = index;
	return possible;
}

/** How many offsets the user has put into the fill ring. */
u32 lidar_control_fill_count(struct lidar_control *control, u64 *bad_index)
{
	/* acquire: pairs with the user's release, after it wrote the entries */
	u32 producer = smp_load_acquire((u32 *)control_at(control, control->layout.fill_producer));

	if (!check_index(ring_producer_possible(producer, control->fill_consumer,
						control->layout.entries),
			 producer, &control->last_fill, bad_index))
		return 0;
	return ring_count(producer, control->fill_consumer);
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

	if (!check_index(ring_consumer_possible(consumer, control->ready_consumer,
						control->ready_producer),
			 consumer, &control->last_ready, bad_index))
		return 0;
	return ring_count(consumer, control->ready_consumer);
}

/** The slot of the next descriptor that the user has consumed. */
u32 lidar_control_taken_pop(struct lidar_control *control)
{
	u32 consumer = control->ready_consumer;

	WRITE_ONCE(control->ready_consumer, consumer + 1);
	return control->ready_slots[consumer & (control->layout.entries - 1)];
}

/** What was popped the kernel has consumed for the user: move the user's index. */
void lidar_control_tell_taken(struct lidar_control *control)
{
	control->last_ready = control->ready_consumer;
	/* release: as a user that consumes would do it */
	smp_store_release((u32 *)control_at(control, control->layout.ready_consumer),
			  control->ready_consumer);
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
