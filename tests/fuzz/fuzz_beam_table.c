/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a sensor's correction file.
 *
 * Input: the file, byte for byte.  What is accepted must keep the promises of
 * struct beam_table; what is refused must say why.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/beam_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problem problem = { "" };
	struct beam_table t;
	unsigned int i;
	char *text = malloc(size + 1); /* no NUL behind it, and nothing else */

	memcpy(text, data, size);
	text = realloc(text, size ? size : 1);
	if (beam_table_parse("fuzz", text, size, &t, &problem) < 0) {
		check(problem.text[0] != '\0');
	} else {
		check(t.beams >= 1 && t.beams <= BEAM_TABLE_BEAMS_MAX);
		for (i = 0; i < t.beams; i++)
			check(fabs(t.elevation_deg[i]) <= 90 && fabs(t.azimuth_deg[i]) <= 180);
	}
	free(text);
	return 0;
}
