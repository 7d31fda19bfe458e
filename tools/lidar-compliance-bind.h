/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lidar-compliance-bind.h - take a device from its driver, and give it back
 *
 * The way is a driver's folder in sysfs and the name of one of its devices, as
 * in /sys/bus/platform/drivers/lidar_ring/lidar_sim.0.
 */
#ifndef TOOLS_LIDAR_COMPLIANCE_BIND_H
#define TOOLS_LIDAR_COMPLIANCE_BIND_H

/** Return: 0, -EINVAL: no such way; or what writing to sysfs gave. */
int driver_unbind(const char *way);
/** Binds it again, and waits until @node is there. */
int driver_bind(const char *way, const char *node);

#endif /* TOOLS_LIDAR_COMPLIANCE_BIND_H */
