/* SPDX-License-Identifier: Apache-2.0 */
/* model_name.h - names of models, compared as people write them */
#ifndef DECODER_MODEL_NAME_H
#define DECODER_MODEL_NAME_H

#include <ctype.h>
#include <stdbool.h>

/** model_name_equal() - "VLP-16", "vlp16" and "VLP 16" are the same */
static inline bool model_name_equal(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a && !isalnum((unsigned char)*a))
			a++;
		while (*b && !isalnum((unsigned char)*b))
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (!*a)
			return true;
	}
}

#endif /* DECODER_MODEL_NAME_H */
