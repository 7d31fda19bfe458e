/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency_selftest_device.c - late interrupts of a virtual LIDAR, by lidar_sim(4)
 *
 * Whose device it is lidard tells: the serial number of one of lidar_sim is its
 * name in configfs.  Others are left alone.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/latency_selftest.h"
#include "tools/snapshot.h"

#define SIM_DIR "/sys/kernel/config/lidar_sim"
#define SIM_MODEL "lidar_sim"

struct sim {
	char path[PATH_MAX];
	/** What the delay was before. */
	char late_irq_us[32];
	/** "lidar0" */
	char ring[LIDARD_SENSOR_NAME_MAX];
	/** lidard copies, and says itself when a slice is filled. */
	bool copies;
};

static int read_attribute(const struct sim *sim, const char *name, char *text, int size)
{
	CLEANUP(cleanup_file) FILE *f = NULL;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", sim->path, name);
	f = fopen(path, "re");
	if (!f || !fgets(text, size, f))
		return f ? -EIO : -errno;
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

static int write_late_irq_us(const struct sim *sim, const char *text)
{
	char path[PATH_MAX + 32];
	FILE *f;
	int r;

	snprintf(path, sizeof(path), "%s/late_irq_us", sim->path);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	r = fputs(text, f) < 0 ? -EIO : 0;
	if (fclose(f) != 0 && r == 0)
		r = -errno;
	return r;
}

/* Return: 1 it is one; 0 it is something else; negative errno. */
static int find_sim(struct selftest *t, const char *sensor, struct sim *sim)
{
	CLEANUP(cleanup_snapshot) struct snapshot *snapshot = NULL;
	const struct snapshot_sensor *s;
	int r;

	r = connect_get_snapshot(t->client, &snapshot);
	if (r < 0)
		return r;
	s = snapshot_find_sensor(snapshot, sensor);
	if (!s || strcmp(s->source, "device") != 0 || strcmp(s->model, SIM_MODEL) != 0 ||
	    !s->serial[0] || s->serial[0] == '.' || strchr(s->serial, '/'))
		return 0;
	sim->copies = s->copied_bytes > 0;
	snprintf(sim->path, sizeof(sim->path), SIM_DIR "/%s", s->serial);
	r = read_attribute(sim, "late_irq_us", sim->late_irq_us, sizeof(sim->late_irq_us));
	if (r == 0)
		r = read_attribute(sim, "device", sim->ring, sizeof(sim->ring));
	if (r < 0)
		printf("late interrupt: not tried, cannot read %s: %s\n", sim->path, strerror(-r));
	return r == 0;
}

static void judge(struct selftest *t, const struct sim *sim, const struct selftest_view *with,
		  const struct selftest_view *without)
{
	double delay_ns = (double)t->delay_ns, wrong_ns = SELFTEST_TOLERANCE * delay_ns;
	const struct selftest_expectation expected[] = {
		/* the device begins late with the next slice, and makes up for it */
		{ LIDARD_TRACE_FILL, 0, wrong_ns, .may_shrink = true },
		{ LIDARD_TRACE_INTERRUPT, delay_ns, wrong_ns },
		{ LIDARD_TRACE_READY, sim->copies ? 0 : delay_ns, wrong_ns },
		{ LIDARD_TRACE_PUBLISH, 0, wrong_ns },
		{ LIDARD_TRACE_WAKE, 0, wrong_ns },
		{ LIDARD_TRACE_RUN, 0, wrong_ns },
		{ LIDARD_TRACE_CODE, 0, wrong_ns },
		{ LIDARD_TRACE_TAKE, 0, wrong_ns },
		{ LIDARD_TRACE_HOLD, 0, wrong_ns },
	};

	/* where lidard copies, a slice is filled when that is done: all of it is the stage fill */
	unsigned int skip = sim->copies ? 1 : 0;

	selftest_compare(t, "late interrupt", with, without, expected + skip,
			 sizeof(expected) / sizeof(expected[0]) - skip);
}

static int run_trial(struct selftest *t, const char *sensor, const struct sim *sim)
{
	struct selftest_view with, without;
	char delay_us[32];
	int r, restored;

	snprintf(delay_us, sizeof(delay_us), "%llu", (unsigned long long)t->delay_ns / 1000);
	r = write_late_irq_us(sim, "0");
	if (r < 0) {
		printf("late interrupt: not tried, cannot write to %s: %s\n", sim->path,
		       strerror(-r));
		return 0;
	}
	r = selftest_look(t, sensor, sim->ring, &without);
	if (r == 0)
		r = write_late_irq_us(sim, delay_us);
	if (r == 0)
		r = selftest_look(t, sensor, sim->ring, &with);
	restored = write_late_irq_us(sim, sim->late_irq_us);
	if (restored < 0)
		complain("%s/late_irq_us was %s, and cannot be put back: %s", sim->path,
			 sim->late_irq_us, strerror(-restored));
	if (r == 0)
		judge(t, sim, &with, &without);
	return r < 0 ? r : restored;
}

int selftest_delay_device(struct selftest *t, const char *sensor)
{
	struct sim sim = {};
	int r = find_sim(t, sensor, &sim);

	return r <= 0 ? r : run_trial(t, sensor, &sim);
}
