/* SPDX-License-Identifier: Apache-2.0 */
/* record_text.h - slices of readings and positions in words, and as JSON */
#ifndef TOOLS_RECORD_TEXT_H
#define TOOLS_RECORD_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "lidard/lidard.h"

/** Are slices of this format (enum lidard_format) what record_text_print() prints? */
bool record_text_knows(unsigned int format);

/** record_text_print() - a line for each record; as a JSON object, if @json */
void record_text_print(const struct lidard_slice_header *header, const void *payload, bool json,
		       FILE *out);

#endif /* TOOLS_RECORD_TEXT_H */
