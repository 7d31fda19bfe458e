/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h - devices of lidar_sim, for tests in C
 *
 * As root, with configfs mounted and the modules loaded.  What must work ends the
 * program with status 2 and a line on stderr when it does not.
 */
#ifndef TESTS_KMOD_SIM_H
#define TESTS_KMOD_SIM_H

#include <stdint.h>

#define SIM_PAGE 4096u

/**
 * struct sim - a device
 * @name: its folder in configfs
 * @path: its node
 */
struct sim {
	char name[24];
	char path[32];
};

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

/** Make a device that is live. @settings: "key=value", the last one NULL. */
void sim_make(struct sim *sim, const char *name, const char *const *settings);
/** Return: 0 or -errno. Makes one system call that matters, a write() of the value. */
int sim_set(const struct sim *sim, const char *key, const char *value);
/** Learn the node's name anew. Return: 0, -ENODEV: there is none. */
int sim_find(struct sim *sim);
void sim_remove(const struct sim *sim);

/** Return: an fd that is closed on exec. */
int sim_open(const struct sim *sim);
/** Return: enum lidar_ring_state, for anybody's @fd; -errno. */
int sim_state(int fd);

/** What lidar_sim's pattern "words" has in a slice that came whole. Return: whether it is there. */
int sim_words_right(const void *data, uint32_t bytes, uint64_t seq);

#endif
