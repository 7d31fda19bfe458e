/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - lidard.conf, read
 *
 * One table in config.c names every key with its section, type, limits,
 * default and help text; parsing, --print-defaults, --check and the man page's
 * table all come from it.  A struct config is immutable once loaded.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/problem.h"
#include "daemon/pose.h"
#include "daemon/udp_address.h"
#include "decoder/decoder.h"
#include "decoder/time_scale.h"
#include "lidard/control.h"

#define CONFIG_FILE_DEFAULT LIDARD_SYSCONFDIR "/lidard/lidard.conf"
#define CONFIG_TEXT_MAX 64
#define CONFIG_GROUP_MAX 32
/** Longest line, most lines of a file and most drop-ins. */
#define CONFIG_LINE_MAX 4096
#define CONFIG_LINES_MAX 10000
#define CONFIG_DROPINS_MAX 256
/** Largest file, bytes. */
#define CONFIG_FILE_MAX (1024 * 1024)
/** A side stream: what is behind the sensor's name, its slices, and as many as any subscriber takes. */
#define CONFIG_SIDE_SUFFIX "/imu"
#define CONFIG_SIDE_BYTES LIDARD_SLICE_BYTES_MIN
#define CONFIG_SIDE_LOANS 32u
#define CONFIG_SIDE_SUBSCRIBER_SLICES 512u
#define CONFIG_SIDE_QUEUE 48u
#define CONFIG_SIDE_HELD 16u
/** Longest fault, microseconds. */
#define CONFIG_DELAY_US_MAX 1000000

enum source_kind {
	SOURCE_KIND_SIM,
	SOURCE_KIND_REPLAY,
	SOURCE_KIND_DEVICE,
	SOURCE_KIND_UDP,
	/** What comes beside another sensor's points; no value of source =. */
	SOURCE_KIND_SIDE,
};

enum device_mode {
	/** Direct if it can be, else copy. */
	DEVICE_MODE_AUTO,
	/** The device writes into the memory the readers map. */
	DEVICE_MODE_DIRECT,
	/** It writes into the kernel's, and lidard copies. */
	DEVICE_MODE_COPY,
};

enum device_format {
	/** As the device says. */
	DEVICE_FORMAT_AUTO,
	DEVICE_FORMAT_XYZIRT,
	DEVICE_FORMAT_PACKETS,
};

enum device_packets {
	/** Published as they are. */
	DEVICE_PACKETS_RAW,
	/** Decoded by lidard: a copy. */
	DEVICE_PACKETS_DECODE,
};

enum replay_pace {
	/** By the capture's time stamps, times replay_speed. */
	REPLAY_PACE_CAPTURE,
	/** As fast as the slowest subscriber takes slices. */
	REPLAY_PACE_READERS,
};

/** [sensor NAME] */
struct sensor_config {
	char name[LIDARD_SENSOR_NAME_MAX];
	/** source = sim | replay | device | udp */
	enum source_kind source;
	/** slice_bytes: most payload of a slice; 4K to 64M, default 1M */
	uint64_t slice_bytes;
	/** first_slice_bytes: payload of each frame's first slice, 0: as the others */
	uint64_t first_slice_bytes;
	/** loans: slices that may be in the source's hands at once; 2 to 256, default 8 */
	uint32_t loans;
	/** subscriber_slices: sum of queue + held that subscribers may reserve; default 256 */
	uint32_t subscriber_slices;
	/** queue, held: suggested to subscribers that do not ask; default 32 and 16 */
	uint32_t queue;
	uint32_t held;
	/** crc: CRC-32C in every slice; default no */
	bool crc;
	/** imu: publish packets that are no points beside them; default no */
	bool imu;

	/** sim_beams 1..1024 (128), sim_columns 1..1048576 (1024), sim_returns 1..2 (1),
	 *  sim_hz 0.1..1000 (10), sim_noise_mm 0..1000 (10), sim_seed (1) */
	uint32_t sim_beams;
	uint32_t sim_columns;
	uint32_t sim_returns;
	double sim_hz;
	double sim_noise_mm;
	uint64_t sim_seed;
	/** sim_rate: bytes of points per second, 0: what beams, columns, returns and hz give.
	 *  Otherwise revolutions are played so fast that this rate results. */
	uint64_t sim_rate;
	/** sim_fill_delay_us, sim_ready_delay_us: faults for tests, 0..1000000 (0) */
	uint32_t sim_fill_delay_us;
	uint32_t sim_ready_delay_us;

	/** replay_file: the capture; no default, needed for source = replay */
	char replay_file[PATH_MAX];
	/** replay_pace = capture | readers; replay_speed: factor, 0.001..1000 (1) */
	enum replay_pace replay_pace;
	double replay_speed;
	/** replay_loop: begin again at the end (yes) */
	bool replay_loop;
	/** replay_subscribers: wait for so many before the first packet (0) */
	uint32_t replay_subscribers;

	/** device: of source = device; device_mode = auto | direct | copy;
	 *  device_format = auto | xyzirt | packets; device_packets = raw | decode */
	char device[PATH_MAX];
	enum device_mode device_mode;
	enum device_format device_format;
	enum device_packets device_packets;

	/** listen: ADDRESS:PORT that the sensor sends to; no default, needed for source = udp */
	char listen[UDP_ADDRESS_TEXT_MAX];
	/** listen_status: where it sends packets that are no points; "": not looked for */
	char listen_status[UDP_ADDRESS_TEXT_MAX];
	/** interface: at which a multicast group is joined; "": as the routes say */
	char interface[IF_NAMESIZE];
	/** from: the sensor's address; "": anybody's */
	char from[UDP_ADDRESS_TEXT_MAX];
	/** silence_ms: without a packet for so long the sensor is silent, 0: never; default 1000 */
	uint32_t silence_ms;
	/** receive_buffer: bytes in the kernel, 0: a quarter of a second's */
	uint64_t receive_buffer;

	/** decoder: how packets are decoded (auto); see decoder.h */
	char decoder[CONFIG_TEXT_MAX];
	/** model: the sensor's model where the decoder needs it ("") */
	char model[CONFIG_TEXT_MAX];
	/** metadata, calibration: files the decoder needs ("") */
	char metadata[PATH_MAX];
	char calibration[PATH_MAX];
	/** sensor_clock = auto | tai | utc | ptp | gps | boot | hour: what its clock should be */
	enum time_choice sensor_clock;
	/** cut_angle_deg: where frames are cut, 0..359.99 (0) */
	double cut_angle_deg;
	/** pose: where it is mounted; only told to clients, so it may change while it streams */
	struct pose pose;
};

struct config {
	/** [lidard] socket: the control socket */
	char socket[108];
	/** [lidard] state_dir: lock, journal of clients */
	char state_dir[PATH_MAX];
	/** [lidard] reclaim_helper: frees a dead client's memory; "" : a service unit does it */
	char reclaim_helper[PATH_MAX];
	/** [roudi] writer_group, reader_group of the payload segment; "": RouDi's own */
	char writer_group[CONFIG_GROUP_MAX];
	char reader_group[CONFIG_GROUP_MAX];
	/** [sensor NAME], in the order of the files, then the NAME/imu of those that have one */
	struct sensor_config *sensors;
	unsigned int sensor_count;
};

/**
 * config_load() - read the main file and NAME.d/ beside it
 * @path: the main file; its drop-ins are @path.d/ *.conf in lexical order,
 *        whose keys override the main file's (a section may be continued)
 * @ret_config: free with config_free()
 * @problem: the first mistake, as "file:line: ..."
 *
 * Return: 0; negative errno: -EINVAL for a mistake in a file.
 */
int config_load(const char *path, struct config **ret_config, struct problem *problem);

/** config_parse() - as config_load(), from memory and without drop-ins; for tests and fuzzing */
int config_parse(const char *name, const char *text, size_t length, struct config **ret_config,
		 struct problem *problem);

/** NULL is allowed. Return: NULL. */
struct config *config_free(struct config *config);

/** Return: true if a running sensor may go on under the new configuration: what differs, if
 *  anything, is for sensor_config_follow(). */
bool sensor_config_equal(const struct sensor_config *a, const struct sensor_config *b);

/** sensor_config_follow() - take over what may change while the sensor runs. Return: did it? */
bool sensor_config_follow(struct sensor_config *running, const struct sensor_config *wanted);

/** sensor_config_decoder() - whose packets the configured decoder is for; borrows from @s */
struct decoder_sensor sensor_config_decoder(const struct sensor_config *s);

/** config_print_defaults() - the shipped lidard.conf: every key with its help, as comments */
void config_print_defaults(FILE *out);

/** config_print_man_keys() - the same keys as the sections of lidard.conf(5), in man source */
void config_print_man_keys(FILE *out);

#endif /* DAEMON_CONFIG_H */
