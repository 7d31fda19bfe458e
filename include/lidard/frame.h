/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * frame.h - a slice of a point cloud, as it lies in shared memory
 *
 * The contract between lidard (who writes) and every reader (who maps the
 * memory read-only).  One published message is one slice: a header of fixed
 * size and a payload of points that starts on a page boundary.
 *
 * All fields are little-endian, naturally aligned and of fixed width; padding
 * is explicit and zero.  The header is versioned by its size: header_bytes
 * says how much of it the writer knew.  New fields are only ever added at the
 * end; a reader ignores what lies beyond the size it knows, and treats what
 * lies beyond header_bytes as zero.
 *
 * Times ending in _ns are CLOCK_MONOTONIC nanoseconds of the machine lidard
 * runs on, unless the name says "sensor".  A stamp that the source cannot know
 * is 0 and its _VALID flag is clear; it is never invented.
 *
 * Compiles as C99 and as C++11.
 */
#ifndef LIDARD_FRAME_H
#define LIDARD_FRAME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Most slices a frame may be cut into: two whole frames fit what one subscriber may hold. */
#define LIDARD_FRAME_SLICES_MAX 100u

/** Smallest and largest payload of a slice, in bytes. */
#define LIDARD_SLICE_BYTES_MIN 4096u
#define LIDARD_SLICE_BYTES_MAX (64u * 1024u * 1024u)

/** Alignment of the payload in memory, in bytes. */
#define LIDARD_PAYLOAD_ALIGN 4096u

/** What a slice's payload is made of. */
enum lidard_format {
	LIDARD_FORMAT_NONE = 0,
	/** Bytes as the sensor sent them: u32 length, bytes, padded to 8, repeated. */
	LIDARD_FORMAT_RAW = 1,
	/** An array of struct lidard_point_xyzirt. */
	LIDARD_FORMAT_XYZIRT = 2,
	/** An array of struct lidard_imu. */
	LIDARD_FORMAT_IMU = 3,
	/** An array of struct lidard_position. */
	LIDARD_FORMAT_POSITION = 4,
};

/** The clock that sensor_time_ns counts in. */
enum lidard_sensor_clock {
	/** The sensor gives no time. */
	LIDARD_CLOCK_NONE = 0,
	/** Nanoseconds since the sensor was switched on. */
	LIDARD_CLOCK_SENSOR_BOOT = 1,
	/** International atomic time since 1970-01-01 00:00:00 TAI (PTP's time scale). */
	LIDARD_CLOCK_TAI = 2,
	/** POSIX time: UTC since 1970-01-01, leap seconds not counted. */
	LIDARD_CLOCK_UTC = 3,
	/** A PTP hardware clock, or any other, of arbitrary epoch. */
	LIDARD_CLOCK_PHC = 4,
	/** CLOCK_MONOTONIC of the machine lidard runs on (synthetic sensors). */
	LIDARD_CLOCK_MONOTONIC = 5,
	/** Nanoseconds since the beginning of an hour, which the sensor does not tell: of the one
	 *  in which its stream began. */
	LIDARD_CLOCK_HOUR = 6,
};

/** Is the sensor's clock disciplined? */
enum lidard_clock_lock {
	LIDARD_CLOCK_LOCK_UNKNOWN = 0,
	LIDARD_CLOCK_LOCK_FREE_RUNNING = 1,
	LIDARD_CLOCK_LOCK_LOCKED = 2,
};

/** Bits of lidard_slice_header.flags. */
enum lidard_slice_flags {
	/** The last slice of its frame; slice_count is known from here on. */
	LIDARD_SLICE_LAST = 1u << 0,
	/** This slice lacks columns: lost, invalid at the sensor, or outside the recording. */
	LIDARD_SLICE_PARTIAL = 1u << 1,
	/** On the last slice: some slice of this frame lacks columns. */
	LIDARD_FRAME_PARTIAL = 1u << 2,
	/** crc32c holds the CRC-32C of the payload. */
	LIDARD_SLICE_CRC_VALID = 1u << 3,
	/** first_byte_ns holds the arrival of the slice's first byte. */
	LIDARD_SLICE_FIRST_BYTE_VALID = 1u << 4,
	/** sensor_time_ns and sensor_end_time_ns hold times of the sensor's clock. */
	LIDARD_SLICE_SENSOR_TIME_VALID = 1u << 5,
	/** clock_offset_ns holds CLOCK_TAI minus the sensor's clock. */
	LIDARD_SLICE_CLOCK_OFFSET_VALID = 1u << 6,
	/** The data was recorded earlier: sensor times lie in the past. */
	LIDARD_SLICE_REPLAYED = 1u << 7,
	/** The data is synthetic. */
	LIDARD_SLICE_SYNTHETIC = 1u << 8,
	/** The last slice of its stream: a replay that does not loop ends here. */
	LIDARD_SLICE_END_OF_STREAM = 1u << 9,
};

/**
 * struct lidard_slice_header - what every slice says of itself
 *
 * Counters restart with the incarnation and only grow within it.  A reader
 * that took the slice with publish_index p and then one with q has missed
 * q - p - 1 slices for reasons of its own (its queue overflowed), and the
 * sensor lost seq(q) - seq(p) - (q - p) before anybody could see them.
 */
struct lidard_slice_header {
	/** Size of this struct as the writer knew it. */
	uint32_t header_bytes;
	/** enum lidard_slice_flags. */
	uint32_t flags;
	/** Identifies one run of the source; larger for later runs since the machine's boot. */
	uint64_t incarnation;
	/** Counts slices the sensor produced in this incarnation, dropped ones included, from 0. */
	uint64_t seq;
	/** Counts slices published in this incarnation, from 0. */
	uint64_t publish_index;
	/** Counts revolutions (scans): the sensor's own number, made to never go back. */
	uint64_t frame_id;
	/** Place of this slice in its frame, from 0. */
	uint32_t slice_index;
	/** Slices in this frame; 0 while unknown. */
	uint32_t slice_count;
	/** Bytes of payload; point_count * point_step for formats made of points. */
	uint64_t payload_bytes;
	/** Points (readings, positions) in the payload. */
	uint32_t point_count;
	/** Bytes from one point to the next; 0 for LIDARD_FORMAT_RAW. */
	uint16_t point_step;
	/** enum lidard_format. */
	uint16_t format;
	/** Slices dropped between the last published slice and this one, for any cause. */
	uint64_t lost_before;
	/** First byte of the slice arrived (LIDARD_SLICE_FIRST_BYTE_VALID). */
	uint64_t first_byte_ns;
	/** Last byte of the slice was in place. */
	uint64_t filled_ns;
	/** The daemon learned of it. */
	uint64_t ready_ns;
	/** The daemon handed it to the transport. */
	uint64_t published_ns;
	/** Sensor's time of the first point; points count their time offset from here. */
	uint64_t sensor_time_ns;
	/** Sensor's time of the last column. */
	uint64_t sensor_end_time_ns;
	/** CLOCK_TAI - sensor clock, where known (LIDARD_SLICE_CLOCK_OFFSET_VALID); TAI is meant,
	 *  which CLOCK_TAI shows only on machines that were told the leap seconds. */
	int64_t clock_offset_ns;
	/** enum lidard_sensor_clock. */
	uint8_t sensor_clock;
	/** enum lidard_clock_lock. */
	uint8_t clock_lock;
	/** Zero. */
	uint8_t pad[2];
	/** CRC-32C (Castagnoli) of the payload (LIDARD_SLICE_CRC_VALID). */
	uint32_t crc32c;
	/** Sensor packets known to be lost from this slice. */
	uint32_t lost_packets;
	/** Columns this slice should hold and does not, whatever the cause. */
	uint32_t missing_columns;
	/** First column (firing position) this slice covers. */
	uint32_t first_column;
	/** Columns this slice covers, missing ones included. */
	uint32_t column_count;
	/** Zero; room to grow. */
	uint64_t reserved[4];
};

/** Bits of lidard_point_xyzirt.flags. */
enum lidard_point_flags {
	/** The sensor doubts this return (Ouster: range or reflectivity flag bits set). */
	LIDARD_POINT_FLAGGED = 1u << 0,
	/** The second return is the first one once more: there was only one (Velodyne, Hesai,
	 *  RoboSense). */
	LIDARD_POINT_REPEATED = 1u << 1,
};

/**
 * struct lidard_point_xyzirt - one return
 *
 * x, y, z: metres in the sensor's frame (right-handed, x forward, z up).
 * range: metres as the sensor measured it, along its beam.
 * Half a cache line, so that no point crosses one.  Only measured returns are
 * published: a beam that met nothing leaves no point.
 */
struct lidard_point_xyzirt {
	float x;
	float y;
	float z;
	/** The sensor's own scale: calibrated reflectivity where it has it, else signal. */
	float intensity;
	float range;
	/** Nanoseconds from the slice's sensor_time_ns to this point's firing. */
	uint32_t time_offset_ns;
	/** Beam number, from 0, top to bottom as the sensor numbers them. */
	uint16_t ring;
	/** 1 for the first return reported of a firing, 2 for the second. */
	uint8_t return_number;
	/** enum lidard_point_flags. */
	uint8_t flags;
	/** Signal photons, raw; 0 where the sensor does not report it. */
	uint16_t signal;
	/** Ambient (near infrared) light, raw; 0 where the sensor does not report it. */
	uint16_t ambient;
};

/** Bits of lidard_imu.flags. */
enum lidard_imu_flags {
	LIDARD_IMU_ACCELERATION_VALID = 1u << 0,
	LIDARD_IMU_ANGULAR_VELOCITY_VALID = 1u << 1,
	LIDARD_IMU_TEMPERATURE_VALID = 1u << 2,
	/** boot_time_ns holds the sensor's uptime. */
	LIDARD_IMU_BOOT_TIME_VALID = 1u << 3,
};

/**
 * struct lidard_imu - one reading of a sensor's own inertial measurement unit
 *
 * Along the axes of the sensor's frame, those of its points; where the unit sits within the
 * sensor is not accounted for. A sensor at rest measures +9.8 m/s^2 upwards. Raw: no bias is
 * taken off. What is not valid is 0.
 */
struct lidard_imu {
	/** When acceleration was measured, in the sensor's clock, as the slice's sensor_time_ns. */
	uint64_t time_ns;
	/** When angular velocity was. */
	uint64_t angular_time_ns;
	/** Since the sensor was switched on, whatever its clock counts. */
	uint64_t boot_time_ns;
	/** x, y, z in m/s^2. */
	float acceleration[3];
	/** About x, y, z in rad/s, right-handed. */
	float angular_velocity[3];
	/** Degrees Celsius. */
	float temperature;
	/** enum lidard_imu_flags. */
	uint32_t flags;
	/** Zero; room to grow. */
	uint64_t reserved;
};

/** The sensor's pulse per second from a satellite receiver. */
enum lidard_pps {
	LIDARD_PPS_UNKNOWN = 0,
	LIDARD_PPS_ABSENT = 1,
	LIDARD_PPS_SYNCHRONISING = 2,
	LIDARD_PPS_LOCKED = 3,
	LIDARD_PPS_ERROR = 4,
};

/** Bits of lidard_position.flags. */
enum lidard_position_flags {
	/** The receiver vouches for latitude and longitude. */
	LIDARD_POSITION_VALID = 1u << 0,
	LIDARD_POSITION_ALTITUDE_VALID = 1u << 1,
	LIDARD_POSITION_SPEED_VALID = 1u << 2,
	LIDARD_POSITION_COURSE_VALID = 1u << 3,
	/** utc_ns holds the receiver's time and date. */
	LIDARD_POSITION_UTC_VALID = 1u << 4,
	/** time_ns holds the sensor's time. */
	LIDARD_POSITION_TIME_VALID = 1u << 5,
	/** There was a sentence of the receiver, with the right checksum. */
	LIDARD_POSITION_HAS_SENTENCE = 1u << 6,
};

/**
 * struct lidard_position - what a satellite receiver at the sensor says, as the sensor passes it on
 *
 * Sensors repeat the receiver's last sentence in each packet: utc_ns tells a new one. What
 * is not valid is 0.
 */
struct lidard_position {
	/** When the packet was sent, in the sensor's clock, as the slice's sensor_time_ns. */
	uint64_t time_ns;
	/** POSIX time of the fix. */
	int64_t utc_ns;
	/** WGS 84, degrees: north and east are positive. */
	double latitude;
	double longitude;
	/** Metres above mean sea level. */
	double altitude;
	/** Over ground, m/s. */
	float speed;
	/** Over ground, degrees clockwise from true north. */
	float course;
	/** enum lidard_position_flags. */
	uint32_t flags;
	/** enum lidard_pps. */
	uint8_t pps;
	/** Satellites in use, 0 if it is not told. */
	uint8_t satellites;
	/** Zero. */
	uint8_t pad[2];
	uint64_t reserved;
};

/** Scalar types of a field, numbered as in sensor_msgs/PointField. */
enum lidard_field_type {
	LIDARD_FIELD_INT8 = 1,
	LIDARD_FIELD_UINT8 = 2,
	LIDARD_FIELD_INT16 = 3,
	LIDARD_FIELD_UINT16 = 4,
	LIDARD_FIELD_INT32 = 5,
	LIDARD_FIELD_UINT32 = 6,
	LIDARD_FIELD_FLOAT32 = 7,
	LIDARD_FIELD_FLOAT64 = 8,
};

/** struct lidard_field - one field of a point, for readers that do not know the format */
struct lidard_field {
	const char *name;
	uint32_t offset;
	/** enum lidard_field_type. */
	uint32_t type;
	/** Elements; 1 for a scalar. */
	uint32_t count;
	/** Unit, as text: "m", "ns", "" where it is a plain number. */
	const char *unit;
};

/* The layout is the contract: a change here breaks every recording and reader. */
#if defined(__cplusplus)
#if __cplusplus >= 201103L
#define LIDARD_ASSERT_LAYOUT(cond) static_assert(cond, #cond)
#endif
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define LIDARD_ASSERT_LAYOUT(cond) _Static_assert(cond, #cond)
#endif
#ifndef LIDARD_ASSERT_LAYOUT /* C99: a negative array size */
#define LIDARD_ASSERT_PASTE_(a, b) a##b
#define LIDARD_ASSERT_NAME_(line) LIDARD_ASSERT_PASTE_(lidard_layout_is_wrong_at_line_, line)
#define LIDARD_ASSERT_LAYOUT(cond) typedef char LIDARD_ASSERT_NAME_(__LINE__)[(cond) ? 1 : -1]
#endif
#define LIDARD_ASSERT_OFFSET(type, member, at) \
	LIDARD_ASSERT_LAYOUT(offsetof(struct type, member) == (at))

LIDARD_ASSERT_OFFSET(lidard_slice_header, header_bytes, 0);
LIDARD_ASSERT_OFFSET(lidard_slice_header, flags, 4);
LIDARD_ASSERT_OFFSET(lidard_slice_header, incarnation, 8);
LIDARD_ASSERT_OFFSET(lidard_slice_header, seq, 16);
LIDARD_ASSERT_OFFSET(lidard_slice_header, publish_index, 24);
LIDARD_ASSERT_OFFSET(lidard_slice_header, frame_id, 32);
LIDARD_ASSERT_OFFSET(lidard_slice_header, slice_index, 40);
LIDARD_ASSERT_OFFSET(lidard_slice_header, slice_count, 44);
LIDARD_ASSERT_OFFSET(lidard_slice_header, payload_bytes, 48);
LIDARD_ASSERT_OFFSET(lidard_slice_header, point_count, 56);
LIDARD_ASSERT_OFFSET(lidard_slice_header, point_step, 60);
LIDARD_ASSERT_OFFSET(lidard_slice_header, format, 62);
LIDARD_ASSERT_OFFSET(lidard_slice_header, lost_before, 64);
LIDARD_ASSERT_OFFSET(lidard_slice_header, first_byte_ns, 72);
LIDARD_ASSERT_OFFSET(lidard_slice_header, filled_ns, 80);
LIDARD_ASSERT_OFFSET(lidard_slice_header, ready_ns, 88);
LIDARD_ASSERT_OFFSET(lidard_slice_header, published_ns, 96);
LIDARD_ASSERT_OFFSET(lidard_slice_header, sensor_time_ns, 104);
LIDARD_ASSERT_OFFSET(lidard_slice_header, sensor_end_time_ns, 112);
LIDARD_ASSERT_OFFSET(lidard_slice_header, clock_offset_ns, 120);
LIDARD_ASSERT_OFFSET(lidard_slice_header, sensor_clock, 128);
LIDARD_ASSERT_OFFSET(lidard_slice_header, clock_lock, 129);
LIDARD_ASSERT_OFFSET(lidard_slice_header, pad, 130);
LIDARD_ASSERT_OFFSET(lidard_slice_header, crc32c, 132);
LIDARD_ASSERT_OFFSET(lidard_slice_header, lost_packets, 136);
LIDARD_ASSERT_OFFSET(lidard_slice_header, missing_columns, 140);
LIDARD_ASSERT_OFFSET(lidard_slice_header, first_column, 144);
LIDARD_ASSERT_OFFSET(lidard_slice_header, column_count, 148);
LIDARD_ASSERT_OFFSET(lidard_slice_header, reserved, 152);
LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_slice_header) == 184);

LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, x, 0);
LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, y, 4);
LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, z, 8);
LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, intensity, 12);
LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, range, 16);
LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, time_offset_ns, 20);
LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, ring, 24);
LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, return_number, 26);
LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, flags, 27);
LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, signal, 28);
LIDARD_ASSERT_OFFSET(lidard_point_xyzirt, ambient, 30);
LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_point_xyzirt) == 32);

LIDARD_ASSERT_OFFSET(lidard_imu, time_ns, 0);
LIDARD_ASSERT_OFFSET(lidard_imu, angular_time_ns, 8);
LIDARD_ASSERT_OFFSET(lidard_imu, boot_time_ns, 16);
LIDARD_ASSERT_OFFSET(lidard_imu, acceleration, 24);
LIDARD_ASSERT_OFFSET(lidard_imu, angular_velocity, 36);
LIDARD_ASSERT_OFFSET(lidard_imu, temperature, 48);
LIDARD_ASSERT_OFFSET(lidard_imu, flags, 52);
LIDARD_ASSERT_OFFSET(lidard_imu, reserved, 56);
LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_imu) == 64);

LIDARD_ASSERT_OFFSET(lidard_position, time_ns, 0);
LIDARD_ASSERT_OFFSET(lidard_position, utc_ns, 8);
LIDARD_ASSERT_OFFSET(lidard_position, latitude, 16);
LIDARD_ASSERT_OFFSET(lidard_position, longitude, 24);
LIDARD_ASSERT_OFFSET(lidard_position, altitude, 32);
LIDARD_ASSERT_OFFSET(lidard_position, speed, 40);
LIDARD_ASSERT_OFFSET(lidard_position, course, 44);
LIDARD_ASSERT_OFFSET(lidard_position, flags, 48);
LIDARD_ASSERT_OFFSET(lidard_position, pps, 52);
LIDARD_ASSERT_OFFSET(lidard_position, satellites, 53);
LIDARD_ASSERT_OFFSET(lidard_position, pad, 54);
LIDARD_ASSERT_OFFSET(lidard_position, reserved, 56);
LIDARD_ASSERT_LAYOUT(sizeof(struct lidard_position) == 64);

#ifdef __cplusplus
}
#endif

#endif /* LIDARD_FRAME_H */
