/* SPDX-License-Identifier: Apache-2.0 */
/* lidar-compliance-log.c - does the kernel complain in its log? */
#include "tools/lidar-compliance-log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

struct kernel_log {
	int fd;
};

/* what a kernel, and more so one built to find faults, says of broken modules */
static const char *const complaints[] = {
	"BUG:", "WARNING:", "Oops", "Kernel panic", "general protection", "KASAN", "UBSAN", "KCSAN",
	"DMA-API:", "INFO: task", "possible recursive", "suspicious RCU", "soft lockup",
	"refcount_t:", "ODEBUG:", "list_add corruption", "list_del corruption", "DMAR:",
};

struct kernel_log *kernel_log_new(void)
{
	struct kernel_log *log = malloc(sizeof(*log));

	if (!log)
		return NULL;
	log->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log->fd < 0)
		return kernel_log_free(log);
	lseek(log->fd, 0, SEEK_END);
	return log;
}

struct kernel_log *kernel_log_free(struct kernel_log *log)
{
	if (log)
		close_fd(log->fd);
	free(log);
	return NULL;
}

static bool is_complaint(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++)
		if (strstr(text, complaints[i]))
			return true;
	return false;
}

int kernel_log_next_complaint(struct kernel_log *log, char *ret_text, size_t bytes)
{
	char record[2048];
	ssize_t n;
	char *text;

	for (;;) {
		n = read(log->fd, record, sizeof(record) - 1);
		/* EPIPE: records were overwritten before they were read; go on with the oldest */
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return 0;
		record[n] = '\0';
		text = strchr(record, ';');
		text = text ? text + 1 : record;
		text[strcspn(text, "\n")] = '\0';
		if (!is_complaint(text))
			continue;
		snprintf(ret_text, bytes, "%s", text);
		return 1;
	}
}
