/* SPDX-License-Identifier: Apache-2.0 */
/* number_text.h - a number in a file, whatever the process's locale calls a decimal point */
#ifndef COMMON_NUMBER_TEXT_H
#define COMMON_NUMBER_TEXT_H

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/** number_text_read() - all of @text, a finite decimal number. Return: false if it is none. */
static inline bool number_text_read(const char *text, double *ret_value)
{
	locale_t c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	double value;
	char *end;

	if (!c_locale)
		return false;
	value = strtod_l(text, &end, c_locale);
	freelocale(c_locale);
	if (end == text || *end || !isfinite(value))
		return false;
	*ret_value = value;
	return true;
}

#endif /* COMMON_NUMBER_TEXT_H */
