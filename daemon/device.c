/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - see device.h */
#include "daemon/device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

#define BUSY_POLL_NS (20 * NSEC_PER_MSEC)
/* One that is being filled, and the next. */
#define SPARE_SLOTS 2

static int call(const struct device *d, unsigned long request, void *argument)
{
	int r;

	do
		r = ioctl(d->fd, request, argument);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* --- life --- */

static int say_cannot_open(const char *path, int error, struct problem *problem)
{
	switch (error) {
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		return problem_set(problem, error,
				   "there is no %s: is the sensor connected and the lidar_ring module "
				   "loaded?",
				   path);
	case -EACCES:
	case -EPERM:
		return problem_set(problem, error,
				   "no permission to open %s: it must belong to group lidard "
				   "(60-lidard.rules), and lidard.service needs DeviceAllow=char-lidar rw",
				   path);
	}
	return problem_set(problem, error, "cannot open %s: %s", path, strerror(-error));
}

static int ask(struct device *d, struct problem *problem)
{
	int r = call(d, LIDAR_RING_IOC_INFO, &d->info);

	if (r == -ENOTTY)
		return problem_set(problem, r, "%s is not a LIDAR device of lidar_ring", d->path);
	if (r < 0)
		return problem_set(problem, r, "%s does not say what it is: %s", d->path,
				   strerror(-r));
	d->info.name[sizeof(d->info.name) - 1] = '\0';
	d->info.serial[sizeof(d->info.serial) - 1] = '\0';
	return 0;
}

int device_open(struct device *d, const char *path, struct problem *problem)
{
	int r;

	*d = (struct device){
		.fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
		.path = path,
	};
	if (d->fd < 0)
		return say_cannot_open(path, -errno, problem);
	r = ask(d, problem);
	if (r < 0)
		device_close(d);
	return r;
}

void device_close(struct device *d)
{
	/* a mapping keeps the file open, and with it us its owner */
	if (d->control)
		munmap(d->control, d->layout.control_bytes);
	if (d->data)
		munmap((void *)(uintptr_t)d->data, d->layout.data_bytes);
	close_fd(d->fd);
	*d = DEVICE_CLOSED;
}

/* --- memory --- */

static int say_cannot_set_up(const struct device *d, int error, const struct lidar_ring_setup *s,
			     struct problem *problem)
{
	const struct lidar_ring_info *i = &d->info;

	if (error == -EBUSY)
		return problem_set(problem, error, "%s is in use by process %d", d->path,
				   i->owner_pid);
	if (error == -EINVAL)
		return problem_set(problem, error,
				   "%s does not take %u slots of %" PRIu64 " bytes: it takes %u to %u of "
				   "%" PRIu64 " to %" PRIu64 " bytes, at most %" PRIu64
				   " in all: change slice_bytes, loans or subscriber_slices",
				   d->path, s->slot_count, (uint64_t)s->slot_bytes, i->slot_count_min,
				   i->slot_count_max, (uint64_t)i->slot_bytes_min,
				   (uint64_t)i->slot_bytes_max, (uint64_t)i->data_bytes_max);
	return problem_set(problem, error, "%s: no memory for %u slots of %" PRIu64 " bytes: %s",
			   d->path, s->slot_count, (uint64_t)s->slot_bytes, strerror(-error));
}

static int map_control(struct device *d, struct problem *problem)
{
	const struct lidar_ring_layout *l = &d->layout;
	void *control = mmap(NULL, l->control_bytes, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_POPULATE, d->fd, (off_t)l->control_offset);

	if (control == MAP_FAILED)
		return problem_set(problem, -errno, "cannot map the control page of %s: %s", d->path,
				   strerror(errno));
	d->control = control;
	return device_ring_init(&d->ring, l, control, problem);
}

static int set_up(struct device *d, uint32_t memory, uint32_t slot_count, uint64_t slot_bytes,
		  struct problem *problem)
{
	struct lidar_ring_setup s = {
		.memory = memory,
		.slot_count = slot_count,
		.slot_bytes = slot_bytes,
	};
	int r = call(d, LIDAR_RING_IOC_SETUP, &s);

	if (r < 0) {
		ask(d, NULL); /* who has it now? */
		return say_cannot_set_up(d, r, &s, problem);
	}
	d->layout = s.layout;
	return map_control(d, problem);
}

static int say_cannot_pin(const struct device *d, int error, const struct loan_memory *m,
			  struct problem *problem)
{
	uint64_t bytes = m->payload_bytes * m->count;
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (error == -ENOMEM && bytes > limit.rlim_cur)
		return problem_set(problem, error,
				   "may not pin %" PRIu64 " MiB of shared memory for %s, the limit is "
				   "%" PRIu64 " KiB: set LimitMEMLOCK=infinity for lidard.service",
				   bytes >> 20, d->path, (uint64_t)limit.rlim_cur >> 10);
	return problem_set(problem, error, "%s cannot use the shared memory (%u slots, %" PRIu64
			   " MiB): %s", d->path, m->count, bytes >> 20, strerror(-error));
}

int device_use_memory(struct device *d, const struct loan_memory *m, struct problem *problem)
{
	struct lidar_ring_register where = {
		.address = (uintptr_t)m->base,
		.length = m->bytes,
		.first = m->first,
		.stride = m->stride,
		.count = m->count,
	};
	int r;

	if (!(d->info.features & LIDAR_RING_FEATURE_USER_MEMORY))
		return problem_set(problem, -EOPNOTSUPP, "%s cannot reach the memory of a process",
				   d->path);
	if (m->count == 0)
		return problem_set(problem, -EOPNOTSUPP,
				   "the transport does not say where its memory lies");
	r = set_up(d, LIDAR_RING_MEMORY_USER, m->count, m->payload_bytes, problem);
	if (r < 0)
		return r;
	r = call(d, LIDAR_RING_IOC_REGISTER, &where);
	return r < 0 ? say_cannot_pin(d, r, m, problem) : 0;
}

int device_make_memory(struct device *d, uint32_t slot_count, uint64_t slot_bytes,
		       struct problem *problem)
{
	void *data;
	int r;

	if (!(d->info.features & LIDAR_RING_FEATURE_KERNEL_MEMORY))
		return problem_set(problem, -EOPNOTSUPP, "%s has no memory of its own", d->path);
	r = set_up(d, LIDAR_RING_MEMORY_KERNEL, slot_count, slot_bytes, problem);
	if (r < 0)
		return r;
	if (d->layout.slot_bytes != slot_bytes || d->layout.slot_count != slot_count ||
	    d->layout.data_bytes / slot_bytes < slot_count)
		return problem_set(problem, -EPROTO, "%s made other slots than it was asked for",
				   d->path);
	data = mmap(NULL, d->layout.data_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, d->fd,
		    (off_t)d->layout.data_offset);
	if (data == MAP_FAILED)
		return problem_set(problem, -errno, "cannot map the slots of %s: %s", d->path,
				   strerror(errno));
	d->data = data;
	return 0;
}

/* --- running --- */

int device_start(struct device *d, uint32_t flags, struct problem *problem)
{
	struct lidar_ring_start s = { .flags = flags };
	int r = call(d, LIDAR_RING_IOC_START, &s);

	d->given = flags & LIDAR_RING_START_QUEUE_ALL ? d->layout.slot_count : 0;
	return r < 0 ? problem_set(problem, r, "%s does not start: %s", d->path, strerror(-r)) : 0;
}

int device_stop(struct device *d)
{
	/* a device that is gone writes nothing either */
	return d->fd >= 0 && call(d, LIDAR_RING_IOC_STOP, NULL) == -EIO ? -EIO : 0;
}

int device_get_stats(const struct device *d, struct lidar_ring_stats *ret_stats)
{
	return call(d, LIDAR_RING_IOC_STATS, ret_stats);
}

int device_get_state(const struct device *d)
{
	struct lidar_ring_info info;
	int r = call(d, LIDAR_RING_IOC_INFO, &info);

	return r < 0 ? r : (int)info.state;
}

int device_queue(struct device *d, uint64_t offset)
{
	if (!device_ring_push(&d->ring, offset))
		return -ENOSPC;
	d->given++;
	/* a device that is gone or was halted says so when it is polled */
	if (device_ring_needs_wakeup(&d->ring) ||
	    device_ring_count_spare(&d->ring, d->given) < SPARE_SLOTS)
		call(d, LIDAR_RING_IOC_KICK, NULL);
	return 0;
}

int device_take(struct device *d, struct lidar_ring_desc *ret_desc)
{
	int r = device_ring_pop(&d->ring, ret_desc);

	/* a descriptor more than slots were given names none of them, and is refused for that */
	if (r == 1 && d->given)
		d->given--;
	return r;
}

int device_wait_until_free(const char *path, uint64_t timeout_ns, struct problem *problem)
{
	const struct timespec nap = clock_to_timespec(BUSY_POLL_NS);
	uint64_t end_ns = clock_now_ns() + timeout_ns;
	struct device d;
	int r;

	r = device_open(&d, path, problem);
	if (r == -ENOENT || r == -ENXIO || r == -ENODEV)
		return 0;
	while (r == 0 && d.info.state != LIDAR_RING_IDLE && clock_now_ns() < end_ns) {
		nanosleep(&nap, NULL);
		r = ask(&d, problem);
	}
	if (r == 0 && d.info.state != LIDAR_RING_IDLE)
		r = problem_set(problem, -EBUSY, "%s is in use by process %d", path,
				d.info.owner_pid);
	if (r == -ENODEV)
		r = 0;
	device_close(&d);
	return r;
}
