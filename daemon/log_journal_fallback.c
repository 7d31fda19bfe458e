/* SPDX-License-Identifier: Apache-2.0 */
/* log_journal_fallback.c - built without libsystemd: everything goes to stderr */
#include "daemon/log_journal.h"

#include <errno.h>

bool log_journal_is_stderr(void)
{
	return false;
}

int log_journal_send(int priority, const char *sensor, int error, const char *message)
{
	return -ENOTSUP;
}
