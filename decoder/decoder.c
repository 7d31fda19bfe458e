/* SPDX-License-Identifier: Apache-2.0 */
/* decoder.c - which decoders there are */
#include "decoder/decoder.h"

#include <string.h>

static const struct decoder_ops *const decoders[] = {
	&decoder_ouster,
};

const struct decoder_ops *decoder_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++)
		if (strcmp(decoders[i]->name, name) == 0)
			return decoders[i];
	return NULL;
}
