/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_journal.h - the journal's native protocol, for log.c alone
 *
 * log_journal.c is built with libsystemd, log_journal_fallback.c without it.
 */
#ifndef DAEMON_LOG_JOURNAL_H
#define DAEMON_LOG_JOURNAL_H

#include <stdbool.h>

/** Is this process's stderr connected to a journal that can be reached? */
bool log_journal_is_stderr(void);

/**
 * log_journal_send() - one entry
 * @sensor: may be NULL
 * @error: negative errno or 0
 *
 * Return: 0, or negative errno: it was not taken.
 */
int log_journal_send(int priority, const char *sensor, int error, const char *message);

#endif /* DAEMON_LOG_JOURNAL_H */
