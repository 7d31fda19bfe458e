/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp_sensor.h - a sensor on the loopback interface
 *
 * Sends the packets of ouster_capture.h, by hand or at a sensor's pace from a
 * thread of its own.  Addresses are 127.a.b.c made of the process's number, so
 * tests that run at the same time do not meet.
 */
#ifndef TESTS_SUPPORT_UDP_SENSOR_H
#define TESTS_SUPPORT_UDP_SENSOR_H

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/udp_address.h"
#include "tests/support/ouster_capture.h"

struct udp_sensor {
	int fd;
	struct ouster_capture_options options;
	/** Next to be sent: its frame and place. */
	uint32_t frame;
	uint32_t packet;
	/** While the thread runs. */
	pthread_t thread;
	bool running;
	atomic_bool stop;
	uint64_t period_ns;
};

/** udp_sensor_address() - an address of this process: @host tells several apart */
struct udp_address udp_sensor_address(unsigned int host, uint16_t port);

/** udp_sensor_open() - to send to @to; @from: the address it has, 0: any. Aborts on failure. */
void udp_sensor_open(struct udp_sensor *s, const struct udp_address *to, uint32_t from,
		     const struct ouster_capture_options *options);
void udp_sensor_close(struct udp_sensor *s);

/** udp_sensor_send() - the next @count packets, at once */
void udp_sensor_send(struct udp_sensor *s, unsigned int count);
/** udp_sensor_skip() - they are lost on the way */
void udp_sensor_skip(struct udp_sensor *s, unsigned int count);
/** udp_sensor_send_one() - any packet, whatever is next */
void udp_sensor_send_one(struct udp_sensor *s, uint32_t frame, uint32_t packet);
void udp_sensor_send_bytes(struct udp_sensor *s, const void *data, size_t bytes);

/** udp_sensor_run() - send at @hz revolutions a second until udp_sensor_close() */
void udp_sensor_run(struct udp_sensor *s, double hz);

#endif /* TESTS_SUPPORT_UDP_SENSOR_H */
