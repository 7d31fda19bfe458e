/* SPDX-License-Identifier: Apache-2.0 */
/* pose.c - see pose.h */
#include "daemon/pose.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/number_text.h"

#define BLANKS " \t"
/* A translation and angles, a translation and a quaternion. */
#define NUMBERS_OF_ANGLES 6u
#define NUMBERS_OF_QUATERNION 7u
/* People write quaternions with three decimals. */
#define NORM_SLACK 0.01

_Static_assert(sizeof(struct pose) == 8 * 8, "padding would not compare equal");

/* Return: how many numbers @text is; -EINVAL. */
static int read_numbers(const char *text, double numbers[NUMBERS_OF_QUATERNION])
{
	char copy[POSE_TEXT_MAX], *word, *rest = NULL;
	unsigned int count = 0;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	for (word = strtok_r(copy, BLANKS, &rest); word; word = strtok_r(NULL, BLANKS, &rest)) {
		/* no hex, no inf, no nan */
		if (count == NUMBERS_OF_QUATERNION || word[strspn(word, "0123456789.eE+-")] ||
		    !number_text_read(word, &numbers[count]))
			return -EINVAL;
		count++;
	}
	return (int)count;
}

/* Rz(yaw) * Ry(pitch) * Rx(roll) */
static int turn_by_angles(const double degrees[3], double rotation[4])
{
	double s[3], c[3];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (fabs(degrees[i]) > POSE_DEGREES_MAX)
			return -EINVAL;
		s[i] = sin(degrees[i] * M_PI / 360);
		c[i] = cos(degrees[i] * M_PI / 360);
	}
	rotation[0] = s[0] * c[1] * c[2] - c[0] * s[1] * s[2];
	rotation[1] = c[0] * s[1] * c[2] + s[0] * c[1] * s[2];
	rotation[2] = c[0] * c[1] * s[2] - s[0] * s[1] * c[2];
	rotation[3] = c[0] * c[1] * c[2] + s[0] * s[1] * s[2];
	return 0;
}

static int turn_by_quaternion(const double q[4], double rotation[4])
{
	double norm = sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
	unsigned int i;

	if (!(fabs(norm - 1) <= NORM_SLACK))
		return -EINVAL;
	for (i = 0; i < 4; i++)
		rotation[i] = q[i] / norm;
	return 0;
}

int pose_read(const char *text, struct pose *ret_pose)
{
	double numbers[NUMBERS_OF_QUATERNION];
	struct pose pose = { .known = 0 };
	int i, r, count;

	count = read_numbers(text, numbers);
	if (count == 0) {
		*ret_pose = pose;
		return 0;
	}
	if (count == NUMBERS_OF_ANGLES)
		r = turn_by_angles(&numbers[3], pose.rotation);
	else if (count == NUMBERS_OF_QUATERNION)
		r = turn_by_quaternion(&numbers[3], pose.rotation);
	else
		return -EINVAL;
	if (r < 0)
		return r;
	for (i = 0; i < 3; i++) {
		if (fabs(numbers[i]) > POSE_METRES_MAX)
			return -EINVAL;
		pose.translation_m[i] = numbers[i];
	}
	pose.known = 1;
	*ret_pose = pose;
	return 0;
}
