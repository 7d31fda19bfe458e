/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ouster_capture.h - a small Ouster sensor's capture and metadata, made up
 *
 * 32 beams, 512 columns, 10 revolutions a second, 32 packets a frame.  Every
 * beam returns from BEAM_RANGE_MM + beam * BEAM_STEP_MM, but every 8th column
 * returns nothing. Time begins at one second of the sensor's clock.
 */
#ifndef TESTS_SUPPORT_OUSTER_CAPTURE_H
#define TESTS_SUPPORT_OUSTER_CAPTURE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUSTER_CAPTURE_BEAMS 32u
#define OUSTER_CAPTURE_COLUMNS 512u
#define OUSTER_CAPTURE_PACKET_COLUMNS 16u
#define OUSTER_CAPTURE_FRAME_PACKETS 32u
#define OUSTER_CAPTURE_FRAME_POINTS (OUSTER_CAPTURE_BEAMS * (OUSTER_CAPTURE_COLUMNS * 7 / 8))
#define OUSTER_CAPTURE_RANGE_MM 4000u
#define OUSTER_CAPTURE_STEP_MM 80u
#define OUSTER_CAPTURE_COLUMN_NS 195312u
#define OUSTER_CAPTURE_PACKET_MAX 8192u
#define OUSTER_CAPTURE_IMU_BYTES 48u
/** What it says of the sensor's uptime, and when it reads angular velocity after acceleration. */
#define OUSTER_CAPTURE_IMU_BOOT_NS 123456789ull
#define OUSTER_CAPTURE_IMU_DELAY_NS 2000u

/** Zero: three whole frames, one jumbo packet each datagram. */
struct ouster_capture_options {
	/** RNG15_RFL8_NIR8 instead of LEGACY. */
	bool rng15;
	/** Frames; 3 if 0. */
	uint32_t frames;
	/** The first frame's packets before this one were not recorded. */
	uint32_t first_packet;
	/** The last frame's packets from this one on were not recorded; 0: all were. */
	uint32_t end_packet;
	/** Every n-th packet is lost, or changes places with the next; 0: none. */
	uint32_t drop_every;
	uint32_t swap_every;
	unsigned int vlans;
	/** Most IPv4 payload of a packet; 0: any. */
	uint32_t fragment_bytes;
	/** The sensor's first frame number; 65534 makes it wrap. */
	uint16_t first_frame;
	/** An IMU's packet before each. */
	bool others;
	/** Added to the serial number, and the number of the sensor's start (RNG15 packets). */
	uint32_t serial;
	uint32_t init;
};

struct ouster_capture {
	char directory[64];
	char pcap[PATH_MAX];
	char metadata[PATH_MAX];
	/** Point packets written. */
	uint64_t packets;
};

/** ouster_capture_write() - into a new temporary directory; aborts on failure */
void ouster_capture_write(struct ouster_capture *c, const struct ouster_capture_options *options);
/**
 * ouster_capture_make_packet() - one packet, as the capture has it
 * @frame: counts from 0; the first has first_frame's number
 *
 * Return: its size, at most OUSTER_CAPTURE_PACKET_MAX.
 */
size_t ouster_capture_make_packet(const struct ouster_capture_options *options, uint8_t *data,
				  uint32_t frame, uint32_t packet);
/**
 * ouster_capture_make_imu() - the IMU packet that goes with a packet
 *
 * At the time of its first column; half a g to the left and one upwards, 90 degrees a second
 * about z, and as many about y as the packet's number.
 */
void ouster_capture_make_imu(uint8_t *data, uint32_t frame, uint32_t packet);
/** Remove files and directory. */
void ouster_capture_remove(struct ouster_capture *c);

#endif /* TESTS_SUPPORT_OUSTER_CAPTURE_H */
