/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ouster_profile.h - where each field lies in an Ouster packet, as tables
 *
 * A lidar packet is a header, a number of columns and a footer.  A column is
 * a header, one pixel for each beam, and a footer.  What stands where is the
 * profile (udp_profile_lidar in the sensor's metadata); how many columns and
 * pixels there are is the layout.  The tables are the only description of the
 * formats: the decoder, the tests that build packets and tools that show raw
 * fields all read them.
 *
 * Everything here is constant or pure; any thread may use it.
 */
#ifndef DECODER_OUSTER_PROFILE_H
#define DECODER_OUSTER_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most pixels a column may have. */
#define OUSTER_PIXELS_MAX 256

/** A sensor's lidar packets, not its IMU's or others of the same size. */
#define OUSTER_PACKET_TYPE_LIDAR 1

/** What a field's bit offset counts from. */
enum ouster_part {
	OUSTER_PACKET_HEADER,
	OUSTER_COLUMN_HEADER,
	OUSTER_PIXEL,
	OUSTER_COLUMN_FOOTER,
	OUSTER_PACKET_FOOTER,
};

struct ouster_field {
	/** As the vendor calls it: RANGE, REFLECTIVITY2, MEASUREMENT_ID, ... */
	const char *name;
	/** enum ouster_part. */
	uint8_t part;
	/** Bits; a field lies within eight bytes. */
	uint8_t width;
	/** The value is what is stored times two to this power (ranges: mm). */
	uint8_t scale;
	/** First bit, counted from the least significant of the part's first byte. */
	uint16_t bit;
};

struct ouster_profile {
	/** As in udp_profile_lidar. */
	const char *name;
	const struct ouster_field *fields;
	uint8_t field_count;
	uint8_t returns;
	uint8_t header_bytes;
	uint8_t column_header_bytes;
	uint8_t pixel_bytes;
	uint8_t column_footer_bytes;
	uint8_t footer_bytes;
	/** The footer has a checksum, if the firmware is new enough. */
	bool has_crc;
};

/** A profile for a sensor of so many beams and a packet of so many columns. */
struct ouster_layout {
	const struct ouster_profile *profile;
	uint32_t columns;
	uint32_t pixels;
	uint32_t column_bytes;
	uint32_t packet_bytes;
};

extern const struct ouster_profile ouster_profiles[];
extern const unsigned int ouster_profile_count;

/** Return: the profile of that name; NULL if there is none. */
const struct ouster_profile *ouster_profile_find(const char *name);

/** Return: the field of that name; NULL if the profile has none. */
const struct ouster_field *ouster_profile_field(const struct ouster_profile *p, const char *name);

void ouster_layout_init(struct ouster_layout *l, const struct ouster_profile *p, uint32_t columns,
			uint32_t pixels);

/**
 * ouster_field_offset() - the byte of the packet that the field's bit count starts at
 * @column: place in the packet; ignored for fields of the packet
 * @pixel: beam; ignored for fields of the packet or column
 */
size_t ouster_field_offset(const struct ouster_layout *l, const struct ouster_field *f,
			   unsigned int column, unsigned int pixel);

/**
 * ouster_field_get() - a field's value as an integer
 * @packet: l->packet_bytes bytes
 *
 * @column and @pixel are as in ouster_field_offset(), and must lie within the layout.
 */
uint64_t ouster_field_get(const struct ouster_layout *l, const struct ouster_field *f,
			  const uint8_t *packet, unsigned int column, unsigned int pixel);

#endif /* DECODER_OUSTER_PROFILE_H */
