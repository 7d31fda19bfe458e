/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h - what lidard tells the service manager
 *
 * Thin: each call is one datagram to $NOTIFY_SOCKET, or nothing where lidard
 * was not started by a service manager or was built without libsystemd
 * (notify_fallback.c).  None of them can fail in a way that matters to us.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/** Longest status line; what is longer is cut. */
#define NOTIFY_STATUS_MAX 256

/** notify_ready() - subscriptions are accepted; also ends notify_reloading() */
void notify_ready(const char *status);

/** notify_status() - the line that systemctl status shows; told only if it is another one */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** notify_reloading() - the configuration is being read again; notify_ready() must follow */
void notify_reloading(void);

void notify_stopping(void);

/**
 * notify_take_sockets() - the sockets that the service manager handed over
 * @take: called with each; takes the fd
 *
 * They are handed over once: children do not get them, and a second call finds none.
 */
void notify_take_sockets(void (*take)(void *data, int fd, const char *name), void *data);

/** notify_watchdog() - alive; due twice in every interval */
void notify_watchdog(void);

/** Return: WatchdogSec= of the unit; 0 if nobody watches this process. */
uint64_t notify_watchdog_interval_ns(void);

#endif /* DAEMON_NOTIFY_H */
