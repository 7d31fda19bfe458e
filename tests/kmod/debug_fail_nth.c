/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug_fail_nth.c - whatever fails within a call, the ring is none the worse for it
 *
 * For each call of uapi/lidar_ring.h, and what else can be done to its files: the
 * first thing in it that can fail is made to, then the second, and so on until the
 * call is through without that.  After each of these the device must stream from
 * this very file, once what had failed is made up for (for what is not a call on the
 * ring: from a new file), every slot accounted for, and be free after the close.
 * After all of a call's there is not a pin, an fd, a DMA mapping or a dma-buf more
 * than before; what kmalloc() gave is looked for by whoever runs this (kmemleak).
 *
 * For a kernel with fault injection: tests/vm/debug-kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/kmod/failing.h"
#include "tests/kmod/owned.h"
#include "tests/kmod/trial.h"

#define TO_DEVICE 1 /* enum dma_data_direction */
/* more things than this do not fail in any call */
#define NTH_MAX 5000u

/**
 * struct sweep - a call, and what is around it
 * @name: for the reader
 * @prepare: bring the ring to where the call can be made
 * @call: the one system call; 0 or more, or -errno
 * @check: of what is there after it; @ret is what it returned
 * @own_ring: the ring streams from trial.fd afterwards; else only from a new file
 */
struct sweep {
	const char *name;
	void (*prepare)(struct trial *t);
	int (*call)(struct trial *t);
	void (*check)(struct trial *t, int ret);
	bool own_ring;
};

/* ---- the calls ---- */

static int call_open(struct trial *t)
{
	t->made = open(t->sim.path, O_RDWR | O_CLOEXEC);
	return trial_outcome(t->made);
}

static int call_info(struct trial *t)
{
	struct lidar_ring_info info;

	return trial_outcome(ioctl(t->fd, LIDAR_RING_IOC_INFO, &info));
}

static int call_stats(struct trial *t)
{
	struct lidar_ring_stats stats;

	return trial_outcome(ioctl(t->fd, LIDAR_RING_IOC_STATS, &stats));
}

static int call_get_frame(struct trial *t)
{
	struct lidar_ring_desc desc;

	return trial_get_frame(t->fd, 0, &desc);
}

static int call_release_frame(struct trial *t)
{
	return trial_release(t->fd, 0);
}

static int call_read(struct trial *t)
{
	static char buffer[TRIAL_SLOT_BYTES];

	return trial_outcome((int)read(t->fd, buffer, sizeof(buffer)));
}

static int call_adopt(struct trial *t)
{
	return trial_outcome(ioctl(t->fd, LIDAR_RING_IOC_ADOPT, &t->layout));
}

static int call_poll(struct trial *t)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};

	return trial_outcome(poll(&p, 1, 0));
}

static int call_epoll(struct trial *t)
{
	struct epoll_event event = {.events = EPOLLIN};

	return trial_outcome(epoll_ctl(t->made, EPOLL_CTL_ADD, t->fd, &event));
}

static int map(struct trial *t, int fd, int prot, uint64_t bytes, uint64_t offset)
{
	void *at = mmap(NULL, bytes, prot, MAP_SHARED, fd, (off_t)offset);

	if (at == MAP_FAILED)
		return -errno;
	t->mapped = at;
	t->mapped_bytes = bytes;
	return 0;
}

static int call_mmap_control(struct trial *t)
{
	return map(t, t->fd, PROT_READ | PROT_WRITE, t->layout.control_bytes,
		   t->layout.control_offset);
}

static int call_mmap_data(struct trial *t)
{
	return map(t, t->fd, PROT_READ, t->layout.data_bytes, t->layout.data_offset);
}

static int call_mmap_exported(struct trial *t)
{
	return map(t, t->made, PROT_READ, t->layout.data_bytes, 0);
}

static int call_attach(struct trial *t)
{
	return trial_outcome(ioctl(t->import, IMPORT_ATTACH, 1 << 20));
}

static int call_map_attachment(struct trial *t)
{
	return trial_outcome(ioctl(t->import, IMPORT_MAP, TO_DEVICE));
}

static int call_vmap(struct trial *t)
{
	return trial_outcome(ioctl(t->import, IMPORT_VMAP, 0));
}

/* "bind" or "unbind" the driver of the ring. */
static int tell_driver(const struct trial *t, const char *what)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/bus/platform/drivers/lidar-ring/%s", what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = trial_outcome((int)write(fd, t->platform_device, strlen(t->platform_device)));
	close(fd);
	return ret;
}

static void with_unbound(struct trial *t)
{
	close(t->watcher);
	if (tell_driver(t, "unbind") < 0)
		die("unbind: %s", strerror(errno));
}

static int call_bind(struct trial *t)
{
	return tell_driver(t, "bind");
}

static void with_unplugged(struct trial *t)
{
	close(t->watcher);
	if (sim_set(&t->sim, "live", "0"))
		die("live 0");
}

static int call_plug(struct trial *t)
{
	return sim_set(&t->sim, "live", "1");
}

/* ---- what is there after them ---- */

/* Neither without an owner nor told of one: only who cannot be told by the copy may be. */
static void check_setup(struct trial *t, int ret)
{
	int state = sim_state(t->watcher);

	trial_expect(t, state >= 0, "INFO of another file fails");
	if (ret && ret != -EFAULT)
		trial_expect(t, state == LIDAR_RING_IDLE, "a SETUP that failed left an owner");
	if (ret == -EFAULT && state != LIDAR_RING_IDLE) {
		/* it is done, and can be undone as any other */
		close(t->fd);
		trial_expect(t, sim_state(t->watcher) == LIDAR_RING_IDLE, "close() did not end it");
		t->fd = sim_open(&t->sim);
	}
}

static void check_register(struct trial *t, int ret)
{
	trial_expect(t, sim_state(t->watcher) == (ret ? LIDAR_RING_CONFIGURED : LIDAR_RING_STOPPED),
	       "the state does not say what REGISTER did");
}

static void check_start(struct trial *t, int ret)
{
	int state = sim_state(t->watcher);

	if (!ret) {
		trial_expect(t, state == LIDAR_RING_STREAMING || state == LIDAR_RING_HALTED,
		       "START worked, and it does not stream");
		return;
	}
	trial_expect(t, state == LIDAR_RING_STOPPED, "a START that failed left it running");
	trial_expect(t, trial_slots_in(t, LIDAR_RING_SLOT_FREE) == TRIAL_SLOTS,
		     "a START that failed kept slots");
}

static void check_stop(struct trial *t, int ret)
{
	trial_expect(t, sim_state(t->watcher) == (ret ? LIDAR_RING_STREAMING : LIDAR_RING_STOPPED),
	       "the state does not say what STOP did");
}

static void check_get_frame(struct trial *t, int ret)
{
	unsigned int full = trial_slots_in(t, LIDAR_RING_SLOT_FULL);
	unsigned int held = trial_slots_in(t, LIDAR_RING_SLOT_HELD);

	trial_expect(t, full + held == TRIAL_SLOTS, "a slot is neither full nor the user's");
	if (!ret)
		trial_expect(t, held == 1, "GET_FRAME worked and gave nothing");
	if (ret && ret != -EFAULT)
		trial_expect(t, held == 0, "a GET_FRAME that failed took a slice");
}

static void check_release_frame(struct trial *t, int ret)
{
	if (ret)
		trial_expect(t, trial_slots_in(t, LIDAR_RING_SLOT_HELD) == 1,
			     "a RELEASE_FRAME that failed took it");
}

static void check_made(struct trial *t, int ret)
{
	trial_expect(t, (t->made >= 0) == (ret >= 0), "an fd does not say what the call did");
}

static void check_mapped(struct trial *t, int ret)
{
	trial_expect(t, !!t->mapped == !ret, "a mapping does not say what mmap() did");
	if (t->mapped)
		(void)*(volatile uint8_t *)t->mapped;
}

static void check_adopt(struct trial *t, int ret)
{
	int again = ret ? call_adopt(t) : 0;

	/* who could not be told has adopted it nevertheless */
	trial_expect(t, !again || (ret == -EFAULT && again == -EBUSY),
		     "it cannot be adopted any more");
}

static void check_nothing(struct trial *t, int ret)
{
	(void)ret;
	trial_expect(t, sim_state(t->watcher) >= 0, "INFO of another file fails");
}

static void check_bind(struct trial *t, int ret)
{
	if (ret < 0)
		trial_expect(t, tell_driver(t, "bind") >= 0, "it cannot be bound any more");
	trial_expect(t, !sim_find(&t->sim), "there is no device after a bind");
	t->watcher = sim_open(&t->sim);
}

/* Half of it may be there: what is plugged in need not have found a driver. */
static void check_plug(struct trial *t, int ret)
{
	if (ret < 0 || sim_find(&t->sim)) {
		trial_expect(t, !sim_set(&t->sim, "live", "0"), "it cannot be unplugged any more");
		trial_expect(t, !sim_set(&t->sim, "live", "1"), "it cannot be plugged in any more");
	}
	trial_expect(t, !sim_find(&t->sim), "there is no device once it is plugged in");
	t->watcher = sim_open(&t->sim);
}

/* ---- the sweeps ---- */

static const struct sweep sweeps[] = {
	{"open", trial_with_file, call_open, check_made, true},
	{"INFO", trial_with_ring, call_info, check_nothing, true},
	{"STATS", trial_with_ring, call_stats, check_nothing, true},
	{"SETUP of KERNEL memory", trial_with_file, trial_setup_kernel, check_setup, true},
	{"SETUP of USER memory", trial_with_file, trial_setup_user, check_setup, true},
	{"REGISTER", trial_with_setup_user, trial_register, check_register, true},
	{"START of KERNEL memory", trial_with_ring, trial_start, check_start, true},
	{"START of USER memory", trial_with_user_ring, trial_start, check_start, true},
	{"STOP", trial_with_full_slots, trial_stop, check_stop, true},
	{"KICK", trial_with_filled_slot, trial_kick, check_nothing, true},
	{"GET_FRAME", trial_with_full_slots, call_get_frame, check_get_frame, true},
	{"RELEASE_FRAME", trial_with_held_slot, call_release_frame, check_release_frame, true},
	{"read", trial_with_full_slots, call_read, check_nothing, true},
	{"ADOPT", trial_with_dead_owner, call_adopt, check_adopt, true},
	{"poll", trial_with_full_slots, call_poll, check_nothing, true},
	{"epoll_ctl", trial_with_epoll, call_epoll, check_nothing, true},
	{"mmap of the control page", trial_with_full_slots, call_mmap_control, check_mapped, true},
	{"mmap of the slots", trial_with_full_slots, call_mmap_data, check_mapped, true},
	{"EXPORT of the data", trial_with_ring, trial_export_data, check_made, true},
	{"EXPORT of the ring as a dma-buf", trial_with_ring, trial_export_ring, check_made, true},
	{"EXPORT of a slot as a dma-buf", trial_with_ring, trial_export_slot, check_made, true},
	{"mmap of exported data", trial_with_exported_data, call_mmap_exported, check_mapped, true},
	{"mmap of a dma-buf", trial_with_dmabuf, call_mmap_exported, check_mapped, true},
	{"attaching to a dma-buf", trial_with_imported, call_attach, check_nothing, true},
	{"mapping a dma-buf for a device", trial_with_attached, call_map_attachment, check_nothing, true},
	{"mapping a dma-buf for the kernel", trial_with_imported, call_vmap, check_nothing, true},
	{"bind", with_unbound, call_bind, check_bind, false},
	{"plugging in", with_unplugged, call_plug, check_plug, false},
};

/* Return: whether there was nothing left to fail. */
static bool run_trial(struct trial *t, const struct sweep *sweep, unsigned int nth, int *ret_ret)
{
	unsigned int left;
	int ret;

	sweep->prepare(t);
	failing_arm(t->nth, nth);
	ret = sweep->call(t);
	left = failing_disarm(t->nth);
	sweep->check(t, ret);
	if (left)
		trial_expect(t, ret >= 0, "the call fails though nothing else does");
	if (sweep->own_ring)
		trial_check_own_ring(t);
	trial_end(t);
	trial_check_new_ring(t);
	*ret_ret = ret;
	return left;
}

static bool run_sweep(struct trial *t, const struct sweep *sweep, unsigned int number)
{
	unsigned int nth = 0, refused = 0;
	struct owned before;
	bool through = false;
	int ret = 0;

	/* what is made once, at the first use, is there */
	run_trial(t, sweep, NTH_MAX, &ret);
	owned_look(&before);
	while (!through && !t->wrong && nth < NTH_MAX) {
		through = run_trial(t, sweep, ++nth, &ret);
		refused += ret < 0;
	}
	if (!t->wrong)
		t->wrong = through ? owned_leak(&before) : "there is no end of what fails";
	printf("%s %u - %s: %u failures, %u of them told\n", t->wrong ? "not ok" : "ok", number,
	       sweep->name, nth - 1, refused);
	if (t->wrong)
		printf("# when the %uth thing fails: %s (the call: %s)\n", nth, t->wrong,
		       ret < 0 ? strerror(-ret) : "no error");
	fflush(stdout);
	return !t->wrong;
}

/* Pages are not kmemleak's business. */
static bool pages_leak(struct trial *t)
{
	struct lidar_ring_setup arg = {
		.memory = LIDAR_RING_MEMORY_KERNEL, .slot_count = 16, .slot_bytes = 1 << 20};
	uint64_t before_kb, after_kb;
	unsigned int points, i;

	t->fd = sim_open(&t->sim);
	failing_arm(t->nth, NTH_MAX);
	if (ioctl(t->fd, LIDAR_RING_IOC_SETUP, &arg))
		die("SETUP: %s", strerror(errno));
	points = NTH_MAX - failing_disarm(t->nth);
	trial_end(t);
	before_kb = owned_number_in("/proc/meminfo", "MemFree:");
	for (i = 0; i < 64; i++) {
		t->fd = sim_open(&t->sim);
		failing_arm(t->nth, points - i % 16);
		ioctl(t->fd, LIDAR_RING_IOC_SETUP, &arg);
		failing_disarm(t->nth);
		trial_end(t);
	}
	after_kb = owned_number_in("/proc/meminfo", "MemFree:");
	printf("# 64 times one of the last of %u things in a SETUP of 16 MiB failed: %" PRIu64
	       " kB were free before, %" PRIu64 " after\n", points, before_kb, after_kb);
	return after_kb + (256 << 10) < before_kb;
}

static void find_platform_device(struct trial *t)
{
	char path[64], target[256] = "";
	const char *name;

	snprintf(path, sizeof(path), "/sys/class/lidar/%s/device", t->sim.path + strlen("/dev/"));
	if (readlink(path, target, sizeof(target) - 1) < 0)
		die("%s: %s", path, strerror(errno));
	name = strrchr(target, '/');
	snprintf(t->platform_device, sizeof(t->platform_device), "%s", name ? name + 1 : target);
}

int main(int argc, char **argv)
{
	static const char *const settings[] = {"rate_bytes_per_s=0", "slice_bytes=16384", "crc=0",
					       NULL};
	static struct trial t = {.fd = -1, .watcher = -1, .made = -1, .import = -1};
	const unsigned int count = sizeof(sweeps) / sizeof(sweeps[0]);
	bool can_import = !access("/dev/lidar_import", F_OK);
	unsigned int i, failed = 0;

	if (!failing_init()) {
		puts("1..0 # SKIP needs a kernel that lets calls fail: tests/vm/debug-kernel");
		return 0;
	}
	sim_make(&t.sim, "fail_nth", settings);
	find_platform_device(&t);
	t.nth = failing_open();
	t.user = mmap(NULL, TRIAL_USER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t.user == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	t.watcher = sim_open(&t.sim);
	for (i = 0; i < count; i++) {
		bool importing = sweeps[i].prepare == trial_with_imported ||
				 sweeps[i].prepare == trial_with_attached;

		t.wrong = NULL;
		if (argc > 1 && !strstr(sweeps[i].name, argv[1]))
			printf("ok %u - %s # SKIP not asked for\n", i + 1, sweeps[i].name);
		else if (importing && !can_import)
			printf("ok %u - %s # SKIP needs lidar_import.ko\n", i + 1, sweeps[i].name);
		else
			failed += !run_sweep(&t, &sweeps[i], i + 1);
	}
	i = pages_leak(&t);
	failed += i;
	printf("%s %u - no pages leak from a SETUP that fails late\n1..%u\n", i ? "not ok" : "ok",
	       count + 1, count + 1);
	close(t.watcher);
	sim_remove(&t.sim);
	return failed ? 1 : 0;
}
