/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice.c - what an application may do with a borrowed slice
 *
 * A slice is an entry of its subscription's array, or a copy that owns its
 * memory.  Belongs to its client's thread; a copy to whoever has it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crc32c.h"
#include "libclient/export.h"
#include "libclient/subscription.h"

static const struct lidard_field xyzirt_fields[] = {
#define FIELD(member, field_type, field_unit)                                       \
	{                                                                           \
		.name = #member, .offset = offsetof(struct lidard_point_xyzirt, member), \
		.type = field_type, .count = 1, .unit = field_unit,                 \
	}
	FIELD(x, LIDARD_FIELD_FLOAT32, "m"),
	FIELD(y, LIDARD_FIELD_FLOAT32, "m"),
	FIELD(z, LIDARD_FIELD_FLOAT32, "m"),
	FIELD(intensity, LIDARD_FIELD_FLOAT32, ""),
	FIELD(range, LIDARD_FIELD_FLOAT32, "m"),
	FIELD(time_offset_ns, LIDARD_FIELD_UINT32, "ns"),
	FIELD(ring, LIDARD_FIELD_UINT16, ""),
	FIELD(return_number, LIDARD_FIELD_UINT8, ""),
	FIELD(flags, LIDARD_FIELD_UINT8, ""),
	FIELD(signal, LIDARD_FIELD_UINT16, ""),
	FIELD(ambient, LIDARD_FIELD_UINT16, ""),
#undef FIELD
};

LIDARD_EXPORT const struct lidard_field *lidard_format_get_fields(unsigned int format,
								  size_t *ret_count)
{
	if (format != LIDARD_FORMAT_XYZIRT)
		return NULL;
	*ret_count = sizeof(xyzirt_fields) / sizeof(xyzirt_fields[0]);
	return xyzirt_fields;
}

LIDARD_EXPORT const struct lidard_slice_header *
lidard_slice_get_header(const struct lidard_slice *slice)
{
	return fork_guard_is_foreign(slice->generation) ? NULL : slice->header;
}

LIDARD_EXPORT const void *lidard_slice_get_payload(const struct lidard_slice *slice)
{
	return fork_guard_is_foreign(slice->generation) ? NULL : slice->payload;
}

LIDARD_EXPORT const struct lidard_point_xyzirt *
lidard_slice_get_points(const struct lidard_slice *slice)
{
	if (fork_guard_is_foreign(slice->generation) ||
	    slice->header->format != LIDARD_FORMAT_XYZIRT)
		return NULL;
	return slice->payload;
}

LIDARD_EXPORT int lidard_slice_check_crc(const struct lidard_slice *slice)
{
	const struct lidard_slice_header *h = slice->header;

	if (fork_guard_is_foreign(slice->generation))
		return -ECHILD;
	if (!(h->flags & LIDARD_SLICE_CRC_VALID))
		return -ENODATA;
	return crc32c(0, slice->payload, h->payload_bytes) == h->crc32c;
}

/* One block: slice, header, and from the next page on the payload. */
LIDARD_EXPORT int lidard_slice_copy(const struct lidard_slice *slice,
				    struct lidard_slice **ret_copy)
{
	const struct lidard_slice_header *from = slice->header;
	struct lidard_slice_header *header;
	struct lidard_slice *copy;
	size_t head_bytes = LIDARD_PAYLOAD_ALIGN;
	void *block;

	_Static_assert(sizeof(*copy) + sizeof(*header) <= LIDARD_PAYLOAD_ALIGN, "one page");
	if (fork_guard_is_foreign(slice->generation))
		return -ECHILD;
	if (posix_memalign(&block, LIDARD_PAYLOAD_ALIGN, head_bytes + from->payload_bytes))
		return -ENOMEM;
	copy = block;
	header = (struct lidard_slice_header *)(copy + 1);
	*header = *from;
	header->header_bytes = sizeof(*header);
	*copy = (struct lidard_slice){
		.header = header,
		.payload = (char *)block + head_bytes,
		.generation = slice->generation,
	};
	memcpy((char *)block + head_bytes, slice->payload, from->payload_bytes);
	*ret_copy = copy;
	return 0;
}

LIDARD_EXPORT void lidard_slice_release(struct lidard_slice *slice)
{
	struct lidard_subscription *s;

	if (!slice)
		return;
	s = slice->subscription;
	if (!s) {
		free(slice);
		return;
	}
	/* no payload: released before */
	if (fork_guard_is_foreign(slice->generation) || !slice->payload)
		return;
	account_release(&s->account, clock_now_ns() - slice->taken_ns);
	subscription_give_back(s, slice);
}
