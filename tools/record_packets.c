/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_packets.c - packets from lidard's ring into a file
 *
 * lidard neither waits for this process nor wakes it: it looks again every few
 * milliseconds, in which a sensor fills a small part of the ring.
 */
#include "tools/record_packets.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "lidard/control.h"
#include "tools/command.h"
#include "tools/complain.h"
#include "tools/connect.h"
#include "tools/pcap_file.h"
#include "tools/stop.h"

/* A hundredth of what the ring takes of the fastest sensors there are. */
#define LOOK_NS (2 * NSEC_PER_MSEC)

struct recorder {
	const char *sensor;
	const char *path;
	struct lidard_packets *packets;
	struct pcap_file file;
	uint64_t count;
	/** 0: never. */
	uint64_t timeout_ns;
	uint64_t heard_ns;
	/** When Ctrl-C was seen; 0: not yet. */
	uint64_t stopped_ns;
};

static int complain_of_write(const char *path, int error)
{
	complain("cannot record to %s: %s", path, strerror(-error));
	return error;
}

/* Return: 1 go on; 0 the file is full; negative errno, complained of. */
static int keep(struct recorder *r, const struct lidard_packet *packet)
{
	int added = pcap_file_add(&r->file, packet);

	if (added < 0)
		return complain_of_write(r->path, added);
	if (added == 0 && r->count == 0) {
		complain("a packet of %s has %zu bytes, --max-bytes is %" PRIu64, r->sensor,
			 packet->bytes, r->file.limit);
		return -EFBIG;
	}
	r->count += (uint64_t)added;
	return added;
}

/* Return: 1 go on; 0 it was to end; negative errno, complained of. */
static int wait_for_more(struct recorder *r)
{
	const struct timespec pause = clock_to_timespec(LOOK_NS);

	if (r->timeout_ns && clock_now_ns() - r->heard_ns > r->timeout_ns) {
		complain("no packet of %s for %.1f s (lidarctl list shows its state)", r->sensor,
			 (double)r->timeout_ns / NSEC_PER_SEC);
		return -ETIMEDOUT;
	}
	nanosleep(&pause, NULL);
	return 1;
}

static int complain_of_end(const struct recorder *r, int error)
{
	if (error == -ENOTCONN)
		complain("lidard ended, or sensor %s was removed or configured anew", r->sensor);
	else
		complain("the packets of %s make no sense: %s", r->sensor, strerror(-error));
	return error;
}

/* What had come when it was to end is kept, unless this is slower than the sensor. */
static bool is_late(struct recorder *r)
{
	if (!r->stopped_ns && stop_requested())
		r->stopped_ns = clock_now_ns();
	return r->stopped_ns && clock_now_ns() - r->stopped_ns > NSEC_PER_SEC;
}

/* Return: 0 it was to end; negative errno, complained of. */
static int run(struct recorder *r)
{
	struct lidard_packet packet;
	int result;

	r->heard_ns = clock_now_ns();
	do {
		result = lidard_packets_take(r->packets, &packet);
		if (result == 1) {
			r->heard_ns = clock_now_ns();
			result = keep(r, &packet);
		} else if (result == 0) {
			result = stop_requested() ? 0 : wait_for_more(r);
		} else {
			return result == -ENODATA ? 0 : complain_of_end(r, result);
		}
	} while (result == 1 && !is_late(r));
	return result < 0 ? result : 0;
}

static int finish(struct recorder *r, int error)
{
	uint64_t lost = lidard_packets_get_lost(r->packets);
	char path[PATH_MAX];
	bool kept = false;
	int committed;

	if (r->count == 0) {
		pcap_file_abandon(&r->file);
	} else {
		committed = pcap_file_commit(&r->file);
		kept = committed == 0;
		if (!kept)
			error = complain_of_write(r->path, committed);
	}
	fprintf(stderr, "lidarctl: recorded %" PRIu64 " packets, %.1f MB%s%s; lost %" PRIu64
		" because this was too slow\n", r->count, r->count ? (double)r->file.bytes / 1e6 : 0,
		kept ? " to " : "", !kept ? "" : realpath(r->path, path) ? path : r->path, lost);
	return error < 0 || lost ? COMMAND_FAILED : COMMAND_OK;
}

static int open_packets(struct recorder *r, const char *socket)
{
	struct lidard_client *client;
	const char *why;
	int error;

	error = connect_lidard(socket, "lidarctl record", &client);
	if (error < 0)
		return error;
	error = lidard_packets_open(client, r->sensor, 0, &r->packets);
	if (error < 0) {
		why = lidard_client_get_error(client);
		complain("cannot record the packets of %s: %s", r->sensor,
			 why[0] ? why : strerror(-error));
	}
	lidard_client_free(client);
	return error;
}

int record_packets(const char *socket, const char *sensor, const char *output, uint64_t max_bytes,
		   double timeout_s)
{
	char default_path[LIDARD_SENSOR_NAME_MAX + 16];
	struct recorder r = {
		.sensor = sensor,
		.path = output ? output : default_path,
		.timeout_ns = (uint64_t)(timeout_s * NSEC_PER_SEC),
	};
	int error, status;

	snprintf(default_path, sizeof(default_path), "%.31s.pcap", sensor);
	stop_install();
	if (open_packets(&r, socket) < 0)
		return COMMAND_FAILED;
	error = pcap_file_open(&r.file, r.path, max_bytes);
	if (error < 0) {
		complain_of_write(r.path, error);
		lidard_packets_free(r.packets);
		return COMMAND_FAILED;
	}
	fprintf(stderr, "lidarctl: recording the packets of %s\n", sensor);
	error = run(&r);
	status = finish(&r, error);
	lidard_packets_free(r.packets);
	return status;
}
