/* SPDX-License-Identifier: Apache-2.0 */
/*
 * street.h - what stands and drives in a synthetic street
 *
 * A list of upright boxes, parallel to the axes, and upright cylinders, in the
 * sensor's coordinates (metres; the sensor is the origin).  scene.h looks at
 * them.
 */
#ifndef DAEMON_STREET_H
#define DAEMON_STREET_H

#include <stdint.h>

#include "daemon/scene.h"

#define STREET_OBJECTS_MAX 512
/** The street reaches so far both ways; cars wrap around there. */
#define STREET_HALF_M   120.0
#define STREET_GROUND_M (-SCENE_SENSOR_HEIGHT_M)

enum street_shape { STREET_BOX, STREET_CYLINDER };

struct street_object {
	enum street_shape shape;
	/** Middle, and half the extent; a cylinder's radius is half_x. */
	float x, y;
	float half_x, half_y;
	float bottom_m, top_m;
	/** Part of the light it throws back, 0 to 1. */
	float reflectivity;
	/** Mean way of light through it; 0 for what is solid. */
	float free_path_m;
	/** Along x; 0: stands still. */
	float speed_mps;
};

struct street {
	unsigned int object_count;
	/** Objects from here on move. */
	unsigned int first_moving;
	struct street_object objects[STREET_OBJECTS_MAX];
};

/** street_build() - the same street for the same seed, on every machine */
void street_build(struct street *street, uint64_t seed);

#endif /* DAEMON_STREET_H */
