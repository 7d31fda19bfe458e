/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splitmix64.h - numbers that look random and are the same on every machine
 *
 * For synthetic data and tests, not for secrets.  splitmix64_mix() turns a
 * counter into a number, so that the n-th number is had without the ones
 * before it.
 */
#ifndef COMMON_SPLITMIX64_H
#define COMMON_SPLITMIX64_H

#include <stdint.h>

#define SPLITMIX64_STEP 0x9e3779b97f4a7c15ull

static inline uint64_t splitmix64_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static inline uint64_t splitmix64_next(uint64_t *state)
{
	*state += SPLITMIX64_STEP;
	return splitmix64_mix(*state);
}

/** Return: low <= x < high. */
static inline double splitmix64_between(uint64_t *state, double low, double high)
{
	return low + (high - low) * ((double)(splitmix64_next(state) >> 11) * 0x1p-53);
}

#endif /* COMMON_SPLITMIX64_H */
