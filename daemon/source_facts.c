/* SPDX-License-Identifier: Apache-2.0 */
/* source_facts.c - see source_facts.h */
#include "daemon/source_facts.h"

#include <string.h>

#include "decoder/decoder.h"

void source_facts_learn(struct source_facts *facts, const struct decoder *decoder)
{
	const struct decoder_geometry *g = &decoder->geometry;

	*facts = (struct source_facts){
		.decoder = decoder->ops->name,
		.vendor = decoder->ops->vendor,
		.beams = g->beams,
		/* with a rotation it is the most there can be */
		.columns = decoder->rotation ? 0 : g->frame_columns,
		.rate_hz = g->rate_hz,
	};
	memcpy(facts->firmware, g->firmware, sizeof(facts->firmware));
}
