/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-state.c - group state: each call in each state
 *
 * A row of the table is a call, a column a state, a cell what must come of it.
 * Where lidar_ring.h leaves two answers open, both are good.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "tools/lidar-compliance-device.h"

enum column {
	COLUMN_IDLE,
	COLUMN_CONFIGURED,
	COLUMN_STOPPED_KERNEL,
	COLUMN_STOPPED_USER,
	COLUMN_STREAMING_KERNEL,
	COLUMN_STREAMING_USER,
	COLUMN_HALTED,
	COLUMN_COUNT,
};

static const struct {
	const char *name;
	enum device_stage stage;
	uint32_t state;
} columns[COLUMN_COUNT] = {
	[COLUMN_IDLE] = { "idle", DEVICE_IDLE, LIDAR_RING_IDLE },
	[COLUMN_CONFIGURED] = { "configured", DEVICE_CONFIGURED, LIDAR_RING_CONFIGURED },
	[COLUMN_STOPPED_KERNEL] = { "stopped_kernel", DEVICE_STOPPED_KERNEL, LIDAR_RING_STOPPED },
	[COLUMN_STOPPED_USER] = { "stopped_user", DEVICE_STOPPED_USER, LIDAR_RING_STOPPED },
	[COLUMN_STREAMING_KERNEL] = { "streaming_kernel", DEVICE_STREAMING_KERNEL,
				      LIDAR_RING_STREAMING },
	[COLUMN_STREAMING_USER] = { "streaming_user", DEVICE_STREAMING_USER, LIDAR_RING_STREAMING },
	[COLUMN_HALTED] = { "halted", DEVICE_STOPPED_KERNEL, LIDAR_RING_HALTED },
};

static long call_info(struct device *device)
{
	struct lidar_ring_info info;

	return device_call(device->fd, LIDAR_RING_IOC_INFO, &info);
}

static long call_setup(struct device *device)
{
	return device_try_setup(device, device->trial->info.features &
						LIDAR_RING_FEATURE_KERNEL_MEMORY ?
						LIDAR_RING_MEMORY_KERNEL : LIDAR_RING_MEMORY_USER);
}

static long call_register(struct device *device)
{
	struct lidar_ring_register registration;

	device_make_user_memory(device, 0);
	registration = device_get_registration(device);
	return device_call(device->fd, LIDAR_RING_IOC_REGISTER, &registration);
}

static long call_start(struct device *device)
{
	return device_try_start(device, 0, 0);
}

static long call_stop(struct device *device)
{
	return device_call(device->fd, LIDAR_RING_IOC_STOP, NULL);
}

static long call_stats(struct device *device)
{
	struct lidar_ring_stats stats;

	return device_call(device->fd, LIDAR_RING_IOC_STATS, &stats);
}

static long call_kick(struct device *device)
{
	return device_call(device->fd, LIDAR_RING_IOC_KICK, NULL);
}

static long call_get_frame(struct device *device)
{
	struct lidar_ring_desc desc;

	return device_try_get_frame(device, 0, &desc);
}

static long call_release_frame(struct device *device)
{
	return device_try_release(device, device->first);
}

static long call_export(struct device *device)
{
	struct lidar_ring_export export = { .kind = LIDAR_RING_EXPORT_DATA };

	return device_call(device->fd, LIDAR_RING_IOC_EXPORT, &export);
}

static long call_adopt(struct device *device)
{
	struct lidar_ring_layout layout;

	return device_call(device->fd, LIDAR_RING_IOC_ADOPT, &layout);
}

static long try_map(struct device *device, uint64_t offset, uint64_t bytes, int protection)
{
	void *p = mmap(NULL, bytes ? bytes : 1, protection, MAP_SHARED, device->fd,
		       (off_t)offset);

	return p == MAP_FAILED ? -errno : 0;
}

static long call_map_control(struct device *device)
{
	return try_map(device, device->layout.control_offset, device->layout.control_bytes,
		       PROT_READ | PROT_WRITE);
}

static long call_map_data(struct device *device)
{
	const struct lidar_ring_layout *l = &device->layout;

	/* without a data area: what is behind the control page */
	if (!l->data_bytes)
		return try_map(device, l->control_offset + l->control_bytes, 4096, PROT_READ);
	return try_map(device, l->data_offset, l->data_bytes, PROT_READ);
}

/* the good answers, 0 or an errno */
struct cell {
	int want;
	int other;
};

#define ONLY(errno_) { errno_, errno_ }
#define ONE_OF(a, b) { a, b }
#define OK ONLY(0)

static const struct row {
	const char *name;
	long (*call)(struct device *device);
	struct cell cells[COLUMN_COUNT];
} rows[] = {
	/* idle, configured, stopped (kernel, user), streaming (kernel, user), halted */
	{ "info", call_info, { OK, OK, OK, OK, OK, OK, OK } },
	{ "stats", call_stats, { OK, OK, OK, OK, OK, OK, OK } },
	{ "setup", call_setup,
	  { OK, ONLY(EBUSY), ONLY(EBUSY), ONLY(EBUSY), ONLY(EBUSY), ONLY(EBUSY), ONLY(EBUSY) } },
	{ "register", call_register,
	  { ONLY(EINVAL), OK, ONLY(EINVAL), ONLY(EEXIST), ONLY(EINVAL), ONLY(EEXIST),
	    ONLY(EINVAL) } },
	{ "start", call_start,
	  { ONLY(EINVAL), ONLY(EINVAL), OK, OK, ONLY(EBUSY), ONLY(EBUSY), ONE_OF(EBUSY, EINVAL) } },
	{ "stop", call_stop, { ONE_OF(0, EINVAL), ONE_OF(0, EINVAL), OK, OK, OK, OK, OK } },
	{ "kick", call_kick,
	  { ONE_OF(EPIPE, EINVAL), ONLY(EPIPE), ONLY(EPIPE), ONLY(EPIPE), OK, OK, ONLY(EPIPE) } },
	{ "get_frame", call_get_frame,
	  { ONE_OF(EPIPE, EINVAL), ONLY(EPIPE), ONLY(EPIPE), ONLY(EPIPE), ONE_OF(0, EAGAIN),
	    ONE_OF(0, EAGAIN), ONLY(EPIPE) } },
	{ "release_frame", call_release_frame,
	  { ONLY(EINVAL), ONLY(EINVAL), OK, OK, ONLY(EALREADY), ONLY(EALREADY), OK } },
	{ "export", call_export,
	  { ONLY(EINVAL), ONLY(EOPNOTSUPP), OK, ONLY(EOPNOTSUPP), OK, ONLY(EOPNOTSUPP), OK } },
	{ "adopt", call_adopt,
	  { ONLY(EINVAL), ONE_OF(EINVAL, EBUSY), ONLY(EBUSY), ONE_OF(EINVAL, EBUSY), ONLY(EBUSY),
	    ONE_OF(EINVAL, EBUSY), ONLY(EBUSY) } },
	{ "map_control", call_map_control, { ONLY(EINVAL), OK, OK, OK, OK, OK, OK } },
	{ "map_data", call_map_data,
	  { ONLY(EINVAL), ONLY(EINVAL), OK, ONLY(EINVAL), OK, ONLY(EINVAL), OK } },
};

/* a lease that ran out */
static void halt(struct device *device)
{
	trial_expect(device->trial, "START with a lease", device_try_start(device, 0, 10), 0);
	usleep(200000);
	device_await_state(device, LIDAR_RING_HALTED);
}

static void enter(struct device *device, const struct trial *trial, enum column column)
{
	device_ready(device, trial, columns[column].stage);
	if (column == COLUMN_HALTED)
		halt(device);
}

static void run_cell(const struct trial *trial, const struct row *row, enum column column)
{
	struct device device;
	const struct cell *cell = &row->cells[column];

	enter(&device, trial, column);
	trial_expect_either(trial, row->name, row->call(&device), cell->want, cell->other);
}

/* a check's argument is one pointer, so the place in the table is the address of the cell */
static void run_state(const struct trial *trial, const void *arg)
{
	const struct cell *cell = arg;
	size_t i;

	for (i = 0; i < COUNT_OF(rows); i++)
		if (cell >= rows[i].cells && cell < rows[i].cells + COLUMN_COUNT)
			run_cell(trial, &rows[i], (enum column)(cell - rows[i].cells));
}

static void require_state(const struct device *device, const char *after, uint32_t state)
{
	uint32_t now = device_get_info(device).state;

	trial_require(device->trial, now == state, "after %s: expected state %u, is %u", after,
		      state, now);
}

static void info_tells_the_state(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	for (i = 0; i < COLUMN_COUNT - 1; i++) {
		bool kernel = i == COLUMN_STOPPED_KERNEL || i == COLUMN_STREAMING_KERNEL;
		uint64_t feature = kernel ? LIDAR_RING_FEATURE_KERNEL_MEMORY :
					    LIDAR_RING_FEATURE_USER_MEMORY;

		if (i != COLUMN_IDLE && !(trial->info.features & feature))
			continue;
		enter(&device, trial, (enum column)i);
		require_state(&device, columns[i].name, columns[i].state);
		device_close(&device);
	}
}

static void start_and_stop_change_it(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	device_ready_any(&device, trial);
	for (i = 0; i < 20; i++) {
		device_start(&device);
		require_state(&device, "START", LIDAR_RING_STREAMING);
		device_stop(&device);
		require_state(&device, "STOP", LIDAR_RING_STOPPED);
		device_stop(&device);
		require_state(&device, "STOP twice", LIDAR_RING_STOPPED);
	}
}

static void stream_after_each_start(const struct trial *trial, const void *arg)
{
	struct lidar_ring_desc desc;
	struct device device;
	int i;

	device_ready_any(&device, trial);
	for (i = 0; i < 10; i++) {
		device_start(&device);
		desc = device_take(&device);
		trial_require(trial, desc.seq == desc.lost_before,
			      "the first slice after START is number %llu, %u lost",
			      (unsigned long long)desc.seq, desc.lost_before);
		device_give_back(&device, desc.offset);
		device_stop(&device);
		while (device_try_take(&device, &desc))
			device_queue(&device, desc.offset);
	}
}

/* as much as fits may be asked for again and again: nothing of it gets lost */
static void open_and_close_50_times(const struct trial *trial, const void *arg)
{
	struct device device;
	int i;

	for (i = 0; i < 50; i++) {
		device_ready_any(&device, trial);
		device_start(&device);
		if (i % 5 == 0)
			device_take(&device);
		device_close(&device);
	}
}

static const struct check checks[] = {
	{ "info_tells_it", info_tells_the_state },
	{ "start_and_stop_change_it", start_and_stop_change_it },
	{ "every_start_streams_from_seq_0", stream_after_each_start },
	{ "open_stream_close_50_times", open_and_close_50_times },
};

void add_state_checks(struct check_list *list)
{
	char name[COMPLIANCE_NAME_MAX];
	size_t i, k;

	for (i = 0; i < COLUMN_COUNT; i++) {
		for (k = 0; k < COUNT_OF(rows); k++) {
			struct check check = { name, run_state, &rows[k].cells[i] };

			snprintf(name, sizeof(name), "%s_when_%s", rows[k].name, columns[i].name);
			check_list_add(list, "state", &check);
		}
	}
	check_list_add_table(list, "state", checks, COUNT_OF(checks));
}
