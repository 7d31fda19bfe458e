/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - command lines as tables
 *
 * One row names an option, its type, the member of the subcommand's struct it
 * is stored in, its metavar, default and help.  Parsing, defaults and --help
 * all come from these rows, so they cannot disagree.  Texts are borrowed from
 * argv or from the table.  No state; any thread.
 */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_PROBLEM_MAX 256

/** Member types: bool, const char *, uint64_t, uint64_t, double. */
enum option_type {
	OPTION_FLAG,
	OPTION_TEXT,
	/** A whole number. */
	OPTION_COUNT,
	/** A whole number with K, M, G for powers of 1024. */
	OPTION_BYTES,
	OPTION_REAL,
};

struct option_row {
	/** Without the dashes. */
	const char *name;
	enum option_type type;
	size_t offset;
	/** NULL for flags. */
	const char *metavar;
	/** Default, as the user would write it; NULL: false, NULL or 0, and not shown. */
	const char *initial;
	const char *help;
	/** Limits of numbers; both 0: none. */
	double min;
	double max;
};

/* offsetof() that also checks the member's type: a bool row cannot point at a number */
#define OPTIONS_MEMBER_(object, member, want)                                                       \
	(offsetof(object, member) +                                                                 \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((object *)0)->member), want) ? 1 : -1]))

#define OPTION_ROW_FLAG(object, member, option, text)                                               \
	{                                                                                           \
		.name = option, .type = OPTION_FLAG, .offset = OPTIONS_MEMBER_(object, member, bool), \
		.help = text,                                                                       \
	}
#define OPTION_ROW_TEXT(object, member, option, meta, dflt, text)                                   \
	{                                                                                           \
		.name = option, .type = OPTION_TEXT,                                                \
		.offset = OPTIONS_MEMBER_(object, member, const char *), .metavar = meta,           \
		.initial = dflt, .help = text,                                                      \
	}
#define OPTION_ROW_COUNT(object, member, option, meta, dflt, low, high, text)                       \
	{                                                                                           \
		.name = option, .type = OPTION_COUNT,                                               \
		.offset = OPTIONS_MEMBER_(object, member, uint64_t), .metavar = meta,               \
		.initial = dflt, .help = text, .min = low, .max = high,                             \
	}
#define OPTION_ROW_BYTES(object, member, option, meta, dflt, low, high, text)                       \
	{                                                                                           \
		.name = option, .type = OPTION_BYTES,                                               \
		.offset = OPTIONS_MEMBER_(object, member, uint64_t), .metavar = meta,               \
		.initial = dflt, .help = text, .min = low, .max = high,                             \
	}
#define OPTION_ROW_REAL(object, member, option, meta, dflt, low, high, text)                        \
	{                                                                                           \
		.name = option, .type = OPTION_REAL,                                                \
		.offset = OPTIONS_MEMBER_(object, member, double), .metavar = meta,                 \
		.initial = dflt, .help = text, .min = low, .max = high,                             \
	}

/** struct option_set - the rows of one subcommand */
struct option_set {
	const struct option_row *rows;
	size_t count;
};

/** What a command line was made of. */
struct option_result {
	/** Words that are no options, in their order: the first argument_count of argv. */
	char **arguments;
	unsigned int argument_count;
	/** What was wrong, for a person; set when parsing fails. */
	char problem[OPTIONS_PROBLEM_MAX];
};

/**
 * options_parse() - read a command line into a struct
 * @set: the table
 * @base: the struct; its members named by rows get their defaults first
 * @argc: words, without the program's and the subcommand's names
 * @argv: reordered: arguments first
 * @result: arguments, or the problem
 *
 * "--name value" and "--name=value"; "--" ends options. An option given twice:
 * the last counts.
 *
 * Return: 0; -EINVAL with result->problem set.
 */
int options_parse(const struct option_set *set, void *base, int argc, char **argv,
		  struct option_result *result);

/** options_print() - a line for each row, aligned, defaults in parentheses */
void options_print(const struct option_set *set, FILE *out);

/** options_parse_bytes() - "64K", "1M", "2G", "4096". Return: 0; -EINVAL; -ERANGE. */
int options_parse_bytes(const char *text, uint64_t *ret_value);

#endif /* TOOLS_OPTIONS_H */
