/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_journal.c - the journal's native protocol, by libsystemd
 *
 * systemd sets JOURNAL_STREAM to device and inode of the stream it gave us as
 * stderr.  If stderr has been redirected since, they no longer match, and what
 * somebody wants to see on stderr must not vanish into the journal.
 */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "daemon/log_journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "daemon/log.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

bool log_journal_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) != 2)
		return false;
	if (fstat(STDERR_FILENO, &st) < 0 || st.st_dev != (dev_t)device ||
	    st.st_ino != (ino_t)inode)
		return false;
	/* sd_journal_sendv() calls it a success when there is no socket */
	return access(JOURNAL_SOCKET, W_OK) == 0;
}

static void add_field(struct iovec *fields, int *count, const char *text)
{
	fields[*count].iov_base = (void *)text;
	fields[*count].iov_len = strlen(text);
	(*count)++;
}

int log_journal_send(int priority, const char *sensor, int error, const char *message)
{
	char text[LOG_MESSAGE_MAX + sizeof("MESSAGE=")], level[32], name[64], number[32];
	struct iovec fields[5];
	int count = 0;

	snprintf(text, sizeof(text), "MESSAGE=%s%s%s", sensor ? sensor : "", sensor ? ": " : "",
		 message);
	snprintf(level, sizeof(level), "PRIORITY=%d", priority);
	add_field(fields, &count, text);
	add_field(fields, &count, level);
	add_field(fields, &count, "SYSLOG_IDENTIFIER=lidard");
	if (sensor) {
		snprintf(name, sizeof(name), "LIDARD_SENSOR=%s", sensor);
		add_field(fields, &count, name);
	}
	if (error < 0) {
		snprintf(number, sizeof(number), "ERRNO=%d", -error);
		add_field(fields, &count, number);
	}
	return sd_journal_sendv(fields, count);
}
