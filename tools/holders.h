/* SPDX-License-Identifier: Apache-2.0 */
/* holders.h - who has the memory of a sensor that found none to write to */
#ifndef TOOLS_HOLDERS_H
#define TOOLS_HOLDERS_H

#include "tools/snapshot.h"

/** holders_print() - lidard and each subscriber of the sensor, if it ever found none; else nothing */
void holders_print(const struct snapshot *snapshot, const struct snapshot_sensor *sensor,
		   const char *eol);

#endif /* TOOLS_HOLDERS_H */
