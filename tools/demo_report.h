/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo_report.h - what the demo found, as a table and as JSON
 *
 * All figures of one report come from one GetStatus reply (the account), the
 * one before it all began (rates), and the readers' results.
 */
#ifndef TOOLS_DEMO_REPORT_H
#define TOOLS_DEMO_REPORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/demo_crew.h"
#include "tools/snapshot.h"

struct demo_report {
	/** All subscribers take part; the end. */
	const struct snapshot *first;
	const struct snapshot *last;
	const struct demo_member *members;
	unsigned int member_count;
	/** A line for each frame, of JSON or for people; NULL if none were asked for. */
	const char *frames;
	/** Something else went wrong: a process died, a time limit was reached. */
	bool failed;
};

/** demo_report_live() - a line on what happened between two pictures */
void demo_report_live(FILE *out, const struct snapshot *before, const struct snapshot *now);

/** Do all accounts add up, was nothing lost, did every subscriber take part? */
bool demo_report_is_ok(const struct demo_report *r);

void demo_report_print(const struct demo_report *r, FILE *out);

/** demo_report_to_json() - one object; free with json_object_put() */
struct json_object *demo_report_to_json(const struct demo_report *r);

#endif /* TOOLS_DEMO_REPORT_H */
