/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_entry.h - one file for each process that iceoryx knows by us
 *
 * STATE_DIR/clients/NAME, later STATE_DIR/dead/NAME: one line "pid uid gid
 * start_time".  start_time is field 22 of /proc/PID/stat, so that a process
 * that merely got the same pid is not taken for the old one.  Written by
 * lidard, read by its successor and by lidard-reclaim, which runs as root and
 * therefore believes nothing but well-formed entries with well-formed names.
 */
#ifndef DAEMON_JOURNAL_ENTRY_H
#define DAEMON_JOURNAL_ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** lidard-reclaim's exit status when RouDi does not answer. */
#define RECLAIM_EXIT_BROKER_HANGS 3

struct journal_entry {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	uint64_t start_time;
};

/** Is this a runtime name that lidard gives to clients? */
bool journal_entry_is_name(const char *name);

/** Return: 0; -EINVAL name or content is not well-formed; -errno. */
int journal_entry_read(int dir_fd, const char *name, struct journal_entry *ret_entry);
/** Atomic: a reader sees all of it or nothing. Return: 0 or -errno. */
int journal_entry_write(int dir_fd, const char *name, const struct journal_entry *entry);

/** Is that very process still there? */
bool journal_entry_is_alive(const struct journal_entry *entry);

/** Clock ticks since boot at which the process began; 0 if there is none. */
uint64_t journal_entry_read_start_time(pid_t pid);

#endif /* DAEMON_JOURNAL_ENTRY_H */
