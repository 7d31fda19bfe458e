/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/udp_sensor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"

struct udp_address udp_sensor_address(unsigned int host, uint16_t port)
{
	/* 22 bits of a process's number, and two for the host */
	return (struct udp_address){
		.address = 127u << 24 | ((uint32_t)getpid() & 0x3fffff) << 2 | (host & 3),
		.port = port,
	};
}

void udp_sensor_open(struct udp_sensor *s, const struct udp_address *to, uint32_t from,
		     const struct ouster_capture_options *options)
{
	struct sockaddr_in target = udp_address_to_sockaddr(to);
	struct sockaddr_in own = udp_address_to_sockaddr(&(struct udp_address){ from, 0 });
	int yes = 1;

	memset(s, 0, sizeof(*s));
	s->options = *options;
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes)) < 0 ||
	    (from && bind(s->fd, (struct sockaddr *)&own, sizeof(own)) < 0) ||
	    connect(s->fd, (struct sockaddr *)&target, sizeof(target)) < 0)
		abort();
}

void udp_sensor_close(struct udp_sensor *s)
{
	if (s->running) {
		atomic_store(&s->stop, true); /* read by run() */
		pthread_join(s->thread, NULL);
		s->running = false;
	}
	s->fd = close_fd(s->fd);
}

void udp_sensor_send_bytes(struct udp_sensor *s, const void *data, size_t bytes)
{
	/* refused: nobody listens, and an earlier packet has come back to say so */
	if (send(s->fd, data, bytes, 0) != (ssize_t)bytes && errno != ECONNREFUSED)
		abort();
}

void udp_sensor_send_one(struct udp_sensor *s, uint32_t frame, uint32_t packet)
{
	uint8_t data[OUSTER_CAPTURE_PACKET_MAX];
	size_t bytes = ouster_capture_make_packet(&s->options, data, frame, packet);

	udp_sensor_send_bytes(s, data, bytes);
}

void udp_sensor_skip(struct udp_sensor *s, unsigned int count)
{
	s->packet += count;
	s->frame += s->packet / OUSTER_CAPTURE_FRAME_PACKETS;
	s->packet %= OUSTER_CAPTURE_FRAME_PACKETS;
}

void udp_sensor_send(struct udp_sensor *s, unsigned int count)
{
	while (count--) {
		udp_sensor_send_one(s, s->frame, s->packet);
		udp_sensor_skip(s, 1);
	}
}

static void *run(void *data)
{
	struct udp_sensor *s = data;
	uint64_t due_ns = clock_now_ns();

	while (!atomic_load(&s->stop)) { /* written by udp_sensor_close() */
		struct timespec due = clock_to_timespec(due_ns);

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		udp_sensor_send(s, 1);
		due_ns += s->period_ns;
	}
	return NULL;
}

void udp_sensor_run(struct udp_sensor *s, double hz)
{
	s->period_ns = (uint64_t)((double)NSEC_PER_SEC / hz / OUSTER_CAPTURE_FRAME_PACKETS);
	if (pthread_create(&s->thread, NULL, run, s) != 0)
		abort();
	s->running = true;
}
