/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_device.c - a LIDAR behind the lidar_ring kernel module
 *
 * Direct: the sink's memory is registered with the device, and to lend a loan
 * is to push its offset into the fill ring.  The device writes into it, its
 * descriptor comes back through the ready ring, and the loan is handed out:
 * no copy, and no system call but the wake-up, and a kick when the device is
 * about to run dry.  A loan stands in slots[], by its place in the memory, while the
 * device may write into it.
 *
 * Copy: the device fills memory of the kernel, all of which is queued; a slice
 * is copied into a loan, once, however many readers there are, and its slot
 * queued again at once.  Without a loan it is dropped.
 *
 * Decode: as copy, but the slots hold packets and device_decode.c writes their
 * points.  Slices are then the frame builder's, and so are their losses: what
 * the kernel lost shows as missing columns.
 *
 * What the device writes into is never what readers have: stop() has the
 * kernel stop the device before the sensor cancels its loans, and when lidard
 * dies the kernel does so before it gives up the process' memory.
 *
 * Everything is made by start() and freed by stop(), so a device that comes
 * back is looked at anew.  Losses are counted by the kernel: refresh() fetches
 * its counters, which next() does only when a gap shows.
 *
 * One thread: the daemon's loop.
 */
#include "daemon/source.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "daemon/config.h"
#include "daemon/device.h"
#include "daemon/device_decode.h"
#include "daemon/device_desc.h"
#include "daemon/pool.h"
#include "lidard/probes.h"

struct source_device {
	struct source base;
	struct device device;
	struct device_stream stream;
	bool copies;
	/** Decode: NULL in the other modes. feeding: the slot at fed_offset is being decoded. */
	struct device_decode *decode;
	bool feeding;
	uint64_t fed_offset;
	/** Direct: the loan at each place of base.memory, NULL where none is lent. */
	struct loan **slots;
	/** Copy: loans to come, linked by loan.next. */
	struct loan *lent;
	uint32_t lent_count;
	/** The kernel's counters as far as they are in ours. */
	struct lidar_ring_stats counted;
	/** The stream's, likewise. */
	uint64_t counted_frames;
	uint64_t counted_partial_frames;
	uint64_t counted_clock_steps;
	/** The last next() found nothing: if this one does, too, somebody must ask why it is called. */
	bool idle;
};

static struct source_device *to_device(struct source *s)
{
	return (struct source_device *)s;
}

/* --- counters --- */

static void count(struct source_device *d, enum source_drop cause, __u64 now, __u64 *counted)
{
	/* they only grow */
	if (now > *counted) {
		d->base.stats.produced += now - *counted;
		d->base.stats.dropped[cause] += now - *counted;
	}
	*counted = now;
}

static void device_refresh(struct source *s)
{
	struct source_device *d = to_device(s);
	struct lidar_ring_stats now, *counted = &d->counted;

	if (d->device.fd < 0 || d->decode || device_get_stats(&d->device, &now) < 0)
		return;
	count(d, SOURCE_DROP_NO_LOAN, now.lost_no_slot, &counted->lost_no_slot);
	count(d, SOURCE_DROP_OVERRUN, now.lost_ready_full, &counted->lost_ready_full);
	count(d, SOURCE_DROP_STOPPED, now.lost_stopped, &counted->lost_stopped);
	count(d, SOURCE_DROP_STOPPED, now.lost_lease, &counted->lost_lease);
	count(d, SOURCE_DROP_DEVICE, now.lost_device, &counted->lost_device);
	count(d, SOURCE_DROP_DEVICE, now.lost_error, &counted->lost_error);
}

static void count_stream(struct source_device *d)
{
	d->base.stats.frames += d->stream.frames - d->counted_frames;
	d->base.stats.partial_frames += d->stream.partial_frames - d->counted_partial_frames;
	d->base.stats.clock_steps += d->stream.clock_steps - d->counted_clock_steps;
	d->counted_frames = d->stream.frames;
	d->counted_partial_frames = d->stream.partial_frames;
	d->counted_clock_steps = d->stream.clock_steps;
}

static void drop_one(struct source_device *d, enum source_drop cause)
{
	d->base.stats.produced++;
	d->base.stats.dropped[cause]++;
}

/* --- life --- */

/* The device's own memory has as many slots as lidard would lend, within its limits. */
static int use_kernel_memory(struct source_device *d, struct problem *problem)
{
	const struct sensor_config *config = d->base.config;
	const struct lidar_ring_info *info = &d->device.info;
	uint32_t slots = config->loans;

	if (slots < info->slot_count_min)
		slots = info->slot_count_min;
	if (slots > info->slot_count_max)
		slots = info->slot_count_max;
	d->copies = true;
	return device_make_memory(&d->device, slots, pool_payload_bytes(config->slice_bytes),
				  problem);
}

static int use_loans(struct source_device *d, struct problem *problem)
{
	const struct loan_memory *m = &d->base.memory;

	d->copies = false;
	d->slots = calloc(m->count ? m->count : 1, sizeof(d->slots[0]));
	if (!d->slots)
		return problem_set(problem, -ENOMEM, "out of memory");
	return device_use_memory(&d->device, m, problem);
}

static int fall_back(struct source_device *d, const struct problem *why, struct problem *problem)
{
	const char *path = d->device.path;
	int r;

	/* a ring is set up once for each time its file is opened */
	device_close(&d->device);
	r = device_open(&d->device, path, problem);
	if (r == 0)
		r = use_kernel_memory(d, problem);
	if (r == 0)
		problem_set(&d->base.notice, 0, "copying every slice (device_mode = auto): %s",
			    why->text);
	return r;
}

static int get_memory(struct source_device *d, struct problem *problem)
{
	enum device_mode mode = d->base.config->device_mode;
	struct problem why = { "" };
	int r;

	if (mode == DEVICE_MODE_COPY || d->decode)
		return use_kernel_memory(d, problem);
	if (mode == DEVICE_MODE_DIRECT)
		return use_loans(d, problem);
	r = use_loans(d, &why);
	/* whoever has the device has it for copying, too */
	if (r == -EBUSY || r == -ENODEV)
		return problem_set(problem, r, "%s", why.text);
	return r < 0 ? fall_back(d, &why, problem) : 0;
}

static int find_format(struct source_device *d, struct problem *problem)
{
	enum device_format wanted = d->base.config->device_format;
	uint32_t says = d->device.info.format;

	if (wanted == DEVICE_FORMAT_XYZIRT ||
	    (wanted == DEVICE_FORMAT_AUTO && says == LIDAR_RING_FORMAT_XYZIRT))
		d->base.format = LIDARD_FORMAT_XYZIRT;
	else if (wanted == DEVICE_FORMAT_PACKETS || says == LIDAR_RING_FORMAT_PACKETS)
		d->base.format = LIDARD_FORMAT_RAW;
	else
		return problem_set(problem, -EINVAL,
				   "%s does not say what it delivers (format %u): set device_format = "
				   "xyzirt or packets",
				   d->device.path, says);
	return 0;
}

static int make_decoder(struct source_device *d, struct problem *problem)
{
	const struct sensor_config *config = d->base.config;

	d->base.has_packets = d->base.format == LIDARD_FORMAT_RAW;
	if (!d->base.has_packets || config->device_packets != DEVICE_PACKETS_DECODE)
		return 0;
	d->base.format = LIDARD_FORMAT_XYZIRT;
	return device_decode_new(config, &d->base, &d->decode, problem);
}

/* Whatever a device says of itself, these go into JSON and onto terminals. */
static void take_over_text(char *to, size_t bytes, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < bytes && from[i]; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = '\0';
}

static int device_begin(struct source_device *d, struct problem *problem)
{
	struct source *s = &d->base;
	int r;

	r = device_open(&d->device, s->config->device, problem);
	if (r == 0)
		r = find_format(d, problem);
	if (r == 0)
		r = make_decoder(d, problem);
	if (r == 0)
		r = get_memory(d, problem);
	if (r == 0 && device_get_stats(&d->device, &d->counted) < 0)
		r = problem_set(problem, -ENODEV, "%s is gone", d->device.path);
	if (r < 0)
		return r;
	if (!d->decode) {
		take_over_text(s->model, sizeof(s->model), d->device.info.name);
		take_over_text(s->serial, sizeof(s->serial), d->device.info.serial);
	}
	device_stream_init(&d->stream, pool_payload_bytes(s->config->slice_bytes), s->format,
			   d->device.info.device_clock_hz);
	d->counted_frames = d->counted_partial_frames = d->counted_clock_steps = 0;
	d->idle = false;
	return device_start(&d->device, d->copies ? LIDAR_RING_START_QUEUE_ALL : 0, problem);
}

static void device_end(struct source_device *d)
{
	device_close(&d->device);
	d->decode = device_decode_free(d->decode);
	d->feeding = false;
	free(d->slots);
	d->slots = NULL;
	d->lent = NULL;
	d->lent_count = 0;
}

static int device_source_start(struct source *s, struct problem *problem)
{
	struct source_device *d = to_device(s);
	int r;

	assert(d->device.fd < 0);
	s->notice.text[0] = '\0';
	if (s->runaway)
		return problem_set(problem, -EIO,
				   "%s did not stop writing: it and the memory it was lent are lost "
				   "until the machine starts anew",
				   s->config->device);
	r = device_begin(d, problem);
	if (r < 0)
		device_end(d);
	return r;
}

/* What was filled and not handed out, and what the kernel says it had half done. */
static void count_stopped(struct source_device *d)
{
	struct lidar_ring_desc desc;

	while (device_take(&d->device, &desc) == 1)
		drop_one(d, SOURCE_DROP_STOPPED);
	device_refresh(&d->base);
	count_stream(d);
}

static void device_source_stop(struct source *s)
{
	struct source_device *d = to_device(s);

	if (d->device.fd < 0)
		return;
	if (device_stop(&d->device) < 0 && !d->copies)
		s->runaway = true;
	if (!d->decode)
		count_stopped(d);
	device_end(d);
}

static struct source *device_source_free(struct source *s)
{
	if (s) {
		device_source_stop(s);
		free(to_device(s));
	}
	return NULL;
}

static int device_source_get_fd(struct source *s)
{
	return to_device(s)->device.fd;
}

/* --- loans --- */

static size_t device_wants(struct source *s)
{
	const struct source_device *d = to_device(s);

	if (d->decode)
		return device_decode_wants(d->decode);
	return d->lent_count < s->config->loans ? s->config->slice_bytes : 0;
}

static uint64_t offset_of(const struct source_device *d, const struct loan *loan)
{
	return (uintptr_t)loan->data - (uintptr_t)d->base.memory.base;
}

/* hot path */
static void device_lend(struct source *s, struct loan *loan)
{
	struct source_device *d = to_device(s);
	uint32_t index;

	if (d->decode) {
		device_decode_lend(d->decode, loan);
		return;
	}
	d->lent_count++;
	if (d->copies) {
		loan->next = d->lent;
		d->lent = loan;
		return;
	}
	/* memory the device was not told of: RouDi has other pools than configured, and lidard
	   is about to find out; until then the loan is left lying */
	if (!loan_memory_find(&s->memory, offset_of(d, loan), &index))
		return;
	assert(!d->slots[index]);
	d->slots[index] = loan;
	/* there is room: the ring has an entry for every slot */
	device_queue(&d->device, offset_of(d, loan));
}

/* --- slices --- */

/*
 * Nothing there: a spurious wake-up, or the end of a batch.  But twice in a row
 * the loop was told of something that is no slice.
 */
static int find_nothing(struct source_device *d, struct problem *problem)
{
	int state;

	if (!d->idle) {
		d->idle = true;
		return SOURCE_NONE;
	}
	state = device_get_state(&d->device);
	if (state < 0)
		return problem_set(problem, state, "%s is gone", d->device.path);
	if (state != LIDAR_RING_STREAMING)
		return problem_set(problem, -EPIPE, "%s was stopped by the kernel (state %d)",
				   d->device.path, state);
	return SOURCE_NONE;
}

static int refuse(struct source_device *d, int error)
{
	drop_one(d, SOURCE_DROP_DEVICE);
	return error;
}

static int refuse_offset(struct source_device *d, const struct lidar_ring_desc *desc,
			 struct problem *problem)
{
	return refuse(d, problem_set(problem, -EPROTO,
				     "%s filled a slot at offset %" PRIu64 " that it does not have",
				     d->device.path, (uint64_t)desc->offset));
}

/* Of the kernel's memory; NULL: there is none. */
static const void *slot_of(const struct source_device *d, const struct lidar_ring_desc *desc)
{
	const struct lidar_ring_layout *l = &d->device.layout;

	if (desc->offset % l->slot_bytes || desc->offset / l->slot_bytes >= l->slot_count)
		return NULL;
	return d->device.data + desc->offset;
}

/* hot path */
static void finish(struct source_device *d, struct loan *loan)
{
	struct lidard_slice_header *h = loan->header;

	if (d->base.config->crc && !(h->flags & LIDARD_SLICE_CRC_VALID)) {
		h->crc32c = crc32c(0, loan->data, h->payload_bytes);
		h->flags |= LIDARD_SLICE_CRC_VALID;
	}
	if (h->format == LIDARD_FORMAT_RAW)
		packet_taps_add_payload(&d->base.taps, loan->data, h->payload_bytes, h->filled_ns);
	d->base.stats.produced++;
	d->lent_count--;
	count_stream(d);
	if (h->lost_before)
		device_refresh(&d->base);
}

/* hot path */
static int hand_out(struct source_device *d, const struct lidar_ring_desc *desc,
		    struct loan **ret_loan, struct problem *problem)
{
	struct loan *loan;
	uint32_t index;
	int r;

	if (!loan_memory_find(&d->base.memory, desc->offset, &index) || !d->slots[index])
		return refuse_offset(d, desc, problem);
	loan = d->slots[index];
	r = device_stream_accept(&d->stream, desc, loan->data, loan->header, problem);
	if (r < 0)
		return refuse(d, r);
	d->slots[index] = NULL;
	finish(d, loan);
	*ret_loan = loan;
	return SOURCE_FILLED;
}

/* Dropped and queued again. Hot path. */
static void drop_slice(struct source_device *d, const struct lidard_slice_header *h,
		       uint64_t offset)
{
	device_stream_drop(&d->stream, h);
	drop_one(d, SOURCE_DROP_NO_LOAN);
	count_stream(d);
	device_queue(&d->device, offset);
}

/* hot path */
static int copy_out(struct source_device *d, const struct lidar_ring_desc *desc,
		    struct loan **ret_loan, struct problem *problem)
{
	const void *from = slot_of(d, desc);
	struct lidard_slice_header scratch = { 0 };
	struct loan *loan = d->lent;
	int r;

	if (!from)
		return refuse_offset(d, desc, problem);
	r = device_stream_accept(&d->stream, desc, from, loan ? loan->header : &scratch, problem);
	if (r < 0)
		return refuse(d, r);
	if (!loan) {
		drop_slice(d, &scratch, desc->offset);
		return SOURCE_NONE;
	}
	d->lent = loan->next;
	loan->next = NULL;
	memcpy(loan->data, from, loan->header->payload_bytes);
	device_queue(&d->device, desc->offset);
	d->base.stats.copied_bytes += loan->header->payload_bytes;
	/* it was filled long ago, but not what readers get */
	loan->header->filled_ns = clock_now_ns();
	LIDARD_PROBE2(filled, d->base.config->name, loan->header);
	finish(d, loan);
	*ret_loan = loan;
	return SOURCE_FILLED;
}

/* hot path */
static int feed(struct source_device *d, const struct lidar_ring_desc *desc,
		struct problem *problem)
{
	const void *from = slot_of(d, desc);
	uint64_t arrival_ns;

	if (!from)
		return refuse_offset(d, desc, problem);
	if (desc->bytes > d->device.layout.slot_bytes)
		return refuse(d, problem_set(problem, -EPROTO, "a slice of %u bytes in a slot of %" PRIu64,
					     desc->bytes, (uint64_t)d->device.layout.slot_bytes));
	arrival_ns = desc->flags & LIDAR_RING_DESC_LAST_NS ? desc->last_byte_ns : clock_now_ns();
	packet_taps_add_payload(&d->base.taps, from, desc->bytes, arrival_ns);
	device_decode_feed(d->decode, from, desc->bytes, arrival_ns);
	d->feeding = true;
	d->fed_offset = desc->offset;
	return 0;
}

/* One slot at most is decoded in a call, and the loop hears of it again. Hot path. */
static int decode_out(struct source_device *d, struct loan **ret_loan, struct problem *problem)
{
	struct lidar_ring_desc desc;
	int r;

	if (!d->feeding) {
		r = device_take(&d->device, &desc);
		if (r == 0)
			return find_nothing(d, problem);
		d->idle = false;
		r = r < 0 ? r : feed(d, &desc, problem);
		if (r < 0)
			return r;
	}
	if (device_decode_take(d->decode, ret_loan) == 1)
		return SOURCE_FILLED;
	d->feeding = false;
	device_queue(&d->device, d->fed_offset);
	return SOURCE_NONE;
}

/* hot path */
static int device_next(struct source *s, struct loan **ret_loan, struct problem *problem)
{
	struct source_device *d = to_device(s);
	struct lidar_ring_desc desc;
	uint32_t i;
	int r;

	if (d->decode)
		return decode_out(d, ret_loan, problem);
	/* slices for which there is no loan are passed over, but not for ever */
	for (i = 0; i < d->device.ring.entries; i++) {
		r = device_take(&d->device, &desc);
		if (r == 0)
			return find_nothing(d, problem);
		if (r < 0)
			return problem_set(problem, r, "%s has an impossible ready ring",
					   d->device.path);
		d->idle = false;
		r = d->copies ? copy_out(d, &desc, ret_loan, problem) :
				hand_out(d, &desc, ret_loan, problem);
		if (r != SOURCE_NONE)
			return r;
	}
	return SOURCE_NONE;
}

static const struct source_ops device_ops = {
	.name = "device",
	.start = device_source_start,
	.stop = device_source_stop,
	.free = device_source_free,
	.get_fd = device_source_get_fd,
	.wants = device_wants,
	.lend = device_lend,
	.next = device_next,
	.refresh = device_refresh,
};

int source_device_new(const struct sensor_config *config, struct source **ret_source,
		      struct problem *problem)
{
	struct source_device *d = calloc(1, sizeof(*d));

	if (!d)
		return problem_set(problem, -ENOMEM, "out of memory");
	d->base.ops = &device_ops;
	d->base.config = config;
	d->device = DEVICE_CLOSED;
	*ret_source = &d->base;
	return 0;
}
