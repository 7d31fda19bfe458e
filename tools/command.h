/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h - a subcommand of lidarctl
 *
 * Each lives in a file of its own (NAME.c, command_NAME) and is listed in
 * main.c.  main.c parses the command line by the subcommand's table and hands
 * the filled-in struct to run().
 */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/options.h"

/** Exit codes, in the man page too. */
enum {
	COMMAND_OK = 0,
	/** It failed, data was lost where none should be, or an account is violated. */
	COMMAND_FAILED = 1,
	COMMAND_USAGE = 2,
};

/** First member, named common, of every subcommand's options. */
struct common_options {
	const char *socket;
	bool help;
};

#define COMMAND_COMMON_ROWS(object)                                                                 \
	OPTION_ROW_TEXT(object, common.socket, "socket", "PATH", NULL,                              \
			"lidard's control socket ($LIDARD_SOCKET, else /run/lidard/control)"),      \
		OPTION_ROW_FLAG(object, common.help, "help", "this text")

struct command {
	const char *name;
	/** "SENSOR"; "" if it takes none. */
	const char *arguments;
	unsigned int arguments_min;
	unsigned int arguments_max;
	const char *summary;
	/** More for --help; whole lines, or NULL. */
	const char *description;
	struct option_set options;
	size_t options_bytes;
	/** @options is the subcommand's struct. Return: an exit code. */
	int (*run)(const void *options, char **arguments);
};

extern const struct command command_list;
extern const struct command command_info;
extern const struct command command_status;
extern const struct command command_top;
extern const struct command command_echo;
extern const struct command command_view;
extern const struct command command_record;
extern const struct command command_latency;
extern const struct command command_demo;

#endif /* TOOLS_COMMAND_H */
