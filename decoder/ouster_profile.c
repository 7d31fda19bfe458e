/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_profile.c - the tables of Ouster's packet formats and the one reader of them */
#include "decoder/ouster_profile.h"

#include <assert.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FIELD(name_, part_, bit_, width_) \
	{ .name = name_, .part = part_, .bit = bit_, .width = width_ }
#define SCALED(name_, bit_, width_, scale_) \
	{ .name = name_, .part = OUSTER_PIXEL, .bit = bit_, .width = width_, .scale = scale_ }
#define PIXEL(name_, bit_, width_) FIELD(name_, OUSTER_PIXEL, bit_, width_)

#define STANDARD_HEADER                                         \
	FIELD("TYPE", OUSTER_PACKET_HEADER, 0, 16),             \
	FIELD("FRAME_ID", OUSTER_PACKET_HEADER, 16, 16),        \
	FIELD("INIT_ID", OUSTER_PACKET_HEADER, 32, 24),         \
	FIELD("SERIAL", OUSTER_PACKET_HEADER, 56, 40),          \
	FIELD("ALERT_FLAGS", OUSTER_PACKET_HEADER, 96, 8)
#define FUSA_HEADER                                             \
	FIELD("TYPE", OUSTER_PACKET_HEADER, 0, 8),              \
	FIELD("INIT_ID", OUSTER_PACKET_HEADER, 8, 24),          \
	FIELD("FRAME_ID", OUSTER_PACKET_HEADER, 32, 32),        \
	FIELD("ALERT_FLAGS", OUSTER_PACKET_HEADER, 64, 8),      \
	FIELD("SERIAL", OUSTER_PACKET_HEADER, 88, 40)
#define CRC_FOOTER FIELD("CRC", OUSTER_PACKET_FOOTER, 192, 64)

#define COLUMN_HEADER                                           \
	FIELD("TIMESTAMP", OUSTER_COLUMN_HEADER, 0, 64),        \
	FIELD("MEASUREMENT_ID", OUSTER_COLUMN_HEADER, 64, 16),  \
	FIELD("STATUS", OUSTER_COLUMN_HEADER, 80, 16)
#define LEGACY_COLUMN                                           \
	FIELD("TIMESTAMP", OUSTER_COLUMN_HEADER, 0, 64),        \
	FIELD("MEASUREMENT_ID", OUSTER_COLUMN_HEADER, 64, 16),  \
	FIELD("FRAME_ID", OUSTER_COLUMN_HEADER, 80, 16),        \
	FIELD("ENCODER_COUNT", OUSTER_COLUMN_HEADER, 96, 32),   \
	FIELD("STATUS", OUSTER_COLUMN_FOOTER, 0, 32)

#define RNG15_PIXEL_DUAL                                        \
	SCALED("RANGE", 0, 15, 3),                              \
	PIXEL("FLAGS", 15, 1),                                  \
	PIXEL("REFLECTIVITY", 16, 8),                           \
	SCALED("NEAR_IR", 24, 8, 4),                            \
	SCALED("RANGE2", 32, 15, 3),                            \
	PIXEL("FLAGS2", 47, 1),                                 \
	PIXEL("REFLECTIVITY2", 48, 8),                          \
	PIXEL("RAW32_WORD1", 0, 32),                            \
	PIXEL("RAW32_WORD2", 32, 32)

static const struct ouster_field legacy[] = {
	LEGACY_COLUMN,
	PIXEL("RANGE", 0, 20),
	PIXEL("FLAGS", 28, 4),
	PIXEL("REFLECTIVITY", 32, 8),
	PIXEL("SIGNAL", 48, 16),
	PIXEL("NEAR_IR", 64, 16),
	PIXEL("RAW32_WORD1", 0, 32),
	PIXEL("RAW32_WORD2", 32, 32),
	PIXEL("RAW32_WORD3", 64, 32),
};

static const struct ouster_field rng19[] = {
	STANDARD_HEADER,
	COLUMN_HEADER,
	PIXEL("RANGE", 0, 19),
	PIXEL("FLAGS", 19, 5),
	PIXEL("REFLECTIVITY", 32, 8),
	PIXEL("SIGNAL", 48, 16),
	PIXEL("NEAR_IR", 64, 16),
	PIXEL("RAW32_WORD1", 0, 32),
	PIXEL("RAW32_WORD2", 32, 32),
	PIXEL("RAW32_WORD3", 64, 32),
	CRC_FOOTER,
};

static const struct ouster_field rng19_dual[] = {
	STANDARD_HEADER,
	COLUMN_HEADER,
	PIXEL("RANGE", 0, 19),
	PIXEL("FLAGS", 19, 5),
	PIXEL("REFLECTIVITY", 24, 8),
	PIXEL("RANGE2", 32, 19),
	PIXEL("FLAGS2", 51, 5),
	PIXEL("REFLECTIVITY2", 56, 8),
	PIXEL("SIGNAL", 64, 16),
	PIXEL("SIGNAL2", 80, 16),
	PIXEL("NEAR_IR", 96, 16),
	PIXEL("RAW32_WORD1", 0, 32),
	PIXEL("RAW32_WORD2", 32, 32),
	PIXEL("RAW32_WORD3", 64, 32),
	PIXEL("RAW32_WORD4", 96, 32),
	CRC_FOOTER,
};

static const struct ouster_field rng15[] = {
	STANDARD_HEADER,
	COLUMN_HEADER,
	SCALED("RANGE", 0, 15, 3),
	PIXEL("FLAGS", 15, 1),
	PIXEL("REFLECTIVITY", 16, 8),
	SCALED("NEAR_IR", 24, 8, 4),
	PIXEL("RAW32_WORD1", 0, 32),
	CRC_FOOTER,
};

static const struct ouster_field rng15_dual[] = {
	STANDARD_HEADER,
	COLUMN_HEADER,
	RNG15_PIXEL_DUAL,
	CRC_FOOTER,
};

static const struct ouster_field fusa_rng15_dual[] = {
	FUSA_HEADER,
	COLUMN_HEADER,
	RNG15_PIXEL_DUAL,
};

#define PROFILE(name_, fields_, pixel_bytes_, returns_, has_crc_)                         \
	{                                                                                 \
		.name = name_, .fields = fields_, .field_count = COUNT(fields_),          \
		.returns = returns_, .header_bytes = 32, .column_header_bytes = 12,       \
		.pixel_bytes = pixel_bytes_, .footer_bytes = 32, .has_crc = has_crc_,     \
	}

const struct ouster_profile ouster_profiles[] = {
	{
		.name = "LEGACY",
		.fields = legacy,
		.field_count = COUNT(legacy),
		.returns = 1,
		.column_header_bytes = 16,
		.pixel_bytes = 12,
		.column_footer_bytes = 4,
	},
	PROFILE("RNG19_RFL8_SIG16_NIR16", rng19, 12, 1, true),
	PROFILE("RNG19_RFL8_SIG16_NIR16_DUAL", rng19_dual, 16, 2, true),
	PROFILE("RNG15_RFL8_NIR8", rng15, 4, 1, true),
	PROFILE("RNG15_RFL8_NIR8_DUAL", rng15_dual, 8, 2, true),
	PROFILE("FUSA_RNG15_RFL8_NIR8_DUAL", fusa_rng15_dual, 8, 2, false),
};

const unsigned int ouster_profile_count = COUNT(ouster_profiles);

const struct ouster_profile *ouster_profile_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ouster_profile_count; i++)
		if (strcmp(ouster_profiles[i].name, name) == 0)
			return &ouster_profiles[i];
	return NULL;
}

const struct ouster_field *ouster_profile_field(const struct ouster_profile *p, const char *name)
{
	unsigned int i;

	for (i = 0; i < p->field_count; i++)
		if (strcmp(p->fields[i].name, name) == 0)
			return &p->fields[i];
	return NULL;
}

void ouster_layout_init(struct ouster_layout *l, const struct ouster_profile *p, uint32_t columns,
			uint32_t pixels)
{
	l->profile = p;
	l->columns = columns;
	l->pixels = pixels;
	l->column_bytes =
		p->column_header_bytes + pixels * p->pixel_bytes + p->column_footer_bytes;
	l->packet_bytes = p->header_bytes + columns * l->column_bytes + p->footer_bytes;
}

size_t ouster_field_offset(const struct ouster_layout *l, const struct ouster_field *f,
			   unsigned int column, unsigned int pixel)
{
	const struct ouster_profile *p = l->profile;
	size_t start = p->header_bytes + (size_t)column * l->column_bytes;

	switch (f->part) {
	case OUSTER_COLUMN_HEADER:
		return start;
	case OUSTER_PIXEL:
		return start + p->column_header_bytes + (size_t)pixel * p->pixel_bytes;
	case OUSTER_COLUMN_FOOTER:
		return start + l->column_bytes - p->column_footer_bytes;
	case OUSTER_PACKET_FOOTER:
		return l->packet_bytes - p->footer_bytes;
	default:
		return 0;
	}
}

/* hot path */
uint64_t ouster_field_get(const struct ouster_layout *l, const struct ouster_field *f,
			  const uint8_t *packet, unsigned int column, unsigned int pixel)
{
	const uint8_t *p = packet + ouster_field_offset(l, f, column, pixel) + f->bit / 8;
	unsigned int shift = f->bit % 8, i;
	uint64_t v = 0;

	assert(shift + f->width <= 64);
	for (i = 0; i * 8 < shift + f->width; i++)
		v |= (uint64_t)p[i] << (i * 8);
	v >>= shift;
	if (f->width < 64)
		v &= (1ull << f->width) - 1;
	return v << f->scale;
}
