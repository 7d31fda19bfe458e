/* SPDX-License-Identifier: Apache-2.0 */
/* What lidarctl info prints. */
#include "tools/sensor_text.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct lidard_sensor_description unknown = {
	.name = "front", .source = "device", .state = "streaming", .error = "", .vendor = "",
	.model = "", .serial = "", .firmware = "", .decoder = "", .metadata = "",
	.calibration = "", .problem = "", .format = LIDARD_FORMAT_XYZIRT, .slice_bytes = 4096,
};

static void expect(const struct lidard_sensor_description *d, const char *text)
{
	char *found = NULL;
	size_t bytes;
	FILE *out = open_memstream(&found, &bytes);

	sensor_text_print(d, out);
	fclose(out);
	cr_assert_str_eq(found, text);
	free(found);
}

Test(tools_sensor_text, what_is_not_known_has_no_line)
{
	expect(&unknown, "sensor       front\n"
			 "source       device\n"
			 "state        streaming\n"
			 "format       points, slices of at most 4096 bytes\n"
			 "pose         not known (pose in lidard.conf)\n");
}

Test(tools_sensor_text, all_that_is_known_is_printed)
{
	struct lidard_sensor_description d = unknown;

	d.error = "gone";
	d.vendor = "Ouster";
	d.model = "OS-1-128";
	d.serial = "7";
	d.firmware = "v2";
	d.decoder = "ouster";
	d.beams = 128;
	d.columns = 1024;
	d.rate_hz = 9.99999999;
	d.format = LIDARD_FORMAT_RAW;
	d.metadata = "{}";
	d.calibration = "lasers";
	d.problem = "no file";
	d.side = "front/imu";
	d.has_pose = 1;
	d.pose = (struct lidard_pose){ { 1.5, -1e-9, 0.25 }, { 0, 0, sqrt(0.5), sqrt(0.5) } };
	expect(&d, "sensor       front\n"
		   "source       device\n"
		   "state        streaming\n"
		   "error        gone\n"
		   "vendor       Ouster\n"
		   "model        OS-1-128\n"
		   "serial       7\n"
		   "firmware     v2\n"
		   "decoder      ouster\n"
		   "beams        128\n"
		   "columns      1024 a revolution\n"
		   "rate         10 Hz\n"
		   "format       packets, slices of at most 4096 bytes\n"
		   "imu          front/imu\n"
		   "pose         x 1.5, y 0, z 0.25 m; roll 0, pitch 0, yaw 90 degrees\n"
		   "quaternion   x 0, y 0, z 0.707107, w 0.707107\n"
		   "metadata     2 bytes (lidarctl info --metadata)\n"
		   "calibration  6 bytes (lidarctl info --calibration)\n"
		   "problem      no file\n");
}

/* Rz(yaw) * Ry(pitch) * Rx(roll) */
static struct lidard_pose turned(const double degrees[3])
{
	double s[3], c[3];
	int i;

	for (i = 0; i < 3; i++) {
		s[i] = sin(degrees[i] * M_PI / 360);
		c[i] = cos(degrees[i] * M_PI / 360);
	}
	return (struct lidard_pose){ { 0, 0, 0 }, {
		s[0] * c[1] * c[2] - c[0] * s[1] * s[2], c[0] * s[1] * c[2] + s[0] * c[1] * s[2],
		c[0] * c[1] * s[2] - s[0] * s[1] * c[2], c[0] * c[1] * c[2] + s[0] * s[1] * s[2] } };
}

Test(tools_sensor_text, angles_are_those_that_were_configured)
{
	static const double cases[][3] = { { 0, 0, 0 }, { 10, 20, 30 }, { -170, 80, 179 },
					   { 90, -45, -90 }, { 1, 89.9, 2 }, { 0, 90, 30 },
					   { 0, -90, -120 } };
	struct lidard_pose pose;
	double degrees[3];
	size_t i;
	int k;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pose = turned(cases[i]);
		sensor_text_get_angles(&pose, degrees);
		for (k = 0; k < 3; k++)
			cr_assert_float_eq(degrees[k], cases[i][k], 1e-4, "case %zu angle %d: %g", i, k,
					   degrees[k]);
	}
}
