/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trial.h - a ring to make calls on, brought to where they can be made
 *
 * What is prepared must work, or the program ends (die()); what is expected of
 * the calls under trial is noted instead, the first thing that is wrong.
 */
#ifndef TESTS_KMOD_TRIAL_H
#define TESTS_KMOD_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kmod/sim.h"
#include "uapi/lidar_ring.h"

#define TRIAL_SLOTS 4u
#define TRIAL_SLOT_BYTES (4 * SIM_PAGE)
#define TRIAL_USER_BYTES (SIM_PAGE + TRIAL_SLOTS * (TRIAL_SLOT_BYTES + SIM_PAGE))
/* kmod/tests/lidar_import.c: its calls take numbers */
#define IMPORT(number) _IO(0xdd, number)
#define IMPORT_GET     IMPORT(0)
#define IMPORT_ATTACH  IMPORT(1)
#define IMPORT_MAP     IMPORT(2)
#define IMPORT_VMAP    IMPORT(5)

/**
 * struct trial - a ring, and what a call makes
 * @fd: the ring's file
 * @watcher: another file of the same device
 * @nth: this thread's fail-nth
 * @layout: of the ring, once it is set up
 * @control: its control page, if it is mapped
 * @user: memory for REGISTER
 * @made: fd that a call made; -1
 * @mapped: what mmap() gave
 * @mapped_bytes: of it
 * @import: /dev/lidar_import, or -1
 * @platform_device: that the ring's driver is bound to
 * @wrong: what was found first; NULL: nothing
 */
struct trial {
	struct sim sim;
	int fd;
	int watcher;
	int nth;
	struct lidar_ring_layout layout;
	uint8_t *control;
	uint8_t *user;
	int made;
	void *mapped;
	size_t mapped_bytes;
	int import;
	char platform_device[32];
	const char *wrong;
};

/** Return: @ret, or -errno if it is less than 0. */
int trial_outcome(int ret);
void trial_expect(struct trial *t, bool good, const char *what);

/* Calls. Return: 0 or -errno. */
int trial_setup_kernel(struct trial *t);
int trial_setup_user(struct trial *t);
int trial_register(struct trial *t);
int trial_start(struct trial *t);
int trial_stop(struct trial *t);
int trial_kick(struct trial *t);
int trial_get_frame(int fd, int64_t timeout_ns, struct lidar_ring_desc *ret_desc);
int trial_release(int fd, uint64_t offset);
int trial_export_data(struct trial *t);
int trial_export_ring(struct trial *t);
int trial_export_slot(struct trial *t);

/** How many slots the control page shows in a state. */
unsigned int trial_slots_in(const struct trial *t, uint8_t state);

/* Bring the ring to where a call can be made. */
void trial_with_file(struct trial *t);
void trial_with_setup_user(struct trial *t);
void trial_with_ring(struct trial *t);
void trial_with_user_ring(struct trial *t);
void trial_with_stream(struct trial *t);
void trial_with_full_slots(struct trial *t);
void trial_with_held_slot(struct trial *t);
void trial_with_filled_slot(struct trial *t);
void trial_with_dead_owner(struct trial *t);
void trial_with_exported_data(struct trial *t);
void trial_with_dmabuf(struct trial *t);
void trial_with_epoll(struct trial *t);
void trial_with_imported(struct trial *t);
void trial_with_attached(struct trial *t);

/** Does the ring of trial.fd still work, after whatever failed? */
void trial_check_own_ring(struct trial *t);
/** Is the device free, and does it work for a new file? */
void trial_check_new_ring(struct trial *t);
/** Close and unmap all that the trial has but the watcher. */
void trial_end(struct trial *t);

#endif
