/* SPDX-License-Identifier: Apache-2.0 */
/* sim_layout.c - sizes and times of a simulated revolution, checked */
#include "daemon/sim_layout.h"

#include <errno.h>
#include <inttypes.h>

#include "daemon/config.h"
#include "lidard/frame.h"

/* Whole columns if a slice holds so many that rounding costs little. */
static uint32_t firings_in(const struct sim_layout *l, uint64_t slice_bytes)
{
	uint64_t firings = slice_bytes / l->firing_bytes;

	if (firings >= 8ull * l->beams)
		firings -= firings % l->beams;
	return firings < l->firings ? (uint32_t)firings : l->firings;
}

static int check_values(const struct sensor_config *c, struct problem *problem)
{
	if (c->sim_beams == 0 || c->sim_columns == 0 || c->sim_returns == 0 || c->sim_returns > 2 ||
	    c->sim_beams > UINT16_MAX || (uint64_t)c->sim_beams * c->sim_columns > UINT32_MAX / 2)
		return problem_set(problem, -EINVAL,
				   "sim_beams = %" PRIu32 ", sim_columns = %" PRIu32
				   ", sim_returns = %" PRIu32 ": no such revolution",
				   c->sim_beams, c->sim_columns, c->sim_returns);
	if (c->sim_rate == 0 && !(c->sim_hz > 0))
		return problem_set(
			problem, -EINVAL, "sim_hz = %g: must be above 0 unless sim_rate is given",
			c->sim_hz);
	if (c->slice_bytes < LIDARD_SLICE_BYTES_MIN || c->slice_bytes > LIDARD_SLICE_BYTES_MAX)
		return problem_set(
			problem, -EINVAL, "slice_bytes = %" PRIu64 ": must be %u to %u",
			c->slice_bytes, LIDARD_SLICE_BYTES_MIN, LIDARD_SLICE_BYTES_MAX);
	if (c->first_slice_bytes != 0 && (c->first_slice_bytes < LIDARD_SLICE_BYTES_MIN ||
					  c->first_slice_bytes > LIDARD_SLICE_BYTES_MAX))
		return problem_set(problem, -EINVAL,
				   "first_slice_bytes = %" PRIu64
				   ": must be 0 or %u to %u",
				   c->first_slice_bytes, LIDARD_SLICE_BYTES_MIN,
				   LIDARD_SLICE_BYTES_MAX);
	return 0;
}

static int cut_slices(struct sim_layout *l, const struct sensor_config *c, struct problem *problem)
{
	uint64_t rest, count;

	l->slice_firings = firings_in(l, c->slice_bytes);
	l->first_slice_firings =
		c->first_slice_bytes ? firings_in(l, c->first_slice_bytes) : l->slice_firings;
	rest = l->firings - l->first_slice_firings;
	count = 1 + (rest + l->slice_firings - 1) / l->slice_firings;
	if (count > LIDARD_FRAME_SLICES_MAX)
		return problem_set(problem, -EINVAL,
				   "sim_beams = %" PRIu32 " * sim_columns = %" PRIu32
				   " * sim_returns = %" PRIu32
				   " * %zu bytes make a frame of %" PRIu64
				   " slices of slice_bytes = %" PRIu64 "; at most %u are allowed",
				   c->sim_beams, c->sim_columns, c->sim_returns,
				   sizeof(struct lidard_point_xyzirt), count, c->slice_bytes,
				   LIDARD_FRAME_SLICES_MAX);
	l->slice_count = (uint32_t)count;
	return 0;
}

static int set_pace(struct sim_layout *l, const struct sensor_config *c, struct problem *problem)
{
	uint32_t longest = l->slice_firings > l->first_slice_firings ? l->slice_firings
								     : l->first_slice_firings;
	double slice_ns;

	l->period_ns =
		c->sim_rate ? (double)l->frame_bytes * 1e9 / (double)c->sim_rate : 1e9 / c->sim_hz;
	slice_ns = l->period_ns * longest / l->firings;
	if (slice_ns > UINT32_MAX)
		return problem_set(problem, -EINVAL,
				   "a slice of slice_bytes = %" PRIu64
				   " would last %.1f s at %s = %g, more than the %.1f s that a "
				   "point's time offset can say",
				   c->slice_bytes, slice_ns / 1e9,
				   c->sim_rate ? "sim_rate" : "sim_hz",
				   c->sim_rate ? (double)c->sim_rate : c->sim_hz, UINT32_MAX / 1e9);
	return 0;
}

static int plan_reel(struct sim_layout *l, const struct sensor_config *c, struct problem *problem)
{
	double points_per_second = (double)l->firings * l->returns * 1e9 / l->period_ns;
	uint64_t fit = SIM_REEL_BYTES_MAX / l->frame_bytes;

	if (c->sim_rate == 0 && points_per_second <= SIM_LIVE_POINTS_PER_SECOND)
		return 0;
	if (fit == 0)
		return problem_set(problem, -EINVAL,
				   "sim_beams = %" PRIu32 " * sim_columns = %" PRIu32
				   " * sim_returns = %" PRIu32 " make a frame of %" PRIu64
				   " bytes; at %s = %g it is rendered in advance and must fit into "
				   "%llu",
				   c->sim_beams, c->sim_columns, c->sim_returns,
				   l->frame_bytes, c->sim_rate ? "sim_rate" : "sim_hz",
				   c->sim_rate ? (double)c->sim_rate : c->sim_hz,
				   SIM_REEL_BYTES_MAX);
	l->reel_revolutions =
		fit < SIM_REEL_REVOLUTIONS_MAX ? (uint32_t)fit : SIM_REEL_REVOLUTIONS_MAX;
	return 0;
}

int sim_layout_init(struct sim_layout *layout, const struct sensor_config *config,
		    struct problem *problem)
{
	struct sim_layout l = {
		.beams = config->sim_beams,
		.columns = config->sim_columns,
		.returns = config->sim_returns,
	};
	int r = check_values(config, problem);

	if (r < 0)
		return r;
	l.firings = l.beams * l.columns;
	l.firing_bytes = l.returns * (uint32_t)sizeof(struct lidard_point_xyzirt);
	l.frame_bytes = (uint64_t)l.firings * l.firing_bytes;
	r = cut_slices(&l, config, problem);
	if (r < 0)
		return r;
	r = set_pace(&l, config, problem);
	if (r < 0)
		return r;
	r = plan_reel(&l, config, problem);
	if (r < 0)
		return r;
	*layout = l;
	return 0;
}
