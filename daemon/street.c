/* SPDX-License-Identifier: Apache-2.0 */
/*
 * street.c - what stands and drives in the street
 *
 * Across the street (y, metres): houses -8, trees and lamps -4.5, parked cars
 * -2.4, the sensor 0 at the kerb, lanes 3.5 and 7, parked cars 10, trees and
 * lamps 12.5, houses 15.5.
 *
 * Random numbers are drawn one a statement: within an initialiser their order
 * would be the compiler's choice, and the street no longer the same.
 */
#include "daemon/street.h"

#include <assert.h>
#include <stdbool.h>

#include "common/splitmix64.h"

static void add(struct street *street, struct street_object object)
{
	assert(street->object_count < STREET_OBJECTS_MAX);
	object.bottom_m += STREET_GROUND_M;
	object.top_m += STREET_GROUND_M;
	street->objects[street->object_count++] = object;
}

/* Body and cabin; beams pass below. */
static void add_car(struct street *street, uint64_t *random, double x, double y, double speed_mps)
{
	bool van = splitmix64_between(random, 0, 1) < 0.2;
	float length = (float)splitmix64_between(random, van ? 4.8 : 3.8, van ? 6.0 : 4.8);
	float roof = (float)splitmix64_between(random, van ? 2.0 : 1.4, van ? 2.7 : 1.6);
	float paint = (float)splitmix64_between(random, 0.08, 0.8);
	struct street_object car = {
		.x = (float)x, .y = (float)y, .half_x = length / 2, .half_y = 0.9f,
		.bottom_m = 0.25f, .top_m = roof * 0.6f,
		.reflectivity = paint, .speed_mps = (float)speed_mps,
	};

	add(street, car);
	car.bottom_m = car.top_m;
	car.top_m = roof;
	car.half_x *= van ? 0.9f : 0.6f;
	car.half_y = 0.8f;
	car.reflectivity = paint * 0.5f;
	add(street, car);
}

static void add_tree(struct street *street, uint64_t *random, double x, double y)
{
	float top = (float)splitmix64_between(random, 5, 9);
	float trunk = (float)splitmix64_between(random, 0.12, 0.25);
	struct street_object tree = {
		.shape = STREET_CYLINDER, .x = (float)x, .y = (float)y, .half_x = trunk,
		.top_m = top - 0.5f, .reflectivity = 0.25f,
	};

	add(street, tree);
	tree.half_x = (float)splitmix64_between(random, 1.2, 2.2);
	tree.bottom_m = 2.4f;
	tree.top_m = top;
	tree.reflectivity = 0.45f;
	tree.free_path_m = 2.0f;
	add(street, tree);
}

static void add_lamp(struct street *street, double x, double y)
{
	add(street, (struct street_object){
		.shape = STREET_CYLINDER, .x = (float)x, .y = (float)y, .half_x = 0.08f,
		.top_m = 6.0f, .reflectivity = 0.35f,
	});
}

/* @side: 1 for houses to the left of @front, -1 for those to the right */
static void add_houses(struct street *street, uint64_t *random, double front, int side)
{
	double x = -STREET_HALF_M;

	while (x < STREET_HALF_M) {
		double width = splitmix64_between(random, 9, 22);
		double depth = splitmix64_between(random, 8, 14);
		double gap = splitmix64_between(random, 0, 1) < 0.5 ? 0 :
								      splitmix64_between(random, 3, 9);
		double height = splitmix64_between(random, 5, 18);
		double plaster = splitmix64_between(random, 0.2, 0.7);

		add(street, (struct street_object){
			.x = (float)(x + width / 2), .y = (float)(front + side * depth / 2),
			.half_x = (float)(width / 2), .half_y = (float)(depth / 2),
			.top_m = (float)height, .reflectivity = (float)plaster,
		});
		x += width;
		if (gap == 0)
			continue;
		/* a fence closes the gap, and lets about half of the light through */
		add(street, (struct street_object){
			.x = (float)(x + gap / 2), .y = (float)(front + side * 0.1),
			.half_x = (float)(gap / 2), .half_y = 0.03f, .top_m = 1.8f,
			.reflectivity = 0.4f, .free_path_m = 0.09f,
		});
		x += gap;
	}
}

static void add_pavement_row(struct street *street, uint64_t *random, double y)
{
	double x;

	for (x = -STREET_HALF_M; x < STREET_HALF_M; x += 12) {
		if (splitmix64_between(random, 0, 1) < 0.6)
			add_tree(street, random, x + splitmix64_between(random, 1, 5), y);
		if (splitmix64_between(random, 0, 1) < 0.5)
			add_lamp(street, x + splitmix64_between(random, 8, 11), y);
	}
}

static void add_parked_row(struct street *street, uint64_t *random, double y)
{
	double x;

	for (x = -STREET_HALF_M; x < STREET_HALF_M; x += 6.5) {
		if (splitmix64_between(random, 0, 1) < 0.6)
			add_car(street, random, x + splitmix64_between(random, 0, 0.5), y, 0);
	}
}

static void add_traffic(struct street *street, uint64_t *random, double y, int direction)
{
	double speed = splitmix64_between(random, 7, 14);
	double x;

	/* one speed a lane, or they would drive through each other */
	for (x = -STREET_HALF_M; x < STREET_HALF_M - 20; x += splitmix64_between(random, 20, 60))
		add_car(street, random, x, y, direction * speed);
}

void street_build(struct street *street, uint64_t seed)
{
	uint64_t random = splitmix64_mix(seed + SPLITMIX64_STEP);

	street->object_count = 0;
	add_houses(street, &random, -8.0, -1);
	add_houses(street, &random, 15.5, 1);
	add_pavement_row(street, &random, -4.5);
	add_pavement_row(street, &random, 12.5);
	add_parked_row(street, &random, -2.4);
	add_parked_row(street, &random, 10.0);
	street->first_moving = street->object_count;
	add_traffic(street, &random, 3.5, 1);
	add_traffic(street, &random, 7.0, -1);
}
