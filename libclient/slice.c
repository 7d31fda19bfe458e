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

#define FIELD_OF(record, member, field_type, field_count, field_unit)                   \
	{                                                                               \
		.name = #member, .offset = offsetof(struct record, member),             \
		.type = field_type, .count = field_count, .unit = field_unit,           \
	}

static const struct lidard_field xyzirt_fields[] = {
#define FIELD(member, type, unit) FIELD_OF(lidard_point_xyzirt, member, type, 1, unit)
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

/* Times of 64 bits are no field: there is no scalar type for them. */
static const struct lidard_field imu_fields[] = {
#define FIELD(member, type, count, unit) FIELD_OF(lidard_imu, member, type, count, unit)
	FIELD(acceleration, LIDARD_FIELD_FLOAT32, 3, "m/s^2"),
	FIELD(angular_velocity, LIDARD_FIELD_FLOAT32, 3, "rad/s"),
	FIELD(temperature, LIDARD_FIELD_FLOAT32, 1, "degC"),
	FIELD(flags, LIDARD_FIELD_UINT32, 1, ""),
#undef FIELD
};

static const struct lidard_field position_fields[] = {
#define FIELD(member, type, unit) FIELD_OF(lidard_position, member, type, 1, unit)
	FIELD(latitude, LIDARD_FIELD_FLOAT64, "deg"),
	FIELD(longitude, LIDARD_FIELD_FLOAT64, "deg"),
	FIELD(altitude, LIDARD_FIELD_FLOAT64, "m"),
	FIELD(speed, LIDARD_FIELD_FLOAT32, "m/s"),
	FIELD(course, LIDARD_FIELD_FLOAT32, "deg"),
	FIELD(flags, LIDARD_FIELD_UINT32, ""),
	FIELD(pps, LIDARD_FIELD_UINT8, ""),
	FIELD(satellites, LIDARD_FIELD_UINT8, ""),
#undef FIELD
};

LIDARD_EXPORT const struct lidard_field *lidard_format_get_fields(unsigned int format,
								  size_t *ret_count)
{
	switch (format) {
	case LIDARD_FORMAT_XYZIRT:
		*ret_count = sizeof(xyzirt_fields) / sizeof(xyzirt_fields[0]);
		return xyzirt_fields;
	case LIDARD_FORMAT_IMU:
		*ret_count = sizeof(imu_fields) / sizeof(imu_fields[0]);
		return imu_fields;
	case LIDARD_FORMAT_POSITION:
		*ret_count = sizeof(position_fields) / sizeof(position_fields[0]);
		return position_fields;
	}
	return NULL;
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

static const void *payload_as(const struct lidard_slice *slice, unsigned int format)
{
	return !fork_guard_is_foreign(slice->generation) && slice->header->format == format ?
		       slice->payload : NULL;
}

LIDARD_EXPORT const struct lidard_point_xyzirt *
lidard_slice_get_points(const struct lidard_slice *slice)
{
	return payload_as(slice, LIDARD_FORMAT_XYZIRT);
}

LIDARD_EXPORT const struct lidard_imu *lidard_slice_get_imu(const struct lidard_slice *slice)
{
	return payload_as(slice, LIDARD_FORMAT_IMU);
}

LIDARD_EXPORT const struct lidard_position *
lidard_slice_get_position(const struct lidard_slice *slice)
{
	return payload_as(slice, LIDARD_FORMAT_POSITION);
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
	uint64_t hold_ns;

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
	hold_ns = clock_now_ns() - slice->taken_ns;
	account_release(&s->account, hold_ns);
	LIDARD_PROBE4(release, s->account.reader, slice->header, slice->taken_ns, hold_ns);
	subscription_give_back(s, slice);
}
