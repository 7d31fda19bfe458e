/* SPDX-License-Identifier: Apache-2.0 */
/* complain.h - the one form of error message: "lidarctl: what failed, on what, what to do" */
#ifndef TOOLS_COMPLAIN_H
#define TOOLS_COMPLAIN_H

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 1, 2))) static inline void complain(const char *format, ...)
{
	va_list ap;

	fputs("lidarctl: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

#endif /* TOOLS_COMPLAIN_H */
