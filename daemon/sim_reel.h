/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_reel.h - a few revolutions rendered in advance
 *
 * At high rates rendering would be the limit, so revolutions are rendered once
 * and then played over and over; what moves jumps back when the reel begins
 * again.  Rendering is done in small pieces (sim_reel_wind()), so that the
 * loop goes on meanwhile.
 */
#ifndef DAEMON_SIM_REEL_H
#define DAEMON_SIM_REEL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/sim_layout.h"
#include "daemon/sim_renderer.h"

struct sim_reel;

/**
 * sim_reel_new() - an empty reel for layout->reel_revolutions
 * @layout, @renderer: borrowed
 * @crc: compute the CRC-32C of each slice
 *
 * Return: NULL if there is no memory.
 */
struct sim_reel *sim_reel_new(const struct sim_layout *layout, struct sim_renderer *renderer,
			      bool crc);
/** Return: NULL. NULL is allowed. */
struct sim_reel *sim_reel_free(struct sim_reel *reel);

/** sim_reel_wind() - render on, for about @budget_ns. Return: true once all is rendered. */
bool sim_reel_wind(struct sim_reel *reel, uint64_t budget_ns);

/** The points of a firing; of a whole revolution, one behind the other. Hot path. */
const void *sim_reel_points(const struct sim_reel *reel, uint64_t frame, uint32_t firing);
uint32_t sim_reel_crc(const struct sim_reel *reel, uint64_t frame, uint32_t slice);

#endif /* DAEMON_SIM_REEL_H */
