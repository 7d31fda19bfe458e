/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-child.h - processes that a check forks, and files it hands them */
#ifndef TOOLS_LIDAR_COMPLIANCE_CHILD_H
#define TOOLS_LIDAR_COMPLIANCE_CHILD_H

#include <sys/types.h>

#include "tools/lidar-compliance.h"

/**
 * struct child - a process at the other end of a socket
 * @pid: of it; 0: this is the child
 * @socket: between the two
 */
struct child {
	pid_t pid;
	int socket;
};

/** fork() with a socket. Return: in both processes. */
struct child child_fork(const struct trial *trial);
/** Wait for a process that must end well. */
void child_wait(const struct trial *trial, pid_t pid);
/** End a process in the way nobody can prepare for, and wait for it. */
void child_kill(const struct trial *trial, pid_t pid);
/** Hand over a file. */
void child_send(const struct trial *trial, const struct child *child, int fd);
/** Wait for a file. Return: it. */
int child_receive(const struct trial *trial, const struct child *child);
/** Tell the other process that something has been done. */
void child_tell(const struct trial *trial, const struct child *child);
void child_await(const struct trial *trial, const struct child *child);

#endif /* TOOLS_LIDAR_COMPLIANCE_CHILD_H */
