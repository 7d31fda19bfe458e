/* SPDX-License-Identifier: Apache-2.0 */
/*
 * velodyne_position.h - Velodyne's position packets
 *
 * 512 bytes, sent to a port of their own (8308) unless the sensor is told to
 * send them where its data go: the state of the pulse per second at 202 (0
 * there is none, 1 synchronising, 2 locked, 3 an error), and from 206 on the
 * newest NMEA sentence.  The pulse says when a second begins, and only a valid
 * sentence says which one of the hour it is: the clock is locked by both.
 */
#ifndef DECODER_VELODYNE_POSITION_H
#define DECODER_VELODYNE_POSITION_H

#include <stddef.h>
#include <stdint.h>

#include "lidard/frame.h"

#define VELODYNE_POSITION_BYTES 512

/**
 * velodyne_position_get_lock() - what a packet of VELODYNE_POSITION_BYTES says
 *
 * Return: enum lidard_clock_lock; LIDARD_CLOCK_LOCK_UNKNOWN if it makes no sense. Hot path.
 */
uint8_t velodyne_position_get_lock(const uint8_t *packet);

/**
 * velodyne_position_read() - where it is, of a packet of VELODYNE_POSITION_BYTES
 * @ret_position: all but its time
 * @ret_time_us: past the hour
 *
 * A packet without a sentence, or with one that is damaged, still tells of the pulse.
 * Return: 0; -EINVAL if it makes no sense.
 */
int velodyne_position_read(const uint8_t *packet, struct lidard_position *ret_position,
			   uint32_t *ret_time_us);

#endif /* DECODER_VELODYNE_POSITION_H */
