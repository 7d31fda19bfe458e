/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_key.c - the keys of lidard.conf, and how a value is read
 *
 * Numbers are read by hand rather than by strtoull(): signs, blanks, hex and
 * whatever the locale allows are mistakes in a configuration file.
 */
#include "daemon/config_key.h"

#include <assert.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/config.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const char *const sources[] = {
	[SOURCE_KIND_SIM] = "sim",
	[SOURCE_KIND_REPLAY] = "replay",
	[SOURCE_KIND_DEVICE] = "device",
	[SOURCE_KIND_UDP] = "udp",
	NULL,
};

static const char *const device_modes[] = {
	[DEVICE_MODE_AUTO] = "auto",
	[DEVICE_MODE_DIRECT] = "direct",
	[DEVICE_MODE_COPY] = "copy",
	NULL,
};

static const char *const device_formats[] = {
	[DEVICE_FORMAT_AUTO] = "auto",
	[DEVICE_FORMAT_XYZIRT] = "xyzirt",
	[DEVICE_FORMAT_PACKETS] = "packets",
	NULL,
};

static const char *const device_packets[] = {
	[DEVICE_PACKETS_RAW] = "raw",
	[DEVICE_PACKETS_DECODE] = "decode",
	NULL,
};

static const char *const paces[] = {
	[REPLAY_PACE_CAPTURE] = "capture",
	[REPLAY_PACE_READERS] = "readers",
	NULL,
};

#define MEMBER(type, member)                                        \
	.name = #member, .offset = offsetof(struct type, member),   \
	.size = sizeof(((struct type *)NULL)->member)
#define LIDARD(member) .section = CONFIG_SECTION_LIDARD, MEMBER(config, member)
#define ROUDI(member) .section = CONFIG_SECTION_ROUDI, MEMBER(config, member)
#define SENSOR(member) .section = CONFIG_SECTION_SENSOR, MEMBER(sensor_config, member)

const struct config_key config_keys[] = {
	{ LIDARD(socket), .kind = CONFIG_PATH, .fallback = LIDARD_CONTROL_SOCKET,
	  .help = "The control socket, at which clients and lidarctl ask for sensors." },
	{ LIDARD(state_dir), .kind = CONFIG_PATH, .fallback = "/run/lidard",
	  .help = "Directory of lidard's lock and of its journal of clients." },
	{ LIDARD(reclaim_helper), .kind = CONFIG_PATH, .empty_allowed = true, .fallback = "",
	  .help = "Program that lidard runs to free the memory a dead client held, such as "
		  "lidard-reclaim(8). Empty: lidard only leaves a note in state_dir/dead, and a "
		  "service unit (lidard-reclaim.path) runs the program with the privileges it "
		  "needs." },

	{ ROUDI(writer_group), .kind = CONFIG_GROUP, .empty_allowed = true, .fallback = "lidard",
	  .help = "Group that may write the shared memory of the points: lidard's own. Empty: the "
		  "group RouDi runs with." },
	{ ROUDI(reader_group), .kind = CONFIG_GROUP, .empty_allowed = true, .fallback = "lidar",
	  .help = "Group that may read it. Empty: the group RouDi runs with." },

	{ SENSOR(source), .kind = CONFIG_CHOICE, .choices = sources, .fallback = "sim",
	  .help = "Where the points come from: a synthetic scene, a capture of a sensor's "
		  "packets, a device of the lidar_ring kernel module, or a sensor on the network." },
	{ SENSOR(slice_bytes), .kind = CONFIG_BYTES, .fallback = "1M",
	  .min = LIDARD_SLICE_BYTES_MIN, .max = LIDARD_SLICE_BYTES_MAX,
	  .help = "Most payload of a slice. A frame is published slice by slice, each as soon as "
		  "it is filled: smaller slices reach readers earlier, larger ones cost less." },
	{ SENSOR(first_slice_bytes), .kind = CONFIG_BYTES, .fallback = "0", .zero_allowed = true,
	  .min = LIDARD_SLICE_BYTES_MIN, .max = LIDARD_SLICE_BYTES_MAX,
	  .help = "Payload of the first slice of each frame, so that the first points come early. "
		  "0: as the others. At most slice_bytes." },
	{ SENSOR(loans), .kind = CONFIG_COUNT, .fallback = "8", .min = 2, .max = 256,
	  .help = "Slices that may be in the source's hands at once. What arrives while all of "
		  "them are full is dropped and counted." },
	{ SENSOR(subscriber_slices), .kind = CONFIG_COUNT, .fallback = "256", .min = 2, .max = 65536,
	  .help = "Slices that all subscribers together may reserve, each its queue plus what it "
		  "holds. This times slice_bytes is most of the shared memory a sensor takes." },
	{ SENSOR(queue), .kind = CONFIG_COUNT, .fallback = "32", .min = 1, .max = LIDARD_QUEUE_MAX,
	  .help = "Queue of a subscriber that does not ask for one, in slices. When it is full the "
		  "oldest slice is overwritten, and counted." },
	{ SENSOR(held), .kind = CONFIG_COUNT, .fallback = "16", .min = 1, .max = LIDARD_HELD_MAX,
	  .help = "Slices such a subscriber may hold at once. queue + held is at most "
		  "subscriber_slices." },
	{ SENSOR(crc), .kind = CONFIG_SWITCH, .fallback = "no",
	  .help = "Put a CRC-32C of the payload into every slice. Costs one pass over the data." },

	{ SENSOR(imu), .kind = CONFIG_SWITCH, .fallback = "no",
	  .help = "Publish what the sensor's IMU and its satellite receiver say, too, as a stream "
		  "of its own with the name NAME/imu: a slice for each packet that is no points "
		  "(Ouster: IMU; Velodyne: position). Where they go to a port of their own, "
		  "listen_status names it. Not for source = sim, nor for a device whose packets "
		  "are not decoded. Takes some 7 MiB of shared memory." },

	{ SENSOR(sim_beams), .kind = CONFIG_COUNT, .fallback = "128", .min = 1, .max = 1024,
	  .help = "source = sim: beams of the synthetic sensor." },
	{ SENSOR(sim_columns), .kind = CONFIG_COUNT, .fallback = "1024", .min = 1, .max = 1048576,
	  .help = "source = sim: columns (firings of all beams) of a revolution." },
	{ SENSOR(sim_returns), .kind = CONFIG_COUNT, .fallback = "1", .min = 1, .max = 2,
	  .help = "source = sim: returns of each beam." },
	{ SENSOR(sim_hz), .kind = CONFIG_REAL, .fallback = "10", .real_min = 0.1, .real_max = 1000,
	  .help = "source = sim: revolutions per second." },
	{ SENSOR(sim_noise_mm), .kind = CONFIG_REAL, .fallback = "10", .real_max = 1000,
	  .help = "source = sim: standard deviation of the range, in millimetres." },
	{ SENSOR(sim_seed), .kind = CONFIG_NUMBER, .fallback = "1", .max = UINT64_MAX,
	  .help = "source = sim: the same seed gives the same points." },
	{ SENSOR(sim_rate), .kind = CONFIG_BYTES, .fallback = "0", .max = 64 * GIB,
	  .help = "source = sim: bytes of points per second, for load tests: revolutions are "
		  "played so fast that this rate results. 0: what beams, columns, returns and "
		  "sim_hz give." },
	{ SENSOR(sim_fill_delay_us), .kind = CONFIG_COUNT, .fallback = "0", .max = CONFIG_DELAY_US_MAX,
	  .help = "source = sim: a fault, for tests: microseconds that each slice takes longer from "
		  "its first byte until it is filled. The sensor stands still meanwhile: it is "
		  "slower, and loses nothing." },
	{ SENSOR(sim_ready_delay_us), .kind = CONFIG_COUNT, .fallback = "0",
	  .max = CONFIG_DELAY_US_MAX,
	  .help = "source = sim: the same, from when the slice is filled until lidard knows of it." },

	{ SENSOR(replay_file), .kind = CONFIG_PATH, .empty_allowed = true, .fallback = "",
	  .help = "source = replay: the capture (pcap or pcapng). Needed there." },
	{ SENSOR(replay_pace), .kind = CONFIG_CHOICE, .choices = paces, .fallback = "capture",
	  .help = "source = replay: as fast as the capture's time stamps say, or as fast as the "
		  "slowest reader takes slices." },
	{ SENSOR(replay_speed), .kind = CONFIG_REAL, .fallback = "1", .real_min = 0.001,
	  .real_max = 1000,
	  .help = "source = replay: factor on the pace of the capture." },
	{ SENSOR(replay_loop), .kind = CONFIG_SWITCH, .fallback = "yes",
	  .help = "source = replay: begin again at the end." },
	{ SENSOR(replay_subscribers), .kind = CONFIG_COUNT, .fallback = "0",
	  .max = LIDARD_CLIENTS_MAX,
	  .help = "source = replay: wait for so many subscribers before the first packet." },

	{ SENSOR(device), .kind = CONFIG_PATH, .fallback = "/dev/lidar0",
	  .help = "source = device: the device. One that is not there yet is waited for." },
	{ SENSOR(device_mode), .kind = CONFIG_CHOICE, .choices = device_modes, .fallback = "auto",
	  .help = "source = device: let the device write into the memory that readers map, or into "
		  "the kernel's, from where lidard copies each slice once. auto: direct, or copy "
		  "where direct is not possible; the log says why." },
	{ SENSOR(device_format), .kind = CONFIG_CHOICE, .choices = device_formats,
	  .fallback = "auto",
	  .help = "source = device: points of 32 bytes as readers get them, or packets of the "
		  "sensor. auto: what the device says." },
	{ SENSOR(device_packets), .kind = CONFIG_CHOICE, .choices = device_packets,
	  .fallback = "raw",
	  .help = "source = device that sends packets: publish them as they are, to be decoded by "
		  "each reader that wants points, or decode them, which is a copy and takes the "
		  "keys below." },

	{ SENSOR(listen), .kind = CONFIG_ENDPOINT, .empty_allowed = true, .fallback = "",
	  .help = "source = udp: address and port that the sensor sends its packets to: of this "
		  "machine, 0.0.0.0 for any of them and for broadcasts, or a multicast group. "
		  "Needed there. Sensors may share it." },
	{ SENSOR(listen_status), .kind = CONFIG_ENDPOINT, .empty_allowed = true, .fallback = "",
	  .help = "source = udp: where the sensor sends its position packets (Velodyne, port 8308) or "
		  "DIFOP packets (RoboSense, port 7788), which say whether its clock is locked, or "
		  "its IMU packets (Ouster, port 7503). "
		  "Empty: they are only heard if they come to listen, too." },
	{ SENSOR(interface), .kind = CONFIG_INTERFACE, .empty_allowed = true, .fallback = "",
	  .help = "source = udp: the network interface at which the multicast group is joined. "
		  "Empty: the one that routes lead to." },
	{ SENSOR(from), .kind = CONFIG_ADDRESS, .empty_allowed = true, .fallback = "",
	  .help = "source = udp: the sensor's address; packets of others are ignored. Empty: the "
		  "first that sends what the decoder takes for this sensor's. To be set where "
		  "sensors share an address and their packets carry no serial number." },
	{ SENSOR(silence_ms), .kind = CONFIG_COUNT, .fallback = "1000", .min = 10, .max = 3600000,
	  .zero_allowed = true,
	  .help = "source = udp: after so many milliseconds without a packet the sensor is shown as "
		  "silent. 0: never." },
	{ SENSOR(receive_buffer), .kind = CONFIG_BYTES, .fallback = "0", .zero_allowed = true,
	  .min = 4 * KIB, .max = GIB,
	  .help = "source = udp: bytes of packets that may wait in the kernel while lidard is busy; "
		  "what comes beyond is lost, and counted. 0: what this sensor sends in a quarter "
		  "of a second." },

	{ SENSOR(decoder), .kind = CONFIG_WORD, .fallback = "auto",
	  .help = "How packets are decoded: ouster, velodyne, hesai or robosense. auto: as model "
		  "says, or an Ouster's where there is metadata." },
	{ SENSOR(model), .kind = CONFIG_WORD, .empty_allowed = true, .fallback = "",
	  .help = "The sensor's model (OS-1-128, VLP-16, Puck Hi-Res, HDL-32E, VLP-32C, VLS-128, "
		  "Pandar40P, Pandar64, PandarQT64, PandarQT128, PandarXT16, PandarXT32, "
		  "PandarXT32M, Helios-16P), or its vendor, where the model is learnt from the data. A model that is named "
		  "counts, whatever the data say of themselves; packets of another Hesai are not "
		  "decoded." },
	{ SENSOR(metadata), .kind = CONFIG_PATH, .empty_allowed = true, .fallback = "",
	  .help = "Metadata file of the sensor (Ouster: the JSON file that belongs to the "
		  "capture)." },
	{ SENSOR(calibration), .kind = CONFIG_PATH, .empty_allowed = true, .fallback = "",
	  .help = "Calibration file of the sensor, where the decoder needs one: the YAML file of a "
		  "Velodyne, needed for VLP-32C and VLS-128; the CSV file of a Hesai or RoboSense, "
		  "always needed: channel, elevation and azimuth offset in degrees, a row each." },
	{ SENSOR(sensor_clock), .kind = CONFIG_CHOICE, .choices = time_choice_names, .fallback = "auto",
	  .help = "What the clock of a sensor that sends packets counts: auto: what its metadata or "
		  "the format of its packets say and arrival times confirm; ptp: a PTP master's "
		  "time, TAI if arrival times do not show another; gps: UTC, or the time of the "
		  "hour, from PPS and NMEA; boot: since it was switched on, or any epoch of its "
		  "own; tai, utc, hour. A clock that turns out to be another is told once, and "
		  "tai, utc and gps then get no offset. What the sensor cannot be is refused." },
	{ SENSOR(cut_angle_deg), .kind = CONFIG_REAL, .fallback = "0", .real_min = 0,
	  .real_max = 359.99,
	  .help = "Sensors that do not number their revolutions (all but Ouster): the azimuth at "
		  "which a frame ends and the next begins, in degrees as the sensor counts "
		  "them." },
	{ SENSOR(pose), .kind = CONFIG_POSE, .empty_allowed = true, .live = true, .fallback = "",
	  .help = "Where the sensor is mounted, as clients are told: x y z in metres and roll "
		  "pitch yaw in degrees, or x y z and a unit quaternion x y z w. It takes points "
		  "of the sensor's frame to the base frame, that of the vehicle or robot. Angles "
		  "are about the axes of the base frame: first roll about x, then pitch about y, "
		  "then yaw about z. Points are published in the sensor's frame all the same. "
		  "Empty: not known." },
};

const unsigned int config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX,
	       "CONFIG_KEYS_MAX is too small");

const char *config_section_name(enum config_section section)
{
	static const char *const names[CONFIG_SECTION_COUNT] = {
		[CONFIG_SECTION_LIDARD] = "lidard",
		[CONFIG_SECTION_ROUDI] = "roudi",
		[CONFIG_SECTION_SENSOR] = "sensor",
	};

	assert(section < CONFIG_SECTION_COUNT);
	return names[section];
}

const struct config_key *config_key_find(enum config_section section, const char *name)
{
	unsigned int i;

	for (i = 0; i < config_key_count; i++)
		if (config_keys[i].section == section && strcmp(config_keys[i].name, name) == 0)
			return &config_keys[i];
	return NULL;
}

/** Decimal digits at the start of @text. Return: where they end, NULL if none or too large. */
static const char *read_digits(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *p;

	for (p = text; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return NULL;
	if (p == text)
		return NULL;
	*ret_value = value;
	return p;
}

static uint64_t suffix_factor(char suffix)
{
	switch (suffix) {
	case 'k':
	case 'K':
		return KIB;
	case 'm':
	case 'M':
		return MIB;
	case 'g':
	case 'G':
		return GIB;
	}
	return 0;
}

static int read_whole(const struct config_key *key, const char *text, uint64_t *ret_value)
{
	uint64_t value, factor;
	const char *end;

	end = read_digits(text, &value);
	if (!end)
		return -EINVAL;
	if (*end && key->kind == CONFIG_BYTES) {
		factor = suffix_factor(*end++);
		if (factor == 0 || __builtin_mul_overflow(value, factor, &value))
			return -EINVAL;
	}
	if (*end)
		return -EINVAL;
	if ((value < key->min || value > key->max) && !(value == 0 && key->zero_allowed))
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int read_real(const struct config_key *key, const char *text, double *ret_value)
{
	double value;
	locale_t c_locale;
	char *end;

	/* no hex, no inf, no nan, no blanks */
	if (!*text || text[strspn(text, "0123456789.eE+-")])
		return -EINVAL;
	/* whatever the process's locale calls a decimal point, the file says "." */
	c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	if (!c_locale)
		return -ENOMEM;
	value = strtod_l(text, &end, c_locale);
	freelocale(c_locale);
	if (end == text || *end || !isfinite(value))
		return -EINVAL;
	if (value < key->real_min || value > key->real_max)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int read_switch(const char *text, bool *ret_value)
{
	static const char *const words[][2] = {
		{ "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" },
	};
	size_t i, value;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (value = 0; value < 2; value++)
			if (strcasecmp(text, words[i][value]) == 0) {
				*ret_value = value == 1;
				return 0;
			}
	return -EINVAL;
}

static int read_choice(const struct config_key *key, const char *text, unsigned int *ret_value)
{
	unsigned int i;

	assert(key->size == sizeof(*ret_value));
	for (i = 0; key->choices[i]; i++)
		if (strcmp(text, key->choices[i]) == 0) {
			*ret_value = i;
			return 0;
		}
	return -EINVAL;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool text_is_right(const struct config_key *key, const char *text)
{
	struct udp_address endpoint;

	if (!*text)
		return key->empty_allowed;
	if (strlen(text) >= key->size)
		return false;
	switch (key->kind) {
	case CONFIG_PATH:
		/* what looks like a comment behind a value is taken for one */
		return text[0] == '/' && !strstr(text, " #") && !strstr(text, " ;");
	case CONFIG_GROUP:
		return strchr(LOWER "_", text[0]) && !text[strspn(text, LOWER DIGITS "_-")];
	case CONFIG_ENDPOINT:
		return udp_address_parse(text, &endpoint) == 0;
	case CONFIG_ADDRESS:
		return udp_address_parse_host(text, &endpoint.address) == 0;
	case CONFIG_INTERFACE:
		/* what the kernel takes: anything but blanks and "/", even ":" for old aliases */
		return !text[strcspn(text, "/ \t")] && text[0] != '.';
	default:
		return !text[strspn(text, LOWER UPPER DIGITS ".+_- ")];
	}
}

int config_key_read(const struct config_key *key, const char *text, void *base)
{
	void *member = (char *)base + key->offset;
	uint64_t whole;
	uint32_t count;
	int r;

	switch (key->kind) {
	case CONFIG_REAL:
		return read_real(key, text, member);
	case CONFIG_SWITCH:
		return read_switch(text, member);
	case CONFIG_CHOICE:
		return read_choice(key, text, member);
	case CONFIG_BYTES:
	case CONFIG_NUMBER:
	case CONFIG_COUNT:
		r = read_whole(key, text, &whole);
		if (r < 0)
			return r;
		count = (uint32_t)whole;
		memcpy(member, key->kind == CONFIG_COUNT ? (void *)&count : (void *)&whole,
		       key->size);
		return 0;
	case CONFIG_PATH:
	case CONFIG_GROUP:
	case CONFIG_ENDPOINT:
	case CONFIG_ADDRESS:
	case CONFIG_INTERFACE:
	case CONFIG_WORD:
		if (!text_is_right(key, text))
			return -EINVAL;
		memset(member, 0, key->size);
		memcpy(member, text, strlen(text));
		return 0;
	case CONFIG_POSE:
		assert(key->size == sizeof(struct pose));
		return *text || key->empty_allowed ? pose_read(text, member) : -EINVAL;
	}
	return -EINVAL;
}

static void format_whole(const struct config_key *key, uint64_t value, char *text, size_t size)
{
	static const struct {
		uint64_t factor;
		const char *suffix;
	} units[] = { { GIB, "G" }, { MIB, "M" }, { KIB, "K" } };
	size_t i;

	for (i = 0; key->kind == CONFIG_BYTES && i < sizeof(units) / sizeof(units[0]); i++)
		if (value && value % units[i].factor == 0) {
			snprintf(text, size, "%llu%s",
				 (unsigned long long)(value / units[i].factor), units[i].suffix);
			return;
		}
	snprintf(text, size, "%llu", (unsigned long long)value);
}

static void choices_to_text(const struct config_key *key, char *text, size_t size)
{
	size_t used = 0;
	unsigned int i;

	text[0] = '\0';
	for (i = 0; key->choices[i] && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
					 i == 0 ? "" : (key->choices[i + 1] ? ", " : " or "),
					 key->choices[i]);
}

void config_key_limits(const struct config_key *key, char *text, size_t size)
{
	const char *or_empty = key->empty_allowed ? ", or empty" : "";
	char low[32], high[32];

	switch (key->kind) {
	case CONFIG_BYTES:
	case CONFIG_COUNT:
	case CONFIG_NUMBER:
		format_whole(key, key->min, low, sizeof(low));
		format_whole(key, key->max, high, sizeof(high));
		snprintf(text, size, "%s%s to %s%s", key->zero_allowed ? "0, or " : "", low, high,
			 key->kind == CONFIG_BYTES ? ", in bytes or with K, M or G" : "");
		return;
	case CONFIG_REAL:
		snprintf(text, size, "%g to %g", key->real_min, key->real_max);
		return;
	case CONFIG_SWITCH:
		snprintf(text, size, "yes or no");
		return;
	case CONFIG_CHOICE:
		choices_to_text(key, text, size);
		return;
	case CONFIG_PATH:
		snprintf(text, size, "an absolute path of at most %zu bytes%s", key->size - 1, or_empty);
		return;
	case CONFIG_GROUP:
		snprintf(text, size, "a group's name of at most %zu bytes%s", key->size - 1, or_empty);
		return;
	case CONFIG_ENDPOINT:
		snprintf(text, size, "an IPv4 ADDRESS:PORT%s", or_empty);
		return;
	case CONFIG_ADDRESS:
		snprintf(text, size, "an IPv4 address%s", or_empty);
		return;
	case CONFIG_INTERFACE:
		snprintf(text, size, "an interface's name of at most %zu bytes%s", key->size - 1,
			 or_empty);
		return;
	case CONFIG_WORD:
		snprintf(text, size, "at most %zu letters, digits, blanks or any of _+-.%s",
			 key->size - 1, or_empty);
		return;
	case CONFIG_POSE:
		snprintf(text, size, "6 numbers (up to %g m, %g degrees) or 7 (a unit quaternion)%s",
			 POSE_METRES_MAX, POSE_DEGREES_MAX, or_empty);
		return;
	}
}

bool config_key_equal(const struct config_key *key, const void *base_a, const void *base_b)
{
	/* texts are filled up with zeros when they are read */
	return memcmp((const char *)base_a + key->offset, (const char *)base_b + key->offset,
		      key->size) == 0;
}
