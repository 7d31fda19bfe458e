/* SPDX-License-Identifier: Apache-2.0 */
/* lock_file.h - take the lock that a predecessor held */
#ifndef DAEMON_LOCK_FILE_H
#define DAEMON_LOCK_FILE_H

/**
 * lock_file_take() - flock() a file for this process alone
 *
 * A process that was killed may live on for some milliseconds in a child that
 * it was about to start, and its locks with it: so a lock that is taken is
 * waited for, 3 s at most.
 *
 * Return: 0, -EWOULDBLOCK if somebody has it all that time, or another -errno
 * of flock().
 */
int lock_file_take(int fd);

#endif
