/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-reject.c - group reject: each input that must be refused, one by one
 *
 * A row spoils one member of an argument that is good otherwise.  The device
 * must refuse it, stay as it was, and then take the good one: so a row cannot
 * pass for another reason than its own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tools/lidar-compliance-device.h"

union argument {
	struct lidar_ring_setup setup;
	struct lidar_ring_register registration;
	struct lidar_ring_start start;
	struct lidar_ring_get_frame get;
	struct lidar_ring_release_frame release;
	struct lidar_ring_export export;
	unsigned char bytes[256];
};

struct limits {
	struct lidar_ring_info info;
	uint64_t slot_bytes;
	uint64_t slot_count;
	uint64_t data_bytes;
};

/**
 * struct reject - an input that must be refused
 * @name: call and what is wrong with it
 * @request: the call
 * @stage: where it would work
 * @offset: of the member that is spoilt
 * @bytes: of it, 4 or 8
 * @count: of an array of such members, each spoilt by itself; 0: 1
 * @value: to put there
 * @value_of: likewise, if it depends on the device; 0: nothing to try
 * @other: a second good errno; 0: only -EINVAL is
 */
struct reject {
	const char *name;
	unsigned long request;
	enum device_stage stage;
	size_t offset;
	size_t bytes;
	unsigned int count;
	uint64_t value;
	uint64_t (*value_of)(const struct limits *limits);
	int other;
};

static uint64_t slot_bytes_too_large(const struct limits *l)
{
	return l->info.slot_bytes_max + LIDAR_RING_SLOT_ALIGN;
}

static uint64_t slot_bytes_too_small(const struct limits *l)
{
	return l->info.slot_bytes_min > LIDAR_RING_SLOT_ALIGN ?
		       l->info.slot_bytes_min - LIDAR_RING_SLOT_ALIGN : 0;
}

static uint64_t slot_bytes_unaligned(const struct limits *l)
{
	return l->slot_bytes + 8;
}

static uint64_t slots_too_many(const struct limits *l)
{
	return l->info.slot_count_max + 1ull;
}

static uint64_t slots_too_few(const struct limits *l)
{
	return l->info.slot_count_min - 1ull;
}

/* times slot_bytes this is past 2^64: what is left of it looks small */
static uint64_t slot_bytes_that_wrap(const struct limits *l)
{
	return UINT64_MAX / l->slot_count + 1 + LIDAR_RING_SLOT_ALIGN - 1 -
	       (UINT64_MAX / l->slot_count) % LIDAR_RING_SLOT_ALIGN;
}

static uint64_t length_too_short(const struct limits *l)
{
	return l->data_bytes - LIDAR_RING_SLOT_ALIGN;
}

static uint64_t stride_too_small(const struct limits *l)
{
	return l->slot_bytes - LIDAR_RING_SLOT_ALIGN;
}

static uint64_t stride_unaligned(const struct limits *l)
{
	return l->slot_bytes + 64;
}

static uint64_t count_too_large(const struct limits *l)
{
	return l->slot_count + 1;
}

static uint64_t count_too_small(const struct limits *l)
{
	return l->slot_count - 1;
}

static uint64_t middle_of_a_slot(const struct limits *l)
{
	return l->slot_bytes / 2;
}

static uint64_t end_of_the_slots(const struct limits *l)
{
	return l->data_bytes;
}

#define ROW(call, arg, member, text, where)                                     \
	.name = text, .request = LIDAR_RING_IOC_##call, .stage = where,         \
	.offset = offsetof(struct lidar_ring_##arg, member),                    \
	.bytes = sizeof(((struct lidar_ring_##arg *)0)->member)
#define RESERVED(call, arg, text, where)                                        \
	.name = text "_reserved_not_zero", .request = LIDAR_RING_IOC_##call,    \
	.stage = where, .offset = offsetof(struct lidar_ring_##arg, reserved),  \
	.bytes = sizeof(__u32),                                                 \
	.count = sizeof(((struct lidar_ring_##arg *)0)->reserved) / sizeof(__u32)
#define SETUP(member, text) ROW(SETUP, setup, member, "setup_" text, DEVICE_IDLE)
#define REGISTER(member, text) ROW(REGISTER, register, member, "register_" text, DEVICE_CONFIGURED)
#define START(member, text) ROW(START, start, member, "start_" text, DEVICE_STOPPED_KERNEL)
#define GET(member, text) \
	ROW(GET_FRAME, get_frame, member, "get_frame_" text, DEVICE_STREAMING_KERNEL)
#define RELEASE(member, text) \
	ROW(RELEASE_FRAME, release_frame, member, "release_frame_" text, DEVICE_STOPPED_KERNEL)
#define EXPORT(member, text) ROW(EXPORT, export, member, "export_" text, DEVICE_STOPPED_KERNEL)

static const struct reject rejects[] = {
	{SETUP(memory, "memory_0"), .value = 0},
	{SETUP(memory, "memory_3"), .value = 3},
	{SETUP(memory, "memory_as_flags"), .value = 0x80000001},
	{SETUP(memory, "memory_all_ones"), .value = UINT32_MAX},
	{SETUP(slot_count, "no_slots"), .value = 0},
	{SETUP(slot_count, "too_few_slots"), .value_of = slots_too_few},
	{SETUP(slot_count, "too_many_slots"), .value_of = slots_too_many},
	{SETUP(slot_count, "more_slots_than_any_ring"), .value = LIDAR_RING_SLOTS_MAX + 1},
	{SETUP(slot_count, "slots_all_ones"), .value = UINT32_MAX},
	{SETUP(slot_bytes, "slots_of_0_bytes"), .value = 0},
	{SETUP(slot_bytes, "slots_of_1_byte"), .value = 1},
	{SETUP(slot_bytes, "slots_unaligned"), .value_of = slot_bytes_unaligned},
	{SETUP(slot_bytes, "slots_too_small"), .value_of = slot_bytes_too_small},
	{SETUP(slot_bytes, "slots_too_large"), .value_of = slot_bytes_too_large},
	{SETUP(slot_bytes, "slots_of_4_gib"), .value = 1ull << 32},
	{SETUP(slot_bytes, "slots_all_ones"), .value = UINT64_MAX},
	{SETUP(slot_bytes, "slots_that_overflow"), .value_of = slot_bytes_that_wrap},
	{RESERVED(SETUP, setup, "setup", DEVICE_IDLE)},

	{REGISTER(address, "address_0"), .value = 0, .other = EFAULT},
	{REGISTER(address, "address_unaligned"), .value = 0x10008},
	{REGISTER(address, "address_of_the_kernel"), .value = 0xffff888000000000, .other = EFAULT},
	{REGISTER(address, "address_that_wraps"), .value = 0xfffffffffffff000, .other = EFAULT},
	{REGISTER(length, "length_0"), .value = 0},
	{REGISTER(length, "length_too_short"), .value_of = length_too_short},
	{REGISTER(length, "length_that_wraps"), .value = 0xfffffffffffff000, .other = EFAULT},
	{REGISTER(first, "first_unaligned"), .value = 16},
	{REGISTER(first, "first_leaves_no_room"), .value = LIDAR_RING_SLOT_ALIGN},
	{REGISTER(first, "first_beyond_the_end"), .value = 1ull << 40},
	{REGISTER(first, "first_that_wraps"), .value = 0xfffffffffffff000},
	{REGISTER(stride, "stride_0"), .value = 0},
	{REGISTER(stride, "stride_unaligned"), .value_of = stride_unaligned},
	{REGISTER(stride, "stride_too_small"), .value_of = stride_too_small},
	{REGISTER(stride, "stride_too_large"), .value = 1ull << 40},
	/* times any even number of slots this is 0 */
	{REGISTER(stride, "stride_that_overflows"), .value = 1ull << 63},
	{REGISTER(count, "count_0"), .value = 0},
	{REGISTER(count, "count_too_large"), .value_of = count_too_large},
	{REGISTER(count, "count_too_small"), .value_of = count_too_small},
	{REGISTER(count, "count_all_ones"), .value = UINT32_MAX},
	{RESERVED(REGISTER, register, "register", DEVICE_CONFIGURED)},

	{START(flags, "flag_1"), .value = 1 << 1},
	{START(flags, "flag_31"), .value = 1u << 31},
	{START(flags, "flags_all_ones"), .value = UINT32_MAX},
	{START(lease_ms, "lease_1_ms"), .value = 1},
	{START(lease_ms, "lease_9_ms"), .value = 9},
	{START(lease_ms, "lease_60001_ms"), .value = 60001},
	{START(lease_ms, "lease_all_ones"), .value = UINT32_MAX},
	{RESERVED(START, start, "start", DEVICE_STOPPED_KERNEL)},

	{GET(timeout_ns, "timeout_minus_2"), .value = (uint64_t)-2},
	{GET(timeout_ns, "timeout_smallest"), .value = 1ull << 63},
	{RESERVED(GET_FRAME, get_frame, "get_frame", DEVICE_STREAMING_KERNEL)},

	{RELEASE(offset, "offset_1"), .value = 1},
	{RELEASE(offset, "offset_within_a_slot"), .value_of = middle_of_a_slot},
	{RELEASE(offset, "offset_behind_the_last"), .value_of = end_of_the_slots},
	{RELEASE(offset, "offset_far_away"), .value = 1ull << 40},
	{RELEASE(offset, "offset_all_ones"), .value = UINT64_MAX},
	{RESERVED(RELEASE_FRAME, release_frame, "release_frame", DEVICE_STOPPED_KERNEL)},

	{EXPORT(kind, "kind_0"), .value = 0},
	{EXPORT(kind, "kind_4"), .value = 4},
	{EXPORT(kind, "kind_all_ones"), .value = UINT32_MAX},
	{EXPORT(flags, "flag_0"), .value = 1},
	{EXPORT(flags, "flag_o_rdwr"), .value = 2},
	{EXPORT(flags, "flags_all_ones"), .value = UINT32_MAX},
	{EXPORT(offset, "offset_of_data"), .value = LIDAR_RING_SLOT_ALIGN},
	{RESERVED(EXPORT, export, "export", DEVICE_STOPPED_KERNEL)},
};

/* An argument that the device takes where the row leads it. */
static union argument good_argument(const struct device *device, unsigned long request)
{
	union argument a = {};
	bool kernel = device->trial->info.features & LIDAR_RING_FEATURE_KERNEL_MEMORY;

	switch (request) {
	case LIDAR_RING_IOC_SETUP:
		a.setup.memory = kernel ? LIDAR_RING_MEMORY_KERNEL : LIDAR_RING_MEMORY_USER;
		a.setup.slot_count = device->trial->slot_count;
		a.setup.slot_bytes = device->trial->slot_bytes;
		break;
	case LIDAR_RING_IOC_REGISTER:
		a.registration = device_get_registration(device);
		break;
	case LIDAR_RING_IOC_START:
		a.start.flags = LIDAR_RING_START_QUEUE_ALL;
		break;
	case LIDAR_RING_IOC_GET_FRAME:
		a.get.timeout_ns = PATIENCE_MS * 1000000ll;
		break;
	case LIDAR_RING_IOC_EXPORT:
		a.export.kind = LIDAR_RING_EXPORT_DATA;
		break;
	default:
		break;
	}
	return a;
}

static void spoil(union argument *argument, const struct reject *row, unsigned int index,
		  uint64_t value)
{
	const uint32_t narrow = (uint32_t)value;
	unsigned char *member = argument->bytes + row->offset + index * row->bytes;

	if (row->bytes == sizeof(narrow))
		memcpy(member, &narrow, sizeof(narrow));
	else
		memcpy(member, &value, sizeof(value));
}

static void expect_refusal(const struct device *device, const struct reject *row,
			   unsigned int index, uint64_t value)
{
	union argument argument = good_argument(device, row->request);
	uint32_t state = device_get_info(device).state;
	char what[COMPLIANCE_NAME_MAX];
	long r;

	spoil(&argument, row, index, value);
	snprintf(what, sizeof(what), "value 0x%llx in word %u", (unsigned long long)value, index);
	r = device_call(device->fd, row->request, &argument);
	trial_expect_either(device->trial, what, r, EINVAL, row->other ? row->other : EINVAL);
	trial_require(device->trial, device_get_info(device).state == state,
		      "%s: refused, but the state changed from %u to %u", what, state,
		      device_get_info(device).state);
}

static uint64_t value_for(const struct device *device, const struct reject *row)
{
	const struct trial *trial = device->trial;
	const struct limits limits = {
		.info = trial->info,
		.slot_bytes = trial->slot_bytes,
		.slot_count = trial->slot_count,
		.data_bytes = trial->slot_bytes * trial->slot_count,
	};

	if (row->count)
		return 1;
	return row->value_of ? row->value_of(&limits) : row->value;
}

static void run_reject(const struct trial *trial, const void *arg)
{
	const struct reject *row = arg;
	union argument good;
	struct device device;
	unsigned int i;

	device_ready(&device, trial, row->stage);
	if (row->stage == DEVICE_CONFIGURED)
		device_make_user_memory(&device, 0);
	for (i = 0; i < (row->count ? row->count : 1); i++) {
		expect_refusal(&device, row, i, value_for(&device, row));
		if (row->count)
			expect_refusal(&device, row, i, 1u << 31);
	}
	good = good_argument(&device, row->request);
	trial_expect(trial, "the same, unspoilt", device_call(device.fd, row->request, &good), 0);
}

/* KERNEL memory for all of them together is limited, too */
static void setup_of_too_much_memory(const struct trial *trial, const void *arg)
{
	struct lidar_ring_setup setup = {
		.memory = LIDAR_RING_MEMORY_KERNEL,
		.slot_count = trial->info.slot_count_max,
		.slot_bytes = trial->info.slot_bytes_max,
	};
	struct device device;

	if (setup.slot_bytes <= trial->info.data_bytes_max / setup.slot_count)
		trial_skip(trial, "the device's limits allow no such thing");
	device_open(&device, trial);
	trial_expect_either(trial, "SETUP", device_call(device.fd, LIDAR_RING_IOC_SETUP, &setup),
			    EINVAL, ENOMEM);
	trial_require(trial, device_get_info(&device).state == LIDAR_RING_IDLE, "state changed");
}

static void dmabuf_offset(const struct trial *trial, uint32_t kind, uint64_t offset)
{
	struct lidar_ring_export export = { .kind = kind, .offset = offset };
	struct device device;

	device_ready(&device, trial, DEVICE_STOPPED_KERNEL);
	trial_expect(trial, "EXPORT", device_call(device.fd, LIDAR_RING_IOC_EXPORT, &export),
		     EINVAL);
}

static void dmabuf_ring_with_offset(const struct trial *trial, const void *arg)
{
	dmabuf_offset(trial, LIDAR_RING_EXPORT_DMABUF_RING, trial->slot_bytes);
}

static void dmabuf_slot_within_a_slot(const struct trial *trial, const void *arg)
{
	dmabuf_offset(trial, LIDAR_RING_EXPORT_DMABUF_SLOT, trial->slot_bytes / 2);
}

static void dmabuf_slot_behind_the_last(const struct trial *trial, const void *arg)
{
	dmabuf_offset(trial, LIDAR_RING_EXPORT_DMABUF_SLOT, trial->slot_bytes * trial->slot_count);
}

static const struct check checks[] = {
	{ "setup_too_much_memory", setup_of_too_much_memory, .needs = NEEDS_KERNEL_MEMORY },
	{ "export_dmabuf_ring_with_offset", dmabuf_ring_with_offset, .needs = NEEDS_DMABUF },
	{ "export_dmabuf_slot_within_a_slot", dmabuf_slot_within_a_slot, .needs = NEEDS_DMABUF },
	{ "export_dmabuf_slot_behind_the_last", dmabuf_slot_behind_the_last,
	  .needs = NEEDS_DMABUF },
};

void add_reject_checks(struct check_list *list)
{
	size_t i;

	for (i = 0; i < COUNT_OF(rejects); i++) {
		struct check check = { rejects[i].name, run_reject, &rejects[i] };

		check_list_add(list, "reject", &check);
	}
	check_list_add_table(list, "reject", checks, COUNT_OF(checks));
}
