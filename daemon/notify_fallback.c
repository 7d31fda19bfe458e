/* SPDX-License-Identifier: Apache-2.0 */
/* notify_fallback.c - built without libsystemd: nobody is told */
#include "daemon/notify.h"

void notify_ready(const char *status)
{
}

void notify_status(const char *format, ...)
{
}

void notify_reloading(void)
{
}

void notify_stopping(void)
{
}

void notify_take_sockets(void (*take)(void *data, int fd, const char *name), void *data)
{
}

void notify_watchdog(void)
{
}

uint64_t notify_watchdog_interval_ns(void)
{
	return 0;
}
