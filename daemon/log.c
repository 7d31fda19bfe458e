/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - level, wording and limits of messages; stderr */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/log_journal.h"

static int log_level = LOG_INFO;
static bool log_to_journal;

void log_init(void)
{
	log_to_journal = log_journal_is_stderr();
}

void log_set_level(int priority)
{
	log_level = priority;
}

static const char *priority_name(int priority)
{
	static const char *const names[] = {
		[LOG_EMERG] = "error", [LOG_ALERT] = "error",	  [LOG_CRIT] = "error",
		[LOG_ERR] = "error",   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
		[LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
	};

	return names[priority & LOG_PRIMASK];
}

/* one write() each, so that the lines of several processes do not mix */
static void send_to_stderr(int priority, const char *sensor, const char *message)
{
	char line[LOG_MESSAGE_MAX + 128];
	int length, i;

	length = snprintf(line, sizeof(line) - 1, "lidard: %s: %s%s%s", priority_name(priority),
			  sensor ? sensor : "", sensor ? ": " : "", message);
	if (length < 0)
		return;
	if ((size_t)length > sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	/* a message may quote what somebody else sent: it stays one line, and harmless */
	for (i = 0; i < length; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	line[length++] = '\n';
	/* nobody to tell if that fails */
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		return;
}

static void send_message(int priority, const char *sensor, int error, const char *message)
{
	if (log_to_journal && log_journal_send(priority, sensor, error, message) == 0)
		return;
	send_to_stderr(priority, sensor, message);
}

static void __attribute__((format(printf, 4, 0)))
log_va(int priority, const char *sensor, int error, const char *format, va_list args)
{
	char message[LOG_MESSAGE_MAX];
	int length;

	length = vsnprintf(message, sizeof(message), format, args);
	if (length < 0)
		return;
	if (error < 0 && (size_t)length < sizeof(message))
		snprintf(message + length, sizeof(message) - (size_t)length, ": %s",
			 strerror(-error));
	send_message(priority, sensor, error, message);
}

void log_msg(int priority, const char *sensor, int error, const char *format, ...)
{
	va_list args;

	if (priority > log_level)
		return;
	va_start(args, format);
	log_va(priority, sensor, error, format, args);
	va_end(args);
}

int log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t *ret_suppressed)
{
	if (limit->count == 0 || now_ns - limit->window_start_ns >= LOG_LIMIT_WINDOW_NS) {
		limit->window_start_ns = now_ns;
		limit->count = 0;
	}
	if (limit->count >= LOG_LIMIT_BURST) {
		limit->suppressed++;
		return 0;
	}
	limit->count++;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return 1;
}

void log_msg_limited(struct log_limit *limit, int priority, const char *sensor, int error,
		     const char *format, ...)
{
	uint64_t suppressed;
	va_list args;

	/* what would not be shown must not use up the limit */
	if (priority > log_level || !log_limit_pass(limit, clock_now_ns(), &suppressed))
		return;
	if (suppressed > 0)
		log_msg(priority, sensor, 0, "%llu messages like the next one were held back",
			(unsigned long long)suppressed);
	va_start(args, format);
	log_va(priority, sensor, error, format, args);
	va_end(args);
}
