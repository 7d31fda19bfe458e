/* SPDX-License-Identifier: Apache-2.0 */
/* frame_collector.c - see frame_collector.h and lidard/lidard.h */
#include "libclient/frame_collector.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "libclient/export.h"
#include "libclient/subscription.h"

/* No slice of the frame comes after these. */
#define ENDS_FRAME (LIDARD_SLICE_LAST | LIDARD_SLICE_END_OF_STREAM)

struct lidard_frame {
	struct frame_collector *collector;
	/* fork_guard.h */
	uint32_t generation;
	/* slices there are */
	uint32_t count;
	uint64_t id;
	uint64_t incarnation;
	uint64_t point_count;
	bool complete;
	/* to the application */
	bool lent;
	struct lidard_slice **slices;
	/* while free */
	struct lidard_frame *next;
};

int frame_collector_init(struct frame_collector *c, struct lidard_subscription *s, uint32_t held)
{
	/* one more: the next frame begins before this one is lent */
	uint32_t i, count = held + 1;

	c->subscription = s;
	c->capacity = held < LIDARD_FRAME_SLICES_MAX ? held : LIDARD_FRAME_SLICES_MAX;
	c->frames = calloc(count, sizeof(*c->frames));
	c->lists = calloc((size_t)count * c->capacity, sizeof(*c->lists));
	if (!c->frames || !c->lists)
		return -ENOMEM;
	for (i = count; i-- > 0;) {
		c->frames[i].collector = c;
		c->frames[i].generation = s->generation;
		c->frames[i].slices = &c->lists[(size_t)i * c->capacity];
		c->frames[i].next = c->free_frames;
		c->free_frames = &c->frames[i];
	}
	return 0;
}

void frame_collector_deinit(struct frame_collector *c)
{
	free(c->frames);
	free(c->lists);
	c->frames = NULL;
	c->lists = NULL;
}

static bool belongs(const struct lidard_frame *f, const struct lidard_slice_header *h)
{
	return f->id == h->frame_id && f->incarnation == h->incarnation;
}

static void begin_frame(struct frame_collector *c, const struct lidard_slice_header *h)
{
	struct lidard_frame *f = c->free_frames;

	c->free_frames = f->next;
	f->id = h->frame_id;
	f->incarnation = h->incarnation;
	f->point_count = 0;
	f->count = 0;
	/* until a slice proves otherwise; see add_slice() and finish() */
	f->complete = true;
	c->building = f;
}

static void add_slice(struct lidard_frame *f, struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = slice->header;

	if (h->slice_index != f->count || (h->flags & (LIDARD_SLICE_PARTIAL | LIDARD_FRAME_PARTIAL)))
		f->complete = false;
	f->point_count += h->point_count;
	f->slices[f->count++] = slice;
}

static struct lidard_frame *finish(struct frame_collector *c)
{
	struct lidard_frame *f = c->building;

	if (!(f->slices[f->count - 1]->header->flags & LIDARD_SLICE_LAST))
		f->complete = false;
	c->building = NULL;
	return f;
}

static void free_frame(struct lidard_frame *f)
{
	f->count = 0;
	f->next = f->collector->free_frames;
	f->collector->free_frames = f;
}

static void give_up_slice(struct lidard_subscription *s, struct lidard_slice *slice)
{
	account_give_up(&s->account, slice->header);
	subscription_give_back(s, slice);
}

/* The application never sees it: no slice of it was taken. */
static void give_up(struct lidard_frame *f)
{
	uint32_t i;

	for (i = 0; i < f->count; i++)
		give_up_slice(f->collector->subscription, f->slices[i]);
	free_frame(f);
}

/* slice_count: of the frame, 0 if its first slice did not say */
static void say_too_large(const struct frame_collector *c, uint32_t slice_count)
{
	const char *sensor = c->subscription->probe_reader.sensor;
	struct lidard_client *client = c->subscription->client;

	if (slice_count > c->capacity)
		client_fail(client, -EMSGSIZE,
			    "sensor %s: a frame has %" PRIu32 " slices, this subscription may hold "
			    "%" PRIu32 ": set opts.held = %" PRIu32,
			    sensor, slice_count, c->capacity, slice_count + 1);
	else
		client_fail(client, -EMSGSIZE,
			    "sensor %s: a frame has more slices than this subscription may still "
			    "hold, %" PRIu32 " in all: raise opts.held", sensor, c->capacity);
}

/* More slices than may be held: give them back, and the rest as it comes. */
static int drop_building(struct frame_collector *c)
{
	struct lidard_frame *f = c->building;
	uint32_t slice_count = f->slices[0]->header->slice_count;

	c->dropping = true;
	c->dropping_id = f->id;
	c->dropping_incarnation = f->incarnation;
	c->building = NULL;
	give_up(f);
	say_too_large(c, slice_count);
	return -EMSGSIZE;
}

static bool is_dropped(struct frame_collector *c, const struct lidard_slice_header *h)
{
	if (c->dropping && h->frame_id == c->dropping_id && h->incarnation == c->dropping_incarnation)
		return true;
	c->dropping = false;
	return false;
}

/* Return: 1 a frame is finished; 0 nothing is waiting; -errno. */
static int collect(struct frame_collector *c, struct lidard_frame **ret_frame)
{
	struct lidard_subscription *s = c->subscription;
	struct lidard_frame *finished = NULL;
	struct lidard_slice *slice;
	int r;

	for (;;) {
		if (c->building && c->building->count == c->capacity &&
		    c->building->count == s->lent)
			return drop_building(c);
		r = subscription_take(s, SUBSCRIPTION_COLLECT, &slice);
		if (r <= 0)
			return r;
		if (is_dropped(c, slice->header)) {
			give_up_slice(s, slice);
			continue;
		}
		if (c->building && (!belongs(c->building, slice->header) ||
				    c->building->count == c->capacity))
			finished = finish(c);
		if (!c->building)
			begin_frame(c, slice->header);
		add_slice(c->building, slice);
		if (finished) {
			*ret_frame = finished;
			return 1;
		}
		if (slice->header->flags & ENDS_FRAME) {
			*ret_frame = finish(c);
			return 1;
		}
	}
}

/*
 * A slice that both ends the frame before it and is the last of its own leaves
 * a finished frame in building: it is due at the next call.
 */
static bool is_due(const struct frame_collector *c)
{
	const struct lidard_frame *f = c->building;

	return f && (f->slices[f->count - 1]->header->flags & ENDS_FRAME);
}

static void lend(struct lidard_frame *f)
{
	struct account *account = &f->collector->subscription->account;
	uint32_t i;

	for (i = 0; i < f->count; i++)
		account_hand_out(account, f->slices[i]->header, f->slices[i]->taken_ns);
	f->lent = true;
}

LIDARD_EXPORT int lidard_subscription_take_frame(struct lidard_subscription *subscription,
						 struct lidard_frame **ret_frame)
{
	struct frame_collector *c = &subscription->collector;
	struct lidard_frame *frame = NULL, *newer;
	int r;

	if (fork_guard_is_foreign(subscription->generation))
		return -ECHILD;
	do {
		if (is_due(c)) {
			newer = finish(c);
			r = 1;
		} else {
			r = collect(c, &newer);
		}
		if (r != 1)
			break;
		if (frame)
			give_up(frame);
		frame = newer;
	} while (subscription->reservation.policy == LIDARD_POLICY_LATEST);
	if (!frame)
		return r;
	lend(frame);
	*ret_frame = frame;
	return 1;
}

LIDARD_EXPORT uint64_t lidard_frame_get_id(const struct lidard_frame *frame)
{
	return fork_guard_is_foreign(frame->generation) ? 0 : frame->id;
}

LIDARD_EXPORT size_t lidard_frame_get_count(const struct lidard_frame *frame)
{
	return fork_guard_is_foreign(frame->generation) ? 0 : frame->count;
}

LIDARD_EXPORT const struct lidard_slice *lidard_frame_get_slice(const struct lidard_frame *frame,
								size_t index)
{
	if (fork_guard_is_foreign(frame->generation) || index >= frame->count)
		return NULL;
	return frame->slices[index];
}

LIDARD_EXPORT bool lidard_frame_is_complete(const struct lidard_frame *frame)
{
	return !fork_guard_is_foreign(frame->generation) && frame->complete;
}

LIDARD_EXPORT uint64_t lidard_frame_get_point_count(const struct lidard_frame *frame)
{
	return fork_guard_is_foreign(frame->generation) ? 0 : frame->point_count;
}

LIDARD_EXPORT void lidard_frame_release(struct lidard_frame *frame)
{
	uint32_t i;

	/* not lent: released before */
	if (!frame || fork_guard_is_foreign(frame->generation) || !frame->lent)
		return;
	for (i = 0; i < frame->count; i++)
		lidard_slice_release(frame->slices[i]);
	frame->lent = false;
	free_frame(frame);
}
