// SPDX-License-Identifier: GPL-2.0
/*
 * ioctl.c - the calls of uapi/lidar_ring.h
 *
 * One function a call, all called with ring->lock held; arguments are copied in
 * before and out after, and REGISTER lets go of it while it pins pages, so that a
 * page fault, which may take for ever, never waits under the lock.  INFO
 * and STATS answer anybody; the rest is for the process that owns the ring.
 */
#include <linux/file.h>
#include <linux/fcntl.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "core.h"

struct arguments {
	struct file *made;	/* to be installed once the caller has its number */
	union {
		struct lidar_ring_info info;
		struct lidar_ring_setup setup;
		struct lidar_ring_register reg;
		struct lidar_ring_start start;
		struct lidar_ring_stats stats;
		struct lidar_ring_get_frame get_frame;
		struct lidar_ring_release_frame release_frame;
		struct lidar_ring_export export;
		struct lidar_ring_layout layout;
		u8 bytes[256];
	};
};

#define is_zero(field) (!memchr_inv(&(field), 0, sizeof(field)))

/**
 * lidar_check_owner() - who may use the ring; called with ring->lock, or without
 * @ring: whose
 * @file: of the call
 *
 * Return: 0; -ENODEV; -EINVAL: nobody owns the ring; -EPERM: the caller does not.
 */
int lidar_check_owner(struct lidar_ring *ring, struct file *file)
{
	/* acquire: who sees an owner sees all that SETUP made, see there */
	struct file *owner = smp_load_acquire(&ring->owner);

	if (lidar_ring_gone(ring))
		return -ENODEV;
	if (!owner)
		return -EINVAL;
	if (owner != file || READ_ONCE(ring->owner_pid) != task_tgid(current))
		return -EPERM;
	return 0;
}

/**
 * lidar_forget_owner() - give back all that SETUP and REGISTER made
 * @ring: its stream is stopped
 *
 * Return: the memory, which the device can reach no more: to be closed without
 * ring->lock.
 */
struct lidar_memory *lidar_forget_owner(struct lidar_ring *ring)
{
	struct lidar_memory *memory = ring->memory;

	if (!ring->runaway)
		lidar_memory_unmap(memory);
	ring->memory = NULL;
	ring->read_slot = NULL;
	lidar_control_deinit(&ring->control);
	put_pid(ring->owner_pid);
	WRITE_ONCE(ring->owner_pid, NULL);
	WRITE_ONCE(ring->owner, NULL);
	/* not before: who sees it idle may set it up */
	if (!ring->gone && !ring->runaway)
		WRITE_ONCE(ring->state, LIDAR_RING_IDLE);
	return memory;
}

static u64 data_bytes_max(void)
{
	return min_t(u64, (u64)totalram_pages() << PAGE_SHIFT >> 1,
		     (u64)LIDAR_RING_SLOTS_MAX * LIDAR_RING_SLOT_BYTES_MAX);
}

static int call_info(struct lidar_ring *ring, struct file *file, struct arguments *arg)
{
	arg->info = (struct lidar_ring_info){
		.features = ring->config.features | LIDAR_RING_FEATURE_KERNEL_MEMORY |
			    LIDAR_RING_FEATURE_USER_MEMORY | LIDAR_RING_FEATURE_DMABUF,
		.slot_bytes_min = max_t(u64, PAGE_SIZE, LIDAR_RING_SLOT_ALIGN),
		.slot_bytes_max = ring->config.slot_bytes_max,
		.data_bytes_max = data_bytes_max(),
		.device_clock_hz = ring->config.device_clock_hz,
		.slot_count_min = 1,
		.slot_count_max = LIDAR_RING_SLOTS_MAX,
		.state = ring->state,
		.format = ring->config.format,
		.queue_depth = ring->config.queue_depth ?: LIDAR_RING_SLOTS_MAX,
		.owner_pid = pid_vnr(ring->owner_pid),
	};
	strscpy(arg->info.name, ring->name, sizeof(arg->info.name));
	strscpy(arg->info.serial, ring->serial, sizeof(arg->info.serial));
	return 0;
}

static int call_stats(struct lidar_ring *ring, struct file *file, struct arguments *arg)
{
	arg->stats = ring->stats;
	return 0;
}

static int check_setup(const struct lidar_ring *ring, const struct lidar_ring_setup *setup)
{
	if (!is_zero(setup->reserved))
		return -EINVAL;
	if (setup->memory != LIDAR_RING_MEMORY_KERNEL && setup->memory != LIDAR_RING_MEMORY_USER)
		return -EINVAL;
	if (!setup->slot_count || setup->slot_count > LIDAR_RING_SLOTS_MAX)
		return -EINVAL;
	if (!setup->slot_bytes || setup->slot_bytes > ring->config.slot_bytes_max ||
	    setup->slot_bytes & (LIDAR_RING_SLOT_ALIGN - 1) || !PAGE_ALIGNED(setup->slot_bytes))
		return -EINVAL;
	/* neither factor is so large that the product could overflow */
	if (setup->memory == LIDAR_RING_MEMORY_KERNEL &&
	    setup->slot_count * setup->slot_bytes > data_bytes_max())
		return -EINVAL;
	return 0;
}

static int call_setup(struct lidar_ring *ring, struct file *file, struct arguments *arg)
{
	struct lidar_memory *memory;
	int ret = check_setup(ring, &arg->setup);

	if (ret)
		return ret;
	if (ring->owner)
		return -EBUSY;
	/* an earlier owner's memory is being written to, see lidar_memory_close() */
	if (ring->runaway)
		return -EIO;
	memory = lidar_memory_new(ring, &arg->setup);
	if (IS_ERR(memory))
		return PTR_ERR(memory);
	ret = lidar_control_init(&ring->control, memory);
	if (ret) {
		lidar_memory_close(memory);
		return ret;
	}
	ring->memory = memory;
	ring->state = memory->kind == LIDAR_RING_MEMORY_KERNEL ? LIDAR_RING_STOPPED :
								  LIDAR_RING_CONFIGURED;
	lidar_control_set_wakeup(&ring->control, true);
	ring->owner_pid = get_pid(task_tgid(current));
	/* release: mmap() and poll() look at all this without the lock */
	smp_store_release(&ring->owner, file);
	arg->setup.layout = ring->control.layout;
	return 0;
}

static int call_register(struct lidar_ring *ring, struct file *file, struct arguments *arg)
{
	struct lidar_memory *memory = ring->memory;
	int ret;

	if (!is_zero(arg->reg.reserved) || memory->kind != LIDAR_RING_MEMORY_USER)
		return -EINVAL;
	if (memory->registering)
		return -EBUSY;
	if (memory->mm)
		return -EEXIST;
	memory->registering = true;
	ret = lidar_memory_register(memory, &arg->reg);
	memory->registering = false;
	if (!ret)
		ring->state = LIDAR_RING_STOPPED;
	return ret;
}

static int call_start(struct lidar_ring *ring, struct file *file, struct arguments *arg)
{
	const struct lidar_ring_start *start = &arg->start;

	if (start->flags & ~LIDAR_RING_START_QUEUE_ALL || !is_zero(start->reserved))
		return -EINVAL;
	if (start->lease_ms && (start->lease_ms < 10 || start->lease_ms > 60000))
		return -EINVAL;
	if (ring->state == LIDAR_RING_STREAMING || ring->state == LIDAR_RING_HALTED)
		return -EBUSY;
	if (ring->state != LIDAR_RING_STOPPED || ring->memory->mm_dead)
		return -EINVAL;
	return lidar_stream_start(ring, start->flags, start->lease_ms);
}

static int call_stop(struct lidar_ring *ring, struct file *file, struct arguments *arg)
{
	if (ring->state == LIDAR_RING_STREAMING || ring->state == LIDAR_RING_HALTED)
		return lidar_stream_stop(ring, LIDAR_RING_STOPPED);
	return 0;
}

static int call_kick(struct lidar_ring *ring, struct file *file, struct arguments *arg)
{
	ring->stats.kicks++;
	lidar_stream_service(ring);
	return ring->state == LIDAR_RING_STREAMING ? 0 : -EPIPE;
}

static int call_release_frame(struct lidar_ring *ring, struct file *file, struct arguments *arg)
{
	struct lidar_slot *slot = lidar_memory_slot_at(ring->memory, arg->release_frame.offset);

	/* CONFIGURED: USER memory that is not there yet */
	if (!is_zero(arg->release_frame.reserved) || !slot ||
	    ring->state == LIDAR_RING_CONFIGURED)
		return -EINVAL;
	return lidar_stream_give(ring, slot);
}

static int call_export(struct lidar_ring *ring, struct file *file, struct arguments *arg)
{
	struct lidar_ring_export *export = &arg->export;
	struct lidar_slot *slot = lidar_memory_slot_at(ring->memory, export->offset);
	struct file *made;
	int fd;

	if (export->flags || !is_zero(export->reserved) ||
	    export->kind < LIDAR_RING_EXPORT_DATA || export->kind > LIDAR_RING_EXPORT_DMABUF_SLOT)
		return -EINVAL;
	if (ring->memory->kind != LIDAR_RING_MEMORY_KERNEL)
		return -EOPNOTSUPP;
	if (export->kind == LIDAR_RING_EXPORT_DMABUF_SLOT ? !slot : export->offset)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	made = lidar_export(ring->memory, export->kind, slot);
	if (IS_ERR(made)) {
		put_unused_fd(fd);
		return PTR_ERR(made);
	}
	arg->made = made;
	export->fd = fd;
	return 0;
}

static void finish_export(struct arguments *arg, int error)
{
	if (!error) {
		fd_install(arg->export.fd, arg->made);
		return;
	}
	put_unused_fd(arg->export.fd);
	fput(arg->made);
}

/* A leader that has ended remains to be waited for while its threads may live. */
static bool alive(struct pid *pid)
{
	struct task_struct *leader;
	bool alive;

	rcu_read_lock();
	leader = pid_task(pid, PIDTYPE_TGID);
	alive = leader && !(READ_ONCE(leader->exit_state) && thread_group_empty(leader));
	rcu_read_unlock();
	return alive;
}

static int call_adopt(struct lidar_ring *ring, struct file *file, struct arguments *arg)
{
	struct pid *dead = ring->owner_pid;

	if (!ring->owner || ring->memory->kind != LIDAR_RING_MEMORY_KERNEL)
		return -EINVAL;
	if (alive(dead))
		return -EBUSY;
	if (ring->owner != file)
		return -EPERM;
	WRITE_ONCE(ring->owner_pid, get_pid(task_tgid(current)));
	put_pid(dead);
	lidar_stream_renew(ring);
	arg->layout = ring->control.layout;
	return 0;
}

/** Who may make a call, beside the owner. */
enum who { OWNER, ANYBODY, STREAMER };

static const struct call {
	unsigned int cmd;
	enum who who;
	int (*function)(struct lidar_ring *ring, struct file *file, struct arguments *arg);
} calls[] = {
	{ LIDAR_RING_IOC_INFO, ANYBODY, call_info },
	{ LIDAR_RING_IOC_SETUP, ANYBODY, call_setup },
	{ LIDAR_RING_IOC_REGISTER, OWNER, call_register },
	{ LIDAR_RING_IOC_START, OWNER, call_start },
	{ LIDAR_RING_IOC_STOP, OWNER, call_stop },
	{ LIDAR_RING_IOC_STATS, ANYBODY, call_stats },
	{ LIDAR_RING_IOC_KICK, STREAMER, call_kick },
	{ LIDAR_RING_IOC_RELEASE_FRAME, OWNER, call_release_frame },
	{ LIDAR_RING_IOC_EXPORT, OWNER, call_export },
	{ LIDAR_RING_IOC_ADOPT, ANYBODY, call_adopt },
};

static_assert(sizeof(struct lidar_ring_stats) <= sizeof_field(struct arguments, bytes));
static_assert(sizeof(struct lidar_ring_info) <= sizeof_field(struct arguments, bytes));
static_assert(sizeof(struct lidar_ring_setup) <= sizeof_field(struct arguments, bytes));

static const struct call *find_call(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].cmd == cmd)
			return &calls[i];
	return NULL;
}

/* Under the lock, for who may make the call. */
static int admit(struct lidar_ring *ring, struct file *file, enum who who)
{
	int ret = lidar_check_owner(ring, file);

	if (ret == -ENODEV)
		return ret;
	if (!ret)
		lidar_stream_renew(ring);
	if (who == ANYBODY)
		return 0;
	/* where nothing is set up, nothing streams */
	return who == STREAMER && ret == -EINVAL ? -EPIPE : ret;
}

static bool frame_there(struct lidar_ring *ring)
{
	return lidar_ring_gone(ring) || READ_ONCE(ring->state) != LIDAR_RING_STREAMING ||
	       lidar_control_pending(&ring->control);
}

static int try_get_frame(struct lidar_ring *ring, struct file *file, struct lidar_slot **ret_slot)
{
	struct lidar_slot *slot;
	int ret;

	mutex_lock(&ring->lock);
	ret = admit(ring, file, STREAMER);
	if (!ret) {
		slot = lidar_stream_take(ring);
		if (slot)
			*ret_slot = slot;
		else
			ret = ring->state == LIDAR_RING_STREAMING ? -EAGAIN : -EPIPE;
	}
	mutex_unlock(&ring->lock);
	return ret;
}

/**
 * lidar_get_frame() - wait for a slice and consume its descriptor
 * @file: the owner's
 * @timeout_ns: -1: for ever
 * @ret_slot: HELD now
 *
 * Return: 0, -EAGAIN, -EPIPE, -EINTR, -ENODEV, -EPERM.
 */
int lidar_get_frame(struct file *file, s64 timeout_ns, struct lidar_slot **ret_slot)
{
	struct lidar_ring *ring = file->private_data;
	ktime_t end = timeout_ns < 0 ? KTIME_MAX : ktime_add_safe(ktime_get(), timeout_ns);

	for (;;) {
		int ret = try_get_frame(ring, file, ret_slot);
		ktime_t left = KTIME_MAX;

		if (ret != -EAGAIN || !timeout_ns)
			return ret;
		if (end != KTIME_MAX)
			left = ktime_sub(end, ktime_get());
		if (left <= 0)
			return -EAGAIN;
		ret = wait_event_interruptible_hrtimeout(ring->wait, frame_there(ring), left);
		if (ret == -ERESTARTSYS)
			return -EINTR;
	}
}

static long get_frame(struct file *file, struct lidar_ring_get_frame __user *user)
{
	struct lidar_ring_get_frame arg;
	struct lidar_slot *slot;
	int ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (!is_zero(arg.reserved) || arg.timeout_ns < -1)
		return -EINVAL;
	ret = lidar_get_frame(file, file->f_flags & O_NONBLOCK ? 0 : arg.timeout_ns, &slot);
	if (ret)
		return ret;
	/* the slot is the caller's: nobody changes its descriptor but a caller who gives it back */
	arg.desc = slot->desc;
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : 0;
}

long lidar_ioctl(struct file *file, unsigned int cmd, unsigned long address)
{
	void __user *user = (void __user *)address;
	struct lidar_ring *ring = file->private_data;
	const struct call *call = find_call(cmd);
	struct arguments *arg;
	long ret = 0;

	if (lidar_ring_gone(ring))
		return -ENODEV;
	if (cmd == LIDAR_RING_IOC_GET_FRAME)
		return get_frame(file, user);
	if (!call)
		return -ENOTTY;
	arg = kzalloc(sizeof(*arg), GFP_KERNEL_ACCOUNT);
	if (!arg)
		return -ENOMEM;
	/* also what is only to be filled: as it is then, it stays if the call fails */
	if (_IOC_DIR(cmd) != _IOC_NONE && copy_from_user(arg->bytes, user, _IOC_SIZE(cmd)))
		ret = -EFAULT;
	/* before anything is done: who cannot be told of it could not use it, or give it back */
	if (!ret && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user(user, arg->bytes, _IOC_SIZE(cmd)))
		ret = -EFAULT;
	if (!ret) {
		mutex_lock(&ring->lock);
		ret = admit(ring, file, call->who);
		if (!ret)
			ret = call->function(ring, file, arg);
		mutex_unlock(&ring->lock);
	}
	if (!ret && _IOC_DIR(cmd) & _IOC_READ && copy_to_user(user, arg->bytes, _IOC_SIZE(cmd)))
		ret = -EFAULT;
	if (arg->made)
		finish_export(arg, ret);
	kfree(arg);
	return ret;
}
