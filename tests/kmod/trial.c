/* SPDX-License-Identifier: Apache-2.0 */
/* trial.c - see trial.h */
#include "tests/kmod/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int trial_outcome(int ret)
{
	return ret < 0 ? -errno : ret;
}

void trial_expect(struct trial *t, bool good, const char *what)
{
	if (!good && !t->wrong)
		t->wrong = what;
}

/* ---- the ring, without failures ---- */

static int setup(struct trial *t, uint32_t memory)
{
	struct lidar_ring_setup arg = {
		.memory = memory, .slot_count = TRIAL_SLOTS, .slot_bytes = TRIAL_SLOT_BYTES};
	int ret = trial_outcome(ioctl(t->fd, LIDAR_RING_IOC_SETUP, &arg));

	if (!ret)
		t->layout = arg.layout;
	return ret;
}

int trial_setup_kernel(struct trial *t)
{
	return setup(t, LIDAR_RING_MEMORY_KERNEL);
}

int trial_setup_user(struct trial *t)
{
	return setup(t, LIDAR_RING_MEMORY_USER);
}

int trial_register(struct trial *t)
{
	struct lidar_ring_register arg = {
		.address = (uintptr_t)t->user,
		.length = TRIAL_USER_BYTES,
		.first = SIM_PAGE,
		.stride = TRIAL_SLOT_BYTES + SIM_PAGE,
		.count = TRIAL_SLOTS,
	};

	return trial_outcome(ioctl(t->fd, LIDAR_RING_IOC_REGISTER, &arg));
}

int trial_start(struct trial *t)
{
	struct lidar_ring_start arg = {.flags = LIDAR_RING_START_QUEUE_ALL, .lease_ms = 60000};

	return trial_outcome(ioctl(t->fd, LIDAR_RING_IOC_START, &arg));
}

int trial_stop(struct trial *t)
{
	return trial_outcome(ioctl(t->fd, LIDAR_RING_IOC_STOP));
}

int trial_kick(struct trial *t)
{
	return trial_outcome(ioctl(t->fd, LIDAR_RING_IOC_KICK));
}

int trial_get_frame(int fd, int64_t timeout_ns, struct lidar_ring_desc *ret_desc)
{
	struct lidar_ring_get_frame arg = {.timeout_ns = timeout_ns};
	int ret = trial_outcome(ioctl(fd, LIDAR_RING_IOC_GET_FRAME, &arg));

	if (!ret)
		*ret_desc = arg.desc;
	return ret;
}

int trial_release(int fd, uint64_t offset)
{
	struct lidar_ring_release_frame arg = {.offset = offset};

	return trial_outcome(ioctl(fd, LIDAR_RING_IOC_RELEASE_FRAME, &arg));
}

static void map_control(struct trial *t)
{
	t->control = mmap(NULL, t->layout.control_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd,
			  (off_t)t->layout.control_offset);
	if (t->control == MAP_FAILED)
		die("mmap of the control page: %s", strerror(errno));
}

unsigned int trial_slots_in(const struct trial *t, uint8_t state)
{
	const volatile uint8_t *states = t->control + t->layout.slot_states;
	unsigned int i, count = 0;

	for (i = 0; i < TRIAL_SLOTS; i++)
		count += states[i] == state;
	return count;
}

/* ---- what calls are made on ---- */

void trial_with_file(struct trial *t)
{
	t->fd = sim_open(&t->sim);
}

void trial_with_setup_user(struct trial *t)
{
	trial_with_file(t);
	if (trial_setup_user(t))
		die("SETUP: USER");
	map_control(t);
}

void trial_with_ring(struct trial *t)
{
	trial_with_file(t);
	if (trial_setup_kernel(t))
		die("SETUP: KERNEL");
	map_control(t);
}

void trial_with_user_ring(struct trial *t)
{
	trial_with_setup_user(t);
	if (trial_register(t))
		die("REGISTER");
}

void trial_with_stream(struct trial *t)
{
	trial_with_ring(t);
	if (trial_start(t))
		die("START");
}

/* All slots are full and the device starves: nothing but the call moves. */
void trial_with_full_slots(struct trial *t)
{
	int i;

	trial_with_stream(t);
	for (i = 0; i < 5000 && trial_slots_in(t, LIDAR_RING_SLOT_FULL) < TRIAL_SLOTS; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	if (i == 5000)
		die("the slots do not get full");
}

/* A slot is the user's, and nothing moves. */
void trial_with_held_slot(struct trial *t)
{
	struct lidar_ring_desc desc;

	trial_with_full_slots(t);
	if (trial_get_frame(t->fd, 0, &desc))
		die("GET_FRAME");
}

/* The same, put into the fill ring. */
void trial_with_filled_slot(struct trial *t)
{
	uint32_t *producer;
	uint64_t *entries;

	trial_with_held_slot(t);
	producer = (uint32_t *)(void *)(t->control + t->layout.fill_producer);
	entries = (uint64_t *)(void *)(t->control + t->layout.fill_ring);
	entries[*producer & (t->layout.entries - 1)] = 0;
	__atomic_store_n(producer, *producer + 1, __ATOMIC_SEQ_CST);
}

void trial_with_dead_owner(struct trial *t)
{
	struct trial *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int status;

	if (shared == MAP_FAILED)
		die("memory for two");
	trial_with_file(t);
	*shared = *t;
	pid = fork();
	if (pid == 0)
		_exit(trial_setup_kernel(shared) ? 1 : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("an owner that ends");
	/* who adopts the ring may fail to be told */
	t->layout = shared->layout;
	munmap(shared, sizeof(*shared));
}

static int export(struct trial *t, uint32_t kind, uint64_t offset)
{
	struct lidar_ring_export arg = {.kind = kind, .offset = offset, .fd = -1};
	int ret = trial_outcome(ioctl(t->fd, LIDAR_RING_IOC_EXPORT, &arg));

	if (!ret)
		t->made = arg.fd;
	return ret;
}

int trial_export_data(struct trial *t)
{
	return export(t, LIDAR_RING_EXPORT_DATA, 0);
}

int trial_export_ring(struct trial *t)
{
	return export(t, LIDAR_RING_EXPORT_DMABUF_RING, 0);
}

int trial_export_slot(struct trial *t)
{
	return export(t, LIDAR_RING_EXPORT_DMABUF_SLOT, TRIAL_SLOT_BYTES);
}

void trial_with_exported_data(struct trial *t)
{
	trial_with_ring(t);
	if (trial_export_data(t))
		die("EXPORT");
}

void trial_with_dmabuf(struct trial *t)
{
	trial_with_ring(t);
	if (trial_export_ring(t))
		die("EXPORT: DMABUF_RING");
}

void trial_with_epoll(struct trial *t)
{
	trial_with_full_slots(t);
	t->made = epoll_create1(EPOLL_CLOEXEC);
	if (t->made < 0)
		die("epoll_create1: %s", strerror(errno));
}

void trial_with_imported(struct trial *t)
{
	trial_with_dmabuf(t);
	t->import = open("/dev/lidar_import", O_RDWR | O_CLOEXEC);
	if (t->import < 0 || ioctl(t->import, IMPORT_GET, t->made))
		die("/dev/lidar_import: %s", strerror(errno));
}

void trial_with_attached(struct trial *t)
{
	trial_with_imported(t);
	if (ioctl(t->import, IMPORT_ATTACH, 1 << 20))
		die("ATTACH: %s", strerror(errno));
}

/* ---- does the ring still work? ---- */

static int stream_some(struct trial *t)
{
	struct lidar_ring_desc desc;
	uint64_t next_seq = 0;
	int i, ret;

	ret = trial_start(t);
	for (i = 0; !ret && i < 6; i++) {
		ret = trial_get_frame(t->fd, 5000000000, &desc);
		if (!ret && desc.seq != next_seq + desc.lost_before)
			return -EPROTO;
		next_seq = desc.seq + 1;
		ret = ret ?: trial_release(t->fd, desc.offset);
	}
	ret = ret ?: trial_stop(t);
	while (!ret && !trial_get_frame(t->fd, 0, &desc))
		ret = trial_release(t->fd, desc.offset);
	return ret;
}

/* Give back whatever is held or full, by the slots' offsets. */
static void give_all_back(struct trial *t)
{
	uint64_t first = t->layout.data_bytes ? 0 : SIM_PAGE;
	uint64_t stride = t->layout.data_bytes ? TRIAL_SLOT_BYTES : TRIAL_SLOT_BYTES + SIM_PAGE;
	struct lidar_ring_desc desc;
	unsigned int i;

	while (!trial_get_frame(t->fd, 0, &desc))
		;
	for (i = 0; i < TRIAL_SLOTS; i++)
		trial_expect(t, !trial_release(t->fd, first + i * stride),
			     "a slot cannot be given back");
}

void trial_check_own_ring(struct trial *t)
{
	int state = sim_state(t->fd);

	if (state == LIDAR_RING_IDLE && trial_setup_kernel(t))
		trial_expect(t, false, "SETUP does not work any more");
	if (state == LIDAR_RING_CONFIGURED && trial_register(t))
		trial_expect(t, false, "REGISTER does not work any more");
	if (!t->control)
		map_control(t);
	trial_expect(t, !trial_stop(t), "STOP does not work any more");
	give_all_back(t);
	trial_expect(t, trial_slots_in(t, LIDAR_RING_SLOT_FREE) == TRIAL_SLOTS,
		     "not every slot is free after STOP");
	trial_expect(t, !stream_some(t), "it does not stream any more");
	trial_expect(t, trial_slots_in(t, LIDAR_RING_SLOT_FREE) == TRIAL_SLOTS,
		     "not every slot comes back");
}

void trial_end(struct trial *t)
{
	if (t->import >= 0)
		close(t->import);
	if (t->mapped)
		munmap(t->mapped, t->mapped_bytes);
	if (t->control)
		munmap(t->control, t->layout.control_bytes);
	if (t->made >= 0)
		close(t->made);
	if (t->fd >= 0)
		close(t->fd);
	t->import = t->made = t->fd = -1;
	t->mapped = NULL;
	t->control = NULL;
}

void trial_check_new_ring(struct trial *t)
{
	trial_expect(t, sim_state(t->watcher) == LIDAR_RING_IDLE,
		     "the device is not free after the end");
	trial_with_ring(t);
	trial_expect(t, !stream_some(t), "the device does not stream any more");
	trial_end(t);
	trial_expect(t, sim_state(t->watcher) == LIDAR_RING_IDLE, "the device is not free again");
}
