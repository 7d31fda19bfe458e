/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a Velodyne's calibration file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/velodyne_calibration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct velodyne_calibration c;
	struct problem problem = { "" };
	unsigned int i;

	if (velodyne_calibration_parse("fuzz", (const char *)data, size, &c, &problem) < 0) {
		if (!problem.text[0])
			abort();
		return 0;
	}
	if (c.count < 1 || c.count > VELODYNE_LASERS_MAX)
		abort();
	for (i = 0; i < c.count; i++)
		if (!(fabs(c.lasers[i].elevation_rad) <= 2) || !(fabs(c.lasers[i].offset_rad) <= 4))
			abort();
	return 0;
}
