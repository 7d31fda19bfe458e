/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-trial.c - a check's words on their way to who runs it
 *
 * Each is a line in a pipe: a letter (F failed, S skipped, N note) and the text.
 * A line is shorter than PIPE_BUF, so those of several processes do not mix.
 */
#include "tools/lidar-compliance.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const struct trial *trial, char kind, const char *format, va_list ap)
{
	char line[512];
	int length;

	line[0] = kind;
	length = vsnprintf(line + 1, sizeof(line) - 2, format, ap);
	if (length < 0)
		return;
	if ((size_t)length > sizeof(line) - 3)
		length = sizeof(line) - 3;
	line[length + 1] = '\n';
	if (write(trial->report_fd, line, (size_t)length + 2) < 0)
		_exit(1);
}

void trial_fail(const struct trial *trial, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(trial, 'F', format, ap);
	va_end(ap);
	_exit(1);
}

void trial_skip(const struct trial *trial, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(trial, 'S', format, ap);
	va_end(ap);
	_exit(0);
}

void trial_note(const struct trial *trial, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(trial, 'N', format, ap);
	va_end(ap);
}

static const char *name_of(int error)
{
	const char *name = error ? strerrorname_np(error) : "success";

	return name ? name : "an unknown errno";
}

static int errno_of(long result)
{
	return result < 0 ? (int)-result : 0;
}

static void explain(const struct trial *trial, const char *what, const char *wanted, long result)
{
	if (result < 0)
		trial_fail(trial, "%s: expected %s, got %s", what, wanted, name_of((int)-result));
	trial_fail(trial, "%s: expected %s, got %ld", what, wanted, result);
}

void trial_expect(const struct trial *trial, const char *what, long result, int want)
{
	if (errno_of(result) != want)
		explain(trial, what, name_of(want), result);
}

void trial_expect_either(const struct trial *trial, const char *what, long result, int want,
			 int other)
{
	char wanted[64];

	if (errno_of(result) == want || errno_of(result) == other)
		return;
	snprintf(wanted, sizeof(wanted), "%s or %s", name_of(want), name_of(other));
	explain(trial, what, wanted, result);
}
