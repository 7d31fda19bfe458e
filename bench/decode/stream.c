/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - see stream.h */
#include "bench/decode/stream.h"

#include <stdlib.h>
#include <string.h>

static void *grow(void *memory, size_t *room, size_t wanted, size_t each)
{
	if (wanted <= *room)
		return memory;
	*room = wanted * 2;
	memory = realloc(memory, *room * each);
	if (!memory)
		abort();
	return memory;
}

void stream_add(struct stream *s, const void *packet, size_t bytes)
{
	const size_t at = stream_get_bytes(s);

	s->bytes = grow(s->bytes, &s->bytes_room, at + bytes, 1);
	s->ends = grow(s->ends, &s->ends_room, s->count + 1, sizeof(*s->ends));
	memcpy(s->bytes + at, packet, bytes);
	s->ends[s->count++] = at + bytes;
}

void stream_deinit(struct stream *s)
{
	if (s->decoder)
		s->decoder->ops->free(s->decoder);
	free(s->bytes);
	free(s->ends);
	memset(s, 0, sizeof(*s));
}
