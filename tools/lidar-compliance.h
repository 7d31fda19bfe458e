/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance.h - what a check is, and how it says what it found
 *
 * A check is a function that uses the device and says if something is not as
 * include/uapi/lidar_ring.h has it.  It runs in a process of its own, so it may
 * leave everything open, crash or hang: whoever runs it (lidar-compliance-run.h)
 * ends it, looks whether the device is idle again, and goes on with the next.
 * Without a word the check is passed.  Processes that a check forks share its
 * struct trial and speak for it.
 */
#ifndef TOOLS_LIDAR_COMPLIANCE_H
#define TOOLS_LIDAR_COMPLIANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uapi/lidar_ring.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define COMPLIANCE_NAME_MAX 96
#define COMPLIANCE_CHECKS_MAX 1024

/** The command line. */
struct compliance_options {
	/** fnmatch() pattern of names; NULL: all */
	const char *only;
	/** Driver folder and device in sysfs, or NULL */
	const char *unbind;
	/** Folder of a lidar_sim device in configfs, or NULL */
	const char *sim;
	bool list;
	bool verbose;
	bool slow;
	bool help;
	/** of the slots the checks set up, before the device's limits */
	uint64_t slot_bytes;
	uint64_t slot_count;
	/** before a check counts as hung; ten times as long for slow ones */
	uint64_t timeout_s;
	const char *device;
};

/** What a check cannot do without; it is skipped where that is missing. */
enum check_needs {
	NEEDS_KERNEL_MEMORY = 1 << 0,
	NEEDS_USER_MEMORY = 1 << 1,
	NEEDS_DMABUF = 1 << 2,
	NEEDS_FRAMES = 1 << 3,
	NEEDS_FIRST_NS = 1 << 4,
	NEEDS_DEVICE_SEQ = 1 << 5,
	NEEDS_ROOT = 1 << 6,
	/** takes long: --slow */
	NEEDS_SLOW = 1 << 7,
	/** the device goes away, and comes back when the check has ended: --unbind */
	NEEDS_UNBIND = 1 << 8,
	NEEDS_SIM = 1 << 9,
};

/** struct trial - one run of a check; the same in all processes it forks */
struct trial {
	const struct compliance_options *options;
	/** of the device when it was idle */
	struct lidar_ring_info info;
	/** of the slots to set up, within the device's limits */
	uint64_t slot_bytes;
	uint32_t slot_count;
	/** where verdicts go */
	int report_fd;
};

/**
 * struct check - something a driver must do
 * @name: a sentence of behaviour, within its group
 * @run: ends without a word if the driver does it
 * @arg: handed to @run; a row of a table
 * @needs: enum check_needs
 */
struct check {
	const char *name;
	void (*run)(const struct trial *trial, const void *arg);
	const void *arg;
	unsigned int needs;
};

/** struct check_entry - a check of the list, under its full name "group.name" */
struct check_entry {
	char name[COMPLIANCE_NAME_MAX];
	struct check check;
};

struct check_list {
	struct check_entry entries[COMPLIANCE_CHECKS_MAX];
	size_t count;
};

void check_list_add(struct check_list *list, const char *group, const struct check *check);
void check_list_add_table(struct check_list *list, const char *group, const struct check *checks,
			  size_t count);

/* The groups: each adds its checks. */
void add_info_checks(struct check_list *list);
void add_call_checks(struct check_list *list);
void add_reject_checks(struct check_list *list);
void add_state_checks(struct check_list *list);
void add_map_checks(struct check_list *list);
void add_stream_checks(struct check_list *list);
void add_slot_checks(struct check_list *list);
void add_wake_checks(struct check_list *list);
void add_hostile_checks(struct check_list *list);
void add_plain_checks(struct check_list *list);
void add_user_checks(struct check_list *list);
void add_owner_checks(struct check_list *list);
void add_export_checks(struct check_list *list);
void add_adopt_checks(struct check_list *list);
void add_unbind_checks(struct check_list *list);
void add_sim_checks(struct check_list *list);

/** The check has failed, and this process ends. */
__attribute__((noreturn, format(printf, 2, 3))) void trial_fail(const struct trial *trial,
								const char *format, ...);
/** The check cannot be done here, and this process ends. */
__attribute__((noreturn, format(printf, 2, 3))) void trial_skip(const struct trial *trial,
								const char *format, ...);
/** Something worth knowing: shown if the check fails, or with --verbose. */
__attribute__((format(printf, 2, 3))) void trial_note(const struct trial *trial, const char *format,
						      ...);

/**
 * trial_expect() - fail unless a call's result is what it should be
 * @what: the call, for the message
 * @result: 0 or more, or a negative errno
 * @want: 0: success; else the errno, positive
 */
void trial_expect(const struct trial *trial, const char *what, long result, int want);
/** Likewise, with two good answers. */
void trial_expect_either(const struct trial *trial, const char *what, long result, int want,
			 int other);

#define trial_require(trial, condition, ...)              \
	do {                                              \
		if (!(condition))                         \
			trial_fail(trial, __VA_ARGS__);   \
	} while (0)

#endif /* TOOLS_LIDAR_COMPLIANCE_H */
