/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_print.c - the key table as people read it: the shipped lidard.conf,
 * and the keys of lidard.conf(5)
 *
 * Tests compare both with the files in the tree, so neither can fall behind
 * the table.
 */
#include "daemon/config.h"

#include <string.h>

#include "daemon/config_key.h"

#define COMMENT_COLUMNS 78

/** Words, broken into comment lines. */
static void print_comment(FILE *out, const char *text)
{
	size_t column = 0, word;

	while (*text) {
		word = strcspn(text, " ");
		if (column > 0 && column + 1 + word > COMMENT_COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		column += (size_t)fprintf(out, "%s%.*s", column == 0 ? "# " : " ", (int)word, text);
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_key(FILE *out, const struct config_key *key)
{
	char limits[CONFIG_LIMITS_TEXT_MAX], text[1024];

	config_key_limits(key, limits, sizeof(limits));
	snprintf(text, sizeof(text), "%s Allowed: %s.", key->help, limits);
	fputc('\n', out);
	print_comment(out, text);
	fprintf(out, "#%s =%s%s\n", key->name, *key->fallback ? " " : "", key->fallback);
}

static void print_keys(FILE *out, enum config_section section, const char *except)
{
	unsigned int i;

	for (i = 0; i < config_key_count; i++)
		if (config_keys[i].section == section && strcmp(config_keys[i].name, except) != 0)
			print_key(out, &config_keys[i]);
}

void config_print_defaults(FILE *out)
{
	fputs("# SPDX-License-Identifier: Apache-2.0\n"
	      "#\n"
	      "# lidard.conf - configuration of the LIDAR daemon; see lidard.conf(5)\n"
	      "#\n"
	      "# Every key is shown with its default.  Rather than edit this file, put the\n"
	      "# keys that differ into files of their own, lidard.conf.d/*.conf beside it:\n"
	      "# they are read after it, in lexical order, and override it.  Check the result\n"
	      "# with lidard --check.  Comments have lines of their own.\n"
	      "\n[lidard]\n",
	      out);
	print_keys(out, CONFIG_SECTION_LIDARD, "");
	fputs("\n"
	      "# The broker of the shared memory.  Its pools follow from the sensors.\n"
	      "[roudi]\n",
	      out);
	print_keys(out, CONFIG_SECTION_ROUDI, "");
	fputs("\n"
	      "# A section for each sensor; the name is how readers ask for it.  This one\n"
	      "# needs no hardware.\n"
	      "[sensor front]\n"
	      "\n",
	      out);
	print_comment(out, config_key_find(CONFIG_SECTION_SENSOR, "source")->help);
	fputs("source = sim\n", out);
	print_keys(out, CONFIG_SECTION_SENSOR, "source");
}

/** Text as man source: a "-" is a minus sign, a line must not begin with a dot. */
static void print_man_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
		/* a sentence, a line: what man source wants */
		if (*text == '.' && text[1] == ' ') {
			fputc('\n', out);
			text++;
		}
	}
	fputc('\n', out);
}

static void print_man_key(FILE *out, const struct config_key *key)
{
	char limits[CONFIG_LIMITS_TEXT_MAX];

	fprintf(out, ".TP\n.BR %s \" = \"", key->name);
	if (*key->fallback)
		fprintf(out, "\\fI%s\\fR", key->fallback);
	fputc('\n', out);
	print_man_text(out, key->help);
	config_key_limits(key, limits, sizeof(limits));
	fputs(".br\nAllowed: ", out);
	print_man_text(out, limits);
}

void config_print_man_keys(FILE *out)
{
	unsigned int section, i;

	for (section = 0; section < CONFIG_SECTION_COUNT; section++) {
		fprintf(out, ".SS [%s%s]\n", config_section_name(section),
			section == CONFIG_SECTION_SENSOR ? " NAME" : "");
		for (i = 0; i < config_key_count; i++)
			if (config_keys[i].section == section)
				print_man_key(out, &config_keys[i]);
	}
}
