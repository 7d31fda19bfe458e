/* SPDX-License-Identifier: Apache-2.0 */
/* account.c - see account.h */
#include "libclient/account.h"

#include "common/histogram.h"

/*
 * The page is a sequence lock: lidard reads guard, the counters, guard again,
 * and tries once more if guard was odd or has changed.  Pairs with the
 * reader of subscriber pages in lidard (acquire load, acquire fence).
 */
static void begin(struct lidard_subscriber_page *p)
{
	__atomic_store_n(&p->guard, p->guard + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end(struct lidard_subscriber_page *p)
{
	__atomic_store_n(&p->guard, p->guard + 1, __ATOMIC_RELEASE);
}

/* Relaxed: ordered by guard, atomic only so that lidard never sees half a counter. */
static void set(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

static void add(uint64_t *counter, uint64_t n)
{
	set(counter, *counter + n);
}

static bool records_fit(const struct lidard_slice_header *h, size_t record_bytes)
{
	return h->point_step == record_bytes &&
	       (uint64_t)h->point_count * h->point_step == h->payload_bytes;
}

static bool payload_is_valid(const struct account *a, const struct lidard_slice_header *h)
{
	if (h->payload_bytes > a->slice_bytes)
		return false;
	switch (h->format) {
	case LIDARD_FORMAT_NONE:
		return false;
	case LIDARD_FORMAT_RAW:
		return true;
	case LIDARD_FORMAT_XYZIRT:
		return records_fit(h, sizeof(struct lidard_point_xyzirt));
	case LIDARD_FORMAT_IMU:
		return records_fit(h, sizeof(struct lidard_imu));
	case LIDARD_FORMAT_POSITION:
		return records_fit(h, sizeof(struct lidard_position));
	default:
		/* a format newer than this library: points of some kind, or bytes */
		return h->point_step == 0 ||
		       (uint64_t)h->point_count * h->point_step == h->payload_bytes;
	}
}

static bool place_is_valid(const struct lidard_slice_header *h)
{
	if (h->slice_index >= LIDARD_FRAME_SLICES_MAX || h->slice_count > LIDARD_FRAME_SLICES_MAX)
		return false;
	if (h->slice_count && h->slice_index >= h->slice_count)
		return false;
	return !(h->flags & LIDARD_SLICE_LAST) || !h->slice_count ||
	       h->slice_count == h->slice_index + 1;
}

static bool order_is_valid(const struct account *a, const struct lidard_slice_header *h)
{
	const struct lidard_subscriber_page *p = a->page;

	if (h->incarnation == 0 || h->seq < h->publish_index)
		return false;
	if (h->incarnation != p->incarnation)
		return h->incarnation > p->incarnation;
	return h->publish_index >= p->next_index && h->seq >= a->next_seq &&
	       h->seq - a->next_seq >= h->publish_index - p->next_index;
}

bool account_header_is_valid(const struct account *a, const struct lidard_slice_header *h)
{
	return h->header_bytes >= sizeof(*h) && payload_is_valid(a, h) && place_is_valid(h) &&
	       order_is_valid(a, h);
}

static void begin_incarnation(struct account *a, const struct lidard_slice_header *h)
{
	struct lidard_subscriber_page *p = a->page;
	unsigned int i;

	if (p->incarnation)
		add(&p->restarts, 1);
	set(&p->incarnation, h->incarnation);
	set(&p->first_index, h->publish_index);
	set(&p->next_index, h->publish_index);
	set(&p->taken, 0);
	for (i = 0; i < LIDARD_SKIP_COUNT; i++)
		set(&p->skipped[i], 0);
	set(&p->lost_upstream, 0);
	/* what is still collecting belongs to the totals alone */
	set(&p->collecting, 0);
	a->next_seq = h->seq;
}

uint64_t account_see(struct account *a, const struct lidard_slice_header *h)
{
	struct lidard_subscriber_page *p = a->page;
	uint64_t skipped, lost;

	if (h->incarnation == p->incarnation && h->seq == a->next_seq)
		return 0;
	begin(p);
	if (h->incarnation != p->incarnation)
		begin_incarnation(a, h);
	skipped = h->publish_index - p->next_index;
	lost = h->seq - a->next_seq - skipped;
	add(&p->skipped[LIDARD_SKIP_QUEUE_FULL], skipped);
	add(&p->total_skipped[LIDARD_SKIP_QUEUE_FULL], skipped);
	add(&p->lost_upstream, lost);
	add(&p->total_lost_upstream, lost);
	set(&p->next_index, h->publish_index);
	end(p);
	if (skipped)
		LIDARD_PROBE3(skip, a->reader, LIDARD_SKIP_QUEUE_FULL, skipped);
	a->next_seq = h->seq;
	return skipped + lost;
}

/* A stamp that is not known is 0; clocks of two CPUs may disagree a little. */
static void add_stage(struct lidard_subscriber_page *p, enum lidard_stage stage, uint64_t from_ns,
		      uint64_t to_ns)
{
	if (from_ns && to_ns)
		histogram_add(&p->stages[stage], to_ns > from_ns ? to_ns - from_ns : 0);
}

static void advance(struct account *a)
{
	add(&a->page->next_index, 1);
	add(&a->page->held, 1);
	a->next_seq++;
}

/* The slice goes to the application; of an incarnation that is over only the totals are left. */
static void count_taken(struct account *a, const struct lidard_slice_header *h, uint64_t now_ns)
{
	struct lidard_subscriber_page *p = a->page;
	bool first_valid = h->flags & LIDARD_SLICE_FIRST_BYTE_VALID;
	uint64_t first_ns = first_valid ? h->first_byte_ns : 0;

	if (h->incarnation == p->incarnation)
		add(&p->taken, 1);
	add(&p->total_taken, 1);
	add(&p->total_bytes, h->payload_bytes);
	set(&p->last_take_ns, now_ns);
	add_stage(p, LIDARD_STAGE_FILL, first_ns, h->filled_ns);
	add_stage(p, LIDARD_STAGE_READY, h->filled_ns, h->ready_ns);
	add_stage(p, LIDARD_STAGE_PUBLISH, h->ready_ns, h->published_ns);
	add_stage(p, LIDARD_STAGE_TAKE, h->published_ns, now_ns);
	add_stage(p, LIDARD_STAGE_TOTAL, first_ns, now_ns);
	a->lag_ns = first_ns && now_ns > first_ns ? now_ns - first_ns : 0;
}

void account_take(struct account *a, const struct lidard_slice_header *h, uint64_t now_ns)
{
	begin(a->page);
	advance(a);
	count_taken(a, h, now_ns);
	end(a->page);
	LIDARD_PROBE3(take, a->reader, h, now_ns);
}

void account_collect(struct account *a)
{
	begin(a->page);
	advance(a);
	add(&a->page->collecting, 1);
	end(a->page);
}

static void leave_collecting(struct lidard_subscriber_page *p, const struct lidard_slice_header *h)
{
	if (h->incarnation == p->incarnation)
		set(&p->collecting, p->collecting - 1);
}

void account_hand_out(struct account *a, const struct lidard_slice_header *h, uint64_t taken_ns)
{
	begin(a->page);
	leave_collecting(a->page, h);
	count_taken(a, h, taken_ns);
	end(a->page);
	LIDARD_PROBE3(take, a->reader, h, taken_ns);
}

void account_give_up(struct account *a, const struct lidard_slice_header *h)
{
	struct lidard_subscriber_page *p = a->page;

	begin(p);
	leave_collecting(p, h);
	set(&p->held, p->held - 1);
	if (h->incarnation == p->incarnation)
		add(&p->skipped[LIDARD_SKIP_POLICY], 1);
	add(&p->total_skipped[LIDARD_SKIP_POLICY], 1);
	end(p);
	LIDARD_PROBE3(skip, a->reader, LIDARD_SKIP_POLICY, 1);
}

void account_pass(struct account *a, enum lidard_skip_cause cause)
{
	struct lidard_subscriber_page *p = a->page;

	begin(p);
	/* before the first slice there is no index to count from */
	if (p->incarnation) {
		add(&p->next_index, 1);
		add(&p->skipped[cause], 1);
		a->next_seq++;
	}
	add(&p->total_skipped[cause], 1);
	end(p);
	LIDARD_PROBE3(skip, a->reader, (unsigned int)cause, 1);
}

void account_release(struct account *a, uint64_t hold_ns)
{
	struct lidard_subscriber_page *p = a->page;

	begin(p);
	if (p->held)
		set(&p->held, p->held - 1);
	histogram_add(&p->stages[LIDARD_STAGE_HOLD], hold_ns);
	end(p);
}

void account_set_connected(struct account *a, bool connected)
{
	/* alone in its word, so no guard; pairs with lidard's relaxed load */
	__atomic_store_n(&a->page->connected, connected, __ATOMIC_RELAXED);
}
