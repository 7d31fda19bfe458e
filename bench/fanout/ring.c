/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.c - a ring of frames in shared memory and a futex: the floor
 *
 * What one writes by hand who knows everything beforehand: one producer, subscribers
 * that are its children, nobody who dies.  The producer writes where it likes and
 * wakes who sleeps; a subscriber that is too slow sees afterwards that its frame was
 * overwritten.  No accounting, no protection, no clean-up: nothing can cost less.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/fanout/fanout.h"
#include "bench/fanout/frame.h"

struct ring {
	/* the producer's; counts of frames, the futex word is the low half of @published */
	BENCH_LINE uint64_t published;
	uint64_t claimed;
	/* of all subscribers */
	BENCH_LINE uint32_t sleepers;
	BENCH_LINE uint64_t slots;
	uint64_t bytes;
	uint8_t memory[] __attribute__((aligned(4096)));
};

struct subscriber {
	struct ring *ring;
	uint64_t next;
};

static void setup(struct fanout *f)
{
	/* one being written, one being read */
	uint64_t slots = f->queue + 2, i;
	struct ring *r = mmap(NULL, sizeof(*r) + slots * f->bytes, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (r == MAP_FAILED)
		bench_die("no memory for a ring: %s", strerror(errno));
	r->slots = slots;
	r->bytes = f->bytes;
	for (i = 0; i < slots; i++)
		frame_fill(r->memory + i * f->bytes, f->bytes);
	f->shared = r;
}

static void *get_slot(struct ring *r, uint64_t number)
{
	return r->memory + number % r->slots * r->bytes;
}

static uint32_t *get_futex(struct ring *r)
{
	return (uint32_t *)&r->published + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static void *producer_open(const struct fanout *f, unsigned int sensor)
{
	return f->shared;
}

static void *loan(void *producer)
{
	struct ring *r = producer;

	__atomic_store_n(&r->claimed, r->published + 1, __ATOMIC_RELAXED);
	/* pairs with release(): who reads anything written after it sees the claim */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return get_slot(r, r->published);
}

static void publish(void *producer, void *frame)
{
	struct ring *r = producer;

	/* sequentially consistent with @sleepers: one of the two sees the other */
	__atomic_store_n(&r->published, r->published + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->sleepers, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, get_futex(r), FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void *subscriber_open(const struct fanout *f, unsigned int index)
{
	struct subscriber *s = fanout_alloc(sizeof(*s));

	s->ring = f->shared;
	s->next = __atomic_load_n(&s->ring->published, __ATOMIC_ACQUIRE);
	return s;
}

/* Return: how many are published, more than @next unless something else woke it. */
static uint64_t wait_for(struct ring *r, uint64_t next)
{
	uint64_t published = __atomic_load_n(&r->published, __ATOMIC_ACQUIRE);

	if (published != next)
		return published;
	__atomic_add_fetch(&r->sleepers, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, get_futex(r), FUTEX_WAIT, (uint32_t)next, NULL, NULL, 0);
	__atomic_sub_fetch(&r->sleepers, 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&r->published, __ATOMIC_ACQUIRE);
}

static const void *take(void *subscriber)
{
	struct subscriber *s = subscriber;
	uint64_t published = wait_for(s->ring, s->next);

	if (published == s->next)
		return NULL;
	/* the oldest that is not being overwritten */
	if (published - s->next > s->ring->slots - 1)
		s->next = published - (s->ring->slots - 1);
	return get_slot(s->ring, s->next++);
}

static bool release(void *subscriber, const void *frame)
{
	struct subscriber *s = subscriber;

	/* pairs with loan() */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&s->ring->claimed, __ATOMIC_RELAXED) <= s->next - 1 + s->ring->slots;
}

const struct fanout_ops fanout_ring = {
	.name = "ring",
	.setup = setup,
	.producer_open = producer_open,
	.loan = loan,
	.publish = publish,
	.subscriber_open = subscriber_open,
	.take = take,
	.release = release,
};
