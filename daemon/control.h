/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - the control socket: who may ask what
 *
 * docs/control.md describes the interface for those who call it.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "common/problem.h"
#include "daemon/client.h"
#include "daemon/daemon.h"
#include "daemon/loop.h"

struct control;

/**
 * control_new() - listen
 * @daemon: borrowed; what the methods tell about
 * @path: the socket; what lies there is replaced, so hold the lock file first
 * @group: who may connect, "": only the daemon's own group
 *
 * Return: 0; negative errno with @problem set.
 */
int control_new(struct daemon *daemon, const char *path, const char *group,
		struct control **ret_control, struct problem *problem);
/** Closes every connection. NULL is allowed. Return: NULL. */
struct control *control_free(struct control *c);

struct varlink;
/**
 * control_serve() - serve a connected socket as if it had been accepted
 * @fd: taken on success
 *
 * Return: 0; -EUSERS too many connections; -ENOMEM; -errno.
 */
int control_serve(struct control *c, int fd, struct varlink **ret_varlink);

/** control_drop_sensor() - close the connections that subscribe the sensor and free the subscriptions */
void control_drop_sensor(struct control *c, struct sensor *sensor);

#endif /* DAEMON_CONTROL_H */
