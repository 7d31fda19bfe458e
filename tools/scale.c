/* SPDX-License-Identifier: Apache-2.0 */
/* scale.c - see scale.h */
#include "tools/scale.h"

static const float distances_m[SCALE_COUNT] = { 5, 10, 20, 30, 50, 80, 120, 200 };

/* Of a hundred points so many shall be seen; the longer side of a picture shows more of them. */
#define SEEN_PERCENT 85u
#define SCALE_MIDDLE 4u

float scale_get_m(unsigned int index)
{
	return distances_m[index < SCALE_COUNT ? index : SCALE_COUNT - 1];
}

/* Hot path: once a point. */
void scale_add(struct scale *s, const struct lidard_point_xyzirt *points, size_t count)
{
	const struct lidard_point_xyzirt *p;
	unsigned int i;
	float square;

	for (p = points; p < points + count; p++) {
		if (!cells_point_is_somewhere(p))
			continue;
		square = p->x * p->x + p->y * p->y;
		for (i = 0; i < SCALE_COUNT - 1 && square > distances_m[i] * distances_m[i]; i++)
			;
		s->points[i]++;
	}
}

unsigned int scale_choose(const struct scale *s)
{
	uint64_t total = 0, within = 0;
	unsigned int i;

	for (i = 0; i < SCALE_COUNT; i++)
		total += s->points[i];
	if (!total)
		return SCALE_MIDDLE;
	for (i = 0; i < SCALE_COUNT - 1; i++) {
		within += s->points[i];
		if (within * 100 >= total * SEEN_PERCENT)
			break;
	}
	return i;
}
