/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_text.c - see sensor_text.h */
#include "tools/sensor_text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Nearer to straight up or down than this, angles of the other two are noise. */
#define GIMBAL_LOCK (1 - 1e-9)
#define RAD_TO_DEG (180 / M_PI)

void sensor_text_get_angles(const struct lidard_pose *pose, double degrees[3])
{
	const double x = pose->rotation[0], y = pose->rotation[1], z = pose->rotation[2];
	const double w = pose->rotation[3];
	const double sin_pitch = 2 * (w * y - z * x);

	if (fabs(sin_pitch) > GIMBAL_LOCK) {
		degrees[0] = 0;
		degrees[1] = copysign(90, sin_pitch);
		degrees[2] = atan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z)) * RAD_TO_DEG;
		return;
	}
	degrees[0] = atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)) * RAD_TO_DEG;
	degrees[1] = asin(sin_pitch) * RAD_TO_DEG;
	degrees[2] = atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)) * RAD_TO_DEG;
}

/* "LABEL  text"; what is not known has no line. */
static void print_text(FILE *out, const char *label, const char *text)
{
	if (text[0])
		fprintf(out, "%-12s %s\n", label, text);
}

/* No "-0", which rounding makes of what is nearly nothing. */
static double rounded(double value)
{
	return round(value * 1e6) / 1e6 + 0.0;
}

static void print_pose(FILE *out, const struct lidard_sensor_description *d)
{
	const double *t = d->pose.translation_m, *q = d->pose.rotation;
	double degrees[3];

	if (!d->has_pose) {
		print_text(out, "pose", "not known (pose in lidard.conf)");
		return;
	}
	sensor_text_get_angles(&d->pose, degrees);
	fprintf(out, "%-12s x %g, y %g, z %g m; roll %g, pitch %g, yaw %g degrees\n", "pose",
		rounded(t[0]), rounded(t[1]), rounded(t[2]), rounded(degrees[0]),
		rounded(degrees[1]), rounded(degrees[2]));
	fprintf(out, "%-12s x %g, y %g, z %g, w %g\n", "quaternion", rounded(q[0]), rounded(q[1]),
		rounded(q[2]), rounded(q[3]));
}

static void print_geometry(FILE *out, const struct lidard_sensor_description *d)
{
	if (d->beams)
		fprintf(out, "%-12s %u\n", "beams", d->beams);
	if (d->columns)
		fprintf(out, "%-12s %u a revolution\n", "columns", d->columns);
	if (d->rate_hz > 0)
		fprintf(out, "%-12s %g Hz\n", "rate", rounded(d->rate_hz));
}

static void print_file(FILE *out, const char *label, const char *text)
{
	if (text[0])
		fprintf(out, "%-12s %zu bytes (lidarctl info --%s)\n", label, strlen(text), label);
}

void sensor_text_print(const struct lidard_sensor_description *d, FILE *out)
{
	print_text(out, "sensor", d->name);
	print_text(out, "source", d->source);
	print_text(out, "state", d->state);
	print_text(out, "error", d->error);
	print_text(out, "vendor", d->vendor);
	print_text(out, "model", d->model);
	print_text(out, "serial", d->serial);
	print_text(out, "firmware", d->firmware);
	print_text(out, "decoder", d->decoder);
	print_geometry(out, d);
	fprintf(out, "%-12s %s, slices of at most %" PRIu64 " bytes\n", "format",
		d->format == LIDARD_FORMAT_XYZIRT ? "points" :
		d->format == LIDARD_FORMAT_RAW	  ? "packets" :
		d->format == LIDARD_FORMAT_IMU	  ? "inertial readings" :
		d->format == LIDARD_FORMAT_POSITION ? "positions" :
						    "unknown",
		d->slice_bytes);
	print_text(out, "imu", d->side ? d->side : "");
	print_pose(out, d);
	print_file(out, "metadata", d->metadata);
	print_file(out, "calibration", d->calibration);
	print_text(out, "problem", d->problem);
}
