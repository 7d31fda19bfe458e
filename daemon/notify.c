/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - the service manager, by libsystemd */
#include "daemon/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "common/clock.h"

/* The status as it was told last; empty: another message took its place. */
static char told[NOTIFY_STATUS_MAX];

/* each line of the datagram is an assignment: a status must not bring its own */
static void flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			*text = ' ';
}

void notify_ready(const char *status)
{
	char text[NOTIFY_STATUS_MAX];

	snprintf(text, sizeof(text), "%s", status);
	flatten(text);
	told[0] = '\0';
	sd_notifyf(0, "READY=1\nSTATUS=%s", text);
}

void notify_status(const char *format, ...)
{
	char text[NOTIFY_STATUS_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	flatten(text);
	if (strcmp(text, told) == 0)
		return;
	snprintf(told, sizeof(told), "%s", text);
	sd_notifyf(0, "STATUS=%s", text);
}

void notify_reloading(void)
{
	told[0] = '\0';
	/* the time tells Type=notify-reload that this reload answers its signal */
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading the configuration again",
		   (unsigned long long)(clock_now_ns() / NSEC_PER_USEC));
}

void notify_stopping(void)
{
	told[0] = '\0';
	sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
}

void notify_take_sockets(void (*take)(void *data, int fd, const char *name), void *data)
{
	char **names = NULL;
	int i, count = sd_listen_fds_with_names(1, &names);

	for (i = 0; i < count; i++) {
		take(data, SD_LISTEN_FDS_START + i, names[i]);
		free(names[i]);
	}
	free(names);
}

void notify_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_watchdog_interval_ns(void)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	return usec * NSEC_PER_USEC;
}
