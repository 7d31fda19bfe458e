/* SPDX-License-Identifier: Apache-2.0 */
/* actor_memory.c - what an actor does with mappings, the rings among them */
#include "tests/kmod/actor_moves.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "tests/kmod/sim.h"

/* ---- faults are part of the game ---- */

static __thread sigjmp_buf back;
static __thread volatile bool touching;

static void on_fault(int number)
{
	if (touching)
		siglongjmp(back, 1);
	/* not by an actor's will: die of it */
	signal(number, SIG_DFL);
}

void actor_catch_faults(void)
{
	struct sigaction fault = {.sa_handler = on_fault};

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
}

void move_map_file(struct actor *a)
{
	static const uint64_t offsets[] = {0, 0, 1ull << 32, 1ull << 32, SIM_PAGE, (1ull << 32) + 65536,
					   UINT64_MAX << 12 >> 1};
	uint64_t sizes[] = {a->layout.control_bytes, a->layout.data_bytes, a->layout.slot_bytes,
			    SIM_PAGE, SIM_PAGE * (1 + below(a, 64))};
	int prot = one_in(a, 8) ? (int)below(a, 8) : PROT_READ;
	int flags = one_in(a, 10) ? MAP_PRIVATE : MAP_SHARED;
	uint64_t offset = ONE_OF(a, offsets), bytes = ONE_OF(a, sizes) & ~(SIM_PAGE - 1ull);
	struct actor_mapping *mapping;

	if (!offset && !one_in(a, 6)) {
		prot |= PROT_WRITE;
		bytes = a->layout.control_bytes;
	}
	if (!bytes || bytes > 2 * ACTOR_BYTES_MAX)
		return;
	actor_begin_failing(a);
	mapping = actor_keep_mapping(a, mmap(NULL, bytes, prot, flags | (one_in(a, 4) ? MAP_POPULATE : 0),
				       actor_ring_file(a), (off_t)offset), bytes);
	actor_end_failing(a);
	a->place->worked[a->place->action] += !!mapping;
	if (mapping)
		mapping->control = !offset && (prot & PROT_WRITE) && flags == MAP_SHARED &&
				   bytes == a->layout.control_bytes;
}

void move_change_mapping(struct actor *a)
{
	static const int advices[] = {MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DOFORK,
				      MADV_DONTFORK, MADV_HUGEPAGE, MADV_COLD, MADV_PAGEOUT,
				      MADV_WILLNEED, MADV_DODUMP, MADV_POPULATE_READ,
				      MADV_POPULATE_WRITE};
	struct actor_mapping *m = actor_any_mapping(a);
	size_t half = m->bytes / 2 & ~(SIM_PAGE - 1ull), more = one_in(a, 2) ? SIM_PAGE : 0;
	void *at;

	if (!m->at)
		return;
	actor_begin_failing(a);
	switch (below(a, 6)) {
	case 0: actor_drop_mapping(m); break;
	case 1:
		if (half && !munmap(m->at + half, m->bytes - half))
			m->bytes = half, m->control = false;
		break;
	case 2: mprotect(m->at, one_in(a, 2) ? m->bytes : half ?: m->bytes, (int)below(a, 4)); break;
	case 3:
		at = mremap(m->at, m->bytes, m->bytes + more,
			    MREMAP_MAYMOVE | (one_in(a, 4) ? MREMAP_DONTUNMAP : 0));
		if (at != MAP_FAILED)
			*m = (struct actor_mapping){.at = at, .bytes = m->bytes + more};
		break;
	default: madvise(m->at, m->bytes, ONE_OF(a, advices)); break;
	}
	actor_end_failing(a);
}

/** struct touch - what to do with a mapping that may not be there */
struct touch {
	volatile uint32_t *at;
	uint32_t what;
	const struct actor_mapping *control;
	const struct lidar_ring_layout *layout;
	uint64_t offset;
	uint32_t count;
};

static void guarded(void (*function)(const struct touch *touch), const struct touch *touch)
{
	touching = true;
	if (!sigsetjmp(back, 1))
		function(touch);
	touching = false;
}

static void touch_word(const struct touch *touch)
{
	if (touch->what & 1)
		*touch->at = touch->what;
	else
		(void)*touch->at;
}

void move_touch_mapping(struct actor *a)
{
	struct actor_mapping *m = actor_any_mapping(a);
	struct touch touch = {.what = (uint32_t)any(a)};

	if (!m->at)
		return;
	touch.at = (uint32_t *)(void *)(m->at + (below(a, m->bytes) & ~3u));
	guarded(touch_word, &touch);
}

static volatile uint32_t *word_at(const struct touch *touch, uint32_t offset)
{
	return (volatile uint32_t *)(void *)(touch->control->at + offset);
}

static void fill(const struct touch *touch)
{
	volatile uint32_t *producer = word_at(touch, touch->layout->fill_producer);
	volatile uint64_t *entries =
		(volatile void *)word_at(touch, touch->layout->fill_ring);
	uint32_t i;

	for (i = 0; i < touch->count; i++) {
		entries[*producer & (touch->layout->entries - 1)] =
			touch->offset + i * touch->layout->slot_bytes;
		*producer = *producer + 1;
	}
	if (touch->what)
		*producer = touch->what;
}

static void consume(const struct touch *touch)
{
	volatile uint32_t *consumer = word_at(touch, touch->layout->ready_consumer);

	if (*consumer != *word_at(touch, touch->layout->ready_producer))
		*consumer = *consumer + 1;
	if (touch->what)
		*consumer = touch->what;
}

/* What a user of the rings does; the layout may be of another one. */
void move_use_rings(struct actor *a)
{
	const struct touch touch = {
		.control = actor_control_page(a),
		.layout = &a->layout,
		.offset = actor_any_offset(a),
		.count = 1 + below(a, 4),
		.what = one_in(a, 24) ? (uint32_t)any(a) : 0,
	};

	if (!touch.control || touch.control->bytes < a->layout.control_bytes || !a->layout.entries)
		return;
	if (one_in(a, 2)) {
		guarded(consume, &touch);
	} else {
		guarded(fill, &touch);
		if (one_in(a, 2))
			move_kick(a);
	}
}

void move_scribble(struct actor *a)
{
	struct actor_mapping *m = actor_control_page(a);
	uint32_t at, bytes;

	if (!m)
		return;
	at = below(a, m->bytes);
	bytes = 1 + below(a, one_in(a, 4) ? m->bytes - at : 8);
	if (at + bytes <= m->bytes)
		(void)!getrandom(m->at + at, bytes, 0);
}
