/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_iox.h - slices go to iceoryx subscribers
 *
 * A publisher of iceoryx can have 8 chunks loaned, so a sensor with more loans
 * has several publishers of the same service, used in turn; subscribers see
 * one stream in the order of publication, because one thread publishes.
 */
#ifndef DAEMON_SINK_IOX_H
#define DAEMON_SINK_IOX_H

#include "common/problem.h"
#include "daemon/sink.h"

struct sensor_config;

#define SINK_IOX_SERVICE "lidard"
#define SINK_IOX_EVENT "slices"

/**
 * sink_iox_new() - offer a sensor's service
 *
 * broker_open() must have succeeded. The service is "lidard", NAME, "slices".
 * Return: 0; as broker_probe(); -ENOMEM.
 */
int sink_iox_new(const struct sensor_config *sensor, struct sink **ret_sink,
		 struct problem *problem);

#endif /* DAEMON_SINK_IOX_H */
