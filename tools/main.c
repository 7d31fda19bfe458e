/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - lidarctl: look at lidard and use what it publishes
 *
 * Finds the subcommand, parses its options by its table, runs it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "lidard/lidard.h"
#include "tools/command.h"
#include "tools/complain.h"

static const struct command *const commands[] = {
	&command_list, &command_info, &command_status, &command_top,
	&command_echo, &command_view, &command_record, &command_latency, &command_demo,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out)
{
	size_t i;

	fputs("Usage: lidarctl SUBCOMMAND [OPTIONS]\n\n"
	      "Look at lidard, the LIDAR sensor daemon, and use what it publishes.\n\n", out);
	for (i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n  lidarctl SUBCOMMAND --help   its options\n"
	      "  lidarctl --version           the version\n\n"
	      "Exit status: 0 all is well; 1 a failure, a loss or a violated account; 2 usage.\n", out);
}

static void print_command_usage(const struct command *command, FILE *out)
{
	fprintf(out, "Usage: lidarctl %s [OPTIONS]%s%s\n\n%s\n", command->name,
		command->arguments[0] ? " " : "", command->arguments, command->summary);
	if (command->description)
		fprintf(out, "\n%s", command->description);
	fputs("\n", out);
	options_print(&command->options, out);
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int complain_of_arguments(const struct command *command, const struct option_result *result)
{
	if (result->argument_count < command->arguments_min)
		complain("%s: %s is missing (see lidarctl %s --help)", command->name,
			 command->arguments, command->name);
	else
		complain("%s: '%s' is too much, it takes %s (see lidarctl %s --help)",
			 command->name, result->arguments[command->arguments_max],
			 command->arguments[0] ? command->arguments : "options only",
			 command->name);
	return COMMAND_USAGE;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	CLEANUP(cleanup_free) void *options = calloc(1, command->options_bytes);
	struct option_result result = {};

	if (!options) {
		complain("out of memory");
		return COMMAND_FAILED;
	}
	if (options_parse(&command->options, options, argc, argv, &result) < 0) {
		complain("%s: %s (see lidarctl %s --help)", command->name, result.problem,
			 command->name);
		return COMMAND_USAGE;
	}
	if (((const struct common_options *)options)->help) {
		print_command_usage(command, stdout);
		return COMMAND_OK;
	}
	if (result.argument_count < command->arguments_min ||
	    result.argument_count > command->arguments_max)
		return complain_of_arguments(command, &result);
	return command->run(options, result.arguments);
}

int main(int argc, char **argv)
{
	const struct command *command;
	int r;

	if (argc < 2) {
		print_usage(stderr);
		return COMMAND_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return COMMAND_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("lidarctl %s\n", lidard_get_version());
		return COMMAND_OK;
	}
	command = find_command(argv[1]);
	if (!command) {
		complain("unknown subcommand '%s' (see lidarctl --help)", argv[1]);
		return COMMAND_USAGE;
	}
	r = run_command(command, argc - 2, argv + 2);
	if (fflush(stdout) != 0 && r == COMMAND_OK) {
		complain("cannot write to standard output");
		r = COMMAND_FAILED;
	}
	return r;
}
