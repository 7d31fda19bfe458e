/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.h - log-linear histogram of durations in nanoseconds
 *
 * 16 buckets for each power of two, so a bucket is at most 1/16 (6.25 %) of
 * its value wide; values below 16 ns have a bucket each.  The last bucket also
 * holds everything from LIDARD_HISTOGRAM_LIMIT_NS on.  The layout
 * (struct lidard_histogram, include/lidard/control.h) is shared by the
 * library, the daemon, the tools and BPF, so that all of them print the same
 * figures.
 *
 * One writer, any number of readers: the writer uses relaxed stores, a reader
 * may see a count before the sum that goes with it.
 */
#ifndef COMMON_HISTOGRAM_H
#define COMMON_HISTOGRAM_H

#include <stdint.h>

#include "lidard/control.h"

static inline unsigned int histogram_bucket(uint64_t value_ns)
{
	unsigned int exponent, bucket;

	if (value_ns < LIDARD_HISTOGRAM_SUB)
		return (unsigned int)value_ns;
	exponent = 63u - (unsigned int)__builtin_clzll(value_ns);
	bucket = (exponent - 3u) * LIDARD_HISTOGRAM_SUB +
		 (unsigned int)((value_ns >> (exponent - 4u)) & (LIDARD_HISTOGRAM_SUB - 1u));
	return bucket < LIDARD_HISTOGRAM_BUCKETS ? bucket : LIDARD_HISTOGRAM_BUCKETS - 1u;
}

/** Smallest value that falls into the bucket. */
static inline uint64_t histogram_bucket_floor_ns(unsigned int bucket)
{
	unsigned int exponent = bucket / LIDARD_HISTOGRAM_SUB + 3u;

	if (bucket < LIDARD_HISTOGRAM_SUB)
		return bucket;
	return (uint64_t)(LIDARD_HISTOGRAM_SUB + bucket % LIDARD_HISTOGRAM_SUB) << (exponent - 4u);
}

/* hot path */
static inline void histogram_add(struct lidard_histogram *h, uint64_t value_ns)
{
	unsigned int b = histogram_bucket(value_ns);

	__atomic_store_n(&h->buckets[b], h->buckets[b] + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&h->count, h->count + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&h->sum_ns, h->sum_ns + value_ns, __ATOMIC_RELAXED);
	if (value_ns > h->max_ns)
		__atomic_store_n(&h->max_ns, value_ns, __ATOMIC_RELAXED);
}

/**
 * histogram_quantile_ns() - value below which a fraction of all values lie
 * @h: histogram
 * @q: 0.0 to 1.0
 *
 * Return: the upper end of the bucket the quantile falls into, but never more
 * than the largest value seen; 0 for an empty histogram.
 */
static inline uint64_t histogram_quantile_ns(const struct lidard_histogram *h, double q)
{
	uint64_t total = 0, seen = 0, rank;
	unsigned int i;

	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++)
		total += h->buckets[i];
	if (total == 0)
		return 0;
	rank = (uint64_t)(q * (double)total);
	if (rank >= total)
		rank = total - 1;
	for (i = 0; i < LIDARD_HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen > rank) {
			uint64_t end = i + 1 < LIDARD_HISTOGRAM_BUCKETS ?
					       histogram_bucket_floor_ns(i + 1) - 1 :
					       h->max_ns;

			return h->max_ns && end > h->max_ns ? h->max_ns : end;
		}
	}
	return h->max_ns;
}

#endif /* COMMON_HISTOGRAM_H */
