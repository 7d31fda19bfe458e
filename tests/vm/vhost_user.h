/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_user.h - the back end of QEMU's vhost-user protocol, for one queue
 *
 * A connection with QEMU over a Unix socket: it passes the guest's memory and
 * where the queue lies, and starts and stops it.  The queue runs from
 * SET_VRING_KICK to GET_VRING_BASE.  Everything happens in vhost_user_handle(),
 * so when that has answered a stop nobody writes to the guest any more, provided
 * the caller forgets its chains when it finds the queue not running, or started
 * anew (@starts).
 */
#ifndef TESTS_VM_VHOST_USER_H
#define TESTS_VM_VHOST_USER_H

#include "tests/vm/device_queue.h"
#include "tests/vm/guest_memory.h"

struct vhost_user {
	int fd; /* owned */
	int kick_fd; /* owned; -1: not running */
	uint64_t features; /* that the guest took */
	struct guest_memory memory;
	struct device_queue queue;
	bool running;
	uint64_t starts;
};

/** Takes the fd of a connection. */
void vhost_user_init(struct vhost_user *v, int fd);
void vhost_user_deinit(struct vhost_user *v);
/** Receive a message and do as it says. Return: 1, 0 when QEMU has hung up, -EPROTO, -errno. */
int vhost_user_handle(struct vhost_user *v);

#endif /* TESTS_VM_VHOST_USER_H */
