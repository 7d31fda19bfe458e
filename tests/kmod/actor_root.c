/* SPDX-License-Identifier: Apache-2.0 */
/* actor_root.c - what an actor does as root to a simulated LIDAR that streams */
#include "tests/kmod/actor_moves.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/kmod/sim.h"

void move_fault_sim(struct actor *a)
{
	static const struct {
		const char *key;
		uint32_t limit;
	} knobs[] = {{"drop", 5}, {"short", 5}, {"corrupt", 5}, {"fail", 4}, {"fail", 100},
		     {"stall_ms", 20}, {"late_irq_us", 2000}};
	static const char *const rates[] = {"0", "1000000", "8000000", "50000000", "-1", "x"};
	uint32_t knob = below(a, sizeof(knobs) / sizeof(knobs[0]) + 2);
	struct sim sim;
	char text[24];

	snprintf(sim.name, sizeof(sim.name), "%s", a->stage->sims[below(a, ACTOR_SIMS)]);
	if (!*sim.name)
		return;
	if (knob == 0) {
		sim_set(&sim, "rate_bytes_per_s", ONE_OF(a, rates));
	} else if (knob == 1) {
		snprintf(text, sizeof(text), "%lld", (long long)any(a));
		sim_set(&sim, "clock_step_ticks", text);
	} else {
		snprintf(text, sizeof(text), "%u", below(a, knobs[knob - 2].limit));
		sim_set(&sim, knobs[knob - 2].key, text);
	}
}

void move_plug_sim(struct actor *a)
{
	static const char *const settings[] = {"slice_bytes=4096", "slice_bytes=65536",
					       "crc=1", "crc=0", "pattern=full", "pattern=words"};
	const char *setting = ONE_OF(a, settings);
	char key[16];
	struct sim sim;

	snprintf(sim.name, sizeof(sim.name), "%s", a->stage->sims[below(a, ACTOR_SIMS)]);
	if (!*sim.name)
		return;
	actor_begin_failing(a);
	switch (below(a, 5)) {
	case 0: sim_set(&sim, "unplug", "1"); break;
	case 1: sim_set(&sim, "live", "0"); break;
	case 2:
		snprintf(key, sizeof(key), "%.*s", (int)strcspn(setting, "="), setting);
		sim_set(&sim, key, strchr(setting, '=') + 1);
		break;
	default: break;
	}
	actor_end_failing(a);
	if (one_in(a, 8))
		return;
	/* else there soon were nothing left; plugged in without a driver is of no use, either */
	actor_begin_failing(a);
	if (one_in(a, 4))
		sim_set(&sim, "live", "0");
	sim_set(&sim, "live", "1");
	actor_end_failing(a);
}

static void tell_driver(struct actor *a, const char *path, const char *name)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	actor_begin_failing(a);
	(void)!write(fd, name, strlen(name));
	actor_end_failing(a);
	close(fd);
}

void move_bind_driver(struct actor *a)
{
	char name[24];

	snprintf(name, sizeof(name), "lidar-ring.%u", 1 + below(a, a->stage->devices - 1));
	if (!one_in(a, 3))
		tell_driver(a, "/sys/bus/platform/drivers/lidar-ring/unbind", name);
	if (!one_in(a, 8))
		tell_driver(a, "/sys/bus/platform/drivers/lidar-ring/bind", name);
}

void move_feed(struct actor *a)
{
	static char data[65536];
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/lidar_sim_%s", a->stage->feed);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	actor_begin_failing(a);
	if (fd >= 0)
		(void)!write(fd, one_in(a, 16) ? actor_somewhere(a, data) : data, below(a, 70000));
	actor_end_failing(a);
	actor_keep_file(a, fd);
}

void move_look_at_sysfs(struct actor *a)
{
	static const char *const names[] = {"state", "uevent", "memory", "slot_count", "serial",
					    "statistics/delivered"};
	char path[80], text[256];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/lidar/lidar%u/%s", below(a, a->stage->devices),
		 ONE_OF(a, names));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	actor_begin_failing(a);
	(void)!read(fd, text, sizeof(text));
	actor_end_failing(a);
	close(fd);
}
