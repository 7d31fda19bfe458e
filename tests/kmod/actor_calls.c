/* SPDX-License-Identifier: Apache-2.0 */
/* actor_calls.c - what an actor does with the calls of uapi/lidar_ring.h */
#include "tests/kmod/actor_moves.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/kmod/sim.h"

/* @argument has room for whatever a request's size may say. */
static int call(struct actor *a, unsigned long request, void *argument, size_t bytes)
{
	int fd = actor_ring_file(a), ret;

	if (bytes && one_in(a, 12))
		((uint8_t *)argument)[below(a, bytes)] ^= (uint8_t)(1u << below(a, 8));
	actor_begin_failing(a);
	ret = ioctl(fd, request, one_in(a, 20) ? actor_somewhere(a, argument) : argument);
	actor_end_failing(a);
	a->place->worked[a->place->action] += !ret;
	return ret;
}

union argument {
	struct lidar_ring_info info;
	struct lidar_ring_setup setup;
	struct lidar_ring_register reg;
	struct lidar_ring_start start;
	struct lidar_ring_stats stats;
	struct lidar_ring_get_frame get_frame;
	struct lidar_ring_release_frame release_frame;
	struct lidar_ring_export export;
	struct lidar_ring_layout layout;
	uint8_t bytes[1 << 14];
};

void move_ask(struct actor *a)
{
	union argument arg = {};

	if (one_in(a, 2))
		call(a, LIDAR_RING_IOC_INFO, &arg, 0);
	else
		call(a, LIDAR_RING_IOC_STATS, &arg, 0);
}

void move_set_up(struct actor *a)
{
	static const uint32_t counts[] = {1, 2, 3, 4, 8, 16, 17, 64, 4096};
	static const uint64_t sizes[] = {4096, 8192, 16384, 65536, 1 << 20, 64 << 20};
	union argument arg = {.setup = {
		.memory = one_in(a, 2) ? LIDAR_RING_MEMORY_KERNEL : LIDAR_RING_MEMORY_USER,
		.slot_count = one_in(a, 16) ? (uint32_t)any(a) : ONE_OF(a, counts),
		.slot_bytes = one_in(a, 16) ? any(a) : ONE_OF(a, sizes),
	}};

	/* too large is to be refused, as large as possible would starve the others */
	if (arg.setup.memory == LIDAR_RING_MEMORY_KERNEL && arg.setup.slot_bytes <= 64 << 20 &&
	    arg.setup.slot_bytes * arg.setup.slot_count > ACTOR_BYTES_MAX)
		arg.setup.slot_count = one_in(a, 2) ? LIDAR_RING_SLOTS_MAX : 1;
	if (arg.setup.slot_count == LIDAR_RING_SLOTS_MAX && arg.setup.slot_bytes > 8192)
		arg.setup.slot_bytes = 64 << 20;
	if (call(a, LIDAR_RING_IOC_SETUP, &arg, sizeof(arg.setup)))
		return;
	a->layout = arg.setup.layout;
	a->user = arg.setup.memory == LIDAR_RING_MEMORY_USER;
}

/* Memory of all kinds, most of it such as can be registered. */
static void *any_memory(struct actor *a, size_t bytes)
{
	int flags = one_in(a, 2) ? MAP_SHARED | MAP_ANONYMOUS : MAP_PRIVATE | MAP_ANONYMOUS;
	int prot = one_in(a, 12) ? PROT_READ : PROT_READ | PROT_WRITE;
	struct actor_mapping *mapping = actor_any_mapping(a);
	int fd = -1;
	void *at;

	if (mapping->at && one_in(a, 8))
		return mapping->at;
	if (one_in(a, 3)) {
		fd = one_in(a, 4) ? open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) :
				    memfd_create("actor", MFD_CLOEXEC);
		flags = MAP_SHARED;
		if (fd < 0 || ftruncate(fd, (off_t)(one_in(a, 8) ? bytes / 2 : bytes)))
			flags |= MAP_ANONYMOUS;
	}
	at = mmap(NULL, bytes, prot, flags, fd, 0);
	if (fd >= 0)
		close(fd);
	mapping = actor_keep_mapping(a, at, bytes);
	return mapping ? mapping->at : NULL;
}

void move_register_memory(struct actor *a)
{
	uint64_t gap = one_in(a, 2) ? 0 : SIM_PAGE, slot = a->layout.slot_bytes ?: 4096;
	uint32_t count = a->layout.slot_count ?: 1;
	union argument arg = {.reg = {
		.length = gap + count * (slot + gap),
		.first = gap,
		.stride = slot + gap,
		.count = count,
	}};

	if (arg.reg.length > ACTOR_BYTES_MAX)
		return;
	arg.reg.address = (uintptr_t)any_memory(a, arg.reg.length);
	switch (below(a, 24)) {
	case 0: arg.reg.address = any(a); break;
	case 1: arg.reg.length = any(a); break;
	case 2: arg.reg.first = any(a); break;
	case 3: arg.reg.stride = one_in(a, 2) ? any(a) : 0; break;
	case 4: arg.reg.count += below(a, 3) - 1; break;
	case 5: arg.reg.address += 64; break;
	default: break;
	}
	call(a, LIDAR_RING_IOC_REGISTER, &arg, sizeof(arg.reg));
}

void move_start_stream(struct actor *a)
{
	union argument arg = {.start = {
		.flags = one_in(a, 8) ? below(a, 4) : LIDAR_RING_START_QUEUE_ALL,
		.lease_ms = one_in(a, 2) ? 0 : 10 + below(a, 100),
	}};

	call(a, LIDAR_RING_IOC_START, &arg, sizeof(arg.start));
}

void move_stop_stream(struct actor *a)
{
	call(a, LIDAR_RING_IOC_STOP, NULL, 0);
}

void move_kick(struct actor *a)
{
	call(a, LIDAR_RING_IOC_KICK, NULL, 0);
}

void move_get_frame(struct actor *a)
{
	static const int64_t timeouts[] = {0, 1000, 1000000, 20000000, -1};
	union argument arg = {.get_frame = {
		.timeout_ns = one_in(a, 16) ? (int64_t)any(a) : ONE_OF(a, timeouts)}};
	union argument release;

	if (call(a, LIDAR_RING_IOC_GET_FRAME, &arg, sizeof(arg.get_frame)) || one_in(a, 4))
		return;
	release = (union argument){.release_frame.offset = arg.get_frame.desc.offset};
	call(a, LIDAR_RING_IOC_RELEASE_FRAME, &release, sizeof(release.release_frame));
}

uint64_t actor_any_offset(struct actor *a)
{
	uint64_t slot = a->layout.slot_bytes ?: 4096;

	switch (below(a, 6)) {
	case 0: return any(a);
	case 1: return slot * below(a, 5000) + SIM_PAGE * below(a, 3);
	/* where move_register_memory() leaves a gap */
	case 2: return SIM_PAGE + (slot + SIM_PAGE) * below(a, a->layout.slot_count + 1);
	default: return slot * below(a, a->layout.slot_count + 1);
	}
}

void move_release_frame(struct actor *a)
{
	union argument arg = {.release_frame = {.offset = actor_any_offset(a)}};

	call(a, LIDAR_RING_IOC_RELEASE_FRAME, &arg, sizeof(arg.release_frame));
}

void move_export(struct actor *a)
{
	union argument arg = {.export = {.kind = 1 + below(a, one_in(a, 8) ? 5 : 3), .fd = -1}};

	if (arg.export.kind == LIDAR_RING_EXPORT_DMABUF_SLOT)
		arg.export.offset = actor_any_offset(a);
	if (!call(a, LIDAR_RING_IOC_EXPORT, &arg, sizeof(arg.export)) && arg.export.fd > 2)
		actor_keep_file(a, arg.export.fd);
}

void move_adopt(struct actor *a)
{
	union argument arg = {};

	if (!call(a, LIDAR_RING_IOC_ADOPT, &arg, sizeof(arg.layout)))
		a->layout = arg.layout;
}

void move_call_nonsense(struct actor *a)
{
	union argument arg;
	unsigned long request = any(a) & UINT32_MAX;
	size_t i;

	for (i = 0; i < sizeof(arg); i += 8)
		*(uint64_t *)(void *)(arg.bytes + i) = any(a);
	if (!one_in(a, 8))
		request = _IOC(below(a, 4), LIDAR_RING_IOC_MAGIC, below(a, 16), below(a, 300));
	/* which is for the terminal, or waits: not ours */
	actor_begin_failing(a);
	ioctl(actor_open_file(a), request, &arg);
	actor_end_failing(a);
}

/* ---- a stream ---- */

/* Return: whether there is a ring now in that file. */
static bool set_up_file(struct actor *a, int *file)
{
	if (*file >= 0)
		close(*file);
	*file = actor_open_any_device(a);
	a->ring = file;
	a->layout = (struct lidar_ring_layout){};
	if (*file >= 0)
		move_set_up(a);
	return a->layout.entries;
}

/* All in order, for once: so that there are streams to do things to. */
void move_begin_stream(struct actor *a)
{
	int *file = actor_any_file(a), tries = 6;

	/* who has a ring and it streams may leave it at that */
	if (a->ring && *a->ring >= 0 && !one_in(a, 6) && sim_state(*a->ring) == LIDAR_RING_STREAMING)
		return;
	while (!set_up_file(a, file) && tries--)
		;
	if (!a->layout.entries)
		return;
	move_map_file(a);
	if (a->user)
		move_register_memory(a);
	move_start_stream(a);
	move_use_rings(a);
}
