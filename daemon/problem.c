/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/problem.h"

#include <stdarg.h>
#include <stdio.h>

int problem_set(struct problem *p, int error, const char *format, ...)
{
	va_list args;

	if (!p)
		return error;
	va_start(args, format);
	vsnprintf(p->text, sizeof(p->text), format, args);
	va_end(args);
	return error;
}
