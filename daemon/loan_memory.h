/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loan_memory.h - where a sink's loans can lie
 *
 * A device that fills loans by DMA must know their memory before the first is
 * lent.  Every payload a sink may ever lend lies at base + first + n * stride.
 * Some of these places may belong to somebody else (another size's pool in the
 * same mapping): whoever is told of them may prepare them all, but writes only
 * into what was lent.
 */
#ifndef DAEMON_LOAN_MEMORY_H
#define DAEMON_LOAN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loan_memory {
	/** A mapping of this process, page-aligned, writable. */
	void *base;
	size_t bytes;
	/** Multiples of LIDARD_PAYLOAD_ALIGN. */
	uint64_t first;
	uint64_t stride;
	/** Of each payload; at most stride. */
	uint64_t payload_bytes;
	/** 0: not known. */
	uint32_t count;
};

/** loan_memory_find() - which payload begins at @offset from base? Hot path. */
static inline bool loan_memory_find(const struct loan_memory *m, uint64_t offset,
				    uint32_t *ret_index)
{
	uint64_t index;

	if (offset < m->first || (offset - m->first) % m->stride)
		return false;
	index = (offset - m->first) / m->stride;
	if (index >= m->count)
		return false;
	*ret_index = (uint32_t)index;
	return true;
}

/**
 * loan_memory_around() - the places of a mapping that have a known one among them
 * @known: offset of a payload from @base
 */
static inline struct loan_memory loan_memory_around(void *base, size_t bytes, uint64_t known,
						    uint64_t stride, uint64_t payload_bytes)
{
	struct loan_memory m = {
		.base = base,
		.bytes = bytes,
		.first = known % stride,
		.stride = stride,
		.payload_bytes = payload_bytes,
	};
	uint64_t count;

	if (bytes < m.first || bytes - m.first < payload_bytes)
		return m;
	count = (bytes - m.first - payload_bytes) / stride + 1;
	m.count = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
	return m;
}

#endif /* DAEMON_LOAN_MEMORY_H */
