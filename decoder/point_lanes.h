/* SPDX-License-Identifier: Apache-2.0 */
/*
 * point_lanes.h - four points side by side, then one after the other in memory
 *
 * Beams of a column have the same arithmetic, so decoders do it for four at a
 * time, in vectors of the compiler (16 bytes: every 64-bit processor has them,
 * and nothing is chosen at run time).  A point is 32 bytes, two vectors; what
 * lies side by side is turned into rows before it is stored.
 *
 * There must be no branch that depends on the scene: a return that is none is
 * stored like any other, and the next one over it.  Lane by lane it lies no
 * further back than if all were there, so nothing is written beyond the room
 * for a whole column.
 *
 * The operations of a lane are those of one point written out, in the same
 * order: the results are the same to the bit.
 */
#ifndef DECODER_POINT_LANES_H
#define DECODER_POINT_LANES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "lidard/frame.h"

#define POINT_LANES 4

typedef float lanes_f32 __attribute__((vector_size(16)));
typedef int32_t lanes_i32 __attribute__((vector_size(16)));
typedef uint32_t lanes_u32 __attribute__((vector_size(16)));

/** So that counts of returns and strides are constants in the loop. */
#define POINT_LANES_INLINE static inline __attribute__((always_inline))

#if defined(__clang__) || __GNUC__ >= 12
#define LANES_PICK(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define LANES_PICK(a, b, i, j, k, l) __builtin_shuffle(a, b, (lanes_i32){ i, j, k, l })
#endif

/* The last two words of a point. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define POINT_ID(ring, return_number, flags) \
	((uint32_t)(ring) | (uint32_t)(return_number) << 16 | (uint32_t)(flags) << 24)
#define POINT_LIGHT(signal, ambient) ((signal) | (ambient) << 16)
#else
#define POINT_ID(ring, return_number, flags) \
	((uint32_t)(ring) << 16 | (uint32_t)(return_number) << 8 | (uint32_t)(flags))
#define POINT_LIGHT(signal, ambient) ((signal) << 16 | (ambient))
#endif

_Static_assert(sizeof(struct lidard_point_xyzirt) == 2 * sizeof(lanes_f32), "two vectors");
_Static_assert(offsetof(struct lidard_point_xyzirt, range) == sizeof(lanes_f32), "halves");
_Static_assert(offsetof(struct lidard_point_xyzirt, ring) == 24, "POINT_ID");
_Static_assert(offsetof(struct lidard_point_xyzirt, signal) == 28, "POINT_LIGHT");

/** Four points. */
struct point_lanes {
	lanes_f32 x;
	lanes_f32 y;
	lanes_f32 z;
	lanes_f32 intensity;
	lanes_f32 range;
	lanes_u32 time_offset_ns;
	/** POINT_ID(). */
	lanes_u32 id;
	/** POINT_LIGHT(). */
	lanes_u32 light;
	/** 0: there is no return. */
	lanes_u32 raw;
};

/** The same, each as it lies in memory. */
struct point_rows {
	lanes_f32 first[POINT_LANES];
	lanes_f32 second[POINT_LANES];
	uint32_t raw[POINT_LANES];
};

POINT_LANES_INLINE lanes_f32 lanes_load_f32(const float *p)
{
	lanes_f32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

POINT_LANES_INLINE lanes_u32 lanes_load_u32(const uint32_t *p)
{
	lanes_u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

POINT_LANES_INLINE uint32_t lanes_word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/** Little-endian words, @stride bytes apart. */
POINT_LANES_INLINE lanes_u32 lanes_load_words(const uint8_t *p, size_t stride)
{
	lanes_u32 v;

	if (stride == sizeof(uint32_t) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		memcpy(&v, p, sizeof(v));
	else
		v = (lanes_u32){ lanes_word(p), lanes_word(p + stride), lanes_word(p + 2 * stride),
				 lanes_word(p + 3 * stride) };
	return v;
}

/** Of numbers below 2^31. */
POINT_LANES_INLINE lanes_f32 lanes_to_f32(lanes_u32 v)
{
	return __builtin_convertvector((lanes_i32)v, lanes_f32);
}

POINT_LANES_INLINE lanes_f32 lanes_all_f32(float v)
{
	return (lanes_f32){ v, v, v, v };
}

POINT_LANES_INLINE lanes_u32 lanes_all_u32(uint32_t v)
{
	return (lanes_u32){ v, v, v, v };
}

POINT_LANES_INLINE void lanes_turn(lanes_f32 a, lanes_f32 b, lanes_f32 c, lanes_f32 d,
				   lanes_f32 rows[POINT_LANES])
{
	const lanes_f32 ab_low = LANES_PICK(a, b, 0, 4, 1, 5), ab_high = LANES_PICK(a, b, 2, 6, 3, 7);
	const lanes_f32 cd_low = LANES_PICK(c, d, 0, 4, 1, 5), cd_high = LANES_PICK(c, d, 2, 6, 3, 7);

	rows[0] = LANES_PICK(ab_low, cd_low, 0, 1, 4, 5);
	rows[1] = LANES_PICK(ab_low, cd_low, 2, 3, 6, 7);
	rows[2] = LANES_PICK(ab_high, cd_high, 0, 1, 4, 5);
	rows[3] = LANES_PICK(ab_high, cd_high, 2, 3, 6, 7);
}

POINT_LANES_INLINE void point_lanes_turn(const struct point_lanes *p, struct point_rows *ret)
{
	lanes_turn(p->x, p->y, p->z, p->intensity, ret->first);
	lanes_turn(p->range, (lanes_f32)p->time_offset_ns, (lanes_f32)p->id, (lanes_f32)p->light,
		   ret->second);
	memcpy(ret->raw, &p->raw, sizeof(ret->raw));
}

/* All returns of one beam. */
POINT_LANES_INLINE struct lidard_point_xyzirt *put_lane(const struct point_rows *rows,
							unsigned int returns, unsigned int lane,
							struct lidard_point_xyzirt *point)
{
	unsigned int k;

	for (k = 0; k < returns; k++) {
		memcpy(point, &rows[k].first[lane], sizeof(lanes_f32));
		memcpy(&point->range, &rows[k].second[lane], sizeof(lanes_f32));
		point += rows[k].raw[lane] > 0;
	}
	return point;
}

/**
 * point_lanes_store() - the returns of up to four beams, beam by beam
 * @rows: one for each of @returns
 * @lanes: how many beams there are, 1 .. POINT_LANES
 *
 * Return: behind the last one.
 */
POINT_LANES_INLINE struct lidard_point_xyzirt *
point_lanes_store(const struct point_rows *rows, unsigned int returns, unsigned int lanes,
		  struct lidard_point_xyzirt *point)
{
	point = put_lane(rows, returns, 0, point);
	if (lanes > 1)
		point = put_lane(rows, returns, 1, point);
	if (lanes > 2)
		point = put_lane(rows, returns, 2, point);
	if (lanes > 3)
		point = put_lane(rows, returns, 3, point);
	return point;
}

#endif /* DECODER_POINT_LANES_H */
