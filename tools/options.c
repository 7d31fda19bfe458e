/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - see options.h */
#include "tools/options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static int refuse(struct option_result *result,
							 const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(result->problem, sizeof(result->problem), format, ap);
	va_end(ap);
	return -EINVAL;
}

static int parse_whole(const char *text, char **ret_end, uint64_t *ret_value)
{
	unsigned long long value;

	/* strtoull() would take blanks and a sign, and make -1 the largest number */
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, ret_end, 10);
	if (errno)
		return -errno;
	*ret_value = value;
	return 0;
}

int options_parse_bytes(const char *text, uint64_t *ret_value)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	unsigned int shift = 0;
	uint64_t value = 0;
	char *end;
	int r;

	r = parse_whole(text, &end, &value);
	if (r < 0)
		return r;
	if (*end) {
		suffix = strchr(suffixes, *end);
		if (!suffix)
			return -EINVAL;
		shift = 10u * (unsigned int)(suffix - suffixes + 1);
		end++;
		if (strcmp(end, "iB") == 0 || strcmp(end, "B") == 0)
			end += strlen(end);
	}
	if (*end)
		return -EINVAL;
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*ret_value = value << shift;
	return 0;
}

static int parse_number(const struct option_row *row, const char *text, void *member)
{
	char *end = NULL;
	int r = 0;

	switch (row->type) {
	case OPTION_COUNT:
		r = parse_whole(text, &end, member);
		if (r == 0 && *end)
			r = -EINVAL;
		break;
	case OPTION_BYTES:
		r = options_parse_bytes(text, member);
		break;
	default:
		*(double *)member = strtod(text, &end);
		if (end == text || *end || !isfinite(*(double *)member))
			r = -EINVAL;
		break;
	}
	return r;
}

static bool within_limits(const struct option_row *row, const void *member)
{
	double value = row->type == OPTION_REAL ? *(const double *)member :
						  (double)*(const uint64_t *)member;

	if (row->min == 0 && row->max == 0)
		return true;
	return value >= row->min && value <= row->max;
}

static int store(const struct option_row *row, const char *text, void *base,
		 struct option_result *result)
{
	void *member = (char *)base + row->offset;

	if (row->type == OPTION_FLAG) {
		*(bool *)member = true;
		return 0;
	}
	if (row->type == OPTION_TEXT) {
		*(const char **)member = text;
		return 0;
	}
	if (parse_number(row, text, member) < 0)
		return refuse(result, "--%s: '%s' is not a number%s", row->name, text,
			      row->type == OPTION_BYTES ? " of bytes (4096, 64K, 1M, 2G)" : "");
	if (!within_limits(row, member))
		return refuse(result, "--%s: %s is not between %.15g and %.15g", row->name, text,
			      row->min, row->max);
	return 0;
}

static const struct option_row *find(const struct option_set *set, const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < set->count; i++)
		if (strlen(set->rows[i].name) == length &&
		    strncmp(set->rows[i].name, name, length) == 0)
			return &set->rows[i];
	return NULL;
}

static int set_defaults(const struct option_set *set, void *base, struct option_result *result)
{
	size_t i;
	int r;

	for (i = 0; i < set->count; i++) {
		if (!set->rows[i].initial)
			continue;
		r = store(&set->rows[i], set->rows[i].initial, base, result);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Returns how many words the option at argv[0] took. */
static int parse_option(const struct option_set *set, void *base, int argc, char **argv,
			struct option_result *result)
{
	const char *name = argv[0] + 2;
	size_t length = strcspn(name, "=");
	const char *value = name[length] == '=' ? name + length + 1 : NULL;
	const struct option_row *row;
	int r, words = 1;

	if (argv[0][1] != '-') {
		if (strcmp(argv[0], "-h") != 0)
			return refuse(result, "unknown option '%s'", argv[0]);
		name = "help";
		length = strlen(name);
		value = NULL;
	}
	row = find(set, name, length);
	if (!row)
		return refuse(result, "unknown option '%s'", argv[0]);
	if (row->type == OPTION_FLAG && value)
		return refuse(result, "--%s takes no value", row->name);
	if (row->type != OPTION_FLAG && !value) {
		if (argc < 2)
			return refuse(result, "--%s needs a value: %s", row->name, row->metavar);
		value = argv[1];
		words = 2;
	}
	r = store(row, value, base, result);
	return r < 0 ? r : words;
}

int options_parse(const struct option_set *set, void *base, int argc, char **argv,
		  struct option_result *result)
{
	int i = 0, words;

	result->arguments = argv;
	result->argument_count = 0;
	words = set_defaults(set, base, result);
	if (words < 0)
		return words;
	while (i < argc) {
		if (strcmp(argv[i], "--") == 0)
			break;
		if (argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[result->argument_count++] = argv[i++];
			continue;
		}
		words = parse_option(set, base, argc - i, argv + i, result);
		if (words < 0)
			return words;
		i += words;
	}
	for (i++; i < argc; i++)
		argv[result->argument_count++] = argv[i];
	return 0;
}

void options_print(const struct option_set *set, FILE *out)
{
	char left[64];
	size_t i;

	for (i = 0; i < set->count; i++) {
		const struct option_row *row = &set->rows[i];

		snprintf(left, sizeof(left), "--%s%s%s", row->name, row->metavar ? " " : "",
			 row->metavar ? row->metavar : "");
		fprintf(out, "  %-24s %s", left, row->help);
		if (row->initial)
			fprintf(out, " (%s)", row->initial);
		fputc('\n', out);
	}
}
