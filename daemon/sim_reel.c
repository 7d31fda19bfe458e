/* SPDX-License-Identifier: Apache-2.0 */
/* sim_reel.c - rendering in advance, piece by piece */
#include "daemon/sim_reel.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/crc32c.h"

/** Rendered between two looks at the clock: a fraction of a millisecond. */
#define PIECE_FIRINGS 2048u

struct sim_reel {
	const struct sim_layout *layout;
	struct sim_renderer *renderer;
	bool crc;
	uint8_t *memory;
	size_t memory_bytes;
	/** One for each slice of each revolution. */
	uint32_t *crcs;
	/** How far rendering is. */
	uint32_t revolution;
	uint32_t slice;
	uint32_t firing;
};

struct sim_reel *sim_reel_new(const struct sim_layout *layout, struct sim_renderer *renderer,
			      bool crc)
{
	struct sim_reel *reel = calloc(1, sizeof(*reel));

	if (!reel)
		return NULL;
	reel->layout = layout;
	reel->renderer = renderer;
	reel->crc = crc;
	reel->crcs =
		calloc((size_t)layout->reel_revolutions * layout->slice_count, sizeof(*reel->crcs));
	reel->memory_bytes = layout->frame_bytes * layout->reel_revolutions;
	reel->memory = mmap(NULL, reel->memory_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (reel->memory == MAP_FAILED)
		reel->memory = NULL;
	if (!reel->crcs || !reel->memory)
		return sim_reel_free(reel);
	/* read from end to end for hours: few large pages serve it best, but it is no need */
	madvise(reel->memory, reel->memory_bytes, MADV_HUGEPAGE);
	return reel;
}

struct sim_reel *sim_reel_free(struct sim_reel *reel)
{
	if (!reel)
		return NULL;
	if (reel->memory)
		munmap(reel->memory, reel->memory_bytes);
	free(reel->crcs);
	free(reel);
	return NULL;
}

static void *at(const struct sim_reel *reel, uint32_t revolution, uint32_t firing)
{
	return reel->memory + revolution * reel->layout->frame_bytes +
	       (uint64_t)firing * reel->layout->firing_bytes;
}

static uint32_t *crc_of(const struct sim_reel *reel, uint32_t revolution, uint32_t slice)
{
	return &reel->crcs[(size_t)revolution * reel->layout->slice_count + slice];
}

static void advance(struct sim_reel *reel, uint32_t firings)
{
	reel->firing += firings;
	if (reel->firing < sim_layout_slice_end(reel->layout, reel->slice))
		return;
	if (++reel->slice < reel->layout->slice_count)
		return;
	reel->slice = 0;
	reel->firing = 0;
	reel->revolution++;
}

static void wind_piece(struct sim_reel *reel)
{
	const struct sim_layout *l = reel->layout;
	uint32_t slice_column = sim_layout_slice_begin(l, reel->slice) / l->beams;
	uint32_t count = sim_layout_slice_end(l, reel->slice) - reel->firing;
	struct lidard_point_xyzirt *points = at(reel, reel->revolution, reel->firing);
	uint32_t *crc = crc_of(reel, reel->revolution, reel->slice);

	if (count > PIECE_FIRINGS)
		count = PIECE_FIRINGS;
	sim_renderer_draw(reel->renderer, reel->revolution, reel->firing, count, slice_column,
			  points);
	/* now, while the points are still in the cache */
	if (reel->crc)
		*crc = crc32c(*crc, points, (size_t)count * l->firing_bytes);
	advance(reel, count);
}

bool sim_reel_wind(struct sim_reel *reel, uint64_t budget_ns)
{
	uint64_t end_ns;

	if (reel->revolution == reel->layout->reel_revolutions)
		return true;
	end_ns = clock_now_ns() + budget_ns;
	do
		wind_piece(reel);
	while (reel->revolution < reel->layout->reel_revolutions && clock_now_ns() < end_ns);
	return reel->revolution == reel->layout->reel_revolutions;
}

const void *sim_reel_points(const struct sim_reel *reel, uint64_t frame, uint32_t firing)
{
	return at(reel, (uint32_t)(frame % reel->layout->reel_revolutions), firing);
}

uint32_t sim_reel_crc(const struct sim_reel *reel, uint64_t frame, uint32_t slice)
{
	return *crc_of(reel, (uint32_t)(frame % reel->layout->reel_revolutions), slice);
}
