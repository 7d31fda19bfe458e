/* SPDX-License-Identifier: Apache-2.0 */
/* turn_table.h - sine and cosine of every azimuth a packet can hold, in steps of 0.01 degrees */
#ifndef DECODER_TURN_TABLE_H
#define DECODER_TURN_TABLE_H

#include <math.h>

#define TURN_TABLE_QUADRANT 9000
#define TURN_TABLE_STEPS (4 * TURN_TABLE_QUADRANT)

struct turn {
	float sin;
	float cos;
};

struct turn_table {
	struct turn at[TURN_TABLE_STEPS];
};

static inline void turn_table_init(struct turn_table *t)
{
	unsigned int i;

	/* one quadrant tells the others */
	for (i = 0; i < TURN_TABLE_QUADRANT; i++) {
		const float s = (float)sin(i * (M_PI / 18000)), c = (float)cos(i * (M_PI / 18000));

		t->at[i] = (struct turn){ s, c };
		t->at[i + TURN_TABLE_QUADRANT] = (struct turn){ c, -s };
		t->at[i + 2 * TURN_TABLE_QUADRANT] = (struct turn){ -s, -c };
		t->at[i + 3 * TURN_TABLE_QUADRANT] = (struct turn){ -c, s };
	}
}

#endif /* DECODER_TURN_TABLE_H */
