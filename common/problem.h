/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem.h - what went wrong, for a person
 *
 * Functions that check input take a struct problem * and leave a sentence in
 * it that names the thing, the value and what would be right.  They do not
 * log: whoever called them knows the sensor and what happens next.
 */
#ifndef COMMON_PROBLEM_H
#define COMMON_PROBLEM_H

#include <stdarg.h>
#include <stdio.h>

#define PROBLEM_TEXT_MAX 512

struct problem {
	char text[PROBLEM_TEXT_MAX];
};

/**
 * problem_set() - write the sentence, forward the error
 * @p: may be NULL: then nothing is written
 * @error: negative errno
 *
 * Return: @error.
 */
__attribute__((format(printf, 3, 4))) static inline int
problem_set(struct problem *p, int error, const char *format, ...)
{
	va_list args;

	if (!p)
		return error;
	va_start(args, format);
	vsnprintf(p->text, sizeof(p->text), format, args);
	va_end(args);
	return error;
}

#endif /* COMMON_PROBLEM_H */
